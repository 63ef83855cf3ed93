"""Rotations between two by their angles, cross products against numpy's."""

import numpy as np
import pytest

from pose3d_ros.geometry.rigid import cross, slerp


def about_z(angle_rad):
    return np.array([0, 0, np.sin(angle_rad / 2), np.cos(angle_rad / 2)])


@pytest.mark.parametrize('angle_rad', [0.0, 1e-7, 0.3, 3.0])
@pytest.mark.parametrize('sign', [1, -1])
def test_slerp_turns_at_constant_speed_the_shorter_way(angle_rad, sign):
    first, second = about_z(0.2), sign * about_z(0.2 + angle_rad)
    for share in (0.0, 0.25, 1.0):
        found = slerp(first, second, share)
        np.testing.assert_allclose(abs(found @ about_z(0.2 + share * angle_rad)), 1, atol=1e-12)
        np.testing.assert_allclose(np.linalg.norm(found), 1, atol=1e-12)


def test_cross_products_are_those_of_numpy():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(5, 1, 3)), rng.normal(size=(4, 3))
    b[2, 1] = np.nan
    np.testing.assert_array_equal(cross(a, b), np.cross(a, b))
    np.testing.assert_array_equal(cross(b[0], b), np.cross(b[0], b))
