"""The pose node and registered depth images, with real messages over real DDS."""

import time

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image
from support.robot import GREY, TRUTH, camera_info, depth_msg, header, metres

from pose3d_ros.msg import Keypoint3D, Pose3D, PoseArray3D
from pose3d_ros.ros import depth_stream, node_parameters
from pose3d_ros.ros.diagnostics import camera_status
from pose3d_ros.ros.image_statistics import Outcome
from pose3d_ros.ros.messages.camera_info import camera_info_msg
from pose3d_ros.ros.messages.images import image_msg
from synthetic.depth_scene import depth_image, half
from synthetic.scene import CAMERA

DEPTH_M = depth_image(TRUTH, [1.8, 1.8], intrinsics=CAMERA, hw=(256, 448)).depth_m
# Everybody is 1.80 m tall, and far from where they are without depth.
ASSUMED = {'assumed_person_height': 1.2, 'smoothing': False}


class Sensor:
    """Publishes the depth images of one camera of a robot."""

    def __init__(self, robot, prefix=''):
        self.robot = robot
        name = f'{prefix}depth_registered'
        make = robot.node.create_publisher
        self.images = make(Image, f'{name}/image_rect', qos_profile_sensor_data)
        self.infos = make(CameraInfo, f'{name}/camera_info', qos_profile_sensor_data)
        robot.spin_until(self.images.get_subscription_count)
        robot.spin_until(self.infos.get_subscription_count)

    def send(self, message):
        """Publish a depth image, and wait until the node has it."""
        add, added = self.robot.camera.depth.add, []
        self.robot.camera.depth.add = lambda depth: (add(depth), added.append(depth))
        self.images.publish(message)
        self.robot.spin_until(lambda: added)
        self.robot.camera.depth.add = add


@pytest.fixture
def measuring(robot):
    """A robot with depth, calibrated, and its depth sensor."""

    def make(**parameters):
        r = robot(depth=True, **{**ASSUMED, **parameters})
        r.calibrate(camera_info())
        return r, Sensor(r)

    return make


@pytest.fixture
def long_wait(monkeypatch):
    """Set the wait of images for their depth longer than the test takes."""
    monkeypatch.setattr(depth_stream, 'WAIT_S', 1000.0)


def depth_at(second=0, nanosec=0, **how):
    return depth_msg(DEPTH_M, **{'header': header(second, nanosec), **how})


def sources(message):
    return np.array([[k.source for k in pose.keypoints] for pose in message.poses])


def is_measured(message):
    if not (sources(message) == Keypoint3D.DEPTH).any():
        assert message.scale_source == PoseArray3D.ASSUMED_HEIGHT
        return False
    assert message.scale_source == PoseArray3D.DEPTH
    assert (sources(message) == Keypoint3D.DEPTH).sum(1).min() >= 10
    assert np.median(np.linalg.norm(metres(message) - TRUTH, axis=-1)) < 0.03
    return True


def test_without_depth_nothing_is_subscribed(robot):
    r = robot(**ASSUMED)
    r.calibrate(camera_info())
    message = r.poses_of(image_msg(GREY, header()))
    assert not is_measured(message)
    assert metres(message)[..., 2].mean() < 2.5
    names = [name for name, _ in r.pose_node.get_topic_names_and_types()]
    assert not [
        name for name in names if name.startswith(r.node.get_namespace()) and 'dep' in name
    ]


@pytest.mark.parametrize('encoding', ['16UC1', '32FC1'])
@pytest.mark.parametrize('big', [False, True])
def test_positions_by_depth(measuring, encoding, big):
    r, sensor = measuring()
    sensor.send(depth_at(5, encoding=encoding, big=big, padding=8))
    message = r.poses_of(image_msg(GREY, header(5)))
    assert is_measured(message)
    assert (sources(message)[:, Pose3D.PELVIS] == Keypoint3D.DEPTH).all()
    assert message.header == header(5)
    assert r.camera.depth.missing == 0


def test_image_waits_for_its_depth(measuring, long_wait):
    r, sensor = measuring()
    for second in range(3):
        r.send(image_msg(GREY, header(second)))
        assert len(r.received[PoseArray3D]) == second
        sensor.send(depth_at(second))
        r.spin_until(lambda second=second: len(r.received[PoseArray3D]) > second)
        assert is_measured(r.received[PoseArray3D][-1])


def test_depth_that_arrived_first(measuring, long_wait):
    """As after a long inference: several depth images are queued when the image is taken."""
    r, sensor = measuring()
    for second in range(1, 4):
        sensor.images.publish(depth_at(second))
    time.sleep(0.3)  # they arrive, and are not taken yet
    r.camera.on_image(image_msg(GREY, header(3)), {'publication_sequence_number': None})
    r.spin_until(lambda: r.received[PoseArray3D])
    assert r.received[PoseArray3D][-1].header == header(3)
    assert is_measured(r.received[PoseArray3D][-1])
    assert r.camera.depth.missing == 0


def test_next_image_ends_the_wait(measuring, long_wait):
    r, sensor = measuring()
    r.send(image_msg(GREY, header(1)))
    assert not r.received[PoseArray3D]
    sensor.send(depth_at(0))  # of no image
    assert not r.received[PoseArray3D]
    r.send(image_msg(GREY, header(2)))
    r.spin_until(lambda: len(r.received[PoseArray3D]) == 1)
    sensor.send(depth_at(2))
    r.spin_until(lambda: len(r.received[PoseArray3D]) == 2)
    first, second = r.received[PoseArray3D]
    assert (first.header.stamp.sec, second.header.stamp.sec) == (1, 2)
    assert not is_measured(first)
    assert is_measured(second)
    assert r.camera.depth.missing == 1


def test_no_wait_for_lost_depth(measuring, long_wait):
    r, sensor = measuring()
    sensor.send(depth_at(2))
    assert not is_measured(r.poses_of(image_msg(GREY, header(1))))
    r.send(image_msg(GREY, header(3)))
    sensor.send(depth_at(4))
    r.spin_until(lambda: len(r.received[PoseArray3D]) == 2)
    assert not is_measured(r.received[PoseArray3D][-1])
    assert is_measured(r.poses_of(image_msg(GREY, header(4))))


def test_one_wait_for_a_silent_sensor(measuring):
    r, sensor = measuring()
    assert not is_measured(r.poses_of(image_msg(GREY, header(1))))  # after a tenth of a second
    for second in (2, 3):
        r.send(image_msg(GREY, header(second)))
        assert r.camera.depth.waiting is None
        r.spin_until(lambda second=second: len(r.received[PoseArray3D]) == second)
    assert r.camera.depth.missing == 3
    sensor.send(depth_at(4))  # it is back
    assert is_measured(r.poses_of(image_msg(GREY, header(4))))
    r.send(image_msg(GREY, header(5)))
    sensor.send(depth_at(5))
    r.spin_until(lambda: len(r.received[PoseArray3D]) == 5)
    assert is_measured(r.received[PoseArray3D][-1])


def test_stamps_may_differ_by_the_tolerance(measuring):
    r, sensor = measuring()
    sensor.send(depth_at(1, 9_000_000))
    assert is_measured(r.poses_of(image_msg(GREY, header(1))))
    sensor.send(depth_at(2, 20_000_000))
    assert not is_measured(r.poses_of(image_msg(GREY, header(2))))
    r.pose_node.set_parameters([Parameter('depth_tolerance', value=0.02)])
    sensor.send(depth_at(3, 20_000_000))
    assert is_measured(r.poses_of(image_msg(GREY, header(3))))


def test_a_clock_that_jumps_back(measuring):
    r, sensor = measuring()
    for second in (100, 101):
        sensor.send(depth_at(second))
        assert is_measured(r.poses_of(image_msg(GREY, header(second))))
    for second in (5, 6):  # late, until a third one shows that the stamps start again
        r.send(image_msg(GREY, header(second)))
    for second in (7, 8):
        sensor.send(depth_at(second))
        assert is_measured(r.poses_of(image_msg(GREY, header(second))))


def test_depth_of_another_resolution(measuring):
    r, sensor = measuring()
    small = depth_image(TRUTH, [1.8, 1.8], intrinsics=half(CAMERA), hw=(128, 224)).depth_m
    message = depth_msg(small, header=header(1))
    sensor.send(message)
    assert not is_measured(r.poses_of(image_msg(GREY, header(1))))
    assert 'needs its own CameraInfo' in r.camera.depth.last_error
    info = camera_info_msg(half(CAMERA), 224, 128, header())
    sensor.infos.publish(info)
    r.spin_until(lambda: r.camera.depth.calibration.info == info)
    message.header = header(2)
    sensor.send(message)
    assert is_measured(r.poses_of(image_msg(GREY, header(2))))


@pytest.mark.parametrize(
    ('fields', 'named'),
    [
        ({'encoding': 'mono8'}, 'depth must be one of 16UC1'),
        ({'data': b''}, 'rows x step'),
        ({'width': 10**6, 'height': 10**6}, 'pixels'),
        ({'header': header(1, frame='depth_optical_frame')}, 'registered to the image'),
    ],
)
def test_bad_depth_is_reported_and_the_image_processed(measuring, capfd, fields, named):
    r, sensor = measuring()
    message = depth_at(1)
    for name, value in fields.items():
        setattr(message, name, value)
    sensor.send(message)
    message = r.poses_of(image_msg(GREY, header(1)))
    assert len(message.poses) == 2
    assert not is_measured(message)
    assert (r.camera.depth.missing, r.camera.depth.bad_images) == (1, 1)
    assert named in capfd.readouterr().err
    sensor.send(depth_at(2))
    assert is_measured(r.poses_of(image_msg(GREY, header(2))))
    assert r.camera.depth.last_error == ''


def test_depth_without_valid_pixels(measuring):
    r, sensor = measuring()
    sensor.send(depth_msg(np.zeros_like(DEPTH_M), header=header(1)))
    message = r.poses_of(image_msg(GREY, header(1)))
    assert len(message.poses) == 2
    assert not is_measured(message)
    assert r.camera.depth.missing == 0


def test_bad_image_with_depth_is_dropped(measuring):
    r, sensor = measuring()
    sensor.send(depth_at(1))
    r.send(Image(header=header(1), encoding='bgr8', width=9, height=9))
    assert r.camera.statistics.outcomes[Outcome.BAD] == 1
    sensor.send(depth_at(2))
    assert is_measured(r.poses_of(image_msg(GREY, header(2))))


def test_no_people_with_depth(measuring):
    r, sensor = measuring()
    sensor.send(depth_at(1))
    message = r.poses_of(image_msg(np.zeros_like(GREY), header(1)))
    assert not message.poses
    assert message.scale_source == PoseArray3D.ASSUMED_HEIGHT


def test_deactivated_while_an_image_waits(measuring, long_wait):
    r, sensor = measuring()
    r.send(image_msg(GREY, header(1)))
    assert r.camera.depth.waiting is not None
    r.pose_node.trigger_deactivate()
    assert r.camera.depth.waiting is None
    r.spin_until(lambda: not sensor.images.get_subscription_count())
    r.pose_node.trigger_activate()
    r.spin_until(sensor.images.get_subscription_count)
    r.spin_until(r.images.get_subscription_count)
    sensor.send(depth_at(2))
    assert is_measured(r.poses_of(image_msg(GREY, header(2))))


def test_two_cameras_with_depth(robot, long_wait):
    r = robot(cameras=['front', 'rear'], depth=True, **ASSUMED)
    sensor = Sensor(r, 'front/')
    r.calibrate(camera_info())
    r.cameras[1].images.publish(image_msg(GREY, header(1)))
    r.spin_until(lambda: r.pose_node.cameras[1].depth.waiting)
    sensor.send(depth_at(1))
    assert is_measured(r.poses_of(image_msg(GREY, header(1))))
    assert not r.cameras[1].received[PoseArray3D]


def status_of(robot):
    """Level, message and values that the node has on /diagnostics of its camera."""
    status = camera_status('camera', robot.camera, '', node_parameters.read(robot.pose_node))
    return status.level, status.message, {pair.key: pair.value for pair in status.values}


def test_diagnostics_of_missing_depth(measuring):
    r, sensor = measuring(max_latency=3600.0)
    r.poses_of(image_msg(GREY, header(1)))
    level, message, values = status_of(r)
    assert level == DiagnosticStatus.WARN
    assert 'no depth for the last image: no depth image within 0.01 s' in message
    assert (values['images without depth'], values['bad depth images']) == ('1', '0')
    sensor.send(depth_at(2, step=1))
    r.poses_of(image_msg(GREY, header(2)))
    level, message, values = status_of(r)
    assert 'step of at least' in message
    assert (values['images without depth'], values['bad depth images']) == ('2', '1')
    sensor.send(depth_at(3))
    r.poses_of(image_msg(GREY, header(3)))
    assert 'depth' not in status_of(r)[1]


def test_diagnostics_without_depth(robot):
    assert not [key for key in status_of(robot())[2] if 'depth' in key]
