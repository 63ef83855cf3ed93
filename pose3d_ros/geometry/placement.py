"""Translate root-relative poses so that their keypoints project where they were detected."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.geometry.robust import MIN_WEIGHT, tukey_weights

Array = NDArray[np.float64]

# More iterations change the 3D error on recorded outputs by less than 0.1 mm.
ITERATIONS = 4
# With a known depth: more change the 3D error of the lifting network by less than 0.1 mm.
ITERATIONS_AT_DEPTH = 2
# Variance of rays, x/z and y/z, below which they count as a single ray: half a pixel at a
# focal length of 500 px.
MIN_RAY_VARIANCE = 1e-6
# Least standard deviation of a root's position, m, however well the keypoints agree.
MIN_ROOT_SD_M = 0.02


def solve_translation(relative_m: Array, rays: Array, weights: Array) -> tuple[Array, Array]:
    """Solve for the translations that put root-relative poses on the rays of their keypoints.

    For a keypoint at ``p`` relative to the root, detected on the ray ``r = (x/z, y/z)``, the
    pinhole model says ``p_xy + t_xy = r (p_z + t_z)``, which is linear in ``t``. It is solved by
    least squares, reweighted by Tukey's biweight of the residuals, starting from weak perspective.
    Where the iteration ends behind the camera, as an impossible pose may require, the result of
    weak perspective is returned.

    Parameters
    ----------
    relative_m
        ``(N, M, 3)`` root-relative positions, m. NaN: unknown.
    rays
        ``(N, M, 2)`` x/z, y/z. NaN: not detected.
    weights
        ``(N, M)``, >= 0.

    Returns
    -------
    translation_m
        ``(N, 3)``. NaN where all rays coincide, or where even weak perspective puts a person
        behind the camera.
    agreement
        ``(N, M)`` in [0, 1], weight of each keypoint by its residual. 0 where the position or the
        ray is unknown.
    """
    known = np.isfinite(relative_m[..., 0] + rays[..., 0]) & (weights > 0)
    # One contiguous (N, M) array each: numpy is slow along short last axes.
    px, py, pz = np.where(known, relative_m.transpose(2, 0, 1), 0)
    rx, ry = np.where(known, rays.transpose(2, 0, 1), 0)
    score = np.where(known, weights, 0)
    # t_xy = u + r t_z. The weighted sums of these terms make up the normal equations.
    ux, uy = rx * pz - px, ry * pz - py
    terms = np.stack([known, rx, ry, ux, uy, rx**2 + ry**2, rx * ux + ry * uy])

    def agreement_of(t: Array) -> Array:
        x, y, z = t[..., np.newaxis]
        squared_m2 = (x - rx * z - ux) ** 2 + (y - ry * z - uy) ** 2
        return tukey_weights(np.where(known, squared_m2, np.nan))

    with np.errstate(divide='ignore', invalid='ignore'):
        sums = (score * np.stack([known, px, py, pz, px**2 + py**2, *terms[[1, 2, 5]]])).sum(-1)
        weak_perspective = t = _weak_perspective(sums)
        agreement = agreement_of(t)
        for _ in range(ITERATIONS):
            t = _least_squares((score * (agreement + MIN_WEIGHT) * terms).sum(-1))
            agreement = agreement_of(t)
        for fallback in (weak_perspective, np.nan):
            behind = ~((pz + t[2][:, np.newaxis] > 0) | (agreement == 0)).all(1)
            if behind.any():
                t = np.where(behind, fallback, t)
                agreement = agreement_of(t)
    return t.T, agreement


def _weak_perspective(sums: Array) -> Array:
    """Estimate translations ``(3, N)`` from the ratio of the spreads in metres and in rays.

    `sums`: weighted sums ``(8, N)`` of 1, p, p_xy.p_xy, r, r.r.
    """
    px, py, pz, pp, rx, ry, rr = sums[1:] / sums[0]
    ray_variance = rr - rx**2 - ry**2
    variance_m2 = np.where(ray_variance > MIN_RAY_VARIANCE, pp - px**2 - py**2, np.nan)
    z = np.sqrt(variance_m2 / ray_variance)
    return np.stack([rx * z - px, ry * z - py, z - pz])


def _least_squares(sums: Array) -> Array:
    """Solve ``t_xy = u + r t_z`` for ``(3, N)`` from weighted sums of 1, r, u, r.r, r.u."""
    rx, ry, ux, uy, rr, ru = sums[1:] / sums[0]
    z = (rx * ux + ry * uy - ru) / (rr - rx**2 - ry**2)
    return np.stack([ux + rx * z, uy + ry * z, z])


def place_at_depth(
    relative_m: Array, rays: Array, weights: Array, root_z_m: Array
) -> tuple[Array, Array]:
    """Place root-relative poses on the rays of their keypoints, at a given depth of the root.

    The translation across the optical axis is the weighted mean of that of the keypoints,
    reweighted by Tukey's biweight of the residuals.

    Parameters
    ----------
    relative_m
        ``(N, M, 3)`` root-relative positions, m. NaN: unknown.
    rays
        ``(N, M, 2)`` x/z, y/z, finite.
    weights
        ``(N, M)``, >= 0. 0: not detected.
    root_z_m
        ``(N,)`` depth z of the roots, m.

    Returns
    -------
    xyz_m
        ``(N, M, 3)`` m; x and y are NaN where all detected keypoints would be behind the camera.
    agreement
        ``(N, M)`` in [0, 1], weight of each keypoint by its residual. 0 where it is not detected
        or behind the camera.
    """
    xyz_m = relative_m.copy()
    xyz_m[..., 2] += root_z_m[:, np.newaxis]
    weights = np.where(xyz_m[..., 2] > 0, weights, 0)
    offsets_m = rays * xyz_m[..., 2:] - relative_m[..., :2]
    detected = weights > 0
    agreement = np.ones_like(weights)
    with np.errstate(invalid='ignore'):
        for _ in range(ITERATIONS_AT_DEPTH):
            w = weights * (agreement + MIN_WEIGHT)
            across_m = (w[:, np.newaxis] @ offsets_m)[:, 0] / w.sum(1)[:, np.newaxis]
            residuals_m = offsets_m - across_m[:, np.newaxis]
            squared_m2 = np.einsum('nkc,nkc->nk', residuals_m, residuals_m)
            agreement = tukey_weights(np.where(detected, squared_m2, np.nan))
    xyz_m[..., :2] += across_m[:, np.newaxis]
    return xyz_m, agreement
