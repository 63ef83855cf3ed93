"""People as vision_msgs/Detection3DArray, with the package where installed, else a stand-in."""

import importlib.util
import sys
from dataclasses import replace

import numpy as np
import pytest
from rclpy.serialization import serialize_message
from support import vision_msgs_stand_in
from support.people import STANDING_M, scene
from support.robot import BLACK, GREY, camera_info, header

from pose3d_ros.people import TrackedPeople
from pose3d_ros.ros.camera_stream import UP
from pose3d_ros.ros.messages.detections import MARGIN_M, detection_array
from pose3d_ros.ros.messages.images import image_msg
from pose3d_ros.ros.messages.transforms import PeopleInFrame
from pose3d_ros.ros.pose_node import SUCCESS
from pose3d_ros.skeleton import PANOPTIC19

needs_vision_msgs = pytest.mark.skipif(
    importlib.util.find_spec('vision_msgs') is None, reason='vision_msgs is not installed'
)
COVARIANCE = np.array([[4, 1, 0], [1, 5, 2], [0, 2, 9.0]])


@pytest.fixture(params=['stand-in', pytest.param('vision_msgs', marks=needs_vision_msgs)])
def vision(request):
    if request.param == 'stand-in':
        return vision_msgs_stand_in
    return importlib.import_module('vision_msgs.msg')


def in_frame(places):
    people = scene(places)
    people = replace(people, root_covariance_m2=np.tile(COVARIANCE, (len(people), 1, 1)))
    n = len(people)
    tracked = TrackedPeople(people, 10 + np.arange(n), np.ones(n, np.uint8), np.zeros(n))
    return PeopleInFrame(tracked, header(7), UP)


def xyz(vector):
    return np.array([vector.x, vector.y, vector.z])


def test_detection_of_a_person(vision):
    made = detection_array(vision, in_frame([(-1, 0, 4), (1, 0, 4)]))
    assert made.header == header(7)
    assert [d.id for d in made.detections] == ['10', '11']
    detection = made.detections[1]
    assert detection.header == header(7)
    (result,) = detection.results
    assert (result.hypothesis.class_id, result.hypothesis.score) == ('person', 0.8)
    np.testing.assert_allclose(xyz(result.pose.pose.position), (1, 0, 4))
    covariance = np.reshape(result.pose.covariance, (6, 6))
    np.testing.assert_allclose(covariance[:3, :3], COVARIANCE)
    np.testing.assert_allclose(covariance[3:, :3], 0)
    assert (np.diag(covariance)[3:] > 3).all()  # nothing is known of the orientation


def test_box_contains_the_known_keypoints(vision):
    people = in_frame([(1, 0, 4)])
    ankles = PANOPTIC19.indices(('left_ankle', 'right_ankle'))
    people.tracked.people.xyz_m[0, ankles] = np.nan
    box = detection_array(vision, people).detections[0].bbox
    known = np.delete(STANDING_M, ankles, axis=0) + np.array([1, 0, 4])
    low, high = (xyz(box.center.position) + sign * xyz(box.size) / 2 for sign in (-1, 1))
    np.testing.assert_allclose(low, known.min(axis=0) - MARGIN_M)
    np.testing.assert_allclose(high, known.max(axis=0) + MARGIN_M)
    assert box.center.orientation.w == 1


def test_people_of_unknown_position_are_left_out(vision):
    people = in_frame([(1, 0, 4), (np.nan, 0, 4)])
    assert [d.id for d in detection_array(vision, people).detections] == ['10']
    assert detection_array(vision, in_frame([])).detections == []


@needs_vision_msgs
def test_the_message_can_be_serialised():
    messages = importlib.import_module('vision_msgs.msg')
    assert serialize_message(detection_array(messages, in_frame([(1, 0, 4)])))


def test_configuration_fails_without_vision_msgs(robot, monkeypatch):
    monkeypatch.setitem(sys.modules, 'vision_msgs', None)
    monkeypatch.setitem(sys.modules, 'vision_msgs.msg', None)
    r = robot(detections=True, activate=False)
    assert r.pose_node.trigger_configure() != SUCCESS
    assert r.pose_node.cameras == []


@needs_vision_msgs
def test_detections_of_the_node(robot):
    messages = importlib.import_module('vision_msgs.msg')
    r = robot(detections=True)
    received = []
    r.node.create_subscription(messages.Detection3DArray, 'detections', received.append, 10)
    r.spin_until(lambda: r.camera.publishers.detections.get_subscription_count())
    r.calibrate(camera_info())
    r.send(image_msg(GREY, header(7)))
    r.send(image_msg(BLACK, header(8)))
    r.spin_until(lambda: len(received) == 2)
    assert [len(message.detections) for message in received] == [2, 0]
