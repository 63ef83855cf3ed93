"""Several cameras of one pose node, and when a camera is heard at all."""

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
from pose3d_ros.ros.image_statistics import ImageStatistics
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
    message = r.poses_of(image_msg(GREY, header(1, 0, 'rear_optical')), eye=1)
    assert message.header == header(1, 0, 'rear_optical')
    assert message.intrinsics_source == PoseArray3D.GUESSED
    assert len(r.eyes[0].received[PoseArray3D]) == len(r.eyes[1].received[PoseArray3D]) == 1
    r.spin_until(lambda: r.node.count_publishers(f'{r.node.get_namespace()}/rear/overlay'))


def test_what_one_camera_is_warned_of_the_other_is_too(robot, capfd):
    """ROS's logs repeat nothing that is said once; to each camera it is new."""
    r = robot(**TWO)
    r.poses_of(image_msg(GREY, header()))
    r.poses_of(image_msg(GREY, header()), eye=1)
    r.eyes[0].images.publish(Image())
    r.eyes[1].images.publish(Image())
    r.spin_until(lambda: all(c.statistics.bad_images for c in r.pose_node.cameras))
    logged = capfd.readouterr().err
    for name in TWO['cameras']:
        for text in ('focal length guessed', 'image dropped'):
            assert sum(f'.{name}]: {text}' in line for line in logged.splitlines()) == 1


def test_ids_of_one_camera_are_not_those_of_another(robot):
    """And a clock that jumps back, as when a bag is played again, starts one camera anew."""
    r = robot(**TWO)

    def ids(eye, second):
        message = r.poses_of(image_msg(GREY, header(second)), eye)
        return {pose.track_id for pose in message.poses}

    first = ids(0, 100)
    assert ids(1, 5) == first  # of their own cameras
    assert ids(0, 101) == first
    again = ids(0, 50)
    assert not again & first
    assert ids(1, 6) == first
    assert ids(0, 51) == again


def test_a_fast_camera_does_not_starve_a_slow_one(robot):
    r = robot(**TWO)
    fast = r.eyes[0]
    done = threading.Event()

    def hurry():
        image = image_msg(GREY, header())
        while not done.wait(1 / FAST_HZ):
            fast.images.publish(image)

    hurrying = threading.Thread(target=hurry)
    hurrying.start()
    try:
        answers = []
        for second in range(20):
            before = len(fast.received[PoseArray3D])
            answers.append(r.poses_of(image_msg(GREY, header(second)), eye=1).header.stamp.sec)
            # Nobody waits for the other for long.
            assert len(fast.received[PoseArray3D]) - before <= 5
            r.spin_until(lambda before=before: len(fast.received[PoseArray3D]) > before)
    finally:
        done.set()
        hurrying.join()
    assert answers == list(range(20))
    assert r.pose_node.cameras[0].statistics.dropped > 20
    assert r.pose_node.cameras[1].statistics.dropped == 0


def test_one_cameras_garbage_and_silence_do_not_disturb_the_other(robot):
    r = robot(cameras=['front', 'rear', 'silent'])
    for second in range(10):
        r.eyes[0].images.publish(Image(encoding='bgr8', width=9, height=9))
        assert len(r.poses_of(image_msg(GREY, header(second)), eye=1).poses) == 2
    r.spin_until(lambda: r.camera.statistics.images == 10)
    assert r.camera.statistics.bad_images == 10


def test_images_that_make_way_for_the_newest_are_counted(robot):
    r = robot()
    for second in range(5):
        r.images.publish(image_msg(GREY, header(second)))
    r.spin_until(
        lambda: r.received[PoseArray3D] and r.received[PoseArray3D][-1].header.stamp.sec == 4
    )
    r.poses_of(image_msg(GREY, header(5)))
    statistics = r.camera.statistics
    # What came before the first image of a publisher is not known to be for us.
    first = r.received[PoseArray3D][0].header.stamp.sec
    assert statistics.dropped == 6 - first - statistics.images
    for second in range(6, 16):
        r.images.publish(image_msg(GREY, header(second)))
    r.spin_until(lambda: r.received[PoseArray3D][-1].header.stamp.sec == 15)
    assert statistics.dropped == 16 - first - statistics.images
    assert statistics.bad_images == 0


def test_each_publishers_images_are_counted_by_themselves(robot):
    """A camera that starts again numbers its images anew."""
    r = robot()
    for _ in range(3):
        for second in range(3):
            r.poses_of(image_msg(GREY, header(second)))
        r.node.destroy_publisher(r.images)
        r.images = r.eyes[0].images = r.node.create_publisher(
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
def test_numbers_of_images_without_a_word_of_who_sent_them(numbers, dropped):
    statistics = ImageStatistics()
    for number in numbers:
        statistics.record_arrival({'publication_sequence_number': number})
        statistics.record_processed(0.1, 0.1, 0.1)
    assert (statistics.images, statistics.dropped) == (len(numbers), dropped)
    assert np.isnan(statistics.recent().input_hz) == (dropped is None)
    assert statistics.recent().output_hz > 0


@pytest.mark.parametrize('kind', [PoseArray3D, MarkerArray, Image])
def test_a_camera_is_heard_only_while_somebody_listens(robot, kind):
    r = robot(())
    assert r.images.get_subscription_count() == r.infos.get_subscription_count() == 0
    (eye,) = r.eyes
    for second in range(3):
        eye.listen([kind])
        r.spin_until(r.images.get_subscription_count)
        r.images.publish(image_msg(GREY, header(second)))
        r.spin_until(lambda second=second: len(eye.received[kind]) == second + 1)
        eye.listen_no_more()
        r.spin_until(lambda: not r.images.get_subscription_count())
    assert r.camera.statistics.images == 3
    assert r.camera.statistics.dropped == 0


def test_a_camera_is_heard_anyway_if_that_is_wished(robot):
    r = robot((), lazy=False)
    r.see(image_msg(GREY, header()))
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
    for _ in range(2):  # whoever says it again is not wrong
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
