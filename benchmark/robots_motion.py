"""Velocity and heading of people against the truth, in the bundled clip and in drawn scenes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmark.camera_pose_scenes import PEOPLE
from pose3d_ros.camera import CameraPose, Intrinsics
from pose3d_ros.demo import clip
from pose3d_ros.estimator import PoseEstimator
from pose3d_ros.evaluation.oks import match
from pose3d_ros.images import CameraImage, Observation
from pose3d_ros.lifting.lifting_network import LiftingNetwork
from pose3d_ros.models.store import resolve
from pose3d_ros.people import People2D, TrackedPeople
from pose3d_ros.pipeline import Pipeline
from pose3d_ros.skeleton import PANOPTIC19
from pose3d_ros.sources.open_source import open_source
from pose3d_ros.sources.playback import frames
from pose3d_ros.tracking.tracker import Tracker

Array = NDArray[np.float64]

ROOT = PANOPTIC19.index(PANOPTIC19.root)
# Age from which a person counts, s: before, the filter knows nothing.
SETTLED_S = 1.0
# Time over which the true velocity is taken, s.
DIFFERENCE_S = 0.4
# Bounds of 90 % of the weighed squares: of three numbers, and of one.
CHI2_90_OF_3, CHI2_90_OF_1 = 6.25, 2.71
# Drawn scenes: number, length, s, rate, people, their speeds, m/s, noise of keypoints, px, and
# share of keypoints that are missing.
SCENES, SECONDS, RATE_HZ, WALKERS = 6, 8.0, 15, 3
SPEEDS_M_S, NOISE_PX, MISSING = (0.5, 1.5), 1.5, 0.08
CAMERA, CAMERA_HEIGHT_M, PITCH_RAD = Intrinsics(600, 600, 639.5, 359.5), 1.2, 0.05
# How fast they turn at the walls, rad/s.
TURN_RAD_S = 1.2


@dataclass
class Errors:
    """Errors of people over images.

    Parameters
    ----------
    velocity_m_s
        Lengths of the differences.
    inside
        Whether the truth is in the region that shall contain 90 %.
    heading_rad
        Angles.
    heading_inside
        Whether the truth is within the angle that shall contain 90 %.
    """

    velocity_m_s: list[float] = field(default_factory=list)
    inside: list[bool] = field(default_factory=list)
    heading_rad: list[float] = field(default_factory=list)
    heading_inside: list[bool] = field(default_factory=list)

    def add(self, tracked: TrackedPeople, i: int, velocity: Array, heading: Array) -> None:
        """Compare person `i` with the true velocity ``(3,)`` m/s and heading ``(3,)``."""
        if tracked.age_s[i] < SETTLED_S or not np.isfinite(velocity).all():
            return
        assert tracked.velocity_m_s is not None
        assert tracked.velocity_covariance is not None
        assert tracked.heading is not None
        assert tracked.heading_sd_rad is not None
        error = tracked.velocity_m_s[i] - velocity
        if np.isfinite(error).all():
            weighed = error @ np.linalg.solve(tracked.velocity_covariance[i], error)
            self.velocity_m_s.append(float(np.linalg.norm(error)))
            self.inside.append(bool(weighed < CHI2_90_OF_3))
        angle = float(np.arccos(np.clip(tracked.heading[i] @ heading, -1, 1)))
        if np.isfinite(angle):
            self.heading_rad.append(angle)
            self.heading_inside.append(angle**2 < CHI2_90_OF_1 * tracked.heading_sd_rad[i] ** 2)

    def row(self, title: str) -> str:
        """Return a row of the table."""
        velocity, heading = np.array(self.velocity_m_s), np.rad2deg(self.heading_rad)
        cells = (
            title,
            str(len(velocity)),
            f'{np.median(velocity):.2f}',
            f'{np.quantile(velocity, 0.9):.2f}',
            f'{np.mean(self.inside):.2f}',
            f'{np.median(heading):.0f}',
            f'{np.quantile(heading, 0.9):.0f}',
            f'{np.mean(self.heading_inside):.2f}',
        )
        return f'| {" | ".join(cells)} |'


def print_table() -> None:
    """Print medians, 90 % quantiles and shares inside the stated regions."""
    print('| people | number | velocity, m/s | 90 % | inside | heading, deg | 90 % | inside |')
    print('|---|---|---|---|---|---|---|---|')
    print(in_clip(clip.camera_pose()).row('bundled clip, camera pose known'))
    print(in_clip(None).row('bundled clip'))
    print(in_drawn_scenes(known=True).row('drawn walkers, camera pose known'))
    print(in_drawn_scenes(known=False).row('drawn walkers'))


def in_clip(pose: CameraPose | None) -> Errors:
    """Compare the people of the bundled clip, found by the bundled network."""
    truth, errors = clip.truth(), Errors()
    up = clip.camera_pose().up
    estimator = PoseEstimator(resolve('demo_only'), 'CPU', precision='f32')
    pipeline = Pipeline(estimator)
    for image, (_, bgr) in enumerate(frames(open_source(str(clip.PATH)))):
        stamp_s = float(truth.stamps_s[image])
        observation = Observation(CameraImage(bgr, truth.intrinsics), stamp_s, pose)
        tracked = pipeline.process(observation)
        labels, rows = truth.labels(image)
        for i, j in match(labels, tracked.people.people_2d.xy_px).found:
            person = int(rows[i])
            places_m = truth.xyz_m[:, person, ROOT].astype(np.float64)
            velocity = difference(places_m, truth.stamps_s, image)
            errors.add(tracked, j, velocity, facing(truth.xyz_m[image, person], up))
    return errors


def in_drawn_scenes(known: bool) -> Errors:
    """Compare walkers whose detected keypoints have errors; `known`: the camera's pose."""
    errors, lifter = Errors(), LiftingNetwork()
    c, s = np.cos(PITCH_RAD), np.sin(PITCH_RAD)
    pose = CameraPose(np.array([0.0, -c, -s]), CAMERA_HEIGHT_M)
    for seed in range(SCENES):
        rng, tracker = np.random.default_rng(seed), Tracker()
        for stamp_s, xyz_m, velocity in walk(rng, pose):
            people_2d = detect(xyz_m, rng)
            people = lifter.lift_people(
                people_2d, CAMERA, lifter.DEFAULT_HEIGHT_M, pose if known else None
            )
            tracked = tracker.update(people, stamp_s, up=pose.up)
            for i in range(WALKERS):
                errors.add(tracked, i, velocity[i], facing(xyz_m[i], pose.up))
    return errors


def walk(rng: np.random.Generator, pose: CameraPose) -> Iterator[tuple[float, Array, Array]]:
    """Yield stamp, s, keypoints ``(N, K, 3)`` m and velocities ``(N, 3)`` m/s, optical frame.

    The bodies keep a pose of walking and glide.
    """
    with np.load(PEOPLE) as archive:
        who = rng.choice(len(archive['walking_xyz_m']), WALKERS, replace=False)
        bodies_m = archive['walking_xyz_m'][who, 0].astype(float)
    right = np.array([1.0, 0, 0])
    axes = np.stack([right, np.cross(pose.up, right), pose.up], axis=1)  # of the floor
    place = np.stack([np.linspace(-1.5, 1.5, WALKERS), rng.uniform(4, 7, WALKERS)], axis=1)
    way = rng.uniform(-np.pi, np.pi, WALKERS)
    speed = rng.uniform(*SPEEDS_M_S, WALKERS)
    for i in range(round(SECONDS * RATE_HZ)):
        # They walk in slight bends, and turn back to the middle of the room at its walls.
        to_middle = np.array([0, 6.0]) - place
        aside = np.arctan2(to_middle[:, 1], to_middle[:, 0]) - way
        aside = (aside + np.pi) % (2 * np.pi) - np.pi
        outside = (np.abs(to_middle) > (2.0, 2.5)).any(axis=1)
        bend = np.where(outside, np.sign(aside) * TURN_RAD_S, rng.normal(0, 1, WALKERS))
        way = way + bend / RATE_HZ
        ahead = np.stack([np.cos(way), np.sin(way)], axis=1)
        place = place + speed[:, None] * ahead / RATE_HZ
        c, s = np.cos(way + np.pi / 2)[:, None], np.sin(way + np.pi / 2)[:, None]
        x, y, z = np.moveaxis(bodies_m, -1, 0)
        world = np.stack([c * x - s * y + place[:, :1], s * x + c * y + place[:, 1:],
                          z - pose.height_m], axis=-1)  # fmt: skip
        velocity = np.concatenate([speed[:, None] * ahead, np.zeros((WALKERS, 1))], axis=1)
        yield i / RATE_HZ, world @ axes.T, velocity @ axes.T


def detect(xyz_m: Array, rng: np.random.Generator) -> People2D:
    """Return people ``(N, K, 3)`` m as a keypoint network sees them."""
    xy_px = CAMERA.project(xyz_m) + rng.normal(0, NOISE_PX, (*xyz_m.shape[:2], 2))
    seen = rng.random(xyz_m.shape[:2]) >= MISSING
    seen[:, ROOT] = False
    xy_px = np.where(seen[..., None], xy_px, np.nan)
    return People2D(xy_px, np.where(seen, 0.8, 0.0), np.full(len(xyz_m), 0.8))


def difference(places_m: Array, stamps_s: Array, image: int) -> Array:
    """Return the velocity, m/s, about an image, of places ``(T, 3)`` m; NaN at the ends."""
    half = round(DIFFERENCE_S / 2 / float(np.median(np.diff(stamps_s))))
    before, after = image - half, image + half
    if before < 0 or after >= len(stamps_s):
        return np.full(3, np.nan)
    change_m = places_m[after] - places_m[before]
    return np.asarray(change_m / (stamps_s[after] - stamps_s[before]))


def facing(xyz_m: Array, up: Array) -> Array:
    """Return the true heading ``(3,)`` of keypoints ``(K, 3)`` m."""
    left, right = (
        xyz_m[PANOPTIC19.indices((f'{side}_shoulder', f'{side}_hip'))].mean(axis=0)
        for side in ('left', 'right')
    )
    forward = np.cross(up, right - left)
    return np.asarray(forward / np.linalg.norm(forward))
