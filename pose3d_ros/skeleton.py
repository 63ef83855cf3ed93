"""Names of keypoints and limbs.

Everywhere else a keypoint is addressed by its name. Left and right are the person's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Skeleton:
    """The keypoints of a person, in order, and the limbs between them.

    Parameters
    ----------
    name
        Published as ``PoseArray3D.skeleton``.
    keypoints
        Names of the K keypoints, in the order of every ``(N, K, ...)`` array.
    limbs
        Pairs of names that are drawn as lines, from the trunk outwards.
    root
        The keypoint that root-relative positions are relative to.
    """

    name: str
    keypoints: tuple[str, ...]
    limbs: tuple[tuple[str, str], ...]
    root: str

    def __len__(self) -> int:
        return len(self.keypoints)

    def index(self, keypoint: str) -> int:
        """Return the position of a keypoint; ValueError if there is none of that name."""
        return self.keypoints.index(keypoint)

    def indices(self, keypoints: tuple[str, ...]) -> NDArray[np.intp]:
        """Return the positions of several keypoints."""
        return np.array([self.index(name) for name in keypoints], np.intp)

    def limb_indices(self) -> NDArray[np.intp]:
        """Return the positions of both ends of every limb, ``(L, 2)``."""
        return np.array([self.indices(limb) for limb in self.limbs])


# The order of pose3d_ros/msg/Pose3D; the first 15 are those of CMU Panoptic.
PANOPTIC19 = Skeleton(
    name='panoptic19',
    keypoints=(
        'neck', 'nose', 'pelvis',
        'left_shoulder', 'left_elbow', 'left_wrist', 'left_hip', 'left_knee', 'left_ankle',
        'right_shoulder', 'right_elbow', 'right_wrist', 'right_hip', 'right_knee', 'right_ankle',
        'right_eye', 'left_eye', 'right_ear', 'left_ear',
    ),
    limbs=(
        ('pelvis', 'neck'), ('neck', 'nose'),
        ('neck', 'left_shoulder'), ('left_shoulder', 'left_elbow'), ('left_elbow', 'left_wrist'),
        ('neck', 'right_shoulder'), ('right_shoulder', 'right_elbow'),
        ('right_elbow', 'right_wrist'),
        ('pelvis', 'left_hip'), ('left_hip', 'left_knee'), ('left_knee', 'left_ankle'),
        ('pelvis', 'right_hip'), ('right_hip', 'right_knee'), ('right_knee', 'right_ankle'),
        ('nose', 'left_eye'), ('left_eye', 'left_ear'),
        ('nose', 'right_eye'), ('right_eye', 'right_ear'),
    ),
    root='pelvis',
)  # fmt: skip
