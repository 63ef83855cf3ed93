"""Drawings of people at known places: what is where in the picture, and what is paler."""

import numpy as np
import pytest
from support.people import LEGS, scene

from pose3d_ros.camera import CameraPose, Intrinsics, IntrinsicsSource
from pose3d_ros.people import People2D, People3D, TrackedPeople
from pose3d_ros.visualisation.overlay import draw_people
from pose3d_ros.visualisation.perspective import Reach, draw_view, level_axes, look
from pose3d_ros.visualisation.style import KEYPOINT_BGR, SOURCE_ALPHA, distances, label
from pose3d_ros.visualisation.text import Label, draw_labels

CAMERA = Intrinsics.centred(1000.0, 1280, 720, IntrinsicsSource.PARAMETER)
LEVEL = np.array([0.0, -1.0, 0.0])


def tracked(places_m, hidden=None, covariance_m2=np.nan):
    """Return confirmed people 1, 2, ... standing at places (N, 3) m."""
    people = scene(places_m, hidden)
    n = len(people)
    covariance = np.tile(np.eye(3) * covariance_m2, (n, 1, 1)) if n else np.empty((0, 3, 3))
    people = People3D(people.people_2d, people.xyz_m, people.source, covariance)
    return TrackedPeople(people, np.arange(1, n + 1), np.ones(n, np.uint8), np.ones(n))


def no_people():
    empty = np.empty
    people = People3D(
        People2D(empty((0, 19, 2)), empty((0, 19)), empty(0)),
        empty((0, 19, 3)), empty((0, 19), np.uint8), empty((0, 3, 3)),
    )  # fmt: skip
    return TrackedPeople(people, empty(0, np.int64), empty(0, np.uint8), empty(0))


def test_labels_state_distances_and_their_uncertainty():
    distance_m, sd_m = distances(tracked([(0, 0, 3.0), (3.0, 0, 4.0)], covariance_m2=0.09).people)
    np.testing.assert_allclose(distance_m, [3, 5])
    np.testing.assert_allclose(sd_m, 0.3)
    assert label(7, distance_m[0], sd_m[0]) == '7  3.0 +- 0.3 m'
    assert label(7, 3.0, np.nan) == '7  3.0 m'
    assert label(7, np.nan, np.nan) == '7'


def test_labels_do_not_cover_each_other():
    one, two = (np.full((200, 300, 3), 150, np.uint8) for _ in range(2))
    draw_labels(one, [Label('12  3.0 m', 150, 100)])
    draw_labels(two, [Label('12  3.0 m', 150, 100), Label('34  4.0 m', 155, 98)])
    darkened = [int((image == 50).all(axis=-1).sum()) for image in (one, two)]
    assert darkened[1] > 1.8 * darkened[0]


def test_labels_stay_inside_the_image():
    bgr = np.full((60, 200, 3), 150, np.uint8)
    draw_labels(bgr, [Label('12  3.0 m', x, y) for x in (-50, 100, 400) for y in (-40, 100)])
    assert (bgr != 150).any()


def test_the_label_is_above_the_head():
    bgr = np.full((720, 1280, 3), 150, np.uint8)
    people = tracked([(0, 0, 4.0)])
    draw_people(bgr, people)
    top = int(np.nanmin(people.people.people_2d.xy_px[0, :, 1]))
    rows = np.flatnonzero((bgr == 50).all(axis=-1).any(axis=1))
    assert rows.max() < top
    assert rows.max() > top - 40


def test_inferred_limbs_are_paler_on_the_image_and_missing_without_intrinsics():
    hidden = np.zeros((1, 19), bool)
    hidden[0, LEGS] = True
    black = np.zeros((720, 1280, 3), np.uint8)
    people = tracked([(0, 0, 4.0)], hidden)
    draw_people(black, people)
    # Between the hips and the ankles.
    legs = (slice(400, 560), slice(600, 690))
    assert not black[legs].any()
    draw_people(black, people, CAMERA)
    brightest = black[legs].reshape(-1, 3).max(axis=0)
    full = np.max(KEYPOINT_BGR, axis=0)
    assert (brightest > 0).any()
    assert (brightest <= SOURCE_ALPHA[2] * full + 2).all()


def test_drawing_no_people_changes_nothing():
    bgr = np.full((48, 64, 3), 9, np.uint8)
    draw_people(bgr, no_people(), CAMERA)
    assert (bgr == 9).all()


@pytest.mark.parametrize('angle_deg', [-30, 0, 25])
def test_the_floor_of_the_view_is_level_and_at_its_height(angle_deg):
    """A point below a person's feet, by the camera's pose, is drawn where the level floor is."""
    angle = np.radians(angle_deg)
    up = np.array([0.0, -np.cos(angle), -np.sin(angle)])
    axes = level_axes(up)
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(axes @ up, LEVEL, atol=1e-12)
    level_m = np.array([[0.5, 1.4, 3.0]])
    pixel = look(level_m @ axes, (480, 640), 5.0, up)
    np.testing.assert_allclose(pixel, look(level_m, (480, 640), 5.0), atol=1e-9)


def test_a_floor_is_drawn_only_where_its_height_is_known():
    grey = {}
    for name, pose in (
        ('unknown', None),
        ('attitude', CameraPose(LEVEL)),
        ('height', CameraPose(LEVEL, 1.2)),
    ):
        picture = draw_view(no_people(), (240, 320), 4.0, pose)
        # Lines of one grey, apart from the axes and the text at the bottom.
        plain = np.ptp(picture[:200].astype(int), axis=-1) == 0
        grey[name] = int((plain & (picture[:200, :, 0] > 40)).sum())
    assert grey['height'] > 300
    assert max(grey['unknown'], grey['attitude']) < 20  # where axes blend to grey


def test_inferred_limbs_are_paler_in_the_view():
    shown = draw_view(tracked([(0, 0, 3.0)]), (480, 640), 4.0)
    hidden = draw_view(tracked([(0, 0, 3.0)], np.ones((1, 19), bool)), (480, 640), 4.0)
    left = np.array(KEYPOINT_BGR[3])

    def has(picture, colour):
        return (np.abs(picture.astype(float) - colour).max(axis=-1) < 12).sum() > 20

    assert has(shown, left)
    assert not has(hidden, left)
    assert has(hidden, SOURCE_ALPHA[2] * left + (1 - SOURCE_ALPHA[2]) * 30)


def test_the_reach_follows_people_both_ways():
    reach = Reach()
    for i in range(100):
        near = reach.update(tracked([(0, 0, 3.0)]), i / 10)
    for i in range(100, 200):
        far = reach.update(tracked([(0, 0, 12.0)]), i / 10)
    for i in range(200, 300):
        again = reach.update(tracked([(0, 0, 3.0)]), i / 10)
    assert far > 12 > near > 3
    assert again == pytest.approx(near, abs=0.1)
    assert reach.update(no_people(), 31.0) == again
