"""Who of this image is who of before: the cost of every pair, and the pairs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.tracking import appearance
from pose3d_ros.tracking.motion import K, Motion

Array = NDArray[np.float64]

# Standard deviation of a keypoint apart from the whole person's movement: at once, and for each
# second unseen.
POSE_M = 0.1
POSE_M_PER_S = 0.15
POSE_WORTH = 3.0  # keypoints err together: all of a person say as much as so many alone would
# A keypoint this odd is added to those in common, so that few do not look like certainty. Squared
# standard deviations, as the next three.
PRIOR_RESIDUAL = 4.0
# Added for all keypoints if none is in common: a fragment of somebody waits until the others have
# chosen.
NO_OVERLAP_PENALTY = 3.0
# What is odder than this is an error of measurement and counts no more.
MAX_RESIDUAL = 9.0
# People whose places are further apart than this are two, whether by what was expected or in
# metres.
POSITION_GATE = 16.0
FARTHEST_M = 2.0
# Distance of colours that says nothing, cost for each unit beyond, and bound of the cost. Fewer
# parts than MIN_PARTS say nothing.
COLOUR_NEUTRAL, COLOUR_COST, COLOUR_LIMIT = 0.2, 25.0, 12.0
MIN_PARTS = 2


def costs(
    expected: Motion, seen: Motion, moved_m: Array, measured: Array, unseen_s: Array
) -> Array:
    """Cost of taking each of N people for each of T people of before.

    Twice the negative logarithm of how likely their difference is for one person. The logarithms
    of the widths are part of it: whoever was not seen for long could be anywhere, so is less
    likely to be right here.

    Parameters
    ----------
    expected, seen
        ``(T,)`` and ``(N,)`` of ``MOTION``.
    moved_m, measured
        ``(N, T, 3)`` m and ``(N, T, 2)`` m2, what ``motion.moved`` says of the pairs.
    unseen_s
        ``(T,)`` s since they were seen.

    Returns
    -------
    cost
        ``(N, T)``; infinite where they cannot be one.
    """
    variance = expected['variance'][..., 0] + measured
    square_m2 = moved_m**2
    apart_m2 = square_m2[..., 0] + square_m2[..., 1]
    cost = np.full(apart_m2.shape, np.inf)
    near = np.nonzero(apart_m2 < np.minimum(POSITION_GATE * variance[..., 0], FARTHEST_M**2))
    n, t = near
    lateral, depth = variance[near].T
    place = apart_m2[near] / lateral
    distance = np.fmin(
        square_m2[..., 2][near] / depth, MAX_RESIDUAL
    )  # MAX_RESIDUAL where it is unknown
    moved_px = moved_m[near][:, :2] * expected['px_per_m'][t, None]
    bent_px = seen['xy_px'][n] - expected['xy_px'][t] - moved_px[:, None]
    pose_m2 = (POSE_M + POSE_M_PER_S * unseen_s[t]) ** 2
    pose_px2 = pose_m2 * expected['px_per_m'][t] ** 2
    odd = np.fmin(np.einsum('pki,pki->pk', bent_px, bent_px) / pose_px2[:, None], MAX_RESIDUAL)
    common = np.isfinite(bent_px[..., 0])
    number = common.sum(axis=-1)
    pose = (np.einsum('pk,pk->p', odd, common) + PRIOR_RESIDUAL) / (
        number + 1
    ) + NO_OVERLAP_PENALTY * (1 - number / K)
    wide = np.log(lateral**2 * depth) + 2 * POSE_WORTH * np.log(pose_m2)
    cost[near] = place + distance + POSE_WORTH * pose + wide
    return cost


def colour_costs(expected: Array, seen: Array) -> Array:
    """Cost of the colours of T tracks and N people, ``(N, T)``; 0 where they tell nothing.

    Twice the negative logarithm of a likelihood ratio, so that it can be added to `costs`.

    Parameters
    ----------
    expected, seen
        ``(T, PARTS, BINS)`` and ``(N, PARTS, BINS)``, see ``appearance.describe``.
    """
    distance, parts = appearance.distances(seen, expected)
    ratio = np.clip((distance - COLOUR_NEUTRAL) * COLOUR_COST, -COLOUR_LIMIT, COLOUR_LIMIT)
    return np.where(parts >= MIN_PARTS, ratio, 0.0)


def pair(cost: Array) -> NDArray[np.intp]:
    """Give each of N rows its column, ``(N,)``, -1 for none: the cheapest first, none infinite.

    Not the assignment of least total cost: that finds room for fragments of people by moving the
    people. Simulated walkers of whom fragments are split off changed ids 1335 times with it, 290
    times with this; in the video of docs/accuracy.md the two are alike.
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
