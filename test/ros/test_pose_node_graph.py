"""The pose node explains from the ROS graph why it receives no images or no CameraInfo."""

import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.context import Context
from rclpy.qos import QoSDurabilityPolicy, QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import String
from support.monitor import Monitor
from support.robot import GREY, camera_info, header

from pose3d_ros.msg import PoseArray3D
from pose3d_ros.ros import camera_stream
from pose3d_ros.ros.messages.images import image_msg
from pose3d_ros.ros.pose_node import SUCCESS

ERROR, WARN = DiagnosticStatus.ERROR, DiagnosticStatus.WARN
LATCHED = QoSProfile(depth=1, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)
QUIET = {'stale_after': 0.1, 'diagnostics_period': 0.1}


@pytest.fixture
def driver():
    """A node of another process, as DDS sees it: types may differ from those of the robot."""
    context = Context()
    rclpy.init(context=context)
    node = rclpy.create_node('driver', context=context)
    yield node
    node.destroy_node()
    rclpy.shutdown(context=context)


@pytest.fixture
def silent(robot, driver, capfd, monkeypatch):
    """Start a node whose camera sends nothing; check its diagnostics and its log."""
    monkeypatch.setattr(camera_stream, 'CAMERA_START_S', 0.0)

    def check(topics, *texts, **parameters):
        r = robot(await_camera=False, **QUIET, **parameters)
        r.node.destroy_publisher(r.images)
        for kind, topic in topics:
            driver.create_publisher(kind, topic, qos_profile_sensor_data)
        monitor = Monitor(r)
        for text in texts:
            monitor.until(ERROR, text)
        logged = []
        r.spin_until(lambda: logged.append(capfd.readouterr().err) or 'WARN' in ''.join(logged))
        r.spin_until(
            lambda: (
                logged.append(capfd.readouterr().err)
                or all(text in ''.join(logged) for text in texts[-1:])
            )
        )

    return check


def test_another_type_on_the_topic(silent):
    silent(
        [(String, '/mixed/image')],
        '/driver publishes std_msgs/msg/String on /mixed/image, not sensor_msgs/msg/Image: '
        'remap image_raw to a topic with images',
        image='/mixed/image',
    )


def test_compressed_images_for_a_raw_subscription(silent):
    silent(
        [(CompressedImage, '/cam1/image/compressed')],
        'no publisher on /cam1/image, but ',
        '/driver publishes /cam1/image/compressed (sensor_msgs/msg/CompressedImage): set '
        'image_transport to compressed',
        image='/cam1/image',
    )


def test_raw_images_for_a_compressed_subscription(silent):
    silent(
        [(Image, '/cam2/image')],
        '/driver publishes /cam2/image (sensor_msgs/msg/Image): set image_transport to raw',
        image='/cam2/image',
        image_transport='compressed',
    )


def test_images_on_another_topic(silent):
    silent(
        [(Image, '/front/color')],
        'no publisher on /wrong/image. Images are published on ',
        '/front/color (sensor_msgs/msg/Image by ',
        'remap image_raw to /front/color',
        image='/wrong/image',
    )


def test_no_images_at_all(silent):
    silent(
        # Overlays of another pose node are no images of a camera.
        [(PoseArray3D, '/other/poses'), (Image, '/other/overlay')],
        'none of images on any other topic: is the camera running',
        image='/none/image',
    )


def test_a_publisher_without_images(robot):
    r = robot(**QUIET)
    Monitor(r).until(ERROR, f'has a publisher on {r.images.topic_name} but no image arrives')


def test_a_camera_may_be_started_after_the_node(robot, monkeypatch):
    """Diagnostics report a missing camera at once, the log only when it had time to start."""
    r = robot(**QUIET)
    warned = []
    monkeypatch.setattr(r.camera.log, 'silence', warned.append)
    Monitor(r).until(ERROR, 'no image for ')
    r.camera.check_graph()
    assert not warned
    r.camera.statistics.since_s -= camera_stream.CAMERA_START_S
    r.camera.check_graph()
    assert len(warned) == 1
    assert warned[0] > camera_stream.CAMERA_START_S


def test_a_camera_that_stops_is_reported_as_soon_as_it_is_stale(robot, monkeypatch):
    r = robot(**QUIET)
    warned = []
    monkeypatch.setattr(r.camera.log, 'silence', warned.append)
    r.poses_of(image_msg(GREY, header(1)))
    r.spin_until(lambda: warned)
    assert warned[0] < camera_stream.CAMERA_START_S


def test_a_latched_camera_info_is_received(robot):
    """It was published once, before the node subscribed."""
    r = robot((), diagnostics_period=0.1)
    topic = r.infos.topic_name
    r.node.destroy_publisher(r.infos)
    infos = r.node.create_publisher(CameraInfo, topic, LATCHED)
    infos.publish(camera_info())
    r.cameras[0].subscribe([PoseArray3D])
    r.spin_until(lambda: r.camera.calibration.info == camera_info())
    r.spin_until(r.images.get_subscription_count)
    message = r.poses_of(image_msg(GREY, header(1)))
    assert message.intrinsics_source == PoseArray3D.CAMERA_INFO
    other = r.node.create_publisher(CameraInfo, topic, qos_profile_sensor_data)
    r.spin_until(other.get_subscription_count)
    changed = camera_info()
    changed.k[0] += 1
    other.publish(changed)
    r.spin_until(lambda: r.camera.calibration.info == changed)


def test_durability_can_be_overridden(robot):
    override = 'qos_overrides./mine/camera_info.subscription.{}'
    parameters = {'durability': 'transient_local', 'reliability': 'reliable'}
    parameters = {override.format(name): value for name, value in parameters.items()}
    r = robot(namespace='/mine', await_camera=False, activate=False, **parameters)
    r.pose_node.trigger_configure()
    r.pose_node.trigger_activate()
    found = []

    def subscribed():
        found[:] = r.node.get_subscriptions_info_by_topic('/mine/camera_info')
        return found

    r.spin_until(subscribed)
    assert found[0].qos_profile.durability == QoSDurabilityPolicy.TRANSIENT_LOCAL


@pytest.mark.parametrize(
    ('remap', 'expected'),
    [
        (['image_raw:=/side/camera/image'], '/side/camera/camera_info'),
        (['image_raw:=/side/image', 'camera_info:=/other/info'], '/other/info'),
        ([], '/here/camera_info'),
    ],
)
def test_camera_info_is_expected_beside_the_images(robot, remap, expected):
    r = robot(remap=remap, namespace='/here', activate=False)
    assert r.pose_node.trigger_configure() == SUCCESS
    assert r.camera.topics.info_topic == expected


def test_camera_info_of_several_cameras_and_of_depth(robot):
    remap = ['rear/depth_registered/image_rect:=/depth/image']
    r = robot(cameras=['front', 'rear'], namespace='/two', remap=remap)
    front, rear = (camera.topics for camera in r.pose_node.cameras)
    assert (front.info_topic, rear.info_topic) == (
        '/two/front/camera_info',
        '/two/rear/camera_info',
    )
    assert front.depth_info_topic == '/two/front/depth_registered/camera_info'
    assert rear.depth_info_topic == '/depth/camera_info'


def test_a_camera_info_on_another_topic_is_named(robot):
    r = robot(remap=['camera_info:=/lost/info'], activate=False, diagnostics_period=0.1)
    assert r.pose_node.trigger_configure() == SUCCESS == r.pose_node.trigger_activate()
    r.spin_until(r.images.get_subscription_count)
    r.poses_of(image_msg(GREY, header(1)))
    Monitor(r).until(
        WARN, f'no publisher on /lost/info; remap camera_info to {r.infos.topic_name}'
    )
