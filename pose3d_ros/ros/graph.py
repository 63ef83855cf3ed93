"""Explanations from the ROS graph of why no images, or no CameraInfo, are received."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from rclpy.node import Node, NodeNameNonExistentError
from rclpy.qos import QoSCompatibility, QoSDurabilityPolicy, QoSProfile, qos_check_compatible

IMAGE, COMPRESSED = 'sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage'
CAMERA_INFO = 'sensor_msgs/msg/CameraInfo'
POSES = 'pose3d_ros/msg/PoseArray3D'
# The transport of each image type, a value of the parameter image_transport.
TRANSPORTS = {IMAGE: 'raw', COMPRESSED: 'compressed'}
# Largest number of other topics that are named.
MAX_TOPICS = 3


class Graph:
    """Publishers that a node sees in the ROS graph, without its own.

    Parameters
    ----------
    node
        The node that subscribes.
    """

    def __init__(self, node: Node) -> None:
        self._node = node

    def publishers(self, topic: str) -> list[Any]:
        """Return the endpoints (rclpy's TopicEndpointInfo) that publish a topic."""
        own = (self._node.get_name(), self._node.get_namespace())
        return [
            endpoint
            for endpoint in self._node.get_publishers_info_by_topic(topic)
            if (endpoint.node_name, endpoint.node_namespace) != own
        ]

    def topics(self, kind: str) -> dict[str, str]:
        """Return the topics of a type with the names of the nodes that publish them.

        Without those of pose nodes, whose images are overlays. By node, because rclpy applies the
        remappings of this node to the name of a topic that is looked up.
        """
        found: dict[str, set[str]] = {}
        own = (self._node.get_name(), self._node.get_namespace())
        for name, namespace in self._node.get_node_names_and_namespaces():
            if (name, namespace) == own:
                continue
            with suppress(NodeNameNonExistentError):  # it has ended meanwhile
                published = self._node.get_publisher_names_and_types_by_node(name, namespace)
                if any(POSES in kinds for _, kinds in published):
                    continue
                for topic in (topic for topic, kinds in published if kind in kinds):
                    found.setdefault(topic, set()).add(_full_name(namespace, name))
        return {topic: ' and '.join(sorted(nodes)) for topic, nodes in sorted(found.items())}

    def has_latched_publisher(self, topic: str) -> bool:
        """Return whether a publisher keeps its last message for later subscribers."""
        latched = QoSDurabilityPolicy.TRANSIENT_LOCAL
        return any(e.qos_profile.durability == latched for e in self.publishers(topic))


def names(endpoints: Sequence[Any]) -> str:
    """Return the node names of endpoints, e.g. '/front/driver and /rosbag2_player'."""
    return ' and '.join(sorted({_full_name(e.node_namespace, e.node_name) for e in endpoints}))


def _full_name(namespace: str, name: str) -> str:
    return f'{namespace.rstrip("/")}/{name}'


def explain_no_images(graph: Graph, topic: str, base: str, kind: str, qos: QoSProfile) -> str:
    """Explain why no images arrive, with the parameter or remapping that changes it.

    Parameters
    ----------
    graph
        The publishers.
    topic
        Topic that is subscribed to.
    base
        Its base name, which is remapped: for compressed images, `topic` without the transport.
    kind
        Type that is subscribed to: ``IMAGE`` or ``COMPRESSED``.
    qos
        Quality of service of the subscription.
    """
    publishers = graph.publishers(topic)
    if publishers:
        return '; '.join(_explain_publishers(publishers, topic, kind, qos))
    other_kind = COMPRESSED if kind == IMAGE else IMAGE
    other_topic = f'{base}/compressed' if kind == IMAGE else base
    others = [e for e in graph.publishers(other_topic) if e.topic_type == other_kind]
    if others:
        return (
            f'no publisher on {topic}, but {names(others)} publishes {other_topic} '
            f'({other_kind}): set image_transport to {TRANSPORTS[other_kind]}'
        )
    candidates = list(_candidates(graph, kind))
    if candidates:
        return f'no publisher on {topic}. Images are published on {"; ".join(candidates)}'
    return (
        f'no publisher on {topic} and none of images on any other topic: is the camera running, '
        'with the same ROS_DOMAIN_ID and discovery range?'
    )


def explain_no_camera_info(graph: Graph, topic: str, images_base: str) -> str:
    """Explain why no CameraInfo arrives; '' if there is a publisher with the right type.

    Parameters
    ----------
    graph
        The publishers.
    topic
        Topic of the CameraInfo that is subscribed to.
    images_base
        Base name of the topic of the images.
    """
    publishers = graph.publishers(topic)
    wrong = [e for e in publishers if e.topic_type != CAMERA_INFO]
    if wrong:
        return f'{names(wrong)} publishes {wrong[0].topic_type} on {topic}, not {CAMERA_INFO}'
    if publishers:
        return ''
    namespace = images_base.rpartition('/')[0]
    siblings = [t for t in graph.topics(CAMERA_INFO) if t.startswith(f'{namespace}/')]
    if siblings:
        return (
            f'no publisher on {topic}; remap camera_info to {" or ".join(siblings[:MAX_TOPICS])}'
        )
    return f'no publisher on {topic}'


def _explain_publishers(
    publishers: Sequence[Any], topic: str, kind: str, qos: QoSProfile
) -> Iterator[str]:
    """Yield a sentence for each reason why the publishers of a topic are not received."""
    for publisher in publishers:
        name, found = names([publisher]), publisher.topic_type
        if found != kind:
            remedy = (
                f'set image_transport to {TRANSPORTS[found]}'
                if found in TRANSPORTS
                else 'remap image_raw to a topic with images'
            )
            yield f'{name} publishes {found} on {topic}, not {kind}: {remedy}'
            continue
        compatibility, reason = qos_check_compatible(publisher.qos_profile, qos)
        if compatibility == QoSCompatibility.ERROR:
            yield f'{name} publishes {topic} with an incompatible QoS: {reason.strip()}'
        else:
            yield (
                f'{name} has a publisher on {topic} but no image arrives: is the camera '
                'delivering images, and are they lost (large images need the Fast DDS profile)?'
            )


def _candidates(graph: Graph, kind: str) -> Iterator[str]:
    """Yield other topics with images, each with the setting that subscribes to it."""
    raw, compressed = graph.topics(IMAGE), graph.topics(COMPRESSED)
    found = [(topic, IMAGE, nodes) for topic, nodes in raw.items()]
    found += [
        (topic, COMPRESSED, nodes)
        for topic, nodes in compressed.items()
        if topic.removesuffix('/compressed') not in raw
    ]
    for topic, other, nodes in found[:MAX_TOPICS]:
        remedy = f'remap image_raw to {topic.removesuffix("/compressed")}'
        if other != kind:
            remedy += f' and set image_transport to {TRANSPORTS[other]}'
        yield f'{topic} ({other} by {nodes}): {remedy}'
