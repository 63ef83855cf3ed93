#!/usr/bin/env python3
"""Speed and separation: slow a moving tool down near people. Subscribes to `poses` and `box`.

    ros2 run pose3d_ros arm_speed_zone.py --ros-args -p size:="[0.3, 0.3, 0.4]"

**Not a safety function**: pose_node misses people. Whatever protects people must be independent
of it; this only makes a robot slow down before its safety functions stop it.

`box` (geometry_msgs/PoseStamped) is the centre of a box around the tool, in the frame of `poses`;
its edges are `size`. The smallest distance of all keypoints of all people to the box, less some
standard deviations and the thickness of a body, allows a speed: the highest one from which the
tool can stop before somebody who comes nearer is reached. `speed_scale` (std_msgs/Float64) is that
speed as a share of `max_speed`, [0, 1]; 0 while poses or box are missing or old.
"""

import contextlib
import math
import time

import numpy as np
import rclpy
from geometry_msgs.msg import PoseStamped
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import QoSProfile, QoSReliabilityPolicy
from std_msgs.msg import Float64

from pose3d_ros.msg import PoseArray3D

PERIOD_S = 0.05
# Largest lead of a stamp, s. One further ahead is of another clock, so the age is unknown.
AHEAD_S = 0.1
# Standard deviation of a keypoint whose own is unknown, as with location maps, m.
UNKNOWN_STDDEV_M = 0.1
PARAMETERS = {
    'size': [0.3, 0.3, 0.3],  # m, edges of the box along its own axes
    'max_speed': 1.0,  # m/s, of the tool at a scale of 1
    'deceleration': 2.0,  # m/s2, of the tool when it stops
    'reaction_time': 0.3,  # s, from an image until the tool begins to brake
    'human_speed': 1.6,  # m/s, at which somebody may come nearer
    'body_radius': 0.15,  # m, from a keypoint to the skin and, for a wrist, the fingertips
    'sigmas': 2.0,  # standard deviations that are subtracted from each distance
    'max_age': 0.3,  # s, age of poses or box above which the tool stops
}


def to_box_m(points, centre, turn, size):
    """Return the distances of points ``(P, 3)`` to a box, m, 0 inside, and the directions away.

    Parameters
    ----------
    points
        In the frame of `centre`, m.
    centre, turn
        ``(3,)`` m and rotation ``(3, 3)`` of the box's axes.
    size
        Edges, m.
    """
    local = (points - centre) @ turn
    outside = local - np.clip(local, -np.asarray(size) / 2, np.asarray(size) / 2)
    distances = np.linalg.norm(outside, axis=1)
    return distances, (outside / np.maximum(distances, 1e-9)[:, None]) @ turn.T


def separation_m(poses, box, size, sigmas):
    """Return the smallest distance of a keypoint to the box, m; inf: no people; 0: unknown.

    All people count, confirmed or not, and all keypoints, detected or inferred. `sigmas` standard
    deviations are subtracted: of the position of the person, towards the box, and of the keypoint.
    """
    p, q = box.pose.position, box.pose.orientation
    centre, turn = np.array([p.x, p.y, p.z]), matrix(q.x, q.y, q.z, q.w)
    if not (np.isfinite(centre).all() and np.isfinite(turn).all()):
        return 0.0
    nearest = math.inf
    for pose in poses.poses:
        xyz = np.array([(k.position.x, k.position.y, k.position.z) for k in pose.keypoints])
        stddev = np.array([k.position_stddev for k in pose.keypoints])
        known = np.isfinite(xyz).all(axis=1)
        covariance = np.reshape(pose.root_covariance, (3, 3))
        if not known.any() or not np.isfinite(covariance).all():
            return 0.0
        distances, away = to_box_m(xyz[known], centre, turn, size)
        variances = np.einsum('ki,ij,kj->k', away, covariance, away).clip(0)
        variances += np.where(np.isnan(stddev), UNKNOWN_STDDEV_M, stddev)[known] ** 2
        distance = float((distances - sigmas * np.sqrt(variances)).min())
        if not math.isfinite(distance):  # of impossible numbers; min() would leave NaN out
            return 0.0
        nearest = min(nearest, distance)
    return max(nearest, 0.0)


def matrix(x, y, z, w):
    """Return the rotation ``(3, 3)`` of a quaternion; NaN if it has no length."""
    x, y, z, w = np.array([x, y, z, w]) / (np.linalg.norm([x, y, z, w]) or math.nan)
    return np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ])  # fmt: skip


def allowed_speed(separation, p):
    """Return the highest speed, m/s, from which the tool stops before it touches a person.

    The largest v with human_speed (t + v / a) + v t + v^2 / (2 a) <= separation, where t is the
    reaction time and a the deceleration: the way of the person until the tool stands, that of the
    tool until it brakes, and its braking distance.
    """
    if math.isinf(separation):
        return math.inf
    t, a, h = p['reaction_time'], p['deceleration'], p['human_speed']
    free = separation - p['body_radius'] - h * t
    b = a * t + h
    return math.sqrt(b * b + 2 * a * free) - b if free > 0 else 0.0


def check(p):
    """Raise ValueError for parameters with which the speed would be wrong."""
    for name, value in p.items():
        if not (np.isfinite(value).all() and np.min(value) >= 0):
            raise ValueError(f'{name} must be finite and at least 0, found {value}')
    if len(p['size']) != 3:
        raise ValueError(f'size must be three numbers, found {list(p["size"])}')
    if not p['max_speed']:
        raise ValueError('max_speed must be more than 0, found 0')


class ArmSpeedZone(Node):
    """Publishes `speed_scale` for the distance between people and a box."""

    def __init__(self, **options):
        super().__init__('arm_speed_zone', **options)
        self.p = {
            name: self.declare_parameter(name, default).value
            for name, default in PARAMETERS.items()
        }
        check(self.p)
        # Message and steady time of its arrival.
        self.poses, self.box, self.reason = (None, -math.inf), (None, -math.inf), ''
        newest = QoSProfile(depth=1, reliability=QoSReliabilityPolicy.BEST_EFFORT)
        self.create_subscription(PoseArray3D, 'poses', self.on_poses, newest)
        self.create_subscription(PoseStamped, 'box', self.on_box, newest)
        self.scale = self.create_publisher(Float64, 'speed_scale', 1)
        # The steady clock ticks on when simulated time stands still.
        self.create_timer(PERIOD_S, self.tick, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def on_poses(self, poses):
        self.poses = poses, time.monotonic()

    def on_box(self, box):
        self.box = box, time.monotonic()

    def tick(self):
        """Publish periodically: a stop must not wait for a message."""
        scale, reason = self.compute(self.get_clock().now().nanoseconds * 1e-9, time.monotonic())
        if reason != self.reason:
            self.get_logger().info(reason or 'full speed')
        self.reason = reason
        self.scale.publish(Float64(data=scale))

    def compute(self, now_s, steady_s):
        """Return scale and reason now, in the clock of the stamps and the steady one."""
        for what, (message, received_s) in (('poses', self.poses), ('box', self.box)):
            if message is None or steady_s - received_s > self.p['max_age']:
                return 0.0, f'no {what} arrive'
            stamp = message.header.stamp
            age_s = now_s - stamp.sec - 1e-9 * stamp.nanosec
            if not -AHEAD_S <= age_s <= self.p['max_age']:
                return 0.0, f'{what} are old or stamped by another clock'
        poses, box = self.poses[0], self.box[0]
        if poses.header.frame_id != box.header.frame_id:
            return 0.0, f'box is in {box.header.frame_id}, poses in {poses.header.frame_id}'
        if poses.intrinsics_source == PoseArray3D.GUESSED:
            return 0.0, 'the focal length is guessed'
        separation = separation_m(poses, box, self.p['size'], self.p['sigmas'])
        scale = min(allowed_speed(separation, self.p) / self.p['max_speed'], 1.0)
        return scale, 'a person is near' if scale < 1 else ''


def main():
    rclpy.init()
    node = ArmSpeedZone()
    with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(node)
    node.destroy_node()
    rclpy.try_shutdown()


if __name__ == '__main__':
    main()
