"""Training targets: heatmaps and part affinity fields of people with known keypoints.

As of human-pose-estimation-3d-0001 (Lightweight OpenPose, arXiv 1811.12004): Gaussians round
keypoints, unit vectors along limbs. Keypoints that a person's own body hides belong to it, as in
COCO's labels; without them hidden hips would cut people in two. Where something else covers a
keypoint, the weight is 0: any output is accepted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from pose3d_ros.demo.clip import COVERED, OUTSIDE
from pose3d_ros.detection.openpose.channels import HEATMAP_CHANNELS, PAF_CHANNELS
from pose3d_ros.skeleton import PANOPTIC19

# Spread of the Gaussians and half the width of the fields, cells: 7 and 8 input px.
SIGMA = 0.875
HALF_WIDTH = 1.0
# Radius in cells beyond which a Gaussian is negligible.
REACH = 4
# Weights of errors at keypoints and in fields, added to the 1 of empty cells.
HEATMAP_WEIGHT, PAF_WEIGHT = 12.0, 6.0

_KEYPOINT = PANOPTIC19.indices(HEATMAP_CHANNELS)
_LIMBS = np.array([PANOPTIC19.indices(limb) for limb in PAF_CHANNELS])


@dataclass(frozen=True)
class Targets:
    """Targets and weights of one image.

    Parameters
    ----------
    maps
        ``(57, h, w)`` float32: heatmaps with background, part affinity fields.
    weights
        ``(57, h, w)`` float32, weight of the error.
    """

    maps: NDArray[np.float32]
    weights: NDArray[np.float32]


def targets(
    grid_xy: NDArray[np.floating], seen: NDArray[np.uint8], grid_hw: tuple[int, int]
) -> Targets:
    """Draw the targets of one image.

    Parameters
    ----------
    grid_xy
        ``(N, K, 2)``, grid edge coordinates, NaN where not known.
    seen
        ``(N, K)``, see `training.render.scene.Frame`.
    grid_hw
        Cells.
    """
    channels = len(HEATMAP_CHANNELS) + 1
    maps = np.zeros((channels + 2 * len(PAF_CHANNELS), *grid_hw), np.float32)
    weights = np.ones_like(maps)
    xy = np.asarray(grid_xy, np.float64).reshape(-1, len(PANOPTIC19), 2)
    _heatmaps(maps, weights, xy, seen, _KEYPOINT)
    count = np.zeros((len(PAF_CHANNELS), *grid_hw), np.float32)
    _fields(maps[channels:], weights[channels:], count, xy, seen, _LIMBS)
    maps[channels:] /= np.repeat(np.maximum(count, 1), 2, axis=0)
    maps[channels - 1] = 1 - maps[: channels - 1].max(axis=0)
    weights[channels - 1] = weights[: channels - 1].min(axis=0)
    return Targets(maps, weights)


@numba.njit(cache=True)
def _heatmaps(maps, weights, xy, seen, keypoints):
    _, h, w = maps.shape
    for person in range(len(xy)):
        for channel, k in enumerate(keypoints):
            x, y = xy[person, k]
            if not (np.isfinite(x) and np.isfinite(y)) or seen[person, k] == OUTSIDE:
                continue
            for i in range(max(0, int(y) - REACH), min(h, int(y) + REACH + 1)):
                for j in range(max(0, int(x) - REACH), min(w, int(x) + REACH + 1)):
                    d2 = (j + 0.5 - x) ** 2 + (i + 0.5 - y) ** 2
                    value = np.exp(-d2 / (2 * SIGMA * SIGMA))
                    if value < 0.01:
                        continue
                    if seen[person, k] == COVERED:
                        # Another person's keypoint at the same place still counts.
                        if maps[channel, i, j] < 0.05 and value > 0.1:
                            weights[channel, i, j] = 0
                    elif value > maps[channel, i, j]:
                        maps[channel, i, j] = value
                        weights[channel, i, j] = 1 + HEATMAP_WEIGHT * value


@numba.njit(cache=True)
def _fields(maps, weights, count, xy, seen, limbs):
    for person in range(len(xy)):
        for limb in range(len(limbs)):
            a, b = limbs[limb]
            ax, ay = xy[person, a]
            bx, by = xy[person, b]
            if not np.isfinite(ax + ay + bx + by):
                continue
            # Limbs that leave the image are ignored, too: no decoder could use them.
            hidden = seen[person, a] <= COVERED or seen[person, b] <= COVERED
            field = maps[2 * limb : 2 * limb + 2], weights[2 * limb : 2 * limb + 2], count[limb]
            _field(field, (ax, ay), (bx, by), hidden)


@numba.njit(cache=True)
def _field(field, start, end, hidden):
    """Draw one limb; a hidden one only sets weights to 0 where no other limb is."""
    maps, weights, count = field
    (ax, ay), (bx, by) = start, end
    h, w = count.shape
    length = np.sqrt((bx - ax) ** 2 + (by - ay) ** 2)
    if length < 1e-3:
        return
    vx, vy = (bx - ax) / length, (by - ay) / length
    # A field reaches a little beyond its ends: keypoints may lie in the next cell.
    margin = HALF_WIDTH
    for i in range(max(0, int(min(ay, by) - margin)), min(h, int(max(ay, by) + margin) + 1)):
        for j in range(max(0, int(min(ax, bx) - margin)), min(w, int(max(ax, bx) + margin) + 1)):
            x, y = j + 0.5 - ax, i + 0.5 - ay
            along, across = x * vx + y * vy, abs(x * vy - y * vx)
            if across > HALF_WIDTH or along < -margin or along > length + margin:
                continue
            if hidden:
                if count[i, j] == 0:
                    weights[:, i, j] = 0
                continue
            maps[0, i, j] += vx
            maps[1, i, j] += vy
            weights[:, i, j] = 1 + PAF_WEIGHT
            count[i, j] += 1
