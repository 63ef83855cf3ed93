"""A pose put where some of its keypoints were measured: a similarity, robustly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Residual, m, from which a measurement counts for nothing: 2.5 medians of the person's own, but
# no less than this. As in lifting.
MIN_CUTOFF_M = 0.15
CUTOFF_MEDIANS = 2.5
FIT_STEPS = 4
MIN_WEIGHT = 1e-4
# How far a keypoint of a pose is from a measured one after a perfect fit, and how far scale and
# direction are expected to be off before it, standard deviations. Few keypoints close together
# leave both nearly as they were.
POINT_SD_M = 0.05
SCALE_SD = 0.05
TURN_SD_RAD = 0.15
# Nobody is placed better than this, m: skin is more or less far from joints.
LEAST_SD_M = 0.02


@dataclass(frozen=True)
class Similarity:
    """``x -> scale * turn @ x + shift`` of each person: ``(N,)``, ``(N, 3, 3)``, ``(N, 3)`` m."""

    scale: Array
    turn: Array
    shift_m: Array

    def apply(self, xyz_m: Array) -> Array:
        """Move ``(N, K, 3)``; NaN stays NaN."""
        turned: Array = np.einsum('nij,nkj->nki', self.turn, xyz_m)
        return self.scale[:, np.newaxis, np.newaxis] * turned + self.shift_m[:, np.newaxis]


def fit(pose_m: Array, measured_m: Array, scale: Array) -> tuple[Similarity, Array]:
    """Find the similarity that brings poses to what was measured of them.

    Umeyama (PAMI 1991, 13(4)), weighted again and again by Tukey's biweight of the residuals, and
    held back towards no turn and the scale that is expected, as far as the standard deviations
    above say.

    Parameters
    ----------
    pose_m, measured_m
        ``(N, K, 3)`` m. NaN: unknown. A person of whom nothing was measured gives nonsense.
    scale
        ``(N,)``, what is expected.

    Returns
    -------
    Similarity, agreement
        And ``(N, K)`` in [0, 1], how well each measurement agrees; 0 where there is none.
    """
    known: NDArray[np.bool_] = np.isfinite((pose_m + measured_m).sum(-1))
    pose = np.where(known[..., np.newaxis], pose_m, 0)
    measured = np.where(known[..., np.newaxis], measured_m, 0)
    # The median shift alone is not led astray by a minority.
    shift = np.where(known[..., np.newaxis], measured - scale[:, None, None] * pose, np.nan)
    found = Similarity(scale, np.tile(np.eye(3), (len(pose), 1, 1)), middle(shift, axis=1))
    for _ in range(FIT_STEPS):
        agreement = _agreement(found.apply(pose) - measured, known)
        found = _least_squares(pose, measured, known * (agreement + MIN_WEIGHT), scale)
    return found, _agreement(found.apply(pose) - measured, known)


def middle(values: Array, axis: int) -> Array:
    """Lower median of what is not NaN; NaN where nothing is."""
    ordered = np.sort(values, axis=axis)  # NaN last
    index = (np.isfinite(values).sum(axis=axis, keepdims=True) - 1) // 2
    return np.asarray(np.take_along_axis(ordered, np.maximum(index, 0), axis).squeeze(axis))


def _agreement(off_m: Array, known: NDArray[np.bool_]) -> Array:
    squared = np.where(known, (off_m**2).sum(-1), np.nan)
    cutoff = np.fmax(MIN_CUTOFF_M**2, CUTOFF_MEDIANS**2 * middle(squared, axis=1))
    ratio = np.where(known, squared, np.inf) / cutoff[:, np.newaxis]
    return np.asarray(np.maximum(1 - ratio, 0) ** 2)


def _least_squares(pose: Array, measured: Array, weight: Array, scale: Array) -> Similarity:
    w = weight[..., np.newaxis]
    total = np.maximum(w.sum(1), MIN_WEIGHT)
    pose_centre, centre = (w * pose).sum(1) / total, (w * measured).sum(1) / total
    a = scale[:, None, None] * (pose - pose_centre[:, np.newaxis])
    b = measured - centre[:, np.newaxis]
    held = (POINT_SD_M / TURN_SD_RAD) ** 2 * np.eye(3)
    u, _, vt = np.linalg.svd(np.einsum('nki,nkj->nij', w * b, a) + held)
    u[..., 2] *= np.sign(np.linalg.det(u @ vt))[:, np.newaxis]  # turned, never mirrored
    turn = u @ vt
    held_scale = (POINT_SD_M / SCALE_SD) ** 2
    along = (w * b * np.einsum('nij,nkj->nki', turn, a)).sum((1, 2))
    factor = (along + held_scale) / ((w * a**2).sum((1, 2)) + held_scale)
    shift = centre - (factor * scale)[:, np.newaxis] * np.einsum('nij,nj->ni', turn, pose_centre)
    return Similarity(factor * scale, turn, shift)


def covariance_m2(fitted_m: Array, measured_m: Array, agreement: Array, root: int) -> Array:
    """How sure it is where one keypoint of a fitted pose is, ``(N, 3, 3)`` m2.

    As of any prediction by least squares: what the measurements differ from the fit, and more the
    further from their middle; along each axis, but nobody is placed better than LEAST_SD_M.
    """
    weight = agreement[..., np.newaxis]
    off = np.where(weight > 0, measured_m - fitted_m, 0)
    total = np.maximum(weight.sum(1), 1)
    variance = np.maximum((weight * off**2).sum(1) / total, LEAST_SD_M**2)
    points = np.where(weight > 0, fitted_m, 0)
    centre = (weight * points).sum(1) / total
    spread = (weight * (points - centre[:, np.newaxis]) ** 2).sum((1, 2))
    held = (POINT_SD_M / TURN_SD_RAD) ** 2
    lever = ((fitted_m[:, root] - centre) ** 2).sum(1) / (spread + held)
    factor = 1 + 1 / total + lever[:, np.newaxis]
    return np.asarray((factor * variance)[:, np.newaxis] * np.eye(3))
