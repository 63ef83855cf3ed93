"""Topics of one camera: their names, subscriptions and publishers in the ROS graph."""

from __future__ import annotations

from typing import Any

from rclpy.event_handler import QoSRequestedIncompatibleQoSInfo, SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import qos_policy_name_from_kind
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from pose3d_ros.ros.graph import (
    COMPRESSED,
    IMAGE,
    Graph,
    explain_no_camera_info,
    explain_no_images,
    names,
)
from pose3d_ros.ros.qos import MOST_COMPATIBLE_QOS, image_qos, latched_qos, qos_overrides
from pose3d_ros.ros.topic_names import topic_beside


class CameraTopics:
    """Subscriptions to one camera.

    CameraInfo is expected beside the images, as image_transport publishes it, unless it is
    remapped. A publisher that sends it once and keeps it for later subscribers (transient local)
    needs a subscription of its own, because volatile publishers do not match that one.

    Parameters
    ----------
    node
        Node that subscribes.
    prefix
        Name of the camera with a slash, or ''.
    transport
        ``'raw'``, or the suffix of the topic of compressed images.
    logger
        Logger of the camera.
    """

    def __init__(self, node: Node, prefix: str, transport: str, logger: Any) -> None:
        self._node, self._logger = node, logger
        self._graph = Graph(node)
        # As in image_transport, the base name is remapped.
        self.image_base = node.resolve_topic_name(f'{prefix}image_raw')
        self.image_type, self.image_topic = Image, self.image_base
        if transport != 'raw':
            self.image_type = CompressedImage
            self.image_topic = node.resolve_topic_name(f'{self.image_base}/{transport}')
        self.info_topic = self._info_topic(f'{prefix}camera_info', self.image_base)
        self.depth_topic = node.resolve_topic_name(f'{prefix}depth_registered/image_rect')
        self.depth_info_topic = self._info_topic(
            f'{prefix}depth_registered/camera_info', self.depth_topic
        )
        self.imu_topic = node.resolve_topic_name(f'{prefix}imu')
        self.subscriptions: list[Any] = []
        self._latched: dict[str, Any] = {}
        self._infos: dict[str, Any] = {}
        self._images: Any = None

    def _info_topic(self, name: str, images: str) -> str:
        """Return the remapped name of a CameraInfo, else the one beside its images."""
        resolved = self._node.resolve_topic_name(name)
        if resolved != self._node.resolve_topic_name(name, only_expand=True):
            return resolved
        return self._node.resolve_topic_name(topic_beside(images, 'camera_info'))

    def subscribe_to_images(self, callback: Any) -> None:
        """Subscribe to the images."""
        self._image_qos = image_qos()
        self._images = self.subscribe(self.image_type, self.image_topic, callback, self._image_qos)

    def subscribe_to_info(self, topic: str, callback: Any) -> None:
        """Subscribe to a CameraInfo, also of publishers that keep their last message."""
        self._infos[topic] = callback
        self.subscribe(CameraInfo, topic, callback, image_qos())
        self.update_latched()

    def subscribe(self, kind: Any, topic: str, callback: Any, qos: Any) -> Any:
        """Subscribe to a topic of the camera; warn of publishers with incompatible QoS."""

        def on_incompatible_qos(event: QoSRequestedIncompatibleQoSInfo) -> None:
            policy = qos_policy_name_from_kind(event.last_policy_kind)
            value = MOST_COMPATIBLE_QOS.get(policy, 'what the publisher offers')
            self._logger.warning(
                f'{topic}: a publisher offers an incompatible {policy}, so nothing is received '
                f'from it. Set the parameter qos_overrides.{topic}.subscription.'
                f'{policy.lower()} to {value}, or change the publisher'
            )

        events = SubscriptionEventCallbacks(
            incompatible_qos=on_incompatible_qos, matched=lambda _: self.update_latched()
        )
        subscription = self._node.create_subscription(
            kind, topic, callback, qos,
            event_callbacks=events, qos_overriding_options=qos_overrides(),
        )  # fmt: skip
        self.subscriptions.append(subscription)
        return subscription

    def update_latched(self) -> None:
        """Subscribe to publishers that keep their last CameraInfo for later subscribers."""
        for topic, callback in self._infos.items():
            if topic not in self._latched and self._graph.has_latched_publisher(topic):
                # Without events: it is known to be incompatible with volatile publishers.
                self._latched[topic] = self._node.create_subscription(
                    CameraInfo, topic, callback, latched_qos(),
                    event_callbacks=SubscriptionEventCallbacks(use_default_callbacks=False),
                )  # fmt: skip

    def unsubscribe(self) -> None:
        """Destroy all subscriptions."""
        self._infos.clear()
        for subscription in (*self.subscriptions, *self._latched.values()):
            self._node.destroy_subscription(subscription)
        self.subscriptions.clear()
        self._latched.clear()
        self._images = None

    def publisher_names(self) -> str:
        """Return the names of the nodes that publish the images, or '' for fewer than two."""
        publishers = self._graph.publishers(self.image_topic)
        return names(publishers) if len(publishers) > 1 else ''

    def explain_silence(self) -> str:
        """Explain why no images arrive."""
        kind = IMAGE if self.image_type is Image else COMPRESSED
        return explain_no_images(
            self._graph, self.image_topic, self.image_base, kind, self._image_qos
        )

    def explain_no_camera_info(self) -> str:
        """Explain why no CameraInfo arrives; '' if it has a publisher."""
        return explain_no_camera_info(self._graph, self.info_topic, self.image_base)
