"""People as pixels + location maps -> people in metres, in the camera optical frame.

Each keypoint is read from the location maps several times, and the root-relative pose is placed
where most readings fall on the rays on which their keypoints are seen; those that do count. What
differs from the published implementation, and by how much: docs/decisions/0003-lifting.md.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import Intrinsics
from pose3d_ros.estimation.letterbox import Letterbox
from pose3d_ros.estimation.location_maps import OWN_READING, READ, READ_AT, read
from pose3d_ros.people import K, People2D, People3D, Source
from pose3d_ros.skeleton import PANOPTIC19

# Residual, m, from which a reading counts for nothing in placing a person: 2.5 medians of the
# person's own, but no less than the spread of the location maps themselves.
MIN_CUTOFF_M = 0.15
CUTOFF_MEDIANS = 2.5
# More steps change the 3D error on recorded outputs by less than a tenth of a millimetre.
PLACEMENT_STEPS = 4
# Weight left to a reading that disagrees, so that a solution always exists.
MIN_WEIGHT = 1e-4
# Weighted squared spread of rays below which all are one: half a pixel at 500 px focal length.
MIN_SPREAD = 1e-6

_PELVIS, _LEFT_HIP, _RIGHT_HIP = (
    PANOPTIC19.index(name) for name in ('pelvis', 'left_hip', 'right_hip')
)
_FIRST_READING = np.searchsorted(READ, np.arange(K))


def lift(
    people: People2D,
    features: NDArray[np.float32],
    letterbox: Letterbox,
    intrinsics: Intrinsics,
    assumed_person_height_m: float,
) -> People3D:
    """Give people their 3D positions.

    Parameters
    ----------
    people
        People as pixels.
    features
        ``(57, h, w)`` location maps, see ``network.Outputs``.
    letterbox
        How the image lies in the network's input.
    intrinsics
        Of the camera, for the source image.
    assumed_person_height_m
        Everybody's height, m: location maps are in body heights, and one camera cannot tell a
        child nearby from an adult further off.

    Returns
    -------
    People3D
        A keypoint that is not seen but known to the network is INFERRED. A person who cannot be
        placed (fewer than two keypoints) has NaN positions.
    """
    if not len(people):
        return People3D(people, np.zeros((0, K, 3)), np.zeros((0, K), np.uint8))
    readings_m = read(people, features, letterbox) * assumed_person_height_m
    rays = intrinsics.rays(people.xy_px)
    translation_m, agreement = place(readings_m, rays[:, READ], people.scores[:, READ])
    xyz_m = _combine(readings_m, agreement, people.seen) + translation_m[:, np.newaxis]
    source = np.where(people.seen, Source.OBSERVED, Source.INFERRED)
    source[~people.seen & np.isnan(xyz_m[..., 2])] = Source.NONE
    return People3D(people, xyz_m, source.astype(np.uint8))


def _combine(
    readings_m: NDArray[np.float64], agreement: NDArray[np.float64], seen: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Root-relative pose ``(N, K, 3)`` from its readings; NaN where there are none.

    Each counts as it agrees with its ray; that of an unseen keypoint, which has no ray, as its
    cell's own keypoint does.
    """
    known = np.isfinite(readings_m[..., 0])
    weight = np.where(seen[:, READ], agreement, agreement[:, OWN_READING[READ_AT]]) + MIN_WEIGHT
    weight = np.where(known, weight, 0)[..., np.newaxis]
    total = np.add.reduceat(
        weight * np.where(known[..., np.newaxis], readings_m, 0), _FIRST_READING, axis=1
    )
    with np.errstate(invalid='ignore'):
        relative_m: NDArray[np.float64] = total / np.add.reduceat(weight, _FIRST_READING, axis=1)
    # Where the neck is hidden the pelvis still lies between the hips, which is its definition.
    hips = relative_m[:, [_LEFT_HIP, _RIGHT_HIP]].mean(1)
    pelvis = relative_m[:, _PELVIS]
    relative_m[:, _PELVIS] = np.where(np.isnan(pelvis), hips, pelvis)
    return relative_m


def place(
    relative_m: NDArray[np.float64], rays: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find where root-relative poses must be to lie on the rays on which they are seen.

    For a keypoint at ``p`` relative to the root, seen on the ray ``r = (x/z, y/z)``, the pinhole
    model says ``p_xy + t_xy = r (p_z + t_z)``: linear in ``t``. It is solved by least squares with
    each reading weighted by its keypoint's score and, starting from weak perspective, again and
    again by how well it agrees (Tukey's biweight). If that leads behind the camera, which a
    nonsensical pose can want, weak perspective is left.

    Parameters
    ----------
    relative_m
        ``(N, M, 3)`` root-relative positions, m. NaN: unknown.
    rays
        ``(N, M, 2)``. NaN: not seen.
    weights
        ``(N, M)``, >= 0.

    Returns
    -------
    translation_m
        ``(N, 3)``. NaN where all rays are one, or even weak perspective leads behind the camera.
    agreement
        ``(N, M)`` in [0, 1]. 0 also where the position or the ray is unknown.
    """
    known = np.isfinite(relative_m[..., 0] + rays[..., 0]) & (weights > 0)
    p = np.where(known[..., np.newaxis], relative_m, 0)
    r = np.where(known[..., np.newaxis], rays, 0)
    score = np.where(known, weights, 0)
    # t_xy = u + r t_z; the sums of the terms are what the normal equations are made of.
    u = r * p[..., 2:] - p[..., :2]
    rr, ru = _dot(r, r), _dot(r, u)
    terms = np.concatenate(
        [known[..., np.newaxis], r, u, rr[..., np.newaxis], ru[..., np.newaxis]], axis=-1
    )
    middle = np.arange(len(p)), (known.sum(1) - 1) // 2

    def agree(t: NDArray[np.float64]) -> NDArray[np.float64]:
        off = t[:, np.newaxis, :2] - r * t[:, np.newaxis, 2:] - u
        squared = np.where(known, _dot(off, off), np.inf)
        median = np.sort(squared, axis=1)[middle]
        cutoff = np.maximum(MIN_CUTOFF_M**2, CUTOFF_MEDIANS**2 * median)
        agreement: NDArray[np.float64] = np.fmax(1 - squared / cutoff[:, np.newaxis], 0) ** 2
        return agreement

    with np.errstate(divide='ignore', invalid='ignore'):
        coarse = t = _weak_perspective(p, r, score)
        agreement = agree(t)
        for _ in range(PLACEMENT_STEPS):
            weight = score * (agreement + MIN_WEIGHT)
            t = _least_squares((weight[:, np.newaxis] @ terms)[:, 0])
            agreement = agree(t)
        for instead in (coarse, np.nan):
            behind = ~((p[..., 2] + t[:, 2:] > 0) | (agreement == 0)).all(1)
            if behind.any():
                t = np.where(behind[:, np.newaxis], instead, t)
                agreement = agree(t)
    return t, agreement


def _weak_perspective(
    p: NDArray[np.float64], r: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Distance from the ratio of the spreads in metres and in rays; coarse, but never far off."""
    both = np.concatenate([p, r], axis=-1)
    mean = (weights[:, np.newaxis] @ both)[:, 0] / weights.sum(1, keepdims=True)
    square = (both - mean[:, np.newaxis]) ** 2
    spread = (weights[:, np.newaxis] @ square)[:, 0]
    spread_r = spread[:, 3] + spread[:, 4]
    spread_m = np.where(spread_r > MIN_SPREAD, spread[:, 0] + spread[:, 1], np.nan)
    depth = np.sqrt(spread_m / spread_r)[:, np.newaxis]
    t: NDArray[np.float64] = np.concatenate([mean[:, 3:] * depth, depth], axis=1) - mean[:, :3]
    return t


def _least_squares(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solve ``t_xy = u + r t_z`` from weighted sums ``(N, 7)`` of 1, r, u, r.r and r.u."""
    total, r, u = sums[:, :1], sums[:, 1:3], sums[:, 3:5]
    rr, ru = sums[:, 5], sums[:, 6]
    r0 = r / total
    tz = np.divide(_dot(r0, u) - ru, rr - _dot(r0, r))[:, np.newaxis]
    return np.concatenate([u / total + r0 * tz, tz], axis=1)


def _dot(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.einsum('...i,...i->...', a, b))
