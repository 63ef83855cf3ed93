"""One camera of the pose node: its subscriptions, its pipeline and its publishers."""

from __future__ import annotations

from typing import Any

import numpy as np
from rclpy.event_handler import (
    PublisherEventCallbacks,
    QoSRequestedIncompatibleQoSInfo,
    SubscriptionEventCallbacks,
)
from rclpy.node import Node
from rclpy.qos import qos_policy_name_from_kind
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from pose3d_ros.camera import IntrinsicsSource
from pose3d_ros.estimator import PoseEstimator
from pose3d_ros.images import CameraImage, Observation
from pose3d_ros.msg import PoseArray3D
from pose3d_ros.people import TrackedPeople
from pose3d_ros.pipeline import Pipeline
from pose3d_ros.ros.camera_pose import CameraPoseProvider
from pose3d_ros.ros.depth_stream import DEPTH_IMAGES, DepthStream
from pose3d_ros.ros.hri import Bodies, SeenIn
from pose3d_ros.ros.image_statistics import ImageStatistics
from pose3d_ros.ros.messages.camera_info import Calibration
from pose3d_ros.ros.messages.images import ImageError, image_msg, read_camera_image, seconds
from pose3d_ros.ros.messages.markers import marker_array
from pose3d_ros.ros.messages.pose_array import pose_array_cdr
from pose3d_ros.ros.messages.transforms import PeopleInFrame
from pose3d_ros.ros.parameters import PoseParameters
from pose3d_ros.ros.qos import MOST_COMPATIBLE_QOS, image_qos, result_qos
from pose3d_ros.ros.transforms import FrameError, Transforms
from pose3d_ros.tracking.smoothing import Smoother
from pose3d_ros.visualisation.overlay import draw_people, draw_text

# Least time between two warnings of the same kind, s.
WARN_EVERY_S = 5.0
# The direction that is up in an image, in the camera optical frame.
UP = np.array([0.0, -1.0, 0.0])


class CameraStream:
    """Processes the images of one camera, always the newest one.

    Streams share nothing but the node and the network.

    Parameters
    ----------
    node
        Node that publishes and subscribes.
    name
        Name of the camera, the prefix of its topics. '': relative topics.
    estimator
        Shared with the other cameras.
    p
        Parameters. Those that are not live are read here.
    transforms
        Needed for the parameters target_frame and gravity_frame.
    bodies
        Publisher of REP 155 messages. None: not published.
    """

    def __init__(
        self,
        node: Node,
        name: str,
        estimator: PoseEstimator,
        p: PoseParameters,
        transforms: Transforms | None = None,
        bodies: Bodies | None = None,
    ) -> None:
        self.node, self.name = node, name
        self.transforms, self.target_frame, self.bodies = transforms, p.target_frame, bodies
        # Log throttling is per logger, so each camera has its own.
        self.logger = node.get_logger().get_child(name) if name else node.get_logger()
        self.calibration = Calibration(p.focal_length, p.rectified)
        self.pipeline = Pipeline(estimator)
        self.depth = DepthStream(self.process, p.depth_tolerance, p.rectified) if p.depth else None
        self.camera_pose = CameraPoseProvider(p, transforms)
        self.statistics = ImageStatistics()
        # Intrinsics source of the last image, and why its CameraInfo is not used, or ''.
        self.intrinsics_source: IntrinsicsSource | None = None
        self.last_error = ''
        self.image_type, self.image_name = Image, self._topic('image_raw')
        if p.image_transport != 'raw':
            # As in image_transport, the base name is remapped.
            resolved = node.resolve_topic_name(self.image_name)
            self.image_type, self.image_name = CompressedImage, f'{resolved}/{p.image_transport}'
        self.publishers: list[Any] = []
        self.subscriptions: list[Any] = []
        self.enabled = False
        self.update_parameters(p)

    def create_publishers(self) -> None:
        """Create the publishers of the results."""
        self.poses = self._publisher(PoseArray3D, 'poses')
        self.markers = self._publisher(MarkerArray, 'markers')
        self.overlay = self._publisher(Image, 'overlay')

    def update_parameters(self, p: PoseParameters) -> None:
        """Apply the parameters that are live."""
        self.pipeline.tracker.max_age_s = p.track_memory
        smoother = self.pipeline.smoother
        if not p.smoothing:
            self.pipeline.smoother = None
        elif smoother is None:
            self.pipeline.smoother = Smoother(p.smoothing_min_cutoff, p.smoothing_beta)
        else:
            smoother.min_cutoff_hz, smoother.beta = p.smoothing_min_cutoff, p.smoothing_beta
        self.lazy = p.lazy
        if self.depth:
            self.depth.tolerance_s = p.depth_tolerance
        self.update_subscriptions()

    def set_enabled(self, enabled: bool) -> None:
        """Enable or disable the camera: only an enabled one is subscribed to."""
        self.enabled = enabled
        self.update_subscriptions()

    def update_subscriptions(self) -> None:
        """Subscribe to the camera while it is enabled and its results have subscribers."""
        needed = any(publisher.get_subscription_count() for publisher in self.publishers)
        needed = needed or not self.lazy or self.bodies is not None
        if self.enabled and needed:
            if not self.subscriptions:
                self.statistics.start()
                # CameraInfo first, so that it is known when the first image arrives.
                self._subscribe(CameraInfo, self._topic('camera_info'), self.calibration.update)
                if self.depth:
                    self._subscribe_to_depth(self.depth)
                self._subscribe(self.image_type, self.image_name, self.on_image)
        else:
            while self.subscriptions:
                self.node.destroy_subscription(self.subscriptions.pop())
            if self.depth:
                self.depth.stop(self.node)

    @property
    def image_topic(self) -> str:
        """The resolved topic of the images."""
        return self.node.resolve_topic_name(self.image_name)

    def publisher_count(self) -> int:
        """Return how many publishers of images are matched."""
        return self.subscriptions[-1].get_publisher_count() if self.subscriptions else 0

    def destroy(self) -> None:
        """Destroy all subscriptions and publishers."""
        self.set_enabled(False)
        while self.publishers:
            self.node.destroy_publisher(self.publishers.pop())

    def on_image(self, image: Image | CompressedImage, info: dict[str, Any]) -> None:
        """Process an image, or keep it until its depth image has arrived."""
        if self.depth:
            self.depth.process_waiting()
        self.statistics.record_arrival(info)
        if not (self.depth and self.depth.waits(image)):
            self.process(image)

    def process(self, image: Image | CompressedImage) -> None:
        """Estimate the poses in one image and publish them."""
        try:
            camera_image, self.last_error = read_camera_image(image, self.calibration)
        except ImageError as error:
            self._warn_of_image(error)
            return
        self._warn_of_intrinsics(camera_image)
        observation = self._observation(image.header, camera_image)
        tracked = self.pipeline.process(observation)
        try:
            people = self._to_frame(PeopleInFrame(tracked, image.header, UP))
        except FrameError as error:
            self._warn_of_frame(error)
            return
        self._publish(people, observation, image.header)
        if self.overlay.get_subscription_count():
            self.overlay.publish(image_msg(self._draw(camera_image, tracked), image.header))

    def _observation(self, header: Header, image: CameraImage) -> Observation:
        camera_pose = self.camera_pose.at(header)
        if self.camera_pose.last_error:
            self.logger.warning(self.camera_pose.last_error, throttle_duration_sec=WARN_EVERY_S)
        depth = None
        if self.depth:
            depth = self.depth.image_for(header, image)
            self._warn_of_depth(self.depth)
        return Observation(image, seconds(header.stamp), camera_pose, depth)

    def _publish(
        self, people: PeopleInFrame, observation: Observation, image_header: Header
    ) -> None:
        source, timings = observation.image.intrinsics.source, self.pipeline.timings
        assert timings
        self.poses.publish(
            pose_array_cdr(people.tracked, people.header, source, observation.camera_pose)
        )
        latency_s = 1e-9 * self.node.get_clock().now().nanoseconds - observation.stamp_s
        self.statistics.record_processed(latency_s, timings.inference_s, timings.after_inference_s)
        if self.markers.get_subscription_count():
            self.markers.publish(marker_array(people))
        if self.bodies:
            height, width = observation.image.bgr.shape[:2]
            self.bodies.publish(self.name, people, SeenIn(image_header, width, height))

    def _to_frame(self, people: PeopleInFrame) -> PeopleInFrame:
        if self.transforms and self.target_frame:
            return self.transforms.to_frame(people, self.target_frame)
        return people

    def _draw(self, image: CameraImage, tracked: TrackedPeople) -> np.ndarray:
        """Draw skeletons, ids, the time per image and the rate on a copy of an image."""
        assert self.pipeline.timings
        bgr = image.bgr.copy()
        draw_people(bgr, tracked)
        rate_hz = self.statistics.recent().output_hz
        draw_text(bgr, f'{1e3 * self.pipeline.timings.total_s:.0f} ms  {rate_hz:.1f} Hz', (8, 0))
        return bgr

    def _warn_of_image(self, error: ImageError) -> None:
        self.statistics.record_bad_image()
        self.logger.warning(
            f'image dropped ({self.statistics.bad_images} of {self.statistics.images}): {error}',
            throttle_duration_sec=WARN_EVERY_S,
        )

    def _warn_of_frame(self, error: FrameError) -> None:
        self.statistics.record_missing_transform()
        self.logger.warning(
            f'poses dropped ({self.statistics.missing_transforms} of {self.statistics.images}): '
            f'{error}',
            throttle_duration_sec=WARN_EVERY_S,
        )

    def _warn_of_intrinsics(self, image: CameraImage) -> None:
        """Warn of intrinsics that are missing or guessed."""
        self.intrinsics_source = image.intrinsics.source
        if self.last_error:
            self.logger.warning(self.last_error, throttle_duration_sec=WARN_EVERY_S)
        if image.intrinsics.source == IntrinsicsSource.GUESSED:
            self.logger.warning(
                f'focal length guessed as {image.intrinsics.fx:.0f} px: no calibrated '
                'camera_info was received and focal_length is 0; distances are inaccurate',
                once=True,
            )

    def _warn_of_depth(self, depth: DepthStream) -> None:
        if depth.last_error:
            self.logger.warning(
                f'image without depth ({depth.missing} of {self.statistics.images}): '
                f'{depth.last_error}',
                throttle_duration_sec=WARN_EVERY_S,
            )

    def _subscribe_to_depth(self, depth: DepthStream) -> None:
        name = self._topic('depth_registered')
        self._subscribe(CameraInfo, f'{name}/camera_info', depth.calibration.update)
        self._subscribe(Image, f'{name}/image_rect', depth.on_depth, DEPTH_IMAGES)
        depth.start(self.node)

    def _topic(self, name: str) -> str:
        return f'{self.name}/{name}' if self.name else name

    def _publisher(self, kind: Any, name: str) -> Any:
        publisher = self.node.create_publisher(
            kind,
            self._topic(name),
            result_qos(),
            event_callbacks=PublisherEventCallbacks(matched=lambda _: self.update_subscriptions()),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )
        self.publishers.append(publisher)
        return publisher

    def _subscribe(self, kind: Any, name: str, callback: Any, number: int = 1) -> None:
        """Subscribe to a topic of the camera; warn of publishers with incompatible QoS."""
        topic = self.node.resolve_topic_name(name)

        def on_incompatible_qos(event: QoSRequestedIncompatibleQoSInfo) -> None:
            policy = qos_policy_name_from_kind(event.last_policy_kind)
            self.logger.warning(
                f'{topic}: a publisher offers an incompatible {policy}, so nothing is received '
                f'from it. Set the parameter qos_overrides.{topic}.subscription.'
                f'{policy.lower()} to '
                f'{MOST_COMPATIBLE_QOS.get(policy, "what the publisher offers")}, or change the '
                'publisher'
            )

        self.subscriptions.append(
            self.node.create_subscription(
                kind,
                name,
                callback,
                image_qos(number),
                event_callbacks=SubscriptionEventCallbacks(incompatible_qos=on_incompatible_qos),
                qos_overriding_options=QoSOverridingOptions.with_default_policies(),
            )
        )
