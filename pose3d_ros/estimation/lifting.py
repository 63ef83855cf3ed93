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
# Mean squared spread of rays below which all are one: half a pixel at 500 px focal length.
MIN_SPREAD = 1e-6
# Nobody is placed better than this, m.
LEAST_SD_M = 0.02
# Standard deviation of adults' heights, 0.09 m of 1.70 m: distances are wrong by the same share.
HEIGHT_SD = 0.09 / 1.70

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
        nobody = np.zeros((0, K, 3)), np.zeros((0, K), np.uint8), np.zeros((0, 3, 3))
        return People3D(people, *nobody)
    readings_m = read(people, features, letterbox) * assumed_person_height_m
    rays = intrinsics.rays(people.xy_px)
    translation_m, agreement = place(readings_m, rays[:, READ], people.scores[:, READ])
    xyz_m = _combine(readings_m, agreement, people.seen) + translation_m[:, np.newaxis]
    source = np.where(people.seen, Source.OBSERVED, Source.INFERRED)
    source[~people.seen & np.isnan(xyz_m[..., 2])] = Source.NONE
    covariance = root_covariance_m2(
        readings_m, rays[:, READ], people.scores[:, READ] * agreement, translation_m
    )
    return People3D(people, xyz_m, source.astype(np.uint8), covariance)


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
    relative_m: NDArray[np.float64],
    rays: NDArray[np.float64],
    weights: NDArray[np.float64],
    along: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
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
    along
        Directions ``(N, 3)`` and how far along them the roots are, ``(N,)`` m, if that is known:
        then nothing is left to solve for but where they are across.

    Returns
    -------
    translation_m
        ``(N, 3)``. NaN where all rays are one, or even weak perspective leads behind the camera.
    agreement
        ``(N, M)`` in [0, 1]. 0 also where the position or the ray is unknown.
    """
    known = np.isfinite(relative_m[..., 0] + rays[..., 0]) & (weights > 0)
    # One array (N, M) each: numpy is slow along short last axes.
    px, py, pz = np.where(known, relative_m.transpose(2, 0, 1), 0)
    rx, ry = np.where(known, rays.transpose(2, 0, 1), 0)
    score = np.where(known, weights, 0)
    # t_xy = u + r t_z; the sums of the terms are what the normal equations are made of.
    ux, uy = rx * pz - px, ry * pz - py
    terms = np.stack([known, rx, ry, ux, uy, rx**2 + ry**2, rx * ux + ry * uy])
    middle = np.arange(len(px)), (known.sum(1) - 1) // 2

    def agree(t: NDArray[np.float64]) -> NDArray[np.float64]:
        x, y, z = t[..., np.newaxis]
        squared = np.where(known, (x - rx * z - ux) ** 2 + (y - ry * z - uy) ** 2, np.inf)
        median = np.sort(squared, axis=1)[middle]
        cutoff = np.maximum(MIN_CUTOFF_M**2, CUTOFF_MEDIANS**2 * median)
        agreement: NDArray[np.float64] = np.fmax(1 - squared / cutoff[:, np.newaxis], 0) ** 2
        return agreement

    with np.errstate(divide='ignore', invalid='ignore'):
        sums = (score * np.stack([known, px, py, pz, px**2 + py**2, *terms[[1, 2, 5]]])).sum(-1)
        coarse = t = _weak_perspective(sums)
        agreement = agree(t)
        for _ in range(PLACEMENT_STEPS):
            t = _least_squares((score * (agreement + MIN_WEIGHT) * terms).sum(-1), along)
            agreement = agree(t)
        for instead in (coarse, np.nan):
            behind = ~((pz + t[2][:, np.newaxis] > 0) | (agreement == 0)).all(1)
            if behind.any():
                t = np.where(behind, instead, t)
                agreement = agree(t)
    return t.T, agreement


def _weak_perspective(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Distance from the ratio of the spreads in metres and in rays; coarse, but never far off.

    From weighted sums ``(8, N)`` of 1, p, p_xy.p_xy, r, r.r to ``(3, N)``.
    """
    px, py, pz, pp, rx, ry, rr = sums[1:] / sums[0]
    spread_r = rr - rx**2 - ry**2
    spread_m = np.where(spread_r > MIN_SPREAD, pp - px**2 - py**2, np.nan)
    z = np.sqrt(spread_m / spread_r)
    return np.stack([rx * z - px, ry * z - py, z - pz])


def _least_squares(
    sums: NDArray[np.float64],
    along: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
) -> NDArray[np.float64]:
    """Solve ``t_xy = u + r t_z`` from weighted sums of 1, r, u, r.r, r.u: (7, N) to (3, N).

    With `along`, see `place`, for t that far along those directions.
    """
    rx, ry, ux, uy, rr, ru = sums[1:] / sums[0]
    if along is None:
        z = (rx * ux + ry * uy - ru) / (rr - rx**2 - ry**2)
    else:
        x, y, z = along[0].T
        z = (along[1] - ux * x - uy * y) / (rx * x + ry * y + z)
    return np.stack([ux + rx * z, uy + ry * z, z])


def root_covariance_m2(
    readings_m: NDArray[np.float64],
    rays: NDArray[np.float64],
    weights: NDArray[np.float64],
    translation_m: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Tell how sure it is where people are: ``(N, 3, 3)`` m2; NaN where they could not be placed.

    Of two causes: the least squares, by how well their readings agree, and the assumed height,
    along the ray. It is on the safe side, but for keypoints of two people in one, which it cannot
    know of (docs/decisions/0003-lifting.md).
    """
    known = np.isfinite(readings_m[..., 0] + rays[..., 0]) & (weights > 0)
    w = np.where(known, weights, 0)
    p = np.where(known[..., np.newaxis], readings_m, 0) + translation_m[:, np.newaxis]
    r = np.where(known[..., np.newaxis], rays, 0)
    squared = ((p[..., :2] - r * p[..., 2:]) ** 2).sum(-1)
    # Readings of one keypoint err together: as many measurements as keypoints.
    keypoints = np.maximum.reduceat(w > MIN_WEIGHT, _FIRST_READING, axis=1).sum(1)
    with np.errstate(divide='ignore', invalid='ignore'):
        total = w.sum(1)
        per_axis = np.maximum((w * squared).sum(1) / total / 2, LEAST_SD_M**2)
        mean = (w[..., np.newaxis] * r).sum(1) / total[:, np.newaxis]
        spread = (w * (r**2).sum(-1)).sum(1) / total - (mean**2).sum(1)
        # Three unknowns take away one and a half of the keypoints, which are two numbers each.
        variance = per_axis / np.maximum(keypoints - 1.5, 0.5)
        # The inverse of the normal equations: z alone is uncertain by the spread, x and y with it.
        slope = np.concatenate([mean, np.ones((len(mean), 1))], axis=1)
        along = slope[:, :, np.newaxis] * slope[:, np.newaxis]
        across = np.diag([1.0, 1.0, 0.0])
        placed = variance[:, np.newaxis, np.newaxis] * (
            across + along / np.maximum(spread, MIN_SPREAD)[:, np.newaxis, np.newaxis]
        )
        height = HEIGHT_SD**2 * translation_m[:, :, np.newaxis] * translation_m[:, np.newaxis]
    covariance: NDArray[np.float64] = placed + height
    return covariance
