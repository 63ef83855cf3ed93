"""The people of all cameras in the common frame, at a common time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import Intrinsics
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
        keys = [self.keys[i] for i in rows.tolist()]
        arrays = [v[rows] for v in self if not isinstance(v, list)]
        return Views(arrays[0], keys, *arrays[1:])


def views(results: Sequence[CameraPeople], stamp_s: float) -> Views:
    """Return all people with a position, moved by their velocities to a common time.

    Parameters
    ----------
    results
        One for each camera.
    stamp_s
        The common time, s.
    """
    parts = [_of_camera(i, result, stamp_s) for i, result in enumerate(results)]
    keys = [key for part in parts for key in part.keys]
    columns = zip(*([v for v in part if not isinstance(v, list)] for part in parts), strict=True)
    arrays = [np.concatenate(column) for column in columns]
    return Views(arrays[0], keys, *arrays[1:])


def _of_camera(index: int, result: CameraPeople, stamp_s: float) -> Views:
    tracked, people, turn = result.tracked, result.tracked.people, result.rotation
    rows = np.flatnonzero(np.isfinite(people.xyz_m[..., 0]).any(axis=1))
    n = len(rows)
    moved_m = np.zeros((n, 3))
    if tracked.velocity_m_s is not None:
        moved_m = np.nan_to_num(tracked.velocity_m_s[rows]) * (stamp_s - result.stamp_s)
    camera_m = _on_rays(result, rows) + moved_m[:, np.newaxis]
    distance_m = np.linalg.norm(camera_m, axis=-1, keepdims=True)
    ray = camera_m / np.where(distance_m > 0, distance_m, np.nan)
    known = np.isfinite(ray[..., 0])
    sd_m = np.full((n, K), np.nan) if people.sd_m is None else people.sd_m[rows]
    scores = np.where(known, people.people_2d.scores[rows], 0.0)
    first_s = np.zeros(n) if tracked.first_s is None else tracked.first_s[rows]
    first_ns = np.round(np.nan_to_num(first_s) * 1e9).astype(np.int64)
    ids = tracked.track_id[rows]
    return Views(
        camera=np.full(n, index),
        keys=[(result.camera, *key) for key in zip(ids.tolist(), first_ns.tolist(), strict=True)],
        xyz_m=camera_m @ turn.T + result.origin_m,
        ray=ray @ turn.T,
        detected=scores > 0,
        scores=scores,
        source=np.where(known, people.source[rows], Source.NONE).astype(np.uint8),
        sd_m=np.where(np.isfinite(sd_m), sd_m, KEYPOINT_SD_M),
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
    if result.intrinsics is None:
        return xyz_m
    rays = result.intrinsics.unproject(people.people_2d.xy_px[rows])
    on_ray = np.isfinite(rays[..., 0]) & np.isfinite(xyz_m[..., 2])
    moved_m = xyz_m.copy()
    moved_m[on_ray, :2] = rays[on_ray] * xyz_m[on_ray, 2:]
    hips = on_ray[:, HIPS].all(axis=1)
    moved_m[hips, ROOT] = moved_m[hips][:, HIPS].mean(axis=1)
    return moved_m


def _root_covariance(stated: Array, camera_m: Array) -> Array:
    """Return the covariance of roots, m2: as stated, else by the distance."""
    place_m = np.nanmean(camera_m, axis=1)
    along = DISTANCE_SD * place_m
    assumed = along[:, :, np.newaxis] * along[:, np.newaxis]
    known = np.isfinite(stated).all(axis=(1, 2), keepdims=True)
    return np.where(known, stated, assumed) + ROOT_SD_M**2 * np.eye(3)


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
