"""One camera of the pose node: from its subscriptions through its pipeline to its publishers."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image, Imu
from std_msgs.msg import Header

from pose3d_ros.camera import IntrinsicsSource
from pose3d_ros.camera_pose.estimator import CameraPoseEstimator
from pose3d_ros.images import CameraImage, Observation
from pose3d_ros.inference import InferenceError
from pose3d_ros.pipeline import Pipeline
from pose3d_ros.ros.camera_log import CameraLog
from pose3d_ros.ros.camera_pose import CameraPoseProvider
from pose3d_ros.ros.camera_pose_memory import CameraPoseMemory
from pose3d_ros.ros.camera_publishers import CameraPublishers
from pose3d_ros.ros.camera_topics import CameraTopics
from pose3d_ros.ros.depth_stream import DEPTH_IMAGES, DepthStream
from pose3d_ros.ros.follow import Follower, Seen
from pose3d_ros.ros.hri import Bodies, SeenIn
from pose3d_ros.ros.image_clock import ImageClock, ImageTime
from pose3d_ros.ros.image_statistics import ImageStatistics, Outcome, publisher_gid
from pose3d_ros.ros.imu import ImuUp
from pose3d_ros.ros.messages.camera_info import Calibration
from pose3d_ros.ros.messages.images import ImageError, nanoseconds, read_camera_image, seconds
from pose3d_ros.ros.messages.transforms import Floor, PeopleInFrame
from pose3d_ros.ros.parameters import PoseParameters
from pose3d_ros.ros.qos import image_qos
from pose3d_ros.ros.shared_network import SharedNetwork
from pose3d_ros.ros.transforms import FrameError, Transforms
from pose3d_ros.rotation import AUTO, MountingCheck
from pose3d_ros.tracking.smoothing import Smoother

# The direction that is up in an image, in the camera optical frame.
UP = np.array([0.0, -1.0, 0.0])
# Queue of the messages of an IMU, which arrive while an image is processed.
IMU_MESSAGES = 50
# How long the log does not complain about a camera that has not sent an image yet, s.
CAMERA_START_S = 10.0


class ReceivedImage(NamedTuple):
    """An image message, its time, and when it arrived, s of the steady clock."""

    message: Image | CompressedImage
    time: ImageTime
    arrival_s: float


class CameraStream:
    """Processes the images of one camera, always the newest one.

    Streams share nothing but the node and the network.

    Parameters
    ----------
    node
        Node that publishes and subscribes.
    name
        Name of the camera, the prefix of its topics. '': relative topics.
    network
        Shared with the other cameras.
    p
        Parameters. Those that are not live are read here.
    transforms
        Needed for the parameters target_frame, gravity_frame and imu.
    bodies
        Publisher of REP 155 messages. None: not published.

    The attribute `follower` may be set afterwards: it follows a person of the node's cameras.
    """

    def __init__(
        self,
        node: Node,
        name: str,
        network: SharedNetwork,
        p: PoseParameters,
        transforms: Transforms | None = None,
        bodies: Bodies | None = None,
    ) -> None:
        self.node, self.name, self.network = node, name, network
        self.transforms, self.target_frame, self.bodies = transforms, p.target_frame, bodies
        # Log throttling is per logger, so each camera has its own.
        logger = node.get_logger().get_child(name) if name else node.get_logger()
        prefix = f'{name}/' if name else ''
        self.topics = CameraTopics(node, prefix, p.image_transport, logger)
        self.publishers = CameraPublishers(node, prefix, p.detections, self.update_subscriptions)
        self.calibration = Calibration(p.focal_length, p.rectified)
        self.pipeline = Pipeline(network.estimator)
        self.depth = DepthStream(p.depth_tolerance, p.rectified) if p.depth else None
        self.imu = ImuUp(self.topics.imu_topic, transforms) if p.imu and transforms else None
        self.camera_pose = CameraPoseProvider(p, transforms, self.imu)
        self.memory = CameraPoseMemory(self.pipeline, p.camera_pose_memory)
        self.statistics = ImageStatistics()
        self.log = CameraLog(logger, self.topics, self.statistics)
        self.clock = ImageClock()
        self.mounting = MountingCheck()
        # Intrinsics source of the last image, and why its CameraInfo is not used, or ''.
        self.intrinsics_source: IntrinsicsSource | None = None
        self.last_error = ''
        self.enabled = False
        self.follower: Follower | None = None
        self.update_parameters(p)

    def update_parameters(self, p: PoseParameters) -> None:
        """Apply the parameters that are live."""
        self.pipeline.tracker.max_age_s = p.track_memory
        self.pipeline.tracker.appearance_memory_s = p.appearance_memory
        if not p.camera_pose_from_people:
            self.pipeline.pose_from_people = None
        elif self.pipeline.pose_from_people is None:
            self.pipeline.pose_from_people = CameraPoseEstimator()
        smoother = self.pipeline.smoother
        if not p.smoothing:
            self.pipeline.smoother = None
        elif smoother is None:
            self.pipeline.smoother = Smoother(p.smoothing_min_cutoff, p.smoothing_beta)
        else:
            smoother.min_cutoff_hz, smoother.beta = p.smoothing_min_cutoff, p.smoothing_beta
        rotation = p.image_rotation
        self.pipeline.image_rotation = AUTO if rotation == 'auto' else int(rotation)
        self.lazy, self.stale_after_s = p.lazy, p.stale_after
        if self.depth:
            self.depth.tolerance_s = p.depth_tolerance
        self.update_subscriptions()

    def set_enabled(self, enabled: bool) -> None:
        """Enable or disable the camera: only an enabled one is subscribed to."""
        if self.enabled and not enabled:
            self.memory.save()
            self.log.memory(self.memory.last_error)
        self.enabled = enabled
        self.update_subscriptions()

    def update_subscriptions(self) -> None:
        """Subscribe to the camera while it is enabled and its results have subscribers."""
        needed = self.publishers.have_subscribers()
        needed = needed or not self.lazy or self.bodies is not None
        needed = needed or (self.follower is not None and self.follower.needed)
        if self.enabled and needed:
            if not self.topics.subscriptions:
                self._subscribe()
        else:
            self.topics.unsubscribe()
            if self.depth:
                self.depth.stop(self.node)

    def check_graph(self) -> None:
        """Look for new publishers, and explain in the log why no images arrive. Periodic."""
        if not self.topics.subscriptions:
            return
        self.topics.update_latched()
        silence_s = self.statistics.silence_s()
        # A camera is often started after this node.
        starting = self.statistics.images == 0 and silence_s <= CAMERA_START_S
        if silence_s > self.stale_after_s and not starting:
            self.log.silence(silence_s)

    def destroy(self) -> None:
        """Destroy all subscriptions and publishers."""
        self.set_enabled(False)
        self.publishers.destroy()

    def on_image(self, image: Image | CompressedImage, info: dict[str, Any]) -> None:
        """Process an image, or keep it until its depth image has arrived."""
        if self.depth:
            self.depth.process_waiting()
        self.statistics.record_arrival(info)
        arrival_s, stamp = time.monotonic(), image.header.stamp
        image_time = self.clock.at(nanoseconds(stamp), arrival_s, publisher_gid(info))
        if image_time is None:
            self.log.late(stamp)
            return
        if not image_time.stamp_advances:
            self.log.stamp_stands_still(stamp)
        received = ReceivedImage(image, image_time, arrival_s)
        if not (self.depth and self.depth.waits(stamp, lambda: self.process(received))):
            self.process(received)

    def process(self, received: ReceivedImage) -> None:
        """Estimate the poses in one image and publish them."""
        header = received.message.header
        if self.network.error:
            self.statistics.record(Outcome.FAILED)
            return
        try:
            image, self.last_error = read_camera_image(received.message, self.calibration)
        except ImageError as error:
            self.log.dropped(Outcome.BAD, 'image', str(error))
            return
        self.intrinsics_source = image.intrinsics.source
        self.log.intrinsics(image.intrinsics, self.last_error or self.calibration.note)
        observation = self._observation(header, image, received.time)
        self.pipeline.estimator = self.network.estimator
        try:
            tracked = self.pipeline.process(observation)
        except InferenceError as error:
            self.statistics.record(Outcome.FAILED)
            self.network.report(error)
            return
        try:
            floor = self._floor()
            people = self._to_frame(PeopleInFrame(tracked, header, UP, floor))
        except FrameError as error:
            self.log.dropped(Outcome.NO_TRANSFORM, 'poses', str(error))
            return
        self._publish(people, observation, received)
        self.log.mounting(self.mounting.update(tracked.people.people_2d, self.pipeline.degrees))
        if self.follower:
            up = floor.up if floor else UP
            seen = Seen(tracked, up, observation.stamp_s, time.monotonic())
            self.follower.update(self.name, seen, people, self.pipeline.tracker.max_age_s)
        if self.publishers.overlay.get_subscription_count():
            self.publishers.publish_overlay(image, tracked, header, self._caption())

    def _observation(
        self, header: Header, image: CameraImage, image_time: ImageTime
    ) -> Observation:
        camera_pose = self.camera_pose.at(header)
        self.log.camera_pose(self.camera_pose.last_error)
        given = camera_pose is not None or self.camera_pose.is_configured
        self.memory.on_image(header.frame_id, image.intrinsics, given)
        self.log.memory(self.memory.last_error)
        depth = None
        if self.depth:
            depth = self.depth.image_for(header, image)
            self.log.depth(self.depth)
        return Observation(image, image_time.time_s, camera_pose, depth)

    def _publish(
        self, people: PeopleInFrame, observation: Observation, received: ReceivedImage
    ) -> None:
        timings = self.pipeline.timings
        assert timings
        self.publishers.publish_poses(people, observation.image.intrinsics, self.pipeline)
        self.statistics.record_processed(
            self._latency_s(received), timings.inference_s, timings.after_inference_s
        )
        self.publishers.publish_people(people)
        if self.bodies:
            height, width = observation.image.bgr.shape[:2]
            header, time_s = received.message.header, received.time.time_s
            self.bodies.publish(self.name, people, SeenIn(header, width, height, time_s))

    def _floor(self) -> Floor | None:
        pose = self.pipeline.camera_pose
        return None if pose is None else Floor(pose.up, -pose.height_m)

    def _latency_s(self, received: ReceivedImage) -> float:
        """Return the time since the stamp of an image or, if it does not advance, its arrival."""
        if not received.time.stamp_advances:
            return time.monotonic() - received.arrival_s
        now_s = 1e-9 * self.node.get_clock().now().nanoseconds
        return float(now_s - seconds(received.message.header.stamp))

    def _to_frame(self, people: PeopleInFrame) -> PeopleInFrame:
        if self.transforms and self.target_frame:
            return self.transforms.to_frame(people, self.target_frame)
        return people

    def _caption(self) -> str:
        """Return the time per image and the rate."""
        assert self.pipeline.timings
        rate_hz = self.statistics.rate_hz()
        rate = f'  {rate_hz:.1f} Hz' if np.isfinite(rate_hz) else ''
        return f'{1e3 * self.pipeline.timings.total_s:.0f} ms{rate}'

    def _subscribe(self) -> None:
        self.statistics.start()
        topics = self.topics
        # CameraInfo first, so that it is known when the first image arrives.
        topics.subscribe_to_info(topics.info_topic, self.calibration.update)
        if self.depth:
            topics.subscribe_to_info(topics.depth_info_topic, self.depth.calibration.update)
            depth_qos = image_qos(DEPTH_IMAGES)
            topics.subscribe(Image, topics.depth_topic, self.depth.on_depth, depth_qos)
            self.depth.start(self.node)
        if self.imu:
            topics.subscribe(Imu, topics.imu_topic, self.imu.on_imu, image_qos(IMU_MESSAGES))
        topics.subscribe_to_images(self.on_image)
