"""Messages to nouns and back."""

from __future__ import annotations

from array import array

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from pose3d_ros.camera import Intrinsics, check_bgr


def image_msg(bgr: NDArray[np.uint8], header: Header) -> Image:
    """``(H, W, 3)`` uint8 as bgr8; ValueError for anything else."""
    check_bgr(bgr)
    height, width = bgr.shape[:2]
    # Every distribution takes an array('B') as it is; of other types older ones check each byte.
    data = array('B')
    data.frombytes(np.ascontiguousarray(bgr).data)
    return Image(
        header=header, height=height, width=width, encoding='bgr8', step=3 * width, data=data
    )


def camera_info_msg(
    intrinsics: Intrinsics | None, width: int, height: int, header: Header
) -> CameraInfo:
    """Intrinsics of a raw image; None: a K of zeros, which is how ROS says uncalibrated."""
    info = CameraInfo(header=header, height=height, width=width)
    if intrinsics is None:
        return info
    fx, fy, cx, cy = intrinsics.fx, intrinsics.fy, intrinsics.cx, intrinsics.cy
    info.distortion_model = intrinsics.model
    info.d = [float(value) for value in intrinsics.distortion]
    info.k = [fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0]
    info.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    info.p = [fx, 0.0, cx, 0.0, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0]
    return info
