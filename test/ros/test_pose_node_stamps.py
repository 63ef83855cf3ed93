"""The pose node with stamps that stand still, run back, or are of two publishers."""

import itertools

import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
from support.monitor import Monitor, values
from support.robot import BLACK, GREY, camera_info, header

from pose3d_ros.msg import Pose3D
from pose3d_ros.ros.image_statistics import Outcome
from pose3d_ros.ros.messages.images import image_msg

WARN = DiagnosticStatus.WARN


def ids(message):
    return {pose.track_id for pose in message.poses}


@pytest.mark.parametrize('second', [0, 7])
def test_stamps_that_stand_still(robot, second, capfd):
    r = robot(diagnostics_period=0.1, track_memory=0.1)
    monitor = Monitor(r)
    r.calibrate(camera_info())
    first = r.poses_of(image_msg(GREY, header(second)))
    r.spin_until(
        lambda: (
            {p.state for p in r.poses_of(image_msg(GREY, header(second))).poses}
            == {Pose3D.CONFIRMED}
        )
    )
    known = ids(r.poses_of(image_msg(GREY, header(second))))
    # Without people for longer than track_memory, by the time of arrival.
    r.poses_of(image_msg(BLACK, header(second)))
    deadline = r.now_s() + 0.5
    r.spin_until(lambda: r.now_s() > deadline)
    r.poses_of(image_msg(BLACK, header(second)))
    again = ids(r.poses_of(image_msg(GREY, header(second))))
    assert len(again) == 2
    assert not again & (known | ids(first))
    monitor.until(WARN, 'did not advance: arrival times are used for tracking')
    assert capfd.readouterr().err.count('do not advance') == 1


def test_late_images_are_dropped_and_counted(robot):
    r = robot(diagnostics_period=0.1, track_memory=10.0)
    monitor = Monitor(r)
    r.calibrate(camera_info())
    known = ids(r.poses_of(image_msg(GREY, header(10))))
    for second in (12, 14, 16):
        r.send(image_msg(GREY, header(second - 1, 1)))
        r.send(image_msg(GREY, header(second - 2, 1)))
    statistics = r.camera.statistics
    assert statistics.outcomes[Outcome.LATE] == 3
    assert known == ids(r.poses_of(image_msg(GREY, header(15, 2))))
    monitor.until(WARN, 'arrived after a newer one and were dropped')
    r.spin_until(lambda: values(monitor.next()['camera'])['late images'] == '3')


def test_a_recording_that_starts_again(robot):
    r = robot()
    known = ids(r.poses_of(image_msg(GREY, header(100))))
    r.send(image_msg(GREY, header(1)))
    r.send(image_msg(GREY, header(2)))
    assert r.camera.statistics.outcomes[Outcome.LATE] == 2
    assert not known & ids(r.poses_of(image_msg(GREY, header(3))))


def test_two_publishers_are_named(robot):
    """Of a camera and a recording with older stamps, the camera is used."""
    r = robot(diagnostics_period=0.1)
    monitor = Monitor(r)
    r.calibrate(camera_info())
    other = r.node.create_publisher(Image, 'image_raw', qos_profile_sensor_data)
    r.spin_until(other.get_subscription_count)
    known = ids(r.poses_of(image_msg(GREY, header(100))))
    for tenths in itertools.count(1):
        stamped = image_msg(GREY, header(100 + tenths // 10, tenths % 10 * 10**8))
        assert ids(r.poses_of(stamped)) == known
        before = r.camera.statistics.images
        other.publish(image_msg(GREY, header(50 + tenths)))
        r.spin_until(lambda before=before: r.camera.statistics.images > before)
        if tenths == 8:
            break
    assert r.camera.statistics.outcomes[Outcome.LATE] == 8
    # Both publishers are of one node here.
    monitor.until(WARN, f'several nodes publish {r.images.topic_name}: ')
