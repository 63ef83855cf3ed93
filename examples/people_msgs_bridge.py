#!/usr/bin/env python3
"""Confirmed people as people_msgs/People, for packages that expect it. A node to copy from.

    ros2 run pose3d_ros people_msgs_bridge.py

Subscribes to `poses`, publishes `people` in the same frame. Needs people_msgs (the repository
wg-perception/people). A person's `position` is the pelvis; `reliability` is the score
of the network.
"""

import contextlib
import math

import rclpy
from geometry_msgs.msg import Point
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import QoSProfile, QoSReliabilityPolicy

from pose3d_ros.msg import Pose3D, PoseArray3D

try:
    from people_msgs.msg import People, Person
except ImportError as error:
    raise SystemExit(
        f'people_msgs_bridge needs people_msgs, which cannot be imported ({error}): apt install '
        'ros-$ROS_DISTRO-people-msgs, or, where the distribution does not have it, build the '
        'repository wg-perception/people from source'
    ) from error


def people(poses):
    """Return the confirmed people of a message whose place is known."""
    message = People(header=poses.header)
    for pose in poses.poses:
        place, velocity = pose.keypoints[Pose3D.PELVIS].position, pose.velocity
        if pose.state != Pose3D.CONFIRMED or math.isnan(place.x):
            continue
        person = Person(name=str(pose.track_id), position=place, reliability=float(pose.score))
        if not math.isnan(velocity.x):  # people_msgs has no way to say unknown but 0
            person.velocity = Point(x=velocity.x, y=velocity.y, z=velocity.z)
        message.people.append(person)
    return message


class PeopleMsgsBridge(Node):
    """Publishes `poses` as `people`."""

    def __init__(self, **options):
        super().__init__('people_msgs_bridge', **options)
        newest = QoSProfile(depth=1, reliability=QoSReliabilityPolicy.BEST_EFFORT)
        self.publisher = self.create_publisher(People, 'people', 10)
        self.create_subscription(
            PoseArray3D, 'poses', lambda poses: self.publisher.publish(people(poses)), newest
        )


def main():
    rclpy.init()
    node = PeopleMsgsBridge()
    with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(node)
    node.destroy_node()
    rclpy.try_shutdown()


if __name__ == '__main__':
    main()
