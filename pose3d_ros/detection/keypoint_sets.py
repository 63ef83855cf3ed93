"""Keypoint sets of networks, and their mapping to the 19 keypoints of the package by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.detection.openpose.channels import HEATMAP_CHANNELS
from pose3d_ros.people import K, People2D
from pose3d_ros.skeleton import PANOPTIC19

# Order of COCO's annotations (https://cocodataset.org/#keypoints-eval).
_COCO17 = (
    'nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear',
    'left_shoulder', 'right_shoulder', 'left_elbow', 'right_elbow', 'left_wrist', 'right_wrist',
    'left_hip', 'right_hip', 'left_knee', 'right_knee', 'left_ankle', 'right_ankle',
)  # fmt: skip

# Names of the keypoints of each set, in its order. Names that the package does not have are
# dropped.
KEYPOINT_SETS: dict[str, tuple[str, ...]] = {
    'coco17': _COCO17,
    'openpose18': HEATMAP_CHANNELS,
    # Halpe Full-Body, body part (https://github.com/Fang-Haoshu/Halpe-FullBody).
    'halpe26': (
        *_COCO17, 'head', 'neck', 'pelvis', 'left_big_toe', 'right_big_toe',
        'left_small_toe', 'right_small_toe', 'left_heel', 'right_heel',
    ),
    'panoptic19': PANOPTIC19.keypoints,
}  # fmt: skip

# Keypoints that are the midpoint of two others where a set has none of its own.
MIDPOINTS = {
    'neck': ('left_shoulder', 'right_shoulder'),
    'pelvis': ('left_hip', 'right_hip'),
}
# Index of each midpoint and of both ends.
_MIDPOINT_INDICES = {
    name: [PANOPTIC19.index(n) for n in (name, *ends)] for name, ends in MIDPOINTS.items()
}

Array = NDArray[np.float64]


def to_panoptic19(keypoint_set: str, xy: Array, scores: Array) -> tuple[Array, Array]:
    """Reorder keypoints by name.

    A neck or pelvis that the set does not have is the midpoint of shoulders or hips, with the
    smaller of their scores; it is missing where one of the two is.

    Parameters
    ----------
    keypoint_set
        Key of KEYPOINT_SETS.
    xy
        ``(N, k, 2)``, the keypoints of the set in its order, in any unit.
    scores
        ``(N, k)`` in [0, 1]. 0: not detected.

    Returns
    -------
    xy
        ``(N, K, 2)``. NaN: not detected, or not in the set.
    scores
        ``(N, K)``. 0: not detected.

    Raises
    ------
    ValueError
        If the number of keypoints is not that of the set.
    """
    names = KEYPOINT_SETS[keypoint_set]
    if xy.shape[1:] != (len(names), 2) or scores.shape != xy.shape[:2]:
        raise ValueError(
            f'{keypoint_set} must have shapes (N, {len(names)}, 2) and (N, {len(names)}), '
            f'found {xy.shape} and {scores.shape}'
        )
    columns = [i for i, name in enumerate(names) if name in PANOPTIC19.keypoints]
    rows = PANOPTIC19.indices(tuple(names[i] for i in columns))
    mapped_xy, mapped_scores = np.full((len(xy), K, 2), np.nan), np.zeros((len(xy), K))
    mapped_xy[:, rows], mapped_scores[:, rows] = xy[:, columns], scores[:, columns]
    mapped_xy[mapped_scores <= 0] = np.nan
    return _with_midpoints(names, mapped_xy, mapped_scores)


def with_midpoints(people: People2D) -> People2D:
    """Return people with the midpoints that their keypoint set lacks."""
    names = KEYPOINT_SETS[people.keypoint_set]
    xy_px, scores = _with_midpoints(names, people.xy_px, people.scores)
    return replace(people, xy_px=xy_px, scores=scores)


def _with_midpoints(names: tuple[str, ...], xy: Array, scores: Array) -> tuple[Array, Array]:
    """Return ``(N, K, 2)``, ``(N, K)`` with the midpoints that a set of these names lacks."""
    xy, scores = xy.copy(), scores.copy()
    for name, (k, a, b) in _MIDPOINT_INDICES.items():
        if name not in names:
            xy[:, k] = (xy[:, a] + xy[:, b]) / 2
            scores[:, k] = np.minimum(scores[:, a], scores[:, b])
    return xy, scores
