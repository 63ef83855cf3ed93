"""Transforms of people with known results, and real tf2 where it is installed."""

import sys
import threading
import time

import numpy as np
import pytest
import rclpy
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Quaternion, Transform, TransformStamped, Vector3
from hypothesis import given
from hypothesis import strategies as st
from rclpy.executors import SingleThreadedExecutor
from support.robot import header

from pose3d_ros.people import People2D, People3D, TrackedPeople
from pose3d_ros.ros.camera_pose import pose_from_transform
from pose3d_ros.ros.camera_stream import UP
from pose3d_ros.ros.messages.transforms import (
    PeopleInFrame,
    quaternion_msg,
    rotation,
    transform_people,
)
from pose3d_ros.ros.transforms import FrameError, Transforms

PATIENCE_S = 10
# REP 103: from x right, y down, z forward to x forward, y left, z up.
OPTICAL = Quaternion(x=-0.5, y=0.5, z=-0.5, w=0.5)


def transform(x=0.0, y=0.0, z=0.0, q=OPTICAL):
    return Transform(translation=Vector3(x=x, y=y, z=z), rotation=q)


def turned(axis, degrees):
    half = np.deg2rad(degrees) / 2
    x, y, z = (np.sin(half) * np.array(axis)).tolist()
    return Quaternion(x=x, y=y, z=z, w=float(np.cos(half)))


def one_person(xyz_m, covariance=None):
    """One person with every keypoint at the same place but the last, which is unknown."""
    xyz = np.tile(np.array(xyz_m, float), (1, 19, 1))
    xyz[0, -1] = np.nan
    covariance = np.eye(3) if covariance is None else covariance
    people_2d = People2D(np.zeros((1, 19, 2)), np.ones((1, 19)), np.ones(1))
    people = People3D(people_2d, xyz, np.ones((1, 19), np.uint8), covariance[None])
    return TrackedPeople(people, np.array([4]), np.array([1], np.uint8), np.array([2.0]))


def test_a_point_ahead_of_the_camera_is_ahead_of_the_robot():
    seen = one_person((0.5, -0.2, 3.0), np.diag([1.0, 4.0, 9.0]))
    before = PeopleInFrame(seen, header(1), UP)
    moved = transform_people(before, transform(0.1, 0.0, 1.2), 'base_link').tracked
    np.testing.assert_allclose(moved.people.xyz_m[0, 0], (3.1, -0.5, 1.4), atol=1e-12)
    np.testing.assert_allclose(
        moved.people.root_covariance_m2[0], np.diag([9.0, 1.0, 4.0]), atol=1e-12
    )
    assert moved.track_id.tolist() == [4]
    assert np.isnan(moved.people.xyz_m[0, -1]).all()
    np.testing.assert_array_equal(seen.people.xyz_m[0, 0], (0.5, -0.2, 3.0))


def test_no_people_in_another_frame():
    empty = People3D(
        People2D(np.zeros((0, 19, 2)), np.zeros((0, 19)), np.zeros(0)),
        np.zeros((0, 19, 3)),
        np.zeros((0, 19), np.uint8),
        np.zeros((0, 3, 3)),
    )
    no_people = TrackedPeople(empty, np.zeros(0, int), np.zeros(0, np.uint8), np.zeros(0))
    before = PeopleInFrame(no_people, header(1), UP)
    assert len(transform_people(before, transform(), 'base_link').tracked) == 0


@pytest.mark.parametrize(
    ('axis', 'degrees', 'to'),
    [((0, 0, 1), 90, (0, 1, 0)), ((0, 1, 0), 90, (0, 0, -1)), ((1, 0, 0), 90, (1, 0, 0))],
)
def test_rotations_turn_right_handed(axis, degrees, to):
    np.testing.assert_allclose(rotation(turned(axis, degrees)) @ (1, 0, 0), to, atol=1e-12)


number = st.floats(-1, 1)


@given(st.tuples(number, number, number, number).filter(lambda q: np.linalg.norm(q) > 0.1))
def test_inverse_transform(q):
    unit = np.array(q) / np.linalg.norm(q)
    matrix = rotation(Quaternion(**dict(zip('xyzw', unit.tolist(), strict=True))))
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(matrix) == pytest.approx(1)
    np.testing.assert_allclose(rotation(quaternion_msg(matrix)), matrix, atol=1e-6)


@pytest.mark.parametrize('axis', [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0.6, 0, 0.8), (0, 0.6, -0.8)])
@pytest.mark.parametrize('degrees', [0, 1e-4, 90, 179.999, 180])
def test_half_turns_and_no_turn(axis, degrees):
    matrix = rotation(turned(axis, degrees))
    np.testing.assert_allclose(rotation(quaternion_msg(matrix)), matrix, atol=1e-6)


def test_a_quaternion_that_is_nearly_one_is_made_one():
    matrix = rotation(Quaternion(x=0.0, y=0.0, z=0.0, w=1.005))
    np.testing.assert_allclose(matrix, np.eye(3), atol=1e-12)


@pytest.mark.parametrize('w', [0.0, 2.0, float('nan')])
def test_invalid_quaternion_is_refused(w):
    with pytest.raises(ValueError, match='quaternion of length 1'):
        rotation(Quaternion(x=0.0, y=0.0, z=0.0, w=w))


def test_pose_of_a_level_camera():
    pose = pose_from_transform(transform(0.3, 0.0, 1.2))
    np.testing.assert_allclose(pose.up, (0, -1, 0), atol=1e-12)
    assert pose.height_m == 1.2


def test_pose_of_a_camera_that_looks_down():
    """Pitched down by 30 degrees: what is up comes towards the camera."""
    down = rotation(turned((0, 1, 0), 30)) @ rotation(OPTICAL)
    pose = pose_from_transform(transform(z=0.9, q=quaternion_msg(down)))
    np.testing.assert_allclose(pose.up, (0, -np.cos(np.pi / 6), -0.5), atol=1e-7)
    assert np.linalg.norm(pose.up) == pytest.approx(1)
    assert pose.height_m == 0.9


def test_missing_tf2_ros_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'tf2_ros', None)
    with pytest.raises(FrameError, match=r'apt install ros-.*tf2-ros-py'):
        Transforms(None)


class Tf:
    """A broadcaster of transforms and the real Transforms that receives them."""

    def __init__(self, tf2_ros):
        self.node = rclpy.create_node('broadcaster', namespace='/tf_test')
        self.moving = tf2_ros.TransformBroadcaster(self.node)
        self.static = tf2_ros.StaticTransformBroadcaster(self.node)
        self.transforms = Transforms(self.node)
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)

    def set_transform(self, parent, child, second, nanosec=0, x=0.0, static=False):
        message = TransformStamped(header=header(second, nanosec, parent), child_frame_id=child)
        message.transform = transform(x=x)
        (self.static if static else self.moving).sendTransform(message)

    def until_found(self, *args, set_transform=lambda: None):
        deadline = time.monotonic() + PATIENCE_S
        while True:
            set_transform()
            try:
                return self.transforms.find(*args)
            except FrameError:
                assert time.monotonic() < deadline, 'the transform was not received'
                self.executor.spin_once(timeout_sec=0.02)

    def close(self):
        self.transforms.destroy()
        self.executor.shutdown()
        self.node.destroy_node()


@pytest.fixture
def tf():
    tf2_ros = pytest.importorskip('tf2_ros', reason='tf2_ros is not installed')
    rclpy.init()
    made = Tf(tf2_ros)
    yield made
    made.close()
    rclpy.shutdown()


def test_static_transform(tf):
    tf.set_transform('base_link', 'camera', 0, x=0.25, static=True)
    found = tf.until_found('base_link', 'camera', Time(sec=1_000_000_000))
    assert found.translation.x == 0.25
    np.testing.assert_allclose(rotation(found.rotation), rotation(OPTICAL), atol=1e-12)


def test_interpolation_at_the_stamp(tf):
    """The robot went on while the image was worked on: the newest is not the one."""

    def set_transform():
        for second in range(3):
            tf.set_transform('odom', 'camera', 100 + second, x=float(second))

    found = tf.until_found(
        'odom', 'camera', Time(sec=101, nanosec=500_000_000), set_transform=set_transform
    )
    assert found.translation.x == pytest.approx(1.5)
    assert tf.transforms.find('odom', 'camera', Time(sec=101)).translation.x == pytest.approx(1)


def test_missing_transform_is_an_error(tf):
    with pytest.raises(FrameError, match=r"'camera' to 'base_link' at 5\.000000007: .*exist"):
        tf.transforms.find('base_link', 'camera', Time(sec=5, nanosec=7))


def test_unconnected_frames(tf):
    tf.set_transform('base_link', 'lidar', 0, static=True)
    tf.set_transform('map', 'camera', 0, static=True)
    tf.until_found('map', 'camera', Time(sec=5))
    tf.until_found('base_link', 'lidar', Time(sec=5))
    with pytest.raises(FrameError, match='at 5'):
        tf.transforms.find('base_link', 'camera', Time(sec=5))


def test_no_extrapolation(tf):
    tf.until_found(
        'odom',
        'camera',
        Time(sec=100),
        set_transform=lambda: tf.set_transform('odom', 'camera', 100),
    )
    for second in (99, 102):
        with pytest.raises(FrameError, match=f'at {second}'):
            tf.transforms.find('odom', 'camera', Time(sec=second))


def test_zero_stamp_is_refused(tf):
    """Time 0 means latest to tf2, but an image with stamp 0 is not stamped."""
    tf.set_transform('base_link', 'camera', 0, static=True)
    tf.until_found('base_link', 'camera', Time(sec=5))
    with pytest.raises(FrameError, match='has no stamp'):
        tf.transforms.find('base_link', 'camera', Time())


def test_waits_for_a_late_transform(tf, monkeypatch):
    monkeypatch.setattr('pose3d_ros.ros.transforms.WAIT_S', float(PATIENCE_S))
    tf.until_found(
        'odom',
        'camera',
        Time(sec=100),
        set_transform=lambda: tf.set_transform('odom', 'camera', 100),
    )
    later = threading.Timer(0.2, lambda: tf.set_transform('odom', 'camera', 101, x=2.0))
    later.start()
    found = tf.transforms.find('odom', 'camera', Time(sec=100, nanosec=500_000_000))
    later.join()
    assert found.translation.x == pytest.approx(1.0)


def test_no_wait_for_a_stopped_publisher(tf, monkeypatch):
    """Or else every image would be held up."""
    tf.until_found(
        'odom',
        'camera',
        Time(sec=100),
        set_transform=lambda: tf.set_transform('odom', 'camera', 100),
    )
    waits = []
    buffer = tf.transforms._buffer
    real = buffer.lookup_transform

    def lookup(target, source, when, timeout):
        waits.append(timeout.nanoseconds)
        return real(target, source, when, timeout)

    monkeypatch.setattr(buffer, 'lookup_transform', lookup)
    for second, nanosec in ((100, 300_000_000), (102, 0), (99, 0)):
        with pytest.raises(FrameError):
            tf.transforms.find('odom', 'camera', Time(sec=second, nanosec=nanosec))
    assert waits == [100_000_000, 0, 0]


def test_restarted_bag(tf):
    """TF takes nothing older than ten seconds before its newest, until it is cleared."""
    tf.until_found(
        'odom',
        'camera',
        Time(sec=100),
        set_transform=lambda: tf.set_transform('odom', 'camera', 100),
    )
    found = tf.until_found(
        'odom',
        'camera',
        Time(sec=3),
        set_transform=lambda: tf.set_transform('odom', 'camera', 3, x=7.0),
    )
    assert found.translation.x == 7.0


def test_node_name_from_the_command_line():
    """`__node` is of the pose node; where /tf is, is of both."""
    pytest.importorskip('tf2_ros', reason='tf2_ros is not installed')
    remap = ['--ros-args', '-r', '__node:=front', '-r', '__ns:=/bot', '-r', '/tf:=/bot/tf']
    rclpy.init(args=remap)
    node = rclpy.create_node('pose_node')
    transforms = Transforms(node)
    try:
        made = transforms._node
        assert (made.get_namespace(), made.get_name()) == ('/bot', 'front_tf')
        assert '/bot/tf' in {s.topic_name for s in made.subscriptions}
    finally:
        transforms.destroy()
        node.destroy_node()
        rclpy.shutdown()
