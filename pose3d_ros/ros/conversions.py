"""Messages to nouns and back."""

from __future__ import annotations

from array import array
from typing import Any

import cv2
import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from pose3d_ros.camera import CameraImage, Intrinsics, IntrinsicsSource, check_bgr
from pose3d_ros.msg import Keypoint3D, Pose3D, PoseArray3D
from pose3d_ros.people import TrackedPeople
from pose3d_ros.ros.calibration import Calibration
from pose3d_ros.skeleton import PANOPTIC19

# Encodings that numpy reads in place: channels, and OpenCV's conversion to BGR (None: it is BGR).
IN_PLACE: dict[str, tuple[int, int | None]] = {
    'bgr8': (3, None),
    '8UC3': (3, None),
    'rgb8': (3, cv2.COLOR_RGB2BGR),
    'bgra8': (4, cv2.COLOR_BGRA2BGR),
    '8UC4': (4, cv2.COLOR_BGRA2BGR),
    'rgba8': (4, cv2.COLOR_RGBA2BGR),
    'mono8': (1, cv2.COLOR_GRAY2BGR),
    '8UC1': (1, cv2.COLOR_GRAY2BGR),
}
# More is a fault of the sender, not a camera.
MAX_PIXELS = 100_000_000


class ImageError(ValueError):
    """An image message that cannot be read; says what was expected and what was found."""


def camera_image(image: Image, calibration: Calibration) -> tuple[CameraImage, str]:
    """Read an image and find its intrinsics.

    Returns
    -------
    CameraImage, str
        And why a CameraInfo that came was not used, or ''. The pixels of a bgr8 image are the
        message's own.

    Raises
    ------
    ImageError
        If the image cannot be read.
    """
    bgr = bgr_array(image)
    height, width = bgr.shape[:2]
    intrinsics, trouble = calibration.intrinsics(width, height)
    return CameraImage(bgr, intrinsics), trouble


def bgr_array(image: Image) -> NDArray[np.uint8]:
    """Pixels ``(H, W, 3)`` uint8; without a copy for bgr8. ImageError where that is impossible."""
    pixels = image.height * image.width
    if not 0 < pixels <= MAX_PIXELS:
        raise ImageError(
            f'image must have 1 to {MAX_PIXELS} pixels, found {image.width}x{image.height}'
        )
    size = image.height * image.step
    if len(image.data) < size:
        raise ImageError(
            f'data must be height x step = {image.height} x {image.step} = {size} bytes, '
            f'found {len(image.data)}'
        )
    if image.encoding not in IN_PLACE:
        return _converted(image)
    channels, conversion = IN_PLACE[image.encoding]
    if image.step < channels * image.width:
        raise ImageError(
            f'step must be at least {channels} x width = {channels * image.width} for '
            f'{image.encoding}, found {image.step}'
        )
    rows = np.frombuffer(image.data, np.uint8, size).reshape(image.height, image.step)
    array_ = rows[:, : channels * image.width].reshape(image.height, image.width, channels)
    return array_ if conversion is None else np.asarray(cv2.cvtColor(array_, conversion), np.uint8)


def _converted(image: Image) -> NDArray[np.uint8]:
    """Pixels of the encodings that need more: Bayer, YUV, 16 bits."""
    try:
        bgr = _convert(image)
    except _CONVERSION_ERRORS as error:
        raise ImageError(
            f'encoding must be one of {", ".join(IN_PLACE)} or a Bayer, YUV or 16-bit colour '
            f'encoding, found {image.encoding!r} with {image.width}x{image.height} pixels and '
            f'step {image.step}: {error}'
        ) from error
    if bgr.shape != (image.height, image.width, 3) or bgr.dtype != np.uint8:
        raise ImageError(
            f'{image.encoding!r} gave {bgr.shape} {bgr.dtype} instead of '
            f'({image.height}, {image.width}, 3) uint8'
        )
    return bgr


# cv_bridge is part of ROS; where it is not installed (PyPI does not have it) rosbags-image is.
_CONVERSION_ERRORS: tuple[type[Exception], ...]
try:
    from cv_bridge import CvBridge, CvBridgeError

    # cv_bridge reads the buffer with numpy before it looks at the encoding.
    _CONVERSION_ERRORS = (CvBridgeError, cv2.error, TypeError, ValueError, KeyError)

    def _convert(image: Image) -> Any:
        return CvBridge().imgmsg_to_cv2(image, 'bgr8')

except ImportError:
    from rosbags.image import ImageError as RosbagsImageError
    from rosbags.image import message_to_cvimage

    _CONVERSION_ERRORS = (RosbagsImageError, cv2.error, TypeError, ValueError)

    def _convert(image: Image) -> Any:
        return message_to_cvimage(image, 'bgr8')


def seconds(stamp: Time) -> float:
    """Seconds of a stamp; exact to a microsecond for today's dates."""
    return float(stamp.sec + 1e-9 * stamp.nanosec)


def pose_array_msg(
    tracked: TrackedPeople, header: Header, intrinsics_source: IntrinsicsSource
) -> PoseArray3D:
    """People as a message, with the image's own header."""
    people = tracked.people
    # Python's own numbers: messages take no others, and all at once is fastest.
    columns = zip(
        tracked.track_id.tolist(),
        people.people_2d.score.tolist(),
        tracked.state.tolist(),
        tracked.age_s.tolist(),
        people.xyz_m.tolist(),
        people.people_2d.xy_px.tolist(),
        people.people_2d.scores.tolist(),
        people.source.tolist(),
        strict=True,
    )
    return PoseArray3D(
        header=header,
        skeleton=PANOPTIC19.name,
        intrinsics_source=int(intrinsics_source),
        scale_source=PoseArray3D.ASSUMED_HEIGHT,
        poses=[
            Pose3D(
                track_id=track_id,
                score=score,
                state=state,
                age=age,
                keypoints=[
                    Keypoint3D(position=Point(x=x, y=y, z=z), u=u, v=v, score=s, source=source)
                    for (x, y, z), (u, v), s, source in zip(*keypoints, strict=True)
                ],
            )
            for track_id, score, state, age, *keypoints in columns
        ],
    )


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
