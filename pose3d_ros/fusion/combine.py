"""One person from the views of several cameras."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.fusion.gaussians import intersection, product
from pose3d_ros.fusion.views import Views, keypoint_covariance
from pose3d_ros.geometry.robust import nan_median
from pose3d_ros.people import Source
from pose3d_ros.skeleton import PANOPTIC19

Array = NDArray[np.float64]

# Least angle between two rays to triangulate, rad: below, an error across a ray is more than ten
# times as large along it.
MIN_ANGLE_RAD = 0.1
# Largest distance of two rays to the same keypoint, m: beyond, one of them is another keypoint.
MAX_GAP_M = 0.25
# Least number of keypoints that determine the distance of a person, and its largest correction.
MIN_KEYPOINTS, MAX_CORRECTION = 3, 2.0
# Standard deviation of a keypoint along its ray in the triangulation, m: that of the pose is not
# independent of the other camera's.
ALONG_SD_M = 3.0
# Largest distance of a triangulated keypoint from the corrected pose of each camera, m.
MAX_APART_M = 0.4
# Standard deviation, m, of the distance of a person after the correction.
CORRECTED_SD_M = 0.03

ROOT = PANOPTIC19.index(PANOPTIC19.root)
HIPS = PANOPTIC19.indices(('left_hip', 'right_hip'))


class Combined(NamedTuple):
    """A person in the common frame.

    Parameters
    ----------
    xyz_m, sd_m, source, scores
        ``(K, 3)`` m, ``(K,)`` m, ``(K,)`` and ``(K,)``, as in People3D and People2D.
    root_covariance_m2
        ``(3, 3)`` m2.
    """

    xyz_m: Array
    sd_m: Array
    source: NDArray[np.uint8]
    scores: Array
    root_covariance_m2: Array


def combine(seen: Views, expected_m: Array | None = None) -> Combined:
    """Combine the views of one person by C cameras.

    Keypoints that two cameras detect are triangulated. Their distances from each camera correct
    the size and the distance that this camera alone assumed, and the other keypoints are put
    together by covariance intersection. Views that cannot be triangulated are put together by it
    as they are.

    Parameters
    ----------
    seen
        C views of one person.
    expected_m
        ``(K, 3)`` m, where the person is expected: of cameras whose rays to a keypoint do not
        meet, the one nearest to it is taken. None: all are.
    """
    if len(seen.keys) == 1:
        sd_m, source = seen.sd_m[0], seen.source[0]
        return Combined(seen.xyz_m[0], sd_m, source, seen.scores[0], seen.root_covariance_m2[0])
    crossing = crossing_rays(seen)
    xyz_m, covariance_m2 = _triangulate(seen, crossing)
    corrected_m, shared_m2 = _corrected(seen, crossing, xyz_m)
    # A point that is far from the pose is that of two different keypoints, such as left and right.
    apart_m = np.linalg.norm(xyz_m - corrected_m, axis=-1)
    crossing &= (apart_m < MAX_APART_M).all(axis=0, where=crossing)
    triangulated = np.asarray(crossing.any(axis=0))
    covariance = keypoint_covariance(seen) + shared_m2
    known = np.isfinite(corrected_m[..., 0])
    if expected_m is not None and triangulated.any():
        contradictory = (seen.detected.sum(axis=0) > 1) & ~triangulated
        known &= ~contradictory | _nearest(corrected_m, expected_m)
    others_m, others_m2 = intersection(corrected_m, covariance, known)
    xyz_m = np.where(triangulated[:, np.newaxis], xyz_m, others_m)
    covariance_m2 = np.where(triangulated[:, np.newaxis, np.newaxis], covariance_m2, others_m2)
    source = np.where(triangulated, Source.FUSED, _best_source(seen.source))
    # A pelvis is between the hips unless it is detected itself.
    if triangulated[HIPS].all() and not triangulated[ROOT]:
        xyz_m[ROOT], source[ROOT] = xyz_m[HIPS].mean(axis=0), Source.FUSED
        covariance_m2[ROOT] = covariance_m2[HIPS].mean(axis=0)
    variance_m2 = np.trace(covariance_m2, axis1=1, axis2=2) / 3
    # Relative to the root, whose triangulation has errors of its own.
    sd_m = np.sqrt(variance_m2 + np.where(triangulated, variance_m2[ROOT], 0.0))
    scores = seen.scores.max(axis=0)
    return Combined(xyz_m, sd_m, source.astype(np.uint8), scores, covariance_m2[ROOT])


def crossing_rays(seen: Views) -> NDArray[np.bool_]:
    """Return which keypoints of each of C views can be triangulated with another, ``(C, K)``."""
    crossing = np.zeros_like(seen.detected)
    for i in range(len(seen.keys)):
        for j in range(i + 1, len(seen.keys)):
            normal = np.cross(seen.ray[i], seen.ray[j])
            sine = np.linalg.norm(normal, axis=-1)
            apart_m = seen.origin_m[j] - seen.origin_m[i]
            gap_m = np.abs(normal @ apart_m) / np.where(sine > 0, sine, np.nan)
            both = seen.detected[i] & seen.detected[j]
            both &= (sine > np.sin(MIN_ANGLE_RAD)) & (gap_m < MAX_GAP_M)
            crossing[i] |= both
            crossing[j] |= both
    return crossing


def _triangulate(seen: Views, crossing: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Return the points nearest to the rays, ``(K, 3)`` m, and their covariance; NaN: none."""
    ray = np.nan_to_num(seen.ray)
    along = ray[..., :, np.newaxis] * ray[..., np.newaxis, :]
    covariance_m2 = keypoint_covariance(seen) + ALONG_SD_M**2 * along
    return product(seen.xyz_m, covariance_m2, crossing.astype(float))


def _corrected(seen: Views, crossing: NDArray[np.bool_], points_m: Array) -> tuple[Array, Array]:
    """Return the positions with each camera's distance corrected, and what they share.

    Returns
    -------
    xyz_m
        ``(C, K, 3)``.
    covariance_m2
        ``(C, 1, 3, 3)`` m2, of the error that all keypoints of a view have in common.
    """
    offset_m = seen.xyz_m - seen.origin_m[:, np.newaxis]
    along_m = np.einsum('kci,cki->ck', points_m[:, np.newaxis] - seen.origin_m, seen.ray)
    with np.errstate(invalid='ignore', divide='ignore'):
        ratio = np.where(crossing, along_m / np.linalg.norm(offset_m, axis=-1), np.nan)
    measured = (crossing & (ratio > 0)).sum(axis=1) >= MIN_KEYPOINTS
    measured &= ~(seen.source == Source.DEPTH).any(axis=1)
    scale = np.clip(nan_median(ratio), 1 / MAX_CORRECTION, MAX_CORRECTION)
    scale = np.where(measured, scale, 1.0)
    shared_m2 = np.where(
        measured[:, np.newaxis, np.newaxis],
        CORRECTED_SD_M**2 * np.eye(3),
        seen.root_covariance_m2,
    )
    xyz_m = seen.origin_m[:, np.newaxis] + scale[:, np.newaxis, np.newaxis] * offset_m
    return xyz_m, shared_m2[:, np.newaxis]


def _nearest(xyz_m: Array, expected_m: Array) -> NDArray[np.bool_]:
    """Return ``(C, K)``, which of C estimates is the nearest to the expected place."""
    apart_m = np.nan_to_num(np.linalg.norm(xyz_m - expected_m, axis=-1), nan=np.inf)
    nearest: NDArray[np.bool_] = apart_m == apart_m.min(axis=0)
    return nearest


def _best_source(source: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the best source of each keypoint over C views."""
    order = (Source.DEPTH, Source.OBSERVED, Source.INFERRED)
    present = [(source == one).any(axis=0) for one in order]
    return np.select(present, [np.uint8(one) for one in order], np.uint8(Source.NONE))
