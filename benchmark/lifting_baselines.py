"""What a lifting network must beat: the mean pose, and the pose that looks most alike.

    python -m benchmark.lifting_baselines

draws the poses anew, which takes the training's requirements and no more than seconds.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark import accuracy_3d
from benchmark.lifting_data import Lift, Scene
from pose3d_ros.camera import CameraPose, Intrinsics
from pose3d_ros.geometry.placement import solve_translation
from pose3d_ros.people import People2D, People3D, Source

Array = NDArray[np.float64]

# Poses as a lifting network is trained on, root-relative, m, in the frame of a level camera.
POSES = Path(__file__).with_name('lifting_poses.npz')
NUMBER = 1600  # 180 kB
# From where the nearest neighbour sees each of them: all around, from a low robot to a ceiling.
YAWS_RAD = np.radians(np.arange(0, 360, 20))
PITCHES_RAD = np.radians((-10, 10, 30, 50))
MEAN_STEPS = 5


def poses_m() -> Array:
    """Training poses ``(P, K, 3)``."""
    with np.load(POSES) as archive:
        return np.asarray(archive['xyz_m'], np.float64)


def draw_poses(number: int, seed: int) -> Array:
    """Draw training poses ``(P, K, 3)``; the bodies are as their joints are."""
    from training import activities, bodies, poses

    rng = np.random.default_rng(seed)
    shapes = bodies.BodyModel().sample(rng, number, annotated=False)
    _, keypoints_m = bodies.posed(shapes, poses.rotations(activities.sample(rng, number)))
    x, y, z = np.moveaxis(keypoints_m - keypoints_m[:, [accuracy_3d.ROOT]], -1, 0)
    return np.stack([x, -z, y], axis=-1)


def mean_pose(poses: Array) -> Array:
    """Mean of poses ``(P, K, 3)`` turned onto each other: ``(K, 3)``, the root in the origin."""
    mean = poses[0]
    for _ in range(MEAN_STEPS):
        mean = np.mean([pose @ turn_between(pose, mean).T for pose in poses], axis=0)
    return np.asarray(mean - mean[accuracy_3d.ROOT])


def turn_between(points: Array, target: Array) -> Array:
    """Rotation matrix that brings points ``(P, 3)`` nearest to others, about the origin of both.

    Kabsch, Acta Crystallographica A 1976, 32: 922-923.
    """
    u, _, vt = np.linalg.svd(target.T @ points)
    return np.asarray((u * [1, 1, np.sign(np.linalg.det(u @ vt))]) @ vt)


def turned_by_truth(pose: Array, true_m: Array, people: People2D, intrinsics: Intrinsics) -> Array:
    """One pose ``(K, 3)``, turned as the truth ``(N, K, 3)`` says is best and put on the rays."""
    relative_m = np.full_like(true_m, np.nan)
    for i, wanted_m in enumerate(true_m - true_m[:, [accuracy_3d.ROOT]]):
        known = np.isfinite(wanted_m).all(axis=1)
        if known.sum() >= 3:
            relative_m[i] = pose @ turn_between(pose[known], wanted_m[known]).T
    return _placed(relative_m, people, intrinsics)


def _placed(relative_m: Array, people: People2D, intrinsics: Intrinsics) -> Array:
    translation_m, _ = solve_translation(
        relative_m, intrinsics.unproject(people.xy_px), people.scores
    )
    return np.asarray(relative_m + translation_m[:, np.newaxis])


class NearestNeighbour:
    """Lifts people to the pose, of some, that looks most alike from some side.

    Compared are keypoints seen by a camera that looks at the person, after shift and scale.
    """

    def __init__(self, poses: Array) -> None:
        turns = [_turn(yaw, pitch) for yaw in YAWS_RAD for pitch in PITCHES_RAD]
        views_m = np.concatenate([poses @ turn.T for turn in turns]).astype(np.float32)
        self._x, self._y, self._z = np.moveaxis(views_m, -1, 0).copy()
        self._squares = self._x**2 + self._y**2

    def lift(self, people: People2D, intrinsics: Intrinsics) -> Array:
        """Positions ``(N, K, 3)`` m in the camera optical frame. NaN: fewer than two keypoints."""
        rays = intrinsics.unproject(people.xy_px)
        relative_m = np.full((*rays.shape[:2], 3), np.nan)
        for i, seen in enumerate(people.detected):
            if seen.sum() >= 2:
                directions = np.append(rays[i], np.ones((len(seen), 1)), axis=1)
                to_person = looking_along(directions[seen].mean(axis=0))
                x, y, z = to_person @ directions.T
                best = self._most_alike(np.stack([x / z, y / z], axis=-1), seen)
                view_m = np.stack([self._x[best], self._y[best], self._z[best]], axis=-1)
                relative_m[i] = view_m @ to_person
        return _placed(relative_m, people, intrinsics)

    def _most_alike(self, shape: Array, seen: NDArray[np.bool_]) -> int:
        """Row of the view of which a shape ``(K, 2)`` is off least, each scaled to one size.

        That is where the cosine between the two, about their means, is greatest.
        """
        centred = np.where(seen[:, np.newaxis], shape - shape[seen].mean(axis=0), 0)
        centred, x, y = centred.astype(np.float32), self._x, self._y
        weights = seen.astype(np.float32)
        mean_squares = ((x @ weights) ** 2 + (y @ weights) ** 2) / seen.sum()
        squares = self._squares @ weights - mean_squares
        along = x @ centred[:, 0] + y @ centred[:, 1]
        return int((along / np.sqrt(np.maximum(squares, 1e-6))).argmax())


def by_mean_pose(pose: Array) -> Lift:
    """Lift to one pose ``(K, 3)``, turned as the truth says is best: for labelled people."""

    def lift(scene: Scene, people: People2D, view: CameraPose | None) -> People3D:
        return in_space(people, turned_by_truth(pose, scene.xyz_m, people, scene.intrinsics))

    return lift


def by_nearest_neighbour(neighbour: NearestNeighbour) -> Lift:
    """Lift to the pose that looks most alike."""

    def lift(scene: Scene, people: People2D, view: CameraPose | None) -> People3D:
        return in_space(people, neighbour.lift(people, scene.intrinsics))

    return lift


def in_space(people: People2D, xyz_m: Array) -> People3D:
    """People at positions ``(N, K, 3)`` m, of which nothing else is known."""
    n = len(people)
    source = np.where(people.detected, Source.OBSERVED, Source.INFERRED).astype(np.uint8)
    return People3D(people, xyz_m, source, np.full((n, 3, 3), np.nan))


def looking_along(direction: Array) -> Array:
    """Rotation ``(3, 3)`` into a camera that looks along ``(3,)`` without a roll."""
    z = direction / np.linalg.norm(direction)
    x = np.cross((0.0, 1.0, 0.0), z)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z])


def _turn(yaw: float, pitch: float) -> Array:
    """Of somebody who is turned about the vertical, then seen by a camera that looks down."""
    c, s = np.cos(yaw), np.sin(yaw)
    about_y = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    c, s = np.cos(pitch), np.sin(pitch)
    return np.asarray(np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ about_y)


if __name__ == '__main__':
    np.savez_compressed(POSES, xyz_m=draw_poses(NUMBER, seed=0).astype(np.float16))
