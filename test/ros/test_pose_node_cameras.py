"""Several cameras of one pose node, and lazy subscription."""

import itertools
import threading

import numpy as np
import pytest
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
from std_srvs.srv import SetBool
from support.robot import GREY, TRUTH, camera_info, header, metres
from visualization_msgs.msg import MarkerArray

from pose3d_ros.msg import PoseArray3D
from pose3d_ros.ros.image_statistics import ImageStatistics, Outcome
from pose3d_ros.ros.messages.images import image_msg

TWO = {'cameras': ['front', 'rear']}
FAST_HZ = 400


def test_every_camera_has_topics_and_a_calibration_of_its_own(robot):
    r = robot(**TWO)
    front, rear = r.pose_node.cameras
    assert front.pipeline.estimator is rear.pipeline.estimator
    r.calibrate(camera_info())
    message = r.poses_of(image_msg(GREY, header(12, 345, 'front_optical')))
    assert message.header == header(12, 345, 'front_optical')
    assert message.intrinsics_source == PoseArray3D.CAMERA_INFO
    np.testing.assert_allclose(metres(message), TRUTH, atol=0.01)
    message = r.poses_of(image_msg(GREY, header(1, 0, 'rear_optical')), camera=1)
    assert message.header == header(1, 0, 'rear_optical')
    assert message.intrinsics_source == PoseArray3D.GUESSED
    assert len(r.cameras[0].received[PoseArray3D]) == len(r.cameras[1].received[PoseArray3D]) == 1
    r.spin_until(lambda: r.node.count_publishers(f'{r.node.get_namespace()}/rear/overlay'))


def test_warnings_are_throttled_per_camera(robot, capfd):
    """ROS's logs repeat nothing that is said once; to each camera it is new."""
    r = robot(**TWO)
    r.poses_of(image_msg(GREY, header()))
    r.poses_of(image_msg(GREY, header()), camera=1)
    r.cameras[0].images.publish(Image())
    r.cameras[1].images.publish(Image())
    r.spin_until(lambda: all(c.statistics.outcomes[Outcome.BAD] for c in r.pose_node.cameras))
    logged = capfd.readouterr().err
    for name in TWO['cameras']:
        for text in ('focal length guessed', 'image dropped'):
            assert sum(f'.{name}]: {text}' in line for line in logged.splitlines()) == 1


def test_cameras_have_separate_trackers(robot):
    """And a clock that jumps back, as when a bag is played again, starts one camera anew."""
    r = robot(**TWO)

    def ids(camera, second):
        message = r.poses_of(image_msg(GREY, header(second)), camera)
        return {pose.track_id for pose in message.poses}

    first = ids(0, 100)
    assert ids(1, 5) == first  # of their own cameras
    assert ids(0, 101) == first
    for second in (48, 49):  # late, until a third one shows that the stamps start again
        r.send(image_msg(GREY, header(second)))
    again = ids(0, 50)
    assert not again & first
    assert ids(1, 6) == first
    assert ids(0, 51) == again


def test_a_fast_camera_does_not_starve_a_slow_one(robot):
    r = robot(**TWO)
    fast = r.cameras[0]
    done = threading.Event()

    def publish():
        image = image_msg(GREY, header())
        while not done.wait(1 / FAST_HZ):
            fast.images.publish(image)

    publisher = threading.Thread(target=publish)
    publisher.start()
    try:
        stamps = []
        for second in range(20):
            before = len(fast.received[PoseArray3D])
            stamps.append(r.poses_of(image_msg(GREY, header(second)), camera=1).header.stamp.sec)
            r.spin_until(lambda before=before: len(fast.received[PoseArray3D]) > before)
    finally:
        done.set()
        publisher.join()
    assert stamps == list(range(20))
    assert r.pose_node.cameras[1].statistics.dropped == 0


def test_one_cameras_garbage_and_silence_do_not_disturb_the_other(robot):
    r = robot(cameras=['front', 'rear', 'silent'])
    for second in range(10):
        r.cameras[0].images.publish(Image(encoding='bgr8', width=9, height=9))
        assert len(r.poses_of(image_msg(GREY, header(second)), camera=1).poses) == 2
    r.spin_until(lambda: r.camera.statistics.images == 10)
    assert r.camera.statistics.outcomes[Outcome.BAD] == 10


def test_dropped_images_are_counted(robot):
    r = robot()
    for second in range(5):
        r.images.publish(image_msg(GREY, header(second)))
    r.spin_until(
        lambda: r.received[PoseArray3D] and r.received[PoseArray3D][-1].header.stamp.sec == 4
    )
    r.poses_of(image_msg(GREY, header(5)))
    statistics = r.camera.statistics
    # Images before the first received one of a publisher are not counted.
    first = r.received[PoseArray3D][0].header.stamp.sec
    assert statistics.dropped == 6 - first - statistics.images
    for second in range(6, 16):
        r.images.publish(image_msg(GREY, header(second)))
    r.spin_until(lambda: r.received[PoseArray3D][-1].header.stamp.sec == 15)
    assert statistics.dropped == 16 - first - statistics.images
    assert statistics.outcomes[Outcome.BAD] == 0


def test_sequence_numbers_are_per_publisher(robot):
    """A camera that restarts numbers its images from the start."""
    r = robot()
    seconds = itertools.count()
    for _ in range(3):
        for _ in range(3):
            r.poses_of(image_msg(GREY, header(next(seconds))))
        r.node.destroy_publisher(r.images)
        r.images = r.cameras[0].images = r.node.create_publisher(
            Image, 'image_raw', qos_profile_sensor_data
        )
        r.spin_until(r.images.get_subscription_count)
    assert (r.camera.statistics.images, r.camera.statistics.dropped) == (9, 0)


@pytest.mark.parametrize(
    ('numbers', 'dropped'),
    [
        ([7, 8, 9], 0),  # what was before the first was not for us
        ([7, 9, 12], 3),
        ([7, 8, 1, 2, 4], 1),  # a publisher that has started again
        ([7, None, 9], None),
        ([0, 0, 0], None),  # a middleware that does not count
    ],
)
def test_sequence_numbers_without_publisher_gid(numbers, dropped):
    statistics = ImageStatistics()
    for number in numbers:
        statistics.record_arrival({'publication_sequence_number': number})
        statistics.record_processed(0.1, 0.1, 0.1)
    assert (statistics.images, statistics.dropped) == (len(numbers), dropped)
    assert np.isnan(statistics.recent().input_hz) == (dropped is None)
    assert statistics.recent().output_hz > 0


@pytest.mark.parametrize('kind', [PoseArray3D, MarkerArray, Image])
def test_lazy_subscription(robot, kind):
    r = robot(())
    assert r.images.get_subscription_count() == r.infos.get_subscription_count() == 0
    (camera,) = r.cameras
    for second in range(3):
        camera.subscribe([kind])
        r.spin_until(r.images.get_subscription_count)
        r.images.publish(image_msg(GREY, header(second)))
        r.spin_until(lambda second=second: len(camera.received[kind]) == second + 1)
        camera.unsubscribe()
        r.spin_until(lambda: not r.images.get_subscription_count())
    assert r.camera.statistics.images == 3
    assert r.camera.statistics.dropped == 0


def test_subscription_without_lazy(robot):
    r = robot((), lazy=False)
    r.send(image_msg(GREY, header()))
    r.pose_node.set_parameters([Parameter('lazy', value=True)])
    r.spin_until(lambda: not r.images.get_subscription_count())


def test_pause_and_resume(robot):
    r = robot()
    client = r.node.create_client(SetBool, 'pose_node/pause')
    r.spin_until(client.service_is_ready)

    def pause(data):
        future = client.call_async(SetBool.Request(data=data))
        r.spin_until(future.done)
        assert future.result().success

    ids = [pose.track_id for pose in r.poses_of(image_msg(GREY, header())).poses]
    for _ in range(2):  # repeating the request is allowed
        pause(True)
    r.spin_until(lambda: not r.images.get_subscription_count())
    r.images.publish(image_msg(GREY, header()))
    pause(False)
    r.spin_until(r.images.get_subscription_count)
    message = r.poses_of(image_msg(GREY, header(0, 500_000_000)))
    assert [pose.track_id for pose in message.poses] == ids
    assert r.camera.statistics.images == 2


def test_two_nodes_with_a_namespace_each(robot):
    a, b = robot(namespace='/a'), robot(namespace='/b', focal_length=720.0)
    assert a.poses_of(image_msg(GREY, header())).intrinsics_source == PoseArray3D.GUESSED
    assert b.poses_of(image_msg(GREY, header())).intrinsics_source == PoseArray3D.PARAMETER
    assert len(a.received[PoseArray3D]) == len(b.received[PoseArray3D]) == 1
