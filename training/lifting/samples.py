"""Sample detected people with their true poses: the training data of the lifting network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.lifting.person_view import FEATURES, CameraPoses, person_views
from pose3d_ros.skeleton import PANOPTIC19
from training import activities, balance, bodies, cameras, poses
from training.lifting import camera_pose, detector
from training.recordings import Recordings

Array = NDArray[np.floating]
Rng = np.random.Generator

# Height of the lowest keypoint above the floor, m: about that of an ankle above its sole.
SOLE_M = 0.08
# Share of people on a step, a platform or a table.
RAISED = 0.1
# Least distance of roots, m, even of those behind the camera.
LEAST_DISTANCE_M = 0.1


@dataclass(frozen=True)
class People:
    """Bodies in poses, relative to their roots.

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
        """Return the people with these indices, in that order."""
        return People(self.keypoints_m[indices], self.floor_m[indices], self.height_m[indices])


@dataclass(frozen=True)
class Views:
    """People in front of cameras.

    Parameters
    ----------
    xyz_m
        ``(n, K, 3)``, true positions in the camera optical frame.
    rays
        ``(n, K, 2)``, x/z and y/z as detected. NaN: not detected.
    scores
        ``(n, K)``. 0: not detected.
    camera_poses
        Attitude and height of the camera, as far as they are known.
    height_m
        ``(n,)`` of the person, standing.
    """

    xyz_m: Array
    rays: Array
    scores: Array
    camera_poses: CameraPoses
    height_m: Array


def draw_people(
    rng: Rng, shapes: bodies.Shapes, n: int, recordings: Recordings | None = None
) -> People:
    """Sample bodies in poses, each of one of the shapes; see `training.activities.draw`."""
    chosen = bodies.varied(rng, shapes.take(rng.integers(0, len(shapes), n)))
    return stand(rng, chosen, *activities.draw(rng, n, recordings))


def stand(rng: Rng, shapes: bodies.Shapes, angles: Array, off_m: Array) -> People:
    """Pose bodies by angles ``(n, A)``, balance them and put the floor under them.

    `off_m`: see `training.balance.balanced`.
    """
    turned = balance.balanced(rng, shapes, poses.rotations(angles), off_m).astype(np.float32)
    _, keypoints_m = bodies.posed(shapes, turned)
    root = PANOPTIC19.index(PANOPTIC19.root)
    keypoints_m = keypoints_m - keypoints_m[:, [root]]
    floor_m = keypoints_m[..., 2].min(1) - SOLE_M * shapes.height_m / 1.7
    return People(keypoints_m, floor_m, shapes.height_m)


def draw_views(rng: Rng, people: People) -> Views:
    """Sample a camera and detections for each person."""
    n = len(people)
    world_m = people.keypoints_m
    raised = np.where(rng.random(n) < RAISED, rng.uniform(0, 0.8, n), 0)
    floor_m = people.floor_m - raised
    middle_m = (world_m.min(1) + world_m.max(1)) / 2
    camera = cameras.sample(rng, middle_m, floor_m)
    xyz_m = camera.see(world_m)
    rays, scores = detector.detect(rng, world_m, xyz_m, camera)
    return Views(xyz_m, rays, scores, camera_pose.draw(rng, camera, floor_m), people.height_m)


def features_and_targets(views: Views) -> tuple[NDArray[np.float32], ...]:
    """Compute the network's input ``(n, FEATURES)`` and its targets.

    The targets are positions ``(n, K, 3)`` m relative to the root, and ``(n,)``, the logarithm of
    the root's distance along the view times the spread.
    """
    view = person_views(views.rays, views.scores, views.camera_poses)
    root = PANOPTIC19.index(PANOPTIC19.root)
    relative_m = views.xyz_m - views.xyz_m[:, [root]]
    targets = relative_m @ view.axes.transpose(0, 2, 1)
    distance_m = (views.xyz_m[:, root] * view.axes[:, 2]).sum(1)
    size = np.log(np.maximum(distance_m, LEAST_DISTANCE_M) * view.spread)
    assert view.features.shape[1] == FEATURES
    return view.features, targets.astype(np.float32), size.astype(np.float32)
