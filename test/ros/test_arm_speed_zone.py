"""The example arm_speed_zone: distances to a box and speeds that are known, then the node."""

import math
import time

import numpy as np
import pytest
import rclpy
from geometry_msgs.msg import PoseStamped
from rclpy.executors import SingleThreadedExecutor
from std_msgs.msg import Float64
from support import examples
from support.robot import header

from pose3d_ros.geometry.rigid import quaternion_xyzw
from pose3d_ros.msg import Pose3D, PoseArray3D

example = examples.load('arm_speed_zone')

PATIENCE_S = 10
FRAME = 'base_link'
SIZE = (0.2, 0.4, 0.6)
P = {**example.PARAMETERS, 'size': list(SIZE)}
STILL = {**P, 'human_speed': 0.0, 'body_radius': 0.0, 'reaction_time': 0.0}
# A quarter turn about z: x of the box is y of the frame.
QUARTER = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1.0]])


def box(centre=(0, 0, 0), turn=None, stamp_s=0.0, frame=FRAME):
    message = PoseStamped(header=stamped(stamp_s, frame))
    p, q = message.pose.position, message.pose.orientation
    p.x, p.y, p.z = map(float, centre)
    q.x, q.y, q.z, q.w = quaternion_xyzw(np.eye(3) if turn is None else turn).tolist()
    return message


def stamped(stamp_s, frame=FRAME):
    return header(math.floor(stamp_s), round(stamp_s % 1 * 1e9), frame=frame)


def person(*places_m, covariance=0.0, stddev_m=0.0):
    unknown = [examples.keypoint()] * (19 - len(places_m))
    keypoints = [examples.keypoint(place, stddev_m) for place in places_m] + unknown
    flat = (covariance * np.eye(3)).ravel() if np.isscalar(covariance) else np.ravel(covariance)
    return Pose3D(keypoints=keypoints, root_covariance=flat.astype(float))


def poses(*people, stamp_s=0.0, source=PoseArray3D.CAMERA_INFO, frame=FRAME):
    return PoseArray3D(header=stamped(stamp_s, frame), poses=people, intrinsics_source=source)


@pytest.mark.parametrize(
    ('place_m', 'expected_m'),
    [((1.1, 0, 0), 1.0), ((0, -1.2, 0), 1.0), ((0, 0, 1.3), 1.0), ((0, 0, 0.2), 0),
     ((0.4, 0.6, 0.3), 0.5), ((0.05, 0.1, -0.8), 0.5)],
)  # fmt: skip
def test_distance_to_the_box(place_m, expected_m):
    found = example.separation_m(poses(person(place_m)), box(), SIZE, 2.0)
    assert found == pytest.approx(expected_m)


def test_the_box_is_turned_and_moves():
    where = box((1, 0, 0), QUARTER)
    found = example.separation_m(poses(person((1, 1.1, 0))), where, SIZE, 2.0)
    assert found == pytest.approx(1.0)
    moved = example.separation_m(poses(person((1, 1.1, 0))), box((1, 0.5, 0), QUARTER), SIZE, 2.0)
    assert moved == pytest.approx(0.5)


def test_the_nearest_keypoint_of_all_people_counts():
    message = poses(person((3, 0, 0), (2, 0, 0)), person((9, 0, 0), (0, -0.9, 0)))
    assert example.separation_m(message, box(), SIZE, 2.0) == pytest.approx(0.7)
    assert example.separation_m(poses(), box(), SIZE, 2.0) == math.inf


def test_uncertainty_towards_the_box_is_subtracted():
    along = person((1.1, 0, 0), covariance=np.diag([0.04, 0, 0]))
    across = person((1.1, 0, 0), covariance=np.diag([0, 0.04, 0.04]))
    both = person((1.1, 0, 0), covariance=np.diag([0.0009, 0, 0]), stddev_m=0.04)
    for made, expected_m in ((along, 0.6), (across, 1.0), (both, 0.9)):
        assert example.separation_m(poses(made), box(), SIZE, 2.0) == pytest.approx(expected_m)


@pytest.mark.parametrize(
    'made',
    [
        person(),
        person((math.nan, 0, 9)),
        person((0, 1e300, 0)),
        person((9, 0, 0), covariance=math.nan),
    ],
)
def test_an_unknown_position_counts_as_zero(made):
    assert example.separation_m(poses(made), box(), SIZE, 2.0) == 0


def test_an_unknown_uncertainty_is_assumed():
    unsure = person((1.1, 0, 0), stddev_m=math.nan)
    found = example.separation_m(poses(unsure), box(), SIZE, 2.0)
    assert found == pytest.approx(1.0 - 2 * example.UNKNOWN_STDDEV_M)


@pytest.mark.parametrize('centre', [(math.nan, 0, 0), (0, math.inf, 0)])
def test_an_unknown_place_of_the_box_counts_as_zero(centre):
    assert example.separation_m(poses(person((9, 0, 0))), box(centre), SIZE, 2.0) == 0


@pytest.mark.parametrize(
    'wrong',
    [{'size': [0.1, 0.1]}, {'size': [0.1, math.nan, 0.1]}, {'max_speed': 0.0}, {'sigmas': -1.0}],
)
def test_parameters_that_make_the_speed_wrong_are_refused(wrong):
    example.check(P)
    with pytest.raises(ValueError, match=f'{next(iter(wrong))} must'):
        example.check({**P, **wrong})


def test_a_box_without_orientation_counts_as_zero():
    where = box()
    where.pose.orientation.w = 0.0
    assert example.separation_m(poses(person((9, 0, 0))), where, SIZE, 2.0) == 0


@pytest.mark.parametrize('separation_m', [0.0, 0.3, 0.6, 0.7, 1.0, 2.0, 5.0])
def test_at_the_allowed_speed_the_tool_just_stops_in_time(separation_m):
    """Simulated: the person walks to the tool, which moves on, brakes and stands."""
    v = example.allowed_speed(separation_m, P)
    t, a = P['reaction_time'], P['deceleration']
    left_m = separation_m - P['body_radius'] - P['human_speed'] * (t + v / a) - v * t
    left_m -= v * v / (2 * a)
    assert left_m == pytest.approx(0, abs=1e-9) if v else left_m <= 1e-9


def test_nobody_and_standing_people():
    assert example.allowed_speed(math.inf, P) == math.inf
    assert example.allowed_speed(1.0, STILL) == pytest.approx(math.sqrt(2 * 2.0 * 1.0))


def test_speed_grows_with_the_distance():
    speeds = [example.allowed_speed(d, P) for d in np.linspace(0, 5, 51)]
    assert (np.diff(speeds) >= 0).all()
    assert speeds[0] == 0 < speeds[-1]


@pytest.fixture
def zone():
    rclpy.init()
    made = example.ArmSpeedZone(namespace='/zone')
    yield made
    made.destroy_node()
    rclpy.shutdown()


def scale(zone, poses_message, box_message, now_s=10.1, steady_s=5.1):
    zone.poses, zone.box = (poses_message, 5.0), (box_message, 5.0)
    return zone.compute(now_s, steady_s)


def test_scale_and_reason(zone):
    far, here = poses(person((20, 0, 0)), stamp_s=10.0), box(stamp_s=10.0)
    assert scale(zone, far, here) == (1.0, '')
    assert scale(zone, poses(stamp_s=10.0), here) == (1.0, '')
    assert scale(zone, poses(person((0.3, 0, 0)), stamp_s=10.0), here) == (0.0, 'a person is near')
    slow, why = scale(zone, poses(person((1.4, 0, 0)), stamp_s=10.0), here)
    assert 0 < slow < 1
    assert why == 'a person is near'


@pytest.mark.parametrize(
    ('changed', 'reason'),
    [
        ({'steady_s': 6.0}, 'no poses arrive'),
        ({'now_s': 10.6}, 'poses are old'),
        ({'now_s': 9.0}, 'another clock'),
        ({'box_message': box(stamp_s=9.0)}, 'box are old'),
        ({'box_message': box(stamp_s=10.0, frame='tool0')}, 'box is in tool0'),
        ({'poses_message': poses(stamp_s=10.0, source=PoseArray3D.GUESSED)}, 'guessed'),
    ],
)
def test_whatever_is_unknown_stops(zone, changed, reason):
    given = {'poses_message': poses(stamp_s=10.0), 'box_message': box(stamp_s=10.0), **changed}
    found, why = scale(zone, **given)
    assert found == 0
    assert reason in why


def test_no_message_yet(zone):
    assert zone.compute(10.0, 5.0) == (0.0, 'no poses arrive')


def test_over_dds(zone):
    robot, received = rclpy.create_node('robot', namespace='/zone'), []
    robot.create_subscription(Float64, 'speed_scale', lambda m: received.append(m.data), 10)
    sent = robot.create_publisher(PoseArray3D, 'poses', 10)
    moved = robot.create_publisher(PoseStamped, 'box', 10)
    executor = SingleThreadedExecutor()
    executor.add_node(zone)
    executor.add_node(robot)

    def until(condition, *people):
        deadline = time.monotonic() + PATIENCE_S
        while not (received and condition(received[-1])):
            assert time.monotonic() < deadline, f'never; last: {received[-1:]}'
            now_s = robot.get_clock().now().nanoseconds * 1e-9
            if people:
                sent.publish(poses(*people[0], stamp_s=now_s))
                moved.publish(box(stamp_s=now_s))
            for _ in range(5):
                executor.spin_once(timeout_sec=0.01)

    until(lambda s: s == 0)
    until(lambda s: s == 1, [])
    until(lambda s: 0 < s < 1, [person((1.6, 0, 0))])
    until(lambda s: s == 0, [person((0.3, 0, 0))])
    until(lambda s: s == 1, [])
    until(lambda s: s == 0)  # nothing arrives any more
    executor.shutdown()
    robot.destroy_node()
