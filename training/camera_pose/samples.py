"""People before cameras of any height and tilt, and what they tell of how the camera stands."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera_pose.person_features import person_features
from pose3d_ros.skeleton import PANOPTIC19
from training import cameras
from training.lifting import detector
from training.lifting.samples import People

Array = NDArray[np.floating]
Rng = np.random.Generator

# Of the person's middle from the camera, m.
DISTANCES_M = (0.8, 40.0)
# How steeply the view to the person climbs: drawn from a normal distribution, within these bounds,
# whose mean and standard deviation are drawn themselves. The loss knows both, the network neither,
# so that it learns a likelihood, which can be multiplied with any prior and with those of others.
# Height of the camera above the floor, m, which bounds the climb as well: cameras below the floor
# were no better.
HEIGHTS_M = (0.15, 12.0)
CLIMBS_RAD = tuple(np.deg2rad((-88.0, 30.0)))
CLIMB_MEANS_RAD = tuple(np.deg2rad((-80.0, 20.0)))
CLIMB_SDS_RAD = tuple(np.deg2rad((5.0, 40.0)))
# Standard deviations of roll: most cameras, and those held by hand.
ROLLS_RAD, HAND_HELD = tuple(np.deg2rad((6.0, 18.0))), 0.35
# Share of people on a step or a platform, and its height, m.
RAISED, RAISED_M = 0.04, (0.1, 0.6)
MIN_DISTANCE_M = 0.1


def draw_cameras(rng: Rng, middle_m: Array, floor_m: Array) -> tuple[cameras.Cameras, Array]:
    """Draw a camera for each person, and the prior ``(n, 2)`` of the climb of its view, rad."""
    n = len(middle_m)
    nearest, farthest = np.log(DISTANCES_M)
    distance = np.exp(rng.uniform(nearest, farthest, n))
    middle_height_m = middle_m[:, 2] - floor_m
    low, high = (
        np.arcsin(np.clip((middle_height_m - bound) / distance, *np.sin(CLIMBS_RAD)))
        for bound in reversed(HEIGHTS_M)
    )
    high = np.maximum(high, low + 1e-3)
    mean = rng.uniform(CLIMB_MEANS_RAD[0], CLIMB_MEANS_RAD[1], n).clip(low, high)
    sd = np.exp(rng.uniform(np.log(CLIMB_SDS_RAD[0]), np.log(CLIMB_SDS_RAD[1]), n))
    climb = _truncated_normal(rng, mean, sd, (low, high))
    azimuth = rng.uniform(-np.pi, np.pi, n)
    towards = np.stack([np.cos(climb) * np.cos(azimuth), np.cos(climb) * np.sin(azimuth),
                        np.sin(climb)], axis=1)  # fmt: skip
    position = middle_m - distance[:, np.newaxis] * towards
    aspect = rng.choice(cameras.ASPECTS, n)
    longer = np.tan(np.deg2rad(rng.uniform(*cameras.VIEW_DEG, n)) / 2)
    tangents = np.stack([longer * np.minimum(aspect, 1), longer / np.maximum(aspect, 1)], axis=1)
    half = np.arctan(tangents)
    tilt = climb + rng.uniform(-0.7, 0.7, n) * half[:, 1]
    pan = azimuth + rng.uniform(-0.85, 0.85, n) * half[:, 0]
    roll = rng.normal(0, np.where(rng.random(n) < HAND_HELD, ROLLS_RAD[1], ROLLS_RAD[0]))
    camera = cameras.Cameras(position, cameras.camera_axes(pan, tilt, roll), tangents)
    return camera, np.stack([mean, sd], axis=1)


def _truncated_normal(rng: Rng, mean: Array, sd: Array, bounds: tuple[Array, Array]) -> Array:
    """Draw from normal distributions within bounds."""
    from scipy.special import ndtr, ndtri

    lowest, highest = (ndtr((bound - mean) / sd) for bound in bounds)
    drawn = mean + sd * ndtri(rng.uniform(lowest, highest))
    return np.asarray(np.clip(drawn, *bounds))


def draw(rng: Rng, people: People) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Draw views of people: features ``(n, FEATURES)`` and targets ``(n, 7)``.

    Targets are the direction of up in the virtual camera; the height of the point at the root's
    depth on its axis above the floor, m; the logarithm of that depth times the spread; mean and
    standard deviation of the prior of the climb of the view, rad.
    """
    n = len(people)
    raised = np.where(rng.random(n) < RAISED, rng.uniform(*RAISED_M, n), 0)
    floor_m = people.floor_m - raised
    world_m = people.keypoints_m
    middle_m = (world_m.min(1) + world_m.max(1)) / 2
    camera, prior = draw_cameras(rng, middle_m, floor_m)
    xyz_m = camera.see(world_m)
    rays, scores = detector.detect(rng, world_m, xyz_m, camera)
    view = person_features(rays, scores)
    root_m = xyz_m[:, PANOPTIC19.index(PANOPTIC19.root)]
    depth_m = np.maximum((root_m * view.axes[:, 2]).sum(1), MIN_DISTANCE_M)
    climb = (view.axes[:, 2] * camera.up).sum(1)
    height_m = camera.position_m[:, 2] - floor_m + depth_m * climb
    up = (view.axes @ camera.up[..., np.newaxis])[..., 0]
    targets = np.column_stack([up, height_m, np.log(depth_m * view.spread), prior])
    enough = (scores > 0).sum(1) >= 6
    return view.features[enough], targets[enough].astype(np.float32)
