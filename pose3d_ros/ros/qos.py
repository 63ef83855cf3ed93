"""Quality of service of subscriptions to cameras and of published results."""

from rclpy.qos import QoSProfile, QoSReliabilityPolicy

# The policies that ask least of a publisher, and so are compatible with every one.
MOST_COMPATIBLE_QOS = {'RELIABILITY': 'best_effort', 'DURABILITY': 'volatile'}


def image_qos(depth: int = 1) -> QoSProfile:
    """Return a profile to subscribe to cameras: best effort, keeping the newest messages.

    A new profile at each call, because rclpy writes the user's overrides into it.
    """
    return QoSProfile(depth=depth, reliability=QoSReliabilityPolicy.BEST_EFFORT)


def result_qos() -> QoSProfile:
    """Return a profile to publish results: reliable, which every subscription accepts."""
    return QoSProfile(depth=10)
