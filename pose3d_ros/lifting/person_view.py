"""Keypoints normalised to a virtual camera aimed at each person: the lifting network's input.

Apart from perspective, a pose looks the same wherever in the image it is. So the keypoints of each
person are projected into a virtual camera at the same place, upright and aimed at the person's
mean direction, and are divided by their spread.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.skeleton import PANOPTIC19

# Height of the people that the network's metres refer to, m: its output is scaled with the assumed
# height.
UNIT_HEIGHT_M = 1.70
# Largest tangent of the angle between a keypoint and the person's mean direction, and least spread
# of a person's tangents.
MAX_TANGENT = 4.0
MIN_SPREAD = 1e-3
# Spread of people at about 17 m. Further away the apparent size no longer tells the distance, and
# is replaced by this one.
FAR_SPREAD = 0.03
# Largest value of the floor feature: one over the distance, in spreads, at which a ray meets the
# floor.
MAX_INVERSE = 6.0
# The pelvis is left out: it is the middle of the hips in most keypoint sets, not a measurement.
USED = PANOPTIC19.indices(tuple(k for k in PANOPTIC19.keypoints if k != PANOPTIC19.root))
PER_KEYPOINT, PER_PERSON = 5, 8
FEATURES = PER_KEYPOINT * len(USED) + PER_PERSON

Array = NDArray[np.floating]


@dataclass(frozen=True)
class PersonViews:
    """People as detected by their virtual cameras.

    Parameters
    ----------
    features
        ``(N, FEATURES)`` float32, the network's input.
    axes
        ``(N, 3, 3)``, x, y and z axis of each virtual camera in the camera optical frame.
    spread
        ``(N,)``, root mean square tangent of the detected keypoints: the apparent size.
    """

    features: NDArray[np.float32]
    axes: Array
    spread: Array


def person_views(rays: Array, scores: Array, up: Array, height: Array) -> PersonViews:
    """Compute the input of the lifting network.

    Parameters
    ----------
    rays
        ``(N, K, 2)``, x/z and y/z in the camera optical frame. NaN: not detected.
    scores
        ``(N, K)`` in [0, 1]. 0: not detected.
    up
        ``(N, 3)`` unit vectors against gravity in the camera optical frame. NaN: unknown; the
        camera is then assumed to be upright.
    height
        ``(N,)`` of the camera above the floor, m times ``UNIT_HEIGHT_M`` over the assumed height.
        NaN: unknown.
    """
    detected = np.asarray(np.isfinite(rays[:, USED]).all(axis=-1)) & (scores[:, USED] > 0)
    count = np.maximum(detected.sum(1), 1)[:, np.newaxis]
    directions = np.ones((*detected.shape, 3), rays.dtype)
    directions[..., :2] = np.where(detected[..., np.newaxis], rays[:, USED], 0)
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    middle = np.where(detected[..., np.newaxis], directions, 0).sum(1)
    middle[~detected.any(1)] = (0, 0, 1)
    middle /= np.linalg.norm(middle, axis=-1, keepdims=True)
    levelled = np.asarray(np.isfinite(up).all(axis=1))
    upward = np.where(levelled[:, np.newaxis], up, np.array([0, -1, 0], rays.dtype))
    axes = _axes(middle, upward)
    x, y, z = np.moveaxis(directions @ axes.transpose(0, 2, 1), -1, 0)
    inverse_z = detected / np.maximum(z, 1 / MAX_TANGENT)
    tangents = np.stack([x * inverse_z, y * inverse_z], axis=-1)
    tangents = np.clip(tangents, -MAX_TANGENT, MAX_TANGENT)
    spread = np.sqrt((tangents**2).sum((1, 2))[:, np.newaxis] / count)
    spread = np.maximum(spread, MIN_SPREAD)
    # The climb of a ray per metre over the camera's height is one over the distance at which it
    # meets the floor.
    high = levelled & (height > 0)
    floor = -np.where(high, 1, 0)[:, np.newaxis] * (directions @ upward[..., np.newaxis])[..., 0]
    floor = detected * floor / (np.where(high, height, 1)[:, np.newaxis] * spread)
    keypoints = np.stack(
        [
            tangents[..., 0] / spread,
            tangents[..., 1] / spread,
            np.where(detected, scores[:, USED], 0),
            detected,
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
    return PersonViews(features.astype(np.float32), axes, spread[:, 0])


def _axes(middle: Array, upward: Array) -> Array:
    """Return axes ``(N, 3, 3)`` of cameras that look along `middle`, as upright as possible."""
    down = (upward * middle).sum(1, keepdims=True) * middle - upward
    # A camera that looks straight up or down has no upright: take that of the image.
    steep = np.linalg.norm(down, axis=1) < 1e-3
    down[steep] = np.array([0, 1, 0]) - middle[steep, 1:2] * middle[steep]
    down /= np.linalg.norm(down, axis=1, keepdims=True)
    return np.stack([np.cross(down, middle), down, middle], axis=1)
