"""What every way of lifting offers: 2D poses in, 3D poses out."""

from __future__ import annotations

from typing import ClassVar, Protocol

from pose3d_ros.camera import CameraPose, Intrinsics
from pose3d_ros.detections import Detections
from pose3d_ros.people import People3D


class Lifter(Protocol):
    """A way to get 3D poses from what a detector returns.

    Parameters
    ----------
    DEFAULT_HEIGHT_M
        The height that it assumes unless told otherwise, m.
    assumed_person_height_m
        Height of adults, m: the scale of everything. May be changed between calls.
    """

    DEFAULT_HEIGHT_M: ClassVar[float]
    assumed_person_height_m: float

    def lift(
        self, detections: Detections, intrinsics: Intrinsics, camera_pose: CameraPose | None = None
    ) -> People3D:
        """Estimate the 3D poses of the people of one image, in the camera optical frame."""
        ...
