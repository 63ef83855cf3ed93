"""Attitude and height of a camera, from TF, an IMU or parameters."""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import Transform
from std_msgs.msg import Header

from pose3d_ros.camera import CameraPose
from pose3d_ros.ros.imu import ImuUp
from pose3d_ros.ros.messages.transforms import rotation
from pose3d_ros.ros.parameters import PoseParameters
from pose3d_ros.ros.transforms import FrameError, Transforms


def pose_from_transform(transform: Transform) -> CameraPose:
    """Return the pose of a camera from the transform of its optical frame to a level frame.

    The z axis of that frame points up, and its origin is on the floor, such as base_footprint
    (REP 120).

    Raises
    ------
    FrameError
        If the camera is not above the floor.
    """
    # The rows of the matrix are the other frame's axes, in the camera's frame.
    up, height_m = rotation(transform.rotation)[2], float(transform.translation.z)
    if not height_m > 0:
        raise FrameError(f'the camera must be above the floor, found it at z = {height_m:g} m')
    return CameraPose(up, height_m)


class CameraPoseProvider:
    """Attitude and height of one camera, from TF, an IMU or parameters.

    Parameters
    ----------
    p
        gravity_frame; or camera_up or an IMU, and camera_height.
    transforms
        Needed where gravity_frame is set.
    imu
        Of the camera. None: the parameter imu is not set.
    """

    def __init__(
        self, p: PoseParameters, transforms: Transforms | None, imu: ImuUp | None = None
    ) -> None:
        self._transforms, self._frame, self._imu = transforms, p.gravity_frame, imu
        self._height_m = p.camera_height or np.nan
        self._fixed: CameraPose | None = None
        if any(p.camera_up):
            up = np.array(p.camera_up)
            self._fixed = CameraPose(up / np.linalg.norm(up), self._height_m)
        # Why the pose was unknown at the last image, or ''.
        self.last_error = ''

    @property
    def is_configured(self) -> bool:
        """Whether parameters state the pose, or where it is taken from."""
        return bool(self._frame) or self._fixed is not None or self._imu is not None

    def at(self, header: Header) -> CameraPose | None:
        """Return the pose when an image was taken; None: unknown."""
        self.last_error = ''
        try:
            if self._imu:
                return CameraPose(self._imu.at(header), self._height_m)
            if not (self._transforms and self._frame):
                return self._fixed
            found = self._transforms.find(self._frame, header.frame_id, header.stamp)
            return pose_from_transform(found)
        except FrameError as error:
            self.last_error = f'camera attitude and height unknown: {error}'
            return None
