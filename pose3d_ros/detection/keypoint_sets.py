"""The keypoints of networks, and how they become those of the package's skeleton."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.skeleton import PANOPTIC19

Array = NDArray[np.float64]

# Names in the order of the network's outputs. '': a keypoint that the skeleton does not have.
_FACE_AND_LIMBS = (
    'nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear', 'left_shoulder', 'right_shoulder',
    'left_elbow', 'right_elbow', 'left_wrist', 'right_wrist', 'left_hip', 'right_hip',
    'left_knee', 'right_knee', 'left_ankle', 'right_ankle',
)  # fmt: skip
KEYPOINT_SETS: dict[str, tuple[str, ...]] = {
    'coco17': _FACE_AND_LIMBS,
    # Its 18th keypoint is the top of the head, its last six are those of the feet.
    'halpe26': (*_FACE_AND_LIMBS, '', 'neck', 'pelvis', *[''] * 6),
}
# Keypoints that are the midpoint of two others where a set has none.
MIDPOINTS = {
    'neck': ('left_shoulder', 'right_shoulder'),
    'pelvis': ('left_hip', 'right_hip'),
}


def to_panoptic19(
    keypoint_set: str, xy: NDArray[np.floating], scores: NDArray[np.floating]
) -> tuple[Array, Array]:
    """Convert keypoints of a set to those of the skeleton, by name.

    Parameters
    ----------
    keypoint_set
        A key of ``KEYPOINT_SETS`` with C keypoints.
    xy, scores
        ``(N, C, 2)`` and ``(N, C)``.

    Returns
    -------
    xy, scores
        ``(N, K, 2)`` and ``(N, K)``. A keypoint that the set does not have is the midpoint of
        two others with the smaller score of both (neck, pelvis), or NaN with score 0.
    """
    names = KEYPOINT_SETS[keypoint_set]
    k = len(PANOPTIC19)
    to_xy, to_scores = np.full((len(xy), k, 2), np.nan), np.zeros((len(xy), k))
    for i, name in enumerate(names):
        if name:
            row = PANOPTIC19.index(name)
            to_xy[:, row], to_scores[:, row] = xy[:, i], scores[:, i]
    for name, ends in MIDPOINTS.items():
        if name not in names:
            row, both = PANOPTIC19.index(name), PANOPTIC19.indices(ends)
            to_xy[:, row] = to_xy[:, both].mean(axis=1)
            to_scores[:, row] = to_scores[:, both].min(axis=1)
    return to_xy, to_scores
