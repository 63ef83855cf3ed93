"""Correct 3D poses with a registered depth image.

Scaling a person about the camera changes no pixel, so one camera cannot measure the scale. The
ratios of depth readings to the expected depths therefore determine one scale for each person
first: the ratio on which most of them agree. Each keypoint is then measured at many pixels of its
own limb, near the depth that this scale predicts. Reasons and accuracy:
docs/decisions/0006-depth.md.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import Intrinsics
from pose3d_ros.depth import body_surface
from pose3d_ros.geometry.robust import nan_median
from pose3d_ros.geometry.similarity import fit_similarity, position_covariance_m2
from pose3d_ros.images import DepthImage
from pose3d_ros.people import People3D, Source
from pose3d_ros.skeleton import PANOPTIC19

Array = NDArray[np.float64]

# Smallest and largest scale: true height / assumed height.
SCALES = (0.4, 1.6)
SCALE_BINS = 140
# Standard deviation of the ratios of one person: 10 cm at 3.3 m.
SCALE_SD = 0.03
# Standard deviation of the lifted keypoints along the ray, m, for a body of the assumed height.
# A reading further than GATE_SDS of them from the expected depth is rejected.
LIFTING_SD_M = {'elbow': 0.12, 'knee': 0.12, 'wrist': 0.15, 'ankle': 0.15}
LIFTING_SD_TRUNK_M = 0.10
GATE_SDS = 2.5
# Readings of one part are at most this far apart: the part's relief, m, and sensor noise, m per
# square metre of distance.
RELIEF_M = 0.02
NOISE_PER_M = 0.004
# Least share of a part's samples that must agree.
MIN_SHARE = 0.2
# Largest length of a limb: factor of its estimated length, and an addition, m.
MAX_LIMB_STRETCH = 1.2
LIMB_SLACK_M = 0.05
# Least number, and share of the detected keypoints, that must be measured to correct a person: a
# few readings may agree on something else.
MIN_MEASURED = 3
MIN_MEASURED_SHARE = 0.25
# A measurement within this distance of the surface of another person's limb may be of that person,
# m; so are readings within OTHER_PERSON_RELIEF_M of it.
OTHER_PERSON_MARGIN_M = 0.03
OTHER_PERSON_RELIEF_M = 0.15

# Pairs of keypoints whose distance is limited, from the trunk outwards.
LIMBS = [
    PANOPTIC19.indices(limb)
    for limb in (('neck', 'left_hip'), ('neck', 'right_hip'), *PANOPTIC19.limbs)
    if PANOPTIC19.root not in limb
]
LIFTING_SD = np.array(
    [LIFTING_SD_M.get(name.split('_')[-1], LIFTING_SD_TRUNK_M) for name in PANOPTIC19.keypoints]
)
_LOGS = np.linspace(np.log(SCALES[0]), np.log(SCALES[1]), SCALE_BINS)
SCALE_KERNEL = np.exp(-((_LOGS - _LOGS[:, np.newaxis]) ** 2) / (2 * SCALE_SD**2))
_PELVIS, _LEFT_HIP, _RIGHT_HIP = PANOPTIC19.indices(('pelvis', 'left_hip', 'right_hip'))


def measure(
    people: People3D, depth: DepthImage, intrinsics: Intrinsics, assumed_person_height_m: float
) -> People3D:
    """Correct the positions of people by a depth image.

    Parameters
    ----------
    people
        3D poses whose scale may be wrong, as an assumed height makes it.
    depth
        Registered to the camera: same optical centre and axes.
    intrinsics
        Of the camera, for the source image.
    assumed_person_height_m
        Assumed for the 3D poses, m.

    Returns
    -------
    People3D
        With the same 2D poses. A measured keypoint has the source DEPTH and lies on its ray; the
        rest of the pose is fitted to the measured keypoints. A person with too few of them is
        unchanged.
    """
    if not len(people):
        return people
    rays = intrinsics.unproject(people.people_2d.xy_px)
    surface = body_surface.sample_surface(people.xyz_m, rays, assumed_person_height_m)
    readings_m = depth.at(surface.rays)
    measured_m, scale = _measure_keypoints(people, rays, surface.z_m, readings_m)
    others = _on_other_person(measured_m, people.xyz_m, scale, assumed_person_height_m)
    if others.any():
        near = np.abs(readings_m - measured_m[..., 2:]) <= OTHER_PERSON_RELIEF_M
        readings_m = np.where(others[..., np.newaxis] & near, np.nan, readings_m)
        measured_m, scale = _measure_keypoints(people, rays, surface.z_m, readings_m)
    return _fit_people(people, rays, measured_m, scale)


def _measure_keypoints(
    people: People3D, rays: Array, surface_m: Array, readings_m: Array
) -> tuple[Array, Array]:
    """Return measured keypoints ``(N, K, 3)`` m, NaN where not measured, and scales ``(N,)``."""
    scale = _vote_scale(readings_m, surface_m, people.people_2d.scores)
    z_m = people.xyz_m[..., 2]
    joints_m = readings_m - scale[:, None, None] * (surface_m - z_m[..., np.newaxis])
    z_m = _consensus_depth(joints_m, scale[:, np.newaxis] * z_m, scale[:, np.newaxis] * LIFTING_SD)
    return _reject_impossible(_on_rays(rays, z_m), people.xyz_m, scale), scale


def _vote_scale(readings_m: Array, surface_m: Array, scores: Array) -> Array:
    """Estimate the scale of each person, ``(N,)``: the mode of the ratios of its readings.

    Each valid sample of a keypoint votes with the keypoint's score. 1 without any votes.
    """
    n = len(readings_m)
    with np.errstate(invalid='ignore', divide='ignore'):
        bins = (np.log(readings_m / surface_m) - _LOGS[0]) / (_LOGS[1] - _LOGS[0])
    votes = np.broadcast_to(scores[..., np.newaxis], bins.shape)
    valid = (bins >= 0) & (bins < SCALE_BINS - 1) & (votes > 0)
    person = np.broadcast_to(np.arange(n)[:, None, None], bins.shape)
    cell = person[valid] * SCALE_BINS + np.rint(bins[valid]).astype(np.intp)
    total = np.bincount(cell, votes[valid], n * SCALE_BINS).reshape(n, -1) @ SCALE_KERNEL
    return np.where(total.any(1), np.exp(_LOGS[total.argmax(1)]), 1.0)


def _consensus_depth(joints_m: Array, expected_m: Array, sd_m: Array) -> Array:
    """Estimate the depth of each keypoint, ``(N, K)`` m, from its samples. NaN: not measured.

    The median of the largest group of samples that agree. Samples are weighted by the likelihood
    of their distance from the expected depth.
    """
    with np.errstate(invalid='ignore'):
        off = (joints_m - expected_m[..., np.newaxis]) / sd_m[..., np.newaxis]
        likelihood = np.where(np.abs(off) <= GATE_SDS, np.exp(-(off**2) / 2), 0)
        band = (RELIEF_M + NOISE_PER_M * expected_m**2)[..., np.newaxis, np.newaxis]
        agree = np.abs(joints_m[..., np.newaxis] - joints_m[..., np.newaxis, :]) <= band
    support = (agree * likelihood[..., np.newaxis, :]).sum(-1)
    best = np.where(likelihood > 0, support, 0).argmax(-1)
    chosen = np.take_along_axis(agree, best[..., np.newaxis, np.newaxis], axis=2)[:, :, 0]
    chosen &= likelihood > 0
    enough = chosen.sum(-1) >= MIN_SHARE * chosen.shape[-1]
    return np.where(enough, nan_median(np.where(chosen, joints_m, np.nan), lower=True), np.nan)


def _reject_impossible(measured_m: Array, pose_m: Array, scale: Array) -> Array:
    """Remove measurements that would make a limb too long.

    From the trunk outwards: each keypoint is compared with the last accepted one along its limbs,
    which cannot be further away than the limbs between them are long.
    """
    accepted_m: Array = measured_m.copy()
    anchor_m = measured_m.copy()
    reach_m = np.zeros(measured_m.shape[:2])
    a, b = np.transpose(LIMBS)
    lengths_m = scale * np.linalg.norm(pose_m[:, a] - pose_m[:, b], axis=-1).T
    for (inner, outer), length_m in zip(LIMBS, lengths_m, strict=True):
        along_m = reach_m[:, inner] + length_m
        away_m = np.linalg.norm(accepted_m[:, outer] - anchor_m[:, inner], axis=-1)
        accepted_m[away_m > MAX_LIMB_STRETCH * along_m + LIMB_SLACK_M, outer] = np.nan
        unknown = np.isnan(accepted_m[:, outer, 2])
        anchor_m[unknown, outer] = anchor_m[unknown, inner]
        reach_m[unknown, outer] = along_m[unknown]
    return accepted_m


def _on_other_person(
    measured_m: Array, pose_m: Array, scale: Array, height_m: float
) -> NDArray[np.bool_]:
    """Return which keypoints ``(N, K)`` were measured on the body of a better measured person."""
    others = np.zeros(measured_m.shape[:2], np.bool_)
    measured = np.isfinite(measured_m[..., 2])
    number = measured.sum(1)
    body_m = np.where(measured[..., np.newaxis], measured_m, scale[:, None, None] * pose_m)
    inner, outer = np.transpose(LIMBS)
    thickness_m = np.maximum(body_surface.DEPTH[inner], body_surface.DEPTH[outer]) * height_m
    for i in np.flatnonzero(number >= MIN_MEASURED):
        worse = number < number[i]
        a, b = body_m[i, inner], body_m[i, outer]
        off = measured_m[worse][:, :, np.newaxis] - a
        along = b - a
        t = np.clip((off * along).sum(-1) / np.maximum((along**2).sum(-1), 1e-9), 0, 1)
        away_m = np.linalg.norm(off - t[..., np.newaxis] * along, axis=-1)
        others[worse] |= (away_m <= scale[i] * thickness_m + OTHER_PERSON_MARGIN_M).any(-1)
    return others


def _fit_people(people: People3D, rays: Array, measured_m: Array, scale: Array) -> People3D:
    """Fit each pose to its measured keypoints, and use these where they exist."""
    measured = np.isfinite(measured_m[..., 2])
    similarity, agreement = fit_similarity(people.xyz_m, measured_m, scale)
    low, high = SCALES
    enough = np.maximum(MIN_MEASURED, MIN_MEASURED_SHARE * people.people_2d.detected.sum(1))
    found = measured.sum(1) >= enough
    found &= (similarity.scale > low) & (similarity.scale < high)
    fitted_m = similarity.apply(people.xyz_m)
    # Detected keypoints lie on their rays.
    xyz_m = np.where(np.isfinite(rays[..., :1]), _on_rays(rays, fitted_m[..., 2]), fitted_m)
    xyz_m = np.where(measured[..., np.newaxis], measured_m, xyz_m)
    hips_m = measured_m[:, [_LEFT_HIP, _RIGHT_HIP]].mean(1)
    between_hips = np.isfinite(hips_m) & ~measured[:, _PELVIS, np.newaxis]
    xyz_m[:, _PELVIS] = np.where(between_hips, hips_m, xyz_m[:, _PELVIS])
    covariance = position_covariance_m2(fitted_m, measured_m, agreement, _PELVIS)
    every = found[:, np.newaxis]
    sd_m = np.full(measured.shape, np.nan) if people.sd_m is None else people.sd_m
    sensor_sd_m = RELIEF_M + NOISE_PER_M * measured_m[..., 2] ** 2
    return replace(
        people,
        xyz_m=np.where(every[..., np.newaxis], xyz_m, people.xyz_m),
        source=np.where(every & measured, Source.DEPTH, people.source).astype(np.uint8),
        root_covariance_m2=np.where(every[..., np.newaxis], covariance, people.root_covariance_m2),
        sd_m=np.where(every & measured, sensor_sd_m, sd_m),
    )


def _on_rays(rays: Array, z_m: Array) -> Array:
    return np.concatenate([rays * z_m[..., np.newaxis], z_m[..., np.newaxis]], axis=-1)
