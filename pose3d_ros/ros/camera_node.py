"""camera_node: a video, a stream, a GIF, a folder of images or a webcam as a ROS camera."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator
from copy import copy
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from numpy.typing import NDArray
from rclpy.duration import Duration
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSDurabilityPolicy, QoSProfile, qos_profile_sensor_data
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from pose3d_ros.camera import Intrinsics, IntrinsicsSource
from pose3d_ros.ros import camera_parameters
from pose3d_ros.ros.arguments import ArgumentError, check
from pose3d_ros.ros.messages.camera_info import camera_info_msg
from pose3d_ros.ros.messages.images import image_msg
from pose3d_ros.ros.messages.status import ERROR, OK, WARN, status_msg
from pose3d_ros.ros.process import STOP_WITHIN_S, Stop, run
from pose3d_ros.sources.calibration import CalibrationError, mirrored, read_calibration
from pose3d_ros.sources.open_source import open_source
from pose3d_ros.sources.pacing import Pacer
from pose3d_ros.sources.playback import frames, reconnected
from pose3d_ros.sources.video import Frame, VideoError
from pose3d_ros.wording import counted

# Discovery: a subscriber that this node knows may know this node a little later.
SETTLE_S = 0.3
# Longest wait for image_done, s.
DONE_TIMEOUT_S = 10.0
# Period of the messages on /diagnostics, s.
DIAGNOSTICS_S = 1.0


class DamagedSource(Exception):
    """A file that ended with losses; the text counts them."""


class CameraNode(Node):
    """Publishes the images of one source as ``image_raw`` and ``camera_info``; see ``run``.

    Parameters
    ----------
    options
        Of rclpy's Node.

    Raises
    ------
    VideoError
        If the source does not open.
    CalibrationError
        If the calibration file cannot be used.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__('camera_node', **options)
        camera_parameters.declare(self)
        calibration = self._value('calibration_file')
        self.calibration = read_calibration(calibration) if calibration else None
        if self.calibration and self.calibration.note:
            self.get_logger().warning(f'{calibration}: {self.calibration.note}')
        self.last_error = ''
        self.video = open_source(str(self._value('source')), warn=self._warn)
        self.published = self.not_done = 0
        self.done: tuple[int, int] | None = None
        self.first_s = self.last_s = 0.0
        self.image_publisher = self._publisher(Image, 'image_raw')
        self.info_publisher = self._publisher(CameraInfo, 'camera_info')
        if self._value('wait_until_done'):
            self.create_subscription(Header, 'image_done', self._on_done, done_qos())
        self.diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self.create_timer(DIAGNOSTICS_S, self._diagnose)
        self.spinner = SingleThreadedExecutor(context=self.context)
        self.spinner.add_node(self)

    def run(self, stop: Stop) -> None:
        """Publish every image when it is due, until the end of the source or until `stop` is set.

        Raises
        ------
        VideoError, CalibrationError
            If the source gives no image, one that the calibration does not fit, or is live and
            given up.
        DamagedSource
            If a file is published to its end and some of it was lost.
        """
        rate_hz = self._value('rate')
        images = counted(self.video.count, 'image') if self.video.count else '? images'
        self.get_logger().info(
            f'{self.video.name}: {images} at '
            f'{rate_hz or self.video.rate_hz:.4g} Hz on {self.image_publisher.topic_name}'
        )
        self._wait_for_subscribers(stop)
        pacer = Pacer(self.video, rate_hz)
        for time_s, bgr in self._images(stop):
            wait_s = pacer.wait_s(time_s, time.monotonic())
            self._spin(wait_s or 0.0, stop)
            if stop.is_set():
                break
            stop.polled = True
            if wait_s is not None:
                stamp = self._publish(bgr)
                self._wait_until_done(stamp, stop)
        # What a reliable subscriber did not get yet would go with the node.
        self.image_publisher.wait_for_all_acked(Duration(seconds=1))
        if self.video.losses and not self.video.live and not stop.is_set():
            raise DamagedSource(f'{self.video.name} is damaged: {self.video.losses}')

    def summary(self) -> str:
        """Return how many images were published, at which rate, and what was lost, in a line."""
        duration_s = self.last_s - self.first_s
        rate_hz = (self.published - 1) / duration_s if duration_s > 0 else 0.0
        losses = f', {self.video.losses}' if self.video.losses else ''
        not_done = f', {self.not_done} not done' if self.not_done else ''
        return f'{counted(self.published, "image")} published, {rate_hz:.4g} Hz{losses}{not_done}'

    def _images(self, stop: Stop) -> Generator[Frame, None, None]:
        options = {name: self._value(name) for name in ('skip', 'loop', 'mirror')}
        if not self.video.live:
            return frames(self.video, **options)
        options['loop'] = False

        def wait(wait_s: float) -> bool:
            stop.polled = True
            self._spin(wait_s, stop)
            return stop.is_set()

        return reconnected(
            lambda: frames(self.video, **options),
            self.video,
            wait=wait,
            warn=self._warn,
            timeout_s=self._value('reconnect_timeout'),
        )

    def _publisher(self, message_type: Any, topic: str) -> Any:
        """Create a publisher with the QoS of camera drivers: slow subscribers miss images."""
        # rclpy writes overrides into the profile that it is given: never its shared one.
        qos = copy(qos_profile_sensor_data)
        overrides = QoSOverridingOptions.with_default_policies()
        return self.create_publisher(message_type, topic, qos, qos_overriding_options=overrides)

    def _publish(self, bgr: NDArray[np.uint8]) -> Time:
        height, width = bgr.shape[:2]
        intrinsics = self._intrinsics(width, height)
        header = Header(stamp=self.get_clock().now().to_msg(), frame_id=self._value('frame_id'))
        self.last_s = time.monotonic()
        self.first_s = self.first_s if self.published else self.last_s
        self.published += 1
        self.last_error = ''
        # First, so that a subscriber to both has it when the image comes.
        self.info_publisher.publish(camera_info_msg(intrinsics, width, height, header))
        self.image_publisher.publish(image_msg(bgr, header))
        return header.stamp

    def _on_done(self, header: Header) -> None:
        self.done = (header.stamp.sec, header.stamp.nanosec)

    def _wait_until_done(self, stamp: Time, stop: Stop) -> None:
        if self.video.live or not self._value('wait_until_done'):
            return
        deadline_s = time.monotonic() + DONE_TIMEOUT_S
        while self.done != (stamp.sec, stamp.nanosec) and not stop.is_set():
            if time.monotonic() > deadline_s:
                self.not_done += 1
                self.get_logger().warning(f'no image_done for {DONE_TIMEOUT_S:g} s: next image')
                return
            self._spin(0.01, stop)

    def _intrinsics(self, width: int, height: int) -> Intrinsics | None:
        """Return the intrinsics of an image as it is published, mirrored or not."""
        if self.calibration is None:
            focal_length_px = self._value('focal_length')
            if not focal_length_px:
                return None
            return Intrinsics.centred(focal_length_px, width, height, IntrinsicsSource.PARAMETER)
        intrinsics, *size, _ = self.calibration
        if [width, height] != size:
            raise CalibrationError(
                f'{self._value("calibration_file")} is for images of {size[0]}x{size[1]}, '
                f'{self.video.name} gives {width}x{height}'
            )
        return mirrored(intrinsics, width) if self._value('mirror') else intrinsics

    def _wait_for_subscribers(self, stop: Stop) -> None:
        wanted = self._value('wait_for_subscribers')
        if not wanted:
            return
        deadline_s = time.monotonic() + self._value('wait_timeout')
        while self.image_publisher.get_subscription_count() < wanted:
            if time.monotonic() > deadline_s:
                found = self.image_publisher.get_subscription_count()
                self.get_logger().warning(
                    f'starting with {found} of {counted(wanted, "subscriber")} after wait_timeout'
                )
                return
            self._spin(0.02, stop)
            if stop.is_set():
                return
        self._spin(SETTLE_S, stop)

    def _spin(self, duration_s: float, stop: Stop) -> None:
        """Process callbacks for a duration, at least once."""
        end_s = time.monotonic() + duration_s
        left_s = duration_s
        while left_s >= 0 and not stop.is_set():
            self.spinner.spin_once(timeout_sec=min(left_s, STOP_WITHIN_S))
            left_s = end_s - time.monotonic()

    def _warn(self, text: str) -> None:
        self.last_error = text
        self.get_logger().warning(text)

    def _diagnose(self) -> None:
        """Publish the state of the source: ERROR while a live one is lost."""
        losses = self.video.losses
        level, message = OK, 'running'
        if self.last_error and self.video.live:
            level, message = ERROR, self.last_error
        elif losses:
            level, message = WARN, str(losses)
        values = {'published': self.published, **vars(losses)}
        name = f'{self.get_fully_qualified_name().lstrip("/")}: source'
        status = status_msg(name, level, message, values, self.video.name)
        array = DiagnosticArray(status=[status])
        array.header.stamp = self.get_clock().now().to_msg()
        self.diagnostics.publish(array)

    def _value(self, name: str) -> Any:
        return self.get_parameter(name).value


def done_qos() -> QoSProfile:
    """Return the QoS of image_done: the last one reaches a camera that is matched later."""
    return QoSProfile(depth=1, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)


def main(args: list[str] | None = None) -> int:
    """Run the node until its source ends or a signal comes.

    Returns
    -------
    int
        Exit status: 0; 1 if the source does not work, was damaged, or was lost and given up.
    """

    def work(stop: Stop) -> int:
        check((args or sys.argv)[1:], 'camera_node', camera_parameters.PARAMETERS)
        node = CameraNode()
        end = 'source failed'
        try:
            node.run(stop)
            end = 'end of the source'
        except DamagedSource:
            end = 'end of the damaged source'
            raise
        finally:
            end = 'stopped' if stop.is_set() else end
            node.get_logger().info(f'{end}: {node.summary()}')
            node.spinner.shutdown()
            node.destroy_node()
        return 0

    errors = (ArgumentError, VideoError, CalibrationError, DamagedSource)
    return run('camera_node', work, args, errors)
