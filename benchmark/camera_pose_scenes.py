"""Synthetic scenes of people before a camera at rest whose pose is known."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import CameraPose, Intrinsics
from pose3d_ros.people import K
from pose3d_ros.skeleton import PANOPTIC19

Array = NDArray[np.float64]

# Several poses each of people; python -m training.camera_pose.tracks writes it.
PEOPLE = Path(__file__).with_name('camera_pose_people.npz')
INTERVAL_S = 0.5
CHILDREN = 0.1  # share of people in rows with several
# Ranges of cameras' heights, m, and their shares; longer field of view, degrees; aspects.
HEIGHTS_M = (((0.3, 1.3), 0.45), ((1.2, 2.0), 0.3), ((2.0, 3.5), 0.25))
VIEW_DEG, ASPECTS, WIDTH = (40.0, 100.0), (4 / 3, 16 / 9, 1.0, 3 / 4), 1280
DISTANCES_M, SPEEDS_M_S = (2.5, 9.0), (0.7, 1.5)
STEEP_DEG, STEEP_HEIGHTS_M = (60.0, 75.0), (2.5, 5.0)
# Keypoints are off by this share of a person's height, by pixels of a network that sees the longer
# side in 448, and half of the variance stays the same through a track; people look smaller.
NOISE, PEAK_PX, NETWORK_PX, SMALLER = (0.005, 0.02), (0.3, 1.5), 448, (0.0, 0.04)
MISSING = 0.08
PELVIS = PANOPTIC19.index('pelvis')


class Kind(NamedTuple):
    """People of one row: how many, what they do, with which shares; and how steep the camera."""

    title: str
    number: int
    activities: tuple[tuple[str, float], ...]
    children: float = CHILDREN
    steep: bool = False


ANY = (('walking', 0.35), ('standing', 0.3), ('sitting', 0.2), ('moving', 0.15))
KINDS = (
    Kind('3 walk', 3, (('walking', 1.0),)),
    Kind('1 walks', 1, (('walking', 1.0),), 0),
    Kind('3 of any activity', 3, ANY),
    Kind('3 stand still', 3, (('standing', 1.0),)),
    Kind('1 stands still', 1, (('standing', 1.0),), 0),
    Kind('2 sit', 2, (('sitting', 1.0),)),
    Kind('1 moves wildly', 1, (('moving', 1.0),), 0),
    Kind('1 child walks', 1, (('walking', 1.0),), 1),
    Kind('2 walk, steep camera', 2, (('walking', 1.0),), 0, True),
)


class Instant(NamedTuple):
    """What is seen at one time of N people, and where they are, ``(N, K, 3)`` m."""

    stamp_s: float
    track_id: NDArray[np.int64]
    xy_px: Array
    scores: Array
    xyz_m: Array


class Scene(NamedTuple):
    """A camera, how it stands, how tall people are ``(N,)`` m, and instants in order of time."""

    intrinsics: Intrinsics
    pose: CameraPose
    height_m: Array
    instants: list[Instant]


class _Camera(NamedTuple):
    intrinsics: Intrinsics
    size_px: Array
    axes: Array
    height_m: float
    aim_m: float


def draw(kind: Kind, seed: int, seconds: float) -> Scene:
    """Draw a scene."""
    rng = np.random.default_rng((seed, KINDS.index(kind)))
    camera = _draw_camera(rng, kind.steep)
    names, shares = zip(*kind.activities, strict=True)
    bodies, heights, tracks = [], [], []
    with np.load(PEOPLE) as archive:
        for _ in range(kind.number):
            name = str(rng.choice(names, p=shares))
            walks = name == 'walking'
            name = 'child' if rng.random() < kind.children and walks else name
            person = rng.integers(len(archive[f'{name}_height_m']))
            bodies.append(archive[f'{name}_xyz_m'][person].astype(float))
            heights.append(float(archive[f'{name}_height_m'][person]))
            tracks.append(_paths(rng, camera, seconds) if walks else _still(rng, camera))
    noise = _Noise(rng, kind.number)
    instants = []
    for i, stamp_s in enumerate(np.arange(0, seconds + 1e-6, INTERVAL_S)):
        world_m = np.array([
            _placed(body[(i * 5 + rng.integers(3)) % len(body)], track[i % len(track)])
            for body, track in zip(bodies, tracks, strict=True)
        ])  # fmt: skip
        xyz_m = (world_m - (0, 0, camera.height_m)) @ camera.axes.T
        xy_px, scores = noise.detect(xyz_m, camera)
        instants.append(Instant(float(stamp_s), np.arange(kind.number), xy_px, scores, xyz_m))
    pose = CameraPose(camera.axes[:, 2], camera.height_m)
    return Scene(camera.intrinsics, pose, np.array(heights), instants)


def scenes(kind: Kind, number: int, seconds: float) -> Iterator[Scene]:
    """Draw several scenes, always the same."""
    return (draw(kind, seed, seconds) for seed in range(number))


def _draw_camera(rng: np.random.Generator, steep: bool) -> _Camera:
    aspect = float(rng.choice(ASPECTS))
    size = np.array([WIDTH, WIDTH / aspect]) if aspect >= 1 else np.array([WIDTH * aspect, WIDTH])
    focal = max(size) / 2 / np.tan(np.deg2rad(rng.uniform(*VIEW_DEG)) / 2)
    half = np.arctan(size / 2 / focal)
    if steep:
        height = rng.uniform(*STEEP_HEIGHTS_M)
        tilt = -np.deg2rad(rng.uniform(*STEEP_DEG))
        aim_m = (height - 0.9) / np.tan(-tilt)
    else:
        shares = [share for _, share in HEIGHTS_M]
        (low_m, high_m), _ = HEIGHTS_M[rng.choice(len(HEIGHTS_M), p=shares)]
        height = rng.uniform(low_m, high_m)
        aim_m = np.exp(rng.uniform(*np.log(DISTANCES_M)))
        tilt = np.arctan2(0.9 - height, aim_m) + 0.3 * half[1] * rng.normal()
    roll = np.deg2rad(rng.normal(0, 12 if rng.random() < 0.2 else 2))
    forward = np.array([0, np.cos(tilt), np.sin(tilt)])
    right = np.array([1.0, 0, 0])
    down = np.cross(forward, right)
    c, s = np.cos(roll), np.sin(roll)
    axes = np.stack([c * right + s * down, c * down - s * right, forward])
    intrinsics = Intrinsics(focal, focal, (size[0] - 1) / 2, (size[1] - 1) / 2)
    return _Camera(intrinsics, size, axes, float(height), float(aim_m))


def _spot(rng: np.random.Generator, camera: _Camera) -> Array:
    """Draw a place ``(2,)`` on the floor from which a person's middle is inside the image."""
    half = np.arctan(camera.size_px[0] / 2 / camera.intrinsics.fx)
    for _ in range(200):
        distance = max(camera.aim_m * rng.uniform(0.6, 1.6), 0.2)
        azimuth = rng.uniform(-0.85, 0.85) * half
        spot = distance * np.array([np.sin(azimuth), np.cos(azimuth)])
        if _inside(camera, spot):
            return spot
    return np.array([0.0, camera.aim_m])


def _inside(camera: _Camera, spot: Array) -> bool:
    seen = camera.axes @ (spot[0], spot[1], 0.9 - camera.height_m)
    return bool(seen[2] > 0.5) and _in_image(camera.intrinsics.project(seen), camera)


def _in_image(xy_px: Array, camera: _Camera) -> bool:
    return bool(((xy_px >= 0) & (xy_px < camera.size_px)).all())


def _still(rng: np.random.Generator, camera: _Camera) -> list[tuple[Array, float]]:
    return [(_spot(rng, camera), rng.uniform(-np.pi, np.pi))]


def _paths(rng: np.random.Generator, camera: _Camera, seconds: float) -> list[tuple[Array, float]]:
    """Walk from spot to spot: position ``(2,)`` m and heading, rad, each interval."""
    place, goal = _spot(rng, camera), _spot(rng, camera)
    step_m, path = rng.uniform(*SPEEDS_M_S) * INTERVAL_S, []
    for _ in range(int(seconds / INTERVAL_S) + 2):
        away = goal - place
        distance = np.linalg.norm(away)
        path.append((place, float(np.arctan2(away[1], away[0]))))
        if distance < step_m:
            goal = _spot(rng, camera)
        else:
            place = place + step_m / distance * away
    return path


def _placed(body_m: Array, at: tuple[Array, float]) -> Array:
    """Keypoints ``(K, 3)`` of a body that faces -y, at a place and with a heading."""
    place, heading = at
    turn = heading + np.pi / 2
    c, s = np.cos(turn), np.sin(turn)
    x, y, z = body_m.T
    return np.stack([c * x - s * y + place[0], s * x + c * y + place[1], z], axis=-1)


class _Noise:
    """What a keypoint network makes of N people."""

    def __init__(self, rng: np.random.Generator, number: int) -> None:
        self.rng = rng
        self.share = rng.uniform(*NOISE, (number, 1, 1))
        self.peak_px = rng.uniform(*PEAK_PX)
        self.lasting = rng.normal(size=(number, K, 2))
        self.smaller = rng.uniform(*SMALLER, (number, 1, 1))

    def detect(self, xyz_m: Array, camera: _Camera) -> tuple[Array, Array]:
        """See people ``(N, K, 3)`` in the camera optical frame: px, NaN where missing; scores."""
        z = np.maximum(xyz_m[..., 2:], 0.1)
        xy_px = camera.intrinsics.project(np.concatenate([xyz_m[..., :2], z], axis=-1))
        xy_px -= self.smaller * (xy_px - xy_px.mean(1, keepdims=True))
        focal = camera.intrinsics.fx
        sd_px = np.hypot(self.share * 1.7 * focal / z.mean(1, keepdims=True),
                         self.peak_px * max(camera.size_px) / NETWORK_PX)  # fmt: skip
        xy_px += sd_px * (self.lasting + self.rng.normal(size=xy_px.shape)) / np.sqrt(2)
        seen = (xyz_m[..., 2] > 0.2) & ((xy_px >= 0) & (xy_px < camera.size_px)).all(-1)
        seen &= self.rng.random(seen.shape) >= MISSING
        seen[:, PELVIS] = False
        scores = np.where(seen, self.rng.uniform(0.5, 1, seen.shape), 0)
        return np.where(seen[..., np.newaxis], xy_px, np.nan), scores
