"""camera_node: a video, a stream, a GIF, a folder of images or a webcam as a ROS camera."""

from __future__ import annotations

import time
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.duration import Duration
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from pose3d_ros.camera import Intrinsics, IntrinsicsSource
from pose3d_ros.ros.messages.camera_info import camera_info_msg
from pose3d_ros.ros.messages.images import image_msg
from pose3d_ros.ros.process import STOP_WITHIN_S, Stop, run
from pose3d_ros.sources.video import Pacer, VideoError, frames, open_video

# Coefficients of OpenCV's k1 k2 p1 p2 k3 k4 k5 k6 s1 s2 s3 s4 tx ty that change sign in a mirror.
ODD_IN_X = (3, 8, 9, 13)
# Discovery: a subscriber that this node knows of may know of this node a little later.
SETTLE_S = 0.3


class CalibrationError(Exception):
    """A calibration that cannot be used; the text says which and why."""


def declare_parameters(node: Node) -> None:
    """Declare what `ros2 param describe /camera_node` shows; all is read once, at the start."""

    def declare(name: str, default: Any, description: str, **more: Any) -> None:
        descriptor = ParameterDescriptor(description=description, read_only=True, **more)
        node.declare_parameter(name, default, descriptor)

    def real(high: float) -> dict[str, Any]:
        return {'floating_point_range': [FloatingPointRange(from_value=0.0, to_value=high)]}

    def whole(high: int) -> dict[str, Any]:
        return {'integer_range': [IntegerRange(from_value=0, to_value=high, step=1)]}

    declare(
        'source', '',
        'Video file, animated GIF, image, folder of images, URL of a video or stream, '
        'or webcam (0, /dev/video0)',
        dynamic_typing=True,  # source:=0 is a number to ROS
    )  # fmt: skip
    declare('frame_id', 'camera_optical_frame', 'Camera optical frame of the images (REP 103)')
    declare('rate', 0.0, "Images per second; 0: the source's own (a folder: 30)", **real(1000.0))
    declare('loop', False, 'Begin again at the end of the source')
    declare('mirror', False, 'Swap left and right, of the intrinsics too')
    declare('skip', 0, 'Leave out so many images at the beginning', **whole(2**31 - 1))
    declare('focal_length', 0.0, 'px; 0: unknown, CameraInfo then says uncalibrated', **real(1e6))
    declare(
        'calibration_file', '',
        'YAML file as camera_calibration writes it, for this size of images; '
        'wins over focal_length',
    )  # fmt: skip
    declare(
        'wait_for_subscribers', 0, 'Begin when image_raw has so many subscribers', **whole(100)
    )
    declare('wait_timeout', 10.0, 'Begin without them after so many seconds', **real(3600.0))


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
        declare_parameters(self)
        calibration = self._value('calibration_file')
        self.calibration = read_calibration(calibration) if calibration else None
        self.video = open_video(str(self._value('source')), warn=self._unreadable)
        self.published = self.unreadable = 0
        self.first_s = self.last_s = 0.0
        self.image_publisher = self._publisher(Image, 'image_raw')
        self.info_publisher = self._publisher(CameraInfo, 'camera_info')
        self.spinner = SingleThreadedExecutor(context=self.context)
        self.spinner.add_node(self)

    def run(self, stop: Stop) -> None:
        """Publish every image when it is due, until the end of the source or until `stop` is set.

        Raises
        ------
        VideoError, CalibrationError
            If the source gives no image, or one that the calibration does not fit.
        """
        rate_hz = self._value('rate')
        self.get_logger().info(
            f'{self.video.name}: {self.video.count or "?"} images at '
            f'{rate_hz or self.video.rate_hz:.4g} Hz on {self.image_publisher.topic_name}'
        )
        self._wait_for_subscribers(stop)
        pacer = Pacer(self.video, rate_hz)
        options = {name: self._value(name) for name in ('skip', 'loop', 'mirror')}
        for time_s, bgr in frames(self.video, **options):
            wait_s = pacer.wait_s(time_s, time.monotonic())
            self._spin(wait_s or 0.0, stop)
            if stop.is_set():
                break
            stop.polled = True
            if wait_s is not None:
                self._publish(bgr)
        # What a reliable subscriber did not get yet would go with the node.
        self.image_publisher.wait_for_all_acked(Duration(seconds=1))

    def summary(self) -> str:
        """How many images were published, at which rate, in a line."""
        duration_s = self.last_s - self.first_s
        rate_hz = (self.published - 1) / duration_s if duration_s > 0 else 0.0
        unreadable = f', {self.unreadable} could not be read' if self.unreadable else ''
        return f'{self.published} images published, {rate_hz:.4g} Hz{unreadable}'

    def _publisher(self, message_type: Any, topic: str) -> Any:
        """Offer what camera drivers do: a receiver that is too slow misses images."""
        # rclpy writes overrides into the profile that it is given: never its shared one.
        qos = copy(qos_profile_sensor_data)
        overrides = QoSOverridingOptions.with_default_policies()
        return self.create_publisher(message_type, topic, qos, qos_overriding_options=overrides)

    def _publish(self, bgr: NDArray[np.uint8]) -> None:
        height, width = bgr.shape[:2]
        intrinsics = self._intrinsics(width, height)
        header = Header(stamp=self.get_clock().now().to_msg(), frame_id=self._value('frame_id'))
        self.last_s = time.monotonic()
        self.first_s = self.first_s if self.published else self.last_s
        self.published += 1
        # First, so that who gets both has it when the image comes.
        self.info_publisher.publish(camera_info_msg(intrinsics, width, height, header))
        self.image_publisher.publish(image_msg(bgr, header))

    def _intrinsics(self, width: int, height: int) -> Intrinsics | None:
        """Of an image as it is published, mirrored or not."""
        if self.calibration is None:
            focal_length_px = self._value('focal_length')
            if not focal_length_px:
                return None
            return Intrinsics.centred(focal_length_px, width, height, IntrinsicsSource.PARAMETER)
        intrinsics, size = self.calibration
        if (width, height) != size:
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
                    f'begins with {found} of {wanted} subscribers: wait_timeout is over'
                )
                return
            self._spin(0.02, stop)
            if stop.is_set():
                return
        self._spin(SETTLE_S, stop)

    def _spin(self, duration_s: float, stop: Stop) -> None:
        """Answer other nodes for so long, at least once."""
        end_s = time.monotonic() + duration_s
        left_s = duration_s
        while left_s >= 0 and not stop.is_set():
            self.spinner.spin_once(timeout_sec=min(left_s, STOP_WITHIN_S))
            left_s = end_s - time.monotonic()

    def _unreadable(self, text: str) -> None:
        self.unreadable += 1
        self.get_logger().warning(text)

    def _value(self, name: str) -> Any:
        return self.get_parameter(name).value


def read_calibration(path: str) -> tuple[Intrinsics, tuple[int, int]]:
    """Intrinsics and image size (width, height) of a YAML file as camera_calibration writes it.

    Its rectification and projection are not read: the images are not those of a stereo camera.

    Raises
    ------
    CalibrationError
        If the file is not there, or not such a file.
    """
    try:
        content = yaml.safe_load(Path(path.removeprefix('file://')).expanduser().read_text())
        if not isinstance(content, dict):
            raise ValueError('found no names with values')
        k = [float(value) for value in content['camera_matrix']['data']]
        if len(k) != 9:
            raise ValueError(f'camera_matrix must have 9 numbers, found {len(k)}')
        distortion = tuple(float(value) for value in content['distortion_coefficients']['data'])
        model = content['distortion_model']
        intrinsics = Intrinsics(k[0], k[4], k[2], k[5], distortion, model)
        return intrinsics, (int(content['image_width']), int(content['image_height']))
    except KeyError as error:
        raise CalibrationError(f'calibration_file {path} has no {error}') from error
    except OSError as error:
        raise CalibrationError(f'calibration_file cannot be read: {error}') from error
    except (TypeError, ValueError, yaml.YAMLError) as error:
        raise CalibrationError(
            f'calibration_file {path} is not as camera_calibration writes it: {error}'
        ) from error


def mirrored(intrinsics: Intrinsics, width: int) -> Intrinsics:
    """Intrinsics of the images with left and right swapped."""
    odd = () if intrinsics.model == 'equidistant' else ODD_IN_X
    distortion = tuple(-v if i in odd else v for i, v in enumerate(intrinsics.distortion))
    return replace(intrinsics, cx=width - 1 - intrinsics.cx, distortion=distortion)


def main(args: list[str] | None = None) -> int:
    """Run the node until its source ends or a signal comes: 0; 1 if the source does not work."""

    def work(stop: Stop) -> int:
        node = CameraNode()
        try:
            node.run(stop)
        finally:
            end = 'stopped' if stop.is_set() else 'end of the source'
            node.get_logger().info(f'{end}: {node.summary()}')
            node.spinner.shutdown()
            node.destroy_node()
        return 0

    return run('camera_node', work, args, (VideoError, CalibrationError))
