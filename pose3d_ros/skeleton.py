"""The names of things: keypoints, limbs, and the order of the network's channels.

A keypoint is addressed by its name everywhere else; this is the one file with indices in it.
Left and right are the person's own.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Skeleton:
    """Which keypoints a person has, in order, and which of them are joined.

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
        """Position of a keypoint's name; ValueError where there is none of that name."""
        return self.keypoints.index(keypoint)

    def indices(self, keypoints: 'tuple[str, ...]') -> NDArray[np.intp]:
        """Positions of several names."""
        return np.array([self.index(name) for name in keypoints], np.intp)

    def limb_indices(self) -> NDArray[np.intp]:
        """Positions of both ends of every limb, ``(L, 2)``."""
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

# Channels of the network's output `heatmaps`; the last one, background, is not used.
HEATMAP_CHANNELS = (
    'nose', 'neck',
    'right_shoulder', 'right_elbow', 'right_wrist', 'left_shoulder', 'left_elbow', 'left_wrist',
    'right_hip', 'right_knee', 'right_ankle', 'left_hip', 'left_knee', 'left_ankle',
    'right_eye', 'left_eye', 'right_ear', 'left_ear',
)  # fmt: skip

# Keypoint of each triple of channels (x, y, z) of the network's output `features`. The face
# differs from the heatmaps: CMU Panoptic's order, which copies by index get wrong.
LOCATION_MAP_CHANNELS = (
    'neck', 'nose', 'pelvis',
    'left_shoulder', 'left_elbow', 'left_wrist', 'left_hip', 'left_knee', 'left_ankle',
    'right_shoulder', 'right_elbow', 'right_wrist', 'right_hip', 'right_knee', 'right_ankle',
    'left_eye', 'left_ear', 'right_eye', 'right_ear',
)  # fmt: skip

# Limb of each pair of channels (x, y) of the network's output `pafs`. The field points from the
# first keypoint to the second.
PAF_CHANNELS = (
    ('neck', 'right_hip'), ('right_hip', 'right_knee'), ('right_knee', 'right_ankle'),
    ('neck', 'left_hip'), ('left_hip', 'left_knee'), ('left_knee', 'left_ankle'),
    ('neck', 'right_shoulder'), ('right_shoulder', 'right_elbow'), ('right_elbow', 'right_wrist'),
    ('right_shoulder', 'right_ear'),
    ('neck', 'left_shoulder'), ('left_shoulder', 'left_elbow'), ('left_elbow', 'left_wrist'),
    ('left_shoulder', 'left_ear'),
    ('neck', 'nose'), ('nose', 'right_eye'), ('nose', 'left_eye'),
    ('right_eye', 'right_ear'), ('left_eye', 'left_ear'),
)  # fmt: skip
