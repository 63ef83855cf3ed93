"""The registered depth images of one camera, and which of them an image is to be measured with."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from pose3d_ros.camera import Intrinsics, IntrinsicsSource
from pose3d_ros.images import CameraImage, DepthImage
from pose3d_ros.ros.messages.camera_info import Calibration
from pose3d_ros.ros.messages.images import MAX_PIXELS, ImageError, seconds

Picture: TypeAlias = Image | CompressedImage

# How long an image waits for its depth image, if none comes after it before.
WAIT_S = 0.1
# Those of the last images; an image and its depth come in any order.
DEPTH_IMAGES = 3
# How depth comes (REP 118), and metres of its unit. Some say mono16 for 16UC1.
DEPTH_ENCODINGS = {'16UC1': ('u2', 0.001), 'mono16': ('u2', 0.001), '32FC1': ('f4', 1.0)}
# Stamps are exact to a microsecond as floats.
STAMP_S = 1e-6


class DepthStream:
    """Depth images of one camera, and the image that waits for its own.

    Parameters
    ----------
    process
        Called with an image that has waited for its depth image.
    tolerance_s
        By how much the stamps of an image and of its depth image may differ.
    rectified
        The depth images' CameraInfo is that of rectified images, as the camera's is.
    """

    def __init__(
        self, process: Callable[[Picture], None], tolerance_s: float, rectified: bool
    ) -> None:
        self._process = process
        self.tolerance_s = tolerance_s
        self.calibration = Calibration(rectified=rectified)
        # Images that had no depth, and those of them whose depth image could not be used.
        self.missing = self.bad_images = 0
        # Why the last image had none, or ''.
        self.last_error = ''
        self.waiting: Picture | None = None
        self._patience: Any = None

    def start(self, node: Node) -> None:
        """Start, once there is a subscription that calls `on_depth`."""
        self._held: deque[Image] = deque(maxlen=DEPTH_IMAGES)
        self._silent = False
        # Of the machine's time: a simulated clock may stand still.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._patience = node.create_timer(WAIT_S, self.wait_no_more, clock=steady)
        self._patience.cancel()

    def stop(self, node: Node) -> None:
        """Listen no more; nobody is answered."""
        if self._patience:
            node.destroy_timer(self._patience)
        self.waiting = self._patience = None

    def on_depth(self, depth: Image) -> None:
        """Take a depth image, and answer the image that need not wait any longer."""
        self.hear(depth)
        if self.waiting and not self._may_come(self.waiting.header.stamp):
            self.wait_no_more()

    def hear(self, depth: Image) -> None:
        """Take a depth image."""
        self._held.append(depth)
        self._silent = False

    def waits(self, image: Picture) -> bool:
        """Keep an image whose depth may still come, and tell so."""
        if self._silent or not self._may_come(image.header.stamp):
            return False
        self.waiting = image
        self._silent = True  # unless something is heard meanwhile
        self._patience.reset()
        return True

    def wait_no_more(self) -> None:
        """Answer the image that waits, if one does."""
        if self.waiting:
            image, self.waiting = self.waiting, None
            self._patience.cancel()
            self._process(image)

    def _may_come(self, stamp: Time) -> bool:
        """Tell whether an image's depth is not there, and nothing younger has come."""
        if self._nearest(stamp) is not None:
            return False
        return not self._held or seconds(self._held[-1].header.stamp) < seconds(stamp)

    def image_for(self, header: Header, image: CameraImage) -> DepthImage | None:
        """Return the depth image that belongs to an image; None if there is none.

        `last_error` says why then.
        """
        depth = self._nearest(header.stamp)
        try:
            if depth is None:
                raise LookupError(
                    f'no depth image came within {self.tolerance_s:g} s of the stamp of the image'
                )
            found = self._read(depth, header, image)
        except (LookupError, ImageError) as error:
            self.missing += 1
            self.bad_images += depth is not None
            self.last_error = str(error)
            return None
        self.last_error = ''
        return found

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
        found, problem = self.calibration.intrinsics(width, height)
        if found.source == IntrinsicsSource.CAMERA_INFO:
            return found
        if camera.bgr.shape[:2] == shape:
            return camera.intrinsics
        why = problem or 'no calibrated CameraInfo came'
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
