"""Poses in another frame, with tf2 where it is installed and with a stand-in for it everywhere."""

import sys

import numpy as np
import pytest
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image
from support.robot import GREY, TRUTH, camera_info, header, metres
from visualization_msgs.msg import Marker, MarkerArray

from pose3d_ros.msg import PoseArray3D
from pose3d_ros.ros.image_statistics import Outcome
from pose3d_ros.ros.messages.images import image_msg
from pose3d_ros.ros.pose_node import SUCCESS


def test_poses_and_markers_in_the_frame_of_the_robot(robot, set_transform):
    r = robot(outputs=(PoseArray3D, MarkerArray), target_frame='base_link')
    r.calibrate(camera_info())
    set_transform(r, 12, x=0.25)
    message = r.poses_of(image_msg(GREY, header(12)))
    assert message.header == header(12, frame='base_link')
    x, y, z = np.moveaxis(TRUTH, -1, 0)
    expected = np.stack([z + 0.25, -x, 1.2 - y], axis=-1)
    np.testing.assert_allclose(metres(message), np.array(sorted(expected.tolist())), atol=0.01)
    left = min(message.poses, key=lambda p: p.keypoints[0].u)
    deviations = np.sqrt(np.diag(np.reshape(left.root_covariance, (3, 3))))
    assert deviations.argmax() == 0  # along the line of sight: ahead of the robot
    r.spin_until(lambda: r.received[MarkerArray])
    markers = r.received[MarkerArray][-1].markers
    assert {m.header.frame_id for m in markers} == {'base_link'}
    text = next(m for m in markers if m.type == Marker.TEXT_VIEW_FACING and m.text == '0')
    heads = [p.keypoints[1].position for p in message.poses if p.track_id == 0]
    assert text.pose.position.z == pytest.approx(heads[0].z + 0.25)
    assert text.pose.position.x == pytest.approx(heads[0].x)


def test_without_a_transform_at_the_stamp_nothing_is_published(robot, set_transform):
    r = robot(outputs=(PoseArray3D, MarkerArray), target_frame='base_link')
    r.calibrate(camera_info())
    r.send(image_msg(GREY, header(10)))
    set_transform(r, 12)
    r.send(image_msg(GREY, header(11)))
    r.send(image_msg(GREY, header(0)))
    message = r.poses_of(image_msg(GREY, header(12)))
    assert message.header.stamp.sec == 12
    assert len(r.received[PoseArray3D]) == 1
    assert r.camera.statistics.outcomes[Outcome.NO_TRANSFORM] == 3
    recent = r.camera.statistics.recent()
    assert (
        recent.images,
        recent.outcomes[Outcome.NO_TRANSFORM],
        recent.outcomes[Outcome.BAD],
    ) == (4, 3, 0)


def test_image_already_in_the_target_frame(robot, set_transform):
    """Nothing has to know the frame, and nothing moves."""
    r = robot(target_frame='base_link')
    r.calibrate(camera_info())
    message = r.poses_of(image_msg(GREY, header(3, frame='base_link')))
    assert message.header == header(3, frame='base_link')
    np.testing.assert_allclose(metres(message), TRUTH, atol=0.01)


def test_overlay_shows_the_distance_from_the_camera(robot, set_transform):
    """It is drawn in the image, of what was seen there, whatever the frame of the poses."""

    def overlay(**parameters):
        r = robot(outputs=(Image,), **parameters)
        r.calibrate(camera_info())
        if parameters:
            set_transform(r, 5, x=40.0)
        r.send(image_msg(GREY, header(5)))
        r.spin_until(lambda: r.received[Image])
        image = np.reshape(r.received[Image][-1].data, GREY.shape)
        return image[30:]  # without the time it took

    np.testing.assert_array_equal(overlay(), overlay(target_frame='base_link'))


def test_configuration_fails_without_tf2_and_can_be_repeated(robot, monkeypatch):
    monkeypatch.setitem(sys.modules, 'tf2_ros', None)
    r = robot(target_frame='base_link', activate=False)
    assert r.pose_node.trigger_configure() != SUCCESS
    r.pose_node.set_parameters([Parameter('target_frame', value='')])
    assert r.pose_node.trigger_configure() == SUCCESS
    assert r.pose_node.transforms is None


def test_tf_listener_is_destroyed_on_cleanup(robot, set_transform):
    """Configured and cleaned up again and again, there is one listener or none."""
    r = robot(target_frame='base_link', activate=False)
    names = lambda: r.node.get_node_names()  # noqa: E731
    for _ in range(3):
        assert r.pose_node.trigger_configure() == SUCCESS
        r.spin_until(lambda: names().count('pose_node_tf') == 1)
        thread = r.pose_node.transforms._thread
        assert r.pose_node.trigger_cleanup() == SUCCESS
        assert not thread.is_alive()
        r.spin_until(lambda: 'pose_node_tf' not in names())
