"""Rotation of images, tested with points projected before and after turning."""

import cv2
import numpy as np
import pytest

from pose3d_ros.camera import CameraPose, Intrinsics
from pose3d_ros.images import CameraImage
from pose3d_ros.people import K, People2D, People3D
from pose3d_ros.rotation import CHECKED_PEOPLE, MountingCheck, Rotation, upright_degrees
from pose3d_ros.skeleton import PANOPTIC19

WIDTH, HEIGHT = 60, 40
LENSES = {
    'none': ((), 'plumb_bob'),
    'plumb_bob': ((-0.2, 0.05, 0.01, -0.02, 0.01), 'plumb_bob'),
    'thin prism': ((0.1, 0, 0.01, -0.02, 0, 0.2, 0, 0, 0.01, 0.002, -0.02, 0.003),
                   'rational_polynomial'),
    'equidistant': ((0.05, -0.01, 0.003, -0.001), 'equidistant'),
}  # fmt: skip
TURNS = pytest.mark.parametrize('degrees', [0, 90, 180, 270])


def camera(lens='none'):
    distortion, model = LENSES[lens]
    return Intrinsics(50.0, 55.0, 28.0, 21.0, distortion, model)


def image(lens='none'):
    pixels = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    return CameraImage(pixels, camera(lens))


@TURNS
def test_pixels_move_where_turn_xy_says(degrees):
    rotation, source = Rotation(degrees, WIDTH, HEIGHT), image()
    turned = rotation.turn(source, None)[0].bgr
    assert turned.shape[:2] == ((WIDTH, HEIGHT) if degrees in (90, 270) else (HEIGHT, WIDTH))
    for x, y in ((0, 0), (59, 0), (7, 31), (59, 39)):
        u, v = np.rint(rotation.turn_xy(np.array([x, y], float))).astype(int)
        np.testing.assert_array_equal(turned[v, u], source.bgr[y, x])
        np.testing.assert_allclose(rotation.turn_back_xy(np.array([u, v], float)), (x, y))


@TURNS
@pytest.mark.parametrize('lens', LENSES)
def test_a_point_is_projected_to_its_turned_pixel(degrees, lens):
    rotation = Rotation(degrees, WIDTH, HEIGHT)
    xyz_m = np.random.default_rng(1).uniform((-0.4, -0.3, 1), (0.4, 0.3, 2), (20, 3))
    turned_camera = rotation.turn(image(lens), None)[0].intrinsics
    expected = rotation.turn_xy(camera(lens).project(xyz_m))
    found = turned_camera.project(xyz_m @ rotation._matrix().T)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_boxes_are_turned_with_the_image():
    turned = Rotation(90, WIDTH, HEIGHT).turn_boxes(np.array([[10.0, 5, 30, 25]]))
    np.testing.assert_allclose(turned, [[HEIGHT - 1 - 25, 10, HEIGHT - 1 - 5, 30]])
    assert Rotation(0, WIDTH, HEIGHT).turn_boxes(np.zeros((0, 4))).shape == (0, 4)


def test_a_right_turn_is_opencvs():
    turned = Rotation(90, WIDTH, HEIGHT).turn(image(), None)[0].bgr
    np.testing.assert_array_equal(turned, np.rot90(image().bgr, -1))
    assert cv2.ROTATE_90_CLOCKWISE == 0


@TURNS
def test_people_are_turned_back(degrees):
    rotation, rng = Rotation(degrees, WIDTH, HEIGHT), np.random.default_rng(2)
    xyz_m = rng.uniform((-0.3, -0.2, 1), (0.3, 0.2, 2), (2, K, 3))
    xyz_m[0, 3] = np.nan
    xy_px = camera().project(xyz_m)
    covariance = np.array([np.diag([0.01, 0.02, 0.3])] * 2)
    source = np.ones((2, K), np.uint8)

    def people(xy, xyz, root_covariance):
        people_2d = People2D(xy, np.ones((2, K)), np.ones(2))
        return People3D(people_2d, xyz, source, root_covariance)

    matrix = rotation._matrix()
    seen = people(rotation.turn_xy(xy_px), xyz_m @ matrix.T, matrix @ covariance @ matrix.T)
    found = rotation.turn_back(seen)
    np.testing.assert_allclose(found.people_2d.xy_px, xy_px)
    np.testing.assert_allclose(found.xyz_m, xyz_m)
    np.testing.assert_allclose(found.root_covariance_m2, covariance, atol=1e-12)


@pytest.mark.parametrize(
    ('up', 'degrees'),
    [
        ((0, -1, 0), 0),
        ((1, 0, 0), 270),  # up is on the right: turned counter-clockwise
        ((0, 1, 0), 180),
        ((-1, 0, 0), 90),
        ((0.5, -0.6, 0.62), 0),
        ((0, -0.1, 0.995), 0),
        ((0, 0.1, 0.995), 0),  # looks down: no roll
        ((0.7, 0.2, 0.68), 270),
    ],
)
def test_rotation_from_the_up_vector(up, degrees):
    pose = CameraPose(np.array(up) / np.linalg.norm(up))
    assert upright_degrees(pose) == degrees
    rotation = Rotation.of(image(), pose)
    assert rotation == Rotation(degrees, WIDTH, HEIGHT)
    _, turned = rotation.turn(image(), pose)
    assert upright_degrees(turned) == 0
    assert Rotation.of(image(), pose, 90).degrees == 90


def test_unknown_roll_and_invalid_angle():
    assert upright_degrees(None) == 0
    with pytest.raises(ValueError, match='found 45'):
        Rotation(45, WIDTH, HEIGHT)


def standing(up_px, n=1):
    """People whose neck is at `up_px` from the hips."""
    xy_px = np.full((n, K, 2), np.nan)
    xy_px[:, PANOPTIC19.indices(('left_hip', 'right_hip'))] = 100.0
    xy_px[:, PANOPTIC19.index('neck')] = 100 + np.array(up_px)
    return People2D(xy_px, np.isfinite(xy_px[..., 0]).astype(float), np.ones(n))


@pytest.mark.parametrize(
    ('up_px', 'degrees'), [((0, -50), 0), ((40, 10), 270), ((0, 50), 180), ((-50, 5), 90)]
)
@pytest.mark.parametrize('applied', [0, 90])
def test_mounting_is_judged_by_many_people(up_px, degrees, applied):
    check = MountingCheck()
    assert check.update(standing(up_px, CHECKED_PEOPLE - 1), applied) is None
    assert check.update(standing(up_px), applied) == (None if degrees == applied else degrees)


def test_people_who_lie_now_and_then_are_no_evidence():
    check = MountingCheck()
    for up_px in [(0, -50), (50, 0)] * CHECKED_PEOPLE:
        assert check.update(standing(up_px), 0) is None
    unknown = standing((np.nan, 0), CHECKED_PEOPLE)
    assert MountingCheck().update(unknown, 0) is None
