"""Notice that a camera at rest was moved.

A Wald test: do the newest observations need another roll, pitch and height than the older ones?
Biases and sizes of people are common to both, so that what a person tells wrongly before and after
counts for nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera_pose.history import CORRELATION
from pose3d_ros.camera_pose.residuals import HEIGHT, SHARED, Evidence, plane_sd_m, residuals
from pose3d_ros.camera_pose.solver import NU, Prior

Array = NDArray[np.float64]

# What counts as new, s; the test is made with every so many solutions.
RECENT_S, EVERY = 5.0, 2
# Bound of the sum of two tests in succession: 180 synthetic scenes of 40 s stay below 14, a real
# clip of 80 s below 11.
LIMIT = 14.0
# Iterations of the fit of the change.
ITERATIONS = 4
# Fewer observations than this on either side tell nothing.
MIN_OBSERVATIONS = 8
# Information of an unknown change: roll and pitch within 20 degrees, height within its half.
CHANGE_SD_RAD, CHANGE_SD = np.deg2rad(20), 0.5


def disagreement(
    evidence: Evidence, prior: Prior, theta: Array, recent: NDArray[np.bool_]
) -> float:
    """Return chi squared, of three degrees of freedom, of a change between old and recent.

    Parameters
    ----------
    evidence, prior
        As solved.
    theta
        ``(S,)``, the solution.
    recent
        ``(N,)``, which observations are new. All of them: the old is what the prior knows.
    """
    counted = evidence.weight > 0
    old = MIN_OBSERVATIONS if recent.all() else (counted & ~recent).sum()
    if min((counted & recent).sum(), old) < MIN_OBSERVATIONS:
        return 0.0
    weight = _weights(evidence, recent)
    known = np.diag(prior.information) + (np.arange(SHARED) == HEIGHT) / theta[HEIGHT] ** 2
    change_sd = np.array([CHANGE_SD_RAD, CHANGE_SD_RAD, CHANGE_SD * theta[HEIGHT]])
    information = np.concatenate([change_sd**-2, known, prior.size_sd**-2.0])
    members = np.eye(len(prior.size))[evidence.track]
    start = np.append(np.zeros(3), theta)
    state = start.copy()
    for _ in range(ITERATIONS):
        r, columns = _both(evidence, recent, state, members)
        weighted = columns * (weight * (NU + 3) / (NU + (r**2).sum(-1)))[:, None, None]
        total = np.tensordot(weighted, columns, ((0, 1), (0, 1))) + np.diag(information)
        gradient = np.tensordot(weighted, r, ((0, 1), (0, 1))) + information * (state - start)
        state = state - np.linalg.solve(total, gradient)
        state[[HEIGHT, 3 + HEIGHT]] = _positive(state, theta[HEIGHT])
    change, covariance = state[:3], np.linalg.inv(total)[:3, :3]
    return float(change @ np.linalg.solve(covariance, change))


def _both(
    evidence: Evidence, recent: NDArray[np.bool_], state: Array, members: Array
) -> tuple[Array, Array]:
    """Residuals ``(N, 3)`` and their Jacobian by change, shared state and sizes."""
    after = state[3:].copy()
    after[:3] += state[:3]
    states = np.stack([state[3:], after])
    side = recent.astype(np.intp), np.arange(len(recent))
    r, jacobian = (a[side] for a in residuals(states, evidence, plane_sd_m(states, evidence)))
    change = jacobian[..., : HEIGHT + 1] * recent[:, np.newaxis, np.newaxis]
    own = jacobian[..., SHARED, np.newaxis] * members[:, np.newaxis]
    return r, np.concatenate([change, jacobian[..., :SHARED], own], axis=-1)


def _positive(state: Array, height_m: float) -> tuple[float, float]:
    """Change of the height and height, both sides kept above a tenth of what it was, m."""
    before = max(float(state[3 + HEIGHT]), 0.1 * height_m)
    return max(float(state[HEIGHT]), 0.1 * height_m - before), before


def _weights(evidence: Evidence, recent: NDArray[np.bool_]) -> Array:
    """Weights ``(N,)``: observations of one track on one side are correlated."""
    side = 2 * evidence.track + recent
    count = np.bincount(side)[side]
    return np.where(evidence.weight > 0, 1 / (1 + CORRELATION * (count - 1)), 0)
