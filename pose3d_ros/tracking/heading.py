"""Heading of people over time: the horizontal direction that shoulders and hips face."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.geometry.rigid import cross, lengths
from pose3d_ros.people import People3D
from pose3d_ros.skeleton import PANOPTIC19

Array = NDArray[np.float64]

# Pairs whose line lies across the body: left, then right.
_LEFT = PANOPTIC19.indices(('left_shoulder', 'left_hip'))
_RIGHT = PANOPTIC19.indices(('right_shoulder', 'right_hip'))
# Up in the camera optical frame where it is not known: the camera is level.
LEVEL_UP = np.array([0.0, -1.0, 0.0])
# Standard deviation of a keypoint, m, where it is not known.
KEYPOINT_SD_M = 0.1
# Least standard deviation of the direction in one image, rad: shoulders turn against hips.
MIN_SD_RAD = 0.3
# Growth of the variance with time, rad2/s: people turn by about a right angle in a second.
TURN_VARIANCE = 1.5
# Largest variance, rad2: that of any direction.
ANY_VARIANCE = np.pi**2 / 3


def observe(people: People3D, up: NDArray[np.floating] | None = None) -> tuple[Array, Array]:
    """Compute the heading of each person in one image.

    The line across the body is the mean of shoulders and hips, weighed by their variances; the
    body faces at a right angle to it and to `up`.

    Parameters
    ----------
    people
        In the camera optical frame.
    up
        ``(3,)`` unit vector against gravity. None: the camera is level.

    Returns
    -------
    heading, variance
        Horizontal unit vectors ``(N, 3)``, and ``(N,)`` rad2. NaN where shoulders and hips are
        unknown.
    """
    up = LEVEL_UP if up is None else np.asarray(up, np.float64)
    sd_m = np.full(people.xyz_m.shape[:2], KEYPOINT_SD_M) if people.sd_m is None else people.sd_m
    across_m = people.xyz_m[:, _RIGHT] - people.xyz_m[:, _LEFT]
    variance_m2 = sd_m[:, _RIGHT] ** 2 + sd_m[:, _LEFT] ** 2
    facing_m = cross(up, across_m)
    weight = np.where(np.isfinite(facing_m[..., 0] + variance_m2), 1 / variance_m2, 0.0)
    total_m = np.where(weight[..., np.newaxis] > 0, facing_m * weight[..., np.newaxis], 0).sum(1)
    length = lengths(total_m)
    known = length > 0
    heading = total_m / np.where(known, length, np.nan)[:, np.newaxis]
    # The angle's variance of a line of length l with variance v at right angles to it: v / l2.
    information = length**2 / np.where(known, weight.sum(axis=1), np.nan)
    return heading, np.minimum(1 / information + MIN_SD_RAD**2, ANY_VARIANCE)


def predict(variance: Array, dt_s: float) -> Array:
    """Return the variance of headings, rad2, a time later."""
    return np.minimum(variance + TURN_VARIANCE * dt_s, ANY_VARIANCE)


def correct(
    heading: Array, variance: Array, observed: Array, observed_variance: Array
) -> tuple[Array, Array]:
    """Update headings by those in an image: a Kalman filter of the angle.

    Parameters
    ----------
    heading, variance
        ``(N, 3)`` and ``(N,)`` as predicted. NaN: unknown.
    observed, observed_variance
        ``(N, 3)`` and ``(N,)`` as returned by `observe`. NaN: not observed.

    Returns
    -------
    heading, variance
        NaN where both are unknown.
    """
    gain = variance / (variance + observed_variance)
    mixed = heading + gain[:, np.newaxis] * (observed - heading)
    mixed /= np.maximum(lengths(mixed), 1e-6)[:, np.newaxis]
    first, unknown = np.isnan(variance), np.isnan(observed_variance)
    after = np.where(first[:, np.newaxis], observed, mixed)
    after_variance = np.where(first, observed_variance, (1 - gain) * variance)
    return (
        np.where(unknown[:, np.newaxis], heading, after),
        np.where(unknown, variance, after_variance),
    )
