"""Decode and lift recorded or constructed network outputs, without running a network."""

from __future__ import annotations

from pose3d_ros.camera import CameraPose, Intrinsics
from pose3d_ros.detection.detector import Thresholds
from pose3d_ros.detection.letterbox import Letterbox
from pose3d_ros.detection.openpose.detector import decode
from pose3d_ros.detection.openpose.location_map_lifter import LocationMapLifter
from pose3d_ros.detection.openpose.outputs import Outputs
from pose3d_ros.lifting.lifter import Lifter
from pose3d_ros.people import People3D


def people_from_outputs(
    outputs: Outputs,
    letterbox: Letterbox,
    intrinsics: Intrinsics,
    lifter: Lifter | None = None,
    camera_pose: CameraPose | None = None,
    thresholds: Thresholds | None = None,
) -> People3D:
    """Estimate the people in the outputs of one image.

    `lifter` None: by location maps, with an assumed height of 1.8 m. `thresholds` None: the
    defaults.
    """
    detections = decode(outputs, letterbox, intrinsics, thresholds or Thresholds())
    return (lifter or LocationMapLifter()).lift(detections, intrinsics, camera_pose)
