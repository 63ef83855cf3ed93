"""Chains of transforms from TF messages; the truth is how the frames are made to move."""

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Quaternion, TransformStamped

from pose3d_ros.ros.messages.transforms import rotation, translation
from pose3d_ros.ros.recorded_transforms import RecordedTransforms, samples
from pose3d_ros.ros.transforms import FrameError

START_S, STEP_S, COUNT = 100, 0.1, 11


class Tf:
    """Stands for tf2_msgs/TFMessage, which PyPI does not have."""

    def __init__(self, *transforms):
        self.transforms = transforms


def stamp(time_s):
    ns = round(time_s * 1e9)
    return Time(sec=START_S + ns // 10**9, nanosec=ns % 10**9)


def sent(parent, child, time_s, xyz_m, yaw_rad):
    made = TransformStamped(child_frame_id=child)
    made.header.frame_id, made.header.stamp = parent, stamp(time_s)
    t = made.transform.translation
    t.x, t.y, t.z = map(float, xyz_m)
    made.transform.rotation = Quaternion(z=np.sin(yaw_rad / 2), w=np.cos(yaw_rad / 2))
    return made


def matrix(xyz_m, yaw_rad):
    made = np.eye(4)
    c, s = np.cos(yaw_rad), np.sin(yaw_rad)
    made[:2, :2], made[:3, 3] = [[c, -s], [s, c]], xyz_m
    return made


def base_at(time_s):
    """Return where the robot is in odom: it drives and turns at constant speed."""
    return (2 * time_s, -time_s, 0), 3 * time_s


def head_at(time_s):
    return (0, 0, 1), -0.5 * time_s


CAMERA = ((0.1, 0.2, 0.3), 0.7)
LIDAR = ((0.4, 0, 0.2), -1.2)


def messages():
    """Yield topics and messages as a bag has them; a burst of /tf arrives in reverse order."""
    yield '/tf_static', Tf(sent('head', '/camera', 0, *CAMERA), sent('base', 'lidar', 0, *LIDAR))
    moving = []
    for i in range(COUNT):
        time_s = i * STEP_S
        moving += [sent('odom', 'base', time_s, *base_at(time_s))]
        moving += [sent('base', 'head', time_s, *head_at(time_s))]
    for one in reversed(moving):
        yield '/tf', Tf(one)
    yield '/tf', Tf(sent('elsewhere', 'island', 0, (0, 0, 0), 0))


def recorded(*more):
    def read():
        for topic, message in (*messages(), *more):
            yield from samples(topic, message)

    return RecordedTransforms(read)


def as_matrix(transform):
    made = np.eye(4)
    made[:3, :3], made[:3, 3] = rotation(transform.rotation), translation(transform)
    return made


@pytest.mark.parametrize('time_s', [0.0, 0.3, 0.37, 1.0])
def test_transforms_are_those_of_the_moving_robot(time_s):
    transforms = recorded()
    base, head = matrix(*base_at(time_s)), matrix(*head_at(time_s))
    camera_in_base = head @ matrix(*CAMERA)
    for target, source, expected in (
        ('odom', 'camera', base @ camera_in_base),
        ('base', 'camera', camera_in_base),
        ('camera', 'base', np.linalg.inv(camera_in_base)),
        ('lidar', 'camera', np.linalg.inv(matrix(*LIDAR)) @ camera_in_base),
        ('camera', 'camera', np.eye(4)),
    ):
        found = as_matrix(transforms.find(target, source, stamp(time_s)))
        np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize(
    ('target', 'source', 'time_s', 'reason'),
    [
        ('odom', 'camera', -0.01, 'from 100.000 to 101.000 s only'),
        ('odom', 'camera', 1.01, 'from 100.000 to 101.000 s only'),
        ('map', 'camera', 0.5, 'found frames: base, camera, elsewhere'),
        ('island', 'camera', 0.5, 'the bag does not connect them'),
    ],
)
def test_what_the_bag_does_not_have_is_neither_guessed_nor_extrapolated(
    target, source, time_s, reason
):
    with pytest.raises(FrameError, match=reason):
        recorded().find(target, source, stamp(time_s))


@pytest.mark.parametrize(
    ('extra', 'reason'),
    [
        (sent('map', 'base', 0.2, (0, 0, 0), 0), 'base has several parents: map and odom'),
        (sent('camera', 'odom', 0.2, (0, 0, 0), 0), 'are a loop'),
    ],
)
def test_what_is_no_tree_is_named(extra, reason):
    with pytest.raises(FrameError, match=reason):
        recorded(('/tf', Tf(extra))).find('odom', 'camera', stamp(0.5))


def test_transforms_that_are_none_are_left_out():
    broken = [sent('odom', 'base', 0.35, (9, 9, 9), 0) for _ in range(3)]
    broken[0].transform.rotation.w = 3.0
    broken[1].transform.translation.x = float('nan')
    broken[2].header.frame_id = 'base'
    assert list(samples('/tf', Tf(*broken))) == []


def test_only_what_is_needed_is_kept():
    transforms = recorded()
    transforms.find('base', 'camera', stamp(0.5))
    assert {*transforms._static, *transforms._moving} == {'head', 'camera'}
