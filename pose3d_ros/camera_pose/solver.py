"""Robust least squares for how a camera stands, from several starts at once.

Iteratively reweighted Gauss-Newton with Levenberg-Marquardt damping; residuals follow Student's t
distribution, and so do the sizes of people (Lange, Little and Taylor, Robust statistical modeling
using the t distribution, JASA 1989). The sizes of tracks are eliminated (Schur complement).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera_pose.residuals import (
    HEIGHT,
    SHARED,
    Evidence,
    plane_sd_m,
    residuals,
)

Array = NDArray[np.float64]

# Degrees of freedom of Student's t distribution.
NU, SIZE_NU = 4.0, 4.0
MAX_STEP = 0.4  # of angles, rad, and of the logarithm of the height, in one iteration
CLOSE = 1e-3  # a step below this, rad or share of the height, ends the search
SAFE = 0.03  # a step below this is taken without a look at the cost
# Standard deviation of the prior of cameras' heights as far as its tails go, m.
HEIGHT_TAIL_M = 1.3
FIRST_DAMPING, HIGHER, LOWER = 1e-3, 10.0, 0.2


class Prior(NamedTuple):
    """What is known before any observation.

    Parameters
    ----------
    mean, information
        ``(SHARED,)`` and ``(SHARED, SHARED)``, of the shared part of the state.
    log_height, log_height_sd
        Of the logarithm of the camera's height, which counts beside `information`.
    size, size_sd
        ``(T,)`` of the logarithm of each track's size.
    """

    mean: Array
    information: Array
    log_height: float
    log_height_sd: float
    size: Array
    size_sd: Array


class Solution(NamedTuple):
    """The best hypothesis.

    Parameters
    ----------
    theta
        ``(SHARED + T,)``, see `residuals`.
    covariance
        ``(SHARED, SHARED)`` of the shared part.
    size_sd
        ``(T,)`` of the logarithm of each track's size.
    cost
        Half of minus twice the logarithm of the posterior, but for a constant.
    """

    theta: Array
    covariance: Array
    size_sd: Array
    cost: float


class _Normal(NamedTuple):
    """Normal equations of B hypotheses, with the tracks' diagonal block apart."""

    shared: Array
    cross: Array
    tracks: Array
    gradient: Array
    track_gradient: Array


def solve(evidence: Evidence, prior: Prior, starts: Array, iterations: int) -> Solution:
    """Search from each start ``(B, SHARED + T)`` and return the best solution."""
    theta = starts.copy()
    damping = np.full(len(theta), FIRST_DAMPING)
    members = np.eye(len(prior.size))[evidence.track]
    for left in reversed(range(iterations + 1)):
        sd_m = plane_sd_m(theta, evidence)
        r, jacobian = residuals(theta, evidence, sd_m)
        normal = _normal(theta, r, jacobian, evidence, prior, members)
        step = _step(normal, damping, theta[:, HEIGHT])
        size = _size(step, theta[:, HEIGHT])
        if not left or (size < CLOSE).all():
            break
        better = size < SAFE
        if not better.all():
            after, _ = residuals(theta + step, evidence, sd_m)
            before = _cost(theta, r, evidence, prior)
            better |= _cost(theta + step, after, evidence, prior) < before
        theta[better] += step[better]
        damping = np.where(better, np.maximum(damping * LOWER, 1e-7), damping * HIGHER)
    cost = _cost(theta, r, evidence, prior)
    best = int(cost.argmin())
    of_best = _Normal(*(a[best] for a in normal))
    covariance, size_sd = _uncertainty(of_best, float(theta[best, HEIGHT]), prior)
    return Solution(theta[best], covariance, size_sd, float(cost[best]))


def _cost(theta: Array, r: Array, evidence: Evidence, prior: Prior) -> Array:
    squares = (r**2).sum(-1)
    seen = (NU + 3) / 2 * np.log1p(squares / NU) @ evidence.weight
    off = theta[:, :SHARED] - prior.mean
    size = (theta[:, SHARED:] - prior.size) / prior.size_sd
    sizes = ((SIZE_NU + 1) / 2 * np.log1p(size**2 / SIZE_NU)).sum(1)
    height = (np.log(theta[:, HEIGHT]) - prior.log_height) / prior.log_height_sd
    known = ((off @ prior.information) * off).sum(1)
    return np.asarray(seen + sizes + (known + height**2) / 2)


def _normal(
    theta: Array, r: Array, jacobian: Array, evidence: Evidence, prior: Prior, members: Array
) -> _Normal:
    weight = evidence.weight * (NU + 3) / (NU + (r**2).sum(-1))
    shared_j = jacobian[..., :SHARED]
    own_j = jacobian[..., SHARED]
    batch, n = weight.shape
    flat = (shared_j * weight[..., None, None]).reshape(batch, 3 * n, SHARED).transpose(0, 2, 1)
    off = theta[:, :SHARED] - prior.mean
    shared = flat @ shared_j.reshape(batch, 3 * n, SHARED) + prior.information
    gradient = (flat @ r.reshape(batch, 3 * n, 1))[..., 0] + off @ prior.information
    relative = 1 / (theta[:, HEIGHT] * prior.log_height_sd)
    shared[:, HEIGHT, HEIGHT] += relative**2
    gradient[:, HEIGHT] += (
        relative * (np.log(theta[:, HEIGHT]) - prior.log_height) / prior.log_height_sd
    )
    weighted_own = weight[..., None] * own_j
    cross = (weighted_own[..., None] * shared_j).sum(2).transpose(0, 2, 1) @ members
    size = (theta[:, SHARED:] - prior.size) / prior.size_sd
    information = (SIZE_NU + 1) / (SIZE_NU + size**2) / prior.size_sd**2
    tracks = (weighted_own * own_j).sum(-1) @ members + information
    track_gradient = (weighted_own * r).sum(-1) @ members
    track_gradient += information * (theta[:, SHARED:] - prior.size)
    return _Normal(shared, cross, tracks, gradient, track_gradient)


def _step(normal: _Normal, damping: Array, height_m: Array) -> Array:
    """Solve the damped normal equations, ``(B, SHARED + T)``."""
    more = 1 + damping[:, np.newaxis]
    tracks = normal.tracks * more
    shared = normal.shared + damping[:, None, None] * (normal.shared * np.eye(SHARED))
    reduced = normal.cross / tracks[:, np.newaxis]
    schur = shared - reduced @ normal.cross.transpose(0, 2, 1)
    right = normal.gradient - (reduced @ normal.track_gradient[..., np.newaxis])[..., 0]
    step = -np.linalg.solve(schur, right[..., np.newaxis])[..., 0]
    step *= np.minimum(1, MAX_STEP / np.maximum(_size(step, height_m), 1e-9))[:, np.newaxis]
    own = -(normal.track_gradient + (step[:, np.newaxis] @ normal.cross)[:, 0]) / tracks
    return np.concatenate([step, own], axis=1)


def _size(step: Array, height_m: Array) -> Array:
    """Largest of the steps of roll and pitch, rad, and of the height as a share of it."""
    share = np.abs(step[:, HEIGHT]) / height_m
    return np.asarray(np.maximum(np.abs(step[:, :HEIGHT]).max(1), share))


def _uncertainty(normal: _Normal, height_m: float, prior: Prior) -> tuple[Array, Array]:
    """Covariance of the shared state, and standard deviations of the sizes of tracks.

    The curvature of a prior at the peak tells nothing of its tails. One person alone may be a
    child, of several people hardly all are: Student's t distribution counts with its variance. And
    where a camera is taken to be low, the prior of its height is narrow there alone.
    """
    tails = (SIZE_NU + 1) / SIZE_NU - (SIZE_NU - 2) / SIZE_NU
    tracks = normal.tracks - tails / prior.size_sd**2 / len(prior.size)
    shared = normal.shared.copy()
    peak_sd_m = height_m * prior.log_height_sd
    shared[HEIGHT, HEIGHT] += max(peak_sd_m, HEIGHT_TAIL_M) ** -2 - peak_sd_m**-2
    reduced = normal.cross / tracks
    covariance = np.linalg.inv(shared - reduced @ normal.cross.T)
    variance = 1 / tracks + ((reduced.T @ covariance) * reduced.T).sum(1)
    return covariance, np.sqrt(variance)
