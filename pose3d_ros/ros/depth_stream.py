"""Registered depth images of one camera and their association with its images by stamp."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from pose3d_ros.camera import Intrinsics, IntrinsicsSource
from pose3d_ros.images import CameraImage, DepthImage
from pose3d_ros.ros.messages.camera_info import Calibration
from pose3d_ros.ros.messages.images import MAX_PIXELS, ImageError, seconds

# Longest wait of an image for its depth image, s; it ends when a later one arrives.
WAIT_S = 0.1
# Number of depth images that are kept; an image and its depth arrive in any order.
DEPTH_IMAGES = 3
# Encoding (REP 118) -> sample type and its unit, m. Some drivers write mono16 for 16UC1.
DEPTH_ENCODINGS = {'16UC1': ('u2', 0.001), 'mono16': ('u2', 0.001), '32FC1': ('f4', 1.0)}
# Rounding of a stamp to a float, s.
STAMP_S = 1e-6


class DepthStream:
    """Keeps the last depth images of a camera, and an image that waits for its own.

    Parameters
    ----------
    tolerance_s
        Largest difference between the stamps of an image and of its depth image, s.
    rectified
        The depth images are rectified: P of their CameraInfo applies.
    """

    def __init__(self, tolerance_s: float, rectified: bool) -> None:
        self.tolerance_s = tolerance_s
        self.calibration = Calibration(rectified=rectified)
        # Number of images without depth, and of those whose depth image could not be used.
        self.missing = self.bad_images = 0
        # Why the last image had no depth, or ''.
        self.last_error = ''
        # Stamp of the image that waits, and what processes it.
        self.waiting: tuple[Time, Callable[[], None]] | None = None
        self._timer: Any = None

    def start(self, node: Node) -> None:
        """Start; a subscription must call `on_depth`."""
        self._held: deque[Image] = deque(maxlen=DEPTH_IMAGES)
        self._silent = False
        # By the steady clock: a simulated clock may stand still.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(WAIT_S, self.process_waiting, clock=steady)
        self._timer.cancel()

    def stop(self, node: Node) -> None:
        """Stop; an image that waits is dropped."""
        if self._timer:
            node.destroy_timer(self._timer)
        self.waiting = self._timer = None

    def on_depth(self, depth: Image) -> None:
        """Keep a depth image, and process the image that need not wait any longer."""
        self.add(depth)
        if self.waiting and not self._may_arrive(self.waiting[0]):
            self.process_waiting()

    def add(self, depth: Image) -> None:
        """Keep a depth image."""
        self._held.append(depth)
        self._silent = False

    def waits(self, stamp: Time, process: Callable[[], None]) -> bool:
        """Keep an image whose depth may still arrive; return whether it was kept.

        Parameters
        ----------
        stamp
            Its stamp.
        process
            Called when its depth has arrived, or does not arrive in time.
        """
        if self._silent or not self._may_arrive(stamp):
            return False
        self.waiting = (stamp, process)
        self._silent = True  # until a depth image arrives
        self._timer.reset()
        return True

    def process_waiting(self) -> None:
        """Process the image that waits, if there is one."""
        if self.waiting:
            (_, process), self.waiting = self.waiting, None
            self._timer.cancel()
            process()

    def _may_arrive(self, stamp: Time) -> bool:
        """Return whether the depth image of a stamp is missing and no later one has arrived."""
        if self._nearest(stamp) is not None:
            return False
        return not self._held or seconds(self._held[-1].header.stamp) < seconds(stamp)

    def image_for(self, header: Header, image: CameraImage) -> DepthImage | None:
        """Return the depth image that belongs to an image.

        None if there is none; `last_error` is set.
        """
        depth = self._nearest(header.stamp)
        try:
            if depth is None:
                raise LookupError(
                    f'no depth image within {self.tolerance_s:g} s of the stamp of the image'
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
        """Return the depth image nearest to a stamp within the tolerance, or None."""
        at_s = seconds(stamp)

        def difference_s(depth: Image) -> float:
            return abs(seconds(depth.header.stamp) - at_s)

        nearest = min(self._held, key=difference_s, default=None)
        near = nearest is not None and difference_s(nearest) <= self.tolerance_s + STAMP_S
        return nearest if near else None

    def _read(self, depth: Image, header: Header, camera: CameraImage) -> DepthImage:
        """Read the depth image of a camera image; ImageError if it cannot be used."""
        frames = {depth.header.frame_id, header.frame_id} - {''}
        if len(frames) > 1:
            raise ImageError(
                f'depth must be registered to the image, with frame_id {header.frame_id!r}, found '
                f'{depth.header.frame_id!r}'
            )
        depth_m = depth_array(depth)
        return DepthImage(depth_m, self._intrinsics(depth_m.shape, camera))

    def _intrinsics(self, shape: tuple[int, ...], camera: CameraImage) -> Intrinsics:
        """Return the intrinsics of the depth's own CameraInfo, else of an image of its size."""
        height, width = shape
        found, problem = self.calibration.intrinsics(width, height)
        if found.source == IntrinsicsSource.CAMERA_INFO:
            return found
        if camera.bgr.shape[:2] == shape:
            return camera.intrinsics
        why = problem or 'no calibrated CameraInfo was received'
        raise ImageError(f'depth of {width}x{height} needs its own CameraInfo: {why}')


def depth_array(image: Image) -> NDArray[np.float32]:
    """Return depth ``(H, W)`` m of a depth image, NaN: unknown; ImageError if impossible."""
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
