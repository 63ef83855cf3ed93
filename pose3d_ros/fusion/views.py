"""The people of all cameras in the common frame, at a common time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import MAX_ANGLE_RAD, Intrinsics
from pose3d_ros.people import K, Source, TrackedPeople
from pose3d_ros.skeleton import PANOPTIC19

Array = NDArray[np.float64]

# Standard deviation of a keypoint across the ray to it, m: with a score of 1, and at most. It
# grows with one over the score.
ACROSS_SD_M, MAX_ACROSS_SD_M = 0.02, 0.1
# Standard deviation of a keypoint relative to the root, m, and of the root along the ray as a
# share of its distance, where a camera does not state them.
KEYPOINT_SD_M, DISTANCE_SD = 0.1, 0.15
# Standard deviation of a root, m, in addition to what a camera states.
ROOT_SD_M = 0.03

# Largest distance of people, m, and their largest speed, m/s: more is an error. Rounding error of
# a variance, m2.
FAR_M, MAX_SPEED_M_S, MIN_VARIANCE_M2 = 1000.0, 20.0, 1e-6
# Longest interval between results, s, and largest speed of a keypoint relative to the person, m/s,
# by which keypoints are moved. Faster ones are errors of detection.
MAX_INTERVAL_S, MAX_LIMB_M_S = 0.3, 4.0
# Median angle between positions and pixels from which the positions are in another frame, rad.
OTHER_FRAME_RAD = 0.2

ROOT = PANOPTIC19.index(PANOPTIC19.root)
HIPS = PANOPTIC19.indices(('left_hip', 'right_hip'))

# Names a person of a camera over time: name of the camera, track_id, first stamp in ns. A camera
# that starts again begins with track_id 0, too.
Key = tuple[str, int, int]


@dataclass(frozen=True)
class CameraPeople:
    """The people in one image of one camera, and where the camera was.

    Parameters
    ----------
    camera
        Name of the camera.
    tracked
        Its N people, in its optical frame. ``velocity_m_s`` is used where it is known.
    stamp_s
        When the image was taken, s.
    rotation, origin_m
        ``(3, 3)`` and ``(3,)`` m: a point p of the camera is at ``rotation @ p + origin_m`` in the
        common frame.
    intrinsics
        Of the camera, by which keypoints are put on the rays of their pixels. None: their rays
        are those through their positions, which the pose estimate has moved.
    """

    camera: str
    tracked: TrackedPeople
    stamp_s: float
    rotation: Array
    origin_m: Array
    intrinsics: Intrinsics | None = None


class Views(NamedTuple):
    """M views of people, each by one camera, in the common frame at the common time.

    Parameters
    ----------
    camera
        ``(M,)`` index of the camera.
    keys
        M names, see ``Key``.
    xyz_m
        ``(M, K, 3)`` m. NaN: unknown.
    ray
        ``(M, K, 3)`` unit vectors from the camera to the keypoints.
    detected
        ``(M, K)``, which keypoints are detected in the image and have a position.
    scores
        ``(M, K)`` scores of the keypoints, 0 where not detected.
    source
        ``(M, K)`` uint8, a ``Source`` each.
    sd_m
        ``(M, K)`` m per axis, relative to the root.
    origin_m
        ``(M, 3)`` m, place of the camera.
    root_covariance_m2
        ``(M, 3, 3)`` m2.
    score
        ``(M,)`` scores of the people.
    """

    camera: NDArray[np.intp]
    keys: list[Key]
    xyz_m: Array
    ray: Array
    detected: NDArray[np.bool_]
    scores: Array
    source: NDArray[np.uint8]
    sd_m: Array
    origin_m: Array
    root_covariance_m2: Array
    score: Array

    def take(self, rows: NDArray[np.intp]) -> Views:
        """Return some of the views."""
        arrays = {name: getattr(self, name)[rows] for name in ARRAYS}
        return Views(keys=[self.keys[i] for i in rows.tolist()], **arrays)


# The fields of Views that are arrays.
ARRAYS = [name for name in Views._fields if name != 'keys']


def views(
    results: Sequence[CameraPeople],
    stamp_s: float,
    before: Mapping[str, CameraPeople] | None = None,
) -> Views:
    """Return all people with a position, moved to a common time.

    Keypoints move as they did since the result before, across their rays; without one, and along
    their rays, with the velocity of the person.

    Parameters
    ----------
    results
        One for each camera.
    stamp_s
        The common time, s.
    before
        The result before of each camera, by its name.
    """
    parts = [
        _of_camera(i, result, stamp_s, (before or {}).get(result.camera))
        for i, result in enumerate(results)
    ]
    arrays = {n: np.concatenate([getattr(part, n) for part in parts]) for n in ARRAYS}
    return Views(keys=[key for part in parts for key in part.keys], **arrays)


def in_camera_frame(result: CameraPeople) -> bool:
    """Return whether positions are where the pixels are: false in another frame than the camera's.

    True where there are no people or no intrinsics to tell.
    """
    if result.intrinsics is None:
        return True
    people = result.tracked.people
    rays = result.intrinsics.unproject(people.people_2d.xy_px)
    behind = people.xyz_m[..., 2:] <= 0
    apart = rays - people.xyz_m[..., :2] / np.where(behind, np.nan, people.xyz_m[..., 2:])
    angle = np.where(behind[..., 0], np.pi, np.hypot(apart[..., 0], apart[..., 1]))
    known = np.isfinite(rays[..., 0] + people.xyz_m[..., 2])
    return not known.any() or bool(np.median(angle[known]) < OTHER_FRAME_RAD)


def _of_camera(
    index: int, result: CameraPeople, stamp_s: float, before: CameraPeople | None
) -> Views:
    people, turn = result.tracked.people, result.rotation
    distance_m = np.abs(people.xyz_m).max(axis=-1)
    # People beyond FAR_M, or with infinite positions, are errors.
    near = (distance_m < FAR_M) | np.isnan(distance_m)
    rows = np.flatnonzero((distance_m < FAR_M).any(axis=1) & near.all(axis=1))
    n = len(rows)
    camera_m = _on_rays(result, rows)
    if stamp_s != result.stamp_s:
        camera_m = camera_m + (stamp_s - result.stamp_s) * _velocities(
            result, rows, camera_m, before
        )
    distance_m = np.linalg.norm(camera_m, axis=-1, keepdims=True)
    ray = camera_m / np.where(distance_m > 0, distance_m, np.nan)
    known = np.isfinite(ray[..., 0])
    sd_m = np.full((n, K), np.nan) if people.sd_m is None else people.sd_m[rows]
    scores = np.where(known, np.clip(np.nan_to_num(people.people_2d.scores[rows]), 0, 1), 0.0)
    return Views(
        camera=np.full(n, index),
        keys=_keys(result, rows),
        xyz_m=camera_m @ turn.T + result.origin_m,
        ray=ray @ turn.T,
        detected=scores > 0,
        scores=scores,
        source=np.where(known, people.source[rows], Source.NONE).astype(np.uint8),
        sd_m=np.where((sd_m > 0) & (sd_m < FAR_M), sd_m, KEYPOINT_SD_M),
        origin_m=np.repeat(result.origin_m[np.newaxis], n, axis=0),
        root_covariance_m2=turn
        @ _root_covariance(people.root_covariance_m2[rows], camera_m)
        @ turn.T,
        score=people.people_2d.score[rows],
    )


def _on_rays(result: CameraPeople, rows: NDArray[np.intp]) -> Array:
    """Return positions ``(n, K, 3)`` m in the camera optical frame, on the rays of their pixels.

    The pelvis is between the hips.
    """
    people = result.tracked.people
    xyz_m = people.xyz_m[rows]
    xyz_m = np.where(np.isfinite(xyz_m).all(axis=-1, keepdims=True), xyz_m, np.nan)
    if result.intrinsics is None:
        return xyz_m
    rays = result.intrinsics.unproject(people.people_2d.xy_px[rows])
    # NaN is not. Without a lens model, pixels far outside of the image have rays, too.
    on_ray = (np.abs(rays) < np.tan(MAX_ANGLE_RAD)).all(axis=-1) & np.isfinite(xyz_m[..., 2])
    moved_m: Array = xyz_m.copy()
    moved_m[on_ray, :2] = rays[on_ray] * xyz_m[on_ray, 2:]
    hips = on_ray[:, HIPS].all(axis=1)
    moved_m[hips, ROOT] = moved_m[hips][:, HIPS].mean(axis=1)
    return moved_m


def _velocities(
    result: CameraPeople, rows: NDArray[np.intp], camera_m: Array, before: CameraPeople | None
) -> Array:
    """Return the velocities of keypoints at ``(n, K, 3)`` m, in the camera optical frame, m/s."""
    velocity = np.zeros((len(rows), K, 3))
    if result.tracked.velocity_m_s is not None:
        stated = result.tracked.velocity_m_s[rows, np.newaxis]
        velocity += np.where(np.abs(stated) <= MAX_SPEED_M_S, stated, 0.0)  # NaN is not
    dt_s = np.inf if before is None else result.stamp_s - before.stamp_s
    if before is None or not 0 < dt_s <= MAX_INTERVAL_S:
        return velocity
    old_rows = np.arange(len(before.tracked))
    old_m = dict(zip(_keys(before, old_rows), _on_rays(before, old_rows), strict=True))
    unknown = np.full((K, 3), np.nan)
    then_m = np.array([old_m.get(key, unknown) for key in _keys(result, rows)]).reshape(-1, K, 3)
    change = (camera_m - then_m) / dt_s - velocity
    ray = camera_m / np.linalg.norm(camera_m, axis=-1, keepdims=True)
    change -= np.einsum('nki,nki->nk', change, ray)[..., np.newaxis] * ray
    plausible = np.linalg.norm(change, axis=-1, keepdims=True) <= MAX_LIMB_M_S  # NaN is not
    return np.where(plausible, velocity + change, velocity)


def _keys(result: CameraPeople, rows: NDArray[np.intp]) -> list[Key]:
    """Return the names of people over time."""
    tracked = result.tracked
    first_s = np.zeros(len(tracked)) if tracked.first_s is None else tracked.first_s
    first_ns = np.round(np.nan_to_num(first_s) * 1e9).astype(np.int64)
    return [(result.camera, int(tracked.track_id[i]), int(first_ns[i])) for i in rows.tolist()]


def _root_covariance(stated: Array, camera_m: Array) -> Array:
    """Return the covariance of roots, m2: as stated, else by the distance."""
    place_m = np.nanmean(camera_m, axis=1)
    along = DISTANCE_SD * place_m
    assumed = along[:, :, np.newaxis] * along[:, np.newaxis]
    possible = np.isfinite(stated).all(axis=(1, 2)) & (np.abs(stated) < FAR_M**2).all(axis=(1, 2))
    stated = np.where(np.asarray(possible)[:, np.newaxis, np.newaxis], stated, 0.0)
    stated = (stated + stated.swapaxes(1, 2)) / 2
    possible &= np.linalg.eigvalsh(stated)[:, 0] >= -MIN_VARIANCE_M2
    known = np.asarray(possible)[:, np.newaxis, np.newaxis]
    return np.asarray(np.where(known, stated, assumed) + ROOT_SD_M**2 * np.eye(3))


def keypoint_covariance(seen: Views) -> Array:
    """Return the covariance of each keypoint relative to the root, ``(M, K, 3, 3)`` m2.

    Along the ray it is that of the pose; across it, where the keypoint is detected, that of the
    detection.
    """
    scores = np.where(seen.detected, seen.scores, 1.0)
    across_m = np.minimum(ACROSS_SD_M / scores, MAX_ACROSS_SD_M)
    across_m2 = np.where(seen.detected, across_m, seen.sd_m)[..., np.newaxis, np.newaxis] ** 2
    along_m2 = seen.sd_m[..., np.newaxis, np.newaxis] ** 2
    ray = np.nan_to_num(seen.ray)
    along = ray[..., :, np.newaxis] * ray[..., np.newaxis, :]
    return np.asarray(across_m2 * (np.eye(3) - along) + along_m2 * along)
