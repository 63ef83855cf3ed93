"""pose_node: images in, people in metres out."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

import numpy as np
from rclpy.event_handler import QoSRequestedIncompatibleQoSInfo, SubscriptionEventCallbacks
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, QoSReliabilityPolicy, qos_policy_name_from_kind
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from visualization_msgs.msg import MarkerArray

from pose3d_ros.camera import CameraImage, IntrinsicsSource
from pose3d_ros.drawing import draw_people, draw_text
from pose3d_ros.estimation.bottom_up import PoseEstimator
from pose3d_ros.estimation.grouping import Thresholds
from pose3d_ros.estimation.network import NetworkError
from pose3d_ros.models import ModelError, test_card
from pose3d_ros.models.store import cache_folder, resolve
from pose3d_ros.msg import PoseArray3D
from pose3d_ros.people import TrackedPeople
from pose3d_ros.ros.calibration import Calibration
from pose3d_ros.ros.conversions import (
    ImageError,
    camera_image,
    image_msg,
    seconds,
)
from pose3d_ros.ros.markers import marker_array
from pose3d_ros.ros.parameters import PoseParameters, declare
from pose3d_ros.ros.pose_array import pose_array_cdr
from pose3d_ros.ros.process import STOP_WITHIN_S, Stop, run
from pose3d_ros.test_card import NAME as TEST_CARD
from pose3d_ros.tracking.tracker import Tracker

WARN_EVERY_S = 5.0
# Images over which the overlay's rate is taken.
RATE_IMAGES = 30
# What asks for least of a publisher, and so hears every one.
HEARS_ALL = {'RELIABILITY': 'best_effort', 'DURABILITY': 'volatile'}


class PoseNode(Node):
    """Publishes a PoseArray3D for every image that it gets; newest image wins.

    Parameters
    ----------
    options
        Of rclpy's Node.

    Raises
    ------
    ModelError, NetworkError
        If model, device or precision cannot be used.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__('pose_node', **options)
        p = declare(self)
        self.calibration = Calibration(p.focal_length, p.rectified)
        self.estimator = estimator(p)
        self.tracker = Tracker(
            p.smoothing, p.smoothing_min_cutoff, p.smoothing_beta, p.track_memory
        )
        self.images = self.bad_images = 0
        self.ends_s: deque[float] = deque(maxlen=RATE_IMAGES)
        overrides = {'qos_overriding_options': QoSOverridingOptions.with_default_policies()}
        self.poses = self.create_publisher(PoseArray3D, 'poses', results(), **overrides)
        self.markers = self.create_publisher(MarkerArray, 'markers', results(), **overrides)
        self.overlay = self.create_publisher(Image, 'overlay', results(), **overrides)
        self.hear(CameraInfo, 'camera_info', self.calibration.update)
        if p.image_transport == 'raw':
            images = self.hear(Image, 'image_raw', self.on_image)
        else:
            # As in image_transport, the name is remapped first: one remapping serves both.
            name = f'{self.resolve_topic_name("image_raw")}/{p.image_transport}'
            images = self.hear(CompressedImage, name, self.on_image)
        network = self.estimator.network
        height, width = network.input_hw
        self.get_logger().info(
            f'{images.topic_name} -> {self.poses.topic_name} with {network.name} '
            f'({width}x{height}) on {network.device}'
        )

    def hear(self, kind: Any, name: str, callback: Any) -> Any:
        """Subscribe to what a camera publishes; complain of publishers that cannot be heard."""
        topic = self.resolve_topic_name(name)

        def cannot_hear(event: QoSRequestedIncompatibleQoSInfo) -> None:
            policy = qos_policy_name_from_kind(event.last_policy_kind)
            self.get_logger().warning(
                f'{topic}: a publisher offers less {policy} than this node asks for, so nothing '
                f'of it is heard. Set the parameter qos_overrides.{topic}.subscription.'
                f'{policy.lower()} to {HEARS_ALL.get(policy, "what the publisher offers")}, or '
                'change the publisher'
            )

        return self.create_subscription(
            kind,
            name,
            callback,
            newest(),
            event_callbacks=SubscriptionEventCallbacks(incompatible_qos=cannot_hear),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )

    def on_image(self, image: Image | CompressedImage) -> None:
        """Find the people of one image and publish them, whatever comes."""
        self.images += 1
        try:
            camera, trouble = camera_image(image, self.calibration)
        except ImageError as error:
            self.bad_images += 1
            self.get_logger().warning(
                f'image dropped ({self.bad_images} of {self.images}): {error}',
                throttle_duration_sec=WARN_EVERY_S,
            )
            return
        self.warn_of_intrinsics(camera, trouble)
        start_s = time.perf_counter()
        people = self.estimator.estimate(camera.bgr, camera.intrinsics)
        tracked = self.tracker.update(people, seconds(image.header.stamp))
        self.ends_s.append(time.perf_counter())
        self.poses.publish(pose_array_cdr(tracked, image.header, camera.intrinsics.source))
        if self.markers.get_subscription_count():
            self.markers.publish(marker_array(tracked, image.header))
        if self.overlay.get_subscription_count():
            overlay = self.draw(camera, tracked, self.ends_s[-1] - start_s)
            self.overlay.publish(image_msg(overlay, image.header))

    def draw(self, camera: CameraImage, tracked: TrackedPeople, took_s: float) -> np.ndarray:
        """Skeletons, ids, the time that one image takes and the rate of images, on a copy."""
        bgr = camera.bgr.copy()
        draw_people(bgr, tracked)
        span_s = self.ends_s[-1] - self.ends_s[0]
        rate = f'{(len(self.ends_s) - 1) / span_s:.1f} Hz' if span_s > 0 else ''
        draw_text(bgr, f'{1e3 * took_s:.0f} ms  {rate}', (8, 0))
        return bgr

    def warn_of_intrinsics(self, camera: CameraImage, trouble: str) -> None:
        """Say that distances are not to be trusted."""
        if trouble:
            self.get_logger().warning(trouble, throttle_duration_sec=WARN_EVERY_S)
        if camera.intrinsics.source == IntrinsicsSource.GUESSED:
            self.get_logger().warning(
                f'focal length guessed as {camera.intrinsics.fx:.0f} px: no calibrated '
                'camera_info came and the parameter focal_length is 0; distances are rough',
                once=True,
            )


def newest() -> QoSProfile:
    """Hear cameras: the newest image wins, and best effort hears everybody.

    A profile of its own each time, because rclpy writes a user's overrides into it.
    """
    return QoSProfile(depth=1, reliability=QoSReliabilityPolicy.BEST_EFFORT)


def results() -> QoSProfile:
    """Offer results: reliable, so that everybody hears them."""
    return QoSProfile(depth=10)


def estimator(p: PoseParameters) -> PoseEstimator:
    """Load and compile what the parameters ask for; ModelError or NetworkError."""
    height, width = p.input_height, p.input_width
    if bool(height) != bool(width):
        raise NetworkError(
            'input_height and input_width go together: both 0 or both set, '
            f'found {height} and {width}'
        )
    made = PoseEstimator(
        test_card.network() if p.model == TEST_CARD else resolve(p.model),
        p.device,
        input_hw=(height, width) if height else None,
        precision=p.precision,
        input_mean=p.input_mean,
        input_scale=p.input_scale,
        cache_dir=cache_folder() / 'compiled',
        assumed_person_height_m=p.assumed_person_height,
        thresholds=Thresholds(
            p.keypoint_threshold, p.limb_threshold, p.min_keypoints, p.person_threshold
        ),
    )
    if p.stride and p.stride != made.network.stride:
        raise NetworkError(
            f'parameter stride is {p.stride}, but {made.network.name} has a stride of '
            f'{made.network.stride}; 0 takes what the model has'
        )
    return made


def main(args: list[str] | None = None) -> int:
    """Run the node until a signal comes: 0; 1 where model, device or a parameter is wrong."""

    def work(stop: Stop) -> None:
        node = PoseNode()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        stop.heeded = True
        while not stop.is_set():
            executor.spin_once(timeout_sec=STOP_WITHIN_S)
        node.get_logger().info(f'stopped: {node.images} images, {node.bad_images} of them bad')
        executor.shutdown()
        node.destroy_node()

    return run('pose_node', work, args, (ModelError, NetworkError))
