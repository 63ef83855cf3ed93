"""3D poses from 2D poses and location maps, in the camera optical frame.

Each keypoint is read from the location maps several times. The pose, relative to the origin of the
maps, is translated to where most readings lie on the rays of their detected keypoints;
readings that disagree have no weight. How this differs from the published implementation, and by
how much: docs/decisions/0003-lifting.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import CameraPose, Intrinsics
from pose3d_ros.detection.openpose.location_maps import (
    BODY_HEIGHT_M,
    OWN_READING,
    READ,
    READ_AT,
    LocationMaps,
)
from pose3d_ros.detections import Detections
from pose3d_ros.geometry.placement import MIN_RAY_VARIANCE, MIN_ROOT_SD_M, solve_translation
from pose3d_ros.geometry.robust import MIN_WEIGHT
from pose3d_ros.people import K, People2D, People3D, Source
from pose3d_ros.skeleton import PANOPTIC19

# Standard deviation of adults' heights as a share of their mean, 0.09 m of 1.70 m: distances are
# wrong by the same share.
HEIGHT_SD = 0.09 / 1.70

_PELVIS, _LEFT_HIP, _RIGHT_HIP = (
    PANOPTIC19.index(name) for name in ('pelvis', 'left_hip', 'right_hip')
)
_FIRST_READING = np.searchsorted(READ, np.arange(K))


@dataclass
class LocationMapLifter:
    """Lifting by the location maps of the network that detects the people.

    Parameters
    ----------
    assumed_person_height_m
        Height of all people, m: one camera cannot tell a child nearby from an adult further away.
    """

    DEFAULT_HEIGHT_M: ClassVar[float] = BODY_HEIGHT_M

    assumed_person_height_m: float = DEFAULT_HEIGHT_M

    def lift(
        self, detections: Detections, intrinsics: Intrinsics, camera_pose: CameraPose | None = None
    ) -> People3D:
        """Estimate the 3D poses of the people of one image; `camera_pose` is not used.

        Raises
        ------
        ValueError
            If there are no location maps.
        """
        if detections.location_maps is None:
            raise ValueError('lifting by location maps needs a network that has them, found none')
        return lift(
            detections.people, detections.location_maps, intrinsics, self.assumed_person_height_m
        )


def lift(
    people: People2D, maps: LocationMaps, intrinsics: Intrinsics, assumed_person_height_m: float
) -> People3D:
    """Estimate 3D poses.

    Parameters
    ----------
    people
        2D poses.
    maps
        Of the same image.
    intrinsics
        Of the camera, for the source image.
    assumed_person_height_m
        Height of all people, m.

    Returns
    -------
    People3D
        A keypoint that is not detected but located by the network is INFERRED. A person
        without a solution (fewer than two keypoints) has NaN positions.
    """
    if not len(people):
        shapes = (0, K, 3), (0, K), (0, 3, 3)
        xyz_m, source, covariance = (np.zeros(shape) for shape in shapes)
        return People3D(people, xyz_m, source.astype(np.uint8), covariance)
    readings_m = maps.read(people) * assumed_person_height_m
    rays = intrinsics.unproject(people.xy_px)[:, READ]
    scores = people.scores[:, READ]
    translation_m, agreement = solve_translation(readings_m, rays, scores)
    xyz_m = _combine(readings_m, agreement, people.detected) + translation_m[:, np.newaxis]
    source = np.where(people.detected, Source.OBSERVED, Source.INFERRED)
    source[~people.detected & np.isnan(xyz_m[..., 2])] = Source.NONE
    placed_m = readings_m + translation_m[:, np.newaxis]
    covariance = root_covariance_m2(placed_m, rays, scores * agreement, _roots(xyz_m))
    return People3D(people, xyz_m, source.astype(np.uint8), covariance)


def _roots(xyz_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the position ``(N, 3)`` of each pelvis; where it is unknown, the mean keypoint."""
    pelvis_m = xyz_m[:, _PELVIS]
    known = np.isfinite(xyz_m)
    mean_m = np.where(known, xyz_m, 0).sum(1) / np.maximum(known.sum(1), 1)
    mean_m[~known.any((1, 2))] = np.nan
    return np.where(np.isfinite(pelvis_m), pelvis_m, mean_m)


def _combine(
    readings_m: NDArray[np.float64], agreement: NDArray[np.float64], detected: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Average the readings of each keypoint: ``(N, K, 3)``; NaN where there are none.

    A reading is weighted by its agreement with its ray. A keypoint that is not detected has no
    ray: each of its readings has the weight of the keypoint of its cell.
    """
    known = np.isfinite(readings_m[..., 0])
    weight = (
        np.where(detected[:, READ], agreement, agreement[:, OWN_READING[READ_AT]]) + MIN_WEIGHT
    )
    weight = np.where(known, weight, 0)[..., np.newaxis]
    total = np.add.reduceat(
        weight * np.where(known[..., np.newaxis], readings_m, 0), _FIRST_READING, axis=1
    )
    with np.errstate(invalid='ignore'):
        relative_m: NDArray[np.float64] = total / np.add.reduceat(weight, _FIRST_READING, axis=1)
    # The pelvis is read at the neck. Where the neck is hidden, it is the midpoint of the hips.
    hips = relative_m[:, [_LEFT_HIP, _RIGHT_HIP]].mean(1)
    pelvis = relative_m[:, _PELVIS]
    relative_m[:, _PELVIS] = np.where(np.isnan(pelvis), hips, pelvis)
    return relative_m


def root_covariance_m2(
    placed_m: NDArray[np.float64],
    rays: NDArray[np.float64],
    weights: NDArray[np.float64],
    root_m: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Estimate the covariance of the position of each root: ``(N, 3, 3)`` m2.

    The sum of two parts: the covariance of the least squares, from the residuals of the readings,
    and that of the assumed height, along the line of sight. It is conservative, except for
    detections that mix keypoints of two people (docs/decisions/0003-lifting.md).

    Parameters
    ----------
    placed_m
        ``(N, M, 3)`` readings in the camera optical frame, m. NaN: unknown.
    rays
        ``(N, M, 2)`` of the keypoints that are read. NaN: not detected.
    weights
        ``(N, M)`` of the readings, with their agreement.
    root_m
        ``(N, 3)``. NaN: the person has no position; the covariance is then NaN.
    """
    known = np.isfinite(placed_m[..., 0] + rays[..., 0]) & (weights > 0)
    w = np.where(known, weights, 0)
    p = np.where(known[..., np.newaxis], placed_m, 0)
    r = np.where(known[..., np.newaxis], rays, 0)
    squared = ((p[..., :2] - r * p[..., 2:]) ** 2).sum(-1)
    # Readings of one keypoint are correlated: there are as many measurements as keypoints.
    keypoints = np.maximum.reduceat(w > MIN_WEIGHT, _FIRST_READING, axis=1).sum(1)
    with np.errstate(divide='ignore', invalid='ignore'):
        total = w.sum(1)
        per_axis = np.maximum((w * squared).sum(1) / total / 2, MIN_ROOT_SD_M**2)
        mean = (w[..., np.newaxis] * r).sum(1) / total[:, np.newaxis]
        ray_variance = (w * (r**2).sum(-1)).sum(1) / total - (mean**2).sum(1)
        # Three unknowns take one and a half of the keypoints, which are two numbers each.
        variance = per_axis / np.maximum(keypoints - 1.5, 0.5)
        # Inverse of the normal equations: z is uncertain by the spread of the rays, x and y with
        # it.
        slope = np.concatenate([mean, np.ones((len(mean), 1))], axis=1)
        along = slope[:, :, np.newaxis] * slope[:, np.newaxis]
        across = np.diag([1.0, 1.0, 0.0])
        placed = variance[:, np.newaxis, np.newaxis] * (
            across + along / np.maximum(ray_variance, MIN_RAY_VARIANCE)[:, np.newaxis, np.newaxis]
        )
        height = HEIGHT_SD**2 * root_m[:, :, np.newaxis] * root_m[:, np.newaxis]
    covariance: NDArray[np.float64] = placed + height
    return covariance
