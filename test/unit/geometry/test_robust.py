"""Robust statistics against known results."""

import numpy as np
import pytest

from pose3d_ros.geometry.robust import MIN_CUTOFF_M, nan_median, tukey_weights


@pytest.mark.parametrize(
    ('values', 'median', 'lower'),
    [
        ([3, 1, 2], 2, 2),
        ([4, np.nan, 1, 9], 4, 4),
        ([4, 1, np.nan], 2.5, 1),
        ([7, np.nan, np.nan], 7, 7),
    ],
)
def test_median_ignores_unknown_values(values, median, lower):
    row = np.array([values], float)
    assert nan_median(row)[0] == median
    assert nan_median(row, lower=True)[0] == lower


def test_median_of_unknown_values_is_nan():
    assert np.isnan(nan_median(np.full((1, 3), np.nan))).all()


def test_median_agrees_with_numpy_on_many_axes():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(5, 4, 3, 7))
    values[rng.random(values.shape) < 0.3] = np.nan
    values[..., 0] = 1.0  # at least one is known
    np.testing.assert_allclose(nan_median(values), np.nanmedian(values, axis=-1))


def test_outliers_and_unknown_residuals_have_no_weight():
    residuals_m = np.array([[0.0, 0.01, 0.02, 1.0, np.nan]])
    weights = tukey_weights(residuals_m**2)[0]
    assert weights[0] == 1
    assert 0.9 < weights[2] < weights[1] < 1
    np.testing.assert_array_equal(weights[3:], 0)


def test_the_cutoff_grows_with_the_median_residual():
    residuals_m = np.array([[0.5, 0.5, 0.6, 2 * MIN_CUTOFF_M]])
    assert (tukey_weights(residuals_m**2) > 0).all()
