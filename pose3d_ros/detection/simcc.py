"""Pose networks on crops that classify each keypoint's column and row (SimCC).

Li et al., "SimCC: a Simple Coordinate Classification Perspective for Human Pose Estimation"
(ECCV 2022). RTMPose (OpenMMLab, Apache-2.0) returns ``simcc_x`` ``(N, K, 2 w)`` and ``simcc_y``
``(N, K, 2 h)`` for an input of ``w`` x ``h`` px.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.network_graph import Shapes
from pose3d_ros.network_spec import IMAGENET_MEAN, IMAGENET_SCALE, NetworkSpec

Array = NDArray[np.float64]

DECODER = 'simcc'
X, Y = 'simcc_x', 'simcc_y'
# Bins for each px of the input, and the keypoint set by the number of keypoints.
BINS_PER_PX = 2
KEYPOINT_SETS = {17: 'coco17', 26: 'halpe26'}


def decode(
    outputs: Mapping[str, NDArray[np.float32]], spec: NetworkSpec, input_hw: tuple[int, int]
) -> tuple[Array, Array]:
    """Read the keypoints of N crops.

    Parameters
    ----------
    outputs
        ``simcc_x`` ``(N, K, bins)`` and ``simcc_y``.
    spec, input_hw
        The contract, and height and width of the input, px.

    Returns
    -------
    xy_input, scores
        ``(N, K, 2)``, px of the input, 0 at the outer edge of its first pixel, and ``(N, K)`` in
        [0, 1]: the smaller of both maxima.
    """
    columns, rows = outputs[X], outputs[Y]
    bins = np.stack([columns.argmax(axis=-1), rows.argmax(axis=-1)], axis=-1)
    bins_per_px = np.array([columns.shape[-1] / input_hw[1], rows.shape[-1] / input_hw[0]])
    scores = np.minimum(columns.max(axis=-1), rows.max(axis=-1)).astype(np.float64)
    # A bin divided by the bins per px is a position of pixel centres.
    return bins / bins_per_px + 0.5, np.clip(scores, 0.0, 1.0)


def infer_spec(inputs: Shapes, outputs: Shapes) -> NetworkSpec | None:
    """Return the contract of a network with the outputs of RTMPose; None for another."""
    if X not in outputs or Y not in outputs or len(inputs) != 1:
        return None
    (image,) = inputs.values()
    number = outputs[X][1:2]
    keypoint_set = KEYPOINT_SETS.get(number[0]) if number else None
    bins = (outputs[Y][2:], outputs[X][2:])
    expected = tuple((BINS_PER_PX * px,) for px in image[2:])
    if keypoint_set is None or outputs[Y][1:2] != number or bins != expected:
        return None
    return NetworkSpec(
        'top_down',
        keypoint_set,
        {X: X, Y: Y},
        DECODER,
        colour='rgb',
        mean=IMAGENET_MEAN,
        scale=IMAGENET_SCALE,
        resizable=False,
        padding=0,
    )
