"""Normalise the keypoints of people for the network that observes how the camera stands.

Each person is seen by a virtual camera in the same place that looks at the person's middle. Where
in the image the person stands is left out on purpose: a network that knew it would repeat with
every person how cameras usually stand, which is a prior that must be counted once.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.skeleton import PANOPTIC19

Array = NDArray[np.floating]

# Keypoints that 2D networks detect: the pelvis is none of them.
USED = PANOPTIC19.indices(tuple(k for k in PANOPTIC19.keypoints if k != 'pelvis'))
# Bounds of tangents from the middle, and the least root mean square of them.
MAX_TANGENT, MIN_SPREAD = 4.0, 1e-3
# People who look smaller than this (17 m away) show no perspective: their size says nothing.
FAR_SPREAD = 0.03
FEATURES = 4 * len(USED) + 1


class PersonFeatures(NamedTuple):
    """Keypoints of N people in virtual cameras.

    Parameters
    ----------
    features
        ``(N, FEATURES)`` float32: x, y in units of the spread, score and visibility of each
        keypoint; logarithm of the spread.
    axes
        ``(N, 3, 3)``, x, y and z axis of each virtual camera in the camera optical frame.
    spread
        ``(N,)``, root mean square tangent of the detected keypoints.
    """

    features: NDArray[np.float32]
    axes: Array
    spread: Array


def person_features(rays: Array, scores: Array) -> PersonFeatures:
    """Compute the features of people.

    Parameters
    ----------
    rays
        ``(N, K, 2)``, x/z and y/z in the camera optical frame. NaN: not detected.
    scores
        ``(N, K)`` in [0, 1]. 0: not detected.
    """
    rays, scores = rays[:, USED], scores[:, USED]
    seen = np.asarray(np.isfinite(rays).all(axis=-1)) & (scores > 0)
    count = np.maximum(seen.sum(1), 1)
    directions = np.ones((*seen.shape, 3))
    directions[..., :2] = np.where(seen[..., np.newaxis], rays, 0)
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    middle = (seen[..., np.newaxis] * directions).sum(1)
    middle[~seen.any(1)] = (0, 0, 1)
    middle /= np.linalg.norm(middle, axis=-1, keepdims=True)
    axes = _upright_axes(middle)
    x, y, z = np.moveaxis(directions @ axes.transpose(0, 2, 1), -1, 0)
    tangents = np.stack([x, y], axis=-1) / np.maximum(z, 1 / MAX_TANGENT)[..., np.newaxis]
    tangents = seen[..., np.newaxis] * np.clip(tangents, -MAX_TANGENT, MAX_TANGENT)
    spread = np.maximum(np.sqrt((tangents**2).sum((1, 2)) / count), MIN_SPREAD)
    tangents /= spread[:, np.newaxis, np.newaxis]
    keypoints = np.concatenate([tangents, (seen * scores)[..., np.newaxis],
                                seen[..., np.newaxis]], axis=-1)  # fmt: skip
    size = np.log(np.maximum(spread, FAR_SPREAD)) + 1.5
    features = np.concatenate(
        [keypoints.reshape(len(rays), FEATURES - 1), size[:, np.newaxis]], axis=1
    )
    return PersonFeatures(features.astype(np.float32), axes, spread)


def _upright_axes(middle: Array) -> Array:
    """Axes ``(N, 3, 3)`` of cameras that look along `middle`, upright in the image."""
    down = np.array([0.0, 1.0, 0.0]) - middle[:, 1:2] * middle
    down /= np.maximum(np.linalg.norm(down, axis=1, keepdims=True), 1e-6)
    return np.stack([np.cross(down, middle), down, middle], axis=1)
