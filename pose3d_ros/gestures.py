"""Gestures of people: an arm up, an arm that points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.people import People3D
from pose3d_ros.skeleton import PANOPTIC19

Array = NDArray[np.float64]

# Least height of a raised wrist above the nose, m.
ARM_UP_M = 0.1
# An arm that points: largest angle between upper arm and forearm, and the range of its elevation
# above the horizontal, deg. Arms that hang or swing while walking are lower, raised ones higher.
STRAIGHT_DEG = 40.0
LOWEST_DEG, HIGHEST_DEG = -40.0, 60.0

_NOSE = PANOPTIC19.index('nose')
# Shoulder, elbow and wrist of the left and the right arm.
ARMS = np.array([
    PANOPTIC19.indices((f'{side}_shoulder', f'{side}_elbow', f'{side}_wrist'))
    for side in ('left', 'right')
])  # fmt: skip
_WRISTS = ARMS[:, 2]


def arm_up(people: People3D, up: Array) -> NDArray[np.bool_]:
    """Return ``(N,)`` whether a detected wrist is above the nose.

    Parameters
    ----------
    people
        In any frame.
    up
        ``(3,)`` unit vector, up in that frame.
    """
    height_m = people.xyz_m @ up
    above_m = height_m[:, _WRISTS] - height_m[:, [_NOSE]]  # NaN: unknown, and not above
    detected = people.people_2d.detected
    return ((above_m > ARM_UP_M) & detected[:, _WRISTS]).any(axis=1) & detected[:, _NOSE]


def pointing(people: People3D, up: Array) -> NDArray[np.bool_]:
    """Return ``(N, 2)`` whether the left and the right arm point: straight, and not hanging.

    The three keypoints of an arm must be detected.

    Parameters
    ----------
    people
        In any frame.
    up
        ``(3,)`` unit vector, up in that frame.
    """
    shoulder, elbow, wrist = (people.xyz_m[:, ARMS[:, i]] for i in range(3))
    straight = _cosine(elbow - shoulder, wrist - elbow) > np.cos(np.deg2rad(STRAIGHT_DEG))
    sine = _cosine(wrist - shoulder, np.broadcast_to(up, wrist.shape))
    low, high = np.sin(np.deg2rad([LOWEST_DEG, HIGHEST_DEG]))
    detected = people.people_2d.detected[:, ARMS].all(axis=-1)
    return np.asarray(straight & (low < sine) & (sine < high) & detected)  # NaN: none of them


def points_somewhere(people: People3D, up: Array) -> NDArray[np.bool_]:
    """Return ``(N,)`` whether an arm points, see `pointing`."""
    return np.asarray(pointing(people, up).any(axis=1))


def _cosine(a: Array, b: Array) -> Array:
    """Return the cosine of the angle between vectors ``(..., 3)``; NaN where unknown."""
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return np.asarray((a * b).sum(axis=-1) / np.where(lengths > 0, lengths, np.nan))
