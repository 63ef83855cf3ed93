"""Cross products against numpy's."""

import numpy as np

from pose3d_ros.geometry.rigid import cross


def test_cross_products_are_those_of_numpy():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(5, 1, 3)), rng.normal(size=(4, 3))
    b[2, 1] = np.nan
    np.testing.assert_array_equal(cross(a, b), np.cross(a, b))
    np.testing.assert_array_equal(cross(b[0], b), np.cross(b[0], b))
