"""Robust statistics of arrays in which NaN means unknown."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Residual from which a measurement has no weight: CUTOFF_MEDIANS times the median of the person's
# residuals, and at least MIN_CUTOFF_M, m.
MIN_CUTOFF_M = 0.15
CUTOFF_MEDIANS = 2.5
# Weight that is left to an outlier, so that a solution always exists.
MIN_WEIGHT = 1e-4


def tukey_weights(squared_m2: Array) -> Array:
    """Weight residuals by Tukey's biweight, scaled by the median residual of each person.

    Parameters
    ----------
    squared_m2
        ``(N, M)`` squared residuals, m2. NaN: unknown.

    Returns
    -------
    ndarray
        ``(N, M)`` in [0, 1]: 1 for a perfect fit, 0 for outliers and unknown residuals.
    """
    median = nan_median(squared_m2, lower=True)
    cutoff = np.fmax(MIN_CUTOFF_M**2, CUTOFF_MEDIANS**2 * median)
    return np.asarray(np.fmax(1 - squared_m2 / cutoff[..., np.newaxis], 0) ** 2)


def nan_median(values: Array, lower: bool = False) -> Array:
    """Return the median along the last axis over values that are not NaN; NaN if there are none.

    Faster than ``numpy.nanmedian`` for many short rows.

    Parameters
    ----------
    values
        ``(..., K)``.
    lower
        Of an even number of values, return the lower of the two in the middle, which is one of the
        values, instead of their mean.
    """
    number = values.shape[-1]
    ordered = np.sort(values, axis=-1).reshape(-1, number)  # NaN last
    count = number - np.isnan(ordered).sum(axis=-1)
    row = np.arange(len(ordered))
    median = ordered[row, np.maximum(count - 1, 0) // 2]
    if not lower:
        median = (median + ordered[row, np.minimum(count // 2, number - 1)]) / 2
    return np.asarray(median.reshape(values.shape[:-1]))
