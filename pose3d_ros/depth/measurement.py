"""People in metres + a registered depth image -> people where the sensor measured them.

Scaling a person about the camera changes no pixel, and the scale is what one camera cannot know.
So depth readings are first compared with the lifted person as ratios: most of them agree on one.
Around what that predicts, each keypoint is read from many pixels inside its own limb.
Why so, and how well it works: docs/decisions/0006-depth.md.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import Intrinsics
from pose3d_ros.depth import body_surface as body_surface
from pose3d_ros.geometry.robust import nan_median
from pose3d_ros.geometry.similarity import fit_similarity, position_covariance_m2
from pose3d_ros.images import DepthImage
from pose3d_ros.people import People3D, Source
from pose3d_ros.skeleton import PANOPTIC19

Array = NDArray[np.float64]

# How large people may be, compared with what was assumed.
SCALES = (0.4, 1.6)
SCALE_BINS = 140
# How far the ratios of one person differ: 10 cm at 3.3 m.
SCALE_SD = 0.03
# By how much the network may misplace a keypoint along the ray, m, of a body of the assumed height
# (standard deviation); from how many of them on a reading is no more believed.
MISPLACED_M = {'elbow': 0.12, 'knee': 0.12, 'wrist': 0.15, 'ankle': 0.15}
MISPLACED_TRUNK_M = 0.10
GATE_SDS = 2.5
# Readings of one part are this close together, m: its relief, and the noise of sensors, which
# grows with the distance squared.
RELIEF_M = 0.02
NOISE_PER_M = 0.004
# A part is measured by no less than this share of its samples.
MIN_SHARE = 0.2
# How long a limb may be: of what the network has it, and what is allowed besides, m.
LONGEST = 1.2
LIMB_SLACK_M = 0.05
# A person is measured by this many keypoints, and this share of those seen: a few may agree on
# something else.
MIN_MEASURED = 3
MIN_MEASURED_SHARE = 0.25
# A keypoint this near to somebody else's limb, beyond its thickness, m, may be of that person.
OTHERS_M = 0.03
# And readings this near to it are.
OTHERS_RELIEF_M = 0.15

LIMBS = [
    PANOPTIC19.indices(limb)
    for limb in (('neck', 'left_hip'), ('neck', 'right_hip'), *PANOPTIC19.limbs)
    if PANOPTIC19.root not in limb
]
MISPLACED = np.array(
    [MISPLACED_M.get(name.split('_')[-1], MISPLACED_TRUNK_M) for name in PANOPTIC19.keypoints]
)
_LOGS = np.linspace(np.log(SCALES[0]), np.log(SCALES[1]), SCALE_BINS)
SCALE_KERNEL = np.exp(-((_LOGS - _LOGS[:, np.newaxis]) ** 2) / (2 * SCALE_SD**2))
_PELVIS, _LEFT_HIP, _RIGHT_HIP = PANOPTIC19.indices(('pelvis', 'left_hip', 'right_hip'))


def measure(
    people: People3D, depth: DepthImage, intrinsics: Intrinsics, assumed_person_height_m: float
) -> People3D:
    """Put people where a depth sensor measures them.

    Parameters
    ----------
    people
        As lifted; size and distance may be wrong, as an assumed height makes them.
    depth
        Registered to the camera: seen from the same place, in the same direction.
    intrinsics
        Of the camera, for the source image.
    assumed_person_height_m
        With which the people were lifted, m.

    Returns
    -------
    People3D
        The same people as pixels. A keypoint that is measured has the source DEPTH and lies on its
        ray; the rest of the pose is fitted to those. A person of whom too few keypoints can be
        measured is as it was.
    """
    if not len(people):
        return people
    rays = intrinsics.unproject(people.people_2d.xy_px)
    skin = body_surface.skin(people.xyz_m, rays, assumed_person_height_m)
    readings_m = depth.at(skin.rays)
    measured_m, scale = _measured(people, rays, skin.z_m, readings_m)
    others = _on_other_person(measured_m, people.xyz_m, scale, assumed_person_height_m)
    if others.any():
        theirs = np.abs(readings_m - measured_m[..., 2:]) <= OTHERS_RELIEF_M
        readings_m = np.where(others[..., np.newaxis] & theirs, np.nan, readings_m)
        measured_m, scale = _measured(people, rays, skin.z_m, readings_m)
    return _fitted(people, rays, measured_m, scale)


def _measured(
    people: People3D, rays: Array, skin_m: Array, readings_m: Array
) -> tuple[Array, Array]:
    """Keypoints where the sensor has them, ``(N, K, 3)`` m, NaN: not measured; and scales."""
    scale = _scale(readings_m, skin_m, people.people_2d.scores)
    z_m = people.xyz_m[..., 2]
    joints_m = readings_m - scale[:, None, None] * (skin_m - z_m[..., np.newaxis])
    z_m = _consensus_depth(joints_m, scale[:, np.newaxis] * z_m, scale[:, np.newaxis] * MISPLACED)
    return _reject_impossible(_on_rays(rays, z_m), people.xyz_m, scale), scale


def _scale(readings_m: Array, skin_m: Array, scores: Array) -> Array:
    """Scale of each person, ``(N,)``: the ratio on which most keypoints' readings agree.

    A keypoint has one vote, by its score, less the part of its samples that is unknown. 1 where
    nobody votes.
    """
    n = len(readings_m)
    with np.errstate(invalid='ignore', divide='ignore'):
        place = (np.log(readings_m / skin_m) - _LOGS[0]) / (_LOGS[1] - _LOGS[0])
    votes = np.broadcast_to(scores[..., np.newaxis], place.shape)
    valid = (place >= 0) & (place < SCALE_BINS - 1) & (votes > 0)
    person = np.broadcast_to(np.arange(n)[:, None, None], place.shape)
    cell = person[valid] * SCALE_BINS + np.rint(place[valid]).astype(np.intp)
    total = np.bincount(cell, votes[valid], n * SCALE_BINS).reshape(n, -1) @ SCALE_KERNEL
    return np.where(total.any(1), np.exp(_LOGS[total.argmax(1)]), 1.0)


def _consensus_depth(joints_m: Array, expected_m: Array, misplaced_m: Array) -> Array:
    """Depth of each keypoint, ``(N, K)`` m, from what each sample says it is. NaN: not measured.

    The median of those samples that lie together, where most do, each counting by how likely it
    is of this person.
    """
    with np.errstate(invalid='ignore'):
        off = (joints_m - expected_m[..., np.newaxis]) / misplaced_m[..., np.newaxis]
        likely = np.where(np.abs(off) <= GATE_SDS, np.exp(-(off**2) / 2), 0)
        band = (RELIEF_M + NOISE_PER_M * expected_m**2)[..., np.newaxis, np.newaxis]
        together = np.abs(joints_m[..., np.newaxis] - joints_m[..., np.newaxis, :]) <= band
    support = (together * likely[..., np.newaxis, :]).sum(-1)
    best = np.where(likely > 0, support, 0).argmax(-1)
    chosen = np.take_along_axis(together, best[..., np.newaxis, np.newaxis], axis=2)[:, :, 0]
    chosen &= likely > 0
    enough = chosen.sum(-1) >= MIN_SHARE * chosen.shape[-1]
    return np.where(enough, nan_median(np.where(chosen, joints_m, np.nan), lower=True), np.nan)


def _reject_impossible(measured_m: Array, pose_m: Array, scale: Array) -> Array:
    """Keep what is measured, but for what is too far from the rest of its limbs.

    From the trunk outwards: each keypoint is held against the last that was believed on its limbs,
    which can be no further away than the limbs between them are long.
    """
    believed_m: Array = measured_m.copy()
    anchor_m = measured_m.copy()
    reach_m = np.zeros(measured_m.shape[:2])
    a, b = np.transpose(LIMBS)
    lengths_m = scale * np.linalg.norm(pose_m[:, a] - pose_m[:, b], axis=-1).T
    for (inner, outer), length_m in zip(LIMBS, lengths_m, strict=True):
        along_m = reach_m[:, inner] + length_m
        away_m = np.linalg.norm(believed_m[:, outer] - anchor_m[:, inner], axis=-1)
        believed_m[away_m > LONGEST * along_m + LIMB_SLACK_M, outer] = np.nan
        unknown = np.isnan(believed_m[:, outer, 2])
        anchor_m[unknown, outer] = anchor_m[unknown, inner]
        reach_m[unknown, outer] = along_m[unknown]
    return believed_m


def _on_other_person(
    measured_m: Array, pose_m: Array, scale: Array, height_m: float
) -> NDArray[np.bool_]:
    """Which keypoints were read on the body of somebody who was measured better, ``(N, K)``."""
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
        others[worse] |= (away_m <= scale[i] * thickness_m + OTHERS_M).any(-1)
    return others


def _fitted(people: People3D, rays: Array, measured_m: Array, scale: Array) -> People3D:
    """People at what was measured of them, the rest where the fitted pose has it."""
    measured = np.isfinite(measured_m[..., 2])
    similarity, agreement = fit_similarity(people.xyz_m, measured_m, scale)
    low, high = SCALES
    enough = np.maximum(MIN_MEASURED, MIN_MEASURED_SHARE * people.people_2d.detected.sum(1))
    found = measured.sum(1) >= enough
    found &= (similarity.scale > low) & (similarity.scale < high)
    fitted_m = similarity.apply(people.xyz_m)
    # What is seen lies on its ray.
    xyz_m = np.where(np.isfinite(rays[..., :1]), _on_rays(rays, fitted_m[..., 2]), fitted_m)
    xyz_m = np.where(measured[..., np.newaxis], measured_m, xyz_m)
    hips_m = measured_m[:, [_LEFT_HIP, _RIGHT_HIP]].mean(1)
    xyz_m[:, _PELVIS] = np.where(np.isfinite(hips_m), hips_m, xyz_m[:, _PELVIS])
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
