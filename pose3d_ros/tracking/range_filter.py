"""Distance of people from the camera over time, weighed by its covariance in each image.

One camera measures the distance of a person far less precisely than the direction. A Kalman
filter with the velocity as an Ornstein-Uhlenbeck process, as in ``motion``, takes the variance
that comes with each position, so that an uncertain one has little influence.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Standard deviation of the velocity along the ray, m/s, and the time after which it has faded to
# 1/e, s.
SPEED_M_S, SPEED_LASTS_S = 0.8, 2.0
# Share of a position's standard deviation that differs from image to image; the rest, such as the
# unknown height of the person, stays. In the video of docs/accuracy.md distances differ by 4 to
# 9 % from image to image, where 9 % are stated.
CHANGING_SHARE = 0.68
# Correlation time of the changing part, s: the images of a fast camera count less.
CORRELATION_S = 0.1

# State: distance (m), its velocity (m/s), the variances of both and their covariance, and the
# stamp (s). NaN: not measured yet.
RANGE = np.dtype([('range_m', 'f8'), ('speed', 'f8'), ('variance', 'f8', 3), ('stamp_s', 'f8')])


def nothing_yet(n: int) -> NDArray[np.void]:
    """Return the state of n new people, ``(n,)`` of ``RANGE``."""
    state = np.zeros(n, RANGE)
    for name in ('range_m', 'variance', 'stamp_s'):
        state[name] = np.nan
    return state


def follow(
    state: NDArray[np.void], range_m: Array, variance_m2: Array, stamp_s: float
) -> NDArray[np.void]:
    """Return the state after distances were measured.

    Parameters
    ----------
    state
        ``(N,)`` of ``RANGE``.
    range_m, variance_m2
        ``(N,)`` m and m2. NaN: not measured; the state is kept.
    stamp_s
        When they were measured, s.
    """
    dt_s = np.maximum(stamp_s - state['stamp_s'], 0.0)
    kept = np.exp(-dt_s / SPEED_LASTS_S)
    travel_s = SPEED_LASTS_S * (1 - kept)
    noise = SPEED_M_S**2 * (1 - kept**2)
    here, both, velocity = state['variance'].T
    position = here + travel_s * (2 * both + travel_s * velocity) + travel_s**2 * noise / 3
    coupled = kept * (both + travel_s * velocity) + travel_s * noise / 2
    velocity = kept**2 * velocity + noise
    measured = CHANGING_SHARE**2 * variance_m2
    measured = measured * np.maximum(CORRELATION_S / np.maximum(dt_s, 1e-3), 1.0)
    gain, gain_speed = position / (position + measured), coupled / (position + measured)
    expected_m = state['range_m'] + travel_s * state['speed']
    moved_m = range_m - expected_m

    after = np.zeros(len(state), RANGE)
    first = np.isnan(state['stamp_s'])
    after['range_m'] = np.where(first, range_m, expected_m + gain * moved_m)
    after['speed'] = np.where(first, 0.0, kept * state['speed'] + gain_speed * moved_m)
    start = CHANGING_SHARE**2 * variance_m2, np.zeros_like(range_m), SPEED_M_S**2
    later = (1 - gain) * position, (1 - gain) * coupled, velocity - gain_speed * coupled
    for i in range(3):
        after['variance'][:, i] = np.where(first, start[i], later[i])
    after['stamp_s'] = stamp_s
    unknown = np.isnan(range_m + variance_m2)
    after[unknown] = state[unknown]
    return after
