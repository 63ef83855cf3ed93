"""Up by an accelerometer, whose measurements follow from how the camera is turned."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from geometry_msgs.msg import Quaternion, Transform, Vector3
from sensor_msgs.msg import Imu
from support import tf2_stand_in
from support.robot import GREY, camera_info, header

from pose3d_ros.msg import CameraPose as CameraPoseMsg
from pose3d_ros.ros.imu import GRAVITY, ImuUp
from pose3d_ros.ros.messages.images import image_msg
from pose3d_ros.ros.pose_node import FAILURE
from pose3d_ros.ros.transforms import FrameError

RATE_HZ = 100
# REP 103: from x forward, y left, z up to x right, y down, z forward.
TO_OPTICAL = Quaternion(x=0.5, y=-0.5, z=0.5, w=0.5)


def stamped(stamp_s, frame):
    return header(int(stamp_s), round(stamp_s % 1 * 1e9), frame)


def measurement(stamp_s, acceleration, frame='camera_optical_frame'):
    message = Imu(header=stamped(stamp_s, frame))
    message.linear_acceleration = Vector3(
        **dict(zip('xyz', map(float, acceleration), strict=True))
    )
    return message


def pitched(degrees):
    """Up of a camera that looks down by this angle, in its optical frame."""
    angle = np.deg2rad(degrees)
    return np.array([0, -np.cos(angle), -np.sin(angle)])


def send(imu, up, start_s=0.0, seconds=1.0, noise=0.0, frame='camera_optical_frame'):
    rng = np.random.default_rng(0)
    for i in range(round(seconds * RATE_HZ) + 1):
        acceleration = GRAVITY * up + noise * rng.normal(size=3)
        imu.on_imu(measurement(start_s + i / RATE_HZ, acceleration, frame))


def up_at(imu, stamp_s, frame='camera_optical_frame'):
    return imu.at(stamped(stamp_s, frame))


@pytest.fixture
def imu():
    find = lambda target, source, stamp: Transform(rotation=TO_OPTICAL)  # noqa: E731
    return ImuUp('/imu', SimpleNamespace(find=find))


def test_up_of_a_camera_at_rest(imu):
    send(imu, pitched(20))
    np.testing.assert_allclose(up_at(imu, 1.0), pitched(20), atol=1e-9)


def test_noise_is_averaged(imu):
    send(imu, pitched(20), seconds=3, noise=0.1)
    off_deg = np.degrees(np.arccos(up_at(imu, 3.0) @ pitched(20)))
    # Of one measurement alone 0.8 degrees are to be expected.
    assert off_deg < 0.3


def test_an_imu_in_a_frame_of_its_own(imu):
    """Its x axis points forward: a camera that looks down sees up behind it."""
    angle = np.deg2rad(20)
    send(imu, np.array([-np.sin(angle), 0, np.cos(angle)]), frame='imu_link')
    np.testing.assert_allclose(up_at(imu, 1.0), pitched(20), atol=1e-9)


def test_a_camera_that_was_turned(imu):
    send(imu, pitched(0))
    send(imu, pitched(30), start_s=1.01, seconds=0.2)
    with pytest.raises(FrameError, match='has not been at rest'):
        up_at(imu, 1.2)
    send(imu, pitched(30), start_s=1.22)
    np.testing.assert_allclose(up_at(imu, 2.2), pitched(30), atol=1e-9)


def test_a_bump_is_left_out(imu):
    send(imu, pitched(10))
    for i in range(10):
        imu.on_imu(measurement(1.01 + i / RATE_HZ, (9.0, 9.0, 9.0)))
    np.testing.assert_allclose(up_at(imu, 1.1), pitched(10), atol=1e-9)


def test_a_camera_that_keeps_moving(imu):
    send(imu, pitched(10))
    send(imu, 1.3 * pitched(10), start_s=1.01)
    with pytest.raises(FrameError, match=r'/imu has no measurement .* the last is of 1\.000'):
        up_at(imu, 2.0)


def test_messages_without_an_acceleration(imu):
    for i in range(RATE_HZ):
        message = measurement(i / RATE_HZ, GRAVITY * pitched(0))
        message.linear_acceleration_covariance[0] = -1.0
        imu.on_imu(message)
        imu.on_imu(measurement(i / RATE_HZ, (np.nan, 0, 0)))
    with pytest.raises(FrameError, match='none was received'):
        up_at(imu, 1.0)


def test_the_node_uses_it(robot, monkeypatch):
    monkeypatch.setitem(sys.modules, 'tf2_ros', tf2_stand_in.module())
    r = robot(imu=True, camera_height=1.4)
    publisher = r.node.create_publisher(Imu, 'imu', 10)
    r.spin_until(publisher.get_subscription_count)
    r.calibrate(camera_info())
    before = r.poses_of(image_msg(GREY, header(1)))
    assert before.camera_pose.source == CameraPoseMsg.NONE
    assert 'none was received' in r.camera.camera_pose.last_error
    for i in range(RATE_HZ + 1):
        publisher.publish(measurement(2 + i / RATE_HZ, GRAVITY * pitched(20)))
        r.executor.spin_once(timeout_sec=0.01)
    r.spin_until(lambda: r.camera.imu._last_s == pytest.approx(3))
    found = r.poses_of(image_msg(GREY, header(3))).camera_pose
    assert found.source == CameraPoseMsg.GIVEN
    np.testing.assert_allclose(found.up, pitched(20), atol=1e-6)
    assert found.height == pytest.approx(1.4)
    assert not r.camera.camera_pose.last_error


def test_only_one_source_of_the_attitude(robot, capfd):
    r = robot(activate=False, imu=True, camera_up=[0.0, -1.0, 0.0])
    assert r.pose_node.trigger_configure() == FAILURE
    assert 'only one of gravity_frame, camera_up and imu may be set' in ''.join(capfd.readouterr())
