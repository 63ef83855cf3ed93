import cv2
import numpy as np
import pytest

from pose3d_ros.camera import CameraImage, Intrinsics, IntrinsicsSource


def test_rays_and_project_are_inverse():
    camera = Intrinsics(500, 600, 310, 250)
    xyz = np.array([[0.3, -0.2, 2.0], [-1, 1, 5]])
    np.testing.assert_allclose(camera.rays(camera.project(xyz)), xyz[:, :2] / xyz[:, 2:])


@pytest.mark.parametrize(
    ('model', 'distortion'),
    [
        ('plumb_bob', (-0.3, 0.1, 0.001, -0.002, 0.01)),
        ('rational_polynomial', (0.1, -0.05, 0.001, 0.0, 0.01, 0.2, -0.02, 0.003)),
        ('equidistant', (0.05, -0.01, 0.003, -0.001)),
    ],
)
def test_rays_undo_the_lens(model, distortion):
    camera = Intrinsics(500, 510, 320, 240, distortion, model)
    xyz = np.array([[0.4, -0.3, 1.5], [-0.5, 0.2, 2.0], [0, 0, 1.0]])
    matrix = np.array([[500, 0, 320], [0, 510, 240], [0, 0, 1.0]])
    zero = np.zeros(3)
    if model == 'equidistant':
        xy, _ = cv2.fisheye.projectPoints(
            xyz.reshape(-1, 1, 3), zero, zero, matrix, np.array(distortion)
        )
    else:
        xy, _ = cv2.projectPoints(xyz, zero, zero, matrix, np.array(distortion))
    rays = camera.rays(xy.reshape(3, 2))
    np.testing.assert_allclose(rays, xyz[:, :2] / xyz[:, 2:], atol=1e-3)


def test_nobody_has_no_rays():
    camera = Intrinsics(500, 500, 320, 240, (0.1, 0, 0, 0))
    assert camera.rays(np.zeros((0, 19, 2))).shape == (0, 19, 2)


def test_missing_keypoints_have_no_ray():
    camera = Intrinsics(500, 500, 320, 240, (0.1, 0, 0, 0))
    rays = camera.rays(np.array([[np.nan, np.nan], [320, 240]]))
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
