"""The example who_points_where: arms that point at known places, then the node over real DDS."""

import math
import time

import numpy as np
import pytest
import rclpy
from geometry_msgs.msg import PoseWithCovarianceStamped
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from support import examples
from support.people import STANDING_M
from support.robot import header

from pose3d_ros.geometry.rigid import rotation_matrix
from pose3d_ros.msg import CameraPose, Pose3D, PoseArray3D

example = examples.load('who_points_where')

PATIENCE_S = 10
CAMERA_HEIGHT_M = 1.2
UP = np.array([0.0, -1.0, 0.0])
FLOOR = UP, -CAMERA_HEIGHT_M
EYES = list(example.EYES)


def standing(place_m, stddev_m=0.02):
    """The keypoints of a person with hanging arms whose pelvis is at a place, m."""
    return [examples.keypoint(xyz, stddev_m) for xyz in STANDING_M + np.asarray(place_m)]


def set_place(keypoint, place_m):
    keypoint.position.x, keypoint.position.y, keypoint.position.z = map(float, place_m)


def place(keypoint):
    return np.array([keypoint.position.x, keypoint.position.y, keypoint.position.z])


def aim(keypoints, arm, target_m):
    """Put the hand on the line from the eyes to a target, the elbow beside it."""
    shoulder, elbow, wrist = arm
    eyes = np.mean([place(keypoints[k]) for k in EYES], axis=0)
    towards = (np.asarray(target_m) - eyes) / np.linalg.norm(np.asarray(target_m) - eyes)
    set_place(keypoints[wrist], eyes + 0.55 * towards)
    middle = (place(keypoints[shoulder]) + place(keypoints[wrist])) / 2
    set_place(keypoints[elbow], middle)


def person(*aims, track_id=7):
    """A person 4 m away whose arms aim at targets: pairs of an arm and a place, m."""
    keypoints = standing((0.3, 0.3, 4.0))
    for arm, target_m in aims:
        aim(keypoints, example.ARMS[arm], target_m)
    return Pose3D(track_id=track_id, keypoints=keypoints)


def poses(*people, known=True, frame='camera_optical_frame'):
    camera_pose = CameraPose(source=CameraPose.GIVEN, up=UP.astype(np.float32))
    camera_pose.height = CAMERA_HEIGHT_M if known else math.nan
    return PoseArray3D(header=header(7, frame=frame), poses=people, camera_pose=camera_pose)


@pytest.mark.parametrize('arm', [0, 1])
@pytest.mark.parametrize('target_m', [(1.5, 1.2, 3.0), (-1.0, 1.2, 2.5), (0.2, 1.2, 2.0)])
def test_the_point_on_the_floor(arm, target_m):
    (ray,) = example.rays(person((arm, target_m)))
    point, _ = example.meet(*ray, FLOOR)
    np.testing.assert_allclose(point, target_m, atol=1e-3)


def test_two_arms_at_two_places_and_hanging_arms_at_none():
    targets_m = [(1.5, 1.2, 3.0), (-1.0, 1.2, 3.0)]
    found = [example.meet(*ray, FLOOR)[0] for ray in example.rays(person(*enumerate(targets_m)))]
    np.testing.assert_allclose(found, targets_m, atol=1e-3)
    assert example.rays(person()) == []


@pytest.mark.parametrize('gone', ['position', 'score'])
def test_an_arm_that_was_not_seen_does_not_point(gone):
    pointing = person((0, (1.5, 1.2, 3.0)))
    wrist = pointing.keypoints[example.ARMS[0][2]]
    if gone == 'score':
        wrist.score = 0.0
    else:
        set_place(wrist, (math.nan,) * 3)
    assert example.rays(pointing) == []


def test_another_plane():
    """A wall 1 m to the left of the optical axis, in any frame: no `up` is needed for it."""
    target_m = (-1.0, -0.2, 3.0)
    (ray,) = example.rays(person((1, target_m)))
    point, _ = example.meet(*ray, (np.array([1.0, 0, 0]), -1.0))
    np.testing.assert_allclose(point, target_m, atol=1e-3)


def test_a_ray_that_never_meets_the_plane():
    eyes, hand = np.array([0, -0.4, 4.0]), np.array([0, -0.4, 3.5])
    assert example.meet(eyes, hand, 0.02, FLOOR) is None
    assert example.meet(eyes, hand - (0, 0.1, 0), 0.02, FLOOR) is None


def test_the_covariance_is_that_of_noisy_eyes_and_hands():
    rng = np.random.default_rng(0)
    eyes, hand = np.array([0, -0.4, 4.0]), np.array([0.3, -0.1, 3.6])
    _, covariance = example.meet(eyes, hand, 0.005, FLOOR)
    noise = rng.normal(0, 0.005, (4000, 2, 3))
    met = [example.meet(eyes + a, hand + b, 0.005, FLOOR)[0] for a, b in noise]
    np.testing.assert_allclose(np.cov(np.transpose(met)), covariance, rtol=0.15, atol=2e-5)


@pytest.mark.parametrize('towards', [(1, 0.5, 0), (-1, 0.5, 1e-3), (0, 0.5, -1), (0.3, 1, 0.7)])
def test_x_points_along_the_ray_and_z_is_the_normal(towards):
    turn = rotation_matrix(example.orientation(np.array(towards), UP))
    np.testing.assert_allclose(turn[:, 2], UP, atol=1e-9)
    assert turn[:, 0] @ towards == pytest.approx(np.hypot(towards[0], towards[2]))


@pytest.fixture
def node():
    rclpy.init()
    made = []

    def make(**parameters):
        overrides = [Parameter(name, value=value) for name, value in parameters.items()]
        made.append(example.WhoPointsWhere(namespace='/points', parameter_overrides=overrides))
        return made[-1]

    yield make
    for one in made:
        one.destroy_node()
    rclpy.shutdown()


def test_the_node_publishes_the_point_of_each_arm_over_dds(node):
    example_node = node()
    listener, received = rclpy.create_node('listener', namespace='/points'), []
    listener.create_subscription(PoseWithCovarianceStamped, 'pointed_at', received.append, 10)
    sender = listener.create_publisher(PoseArray3D, 'poses', 10)
    executor = SingleThreadedExecutor()
    executor.add_node(example_node)
    executor.add_node(listener)
    target_m = (1.5, CAMERA_HEIGHT_M, 3.0)
    deadline = time.monotonic() + PATIENCE_S
    while not received:
        assert time.monotonic() < deadline, 'nothing received'
        sender.publish(poses(person((0, target_m))))
        for _ in range(5):
            executor.spin_once(timeout_sec=0.01)
    point = received[0].pose.pose.position
    np.testing.assert_allclose((point.x, point.y, point.z), target_m, atol=1e-3)
    assert received[0].header == header(7)
    assert received[0].pose.covariance[0] > 0
    executor.shutdown()
    listener.destroy_node()


def sent_by(example_node, message):
    sent = []
    example_node.publish = lambda *arguments: sent.append(arguments)
    example_node.on_poses(message)
    return sent


def test_without_a_known_floor_nothing_is_published(node):
    pointing = person((0, (1.5, 1.2, 3.0)))
    example_node = node()
    assert sent_by(example_node, poses(pointing, known=False)) == []
    # The message states the floor in the optical frame, so not in this one.
    assert sent_by(example_node, poses(pointing, frame='base_footprint')) == []
    assert len(sent_by(example_node, poses(pointing))) == 1


def test_the_plane_of_the_parameter_has_any_length(node):
    example_node = node(plane=[0.0, -2.0, 0.0, -2.4])
    normal, offset = example_node.plane
    np.testing.assert_allclose(normal, UP)
    assert offset == pytest.approx(-1.2)
    message = poses(person((0, (1.5, 1.2, 3.0))), known=False, frame='base_footprint')
    assert len(sent_by(example_node, message)) == 1


@pytest.mark.parametrize('plane', [[0.0, 1.0, 0.0], [0.0, math.nan, 0.0, 1.0]])
def test_a_plane_that_is_none_is_refused_at_the_start(node, plane):
    with pytest.raises(ValueError, match='plane must be four numbers'):
        node(plane=plane)


def test_places_too_far_away_are_left_out(node):
    example_node, published = node(max_distance=1.0), []
    example_node.points.publish = published.append
    example_node.on_poses(poses(person((0, (1.5, 1.2, 3.0)))))
    assert published == []
