"""Quality of service of subscriptions to cameras and of published results."""

from rclpy.qos import (
    QoSDurabilityPolicy,
    QoSPolicyKind,
    QoSProfile,
    QoSReliabilityPolicy,
)
from rclpy.qos_overriding_options import QoSOverridingOptions

# The policies that ask least of a publisher, and so are compatible with every one.
MOST_COMPATIBLE_QOS = {'RELIABILITY': 'best_effort', 'DURABILITY': 'volatile'}


def image_qos(depth: int = 1) -> QoSProfile:
    """Return a profile to subscribe to cameras: best effort, keeping the newest messages.

    A new profile at each call, because rclpy writes the user's overrides into it.
    """
    return QoSProfile(depth=depth, reliability=QoSReliabilityPolicy.BEST_EFFORT)


def latched_qos() -> QoSProfile:
    """Return a profile to receive the last message of a transient-local publisher."""
    return QoSProfile(depth=1, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)


def result_qos() -> QoSProfile:
    """Return a profile to publish results: reliable, which every subscription accepts."""
    return QoSProfile(depth=10)


def qos_overrides() -> QoSOverridingOptions:
    """Return the policies that parameters qos_overrides.<topic>... can change."""
    return QoSOverridingOptions(
        (
            QoSPolicyKind.HISTORY,
            QoSPolicyKind.DEPTH,
            QoSPolicyKind.RELIABILITY,
            QoSPolicyKind.DURABILITY,
        )
    )
