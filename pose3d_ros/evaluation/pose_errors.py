"""Errors of 3D poses: MPJPE and its variants, and the error of the distance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.geometry.similarity import align
from pose3d_ros.skeleton import PANOPTIC19

Array = NDArray[np.float64]

ROOT = PANOPTIC19.index(PANOPTIC19.root)


class PoseErrors(NamedTuple):
    """Errors of one person over the keypoints whose estimate and truth are both known.

    NaN where too few are known.

    Parameters
    ----------
    mpjpe
        Mean distance of a keypoint from its true position in the camera frame, m.
    root_relative
        The same after moving both roots to the origin, m; the root itself does not count.
    visible
        `root_relative` over visible keypoints only, m.
    scaled
        `root_relative` after the scale factor that minimises the sum of squares, m.
    procrustes
        Mean distance after the best similarity transform (PA-MPJPE), m.
    frobenius_by_number
        Frobenius norm of all differences divided by the number of keypoints, m: what the accuracy
        checker of Open Model Zoo prints as MPJPE (`mpjpe_multiperson`). 0.1 m at each of 18
        keypoints is 0.0236 m there.
    root_distance
        Error of the root's distance from the camera, m.
    root_distance_share
        The same as a share of the true distance.
    """

    mpjpe: float
    root_relative: float
    visible: float
    scaled: float
    procrustes: float
    frobenius_by_number: float
    root_distance: float
    root_distance_share: float


def pose_errors(
    true_m: NDArray[np.floating],
    estimated_m: NDArray[np.floating],
    visible: NDArray[np.bool_] | None = None,
) -> PoseErrors:
    """Compute the errors of one person.

    Parameters
    ----------
    true_m, estimated_m
        ``(K, 3)`` m in the camera optical frame. NaN: unknown.
    visible
        ``(K,)``, keypoints that are visible in the image; all by default.
    """
    true = np.asarray(true_m, np.float64)
    estimated = np.asarray(estimated_m, np.float64)
    known = np.asarray(np.isfinite(true + estimated).all(axis=1))
    if not known.any():
        return PoseErrors(*[float('nan')] * len(PoseErrors._fields))
    limbs = known & (np.arange(len(known)) != ROOT)
    relative, wanted = (estimated - estimated[ROOT])[limbs], (true - true[ROOT])[limbs]
    seen = np.ones(len(relative), np.bool_) if visible is None else visible[limbs]
    square_m2 = (relative**2).sum()
    scale = (relative * wanted).sum() / square_m2 if square_m2 else np.nan
    difference = (estimated - true)[known]
    distance_m = float(np.linalg.norm(true[ROOT]))
    error_m = float(abs(np.linalg.norm(estimated[ROOT]) - distance_m))
    return PoseErrors(
        mpjpe=_mean_length(difference),
        root_relative=_mean_length(relative - wanted),
        visible=_mean_length((relative - wanted)[seen]),
        scaled=_mean_length(scale * relative - wanted),
        procrustes=_mean_length(align(estimated[known], true[known]) - true[known]),
        frobenius_by_number=float(np.linalg.norm(difference) / known.sum()),
        root_distance=error_m,
        root_distance_share=error_m / distance_m,
    )


def _mean_length(vectors: Array) -> float:
    return float(np.linalg.norm(vectors, axis=-1).mean()) if len(vectors) else float('nan')
