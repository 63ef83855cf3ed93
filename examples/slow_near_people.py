#!/usr/bin/env python3
"""A robot base that slows down near people: listens to pose_node, limits a velocity. Copy it.

    ros2 run pose3d_ros slow_near_people.py --ros-args -r cmd_vel_in:=cmd_vel_smoothed

**No safety-rated sensor**: pose_node misses people. This is manners, on top of whatever keeps the
robot from hurting somebody. The base needs a timeout of its own, for when this node dies.

`cmd_vel_in` is handed on as `cmd_vel`, all of it times a factor: 1 at `slow_distance` from the
nearest person and beyond, 0 at `stop_distance`. Distances are straight, from the origin of the
frame of `poses`, the camera or pose_node's `target_frame`: what of the robot lies before that goes
on top. One camera takes children to be further off than they are: set pose_node's
`assumed_person_height` to the shortest whom you expect.
"""

import math
import signal
import time
from types import SimpleNamespace

import numpy as np
import rclpy
from geometry_msgs.msg import Twist, TwistStamped
from rcl_interfaces.msg import FloatingPointRange, ParameterDescriptor
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSProfile, QoSReliabilityPolicy
from rclpy.signals import SignalHandlerOptions

from pose3d_ros.msg import PoseArray3D

PERIOD_S = 0.05
# A stamp that is further ahead is of another clock, and tells nothing of how old the image is.
AHEAD_S = 0.1
AXES = [(part, axis) for part in ('linear', 'angular') for axis in 'xyz']
PARAMETERS = {
    'stop_distance': (1.0, 'm: the robot stops when somebody is as near as this'),
    'slow_distance': (3.0, 'm: it is slower when somebody is nearer than this'),
    'sigmas': (2.0, 'Standard deviations of where somebody is, taken off the distance'),
    'max_age': (0.5, 's: it stops when the newest poses are older, or came longer ago'),
    'hold': (0.5, 's: people who are missed are taken to be there for so long'),
    'allow_guessed': (False, 'Go by distances of a guessed focal length, tens of per cent off'),
    'command_timeout': (0.5, 's: it stops when cmd_vel_in has been silent for so long'),
    'stamped': (True, 'TwistStamped, as diff_drive_controller takes, or else Twist'),
}


def nearest_m(poses, sigmas):
    """Distance of the nearest person's nearest keypoint, m; inf: nobody; 0: somebody, somewhere.

    Everybody counts, confirmed or not, and every keypoint, seen or inferred. `sigmas` standard
    deviations of where the person is are taken off.
    """
    nearest = math.inf
    for pose in poses.poses:
        xyz = np.array([(k.position.x, k.position.y, k.position.z) for k in pose.keypoints])
        xyz = xyz[np.isfinite(xyz).all(axis=1)]
        covariance = np.reshape(pose.root_covariance, (3, 3))
        if not len(xyz) or not np.isfinite(covariance).all():
            return 0.0
        distances = np.linalg.norm(xyz, axis=1)
        rays = xyz / np.maximum(distances, 1e-6)[:, None]
        variances = np.einsum('ki,ij,kj->k', rays, covariance, rays).clip(0)
        nearest = min(nearest, float((distances - sigmas * np.sqrt(variances)).min()))
    return max(nearest, 0.0)


class Limit:
    """How much of the wanted velocity is allowed; all times in s."""

    def __init__(self, parameters):
        self.p = parameters
        if not self.p.stop_distance < self.p.slow_distance:
            raise ValueError(f'slow_distance must exceed stop_distance, found {parameters}')
        self.stamp_s = self.heard_s = -math.inf
        self.recent = []  # (when, factor, why) of the last `hold` seconds

    def hear(self, poses, steady_s):
        """Take a message that came at a time of the steady clock."""
        self.stamp_s = poses.header.stamp.sec + 1e-9 * poses.header.stamp.nanosec
        self.heard_s = steady_s
        known = poses.intrinsics_source in (PoseArray3D.CAMERA_INFO, PoseArray3D.PARAMETER)
        if not (known or self.p.allow_guessed):
            return self._remember(steady_s, 0.0, 'the focal length is guessed')
        distance_m = nearest_m(poses, self.p.sigmas)
        span_m = self.p.slow_distance - self.p.stop_distance
        factor = min(max((distance_m - self.p.stop_distance) / span_m, 0.0), 1.0)
        return self._remember(steady_s, factor, 'somebody is near' if factor < 1 else '')

    def factor(self, now_s, steady_s):
        """Tell the factor now, by the clock of the stamps and by the steady one, and why."""
        if steady_s - self.heard_s > self.p.max_age:
            self._remember(steady_s, 0.0, 'no poses come')
        elif not -AHEAD_S <= now_s - self.stamp_s <= self.p.max_age:
            self._remember(steady_s, 0.0, 'the poses are old, or stamped by another clock')
        _, factor, why = min(self.recent, key=lambda remembered: remembered[1])
        return factor, why

    def _remember(self, steady_s, factor, why):
        self.recent = [r for r in self.recent if steady_s - r[0] <= self.p.hold]
        self.recent.append((steady_s, factor, why))


class SlowNearPeople(Node):
    """Hands `cmd_vel_in` on as `cmd_vel`, slower the nearer people are."""

    def __init__(self, **options):
        super().__init__('slow_near_people', **options)
        spans = {'floating_point_range': [FloatingPointRange(from_value=0.0, to_value=20.0)]}
        values = {}
        for name, (default, text) in PARAMETERS.items():
            span = spans if isinstance(default, float) else {}
            descriptor = ParameterDescriptor(description=text, read_only=True, **span)
            values[name] = self.declare_parameter(name, default, descriptor).value
        self.limit = Limit(SimpleNamespace(**values))
        self.kind = TwistStamped if values['stamped'] else Twist
        self.wanted, self.came_s, self.why = self.kind(), -math.inf, ''
        newest = QoSProfile(depth=1, reliability=QoSReliabilityPolicy.BEST_EFFORT)
        self.create_subscription(PoseArray3D, 'poses', self.on_poses, newest)
        self.create_subscription(self.kind, 'cmd_vel_in', self.on_wanted, 1)
        self.cmd_vel = self.create_publisher(self.kind, 'cmd_vel', 1)
        # The steady clock ticks on when simulated time stands still.
        self.create_timer(PERIOD_S, self.tick, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def on_poses(self, poses):
        self.limit.hear(poses, time.monotonic())

    def on_wanted(self, wanted):
        self.wanted, self.came_s = wanted, time.monotonic()

    def tick(self):
        """Command what is allowed of what is wanted, always: a stop must not wait for news."""
        steady_s = time.monotonic()
        factor, why = self.limit.factor(self.get_clock().now().nanoseconds * 1e-9, steady_s)
        if why != self.why:
            self.get_logger().info(why or 'free to go')
        self.why = why
        self.command(factor if steady_s - self.came_s <= self.limit.p.command_timeout else 0.0)

    def command(self, factor):
        made = self.kind()
        wanted, allowed = self.wanted, made
        if self.kind is TwistStamped:
            made.header.frame_id = wanted.header.frame_id
            made.header.stamp = self.get_clock().now().to_msg()
            wanted, allowed = wanted.twist, made.twist
        values = [factor * getattr(getattr(wanted, part), axis) for part, axis in AXES]
        if np.isfinite(values).all():  # or else the zeros of a new message
            for (part, axis), value in zip(AXES, values, strict=True):
                setattr(getattr(allowed, part), axis, value)
        self.cmd_vel.publish(made)


def main():
    # Both signals raise KeyboardInterrupt, and leave ROS there for a last stop.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    node = SlowNearPeople()
    try:
        rclpy.spin(node)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # ros2 launch and the terminal both send it
        node.command(0.0)
        node.cmd_vel.wait_for_all_acked(Duration(seconds=1))
    node.destroy_node()
    rclpy.shutdown()


if __name__ == '__main__':
    main()
