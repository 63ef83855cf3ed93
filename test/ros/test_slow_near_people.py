"""The example slow_near_people: its computations, then the node over real DDS."""

import importlib.util
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import rclpy
from geometry_msgs.msg import Point, Twist, TwistStamped
from hypothesis import given
from hypothesis import strategies as st
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from support.robot import GREY, camera_info, header

from pose3d_ros.msg import Keypoint3D, Pose3D, PoseArray3D
from pose3d_ros.ros.messages.images import image_msg

FILE = Path(__file__).parents[2] / 'examples' / 'slow_near_people.py'
SPEC = importlib.util.spec_from_file_location('slow_near_people', FILE)
example = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(example)

NAN = math.nan
PATIENCE_S = 10
EXACT = np.zeros((3, 3))


def poses(*people, stamp_s=0.0, intrinsics=PoseArray3D.CAMERA_INFO):
    """A message with one person for each pair of known keypoints, m, and covariance, m2."""
    message = PoseArray3D(intrinsics_source=intrinsics)
    message.header.stamp.sec = math.floor(stamp_s)
    message.header.stamp.nanosec = round(stamp_s % 1 * 1e9)
    for points, covariance in people:
        keypoints = [Keypoint3D(position=Point(x=NAN, y=NAN, z=NAN)) for _ in range(19)]
        for keypoint, point in zip(keypoints, points, strict=False):
            keypoint.position = Point(**dict(zip('xyz', map(float, point), strict=True)))
        flat = np.ravel(covariance).astype(float)
        message.poses.append(Pose3D(keypoints=keypoints, root_covariance=flat))
    return message


def limit(**changed):
    defaults = {name: default for name, (default, _) in example.PARAMETERS.items()}
    return example.Limit(SimpleNamespace(**{**defaults, **changed}))


def at(distance_m):
    return [(0, 0, distance_m)], EXACT


def test_nearest_keypoint_of_the_nearest_person():
    message = poses(([(0, 0, 5), (3, 0, 4), (0, 0, 4.5)], EXACT), ([(0, 6, 8)], EXACT))
    assert example.nearest_m(message, 2.0) == pytest.approx(4.5)


def test_no_people_is_infinitely_far():
    assert example.nearest_m(poses(), 2.0) == math.inf


def test_inferred_keypoints_and_tentative_people_count():
    message = poses(at(4.0), at(2.0))
    near = message.poses[1]
    near.state, near.keypoints[0].source = Pose3D.TENTATIVE, Keypoint3D.INFERRED
    message.poses[0].state = Pose3D.CONFIRMED
    assert example.nearest_m(message, 2.0) == pytest.approx(2.0)


def test_uncertainty_counts_along_the_line_of_sight():
    along = [(0, 0, 4)], np.diag([0, 0, 0.09])
    across = [(0, 0, 4)], np.diag([0.09, 0.09, 0])
    oblique = [(3, 0, 4)], np.diag([0, 0, 0.25])
    assert example.nearest_m(poses(along), 2.0) == pytest.approx(4 - 2 * 0.3)
    assert example.nearest_m(poses(across), 2.0) == pytest.approx(4)
    assert example.nearest_m(poses(oblique), 1.0) == pytest.approx(5 - 0.5 * 4 / 5)


@pytest.mark.parametrize(
    'person',
    [
        ([], EXACT),
        ([(0, 0, 1e300)], EXACT),
        ([(0, NAN, 9)], EXACT),
        ([(0, 0, 9)], np.full((3, 3), NAN)),
        ([(0, 0, 0)], EXACT),
        ([(0, 0, 9)], 1e6 * np.eye(3)),
    ],
)
def test_unknown_position_counts_as_zero_distance(person):
    assert example.nearest_m(poses(at(8.0), person), 2.0) == 0


def test_factor_by_distance():
    def factor(distance_m):
        limited = limit(stop_distance=1.0, slow_distance=3.0)
        limited.update(poses(at(distance_m), stamp_s=10.0), 5.0)
        return limited.factor(10.1, 5.1)[0]

    expected = {0.5: 0, 1.0: 0, 1.5: 0.25, 2.0: 0.5, 3.0: 1, 9.0: 1}
    assert {d: factor(d) for d in expected} == pytest.approx(expected)


def test_no_message_yet():
    assert limit().factor(10.0, 5.0) == (0, 'no poses arrive')


def test_full_velocity_without_people():
    limited = limit()
    limited.update(poses(stamp_s=10.0), 5.0)
    assert limited.factor(10.1, 5.1) == (1, '')


@pytest.mark.parametrize(
    ('now_s', 'steady_s', 'reason'),
    [
        (10.2, 5.6, 'no poses arrive'),  # the clock of the stamps stands still
        (10.6, 5.2, 'old'),  # when they came, or that clock was set forward
        (9.8, 5.2, 'another clock'),  # of the future
    ],
)
def test_stale_poses_stop(now_s, steady_s, reason):
    limited = limit(max_age=0.5)
    limited.update(poses(stamp_s=10.0), 5.0)
    factor, why = limited.factor(now_s, steady_s)
    assert factor == 0
    assert reason in why


def test_guessed_intrinsics_stop_unless_allowed():
    for allowed, expected in ((False, 0), (True, 1)):
        limited = limit(allow_guessed=allowed)
        limited.update(poses(at(9.0), stamp_s=10.0, intrinsics=PoseArray3D.GUESSED), 5.0)
        factor, why = limited.factor(10.1, 5.1)
        assert factor == expected
        assert ('guessed' in why) != allowed


def test_an_unknown_source_of_intrinsics_is_not_trusted():
    limited = limit()
    limited.update(poses(at(9.0), stamp_s=10.0, intrinsics=200), 5.0)
    assert limited.factor(10.1, 5.1)[0] == 0


def test_person_missed_in_one_image_is_held():
    limited = limit(stop_distance=1.0, slow_distance=3.0, hold=0.5)
    limited.update(poses(at(2.0), stamp_s=10.0), 5.0)
    limited.update(poses(stamp_s=10.3), 5.3)
    assert limited.factor(10.3, 5.3)[0] == pytest.approx(0.5)
    limited.update(poses(stamp_s=10.6), 5.6)
    assert limited.factor(10.6, 5.6)[0] == 1


def test_recovery_after_hold():
    limited = limit(hold=0.5, max_age=0.5)
    assert limited.factor(10.0, 5.0)[0] == 0
    for steady_s in (5.2, 5.4):
        limited.update(poses(stamp_s=steady_s + 5), steady_s)
        assert limited.factor(steady_s + 5, steady_s)[0] == 0
    limited.update(poses(stamp_s=10.6), 5.6)
    assert limited.factor(10.6, 5.6)[0] == 1


def test_invalid_distances_are_refused():
    with pytest.raises(ValueError, match='slow_distance must exceed stop_distance'):
        limit(stop_distance=3.0, slow_distance=3.0)


anything = st.floats(allow_nan=True, allow_infinity=True)


@given(
    st.lists(
        st.tuples(
            st.lists(st.tuples(anything, anything, anything), max_size=3),
            st.lists(anything, min_size=9, max_size=9),
        ),
        max_size=3,
    ),
    st.floats(0, 1e6),
)
def test_factor_is_always_in_range(people, stamp_s):
    """Never NaN, which would reach the motors, and no crash, which would stop for good."""
    limited = limit()
    with np.errstate(all='ignore'):
        limited.update(poses(*people, stamp_s=stamp_s), 5.0)
    factor, _ = limited.factor(stamp_s, 5.0)
    assert 0 <= factor <= 1


class Base:
    """A planner that wants 1 m/s, a pose node and a base, around the real example node."""

    def __init__(self, **parameters):
        overrides = [Parameter(name, value=value) for name, value in parameters.items()]
        self.example = example.SlowNearPeople(parameter_overrides=overrides, namespace='/base')
        self.node = rclpy.create_node('base', namespace='/base')
        kind = TwistStamped if parameters.get('stamped', True) else Twist
        self.wanted = kind()
        twist = self.wanted.twist if kind is TwistStamped else self.wanted
        twist.linear.x, twist.angular.z = 1.0, -0.4
        self.poses = self.node.create_publisher(PoseArray3D, 'poses', 10)
        self.planner = self.node.create_publisher(kind, 'cmd_vel_in', 10)
        self.received = []
        self.node.create_subscription(kind, 'cmd_vel', self.received.append, 10)
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.example)
        self.executor.add_node(self.node)

    def until(self, condition, message=None, plan=True):
        """Have `message()` and what is wanted published until `condition(velocity)`."""
        deadline = time.monotonic() + PATIENCE_S
        self.received.clear()
        while not (self.received and condition(velocity(self.received[-1]))):
            assert time.monotonic() < deadline, f'never; last: {self.received[-1:]}'
            if plan:
                self.planner.publish(self.wanted)
            if message:
                self.poses.publish(message())
            for _ in range(5):
                self.executor.spin_once(timeout_sec=0.01)

    def now_s(self):
        return self.node.get_clock().now().nanoseconds * 1e-9

    def close(self):
        self.executor.shutdown()
        self.example.destroy_node()
        self.node.destroy_node()


def velocity(command):
    twist = command.twist if isinstance(command, TwistStamped) else command
    return twist.linear.x, twist.angular.z


STOPPED = pytest.approx((0, 0))


@pytest.fixture
def base():
    bases = []

    def make(**parameters):
        bases.append(Base(**parameters))
        return bases[-1]

    rclpy.init()
    yield make
    for made in bases:
        made.close()
    rclpy.shutdown()


def test_near_far_gone_and_back_over_dds(base):
    b = base(stop_distance=1.0, slow_distance=3.0)
    b.until(lambda v: v == STOPPED)  # nothing received yet
    b.until(lambda v: v == (1.0, -0.4), lambda: poses(at(9.0), stamp_s=b.now_s()))
    b.until(lambda v: v == pytest.approx((0.5, -0.2)), lambda: poses(at(2.0), stamp_s=b.now_s()))
    b.until(lambda v: v == STOPPED, lambda: poses(at(0.5), stamp_s=b.now_s()))
    b.until(lambda v: v == (1.0, -0.4), lambda: poses(stamp_s=b.now_s()))
    b.until(lambda v: v == STOPPED)  # pose_node is gone
    b.until(lambda v: v == (1.0, -0.4), lambda: poses(stamp_s=b.now_s()))
    b.until(lambda v: v == STOPPED, lambda: poses(stamp_s=b.now_s() - 5))
    b.until(lambda v: v == (1.0, -0.4), lambda: poses(stamp_s=b.now_s()))
    b.until(lambda v: v == STOPPED, lambda: poses(stamp_s=b.now_s() + 5))


def test_silent_or_invalid_commands_stop(base):
    b = base()
    free = lambda: poses(stamp_s=b.now_s())  # noqa: E731
    b.until(lambda v: v == (1.0, -0.4), free)
    b.until(lambda v: v == STOPPED, free, plan=False)
    b.until(lambda v: v == (1.0, -0.4), free)
    b.wanted.twist.linear.y = NAN
    b.until(lambda v: v == STOPPED, free)
    assert b.received[-1].twist.linear.y == 0


def test_the_command_has_a_stamp_of_its_own_and_the_frame_that_was_wanted(base):
    b = base()
    b.wanted.header = header(1, 2, 'base_link')
    before_s = b.now_s()
    b.until(lambda v: v == (1.0, -0.4), lambda: poses(stamp_s=b.now_s()))
    made = b.received[-1].header
    assert made.frame_id == 'base_link'
    assert before_s <= made.stamp.sec + 1e-9 * made.stamp.nanosec <= b.now_s()


def test_without_stamps(base):
    b = base(stamped=False)
    b.until(lambda v: v == (1.0, -0.4), lambda: poses(stamp_s=b.now_s()))


def test_simulated_time_that_stands_still_stops(base):
    """The clock of the stamps says 0 for ever: every stamp of 0 is of now."""
    b = base(use_sim_time=True)
    b.until(lambda v: v == (1.0, -0.4), poses)
    b.until(lambda v: v == STOPPED)


def test_messages_of_the_real_pose_node(robot):
    """The two people of the network stand 3 and 3.5 m away, give or take a deviation."""
    r = robot()
    b = Base(slow_distance=10.0, sigmas=0.0)
    r.calibrate(camera_info())

    def seen():
        image = image_msg(GREY, header())
        image.header.stamp = b.node.get_clock().now().to_msg()
        return r.poses_of(image)

    try:
        nearest_m = example.nearest_m(seen(), 0.0)
        assert 2.5 < nearest_m < 3.1
        assert example.nearest_m(seen(), 2.0) < nearest_m - 0.2
        factor = (nearest_m - 1) / 9
        b.until(lambda v: v == pytest.approx((factor, -0.4 * factor), rel=0.05), seen)
    finally:
        b.close()


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_as_a_process_it_ends_with_a_stop(number):
    rclpy.init()
    node = rclpy.create_node('base', namespace='/process')
    received = []
    node.create_subscription(TwistStamped, 'cmd_vel', received.append, 100)
    planner = node.create_publisher(TwistStamped, 'cmd_vel_in', 10)
    sent = node.create_publisher(PoseArray3D, 'poses', 10)
    command = [sys.executable, FILE, '--ros-args', '-r', '__ns:=/process']
    process = subprocess.Popen(command, env={**os.environ, 'PYTHONUNBUFFERED': '1'})
    try:
        wanted = TwistStamped()
        wanted.twist.linear.x = 1.0
        deadline = time.monotonic() + 2 * PATIENCE_S
        while not (received and received[-1].twist.linear.x == 1.0):
            assert time.monotonic() < deadline, 'it never moved'
            planner.publish(wanted)
            sent.publish(poses(stamp_s=node.get_clock().now().nanoseconds * 1e-9))
            rclpy.spin_once(node, timeout_sec=0.05)
        process.send_signal(number)
        assert process.wait(PATIENCE_S) == 0
        while received[-1].twist.linear.x != 0:
            assert time.monotonic() < deadline, 'no last stop'
            rclpy.spin_once(node, timeout_sec=0.05)
    finally:
        process.kill()
        process.wait()
        node.destroy_node()
        rclpy.shutdown()
