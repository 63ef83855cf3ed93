"""People as a detector would see them, with the truth: what the lifting network is trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.lifting.person_view import FEATURES, person_views
from pose3d_ros.skeleton import PANOPTIC19
from training import activities, balance, bodies, cameras, poses
from training.lifting import detector

Array = NDArray[np.floating]
Rng = np.random.Generator

# The lowest keypoint's height above the floor: that of an ankle over its sole, about.
SOLE_M = 0.08
# Shares of people who are on something: a step, a platform, a table.
RAISED = 0.1
# What is known of cameras.
LEVELLED, MEASURED = 0.5, 0.8
UP_SD_RAD, HEIGHT_SD_M = np.deg2rad(1.0), 0.02
# Roots of people are not nearer than this, m, even if they are behind the camera.
LEAST_DISTANCE_M = 0.1


@dataclass(frozen=True)
class People:
    """Bodies in poses, root-centred.

    Parameters
    ----------
    keypoints_m
        ``(n, K, 3)`` float32, world frame of `training.bodies`, the root at the origin.
    floor_m
        ``(n,)``, height of the floor.
    height_m
        ``(n,)``, of the person, standing.
    """

    keypoints_m: Array
    floor_m: Array
    height_m: Array

    def __len__(self) -> int:
        return len(self.height_m)

    def take(self, indices: NDArray[np.intp]) -> People:
        """Take some of them, in that order."""
        return People(self.keypoints_m[indices], self.floor_m[indices], self.height_m[indices])


@dataclass(frozen=True)
class Views:
    """People before cameras.

    Parameters
    ----------
    xyz_m
        ``(n, K, 3)``, the truth in the camera optical frame.
    rays
        ``(n, K, 2)``, x/z and y/z as detected. NaN: not seen.
    scores
        ``(n, K)``. 0: not seen.
    up
        ``(n, 3)`` in the camera optical frame, as measured. NaN: not known.
    camera_height_m
        ``(n,)`` above the floor, as measured. NaN: not known.
    height_m
        ``(n,)`` of the person, standing.
    """

    xyz_m: Array
    rays: Array
    scores: Array
    up: Array
    camera_height_m: Array
    height_m: Array


def draw_people(rng: Rng, shapes: bodies.Shapes, n: int) -> People:
    """Draw bodies in poses, one of the shapes each."""
    chosen = bodies.varied(rng, shapes.take(rng.integers(0, len(shapes), n)))
    return stand(rng, chosen, *activities.draw(rng, n))


def stand(rng: Rng, shapes: bodies.Shapes, angles: Array, off_m: Array) -> People:
    """Bodies in poses, ``(n, A)``, balanced as `training.balance` does, the floor under them."""
    turned = balance.balanced(rng, shapes, poses.rotations(angles), off_m).astype(np.float32)
    _, keypoints_m = bodies.posed(shapes, turned)
    root = PANOPTIC19.index(PANOPTIC19.root)
    keypoints_m = keypoints_m - keypoints_m[:, [root]]
    floor_m = keypoints_m[..., 2].min(1) - SOLE_M * shapes.height_m / 1.7
    return People(keypoints_m, floor_m, shapes.height_m)


def draw_views(rng: Rng, people: People) -> Views:
    """Put each person before a camera and have a detector look at them."""
    n = len(people)
    world_m = people.keypoints_m
    raised = np.where(rng.random(n) < RAISED, rng.uniform(0, 0.8, n), 0)
    floor_m = people.floor_m - raised
    middle_m = (world_m.min(1) + world_m.max(1)) / 2
    camera = cameras.sample(rng, middle_m, floor_m)
    xyz_m = camera.see(world_m)
    rays, scores = detector.detect(rng, world_m, xyz_m, camera)
    up = camera.up + rng.normal(0, UP_SD_RAD, (n, 3))
    up /= np.linalg.norm(up, axis=1, keepdims=True)
    height_m = camera.position_m[:, 2] - floor_m + rng.normal(0, HEIGHT_SD_M, n)
    levelled = rng.random(n) < LEVELLED
    measured = levelled & (rng.random(n) < MEASURED)
    return Views(
        xyz_m,
        rays,
        scores,
        np.where(levelled[:, np.newaxis], up, np.nan),
        np.where(measured, np.maximum(height_m, 0.05), np.nan),
        people.height_m,
    )


def features_and_targets(views: Views) -> tuple[NDArray[np.float32], ...]:
    """Give the network's input ``(n, FEATURES)`` and what it shall say of it.

    That is ``(n, K, 3)`` m relative to the root, and ``(n,)``, the logarithm of the root's
    distance along the view times the spread.
    """
    view = person_views(views.rays, views.scores, views.up, views.camera_height_m)
    root = PANOPTIC19.index(PANOPTIC19.root)
    relative_m = views.xyz_m - views.xyz_m[:, [root]]
    targets = relative_m @ view.axes.transpose(0, 2, 1)
    distance_m = (views.xyz_m[:, root] * view.axes[:, 2]).sum(1)
    size = np.log(np.maximum(distance_m, LEAST_DISTANCE_M) * view.spread)
    assert view.features.shape[1] == FEATURES
    return view.features, targets.astype(np.float32), size.astype(np.float32)
