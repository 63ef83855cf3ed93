#!/usr/bin/env python3
"""Slow a robot base down near people: subscribes to `poses`, limits a velocity. A node to copy.

    ros2 run pose3d_ros slow_near_people.py --ros-args -r cmd_vel_in:=cmd_vel_smoothed

**Not a safety function**: pose_node misses people. It adds comfort to the safety functions of the
robot. The base needs a command timeout of its own in case this node dies.

`cmd_vel_in` is multiplied by a factor and published as `cmd_vel`: the factor is 1 at
`slow_distance` from the nearest person and beyond, 0 at `stop_distance`. Distances are Euclidean,
from the origin of the frame of `poses`: the camera or pose_node's `target_frame`. Add the extent
of the robot in front of it. A single camera overestimates the distance of children: set the
parameter `assumed_person_height` of pose_node to the shortest person that you expect.
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
# Largest lead of a stamp, s. One further ahead is of another clock, so the age is unknown.
AHEAD_S = 0.1
AXES = [(part, axis) for part in ('linear', 'angular') for axis in 'xyz']
PARAMETERS = {
    'stop_distance': (1.0, 'm, distance of a person at which the robot stops'),
    'slow_distance': (3.0, 'm, distance of a person below which it slows down'),
    'sigmas': (2.0, 'Standard deviations that are subtracted from each distance'),
    'max_age': (0.5, 's, age of the newest poses above which it stops'),
    'hold': (0.5, 's, how long a person who is no longer detected still counts'),
    'allow_guessed': (False, 'Use distances of a guessed focal length, tens of per cent off'),
    'command_timeout': (0.5, 's, silence of cmd_vel_in after which it stops'),
    'stamped': (True, 'true: TwistStamped, as for diff_drive_controller; false: Twist'),
}


def nearest_m(poses, sigmas):
    """Return the distance of the nearest keypoint, m; inf: no people; 0: a position is unknown.

    All people count, confirmed or not, and all keypoints, detected or inferred. `sigmas` standard
    deviations of the position are subtracted.
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
        distance = float((distances - sigmas * np.sqrt(variances)).min())
        if not math.isfinite(distance):  # of impossible numbers; min() would leave NaN out
            return 0.0
        nearest = min(nearest, distance)
    return max(nearest, 0.0)


class Limit:
    """Computes the allowed fraction of the requested velocity; all times in s."""

    def __init__(self, parameters):
        self.p = parameters
        if not self.p.stop_distance < self.p.slow_distance:
            raise ValueError(f'slow_distance must exceed stop_distance, found {parameters}')
        self.stamp_s = self.received_s = -math.inf
        self.recent = []  # (time, factor, reason) of the last `hold` seconds

    def update(self, poses, steady_s):
        """Process a message that arrived at a time of the steady clock."""
        self.stamp_s = poses.header.stamp.sec + 1e-9 * poses.header.stamp.nanosec
        self.received_s = steady_s
        known = poses.intrinsics_source in (PoseArray3D.CAMERA_INFO, PoseArray3D.PARAMETER)
        if not (known or self.p.allow_guessed):
            return self._remember(steady_s, 0.0, 'the focal length is guessed')
        distance_m = nearest_m(poses, self.p.sigmas)
        span_m = self.p.slow_distance - self.p.stop_distance
        factor = min(max((distance_m - self.p.stop_distance) / span_m, 0.0), 1.0)
        return self._remember(steady_s, factor, 'a person is near' if factor < 1 else '')

    def factor(self, now_s, steady_s):
        """Return factor and reason now, in the clock of the stamps and the steady one."""
        if steady_s - self.received_s > self.p.max_age:
            self._remember(steady_s, 0.0, 'no poses arrive')
        elif not -AHEAD_S <= now_s - self.stamp_s <= self.p.max_age:
            self._remember(steady_s, 0.0, 'the poses are old or stamped by another clock')
        _, factor, reason = min(self.recent, key=lambda entry: entry[1])
        return factor, reason

    def _remember(self, steady_s, factor, reason):
        self.recent = [r for r in self.recent if steady_s - r[0] <= self.p.hold]
        self.recent.append((steady_s, factor, reason))


class SlowNearPeople(Node):
    """Publishes `cmd_vel_in` as `cmd_vel`, slower the nearer people are."""

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
        self.requested, self.requested_s, self.reason = self.kind(), -math.inf, ''
        newest = QoSProfile(depth=1, reliability=QoSReliabilityPolicy.BEST_EFFORT)
        self.create_subscription(PoseArray3D, 'poses', self.on_poses, newest)
        self.create_subscription(self.kind, 'cmd_vel_in', self.on_request, 1)
        self.cmd_vel = self.create_publisher(self.kind, 'cmd_vel', 1)
        # The steady clock ticks on when simulated time stands still.
        self.create_timer(PERIOD_S, self.tick, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def on_poses(self, poses):
        self.limit.update(poses, time.monotonic())

    def on_request(self, requested):
        self.requested, self.requested_s = requested, time.monotonic()

    def tick(self):
        """Publish the allowed velocity periodically: a stop must not wait for a message."""
        steady_s = time.monotonic()
        factor, reason = self.limit.factor(self.get_clock().now().nanoseconds * 1e-9, steady_s)
        if reason != self.reason:
            self.get_logger().info(reason or 'full velocity')
        self.reason = reason
        self.command(
            factor if steady_s - self.requested_s <= self.limit.p.command_timeout else 0.0
        )

    def command(self, factor):
        command = self.kind()
        requested, allowed = self.requested, command
        if self.kind is TwistStamped:
            command.header.frame_id = requested.header.frame_id
            command.header.stamp = self.get_clock().now().to_msg()
            requested, allowed = requested.twist, command.twist
        values = [factor * getattr(getattr(requested, part), axis) for part, axis in AXES]
        if np.isfinite(values).all():  # otherwise the zeros of a new message
            for (part, axis), value in zip(AXES, values, strict=True):
                setattr(getattr(allowed, part), axis, value)
        self.cmd_vel.publish(command)


def main():
    # Both signals raise KeyboardInterrupt, so that a last stop can be published.
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
