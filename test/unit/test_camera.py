import cv2
import numpy as np
import pytest

from pose3d_ros.camera import Intrinsics, IntrinsicsSource
from pose3d_ros.images import CameraImage, DepthImage


def test_rays_and_project_are_inverse():
    camera = Intrinsics(500, 600, 310, 250)
    xyz = np.array([[0.3, -0.2, 2.0], [-1, 1, 5]])
    np.testing.assert_allclose(camera.unproject(camera.project(xyz)), xyz[:, :2] / xyz[:, 2:])


LENSES = [
    ('plumb_bob', (-0.3, 0.1, 0.001, -0.002, 0.01)),
    ('plumb_bob', (-0.35, 0, 0, 0)),  # folds at 44 degrees, r = sqrt(1 / (3 * 0.35))
    ('plumb_bob', (-0.4, 0.05, 0.01, 0.01)),  # folds, and rises again further out
    ('plumb_bob', (0.3, -0.5, 0, 0, 0)),
    ('rational_polynomial', (0.1, -0.05, 0.001, 0.0, 0.01, 0.2, -0.02, 0.003)),
    ('rational_polynomial', (0.1, -0.05, 0.001, 0, 0.01, 0.2, -0.02, 0.003, 0.01, 0, 0, 0.01)),
    ('equidistant', (0.05, -0.01, 0.003, -0.001)),
    ('equidistant', (-0.2, 0.01, 0, 0)),  # folds at 81 degrees
]


def seen(camera, xy_of_rays):
    """Pixels (N, 2) of rays x/z, y/z (N, 2), by OpenCV."""
    matrix = np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1.0]])
    xyz = np.concatenate([xy_of_rays, np.ones((len(xy_of_rays), 1))], axis=1)[:, None]
    project = cv2.fisheye.projectPoints if camera.model == 'equidistant' else cv2.projectPoints
    xy, _ = project(xyz, np.zeros(3), np.zeros(3), matrix, np.array(camera.distortion))
    return xy.reshape(-1, 2)


def discs(camera, *radii):
    """Points around the optical centre, so many focal lengths away."""
    turns = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    unit = np.stack([np.cos(turns), np.sin(turns)], axis=-1)
    return np.concatenate([unit * r for r in radii]), (camera.cx, camera.cy)


@pytest.mark.parametrize(('model', 'distortion'), LENSES)
def test_rays_undo_the_lens(model, distortion):
    camera = Intrinsics(500, 510, 320, 240, distortion, model)
    truth, _ = discs(camera, 0, 0.1, 0.3, 0.5, 0.7, 0.8)
    np.testing.assert_allclose(camera.unproject(seen(camera, truth)), truth, atol=1e-3)


@pytest.mark.parametrize(('model', 'distortion'), LENSES)
def test_far_outside_a_pixel_has_a_ray_that_is_seen_there_or_none(model, distortion):
    camera = Intrinsics(500, 510, 320, 240, distortion, model)
    unit, centre = discs(camera, *np.geomspace(0.1, 1e6, 60))
    pixels = unit * 500 + centre
    rays = camera.unproject(pixels)
    some = np.isfinite(rays).all(axis=1)
    assert (np.isnan(rays).all(axis=1) | some).all()
    assert some[:24].all()
    np.testing.assert_allclose(seen(camera, rays[some]), pixels[some], atol=0.2)
    # In the pixel's own direction, less than 86 degrees from the axis.
    assert ((rays * unit).sum(axis=1) > 0)[some].all()
    assert (np.hypot(*rays[some].T) < np.tan(np.deg2rad(86))).all()


def test_beyond_the_fold_of_the_lens_there_is_no_ray():
    """r (1 - 0.35 r^2) rises up to r = 0.976, and is 0.6506 there: no ray gets further out."""
    camera = Intrinsics(500, 500, 320, 240, (-0.35, 0, 0, 0))
    for inside in (320 + 500 * 0.65, 320 - 500 * 0.65):
        (x, y) = camera.unproject(np.array([inside, 240]))
        assert abs(x) == pytest.approx(0.976, abs=0.05)
        assert (abs(x) * (1 - 0.35 * x * x)) == pytest.approx(0.65, abs=2e-4)
        assert y == 0
    for outside in (320 + 500 * 0.652, 320 - 500 * 0.652, 1000, -1e4, 1e9, 1e300, np.inf):
        assert np.isnan(camera.unproject(np.array([outside, 240]))).all(), outside
    # What this guards against.
    matrix = np.array([[500, 0, 320], [0, 500, 240], [0, 0, 1.0]])
    coefficients = np.array([-0.35, 0, 0, 0])
    absurd = cv2.undistortPoints(np.array([[[1000.0, 240]]]), matrix, coefficients)
    assert np.isfinite(absurd).all()


def test_lenses_that_rise_again_behind_their_fold_have_no_second_ray():
    """r (1 - 0.4 r^2 + 0.05 r^4) falls from r = 1.03 on and rises again from 1.93."""
    camera = Intrinsics(500, 500, 320, 240, (-0.4, 0.05, 0, 0))
    behind = seen(camera, np.array([[2.5, 0]]))
    assert behind[0, 0] > 320 + 500 * 0.7
    assert np.isnan(camera.unproject(behind)).all()


def test_nobody_has_no_rays():
    camera = Intrinsics(500, 500, 320, 240, (0.1, 0, 0, 0))
    assert camera.unproject(np.zeros((0, 19, 2))).shape == (0, 19, 2)


def test_missing_keypoints_have_no_ray():
    camera = Intrinsics(500, 500, 320, 240, (0.1, 0, 0, 0))
    rays = camera.unproject(np.array([[np.nan, np.nan], [320, 240]]))
    assert np.isnan(rays[0]).all()
    np.testing.assert_allclose(rays[1], 0, atol=1e-9)


def test_guess_says_that_it_is_one():
    camera = Intrinsics.guess(640, 480)
    assert camera.source == IntrinsicsSource.GUESSED
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == (512, 512, 319.5, 239.5)


@pytest.mark.parametrize(
    ('arguments', 'match'),
    [
        ((0, 500, 1, 1), 'positive'),
        ((500, float('nan'), 1, 1), 'finite'),
        ((500, 500, 1, 1, (1, 2, 3)), "'plumb_bob' with 3"),
        ((500, 500, 1, 1, (0.1,) * 4, 'fancy'), "'fancy' with 4"),
    ],
)
def test_bad_intrinsics_are_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        Intrinsics(*arguments)


@pytest.mark.parametrize(
    'bgr',
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4, 3), np.float32),
    ],
)
def test_bad_images_are_refused(bgr):
    with pytest.raises(ValueError, match=r'\(H, W, 3\) uint8'):
        CameraImage(bgr, Intrinsics.guess(4, 4))


@pytest.mark.parametrize(('model', 'distortion'), [('plumb_bob', ()), *LENSES])
def test_pixels_undo_rays(model, distortion):
    camera = Intrinsics(500, 510, 310, 250, distortion, model)
    xy_px = np.stack(np.meshgrid([150.0, 310, 480], [120.0, 250, 400]), axis=-1)
    np.testing.assert_allclose(camera.project_rays(camera.unproject(xy_px)), xy_px, atol=0.15)


def test_no_pixel_beyond_the_lens_model():
    camera = Intrinsics(500, 500, 310, 250, (-0.35, 0, 0, 0))
    assert np.isnan(camera.project_rays(np.array([[3.0, 0.0], [np.nan, 0.1]]))).all()
    assert camera.project_rays(np.zeros((0, 2))).shape == (0, 2)


def test_depth_is_that_of_the_nearest_pixel():
    camera = Intrinsics(100, 100, 1, 0.5)
    depth = DepthImage(np.array([[1, 2, 3], [4, 0, np.inf]], np.float32), camera)
    xy_px = np.array(
        [[0.4, 0.4], [1.6, -0.4], [0, 1.4], [1, 1], [2, 1], [-0.6, 0], [0, 1.6], [np.nan, 0]]
    )
    found_m = depth.at(camera.unproject(xy_px))
    np.testing.assert_array_equal(found_m, [1, 3, 4] + [np.nan] * 5)


@pytest.mark.parametrize(
    'depth_m', [np.zeros((2, 3)), np.zeros((2, 3, 1), np.float32), np.zeros((0, 3), np.float32)]
)
def test_a_depth_image_says_what_it_must_be(depth_m):
    with pytest.raises(ValueError, match='float32'):
        DepthImage(depth_m, Intrinsics(100, 100, 1, 0.5))
