"""Baselines for a lifting network: the mean pose, and the nearest neighbour of known poses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.lifting_data import Lift, Scene
from pose3d_ros.camera import CameraPose, Intrinsics
from pose3d_ros.evaluation.pose_errors import ROOT
from pose3d_ros.geometry.placement import solve_translation
from pose3d_ros.geometry.similarity import nearest_rotation
from pose3d_ros.people import People2D, People3D, Source

Array = NDArray[np.float64]

# Poses from the distribution that the lifting network is trained on, root-relative, m, in the
# frame of a level camera; written by `python -m training.baseline_poses`.
POSES = Path(__file__).with_name('lifting_poses.npz')
# Views of each pose that the nearest neighbour compares: all around, from a low robot's camera to
# one at the ceiling.
YAWS_RAD = np.radians(np.arange(0, 360, 20))
PITCHES_RAD = np.radians((-10, 10, 30, 50))
# Iterations of the mean of rotated poses; it changes by less than 1 mm after these.
MEAN_ITERATIONS = 5


def read_poses() -> Array:
    """Read the poses ``(P, K, 3)``."""
    with np.load(POSES) as archive:
        return np.asarray(archive['xyz_m'], np.float64)


def mean_pose(poses: Array) -> Array:
    """Compute the mean of poses ``(P, K, 3)`` rotated onto each other: ``(K, 3)``, root at 0."""
    mean = poses[0]
    for _ in range(MEAN_ITERATIONS):
        mean = np.mean([pose @ rotation_between(pose, mean).T for pose in poses], axis=0)
    return np.asarray(mean - mean[ROOT])


def rotation_between(points: Array, target: Array) -> Array:
    """Return the rotation about the origin that brings points ``(P, 3)`` nearest to a target.

    Kabsch, Acta Crystallographica A 32, 1976: 922-923.
    """
    rotation, _ = nearest_rotation(target.T @ points)
    return rotation


def rotate_by_truth(pose: Array, true_m: Array, people: People2D, intrinsics: Intrinsics) -> Array:
    """Rotate one pose ``(K, 3)`` to fit the truth ``(N, K, 3)`` best, and place it on the rays."""
    relative_m = np.full_like(true_m, np.nan)
    for i, wanted_m in enumerate(true_m - true_m[:, [ROOT]]):
        known = np.isfinite(wanted_m).all(axis=1)
        if known.sum() >= 3:
            relative_m[i] = pose @ rotation_between(pose[known], wanted_m[known]).T
    return _place(relative_m, people, intrinsics)


def _place(relative_m: Array, people: People2D, intrinsics: Intrinsics) -> Array:
    translation_m, _ = solve_translation(
        relative_m, intrinsics.unproject(people.xy_px), people.scores
    )
    return np.asarray(relative_m + translation_m[:, np.newaxis])


class NearestNeighbour:
    """Lift people to the known pose and view whose projection is most similar.

    Keypoints are compared in a virtual camera aimed at the person, after translation and scaling.
    """

    def __init__(self, poses: Array) -> None:
        rotations = [_view_rotation(yaw, pitch) for yaw in YAWS_RAD for pitch in PITCHES_RAD]
        views_m = np.concatenate([poses @ rotation.T for rotation in rotations]).astype(np.float32)
        self._x, self._y, self._z = np.moveaxis(views_m, -1, 0).copy()
        self._squares = self._x**2 + self._y**2

    def lift(self, people: People2D, intrinsics: Intrinsics) -> Array:
        """Return ``(N, K, 3)`` m in the camera optical frame. NaN: fewer than two keypoints."""
        rays = intrinsics.unproject(people.xy_px)
        relative_m = np.full((*rays.shape[:2], 3), np.nan)
        for i, detected in enumerate(people.detected):
            if detected.sum() >= 2:
                directions = np.append(rays[i], np.ones((len(detected), 1)), axis=1)
                to_person = looking_along(directions[detected].mean(axis=0))
                x, y, z = to_person @ directions.T
                best = self._most_similar(np.stack([x / z, y / z], axis=-1), detected)
                view_m = np.stack([self._x[best], self._y[best], self._z[best]], axis=-1)
                relative_m[i] = view_m @ to_person
        return _place(relative_m, people, intrinsics)

    def _most_similar(self, shape: Array, detected: NDArray[np.bool_]) -> int:
        """Return the row of the view nearest to a shape ``(K, 2)``, both scaled to one size.

        It has the largest cosine between the two, about their means.
        """
        centred = np.where(detected[:, np.newaxis], shape - shape[detected].mean(axis=0), 0)
        centred, x, y = centred.astype(np.float32), self._x, self._y
        weights = detected.astype(np.float32)
        mean_squares = ((x @ weights) ** 2 + (y @ weights) ** 2) / detected.sum()
        squares = self._squares @ weights - mean_squares
        along = x @ centred[:, 0] + y @ centred[:, 1]
        return int((along / np.sqrt(np.maximum(squares, 1e-6))).argmax())


def by_mean_pose(pose: Array) -> Lift:
    """Lift labelled people to one pose ``(K, 3)``, rotated to fit the truth best."""

    def lift(scene: Scene, people: People2D, camera_pose: CameraPose | None) -> People3D:
        return people_at(people, rotate_by_truth(pose, scene.xyz_m, people, scene.intrinsics))

    return lift


def by_nearest_neighbour(neighbour: NearestNeighbour) -> Lift:
    """Lift to the most similar pose."""

    def lift(scene: Scene, people: People2D, camera_pose: CameraPose | None) -> People3D:
        return people_at(people, neighbour.lift(people, scene.intrinsics))

    return lift


def people_at(people: People2D, xyz_m: Array) -> People3D:
    """Make 3D people of positions ``(N, K, 3)`` m with an unknown covariance."""
    n = len(people)
    source = np.where(people.detected, Source.OBSERVED, Source.INFERRED).astype(np.uint8)
    return People3D(people, xyz_m, source, np.full((n, 3, 3), np.nan))


def looking_along(direction: Array) -> Array:
    """Return the rotation ``(3, 3)`` into a camera that looks along ``(3,)`` without roll."""
    z = direction / np.linalg.norm(direction)
    x = np.cross((0.0, 1.0, 0.0), z)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z])


def _view_rotation(yaw: float, pitch: float) -> Array:
    """Return the rotation of a person by `yaw`, seen by a camera pitched down by `pitch`, rad."""
    c, s = np.cos(yaw), np.sin(yaw)
    about_y = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    c, s = np.cos(pitch), np.sin(pitch)
    return np.asarray(np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ about_y)
