"""People as pixels + location maps -> people in metres, in the camera optical frame.

Location maps as in single-shot multi-person 3D pose (Mehta et al., arXiv 1712.03453): a cell on a
keypoint holds where that keypoint, and those of its limb, are relative to the root; a cell on the
neck holds it for all of them. The root-relative pose is then placed where its keypoints fall on
the rays on which they are seen. What differs from the published implementation, and by how much:
docs/decisions/0003-lifting.md.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import Intrinsics
from pose3d_ros.estimation.letterbox import Letterbox
from pose3d_ros.people import K, People2D, People3D, Source
from pose3d_ros.skeleton import LOCATION_MAP_CHANNELS, PANOPTIC19

# Residual, m, from which a keypoint counts for nothing in placing a person: 2.5 medians of the
# person's own, but no less than the spread of the location maps themselves.
MIN_CUTOFF_M = 0.15
CUTOFF_MEDIANS = 2.5
PLACEMENT_STEPS = 6
# Weight left to a keypoint that disagrees, so that a solution always exists.
MIN_WEIGHT = 1e-4

_CHANNEL_OF_KEYPOINT = [LOCATION_MAP_CHANNELS.index(name) for name in PANOPTIC19.keypoints]
_FACE = ('nose', 'right_eye', 'left_eye', 'right_ear', 'left_ear')
# Keypoints whose cells hold each other's location.
_LIMBS = (
    ('left_shoulder', 'left_elbow', 'left_wrist'),
    ('right_shoulder', 'right_elbow', 'right_wrist'),
    ('left_hip', 'left_knee', 'left_ankle'),
    ('right_hip', 'right_knee', 'right_ankle'),
    ('right_ear', 'right_eye', 'nose'),
    ('left_ear', 'left_eye', 'nose'),
)
_PELVIS, _LEFT_HIP, _RIGHT_HIP = (
    PANOPTIC19.index(name) for name in ('pelvis', 'left_hip', 'right_hip')
)


def _read_at() -> NDArray[np.bool_]:
    """``(K, K)``, at which keypoints' cells each keypoint's location is read."""
    where = np.zeros((K, K), bool)
    where[:, PANOPTIC19.index('neck')] = True
    for limb in _LIMBS:
        indices = PANOPTIC19.indices(limb)
        where[np.ix_(indices, indices)] = True
    return where


# (K, R) indices of the keypoints, and which of them count.
_READ_AT_MASK = _read_at()
_READINGS = int(_READ_AT_MASK.sum(1).max())
_READ_AT = np.argsort(~_READ_AT_MASK, axis=1, kind='stable')[:, :_READINGS]
_READ_AT_COUNTS = np.take_along_axis(_READ_AT_MASK, _READ_AT, axis=1)


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
        placed (fewer than two keypoints with a location, or behind the camera) has NaN positions.
    """
    relative_m = read_location_maps(people, features, letterbox) * assumed_person_height_m
    rays = intrinsics.rays(people.xy_px)
    translation_m = place(relative_m, rays, people.scores)
    xyz_m = relative_m + translation_m[:, np.newaxis]
    source = np.where(people.seen, Source.OBSERVED, Source.INFERRED)
    source[~people.seen & np.isnan(xyz_m[..., 2])] = Source.NONE
    return People3D(people, xyz_m, source.astype(np.uint8))


def read_location_maps(
    people: People2D, features: NDArray[np.float32], letterbox: Letterbox
) -> NDArray[np.float64]:
    """Root-relative locations ``(N, K, 3)`` in body heights; NaN where none can be read.

    Each keypoint is read at its own cell, at those of its limb and at the neck, as far as they are
    seen; the median of the readings is taken, because a cell can belong to somebody in front.
    """
    h, w = features.shape[1:]
    maps = features.reshape(K, 3, h, w)[_CHANNEL_OF_KEYPOINT]
    # The cell that contains the keypoint: floor of edge coordinates.
    cells = np.floor(np.nan_to_num(letterbox.to_grid(people.xy_px))).astype(np.intp)
    x = np.clip(cells[..., 0], 0, w - 1)[:, _READ_AT]  # (N, K, R)
    y = np.clip(cells[..., 1], 0, h - 1)[:, _READ_AT]
    readings = maps[np.arange(K)[:, np.newaxis], :, y, x].astype(np.float64)  # (N, K, R, 3)
    readings[~(people.seen[:, _READ_AT] & _READ_AT_COUNTS)] = np.nan
    relative = _median(readings)
    # Where the neck is hidden the pelvis still lies between the hips, which is its definition.
    hips = relative[:, [_LEFT_HIP, _RIGHT_HIP]].mean(1)
    relative[:, _PELVIS] = np.where(np.isnan(relative[:, _PELVIS]), hips, relative[:, _PELVIS])
    return relative


def _median(readings: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median over the last axis but one, without NaN; of nothing it is NaN.

    np.nanmedian does the same, at a multiple of the time.
    """
    ordered = np.sort(readings, axis=-2)  # NaN last
    number = np.isfinite(readings[..., :1]).sum(-2, keepdims=True)
    low = np.take_along_axis(ordered, np.maximum(number - 1, 0) // 2, axis=-2)
    high = np.take_along_axis(ordered, np.minimum(number // 2, ordered.shape[-2] - 1), axis=-2)
    high = np.where(number % 2, low, high)
    return ((low + high) / 2)[..., 0, :]


def place(
    relative_m: NDArray[np.float64], rays: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Find where root-relative poses must be to lie on the rays on which they are seen.

    For a keypoint at ``p`` relative to the root, seen on the ray ``r = (x/z, y/z)``, the pinhole
    model says ``p_xy + t_xy = r (p_z + t_z)``: linear in ``t``. It is solved by least squares with
    each keypoint weighted by its score and, starting from weak perspective, again and again by how
    well it agrees (Tukey's biweight).

    Parameters
    ----------
    relative_m
        ``(N, K, 3)`` root-relative positions, m. NaN: unknown.
    rays
        ``(N, K, 2)``. NaN: not seen.
    weights
        ``(N, K)``, >= 0.

    Returns
    -------
    ndarray
        ``(N, 3)``. NaN where fewer than two keypoints count, or a keypoint would lie behind the
        camera.
    """
    known = np.isfinite(relative_m[..., 0]) & np.isfinite(rays[..., 0]) & (weights > 0)
    p = np.where(known[..., np.newaxis], relative_m, 0)
    r = np.where(known[..., np.newaxis], rays, 0)
    score = np.where(known, weights, 0)
    with np.errstate(divide='ignore', invalid='ignore'):
        t = _weak_perspective(p, r, score)
        for _ in range(PLACEMENT_STEPS):
            moved = p + t[:, np.newaxis]
            residual = np.linalg.norm(moved[..., :2] - r * moved[..., 2:], axis=-1)
            t = _least_squares(p, r, score * _biweight(residual, known))
    behind = (known & ~(p[..., 2] + t[:, np.newaxis, 2] > 0)).any(1)
    t[behind | (known.sum(1) < 2)] = np.nan
    return t


def _biweight(residual: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    median = _median(np.where(known, residual, np.nan)[..., np.newaxis])
    cutoff = np.maximum(MIN_CUTOFF_M, CUTOFF_MEDIANS * median)
    weight: NDArray[np.float64] = np.maximum(1 - (residual / cutoff) ** 2, 0) ** 2 + MIN_WEIGHT
    return weight


def _weak_perspective(
    p: NDArray[np.float64], r: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Distance from the ratio of the spreads in metres and in rays; coarse, but never far off."""
    p0, r0 = _mean(p, weights), _mean(r, weights)
    spread_m = _spread(p[..., :2] - p0[:, np.newaxis, :2], weights)
    spread_r = _spread(r - r0[:, np.newaxis], weights)
    depth: NDArray[np.float64] = np.sqrt(spread_m / spread_r)
    centre = np.concatenate([r0 * depth[:, np.newaxis], depth[:, np.newaxis]], axis=1)
    return centre - p0


def _least_squares(
    p: NDArray[np.float64], r: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Solve ``t_xy = u + r t_z`` with ``u = r p_z - p_xy`` as the slope of a straight line."""
    u: NDArray[np.float64] = r * p[..., 2:] - p[..., :2]
    u0, r0 = _mean(u, weights), _mean(r, weights)
    du, dr = u - u0[:, np.newaxis], r - r0[:, np.newaxis]
    tz: NDArray[np.float64] = -(weights * (du * dr).sum(-1)).sum(1) / _spread(dr, weights)
    return np.concatenate([u0 + r0 * tz[:, np.newaxis], tz[:, np.newaxis]], axis=1)


def _mean(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    total: NDArray[np.float64] = (values * weights[..., np.newaxis]).sum(1)
    mean: NDArray[np.float64] = total / weights.sum(1, keepdims=True)
    return mean


def _spread(centred: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    spread: NDArray[np.float64] = (weights * (centred**2).sum(-1)).sum(1)
    return spread
