"""A chosen person: who is chosen, held, hidden and lost, and where the person stands."""

import importlib.util
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped, Transform, Vector3
from rclpy.qos import DurabilityPolicy, QoSProfile
from support.people import scene
from support.robot import BLACK, GREY, TRUTH, camera_info, header

from pose3d_ros.msg import FollowState
from pose3d_ros.people import TrackedPeople
from pose3d_ros.ros import follow
from pose3d_ros.ros.camera_stream import UP
from pose3d_ros.ros.chosen import CannotChooseError, Chosen, choose
from pose3d_ros.ros.follow import floor_pose
from pose3d_ros.ros.messages.images import image_msg
from pose3d_ros.ros.messages.transforms import (
    Floor,
    PeopleInFrame,
    quaternion_msg,
    rotation,
    transform_people,
)
from pose3d_ros.ros.optional_messages import MissingPackageError
from pose3d_ros.skeleton import PANOPTIC19
from pose3d_ros.srv import Follow

Request = Follow.Request
FOLLOWING, HIDDEN, LOST = FollowState.FOLLOWING, FollowState.HIDDEN, FollowState.LOST
PELVIS, NOSE = PANOPTIC19.index('pelvis'), PANOPTIC19.index('nose')
LEFT_WRIST = PANOPTIC19.index('left_wrist')
MEMORY_S = 1.0


def tracked(ids, places=None, state=1):
    """People with these ids, the n-th at z = 3 + n m unless places are given."""
    n = len(ids)
    people = scene([(0.5 * i, 0, 3 + i) for i in range(n)] if places is None else places)
    return TrackedPeople(people, np.array(ids), np.full(n, state, np.uint8), np.zeros(n))


def raise_arm(people, row):
    people.people.xyz_m[row, LEFT_WRIST] = people.people.xyz_m[row, NOSE] + np.array(
        [0.2, -0.3, 0]
    )


def stretch_arm(people, row, direction):
    """Stretch the left arm of a person in a direction of the camera optical frame."""
    xyz_m = people.people.xyz_m[row]
    shoulder = xyz_m[PANOPTIC19.index('left_shoulder')]
    unit = np.asarray(direction) / np.linalg.norm(direction)
    xyz_m[PANOPTIC19.index('left_elbow')] = shoulder + 0.3 * unit
    xyz_m[LEFT_WRIST] = shoulder + 0.55 * unit


def xyz(point):
    return np.array([point.x, point.y, point.z])


def test_by_id():
    assert choose(Request.BY_ID, 8, tracked([3, 8]), UP) == 8
    assert choose(Request.BY_ID, 8, tracked([3, 8], state=0), UP) == 8
    with pytest.raises(CannotChooseError, match='no person 5'):
        choose(Request.BY_ID, 5, tracked([3, 8]), UP)
    with pytest.raises(CannotChooseError, match='no person 3'):
        choose(Request.BY_ID, 3, tracked([3], [(np.nan, 0, 4)]), UP)


def test_nearest_confirmed_person():
    people = tracked([3, 8, 9], [(0, 0, 5), (0, 0, 3), (np.nan, 0, 1)])
    assert choose(Request.NEAREST, 0, people, UP) == 8
    people.state[1] = 0
    assert choose(Request.NEAREST, 0, people, UP) == 3
    for none in (tracked([]), tracked([3], state=0)):
        with pytest.raises(CannotChooseError, match='no confirmed person'):
            choose(Request.NEAREST, 0, none, UP)


def test_the_only_person_with_an_arm_up():
    people = tracked([3, 8])
    with pytest.raises(CannotChooseError, match='no confirmed person has an arm up'):
        choose(Request.ARM_UP, 0, people, UP)
    raise_arm(people, 1)
    assert choose(Request.ARM_UP, 0, people, UP) == 8
    raise_arm(people, 0)
    with pytest.raises(CannotChooseError, match=r'people \[3, 8\] have an arm up'):
        choose(Request.ARM_UP, 0, people, UP)


def test_an_undetected_wrist_is_no_arm_up():
    people = tracked([3])
    raise_arm(people, 0)
    people.people.people_2d.scores[0, LEFT_WRIST] = 0
    with pytest.raises(CannotChooseError):
        choose(Request.ARM_UP, 0, people, UP)


def test_the_only_person_who_points():
    people = tracked([3, 8])
    with pytest.raises(CannotChooseError, match='no confirmed person has an arm that points'):
        choose(Request.POINTING, 0, people, UP)
    stretch_arm(people, 1, (0.7, 0.1, -0.7))
    assert choose(Request.POINTING, 0, people, UP) == 8
    with pytest.raises(CannotChooseError):
        choose(Request.ARM_UP, 0, people, UP)
    stretch_arm(people, 0, (1, 0, 0))
    with pytest.raises(CannotChooseError, match=r'people \[3, 8\] have an arm that points'):
        choose(Request.POINTING, 0, people, UP)


def test_unknown_mode():
    with pytest.raises(CannotChooseError, match='mode 77'):
        choose(77, 0, tracked([3]), UP)


def test_held_through_occlusion_and_after_it_was_lost():
    """Others are visible all the time, and nearer; none of them is ever followed."""
    chosen = Chosen(8, 0.0)
    steps = [
        (0.1, [3, 8], 1, FOLLOWING),
        (0.2, [8, 3], 0, FOLLOWING),
        (0.9, [3], None, HIDDEN),
        (1.2, [3, 4], None, HIDDEN),
        (1.3, [3, 8], 1, FOLLOWING),
        (2.2, [3], None, HIDDEN),
        (2.4, [3, 9], None, LOST),
        (60.0, [], None, LOST),
        (61.0, [9, 3, 8], 2, FOLLOWING),
    ]
    for stamp_s, ids, row, state in steps:
        assert chosen.update(tracked(ids), stamp_s, MEMORY_S) == row
        assert chosen.state == state
    assert chosen.track_id == 8


def test_a_person_of_unknown_position_is_hidden():
    chosen = Chosen(8, 0.0)
    assert chosen.update(tracked([8], [(np.nan, 0, 4)]), 0.5, MEMORY_S) is None
    assert chosen.state == HIDDEN


def test_lost_also_after_stamps_have_jumped_back():
    chosen = Chosen(8, 100.0)
    for stamp_s, state in ((1.0, HIDDEN), (1.9, HIDDEN), (2.1, LOST)):
        chosen.update(tracked([3]), stamp_s, MEMORY_S)
        assert chosen.state == state


PITCH_RAD = 0.3
TILTED_UP = np.array([0, -np.cos(PITCH_RAD), -np.sin(PITCH_RAD)])


def test_place_on_a_known_floor():
    """A camera pitched down by 0.3 rad, 1.5 m above the floor."""
    people = PeopleInFrame(tracked([8], [(0.5, 0.3, 4)]), header(7), UP, Floor(TILTED_UP, -1.5))
    forward = np.cross(TILTED_UP, [1.0, 0, 0])
    pose = floor_pose(people, 0, forward)
    place, root = xyz(pose.position), np.array([0.5, 0.3, 4])
    assert place @ TILTED_UP == pytest.approx(-1.5)
    np.testing.assert_allclose(np.cross(root - place, TILTED_UP), 0, atol=1e-12)
    axes = rotation(pose.orientation)
    np.testing.assert_allclose(axes[:, 2], TILTED_UP, atol=1e-12)
    np.testing.assert_allclose(axes[:, 0], forward, atol=1e-12)


def test_place_in_the_frame_of_the_robot_is_the_same_place():
    """Optical frame to x forward, y left, z up, 1.5 m above the floor: z is 0 there."""
    level = np.array([[0, 0, 1], [-1, 0, 0], [0, -1, 0.0]])
    pitch = np.array(
        [
            [np.cos(PITCH_RAD), 0, np.sin(PITCH_RAD)],
            [0, 1, 0],
            [-np.sin(PITCH_RAD), 0, np.cos(PITCH_RAD)],
        ]
    )
    turn = pitch @ level
    to_robot = Transform(translation=Vector3(x=0.2, y=0.0, z=1.5), rotation=quaternion_msg(turn))
    people = PeopleInFrame(tracked([8], [(0.5, 0.3, 4)]), header(7), UP, Floor(TILTED_UP, -1.5))
    moved = transform_people(people, to_robot, 'base_footprint')
    pose = floor_pose(moved, 0)
    root = turn @ (0.5, 0.3, 4) + (0.2, 0, 1.5)
    np.testing.assert_allclose(xyz(pose.position), [*root[:2], 0], atol=1e-12)
    # The direction of the body is unknown: x is that of the frame.
    np.testing.assert_allclose(rotation(pose.orientation), np.eye(3), atol=1e-12)


@pytest.mark.parametrize('floor', [None, Floor(UP, np.nan)])
def test_place_below_the_feet_where_the_floor_is_unknown(floor):
    people = PeopleInFrame(tracked([8], [(0.5, 0, 4)]), header(7), UP, floor)
    lowest_m = np.nanmax(people.tracked.people.xyz_m[0, :, 1])
    pose = floor_pose(people, 0, np.full(3, np.nan))
    np.testing.assert_allclose(xyz(pose.position), (0.5, lowest_m + follow.ANKLE_M, 4))
    assert np.isfinite(rotation(pose.orientation)).all()


class Caller:
    """Calls ~/follow of a robot's node and receives ~/target and ~/follow_state."""

    def __init__(self, r):
        self.r, self.targets, self.states = r, [], []
        self.client = r.node.create_client(Follow, 'pose_node/follow')
        r.spin_until(self.client.service_is_ready)
        r.node.create_subscription(PoseStamped, 'pose_node/target', self.targets.append, 10)
        latched = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        r.node.create_subscription(
            FollowState, 'pose_node/follow_state', self.states.append, latched
        )

    def __call__(self, mode, **fields):
        future = self.client.call_async(Request(mode=mode, **fields))
        self.r.spin_until(future.done)
        return future.result()

    def said(self, *states):
        self.r.spin_until(lambda: [(s.state, s.track_id) for s in self.states] == list(states))


def test_follow_a_person_of_the_node(robot, monkeypatch):
    """The people are seen, hidden, lost and seen again; a subscriber of ~/target is enough."""
    monkeypatch.setattr(follow, 'FRESH_S', 1e9)
    r = robot(outputs=(), camera_up=[0.0, -1.0, 0.0], camera_height=1.5)
    caller = Caller(r)
    r.spin_until(lambda: r.images.get_subscription_count() and r.infos.get_subscription_count())
    r.calibrate(camera_info())
    none = (FollowState.NONE, follow.NO_ID)
    caller.said(none)  # before the next state: only the last one is kept for late subscribers
    refused = caller(Request.NEAREST)
    assert (refused.success, refused.track_id) == (False, follow.NO_ID)
    assert 'no image was processed' in refused.message
    for i in range(4):
        r.send(image_msg(GREY, header(1, 200_000_000 * i)))
    answer = caller(Request.NEAREST)
    assert answer.success, answer.message
    person = answer.track_id
    assert not caller(Request.BY_ID, track_id=77).success
    assert caller(Request.BY_ID, track_id=77).track_id == person
    assert not caller(Request.NEAREST, camera='rear').success
    r.send(image_msg(GREY, header(2)))
    r.spin_until(lambda: caller.targets)
    target = caller.targets[-1]
    assert target.header == header(2)
    root = TRUTH[0, PELVIS]  # the nearer one
    expected = (root[0], 1.5, root[2])  # 1.5 m below the camera
    np.testing.assert_allclose(xyz(target.pose.position), expected, atol=0.2)
    assert target.pose.position.y == pytest.approx(1.5)
    following, hidden, lost = ((s, person) for s in (FOLLOWING, HIDDEN, LOST))
    caller.said(none, following)
    count = len(caller.targets)
    r.send(image_msg(BLACK, header(2, 500_000_000)))
    caller.said(none, following, hidden)
    r.send(image_msg(BLACK, header(4)))
    caller.said(none, following, hidden, lost)
    assert len(caller.targets) == count
    assert caller(Request.STOP).success
    caller.said(none, following, hidden, lost, none)


def test_the_follower_is_released(robot):
    r = robot(outputs=())
    assert r.pose_node.follower is not None
    r.pose_node.trigger_deactivate()
    r.pose_node.trigger_cleanup()
    assert r.pose_node.follower is None
    names = {publisher.topic_name for publisher in r.pose_node.publishers}
    assert not any(name.endswith('/target') for name in names)


class FakeNode:
    """Records what a Follower publishes, by topic; its publishers have that many subscribers."""

    def __init__(self, subscribers=0):
        self.published, self.logged, self.subscribers = {}, [], subscribers

    def create_publisher(self, kind, topic, qos, **options):
        sent = self.published.setdefault(topic, [])
        return SimpleNamespace(
            publish=sent.append, get_subscription_count=lambda: self.subscribers
        )

    def create_service(self, kind, name, callback):
        self.request = lambda **fields: callback(Request(**fields), Follow.Response())

    def get_logger(self):
        return SimpleNamespace(info=self.logged.append, warning=self.logged.append)


@pytest.fixture
def tf2_msgs(monkeypatch):
    """tf2_msgs where it is installed, else a stand-in."""
    if importlib.util.find_spec('tf2_msgs') is None:
        stand_in = SimpleNamespace(TFMessage=SimpleNamespace)
        monkeypatch.setitem(sys.modules, 'tf2_msgs', SimpleNamespace(msg=stand_in))
        monkeypatch.setitem(sys.modules, 'tf2_msgs.msg', stand_in)


def show(follower, ids, second):
    people = tracked(ids)
    seen = follow.Seen(people, UP, float(second), follow.time.monotonic())
    in_frame = PeopleInFrame(people, header(second), UP, Floor(UP, -1.2))
    follower.update('', seen, in_frame, MEMORY_S)


def test_the_frame_of_the_person_who_is_followed(tf2_msgs):
    """The same pose as ~/target, in the frame of `poses`; none while the person is hidden."""
    node = FakeNode()
    follower = follow.Follower(node, ('',), lambda: None, frame=True)
    assert follower.needed
    show(follower, [3, 8], 1)
    assert node.published['/tf'] == []
    assert node.request(mode=Request.BY_ID, track_id=8).success
    show(follower, [3, 8], 2)
    show(follower, [3], 3)
    (message,) = node.published['/tf']
    (frame,) = message.transforms
    assert (frame.header, frame.child_frame_id) == (header(2), follow.TARGET_FRAME)
    (target,) = node.published['~/target']
    assert xyz(frame.transform.translation).tolist() == xyz(target.pose.position).tolist()
    assert frame.transform.rotation == target.pose.orientation
    np.testing.assert_allclose(xyz(frame.transform.translation), (0.5, 1.2, 4))
    np.testing.assert_allclose(rotation(frame.transform.rotation)[:, 2], UP, atol=1e-12)


def test_nothing_is_computed_while_nobody_listens():
    node = FakeNode(subscribers=0)
    follower = follow.Follower(node, ('',), lambda: None)
    assert not follower.needed
    show(follower, [3], 1)
    node.request(mode=Request.NEAREST)
    show(follower, [3], 2)
    assert node.published['~/target'] == []
    assert '/tf' not in node.published
    assert node.published['~/follow_state'][-1].state == FOLLOWING


def test_another_person_than_before_is_said():
    node = FakeNode()
    follower = follow.Follower(node, ('',), lambda: None)
    show(follower, [3, 8], 1)
    assert 'before' not in node.request(mode=Request.BY_ID, track_id=3).message
    assert 'before' not in node.request(mode=Request.BY_ID, track_id=3).message
    answer = node.request(mode=Request.BY_ID, track_id=8)
    assert answer.message == 'person 8 is followed, another one than before (3)'
    assert node.logged[-1].endswith(answer.message)
    states = [(s.state, s.track_id) for s in node.published['~/follow_state']]
    none = (FollowState.NONE, follow.NO_ID)
    assert states == [none, (FOLLOWING, 3), (FOLLOWING, 8)]


def test_the_frame_needs_tf2_msgs(monkeypatch):
    monkeypatch.setitem(sys.modules, 'tf2_msgs', None)
    monkeypatch.setitem(sys.modules, 'tf2_msgs.msg', None)
    with pytest.raises(MissingPackageError, match='publish_target_tf needs tf2_msgs'):
        follow.Follower(FakeNode(), ('',), lambda: None, frame=True)
