"""One camera of the pose node: what is heard of it, and the straight line that answers it."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from rclpy.event_handler import (
    PublisherEventCallbacks,
    QoSRequestedIncompatibleQoSInfo,
    SubscriptionEventCallbacks,
)
from rclpy.node import Node
from rclpy.qos import QoSProfile, QoSReliabilityPolicy, qos_policy_name_from_kind
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from visualization_msgs.msg import MarkerArray

from pose3d_ros.camera import CameraImage, IntrinsicsSource
from pose3d_ros.drawing import draw_people, draw_text
from pose3d_ros.estimation.bottom_up import PoseEstimator
from pose3d_ros.msg import PoseArray3D
from pose3d_ros.people import TrackedPeople
from pose3d_ros.ros.calibration import Calibration
from pose3d_ros.ros.conversions import ImageError, camera_image, image_msg, seconds
from pose3d_ros.ros.depth_stream import HELD, DepthStream
from pose3d_ros.ros.figures import Figures
from pose3d_ros.ros.frames import UP, FrameError, Placed, Stance, Transforms
from pose3d_ros.ros.hri import Bodies, SeenIn
from pose3d_ros.ros.markers import marker_array
from pose3d_ros.ros.parameters import PoseParameters
from pose3d_ros.ros.pose_array import pose_array_cdr
from pose3d_ros.tracking.tracker import Tracker

WARN_EVERY_S = 5.0
# What asks for least of a publisher, and so hears every one.
HEARS_ALL = {'RELIABILITY': 'best_effort', 'DURABILITY': 'volatile'}


class CameraStream:
    """Answers every image of one camera with a PoseArray3D; the newest image wins.

    It shares nothing with the streams of other cameras but the node and the network.

    Parameters
    ----------
    node
        To publish and subscribe with.
    name
        Of the camera: its topics are below it; '': relative topics.
    estimator
        The network, which other cameras use too.
    p
        What is not live in them is read now.
    transforms
        For the parameters target_frame and gravity_frame, where one is set.
    bodies
        Where people are published as REP 155 has them, if they are to be.
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
        self.node, self.name, self.estimator = node, name, estimator
        self.transforms, self.target_frame, self.bodies = transforms, p.target_frame, bodies
        # `once` and throttling are a logger's own: what one camera says must not silence another.
        self.logger = node.get_logger().get_child(name) if name else node.get_logger()
        self.calibration = Calibration(p.focal_length, p.rectified)
        self.tracker = Tracker()
        self.depth = DepthStream(self.answer, p.depth_tolerance, p.rectified) if p.depth else None
        self.stance = Stance(p, transforms)
        self.figures = Figures()
        # Where the last image's intrinsics came from, and why not from its CameraInfo.
        self.intrinsics_source: IntrinsicsSource | None = None
        self.trouble = ''
        self.image_type, self.image_name = Image, self._topic('image_raw')
        if p.image_transport != 'raw':
            # As in image_transport, the name is remapped first: one remapping serves both.
            resolved = node.resolve_topic_name(self.image_name)
            self.image_type, self.image_name = CompressedImage, f'{resolved}/{p.image_transport}'
        self.publishers: list[Any] = []
        self.subscriptions: list[Any] = []
        self.wanted = False
        self.tune(p)

    def offer(self) -> None:
        """Make the publishers."""
        self.poses = self._publisher(PoseArray3D, 'poses')
        self.markers = self._publisher(MarkerArray, 'markers')
        self.overlay = self._publisher(Image, 'overlay')

    def tune(self, p: PoseParameters) -> None:
        """Take what may change while the node runs."""
        self.tracker.tune(smoothing=p.smoothing, min_cutoff_hz=p.smoothing_min_cutoff,
                          beta=p.smoothing_beta, max_age_s=p.track_memory)  # fmt: skip
        self.lazy = p.lazy
        if self.depth:
            self.depth.tolerance_s = p.depth_tolerance
        self.attend()

    def want(self, wanted: bool) -> None:
        """Say whether this camera is to be answered, if anybody listens."""
        self.wanted = wanted
        self.attend()

    def attend(self) -> None:
        """Subscribe to the camera while it is to be answered, and not else."""
        heard = any(publisher.get_subscription_count() for publisher in self.publishers)
        heard = heard or not self.lazy or self.bodies is not None
        if self.wanted and heard:
            if not self.subscriptions:
                self.figures.start()
                # The calibration first, so that it is there when the first image comes.
                self._subscribe(CameraInfo, self._topic('camera_info'), self.calibration.update)
                if self.depth:
                    self._hear_depth(self.depth)
                self._subscribe(self.image_type, self.image_name, self.on_image)
        else:
            while self.subscriptions:
                self.node.destroy_subscription(self.subscriptions.pop())
            if self.depth:
                self.depth.stop(self.node)

    @property
    def image_topic(self) -> str:
        """Where the images come from."""
        return self.node.resolve_topic_name(self.image_name)

    def publisher_count(self) -> int:
        """Tell how many publishers of images are heard."""
        return self.subscriptions[-1].get_publisher_count() if self.subscriptions else 0

    def destroy(self) -> None:
        """Take everything back that the node has of it."""
        self.want(False)
        while self.publishers:
            self.node.destroy_publisher(self.publishers.pop())

    def on_image(self, image: Image | CompressedImage, info: dict[str, Any]) -> None:
        """Answer an image; if its depth image may still come, when it has."""
        if self.depth:
            self.depth.wait_no_more()
        self.figures.arrived(info)
        if not (self.depth and self.depth.waits(image)):
            self.answer(image)

    def answer(self, image: Image | CompressedImage) -> None:
        """Find the people of one image and publish them, whatever comes."""
        try:
            camera, self.trouble = camera_image(image, self.calibration)
        except ImageError as error:
            self._warn_of_image(error)
            return
        self._warn_of_intrinsics(camera)
        view = self.stance.at(image.header)
        if self.stance.trouble:
            self.logger.warning(self.stance.trouble, throttle_duration_sec=WARN_EVERY_S)
        start_s = time.perf_counter()
        outputs, letterbox = self.estimator.infer(camera.bgr)
        inferred_s = time.perf_counter()
        people = self.estimator.parse(outputs, letterbox, camera.intrinsics, view)
        if self.depth:
            height_m = self.estimator.assumed_person_height_m
            people = self.depth.measure(people, image.header, camera, height_m)
            self._warn_of_depth(self.depth)
        tracked = self.tracker.update(people, seconds(image.header.stamp))
        parsed_s = time.perf_counter()
        try:
            placed = self._place(Placed(tracked, image.header, UP))
        except FrameError as error:
            self._warn_of_frame(error)
            return
        source = camera.intrinsics.source
        self.poses.publish(pose_array_cdr(placed.tracked, placed.header, source, view))
        latency_s = 1e-9 * self.node.get_clock().now().nanoseconds - seconds(image.header.stamp)
        self.figures.answered(latency_s, inferred_s - start_s, parsed_s - inferred_s)
        if self.markers.get_subscription_count():
            self.markers.publish(marker_array(placed))
        if self.overlay.get_subscription_count():
            overlay = self._draw(camera, tracked, parsed_s - start_s)
            self.overlay.publish(image_msg(overlay, image.header))
        if self.bodies:
            height, width = camera.bgr.shape[:2]
            self.bodies.publish(self.name, placed, SeenIn(image.header, width, height))

    def _place(self, seen: Placed) -> Placed:
        return (
            self.transforms.place(seen, self.target_frame)
            if self.transforms and self.target_frame
            else seen
        )

    def _draw(self, camera: CameraImage, tracked: TrackedPeople, took_s: float) -> np.ndarray:
        """Skeletons, ids, the time that one image takes and the rate of answers, on a copy."""
        bgr = camera.bgr.copy()
        draw_people(bgr, tracked)
        rate_hz = self.figures.recent().output_hz
        draw_text(bgr, f'{1e3 * took_s:.0f} ms  {rate_hz:.1f} Hz', (8, 0))
        return bgr

    def _warn_of_image(self, error: ImageError) -> None:
        self.figures.not_read()
        self.logger.warning(
            f'image dropped ({self.figures.bad_images} of {self.figures.images}): {error}',
            throttle_duration_sec=WARN_EVERY_S,
        )

    def _warn_of_frame(self, error: FrameError) -> None:
        self.figures.not_placed()
        self.logger.warning(
            f'poses dropped ({self.figures.unplaced} of {self.figures.images}): {error}',
            throttle_duration_sec=WARN_EVERY_S,
        )

    def _warn_of_intrinsics(self, camera: CameraImage) -> None:
        """Say that distances are not to be trusted."""
        self.intrinsics_source = camera.intrinsics.source
        if self.trouble:
            self.logger.warning(self.trouble, throttle_duration_sec=WARN_EVERY_S)
        if camera.intrinsics.source == IntrinsicsSource.GUESSED:
            self.logger.warning(
                f'focal length guessed as {camera.intrinsics.fx:.0f} px: no calibrated '
                'camera_info came and the parameter focal_length is 0; distances are rough',
                once=True,
            )

    def _warn_of_depth(self, depth: DepthStream) -> None:
        if depth.trouble:
            self.logger.warning(
                f'image without depth ({depth.missing} of {self.figures.images}): {depth.trouble}',
                throttle_duration_sec=WARN_EVERY_S,
            )

    def _hear_depth(self, depth: DepthStream) -> None:
        name = self._topic('depth_registered')
        self._subscribe(CameraInfo, f'{name}/camera_info', depth.calibration.update)
        self._subscribe(Image, f'{name}/image_rect', depth.on_depth, HELD)
        depth.start(self.node, self.subscriptions[-1])

    def _topic(self, name: str) -> str:
        return f'{self.name}/{name}' if self.name else name

    def _publisher(self, kind: Any, name: str) -> Any:
        publisher = self.node.create_publisher(
            kind,
            self._topic(name),
            results(),
            event_callbacks=PublisherEventCallbacks(matched=lambda _: self.attend()),
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )
        self.publishers.append(publisher)
        return publisher

    def _subscribe(self, kind: Any, name: str, callback: Any, number: int = 1) -> None:
        """Hear what a camera publishes; complain of publishers that cannot be heard."""
        topic = self.node.resolve_topic_name(name)

        def cannot_hear(event: QoSRequestedIncompatibleQoSInfo) -> None:
            policy = qos_policy_name_from_kind(event.last_policy_kind)
            self.logger.warning(
                f'{topic}: a publisher offers less {policy} than this node asks for, so nothing '
                f'of it is heard. Set the parameter qos_overrides.{topic}.subscription.'
                f'{policy.lower()} to {HEARS_ALL.get(policy, "what the publisher offers")}, or '
                'change the publisher'
            )

        self.subscriptions.append(
            self.node.create_subscription(
                kind,
                name,
                callback,
                newest(number),
                event_callbacks=SubscriptionEventCallbacks(incompatible_qos=cannot_hear),
                qos_overriding_options=QoSOverridingOptions.with_default_policies(),
            )
        )


def newest(number: int = 1) -> QoSProfile:
    """Hear cameras: the newest image wins, or so many, and best effort hears everybody.

    A profile of its own each time, because rclpy writes a user's overrides into it.
    """
    return QoSProfile(depth=number, reliability=QoSReliabilityPolicy.BEST_EFFORT)


def results() -> QoSProfile:
    """Offer results: reliable, so that everybody hears them."""
    return QoSProfile(depth=10)
