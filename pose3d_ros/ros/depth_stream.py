"""The registered depth images of one camera, and which of them an image is to be measured with."""

from __future__ import annotations

from collections import deque

import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from pose3d_ros.camera import CameraImage, DepthImage, Intrinsics, IntrinsicsSource
from pose3d_ros.estimation.depth import measure
from pose3d_ros.people import People3D
from pose3d_ros.ros.calibration import Calibration
from pose3d_ros.ros.conversions import MAX_PIXELS, ImageError, seconds

# Those of the last images; an image and its depth come in any order.
HELD = 3
# How depth comes (REP 118), and metres of its unit. Some say mono16 for 16UC1.
DEPTH_ENCODINGS = {'16UC1': ('u2', 0.001), 'mono16': ('u2', 0.001), '32FC1': ('f4', 1.0)}
# Stamps are exact to a microsecond as floats.
STAMP_S = 1e-6


class DepthStream:
    """Depth images of one camera as they come.

    Parameters
    ----------
    tolerance_s
        By how much the stamps of an image and of its depth image may differ.
    rectified
        The depth images' CameraInfo is that of rectified images, as the camera's is.
    """

    def __init__(self, tolerance_s: float, rectified: bool) -> None:
        self.tolerance_s = tolerance_s
        self.calibration = Calibration(rectified=rectified)
        # Images that had no depth, and those of them whose depth image could not be used.
        self.missing = self.bad_images = 0
        # Why the last image had none, or ''.
        self.trouble = ''
        self.start()

    def start(self) -> None:
        """Forget what was heard."""
        self._held: deque[Image] = deque(maxlen=HELD)
        self._silent = False

    def hear(self, depth: Image) -> None:
        """Take a depth image."""
        self._held.append(depth)
        self._silent = False

    def expect(self, stamp: Time) -> bool:
        """Tell whether to wait for an image's depth; if none comes meanwhile, the last time."""
        waits = not self._silent and self.may_come(stamp)
        self._silent |= waits
        return waits

    def may_come(self, stamp: Time) -> bool:
        """Tell whether an image's depth is not there, and nothing younger has come."""
        if self._nearest(stamp) is not None:
            return False
        return not self._held or seconds(self._held[-1].header.stamp) < seconds(stamp)

    def measure(
        self, people: People3D, header: Header, camera: CameraImage, assumed_person_height_m: float
    ) -> People3D:
        """Measure the people of an image by its depth image; without one they are as they were."""
        depth = self._nearest(header.stamp)
        try:
            if depth is None:
                raise LookupError(
                    f'no depth image came within {self.tolerance_s:g} s of the stamp of the image'
                )
            made = self._read(depth, header, camera)
        except (LookupError, ImageError) as error:
            self.missing += 1
            self.bad_images += depth is not None
            self.trouble = str(error)
            return people
        self.trouble = ''
        return measure(people, made, camera.intrinsics, assumed_person_height_m)

    def _nearest(self, stamp: Time) -> Image | None:
        """Give the depth image next to a stamp, if it is near enough."""
        at_s = seconds(stamp)

        def off_s(depth: Image) -> float:
            return abs(seconds(depth.header.stamp) - at_s)

        nearest = min(self._held, key=off_s, default=None)
        near = nearest is not None and off_s(nearest) <= self.tolerance_s + STAMP_S
        return nearest if near else None

    def _read(self, depth: Image, header: Header, camera: CameraImage) -> DepthImage:
        """Read a depth image of the camera's image with this header; ImageError."""
        frames = {depth.header.frame_id, header.frame_id} - {''}
        if len(frames) > 1:
            raise ImageError(
                f'depth must be registered to the image, in its frame {header.frame_id!r}, found '
                f'{depth.header.frame_id!r}'
            )
        depth_m = depth_array(depth)
        return DepthImage(depth_m, self._intrinsics(depth_m.shape, camera))

    def _intrinsics(self, shape: tuple[int, ...], camera: CameraImage) -> Intrinsics:
        """Those of the depth's own CameraInfo, else of an image of the same size."""
        height, width = shape
        found, trouble = self.calibration.intrinsics(width, height)
        if found.source == IntrinsicsSource.CAMERA_INFO:
            return found
        if camera.bgr.shape[:2] == shape:
            return camera.intrinsics
        why = trouble or 'no calibrated CameraInfo came'
        raise ImageError(f'depth of {width}x{height} needs a CameraInfo of its own: {why}')


def depth_array(image: Image) -> NDArray[np.float32]:
    """Depth ``(H, W)`` m of a depth image, NaN: unknown. ImageError where that is impossible."""
    height, width, step = image.height, image.width, image.step
    if not 0 < height * width <= MAX_PIXELS:
        raise ImageError(f'depth must have 1 to {MAX_PIXELS} pixels, found {width}x{height}')
    if image.encoding not in DEPTH_ENCODINGS:
        raise ImageError(
            f'depth must be one of {", ".join(DEPTH_ENCODINGS)}, found {image.encoding!r}'
        )
    kind, unit_m = DEPTH_ENCODINGS[image.encoding]
    sample = np.dtype(kind).newbyteorder('>' if image.is_bigendian else '<')
    used = sample.itemsize * width
    if step < used or len(image.data) < height * step:
        raise ImageError(
            f'{image.encoding} depth of {width}x{height} must have a step of at least {used} and '
            f'rows x step bytes, found {step} and {len(image.data)}'
        )
    rows = np.frombuffer(image.data, np.uint8, height * step).reshape(height, step)
    samples = np.ascontiguousarray(rows[:, :used]).view(sample)
    with np.errstate(invalid='ignore', over='ignore'):
        depth_m = samples.astype(np.float32) * np.float32(unit_m)
        return np.where((depth_m > 0) & np.isfinite(depth_m), depth_m, np.float32(np.nan))
