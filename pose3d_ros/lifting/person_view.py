"""Keypoints normalised to a virtual camera aimed at each person: the lifting network's input.

Apart from perspective, a pose looks the same wherever in the image it is. So the keypoints of each
person are projected into a virtual camera at the same place, upright and aimed at the person's
mean direction, and are divided by their spread.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.geometry.rigid import cross
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
# Largest standard deviations of the camera's attitude, rad, and height, as a share, that the
# network was trained with, and the units of these two features.
MAX_UP_SD_RAD, UP_SD_UNIT_RAD = np.deg2rad(12.0), np.deg2rad(6.0)
MAX_HEIGHT_SD, HEIGHT_SD_UNIT = 0.4, 0.2
# The pelvis is left out: it is the middle of the hips in most keypoint sets, not a measurement.
USED = PANOPTIC19.indices(tuple(k for k in PANOPTIC19.keypoints if k != PANOPTIC19.root))
PER_KEYPOINT, PER_PERSON = 5, 10
FEATURES = PER_KEYPOINT * len(USED) + PER_PERSON

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]

_IS_USED = np.isin(np.arange(len(PANOPTIC19)), USED)
# Against gravity for a level camera.
_UPRIGHT = np.array([0.0, -1.0, 0.0])


@dataclass(frozen=True)
class PersonViews:
    """Keypoints of people in their virtual cameras.

    Parameters
    ----------
    features
        ``(N, FEATURES)`` float32, the network's input.
    axes
        ``(N, 3, 3)``, x, y and z axis of each virtual camera in the camera optical frame.
    spread
        ``(N,)``, root mean square tangent of the detected keypoints: the apparent size.
    tangents
        ``(N, K, 2)``, x/z and y/z of keypoints in the virtual camera. 0: not detected.
    scores
        ``(N, K)`` in [0, 1]. 0: not detected, without a ray, or the pelvis.
    """

    features: NDArray[np.float32]
    axes: Array
    spread: Array
    tangents: Array
    scores: Array


@dataclass(frozen=True)
class CameraPoses:
    """Attitudes and heights of cameras, one for each of N people.

    Parameters
    ----------
    up
        ``(N, 3)`` unit vectors against gravity in the camera optical frame. NaN: unknown; the
        camera is then assumed to be upright.
    height
        ``(N,)`` of the camera above the floor, m times ``UNIT_HEIGHT_M`` over the assumed height.
        NaN: unknown.
    up_sd_rad
        ``(N,)``, standard deviation of `up` about each axis across it, rad. 0: known.
    height_sd
        ``(N,)``, standard deviation of `height` as a share of it. 0: known.
    """

    up: Array
    height: Array
    up_sd_rad: Array
    height_sd: Array


def person_views(rays: Array, scores: Array, camera_poses: CameraPoses) -> PersonViews:
    """Compute the input of the lifting network.

    Parameters
    ----------
    rays
        ``(N, K, 2)``, x/z and y/z in the camera optical frame. NaN: not detected.
    scores
        ``(N, K)`` in [0, 1]. 0: not detected.
    camera_poses
        Attitude and height of the camera for each person.
    """
    n, up = len(rays), camera_poses.up
    detected = np.isfinite(rays[..., 0] + rays[..., 1]) & (scores > 0) & _IS_USED
    scores = np.where(detected, scores, 0)
    directions = np.ones((n, len(PANOPTIC19), 3))
    directions[..., :2] = np.where(detected[..., np.newaxis], rays, 0)
    directions /= _lengths(directions)
    number = detected.sum(1)
    middle = (detected[:, np.newaxis] @ directions)[:, 0]
    middle[number == 0] = (0, 0, 1)
    middle /= _lengths(middle)
    levelled: Mask = np.isfinite(up[:, 0])
    upward = np.where(levelled[:, np.newaxis], up, _UPRIGHT)
    axes = _axes(middle, upward)
    rotated = directions @ axes.transpose(0, 2, 1)
    inverse_z = detected / np.maximum(rotated[..., 2], 1 / MAX_TANGENT)
    tangents = np.clip(rotated[..., :2] * inverse_z[..., np.newaxis], -MAX_TANGENT, MAX_TANGENT)
    square = np.einsum('nkc,nkc->n', tangents, tangents) / np.maximum(number, 1)
    spread = np.maximum(np.sqrt(square), MIN_SPREAD)
    keypoints = np.zeros((n, len(PANOPTIC19), PER_KEYPOINT))
    keypoints[..., :2] = tangents / spread[:, np.newaxis, np.newaxis]
    keypoints[..., 2], keypoints[..., 3] = scores, detected
    person = np.zeros((n, PER_PERSON))
    person[:, 0] = np.log(np.maximum(spread, FAR_SPREAD)) + 1.5
    person[:, 1:4] = middle
    if levelled.any():
        climbs = (directions @ upward[..., np.newaxis])[..., 0]
        keypoints[..., 4] = detected * _floor_feature(climbs, camera_poses, spread)
        person[:, 4:] = _camera_pose_features(camera_poses, (middle * upward).sum(1))
    features = np.concatenate([keypoints[:, USED].reshape(n, -1), person], axis=1)
    return PersonViews(features.astype(np.float32), axes, spread, tangents, scores)


def _known(poses: CameraPoses) -> tuple[Mask, Mask]:
    """Return for which people the attitude is known, and for which the height as well."""
    levelled = np.isfinite(poses.up[:, 0])
    return levelled, levelled & (poses.height > 0)


def _floor_feature(climbs: Array, poses: CameraPoses, spread: Array) -> Array:
    """Compute one over the distance, in spreads, at which each ray meets the floor, ``(N, K)``.

    That is the fall of the ray per metre, `climbs` ``(N, K)``, over the camera's height. 0 where
    the camera's pose is unknown.
    """
    _, high = _known(poses)
    per_height = high / (np.where(high, poses.height, 1) * spread)
    inverse: Array = np.clip(-climbs * per_height[:, np.newaxis], -MAX_INVERSE, MAX_INVERSE)
    return inverse / 3


def _camera_pose_features(poses: CameraPoses, climb: Array) -> Array:
    """Arrange attitude and height with their uncertainty, ``(N, 6)``; 0 where unknown."""
    levelled, high = _known(poses)
    up_sd = np.minimum(poses.up_sd_rad, MAX_UP_SD_RAD) / UP_SD_UNIT_RAD
    height_sd = np.minimum(poses.height_sd, MAX_HEIGHT_SD) / HEIGHT_SD_UNIT
    values = np.array([levelled, climb, high, poses.height, up_sd, height_sd])
    flags = np.array([levelled, levelled, high, high, levelled, high])
    return np.asarray(np.where(flags, values, 0).T)


def _lengths(vectors: Array) -> Array:
    """Return lengths ``(..., 1)`` of vectors; faster than `numpy.linalg.norm` for few."""
    return np.asarray(np.sqrt(np.einsum('...i,...i', vectors, vectors)))[..., np.newaxis]


def _axes(middle: Array, upward: Array) -> Array:
    """Return axes ``(N, 3, 3)`` of cameras that look along `middle`, as upright as possible."""
    down = (upward * middle).sum(1, keepdims=True) * middle - upward
    # A camera that looks straight up or down has no upright: take that of the image.
    length = np.linalg.norm(down, axis=1, keepdims=True)
    steep = length[:, 0] < 1e-3
    if steep.any():
        down[steep] = np.array([0, 1, 0]) - middle[steep, 1:2] * middle[steep]
        length = np.linalg.norm(down, axis=1, keepdims=True)
    down /= length
    axes = np.empty((len(middle), 3, 3))
    axes[:, 0], axes[:, 1], axes[:, 2] = cross(down, middle), down, middle
    return axes
