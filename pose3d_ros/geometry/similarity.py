"""Similarity transforms between poses: scale, rotation and translation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.geometry.robust import MIN_WEIGHT, nan_median, tukey_weights

Array = NDArray[np.float64]

ITERATIONS = 4
# Standard deviations of a keypoint from its measurement after a perfect fit, and of scale and
# rotation before the fit: they regularise fits to few keypoints that are close together.
POINT_SD_M = 0.05
SCALE_SD = 0.05
ROTATION_SD_RAD = 0.15
# Least standard deviation of a fitted position, m: the distance from skin to joint varies by it.
MIN_POSITION_SD_M = 0.02


@dataclass(frozen=True)
class Similarity:
    """The map ``x -> scale * rotation @ x + translation_m`` of each of N people.

    Parameters
    ----------
    scale, rotation, translation_m
        ``(N,)``, ``(N, 3, 3)`` and ``(N, 3)`` m.
    """

    scale: Array
    rotation: Array
    translation_m: Array

    def apply(self, xyz_m: Array) -> Array:
        """Transform ``(N, K, 3)``; NaN stays NaN."""
        rotated: Array = np.einsum('nij,nkj->nki', self.rotation, xyz_m)
        return self.scale[:, np.newaxis, np.newaxis] * rotated + self.translation_m[:, np.newaxis]


def nearest_rotation(covariance: Array) -> tuple[Array, Array]:
    """Return the rotations that maximise ``trace(rotation.T @ covariance)``, and their stretch.

    Parameters
    ----------
    covariance
        ``(..., 3, 3)``, sums of outer products of target and source vectors.

    Returns
    -------
    rotation, stretch
        ``(..., 3, 3)``, never a reflection, and ``(..., 3)``, singular values with the sign that
        keeps it a rotation (Umeyama, PAMI 13(4), 1991).
    """
    u, stretch, vt = np.linalg.svd(covariance)
    sign = np.ones_like(stretch)
    sign[..., 2] = np.sign(np.linalg.det(u @ vt))
    return (u * sign[..., np.newaxis, :]) @ vt, stretch * sign


def fit_similarity(pose_m: Array, measured_m: Array, scale: Array) -> tuple[Similarity, Array]:
    """Fit the similarity that moves each pose onto what was measured of it.

    Umeyama's closed form (PAMI 13(4), 1991), reweighted by Tukey's biweight of the residuals and
    regularised towards no rotation and the expected scale.

    Parameters
    ----------
    pose_m, measured_m
        ``(N, K, 3)`` m. NaN: unknown. The result is meaningless for a person without any
        measured keypoint.
    scale
        ``(N,)``, the expected scale.

    Returns
    -------
    similarity, agreement
        And ``(N, K)`` in [0, 1], the weight of each measurement by its residual; 0 where there is
        none.
    """
    known: NDArray[np.bool_] = np.isfinite((pose_m + measured_m).sum(-1))
    pose = np.where(known[..., np.newaxis], pose_m, 0)
    measured = np.where(known[..., np.newaxis], measured_m, 0)
    # The median translation is a start that a minority of wrong measurements cannot move.
    offset = np.where(known[..., np.newaxis], measured - scale[:, None, None] * pose, np.nan)
    start = nan_median(offset.swapaxes(1, 2), lower=True)
    found = Similarity(scale, np.tile(np.eye(3), (len(pose), 1, 1)), start)
    for _ in range(ITERATIONS):
        agreement = _agreement(found.apply(pose) - measured, known)
        found = _least_squares(pose, measured, known * (agreement + MIN_WEIGHT), scale)
    return found, _agreement(found.apply(pose) - measured, known)


def align(points: Array, target: Array) -> Array:
    """Move points ``(P, 3)`` by the similarity that brings them nearest to a target ``(P, 3)``.

    Umeyama, PAMI 13(4), 1991. NaN for fewer than three points, which always fit.
    """
    if len(points) < 3:
        return np.full_like(points, np.nan)
    centre, target_centre = points.mean(axis=0), target.mean(axis=0)
    a, b = points - centre, target - target_centre
    rotation, stretch = nearest_rotation(b.T @ a)
    scale = stretch.sum() / (a**2).sum()
    return np.asarray(scale * a @ rotation.T + target_centre)


def position_covariance_m2(
    fitted_m: Array, measured_m: Array, agreement: Array, keypoint: int
) -> Array:
    """Estimate the covariance of one keypoint of each fitted pose, ``(N, 3, 3)`` m2.

    The variance of a least-squares prediction: that of the residuals, increased by the keypoint's
    distance from the centre of the measurements; the same along each axis, and no less than
    ``MIN_POSITION_SD_M`` squared.
    """
    weight = agreement[..., np.newaxis]
    residual_m = np.where(weight > 0, measured_m - fitted_m, 0)
    total = np.maximum(weight.sum(1), 1)
    variance = np.maximum((weight * residual_m**2).sum(1) / total, MIN_POSITION_SD_M**2)
    points = np.where(weight > 0, fitted_m, 0)
    centre = (weight * points).sum(1) / total
    spread = (weight * (points - centre[:, np.newaxis]) ** 2).sum((1, 2))
    prior = (POINT_SD_M / ROTATION_SD_RAD) ** 2
    lever = ((fitted_m[:, keypoint] - centre) ** 2).sum(1) / (spread + prior)
    factor = 1 + 1 / total + lever[:, np.newaxis]
    return np.asarray((factor * variance)[:, np.newaxis] * np.eye(3))


def _agreement(residual_m: Array, known: NDArray[np.bool_]) -> Array:
    return tukey_weights(np.where(known, (residual_m**2).sum(-1), np.nan))


def _least_squares(pose: Array, measured: Array, weight: Array, scale: Array) -> Similarity:
    w = weight[..., np.newaxis]
    total = np.maximum(w.sum(1), MIN_WEIGHT)
    pose_centre, centre = (w * pose).sum(1) / total, (w * measured).sum(1) / total
    a = scale[:, None, None] * (pose - pose_centre[:, np.newaxis])
    b = measured - centre[:, np.newaxis]
    prior = (POINT_SD_M / ROTATION_SD_RAD) ** 2 * np.eye(3)
    rotation, _ = nearest_rotation(np.einsum('nki,nkj->nij', w * b, a) + prior)
    scale_prior = (POINT_SD_M / SCALE_SD) ** 2
    along = (w * b * np.einsum('nij,nkj->nki', rotation, a)).sum((1, 2))
    factor = (along + scale_prior) / ((w * a**2).sum((1, 2)) + scale_prior)
    rotated_centre = np.einsum('nij,nj->ni', rotation, pose_centre)
    translation = centre - (factor * scale)[:, np.newaxis] * rotated_centre
    return Similarity(factor * scale, rotation, translation)
