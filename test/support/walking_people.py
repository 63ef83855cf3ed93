"""People who walk before a camera whose pose is known.

Bodies of `unit/lifting/lifting_bodies.npz` that keep their pose and slide over the floor.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from pose3d_ros.camera import CameraPose, Intrinsics
from pose3d_ros.people import K, People2D, People3D, TrackedPeople, TrackState
from pose3d_ros.skeleton import PANOPTIC19

CAMERA = Intrinsics(900, 900, 639.5, 359.5)
PELVIS = PANOPTIC19.index('pelvis')


class Stage(NamedTuple):
    """A camera, and people on a floor: bodies ``(N, K, 3)`` above it, and where they walk."""

    pose: CameraPose
    axes: np.ndarray
    bodies_m: np.ndarray
    height_m: np.ndarray
    start_m: np.ndarray
    velocity_m_s: np.ndarray
    camera: Intrinsics = CAMERA


def axes(pitch_deg, roll_deg=0.0):
    """Rotation from the world (z up, y ahead) to the camera optical frame."""
    p, r = np.deg2rad([pitch_deg, roll_deg])
    forward = np.array([0, np.cos(p), np.sin(p)])
    right = np.array([1.0, 0, 0])
    down = np.cross(forward, right)
    c, s = np.cos(r), np.sin(r)
    return np.stack([c * right + s * down, c * down - s * right, forward])


def bodies(activity, number, adults=True):
    """Some bodies of an activity above their floor, and their heights, m."""
    with np.load(Path(__file__).parents[1] / 'unit' / 'lifting' / 'lifting_bodies.npz') as archive:
        xyz_m = archive[f'{activity}_keypoints_m'].astype(float)
        floor_m = archive[f'{activity}_floor_m'].astype(float)
        height_m = archive[f'{activity}_height_m'].astype(float)
    some = np.flatnonzero((height_m > 1.5) == adults)[:number]
    xyz_m = xyz_m[some].copy()
    xyz_m[..., 2] -= floor_m[some, None]
    return xyz_m, height_m[some]


def stage(number=6, pitch_deg=-20.0, height_m=3.0, roll_deg=0.0, seed=1, **people):
    """People who walk to and fro 4 to 9 m before a camera."""
    rng = np.random.default_rng(seed)
    turn = axes(pitch_deg, roll_deg)
    bodies_m, heights = bodies(people.pop('activity', 'standing'), number, **people)
    start = np.stack([rng.uniform(-2, 2, number), rng.uniform(5, 9, number)], axis=1)
    heading = rng.uniform(-np.pi, np.pi, number)
    speed = 1.2 * np.stack([np.cos(heading), np.sin(heading)], axis=1)
    return Stage(CameraPose(turn[:, 2], height_m), turn, bodies_m, heights, start, speed)


def seen(stage, stamp_s, rng, noise_px=1.5):
    """People of a stage at one time, tracked."""
    # They turn round every two seconds.
    phase_s = np.abs((stamp_s + 1) % 4 - 2) - 1
    place = stage.start_m + phase_s * stage.velocity_m_s
    x, y, z = np.moveaxis(stage.bodies_m, -1, 0)
    heading = np.arctan2(stage.velocity_m_s[:, 1], stage.velocity_m_s[:, 0]) + np.pi / 2
    c, s = np.cos(heading)[:, None], np.sin(heading)[:, None]
    world = np.stack([c * x - s * y + place[:, :1], s * x + c * y + place[:, 1:],
                      z - stage.pose.height_m], axis=-1)  # fmt: skip
    xyz_m = world @ stage.axes.T
    xy_px = stage.camera.project(xyz_m) + rng.normal(0, noise_px, (*xyz_m.shape[:2], 2))
    return tracked(xy_px, xyz_m)


def tracked(xy_px, xyz_m=None, scores=None):
    """Confirmed people with ids 0, 1, ..."""
    number = len(xy_px)
    scores = np.ones((number, K)) if scores is None else scores.copy()
    scores[:, PELVIS] = 0
    xy_px = np.where(scores[..., None] > 0, xy_px, np.nan)
    people = People3D(
        People2D(xy_px, scores, np.ones(number)),
        np.full((number, K, 3), np.nan) if xyz_m is None else xyz_m,
        np.ones((number, K), np.uint8),
        np.full((number, 3, 3), np.nan),
    )
    state = np.full(number, TrackState.CONFIRMED, np.uint8)
    return TrackedPeople(people, np.arange(number), state, np.full(number, 1.0))


def watch(estimator, stage, seconds, start_s=0.0, rate_hz=5.0, seed=0, **options):
    """Show an estimator a stage for some time."""
    rng = np.random.default_rng(seed)
    for i in range(int(seconds * rate_hz)):
        stamp_s = start_s + i / rate_hz
        estimator.update(stamp_s, seen(stage, stamp_s, rng), stage.camera, **options)
    return estimator


def up_error_deg(estimate, pose):
    """Angle between estimated and true up."""
    return np.degrees(np.arccos(np.clip(estimate.up @ pose.up, -1, 1)))
