"""The pose node in this process, with real messages over real DDS."""

import itertools
import re
import time

import numpy as np
import pytest
import rclpy
from network import write_network
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import QoSReliabilityPolicy, qos_profile_sensor_data
from scene import CAMERA, outputs, people_m
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from visualization_msgs.msg import Marker, MarkerArray

from pose3d_ros.camera import Intrinsics
from pose3d_ros.estimation.network import NetworkError
from pose3d_ros.models import ModelError
from pose3d_ros.msg import Keypoint3D, Pose3D, PoseArray3D
from pose3d_ros.ros.conversions import camera_info_msg, image_msg
from pose3d_ros.ros.pose_node import PoseNode, main

TRUTH = people_m((-0.5, 0.1, 3.0), (0.6, 0, 3.5))
GREY = np.full((256, 448, 3), 128, np.uint8)
BLACK = np.zeros_like(GREY)
PATIENCE_S = 10
NUMBERS = itertools.count()


class Robot:
    """A camera that publishes to one pose node, and somebody who listens to it."""

    def __init__(self, model, outputs_wanted=(PoseArray3D,), namespace='', **parameters):
        parameters = {'model': str(model), 'device': 'CPU', 'precision': 'f32', **parameters}
        overrides = [Parameter(name, value=value) for name, value in parameters.items()]
        # A namespace of its own: other robots have topics of the same names.
        namespace = namespace or f'/robot{next(NUMBERS)}'
        self.pose_node = PoseNode(parameter_overrides=overrides, namespace=namespace)
        self.node = rclpy.create_node('robot', namespace=namespace)
        self.images = self.node.create_publisher(Image, 'image_raw', qos_profile_sensor_data)
        self.infos = self.node.create_publisher(CameraInfo, 'camera_info', qos_profile_sensor_data)
        self.got = {PoseArray3D: [], MarkerArray: [], Image: []}
        topics = {PoseArray3D: 'poses', MarkerArray: 'markers', Image: 'overlay'}
        for kind in outputs_wanted:
            self.node.create_subscription(kind, topics[kind], self.got[kind].append, 10)
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.pose_node)
        self.executor.add_node(self.node)
        heard = [getattr(self.pose_node, topics[kind]) for kind in outputs_wanted]
        self.spin_until(
            lambda: all(p.get_subscription_count() for p in (self.images, self.infos, *heard))
        )

    def spin_until(self, condition):
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, 'nothing came'
            self.executor.spin_once(timeout_sec=0.02)

    def calibrate(self, info):
        self.infos.publish(info)
        self.spin_until(lambda: self.pose_node.calibration.info == info)

    def see(self, image):
        """Publish an image, wait for what the node makes of it."""
        seen = self.pose_node.images
        self.images.publish(image)
        self.spin_until(lambda: self.pose_node.images > seen)

    def poses_of(self, image):
        number = len(self.got[PoseArray3D])
        self.see(image)
        self.spin_until(lambda: len(self.got[PoseArray3D]) > number)
        return self.got[PoseArray3D][-1]

    def close(self):
        self.executor.shutdown()
        self.pose_node.destroy_node()
        self.node.destroy_node()


@pytest.fixture
def robot(two_people_xml):
    robots = []

    def make(*args, model=two_people_xml, **parameters):
        robots.append(Robot(model, *args, **parameters))
        return robots[-1]

    rclpy.init()
    yield make
    for made in robots:
        made.close()
    rclpy.shutdown()


def header(second=0, nanosec=0, frame='camera_optical_frame'):
    made = Header(frame_id=frame)
    made.stamp.sec, made.stamp.nanosec = second, nanosec
    return made


def camera_info():
    return camera_info_msg(CAMERA, 448, 256, header())


def metres(message):
    """(N, 19, 3), the people from left to right."""
    xyz = [
        [(k.position.x, k.position.y, k.position.z) for k in pose.keypoints]
        for pose in message.poses
    ]
    return np.array(sorted(xyz))


def test_people_in_metres_with_the_images_own_header(robot):
    r = robot()
    r.calibrate(camera_info())
    message = r.poses_of(image_msg(GREY, header(12, 345, 'front_optical')))
    assert message.header == header(12, 345, 'front_optical')
    assert message.skeleton == 'panoptic19'
    assert message.intrinsics_source == PoseArray3D.CAMERA_INFO
    assert message.scale_source == PoseArray3D.ASSUMED_HEIGHT
    np.testing.assert_allclose(metres(message), TRUTH, atol=0.01)


def test_keypoints_by_their_constants(robot):
    r = robot()
    r.calibrate(camera_info())
    pose = min(r.poses_of(image_msg(GREY, header())).poses, key=lambda p: p.keypoints[0].u)
    wrist = pose.keypoints[Pose3D.LEFT_WRIST]
    assert wrist.source == Keypoint3D.OBSERVED
    assert 0.5 < wrist.score <= 1
    expected = CAMERA.project(TRUTH[0, Pose3D.LEFT_WRIST])
    np.testing.assert_allclose([wrist.u, wrist.v], expected, atol=0.1)
    pelvis = pose.keypoints[Pose3D.PELVIS]
    assert pelvis.source == Keypoint3D.INFERRED
    assert pelvis.score == 0
    assert np.isnan([pelvis.u, pelvis.v]).all()
    assert pelvis.position.z == pytest.approx(3.0, abs=0.02)
    assert pose.state == Pose3D.TENTATIVE
    assert pose.age == 0


def test_what_nobody_knows_is_nan(robot, tmp_path):
    """A person whose neck and legs are hidden: no cell says where the feet are."""
    hidden = [(0, 'neck')]
    hidden += [(0, f'{s}_{p}') for s in ('left', 'right') for p in ('hip', 'knee', 'ankle')]
    scene = outputs(people_m((0, 0.4, 2.5)), CAMERA, hidden=hidden)
    r = robot(model=write_network(tmp_path / 'half.xml', scene))
    r.calibrate(camera_info())
    (pose,) = r.poses_of(image_msg(GREY, header())).poses
    ankle = pose.keypoints[Pose3D.LEFT_ANKLE]
    assert (ankle.source, ankle.score) == (Keypoint3D.NONE, 0)
    assert np.isnan([ankle.position.x, ankle.position.y, ankle.position.z, ankle.u]).all()
    assert pose.keypoints[Pose3D.LEFT_WRIST].source == Keypoint3D.OBSERVED


def test_nobody_is_published(robot):
    r = robot()
    message = r.poses_of(image_msg(BLACK, header(3)))
    assert list(message.poses) == []
    assert message.header == header(3)


def test_ids_and_age_go_on(robot):
    r = robot()
    r.calibrate(camera_info())
    ids = set()
    for i in range(10):
        message = r.poses_of(image_msg(GREY, header(i // 5, (i % 5) * 200_000_000)))
        ids.add(frozenset(pose.track_id for pose in message.poses))
    assert len(ids) == 1
    assert {pose.state for pose in message.poses} == {Pose3D.CONFIRMED}
    assert [pose.age for pose in message.poses] == pytest.approx([1.8, 1.8])


def test_focal_length_in_order(robot):
    """CameraInfo wins over the parameter, the parameter over the guess; each is flagged."""
    guess = robot()
    message = guess.poses_of(image_msg(GREY, header()))
    assert message.intrinsics_source == PoseArray3D.GUESSED
    # 0.8 x 448 px is a little shorter than the true 360 px.
    assert metres(message)[..., 2].mean() == pytest.approx(TRUTH[..., 2].mean(), rel=0.02)

    told = robot(focal_length=720.0, smoothing=False)
    message = told.poses_of(image_msg(GREY, header()))
    assert message.intrinsics_source == PoseArray3D.PARAMETER
    assert metres(message)[..., 2].mean() == pytest.approx(2 * TRUTH[..., 2].mean(), rel=0.05)

    told.calibrate(camera_info())
    message = told.poses_of(image_msg(GREY, header(1)))
    assert message.intrinsics_source == PoseArray3D.CAMERA_INFO
    np.testing.assert_allclose(metres(message), TRUTH, atol=0.02)


def test_unusable_camera_info_is_not_used(robot):
    r = robot()
    zeros = camera_info_msg(None, 448, 256, header())
    other_size = camera_info_msg(CAMERA, 640, 480, header())
    absurd = camera_info()
    absurd.k[0] = float('nan')
    for info in (zeros, other_size):
        r.calibrate(info)
        message = r.poses_of(image_msg(GREY, header()))
        assert message.intrinsics_source == PoseArray3D.GUESSED
        assert len(message.poses) == 2
    r.infos.publish(absurd)
    r.spin_until(lambda: np.isnan(r.pose_node.calibration.info.k[0]))
    assert r.poses_of(image_msg(GREY, header())).intrinsics_source == PoseArray3D.GUESSED


def test_rectified_images_have_p(robot):
    """K and the distortion are another lens's: the people would be elsewhere."""
    info = camera_info()
    info.k[0], info.k[4], info.d = 500.0, 500.0, [-0.3, 0.1, 0.0, 0.0, 0.0]
    right, wrong = robot(rectified=True), robot()
    for r in (right, wrong):
        r.calibrate(info)
        message = r.poses_of(image_msg(GREY, header()))
        assert message.intrinsics_source == PoseArray3D.CAMERA_INFO
        assert np.allclose(metres(message), TRUTH, atol=0.02) == (r is right)


def test_the_camera_info_of_a_larger_image_is_scaled(robot):
    camera = Intrinsics(2 * CAMERA.fx, 2 * CAMERA.fy, 2 * CAMERA.cx + 0.5, 2 * CAMERA.cy + 0.5)
    r = robot()
    r.calibrate(camera_info_msg(camera, 2 * 448, 2 * 256, header()))
    message = r.poses_of(image_msg(GREY, header()))
    assert message.intrinsics_source == PoseArray3D.CAMERA_INFO
    np.testing.assert_allclose(metres(message), TRUTH, atol=0.01)


@pytest.mark.parametrize('encoding', ['rgb8', 'bgra8', 'rgba8', 'mono8', 'yuv422_yuy2', 'rgb16'])
def test_other_encodings(robot, encoding):
    r = robot()
    r.calibrate(camera_info())
    bytes_per_pixel = {'mono8': 1, 'rgb8': 3, 'rgb16': 6, 'yuv422_yuy2': 2}.get(encoding, 4)
    image = Image(header=header(), height=256, width=448, encoding=encoding)
    image.step = 448 * bytes_per_pixel + 16  # rows may be longer than their pixels
    image.data = bytes([128]) * (256 * image.step)
    if encoding in ('yuv422_yuy2', 'rgb16'):  # the converters take no such rows
        image.step -= 16
        image.data = bytes([128]) * (256 * image.step)
    np.testing.assert_allclose(metres(r.poses_of(image)), TRUTH, atol=0.01)


def spoil(**fields):
    image = image_msg(GREY, header())
    for name, value in fields.items():
        setattr(image, name, value)
    return image


@pytest.mark.parametrize(
    ('image', 'says'),
    [
        (spoil(encoding='plasma'), "encoding must be .* found 'plasma'"),
        (spoil(encoding=''), "found ''"),
        (spoil(encoding='32FC1', step=4 * 448, data=bytes(4 * 448 * 256)), "found '32FC1'"),
        (spoil(height=0), 'pixels, found 448x0'),
        (spoil(data=b''), 'found 0'),
        (spoil(data=bytes(100)), '344064 bytes, found 100'),
        (spoil(step=100), 'step must be at least 3 x width = 1344 for bgr8, found 100'),
        (spoil(width=4_000_000, height=4_000_000), '1 to 100000000 pixels'),
    ],
)
def test_a_bad_image_is_counted_and_dropped(robot, image, says, capfd):
    r = robot()
    r.see(image)
    assert (r.pose_node.images, r.pose_node.bad_images) == (1, 1)
    assert r.got[PoseArray3D] == []
    logged = capfd.readouterr().err
    assert re.search(f'WARN.*1 of 1.*{says}', logged)
    assert len(r.poses_of(image_msg(GREY, header(1))).poses) == 2


def test_a_best_effort_camera_is_heard_newest_first(robot):
    """Images that arrive while one is worked on make way for the newest."""
    r = robot()
    for second in range(5):
        r.images.publish(image_msg(GREY, header(second)))
    time.sleep(0.2)
    r.spin_until(lambda: r.got[PoseArray3D])
    assert r.got[PoseArray3D][-1].header.stamp.sec == 4
    assert len(r.got[PoseArray3D]) == 1
    (endpoint,) = r.node.get_subscriptions_info_by_topic(r.images.topic_name)
    assert endpoint.qos_profile.reliability == QoSReliabilityPolicy.BEST_EFFORT


def test_quality_of_service_can_be_set_from_outside(robot):
    override = {'qos_overrides./front/poses.publisher.reliability': 'best_effort'}
    r = robot((MarkerArray,), namespace='/front', **override)
    (endpoint,) = r.node.get_publishers_info_by_topic('/front/poses')
    assert endpoint.qos_profile.reliability == QoSReliabilityPolicy.BEST_EFFORT
    (endpoint,) = r.node.get_publishers_info_by_topic('/front/markers')
    assert endpoint.qos_profile.reliability == QoSReliabilityPolicy.RELIABLE


def test_markers_and_overlay(robot):
    r = robot((PoseArray3D, MarkerArray, Image))
    r.calibrate(camera_info())
    r.see(image_msg(GREY, header(7)))
    r.spin_until(lambda: r.got[MarkerArray] and r.got[Image])
    (markers,), (overlay,) = r.got[MarkerArray], r.got[Image]
    assert {m.header.frame_id for m in markers.markers} == {'camera_optical_frame'}
    named = [(m.ns, m.id) for m in markers.markers]
    assert {('', 0), ('limbs', 0), ('keypoints', 0)} < set(named)
    assert len(set(named)) == len(named)
    assert markers.markers[0].action == Marker.DELETEALL
    points = [(p.x, p.y, p.z) for m in markers.markers for p in m.points]
    assert np.isfinite(points).all()
    np.testing.assert_allclose(np.min(points, 0), TRUTH.min((0, 1)), atol=0.05)
    assert overlay.header == header(7)
    assert (overlay.encoding, overlay.width, overlay.height) == ('bgr8', 448, 256)
    drawn = np.frombuffer(overlay.data, np.uint8).reshape(GREY.shape)
    changed = np.argwhere((drawn != GREY).any(2))
    for u, v in CAMERA.project(TRUTH[:, Pose3D.LEFT_WRIST]):
        assert np.hypot(changed[:, 1] - u, changed[:, 0] - v).min() < 2
    r.see(image_msg(BLACK, header(8)))
    r.spin_until(lambda: len(r.got[MarkerArray]) == 2)
    assert [m.action for m in r.got[MarkerArray][1].markers] == [Marker.DELETEALL]


def test_two_nodes_in_one_process_share_nothing(robot):
    a, b = robot(), robot(focal_length=720.0)
    assert a.pose_node.tracker is not b.pose_node.tracker


@pytest.mark.parametrize(
    ('parameters', 'error', 'says'),
    [
        ({'model': '/nowhere/model.xml'}, ModelError, '/nowhere/model.xml'),
        ({'device': 'TPU'}, NetworkError, "device 'TPU'"),
        ({'stride': 4}, NetworkError, 'stride is 4'),
        ({'input_height': 256}, NetworkError, 'both set, found 256 and 0'),
    ],
)
def test_a_wrong_configuration_is_named(robot, two_people_xml, parameters, error, says):
    with pytest.raises(error, match=says):
        Robot(parameters.pop('model', two_people_xml), **parameters)


def test_main_says_what_is_wrong_and_returns_1(capfd):
    assert main(['--ros-args', '-p', 'model:=/nowhere/model.xml']) == 1
    printed = ''.join(capfd.readouterr())
    assert '/nowhere/model.xml' in printed
    assert 'Traceback' not in printed
    assert not rclpy.ok()
