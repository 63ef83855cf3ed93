"""Placement of root-relative poses at a known depth, of poses whose position is known."""

import numpy as np
import pytest

from pose3d_ros.geometry.placement import place_at_depth

N, M = 3, 12
ROOTS_M = np.array([[0.2, -0.3, 3.0], [-1.0, 0.4, 6.0], [0.0, 0.0, 2.0]])


@pytest.fixture
def relative_m():
    return np.random.default_rng(0).uniform(-0.5, 0.5, (N, M, 3))


def rays_of(xyz_m):
    return xyz_m[..., :2] / xyz_m[..., 2:]


def test_exact_rays_give_the_exact_position(relative_m):
    truth_m = relative_m + ROOTS_M[:, np.newaxis]
    xyz_m, agreement = place_at_depth(relative_m, rays_of(truth_m), np.ones((N, M)), ROOTS_M[:, 2])
    np.testing.assert_allclose(xyz_m, truth_m, atol=1e-12)
    np.testing.assert_allclose(agreement, 1)


def test_an_outlier_has_no_weight(relative_m):
    truth_m = relative_m + ROOTS_M[:, np.newaxis]
    rays = rays_of(truth_m)
    rays[:, 4] += 1.0
    xyz_m, agreement = place_at_depth(relative_m, rays, np.ones((N, M)), ROOTS_M[:, 2])
    np.testing.assert_allclose(xyz_m, truth_m, atol=1e-3)
    assert (agreement[:, 4] == 0).all()


def test_undetected_keypoints_follow_the_others(relative_m):
    truth_m = relative_m + ROOTS_M[:, np.newaxis]
    rays, weights = rays_of(truth_m), np.ones((N, M))
    rays[:, :5], weights[:, :5] = 0, 0
    xyz_m, agreement = place_at_depth(relative_m, rays, weights, ROOTS_M[:, 2])
    np.testing.assert_allclose(xyz_m, truth_m, atol=1e-12)
    assert (agreement[:, :5] == 0).all()


def test_keypoints_behind_the_camera_do_not_count(relative_m):
    relative_m[0, 2, 2] = -4.0
    rays = rays_of(relative_m + ROOTS_M[:, np.newaxis])
    rays[0, 2] = (3.0, -3.0)
    xyz_m, agreement = place_at_depth(relative_m, rays, np.ones((N, M)), ROOTS_M[:, 2])
    assert agreement[0, 2] == 0
    np.testing.assert_allclose(xyz_m, relative_m + ROOTS_M[:, np.newaxis], atol=1e-12)


def test_poses_behind_the_camera_have_no_position(relative_m):
    xyz_m, agreement = place_at_depth(
        relative_m, np.zeros((N, M, 2)), np.ones((N, M)), np.array([-3.0, 4.0, 4.0])
    )
    assert np.isnan(xyz_m[0, :, :2]).all()
    assert (agreement[0] == 0).all()
    assert np.isfinite(xyz_m[1:]).all()
