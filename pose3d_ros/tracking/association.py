"""Association of detected people with tracks: the cost of each pair, and the pairing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.tracking import appearance
from pose3d_ros.tracking.motion import K, Motion

Array = NDArray[np.float64]

# Standard deviation of a keypoint relative to the whole person, m: at once, and the growth with
# the time since the person was last detected, m/s.
POSE_M = 0.1
POSE_M_PER_S = 0.15
# Weight of the pose. Errors of keypoints are correlated: all keypoints of a person together count
# as much as this many independent ones.
POSE_WEIGHT = 3.0
# Added as one more keypoint, so that few common keypoints are no certainty. Squared standard
# deviations, like the next three.
PRIOR_RESIDUAL = 4.0
# Added if two people have no keypoint in common, in proportion if they have some: a fragment of a
# person is paired after complete people.
NO_OVERLAP_PENALTY = 3.0
# Upper bound of a residual: beyond, it is an error of measurement.
MAX_RESIDUAL = 9.0
# Largest lateral distance between the predicted and the measured position of a person, squared
# standard deviations, and in metres.
POSITION_GATE = 16.0
MAX_LATERAL_M = 2.0
# Colour distance at which the cost is 0, cost per unit of distance, and bound of the cost. With
# fewer common parts than MIN_PARTS it is 0.
COLOUR_NEUTRAL, COLOUR_COST, COLOUR_LIMIT = 0.2, 25.0, 12.0
MIN_PARTS = 2


def costs(
    expected: Motion, observed: Motion, moved_m: Array, measured: Array, unseen_s: Array
) -> Array:
    """Compute the cost of associating each of N people with each of T tracks.

    Twice the negative log-likelihood of their difference for the same person. It contains the
    logarithms of the standard deviations: a track that was not detected for long has a wide
    distribution, and so a low likelihood everywhere.

    Parameters
    ----------
    expected, observed
        ``(T,)`` and ``(N,)`` of ``MOTION``.
    moved_m, measured
        ``(N, T, 3)`` m and ``(N, T, 2)`` m2, as returned by ``motion.displacement``.
    unseen_s
        ``(T,)`` s since the person of each track was last detected.

    Returns
    -------
    cost
        ``(N, T)``. Infinite: they cannot be the same person.
    """
    variance = expected['variance'][..., 0] + measured
    square_m2 = moved_m**2
    lateral_m2 = square_m2[..., 0] + square_m2[..., 1]
    cost = np.full(lateral_m2.shape, np.inf)
    near = np.nonzero(lateral_m2 < np.minimum(POSITION_GATE * variance[..., 0], MAX_LATERAL_M**2))
    lateral, depth = variance[near].T
    position = lateral_m2[near] / lateral
    # MAX_RESIDUAL where the depth is unknown.
    position += np.fmin(square_m2[..., 2][near] / depth, MAX_RESIDUAL)
    pose_m2 = (POSE_M + POSE_M_PER_S * unseen_s[near[1]]) ** 2
    pose = _pose_residual(expected, observed, moved_m[near][:, :2], near, pose_m2)
    width = np.log(lateral**2 * depth) + 2 * POSE_WEIGHT * np.log(pose_m2)
    cost[near] = position + POSE_WEIGHT * pose + width
    return cost


def _pose_residual(
    expected: Motion,
    observed: Motion,
    lateral_m: Array,
    pairs: tuple[NDArray[np.intp], ...],
    variance_m2: Array,
) -> Array:
    """Return the mean squared residual of the keypoints of P pairs, ``(P,)``, each bounded.

    After both people were put on each other by their lateral displacement ``(P, 2)`` m.
    """
    n, t = pairs
    px_per_m = expected['px_per_m'][t]
    moved_px = lateral_m * px_per_m[:, None]
    apart_px = observed['xy_px'][n] - expected['xy_px'][t] - moved_px[:, None]
    variance_px2 = variance_m2 * px_per_m**2
    square = np.einsum('pki,pki->pk', apart_px, apart_px) / variance_px2[:, None]
    common = np.isfinite(apart_px[..., 0])
    number = common.sum(axis=-1)
    total = np.einsum('pk,pk->p', np.fmin(square, MAX_RESIDUAL), common)
    missing = NO_OVERLAP_PENALTY * (1 - number / K)
    return np.asarray((total + PRIOR_RESIDUAL) / (number + 1) + missing)


def colour_costs(expected: Array, observed: Array) -> Array:
    """Compute the cost by the colours of N people and T tracks, ``(N, T)``; 0 where unknown.

    Twice the negative logarithm of a likelihood ratio, so that it can be added to `costs`.

    Parameters
    ----------
    expected, observed
        ``(T, PARTS, BINS)`` and ``(N, PARTS, BINS)``, see ``appearance.describe``.
    """
    distance, parts = appearance.distances(observed, expected)
    ratio = np.clip((distance - COLOUR_NEUTRAL) * COLOUR_COST, -COLOUR_LIMIT, COLOUR_LIMIT)
    return np.where(parts >= MIN_PARTS, ratio, 0.0)


def pair(cost: Array) -> NDArray[np.intp]:
    """Pair rows with columns greedily, the lowest cost first.

    The assignment of least total cost moves complete people to make room for fragments: simulated
    walkers from which fragments are split off changed ids 1335 times with it, 290 times with this.
    In the video of docs/accuracy.md both do the same.

    Returns
    -------
    ndarray
        ``(N,)``, the column of each row. -1: none; infinite costs are never paired.
    """
    column_of = np.full(len(cost), -1)
    rows, columns = np.nonzero(np.isfinite(cost))
    taken = set()
    for i in np.argsort(cost[rows, columns], kind='stable'):
        row, column = rows[i], columns[i]
        if column_of[row] < 0 and column not in taken:
            column_of[row] = column
            taken.add(column)
    return column_of
