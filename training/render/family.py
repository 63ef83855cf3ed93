"""Sample scenes of the family of the bundled clip: people on their feet in a hall.

A robot's camera, 0.7 to 1.5 m high, looks at one to four people who stand, walk, reach and wave
two to six metres away; sometimes a person sits or bends, an object stands in front of a person,
or there are no people. Rooms, bodies, clothes, light and lenses vary.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import Intrinsics
from training import activities, poses
from training.bodies import BodyModel, posed
from training.render.raster import View
from training.render.regions import Regions
from training.render.room import (
    Room,
    furnish,
    put,
    put_in_front,
    sample_light,
    sample_room,
)
from training.render.scene import Person, Scene, look_at
from training.render.wardrobe import sample_outfit

Array = NDArray[np.float64]

SIZE_HW = (256, 448)
EMPTY_SHARE = 0.12
PEOPLE = (0.3, 0.3, 0.25, 0.15)  # shares of one to four people
OTHERWISE = 0.1  # of the poses are anything at all
COVERED = 0.35  # of the scenes with people have something in front of one
NEAREST_M, FARTHEST_M, APART_M = 1.8, 6.0, 0.45
# Number of bodies that the body model makes at a time.
BATCH = 64


def scenes(seed: int, model: BodyModel, regions: Regions) -> Iterator[Scene]:
    """Yield an endless series of scenes, determined by the seed."""
    random = np.random.default_rng(seed)
    bodies = _bodies(random, model)
    while True:
        yield sample_scene(random, bodies, regions)


def sample_scene(
    random: np.random.Generator, bodies: Iterator[tuple[Array, Array]], regions: Regions
) -> Scene:
    """Sample one scene, with people from `bodies`."""
    room = sample_room(random)
    view = sample_view(random, room, SIZE_HW)
    number = 0 if random.random() < EMPTY_SHARE else 1 + int(random.choice(len(PEOPLE), p=PEOPLE))
    places = _places(random, room, view, number)
    people = []
    for place in places:
        vertices, keypoints = next(bodies)
        floor = np.array([*place, -vertices[:, 2].min()])
        outfit = sample_outfit(random, regions)
        people.append(Person(vertices + floor, keypoints + floor, outfit))
    ahead = view.position + 3.0 * view.rotation[2]
    things = int(random.integers(2, 9)) + (4 if number == 0 else 0)
    furnish(random, room, places, view.position, things)
    if number and random.random() < COVERED:
        put_in_front(random, room, places[random.integers(number)], view.position)
    if number == 0:  # only objects that resemble people
        for _ in range(random.integers(1, 4)):
            what = str(random.choice(['dummy', 'coats', 'lamp', 'plant', 'pole']))
            put(random, room, ahead[:2] + random.normal(0, 1.0, 2), what)
    lamp_m, lamp, ambient = sample_light(random, room, np.array([*ahead[:2], 1.0]))
    return Scene(room, people, lamp_m, lamp, ambient, view)


def sample_view(random: np.random.Generator, room: Room, size_hw: tuple[int, int]) -> View:
    """Sample a robot's camera near one wall, looking across the room."""
    h, w = size_hw
    focal = w / 2 / np.tan(np.deg2rad(random.uniform(55, 80)) / 2)
    place = np.array([random.uniform(-1.5, 1.5), -room.size_m[1] + random.uniform(0.2, 1.0), 0])
    place[2] = random.uniform(0.7, 1.5)
    target = np.array([place[0] + random.uniform(-0.8, 0.8), place[1] + 3, 0])
    target[2] = random.uniform(0.75, 1.15)
    rotation = look_at(place, target, random.normal(0, 0.015))
    return View(Intrinsics(focal, focal, (w - 1) / 2, (h - 1) / 2), rotation, place, size_hw)


def _places(random: np.random.Generator, room: Room, view: View, number: int) -> Array:
    """Sample positions of people, ``(n, 2)`` m: in view, in the room, not overlapping."""
    places: list[Array] = []
    half = view.size_hw[1] / 2 / view.intrinsics.fx
    for _ in range(20 * number):
        away = random.uniform(NEAREST_M, FARTHEST_M)
        side = random.uniform(-1.05, 1.05) * half * away
        place = view.position + away * view.rotation[2] + side * view.rotation[0]
        inside = (np.abs(place[:2]) < room.size_m[:2] - 0.4).all()
        apart = all(np.linalg.norm(place[:2] - other) > APART_M for other in places)
        if inside and apart and len(places) < number:
            places.append(place[:2])
    return np.array(places).reshape(-1, 2)


def _bodies(random: np.random.Generator, model: BodyModel) -> Iterator[tuple[Array, Array]]:
    """Yield an endless series of posed bodies: vertices ``(V, 3)``, keypoints ``(K, 3)``, m."""
    while True:
        shapes = model.sample(random, BATCH, annotated=False)
        rotations = poses.rotations(
            sample_poses(random, BATCH), random.uniform(0, 2 * np.pi, BATCH)
        )
        vertices = model.meshes(shapes, rotations)
        _, keypoints = posed(shapes, rotations)
        yield from zip(vertices, keypoints, strict=True)


def sample_poses(random: np.random.Generator, n: int) -> Array:
    """Sample poses ``(n, A)``: a share of OTHERWISE of any kind, the others on their feet."""
    drawn = activities.sample(random, 4 * n)
    leaning = np.abs(drawn[:, poses.INDEX['pitch']]) + drawn[:, poses.INDEX['spine_flexion']]
    legs = [
        f'{side}_{name}' for side in ('left', 'right') for name in ('hip_flexion', 'hip_twist')
    ]
    bent = drawn[:, [poses.INDEX[name] for name in legs]].max(1)
    upright = (leaning < 35) & (bent < 50)
    order = np.argsort(~(upright | (random.random(4 * n) < OTHERWISE)), kind='stable')
    return np.asarray(drawn[order[:n]])
