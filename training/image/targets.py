"""What the network should answer: heatmaps and part affinity fields of people that are known.

As of human-pose-estimation-3d-0001 (Lightweight OpenPose, arXiv 1811.12004): Gaussians round
keypoints, unit vectors along limbs. Keypoints that a person's own body hides belong to it, as in
COCO's labels, or hidden hips would cut people in two. Where something else covers a keypoint,
nothing is asked for and nothing is wrong.
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
# Beyond so many cells a Gaussian is nothing.
REACH = 4
# Errors at keypoints and in fields count more than those where there is nothing.
HEATMAP_WEIGHT, PAF_WEIGHT = 12.0, 6.0

_KEYPOINT = PANOPTIC19.indices(HEATMAP_CHANNELS)
_LIMBS = np.array([PANOPTIC19.indices(limb) for limb in PAF_CHANNELS])


@dataclass(frozen=True)
class Targets:
    """What the network should answer.

    Parameters
    ----------
    maps
        ``(57, h, w)`` float32: heatmaps with background, part affinity fields.
    weights
        ``(57, h, w)`` float32, how much an error counts.
    """

    maps: NDArray[np.float32]
    weights: NDArray[np.float32]


def targets(
    grid_xy: NDArray[np.floating], seen: NDArray[np.uint8], grid_hw: tuple[int, int]
) -> Targets:
    """Draw what the network should answer.

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
                        # Somebody else's keypoint there counts all the same.
                        if maps[channel, i, j] < 0.05 and value > 0.1:
                            weights[channel, i, j] = 0
                    elif value > maps[channel, i, j]:
                        maps[channel, i, j] = value
                        weights[channel, i, j] = 1 + HEATMAP_WEIGHT * value


@numba.njit(cache=True)
def _fields(maps, weights, count, xy, seen, limbs):
    _, h, w = maps.shape
    for person in range(len(xy)):
        for limb in range(len(limbs)):
            a, b = limbs[limb]
            ax, ay = xy[person, a]
            bx, by = xy[person, b]
            if not np.isfinite(ax + ay + bx + by):
                continue
            # Nothing is asked for of limbs that leave the image either: nobody could use them.
            hidden = seen[person, a] <= COVERED or seen[person, b] <= COVERED
            vx, vy = bx - ax, by - ay
            length = np.sqrt(vx * vx + vy * vy)
            if length < 1e-3:
                continue
            vx, vy = vx / length, vy / length
            # A field reaches a little beyond its ends: keypoints may lie in the next cell.
            margin = HALF_WIDTH
            for i in range(
                max(0, int(min(ay, by) - margin)), min(h, int(max(ay, by) + margin) + 1)
            ):
                for j in range(
                    max(0, int(min(ax, bx) - margin)), min(w, int(max(ax, bx) + margin) + 1)
                ):
                    x, y = j + 0.5 - ax, i + 0.5 - ay
                    along, across = x * vx + y * vy, abs(x * vy - y * vx)
                    if across > HALF_WIDTH or along < -margin or along > length + margin:
                        continue
                    for k in range(2):
                        if hidden:
                            if count[limb, i, j] == 0:
                                weights[2 * limb + k, i, j] = 0
                        else:
                            maps[2 * limb + k, i, j] += vx if k == 0 else vy
                            weights[2 * limb + k, i, j] = 1 + PAF_WEIGHT
                    if not hidden:
                        count[limb, i, j] += 1
