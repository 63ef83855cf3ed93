"""Publishing of people as REP 155 defines; skipped where hri_msgs or tf2 is not installed."""

import sys

import numpy as np
import pytest
import rclpy
from support.robot import BLACK, GREY, TRUTH, camera_info, header

from pose3d_ros.people import People2D, People3D, TrackedPeople
from pose3d_ros.ros import hri
from pose3d_ros.ros.camera_stream import UP
from pose3d_ros.ros.hri import Bodies, SeenIn, body_frame, normalised
from pose3d_ros.ros.messages.images import image_msg
from pose3d_ros.ros.messages.transforms import PeopleInFrame, rotation, translation
from pose3d_ros.ros.optional_messages import MissingPackageError
from pose3d_ros.ros.pose_node import SUCCESS
from pose3d_ros.skeleton import PANOPTIC19
from synthetic.scene import CAMERA, figure_m

PELVIS = (0.5, -0.2, 3.0)
IMAGE = SeenIn(header(7), 200, 100, 7.0)


def without(xyz_m, *names):
    gone = xyz_m.copy()
    gone[PANOPTIC19.indices(names)] = np.nan
    return gone


@pytest.mark.parametrize('turn_rad', [0, 0.7, np.pi / 2, np.pi, 5])
def test_frame_of_an_upright_person(turn_rad):
    """At 0 the figure looks into the camera: its left is on the right of the image."""
    transform = body_frame(figure_m(turn_rad) + PELVIS)
    np.testing.assert_allclose(translation(transform), PELVIS, atol=1e-12)
    x, y, z = rotation(transform.rotation).T
    out = (-np.sin(turn_rad), 0, -np.cos(turn_rad))
    assert x @ out > 0.97  # the hips and shoulders of the figure are not quite at right angles
    assert z @ (0, -1, 0) > 0.97
    np.testing.assert_allclose(np.cross(z, x), y, atol=1e-12)


def test_frame_of_a_lying_person():
    """On the back, head to the left of the image: z is to the head, x up."""
    lying = figure_m() @ np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]]).T
    x, _, z = rotation(body_frame(lying + PELVIS).rotation).T
    assert z @ (-1, 0, 0) > 0.97
    assert x @ (0, -1, 0) > 0.97


def test_hips_or_shoulders_suffice():
    whole = rotation(body_frame(figure_m()).rotation)
    for pair in hri.RIGHT_LEFT_PAIRS:
        part = rotation(body_frame(without(figure_m(), *pair)).rotation)
        assert np.trace(whole.T @ part) > 2.9


@pytest.mark.parametrize(
    'gone', [('pelvis',), ('neck',), ('left_hip', 'right_shoulder'), PANOPTIC19.keypoints]
)
def test_no_frame_where_axes_are_unknown(gone):
    assert body_frame(without(figure_m(), *gone)) is None


def test_no_frame_without_extent():
    assert body_frame(np.zeros((19, 3))) is None
    line = figure_m() * (0, 1, 0)
    assert body_frame(line) is None


def people(state=1):
    """One person who fills the image, one keypoint slightly outside; no pelvis is detected."""
    xy = np.full((1, 19, 2), (100.0, 50.0))
    xy[0, PANOPTIC19.index('nose')] = -0.5, -0.5
    xy[0, PANOPTIC19.index('left_ankle')] = 199.5, 120.0
    xy[0, PANOPTIC19.index('pelvis')] = np.nan
    scores = np.where(np.isnan(xy[..., 0]), 0.0, 0.75)
    people_2d = People2D(xy, scores, np.array([0.6]))
    xyz = figure_m()[None] + PELVIS
    made = People3D(people_2d, xyz, np.ones((1, 19), np.uint8), np.eye(3)[None])
    return TrackedPeople(made, np.array([4]), np.array([state], np.uint8), np.array([1.0]))


def test_pixels_as_fractions_of_the_image():
    xy, scores = normalised(people().people.people_2d, 0, IMAGE)
    assert xy[PANOPTIC19.index('nose')].tolist() == [0, 0]
    assert xy[PANOPTIC19.index('left_ankle')].tolist() == [1, 1]
    np.testing.assert_allclose(xy[PANOPTIC19.index('neck')], (100.5 / 200, 50.5 / 100))
    pelvis = PANOPTIC19.index('pelvis')
    assert (*xy[pelvis].tolist(), scores[pelvis]) == (0, 0, 0)


def test_skeleton2d_in_its_own_order():
    """The order is that of OpenPose: index 2 is the right shoulder."""
    messages = pytest.importorskip('hri_msgs.msg', reason='hri_msgs is not installed')
    tracked = people()
    tracked.people.people_2d.xy_px[0, PANOPTIC19.index('right_shoulder')] = 19.5, 49.5
    made = hri.skeleton_msg(messages, tracked.people.people_2d, 0, IMAGE)
    assert made.header == header(7)
    assert len(made.skeleton) == 18
    shoulder = made.skeleton[2]
    assert (shoulder.x, shoulder.y, shoulder.c) == pytest.approx((0.1, 0.5, 0.75))
    assert made.skeleton[messages.Skeleton2D.LEFT_ANKLE].x == 1


def test_roi_is_the_box_of_detected_keypoints():
    messages = pytest.importorskip('hri_msgs.msg', reason='hri_msgs is not installed')
    made = hri.roi_msg(messages, people().people.people_2d, 0, IMAGE)
    assert (made.xmin, made.ymin, made.xmax, made.ymax) == (0, 0, 1, 1)
    assert made.c == pytest.approx(0.6)


@pytest.mark.parametrize(
    ('package', 'parameter', 'arguments'),
    [('hri_msgs', 'hri', (False, True)), ('tf2_msgs', 'publish_body_tf', (True, False))],
)
def test_missing_message_package_is_named(monkeypatch, package, parameter, arguments):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setitem(sys.modules, f'{package}.msg', None)
    apt = package.replace('_', '-')
    with pytest.raises(
        MissingPackageError, match=rf'{parameter} needs {package}, .* apt install ros-.*{apt}'
    ):
        Bodies(None, *arguments)


def test_configuration_fails_without_hri_msgs(robot, monkeypatch):
    monkeypatch.setitem(sys.modules, 'hri_msgs', None)
    monkeypatch.setitem(sys.modules, 'hri_msgs.msg', None)
    r = robot(hri=True, activate=False)
    assert r.pose_node.trigger_configure() != SUCCESS
    assert r.pose_node.bodies is None


@pytest.fixture
def node():
    rclpy.init()
    made = rclpy.create_node('pose_node', namespace='/front')
    yield made
    made.destroy_node()
    rclpy.shutdown()


def topics_of(node):
    return {publisher.topic_name for publisher in node.publishers}


def test_topics_of_bodies_are_created_and_destroyed(node):
    pytest.importorskip('hri_msgs.msg', reason='hri_msgs is not installed')
    before = topics_of(node)
    bodies = Bodies(node, frames=False, topics=True)
    tracked = topics_of(node) - before
    assert tracked == {'/humans/bodies/tracked'}
    mine = {f'/humans/bodies/front_pose_node_4/{name}' for name in ('roi', 'skeleton2d')}

    def publish(tracked, second):
        bodies.publish(
            '', PeopleInFrame(tracked, header(second), UP), IMAGE._replace(time_s=float(second))
        )
        return topics_of(node) - before

    assert publish(people(state=0), 10) == tracked  # TENTATIVE
    assert publish(people(), 11) == tracked | mine
    assert publish(people(state=0), 12) == tracked | mine  # a moment's absence
    assert publish(people(state=0), 14) == tracked
    assert publish(people(), 15) == tracked | mine
    assert publish(people(state=0), 1) == tracked  # a bag starts again
    publish(people(), 2)
    bodies.destroy()
    assert topics_of(node) == before


def test_cameras_of_one_node_share_the_list(node):
    """Each list must contain all cameras, because subscribers use only the last list."""
    messages = pytest.importorskip('hri_msgs.msg', reason='hri_msgs is not installed')
    received = []
    subscription = node.create_subscription(
        messages.IdsList, '/humans/bodies/tracked', received.append, 10
    )
    bodies = Bodies(node, frames=False, topics=True)
    while not bodies._tracked.get_subscription_count():
        rclpy.spin_once(node, timeout_sec=0.05)

    def ids(camera, tracked, second):
        bodies.publish(
            camera,
            PeopleInFrame(tracked, header(second), UP),
            IMAGE._replace(time_s=float(second)),
        )
        number = len(received)
        while len(received) == number:
            rclpy.spin_once(node, timeout_sec=1.0)
        return set(received[-1].ids)

    front, rear = 'front_pose_node_front_4', 'front_pose_node_rear_4'
    assert ids('front', people(), 1) == {front}
    assert ids('rear', people(), 2) == {front, rear}
    assert ids('front', people(state=0), 3) == {rear}
    assert ids('front', people(), 5) == {front}  # the rear camera is silent
    node.destroy_subscription(subscription)
    bodies.destroy()


def confirm(r):
    """Show two people until they are confirmed."""
    for i in range(4):
        message = r.poses_of(image_msg(GREY, header(1, 200_000_000 * i)))
    assert {pose.state for pose in message.poses} == {1}
    return message


def test_bodies_of_the_real_node(robot):
    messages = pytest.importorskip('hri_msgs.msg', reason='hri_msgs is not installed')
    tf2_msgs = pytest.importorskip('tf2_msgs.msg', reason='tf2_msgs is not installed')
    r = robot(hri=True, publish_body_tf=True)
    received = {'ids': [], 'tf': [], 'skeleton': []}
    node = r.node
    node.create_subscription(
        messages.IdsList, '/humans/bodies/tracked', received['ids'].append, 10
    )
    node.create_subscription(tf2_msgs.TFMessage, '/tf', received['tf'].append, 10)
    bodies = r.pose_node.bodies
    r.spin_until(lambda: bodies._tracked.get_subscription_count())
    r.spin_until(lambda: bodies._tf.get_subscription_count())
    r.calibrate(camera_info())
    first = confirm(r)
    names = {f'{r.node.get_namespace()[1:]}_pose_node_{p.track_id}' for p in first.poses}
    r.spin_until(lambda: received['ids'] and set(received['ids'][-1].ids) == names)
    left = min(first.poses, key=lambda p: p.keypoints[0].u)
    name = f'{r.node.get_namespace()[1:]}_pose_node_{left.track_id}'
    node.create_subscription(
        messages.Skeleton2D, f'/humans/bodies/{name}/skeleton2d', received['skeleton'].append, 10
    )
    r.spin_until(lambda: bodies._topics[name][2].get_subscription_count())
    confirm_again = r.poses_of(image_msg(GREY, header(2)))
    r.spin_until(lambda: received['skeleton'])
    wrist = received['skeleton'][-1].skeleton[messages.Skeleton2D.LEFT_WRIST]
    expected = CAMERA.project(TRUTH[0, PANOPTIC19.index('left_wrist')])
    np.testing.assert_allclose([wrist.x * 448 - 0.5, wrist.y * 256 - 0.5], expected, atol=0.2)
    r.spin_until(lambda: received['tf'] and received['tf'][-1].transforms[:1])
    r.spin_until(lambda: received['tf'][-1].transforms[0].header == confirm_again.header)
    frames = {t.child_frame_id: t for t in received['tf'][-1].transforms}
    assert set(frames) == {f'body_{n}' for n in names}
    place = frames[f'body_{name}'].transform
    np.testing.assert_allclose(translation(place), TRUTH[0, PANOPTIC19.index('pelvis')], atol=0.05)
    assert rotation(place.rotation)[:, 0] @ (0, 0, -1) > 0.9  # faces the camera
    r.send(image_msg(BLACK, header(2, 200_000_000)))
    r.spin_until(lambda: list(received['ids'][-1].ids) == [])


def test_hri_disables_lazy_subscription(robot):
    """Subscribers of /tf cannot be distinguished by their purpose."""
    pytest.importorskip('tf2_msgs.msg', reason='tf2_msgs is not installed')
    r = robot(outputs=(), publish_body_tf=True)
    r.spin_until(lambda: r.images.get_subscription_count())
