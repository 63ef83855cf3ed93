"""Pose networks on crops that return a heatmap for each keypoint.

HRNet (Sun et al., CVPR 2019), OmniPose, ViTPose and their kin return ``(N, K, h / 4, w / 4)`` for
an input of ``w`` x ``h`` px. They differ in the grid that they were trained on and in how the
maximum is refined, which ``NetworkSpec.decoder`` names:

- ``heatmaps``: cell i lies at pixel ``stride * i`` of the input (HRNet, OmniPose); DARK;
- ``heatmaps_quarter``: the same grid; a quarter of a cell towards the larger neighbour;
- ``heatmaps_udp``: the outermost cells lie at the outermost pixels (Huang et al., "The Devil is in
  the Details", CVPR 2020; ViTPose); DARK.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from pose3d_ros.network_graph import Shapes
from pose3d_ros.network_spec import IMAGENET_MEAN, IMAGENET_SCALE, NetworkSpec

Array = NDArray[np.float64]

DARK, QUARTER, UDP = 'heatmaps', 'heatmaps_quarter', 'heatmaps_udp'
HEATMAPS = 'heatmaps'
# Of the smoothing before DARK's expansion, cells; published for heatmaps of 64 x 48 cells.
DARK_KERNEL = 11
# Least value of a heatmap of which the logarithm is taken.
MIN_VALUE = 1e-10
# Farthest that DARK moves a maximum, cells: farther, the expansion does not hold.
MAX_STEP = 1.0


def decode(
    outputs: Mapping[str, NDArray[np.float32]], spec: NetworkSpec, input_hw: tuple[int, int]
) -> tuple[Array, Array]:
    """Read the keypoints of N crops.

    Parameters
    ----------
    outputs
        ``heatmaps`` ``(N, K, h, w)``.
    spec
        Whose `decoder` is one of the three above.
    input_hw
        Height and width of the input, px.

    Returns
    -------
    xy_input, scores
        ``(N, K, 2)``, px of the input, 0 at the outer edge of its first pixel, and ``(N, K)`` in
        [0, 1]: the maximum of each heatmap.
    """
    maps = outputs[HEATMAPS]
    n, k, height, width = maps.shape
    flat = maps.reshape(n, k, -1)
    row, column = np.divmod(flat.argmax(axis=-1), width)
    peak = np.stack([column, row], axis=-1)
    step = _quarter_step(maps, peak) if spec.decoder == QUARTER else _dark_step(maps, peak)
    input_wh = np.array([input_hw[1], input_hw[0]], np.float64)
    grid_wh = np.array([width, height], np.float64)
    udp = spec.decoder == UDP
    stride = (input_wh - 1) / (grid_wh - 1) if udp else input_wh / grid_wh
    scores = np.clip(flat.max(axis=-1).astype(np.float64), 0.0, 1.0)
    return (peak + step) * stride + 0.5, scores


def infer_spec(inputs: Shapes, outputs: Shapes) -> NetworkSpec | None:
    """Return the contract of a network with heatmaps of the keypoints of COCO; None for another.

    The shapes do not tell the grid: for a network trained with UDP, the decoder must be stated.
    """
    if len(inputs) != 1 or len(set(outputs.values())) != 1:
        return None
    (image,), maps = inputs.values(), next(iter(outputs.values()))
    if len(maps) != 4 or maps[1] != 17 or image[1] != 3 or min(*image[2:], *maps[2:]) < 1:
        return None
    (height, width), (h, w) = image[2:], maps[2:]
    if height % h or height // h * w != width:
        return None
    return NetworkSpec(
        'top_down',
        'coco17',
        {HEATMAPS: next(iter(outputs))},
        DARK,
        colour='rgb',
        mean=IMAGENET_MEAN,
        scale=IMAGENET_SCALE,
        resizable=False,
        padding=0,
    )


def _quarter_step(maps: NDArray[np.float32], peak: NDArray[np.int64]) -> Array:
    """Return a quarter of a cell towards the larger neighbour on each axis, ``(N, K, 2)``.

    The maximum of a Gaussian lies within a quarter of a cell of that.
    """
    _, d = _differences(maps, peak)
    return np.asarray(0.25 * np.sign(d[..., :2]))


def _dark_step(maps: NDArray[np.float32], peak: NDArray[np.int64]) -> Array:
    """Return the way from each maximum's cell to the maximum, cells, ``(N, K, 2)``.

    Zhang et al., "Distribution-Aware Coordinate Representation for Human Pose Estimation" (CVPR
    2020): the second order Taylor expansion of the logarithm of the smoothed heatmap.
    """
    n, k, height, width = maps.shape
    smooth = np.empty((n * k, height, width), np.float32)
    for target, one in zip(smooth, maps.reshape(-1, height, width), strict=True):
        cv2.GaussianBlur(one, (DARK_KERNEL,) * 2, 0, dst=target, borderType=cv2.BORDER_CONSTANT)
    logarithm = np.log(np.maximum(smooth, MIN_VALUE)).reshape(maps.shape)
    inside, d = _differences(logarithm, peak)
    dx, dy, dxx, dyy, dxy = np.moveaxis(d, -1, 0)
    determinant = dxx * dyy - dxy**2
    usable = inside & (determinant > 0) & (dxx < 0)
    safe = np.where(usable, determinant, 1.0)
    step = np.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], axis=-1) / safe[..., np.newaxis]
    return np.where(usable[..., np.newaxis], np.clip(step, -MAX_STEP, MAX_STEP), 0.0)


def _differences(
    maps: NDArray[np.float32], peak: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], Array]:
    """Return central differences at cells ``(N, K, 2)`` column, row.

    Returns
    -------
    inside
        ``(N, K)``, whether all eight neighbours exist; where not, the differences are 0.
    differences
        ``(N, K, 5)``: dx, dy, dxx, dyy, dxy.
    """
    n, k, height, width = maps.shape
    last = np.array([width - 1, height - 1])
    inside: NDArray[np.bool_] = np.all((peak > 0) & (peak < last), axis=-1)
    column, row = np.where(inside[..., np.newaxis], peak, 1).transpose(2, 0, 1)
    if min(height, width) < 3:
        return np.zeros_like(inside), np.zeros((n, k, 5))
    i, j = np.ogrid[:n, :k]

    def at(x: int, y: int) -> Array:
        return np.asarray(maps[i, j, row + y, column + x], np.float64)

    here = at(0, 0)
    differences = np.stack(
        [
            (at(1, 0) - at(-1, 0)) / 2,
            (at(0, 1) - at(0, -1)) / 2,
            at(1, 0) - 2 * here + at(-1, 0),
            at(0, 1) - 2 * here + at(0, -1),
            (at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)) / 4,
        ],
        axis=-1,
    )
    return inside, np.where(inside[..., np.newaxis], differences, 0.0)
