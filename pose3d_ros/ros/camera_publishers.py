"""Publishers of the results of one camera."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.event_handler import PublisherEventCallbacks
from rclpy.node import Node
from sensor_msgs.msg import Image, PointCloud2
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from pose3d_ros.camera import Intrinsics
from pose3d_ros.images import CameraImage
from pose3d_ros.msg import PoseArray3D
from pose3d_ros.people import TrackedPeople
from pose3d_ros.pipeline import Pipeline
from pose3d_ros.ros.messages.detections import detection_array
from pose3d_ros.ros.messages.images import image_msg
from pose3d_ros.ros.messages.markers import marker_array
from pose3d_ros.ros.messages.people_cloud import people_cloud
from pose3d_ros.ros.messages.pose_array import pose_array_cdr
from pose3d_ros.ros.messages.transforms import PeopleInFrame
from pose3d_ros.ros.optional_messages import import_messages
from pose3d_ros.ros.qos import qos_overrides, result_qos
from pose3d_ros.visualisation.overlay import draw_people
from pose3d_ros.visualisation.text import draw_text


class CameraPublishers:
    """Publishers of the results of one camera. Only poses are made without a subscriber.

    Parameters
    ----------
    node
        Node that publishes.
    prefix
        Name of the camera with a slash, or ''.
    detections
        Whether people are published as vision_msgs/Detection3DArray.
    on_matched
        Called when a subscriber comes or goes.

    Raises
    ------
    MissingPackageError
        If vision_msgs is needed and not installed.
    """

    def __init__(
        self, node: Node, prefix: str, detections: bool, on_matched: Callable[[], None]
    ) -> None:
        self._node, self._prefix, self._on_matched = node, prefix, on_matched
        self._vision = import_messages('vision_msgs', 'detections') if detections else None
        self._publishers: list[Any] = []

    def create(self) -> None:
        """Create the publishers."""
        self.poses = self._publisher(PoseArray3D, 'poses')
        self.markers = self._publisher(MarkerArray, 'markers')
        self.overlay = self._publisher(Image, 'overlay')
        self.people_cloud = self._publisher(PointCloud2, 'people_cloud')
        if self._vision:
            self.detections = self._publisher(self._vision.Detection3DArray, 'detections')

    def destroy(self) -> None:
        """Destroy the publishers."""
        while self._publishers:
            self._node.destroy_publisher(self._publishers.pop())

    def have_subscribers(self) -> bool:
        """Return whether one of the publishers has a subscriber."""
        return any(publisher.get_subscription_count() for publisher in self._publishers)

    def publish_poses(
        self, people: PeopleInFrame, intrinsics: Intrinsics, pipeline: Pipeline
    ) -> None:
        """Publish the poses, with the pose of the camera that the pipeline used."""
        self.poses.publish(
            pose_array_cdr(
                people.tracked,
                people.header,
                intrinsics,
                pipeline.camera_pose,
                pipeline.camera_pose_source,
            )
        )

    def publish_people(self, people: PeopleInFrame) -> None:
        """Publish the people as the messages that have subscribers, beside the poses."""
        if self.markers.get_subscription_count():
            self.markers.publish(marker_array(people))
        if self.people_cloud.get_subscription_count():
            self.people_cloud.publish(people_cloud(people))
        if self._vision and self.detections.get_subscription_count():
            self.detections.publish(detection_array(self._vision, people))

    def publish_overlay(
        self, image: CameraImage, tracked: TrackedPeople, header: Header, caption: str
    ) -> None:
        """Publish a copy of an image with skeletons, ids and a caption."""
        bgr = image.bgr.copy()
        draw_people(bgr, tracked, image.intrinsics)
        draw_text(bgr, caption, (8, 0))
        self.overlay.publish(image_msg(bgr, header))

    def _publisher(self, kind: Any, name: str) -> Any:
        publisher = self._node.create_publisher(
            kind,
            f'{self._prefix}{name}',
            result_qos(),
            event_callbacks=PublisherEventCallbacks(matched=lambda _: self._on_matched()),
            qos_overriding_options=qos_overrides(),
        )
        self._publishers.append(publisher)
        return publisher
