"""People as a camera turned towards each would see them: what the lifting network is given.

A pose looks the same wherever in the image somebody stands, but for perspective. So each person is
seen by a virtual camera in the same place that looks at their middle, upright, in units of their
own spread.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.skeleton import HEATMAP_CHANNELS, PANOPTIC19

# The network's metres are those of people of this height, m: everything scales with the height
# that is assumed.
UNIT_HEIGHT_M = 1.70
# No keypoint is taken to be further from the middle than this, and none closer together: tangents.
MAX_TANGENT = 4.0
MIN_SPREAD = 1e-3
# Whoever is further off than about 17 m is taken to look as from there: the pose is the same, and
# how large it seems tells nothing any more.
FAR_SPREAD = 0.03
# Of the inverse of somebody's spread in metres, were each keypoint on the floor.
MAX_INVERSE = 6.0
# The pelvis has no heatmap: no network sees it.
USED = PANOPTIC19.indices(tuple(k for k in PANOPTIC19.keypoints if k in HEATMAP_CHANNELS))
PER_KEYPOINT, PER_PERSON = 5, 8
FEATURES = PER_KEYPOINT * len(USED) + PER_PERSON

Array = NDArray[np.floating]


@dataclass(frozen=True)
class PersonView:
    """People before their virtual cameras.

    Parameters
    ----------
    features
        ``(N, FEATURES)`` float32, the network's input.
    axes
        ``(N, 3, 3)``, x, y and z axis of each virtual camera in the camera optical frame.
    spread
        ``(N,)``, root mean square tangent of the keypoints that are seen: how large people look.
    """

    features: NDArray[np.float32]
    axes: Array
    spread: Array


def look_at_people(rays: Array, scores: Array, up: Array, height: Array) -> PersonView:
    """Give what the network needs to know of people.

    Parameters
    ----------
    rays
        ``(N, K, 2)``, x/z and y/z in the camera optical frame. NaN: not seen.
    scores
        ``(N, K)`` in [0, 1]. 0: not seen.
    up
        ``(N, 3)`` unit vectors in the camera optical frame. NaN: not known; then the camera is
        taken to be upright.
    height
        ``(N,)`` of the camera above the floor, in units of ``UNIT_HEIGHT_M`` per assumed height.
        NaN: not known.
    """
    seen = np.asarray(np.isfinite(rays[:, USED]).all(axis=-1)) & (scores[:, USED] > 0)
    count = np.maximum(seen.sum(1), 1)[:, np.newaxis]
    directions = np.ones((*seen.shape, 3), rays.dtype)
    directions[..., :2] = np.where(seen[..., np.newaxis], rays[:, USED], 0)
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    middle = np.where(seen[..., np.newaxis], directions, 0).sum(1)
    middle[~seen.any(1)] = (0, 0, 1)
    middle /= np.linalg.norm(middle, axis=-1, keepdims=True)
    levelled = np.asarray(np.isfinite(up).all(axis=1))
    upward = np.where(levelled[:, np.newaxis], up, np.array([0, -1, 0], rays.dtype))
    axes = _axes(middle, upward)
    x, y, z = np.moveaxis(directions @ axes.transpose(0, 2, 1), -1, 0)
    inverse_z = seen / np.maximum(z, 1 / MAX_TANGENT)
    tangents = np.stack([x * inverse_z, y * inverse_z], axis=-1)
    tangents = np.clip(tangents, -MAX_TANGENT, MAX_TANGENT)
    spread = np.sqrt((tangents**2).sum((1, 2))[:, np.newaxis] / count)
    spread = np.maximum(spread, MIN_SPREAD)
    # How high the ray climbs per metre, over the camera's height: the inverse of the distance at
    # which it meets the floor.
    high = levelled & (height > 0)
    floor = -np.where(high, 1, 0)[:, np.newaxis] * (directions @ upward[..., np.newaxis])[..., 0]
    floor = seen * floor / (np.where(high, height, 1)[:, np.newaxis] * spread)
    keypoints = np.stack(
        [
            tangents[..., 0] / spread,
            tangents[..., 1] / spread,
            np.where(seen, scores[:, USED], 0),
            seen,
            np.clip(floor, -MAX_INVERSE, MAX_INVERSE) / 3,
        ],
        axis=-1,
    )
    climbs = (middle * upward).sum(1) * levelled
    size = np.log(np.maximum(spread[:, 0], FAR_SPREAD)) + 1.5
    person = [size, *middle.T, levelled, climbs, high]
    features = np.concatenate(
        [
            keypoints.reshape(len(rays), PER_KEYPOINT * len(USED)),
            np.stack([*person, np.where(high, height, 0)], axis=1),
        ],
        axis=1,
    )
    return PersonView(features.astype(np.float32), axes, spread[:, 0])


def _axes(middle: Array, upward: Array) -> Array:
    """Axes ``(N, 3, 3)`` of cameras that look along `middle`, upright as far as they can be."""
    down = (upward * middle).sum(1, keepdims=True) * middle - upward
    # Looking straight up or down, no way is up: take the image's.
    steep = np.linalg.norm(down, axis=1) < 1e-3
    down[steep] = np.array([0, 1, 0]) - middle[steep, 1:2] * middle[steep]
    down /= np.linalg.norm(down, axis=1, keepdims=True)
    return np.stack([np.cross(down, middle), down, middle], axis=1)
