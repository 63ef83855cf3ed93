"""The page's scene, without a browser: which nodes it has, and where they are."""

import numpy as np
import pytest

viser = pytest.importorskip('viser')

from support.people import STANDING_M, scene  # noqa: E402

from pose3d_ros.camera import CameraPose, Intrinsics  # noqa: E402
from pose3d_ros.people import TrackedPeople  # noqa: E402
from pose3d_ros.skeleton import PANOPTIC19  # noqa: E402
from pose3d_ros.visualisation.style import HEAD, LIMBS, distances  # noqa: E402
from pose3d_ros.visualisation.viser_labels import LINE_PX, View, apart  # noqa: E402
from pose3d_ros.visualisation.viser_page import CAMERAS_APART_M, open_page  # noqa: E402
from pose3d_ros.visualisation.viser_scene import (  # noqa: E402
    LABEL_ABOVE_M,
    CameraScene,
    _turn_y_to,
    people_table,
)


def tracked(*ids, hidden=None):
    """Return people of these ids, 3, 4, ... m away."""
    places = [(0.0, 0.0, 3.0 + i) for i in range(len(ids))]
    people = scene(np.array(places).reshape(-1, 3), hidden)
    n = len(ids)
    return TrackedPeople(people, np.array(ids, np.int64), np.ones(n, np.uint8), np.full(n, 2.0))


@pytest.fixture
def page():
    server = open_page(port=8300)
    yield server
    server.stop()


def test_the_page_is_served_on_this_machine_only(page):
    assert page.get_host() == '127.0.0.1'


def test_a_page_opens_on_all_cameras(page):
    """Each camera, and a person 5 m in front of it, is in the view of 42 degrees and 4:3."""
    for count in (1, 2, 3):
        CameraScene(page, f'camera_{count}', number=count - 1)
        eye = page.initial_camera
        forward = eye.look_at - eye.position
        forward /= np.linalg.norm(forward)
        right = np.cross((0.0, 1.0, 0.0), forward)
        right /= np.linalg.norm(right)
        for number in range(count):
            for z in (0.0, 5.0):
                seen = np.array([number * CAMERAS_APART_M, 0.0, z]) - eye.position
                depth = seen @ forward
                up = abs(seen @ np.cross(forward, right)) / depth
                assert up < np.tan(eye.fov / 2)
                assert abs(seen @ right) / depth < 4 / 3 * np.tan(eye.fov / 2)


def test_every_person_is_a_skeleton_at_the_right_place_until_gone(page):
    shown = CameraScene(page, '/front')
    shown.show_people(tracked(7, 9))
    assert set(shown.people) == {7, 9}
    person = shown.people[9]
    assert person.limbs.name == '/front/person_9/limbs'
    assert person.limbs.points.shape == (len(LIMBS), 2, 3)
    neck = PANOPTIC19.index('neck')
    np.testing.assert_allclose(
        person.keypoints.points[neck] + person.place.position, STANDING_M[neck] + (0, 0, 4)
    )
    label = shown.labels.handles[9]
    assert label.text == '9  4.0 m'
    assert label.position[1] < STANDING_M[:, 1].min()
    shown.show_people(tracked(9, 12))
    assert set(shown.people) == set(shown.labels.handles) == {9, 12}
    assert label.name == '/front_label_9'
    shown.show_people(tracked())
    assert not shown.people
    assert not shown.labels.handles


def test_people_of_cameras_with_similar_names_have_labels_of_their_own(page):
    scenes = [CameraScene(page, name) for name in ('/a/b', '/a_b')]
    for shown in scenes:
        shown.show_people(tracked(1))
    first, second = (shown.labels.handles[1].name for shown in scenes)
    assert first != second


def test_the_table_is_of_the_people_shown_last(page):
    shown = CameraScene(page, 'front')
    shown.show_table(tracked(7, 9))
    assert '| 9 |' in shown.table.content
    shown.show_table(tracked(7))
    assert '| 9 |' not in shown.table.content
    shown.clear()
    assert '| 7 |' not in shown.table.content


def test_inferred_limbs_are_paler(page):
    shown = CameraScene(page, 'front')
    shown.show_people(tracked(1))
    full = shown.people[1].limbs.colors.copy()
    shown.show_people(tracked(1, hidden=np.ones((1, 19), bool)))
    pale = shown.people[1].limbs.colors
    assert (pale.astype(int).sum(axis=-1) > full.astype(int).sum(axis=-1)).all()


def test_labels_stand_above_heads_in_the_scene(page):
    """Wherever the camera is: labels are not below its node, but below the root."""
    shown = CameraScene(page, 'rear', number=2)
    down = np.array([0.0, 0.6, 0.8])
    shown.show_camera_pose(CameraPose(-down, 1.5))
    shown.show_people(tracked(3))
    person = shown.people[3]
    head = person.keypoints.points[HEAD].mean(axis=0) + person.place.position
    above = turned(shown.frame.wxyz, head) + shown.frame.position - (0, LABEL_ABOVE_M, 0)
    np.testing.assert_allclose(shown.labels.handles[3].position, above, atol=1e-6)
    assert shown.labels.handles[3].name.count('/') == 1


@pytest.mark.parametrize('places_m', [[(0, 0, 4), (0.1, 0, 6)], [(0, 0, 4)] * 3, [(-2, 0, 5)] * 5])
def test_labels_do_not_cover_each_other(places_m):
    """Of people who stand behind each other, seen from the camera."""
    view = View(np.zeros(3), np.eye(3), 800.0)
    points_m = np.array(places_m, float)
    texts = [f'{i}  4.0 +- 0.3 m' for i in range(len(points_m))]
    raised_m = apart(points_m, texts, view)
    rows = 800 * raised_m[:, 1] / raised_m[:, 2]
    assert (np.diff(np.sort(rows)) >= LINE_PX - 1e-6).all()
    np.testing.assert_allclose(raised_m[:, [0, 2]], points_m[:, [0, 2]])
    lowest = np.argmax(800 * points_m[:, 1] / points_m[:, 2])
    assert raised_m[lowest, 1] == points_m[lowest, 1]


def test_labels_that_are_apart_or_behind_the_view_stay():
    points_m = np.array([(-2, 0, 5), (2, 0, 5), (0, 0, -3), (0, 0, -3)], float)
    kept = apart(points_m, ['1  5.0 m', '2  5.0 m', '3', '4'], View(np.zeros(3), np.eye(3), 800.0))
    np.testing.assert_allclose(kept, points_m)


def test_trails_follow_people(page):
    shown = CameraScene(page, 'front')
    for _ in range(5):
        shown.show_people(tracked(1))
    assert shown.people[1].trail.points.shape == (4, 2, 3)


def test_a_floor_is_shown_only_where_its_height_is_known(page):
    shown = CameraScene(page, 'front')
    up = np.array([0.0, -1.0, 0.0])
    for pose, height_m in (
        (None, None), (CameraPose(up), None), (CameraPose(up, 1.2), 1.2), (None, None),
        (CameraPose(up, 1.3), 1.3),
    ):  # fmt: skip
        shown.show_camera_pose(pose)
        assert (shown.floor is None) == (height_m is None)
    np.testing.assert_allclose(shown.floor.position, (0, 1.3, 0))


def test_the_floors_of_two_cameras_do_not_overlap(page):
    """The floor of one says nothing about that of the other."""
    front, rear = CameraScene(page, 'front'), CameraScene(page, 'rear', number=1)
    level = CameraPose(np.array([0.0, -1.0, 0.0]), 1.2)
    front.show_camera_pose(level)  # before the other is found
    for scene_ in (front, rear):
        scene_.leave_room()
        scene_.show_camera_pose(level)
    apart_m = rear.frame.position[0] - front.frame.position[0]
    assert (front.floor.width + rear.floor.width) / 2 <= apart_m


@pytest.mark.parametrize('down', [(0, 1, 0), (0.0, 0.6, 0.8), (0.6, 0.8, 0), (0, -1, 0)])
def test_a_camera_that_is_tilted_stands_tilted_above_a_level_floor(page, down):
    shown = CameraScene(page, 'front')
    down = np.array(down, float)
    shown.show_camera_pose(CameraPose(-down, 1.5))
    np.testing.assert_allclose(turned(shown.frame.wxyz, down), (0, 1, 0), atol=1e-6)
    level = turned(shown.frame.wxyz, turned(shown.floor.wxyz, np.array([0.0, 1.0, 0.0])))
    np.testing.assert_allclose(level, (0, 1, 0), atol=1e-6)
    below = turned(shown.frame.wxyz, np.array(shown.floor.position))
    np.testing.assert_allclose(below, (0, 1.5, 0), atol=1e-6)
    shown.show_camera_pose(None)
    np.testing.assert_allclose(shown.frame.wxyz, (1, 0, 0, 0))


def test_the_image_leaves_the_scene_when_people_are_in_another_frame(page):
    shown = CameraScene(page, 'front')
    image = np.full((90, 160, 3), 90, np.uint8)
    shown.show_image(image, Intrinsics.guess(160, 90))
    shown.hide_image()
    assert shown.frustum is None
    shown.show_image(image)
    assert shown.frustum is None


def turned(wxyz, vector):
    """Return a vector, turned by a unit quaternion."""
    w, v = wxyz[0], np.array(wxyz[1:])
    return vector + 2 * np.cross(v, np.cross(v, vector) + w * vector)


@pytest.mark.parametrize('direction', [(0, 1, 0), (0, 0, 1), (0.6, 0.8, 0), (0, -1, 0)])
def test_the_floor_turns_with_the_camera(direction):
    quaternion = _turn_y_to(np.array(direction, float))
    found = turned(quaternion, np.array([0.0, 1.0, 0.0]))
    np.testing.assert_allclose(found, direction, atol=1e-12)


def test_images_are_shown_beside_the_scene_and_in_the_frustum(page):
    shown = CameraScene(page, 'front')
    shown.show_image(np.full((1080, 1920, 3), 90, np.uint8), Intrinsics.guess(1920, 1080))
    assert shown.image.image.shape == (360, 640, 3)
    assert shown.frustum.image.shape == (180, 320, 3)


def test_the_table_has_people_by_id():
    people = tracked(9, 7)
    rows = people_table(people, *distances(people.people)).splitlines()[2:]
    assert [row.split('|')[1].strip() for row in rows] == ['7', '9']
    assert '4.0 m' in rows[0]
    assert 'confirmed' in rows[0]
