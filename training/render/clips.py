"""Sample clips like the bundled one: other halls, people, paths and gestures.

What the network for the demo is to be good at, and what it is measured on: instants of clips that
it was not trained on.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from training import poses
from training.bodies import ADULT_HEIGHT_M, BodyModel, posed
from training.render.family import PEOPLE, SIZE_HW, sample_view
from training.render.motion import Motion
from training.render.raster import View
from training.render.regions import Regions
from training.render.room import Room, furnish, put_in_front, sample_light, sample_room
from training.render.scene import Person, Scene
from training.render.wardrobe import sample_outfit

Array = NDArray[np.float64]

DURATION_S = 10.0
# Number of instants of each clip.
INSTANTS = 8
FASTEST_M_S, SLOWEST_M_S = 1.4, 0.6
NEAREST_M, FARTHEST_M = 2.0, 6.0
COVERED = 0.25

# Angles of the right arm.
GESTURES: tuple[dict[str, float], ...] = (
    {'arm_raised': 165, 'arm_plane': 30, 'arm_twist': 0, 'elbow_flexion': 15},
    {'arm_raised': 120, 'arm_plane': 10, 'elbow_flexion': 70},
    {'arm_raised': 85, 'arm_plane': 20, 'elbow_flexion': 5},
    {'arm_raised': 85, 'arm_plane': 80, 'elbow_flexion': 10},
    {'arm_raised': 45, 'arm_plane': 70, 'elbow_flexion': 100},
    {'arm_raised': 40, 'arm_plane': 0, 'arm_twist': 40, 'elbow_flexion': 80},
)


def scenes(seed: int, model: BodyModel, regions: Regions) -> Iterator[Scene]:
    """Yield INSTANTS scenes of each of an endless series of clips, determined by the seed."""
    random = np.random.default_rng([seed, 2])
    while True:
        yield from sample_clip(random, model, regions)


def sample_clip(
    random: np.random.Generator, model: BodyModel, regions: Regions
) -> Iterator[Scene]:
    """Sample one clip, and yield instants of it."""
    room = sample_room(random)
    view = sample_view(random, room, SIZE_HW)
    number = 1 + int(random.choice(len(PEOPLE), p=PEOPLE))
    times = np.sort(random.uniform(0, DURATION_S, INSTANTS))
    shapes = model.sample(random, number, annotated=False)
    sizes = shapes.height_m / ADULT_HEIGHT_M
    moved = [sample_motion(random, room, view, size).at(times) for size in sizes]
    angles, xy, yaw = (np.concatenate(parts) for parts in zip(*moved, strict=True))
    rotations = poses.rotations(angles, yaw)
    same = shapes.take(np.repeat(np.arange(number), INSTANTS))
    vertices = model.meshes(same, rotations)
    _, keypoints = posed(same, rotations)
    floor = np.concatenate([xy, -vertices[..., 2].min(1)[:, np.newaxis]], axis=1)[:, np.newaxis]
    vertices, keypoints = vertices + floor, keypoints + floor
    outfits = [sample_outfit(random, regions) for _ in range(number)]
    furnish(random, room, xy, view.position, int(random.integers(2, 8)))
    if random.random() < COVERED:
        put_in_front(random, room, xy[random.integers(len(xy))], view.position)
    ahead = view.position + 3.0 * view.rotation[2]
    light = sample_light(random, room, np.array([*ahead[:2], 1.0]))
    for instant in range(INSTANTS):
        rows = np.arange(number) * INSTANTS + instant
        people = [
            Person(vertices[row], keypoints[row], outfit)
            for row, outfit in zip(rows, outfits, strict=True)
        ]
        yield Scene(room, people, *light, view)


def sample_motion(random: np.random.Generator, room: Room, view: View, size: float) -> Motion:
    """Sample the path and the gestures of a person of a given size."""
    time, place = -random.uniform(0, 3), _place(random, room, view)
    path = [(time, *place)]
    gestures: list[tuple[float, dict[str, float]]] = [(-1.0, {})]
    while time < DURATION_S:
        if random.random() < 0.5:  # stands
            time += random.uniform(0.8, 3)
        else:
            goal = _place(random, room, view)
            speed = size * random.uniform(SLOWEST_M_S, FASTEST_M_S)
            time += float(np.linalg.norm(goal - place)) / speed + 0.2
            place = goal
        path.append((time, *place))
    time = random.uniform(0, 2)
    while time < DURATION_S:
        time += 0.5
        gesture, hold = _gesture(random), random.uniform(0.3, 1.5)
        gestures += [(time, {}), (time + 0.6, gesture), (time + 0.6 + hold, gesture)]
        time += 1.2 + hold
        gestures.append((time, {}))
        time += random.exponential(2.0)
    # Most look towards the camera while they stand.
    facing = [(t, random.normal(0, 1.0)) for t in np.arange(0, DURATION_S + 2, 2.5)]
    return Motion(path, facing, gestures, random.uniform(0, 2 * np.pi), size)


def _place(random: np.random.Generator, room: Room, view: View) -> Array:
    """Sample a position in the room; most are in view."""
    half = view.size_hw[1] / 2 / view.intrinsics.fx
    for _ in range(20):
        away = random.uniform(NEAREST_M, FARTHEST_M)
        side = random.uniform(-1.25, 1.25) * half * away
        place = view.position + away * view.rotation[2] + side * view.rotation[0]
        if (np.abs(place[:2]) < room.size_m[:2] - 0.4).all():
            break
    return np.asarray(place[:2])


def _gesture(random: np.random.Generator) -> dict[str, float]:
    """Sample a gesture of one arm or both."""
    sides = [('right',), ('left',), ('left', 'right')][random.choice(3, p=[0.35, 0.35, 0.3])]
    angles = GESTURES[random.integers(len(GESTURES))]
    named = [(f'{side}_{name}', value) for side in sides for name, value in angles.items()]
    return {name: value + random.normal(0, 8) for name, value in named}
