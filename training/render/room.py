"""Sample rooms: floor, walls, furniture, lamps, plants, and objects that resemble people."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from training.render.materials import MATERIAL, material, random_colour, random_material
from training.render.raster import BOX, CYLINDER, ELLIPSOID, ROOM, SOLID

Array = NDArray[np.float64]

# Owners of pixels: people are 0, 1, ...
FIRST_SOLID = 1000
CLOSEST_M = 0.9


@dataclass
class Room:
    """The solids and materials of a room; grows while it is furnished.

    Parameters
    ----------
    size_m
        ``(3,)``: the floor's extent to both sides of the origin, and the height.
    """

    size_m: Array
    solids: list[NDArray[np.void]] = field(default_factory=list)
    materials: list[NDArray[np.void]] = field(default_factory=list)
    leaves_m: list[Array] = field(default_factory=list)
    leaf_colours: list[Array] = field(default_factory=list)

    def add(
        self, kind: int, centre: Array, size: Array, what: NDArray[np.void], turn_rad: float = 0
    ) -> None:
        """Add a solid by its centre and its extent along its own axes, m."""
        solid = np.zeros((), SOLID)
        solid['kind'], solid['owner'] = kind, FIRST_SOLID
        solid['material'] = len(self.materials)
        solid['centre'], solid['half'] = centre, np.asarray(size, float) / 2
        solid['turn'] = np.cos(turn_rad), np.sin(turn_rad)
        self.solids.append(solid)
        self.materials.append(what)

    def solid_array(self) -> NDArray[np.void]:
        """Return all solids, ``(S,)`` SOLID."""
        return np.array(self.solids, SOLID)

    def material_array(self) -> NDArray[np.void]:
        """Return all materials, ``(M,)`` MATERIAL."""
        return np.array(self.materials, MATERIAL)


def sample_room(random: np.random.Generator) -> Room:
    """Sample an empty room with doors, windows and pictures."""
    room = Room(
        np.array([random.uniform(3.5, 7), random.uniform(3.5, 7), random.uniform(2.4, 3.5)])
    )
    size = room.size_m
    floors = ('planks', 'planks', 'checks', 'plain', 'blotches', 'bricks')
    floor = random_material(random, floors, 0.35, random.choice([0.15, 0.4]))
    ceiling = material('plain', np.full(3, random.uniform(0.4, 0.9)), grain=0.02)
    wall_kinds = ('plain', 'plain', 'plain', 'bricks', 'uprights', 'blotches')
    walls = random_material(random, wall_kinds, 0.35, random.choice([0.12, 0.5]))
    walls['first'], walls['second'] = (0.25 + 0.75 * walls[name] for name in ('first', 'second'))
    other = walls.copy()
    other['first'] = other['first'] * random.uniform(0.8, 1.2)
    room.add(ROOM, np.array([0, 0, size[2] / 2]), size * [2, 2, 1], floor)
    room.materials += [ceiling, walls, other]
    for _ in range(random.integers(2, 9)):
        _hang(random, room)
    return room


def _hang(random: np.random.Generator, room: Room) -> None:
    """Add a door, a window or a picture to a wall."""
    axis, sign = random.integers(2), random.choice([-1, 1])
    what = random.choice(['door', 'window', 'picture', 'board'], p=[0.25, 0.3, 0.35, 0.1])
    wide, high, up = {
        'door': (0.9, 2.05, 1.03),
        'window': (random.uniform(0.8, 2.5), random.uniform(0.8, 1.6), 1.6),
        'picture': (random.uniform(0.3, 1.2), random.uniform(0.3, 1.0), random.uniform(1.3, 1.7)),
        'board': (random.uniform(1.5, 3), 1.0, 1.5),
    }[what]
    along = random.uniform(-1, 1) * max(room.size_m[1 - axis] - wide, 0.1)
    centre, size = np.zeros(3), np.zeros(3)
    centre[axis], centre[1 - axis], centre[2] = sign * room.size_m[axis], along, up
    # Each has its own thickness: two that overlap must not flicker.
    size[axis], size[1 - axis], size[2] = 0.06 + 0.01 * len(room.solids), wide, high
    if what == 'window':
        light = random.uniform(0.8, 2.5) * np.array([1.0, 0.95, 0.9])
        fill = material('uprights', light, light * 0.3, 0.7, 0.06)
    elif what == 'picture':
        fill = random_material(
            random, ('blotches', 'bands', 'checks', 'dots', 'uprights'), 0.8, 0.2
        )
    else:
        fill = random_material(random, ('plain',), 0.4)
    room.add(BOX, centre, size, fill)
    frame = material('plain', random_colour(random, 0.2))
    border = np.full(3, 0.1)
    border[axis] = -0.005
    room.add(BOX, centre, size + border, frame)


def sample_light(
    random: np.random.Generator, room: Room, target: Array
) -> tuple[Array, Array, Array]:
    """Sample the position of the lamp, m, its colour, and that of the ambient light."""
    if random.random() < 0.5:  # on the ceiling
        place = target + random.uniform(-2, 2, 3)
        place[2] = room.size_m[2] - 0.1
    else:  # the sun through a window
        angle, up = random.uniform(0, 2 * np.pi), random.uniform(0.3, 1.0)
        place = target + 12 * np.array([np.cos(angle), np.sin(angle), up])
    lamp = random.uniform(0.2, 1.0) * (1 + random.uniform(-0.15, 0.15) * np.array([-1, 0, 1]))
    around = random.uniform(0.25, 0.7) * (1 + random.uniform(-0.1, 0.1) * np.array([-1, 0, 1]))
    return place, lamp, around


def furnish(
    random: np.random.Generator, room: Room, keep_clear: Array, camera_m: Array, number: int
) -> None:
    """Add furniture away from people: `keep_clear` is ``(n, 2)`` m on the floor."""
    clear = np.concatenate([keep_clear.reshape(-1, 2), camera_m[np.newaxis, :2]])
    for _ in range(number):
        for _attempt in range(8):
            place = random.uniform(-1, 1, 2) * (room.size_m[:2] - 0.4)
            if random.random() < 0.5:  # along a wall
                axis = random.integers(2)
                place[axis] = np.sign(place[axis]) * (room.size_m[axis] - 0.35)
            if np.linalg.norm(clear - place, axis=1).min() > CLOSEST_M:
                put(random, room, place)
                break


def put_in_front(
    random: np.random.Generator, room: Room, person_m: Array, camera_m: Array
) -> None:
    """Add an object between the camera and a person."""
    share = random.uniform(0.45, 0.85)
    place = camera_m[:2] + share * (person_m[:2] - camera_m[:2])
    if np.linalg.norm(place - camera_m[:2]) > CLOSEST_M:
        put(random, room, place + random.normal(0, 0.15, 2))


def put(random: np.random.Generator, room: Room, place: Array, what: str | None = None) -> None:
    """Add a piece of furniture on the floor."""
    pieces = {
        'table': _table, 'chair': _chair, 'cupboard': _cupboard, 'sofa': _sofa, 'pole': _pole,
        'lamp': _lamp, 'plant': _plant, 'boxes': _boxes, 'dummy': _dummy, 'coats': _coats,
    }  # fmt: skip
    name = what or str(random.choice(list(pieces)))
    turn = random.choice([0, np.pi / 2, random.uniform(0, np.pi)])
    pieces[name](random, room, np.array([*place, 0.0]), turn)


def _up(z: float) -> Array:
    return np.array([0, 0, z])


def _wood(random: np.random.Generator) -> NDArray[np.void]:
    return random_material(random, ('plain', 'planks', 'plain'), 0.4, 0.1)


def _turned(x: float, y: float, z: float, turn: float) -> Array:
    c, s = np.cos(turn), np.sin(turn)
    return np.array([c * x - s * y, s * x + c * y, z])


def _table(random: np.random.Generator, room: Room, at: Array, turn: float) -> None:
    wide, deep = random.uniform(0.7, 1.8), random.uniform(0.5, 0.9)
    high, what = random.uniform(0.45, 1.05), _wood(random)
    room.add(BOX, at + _up(high), np.array([wide, deep, 0.05]), what, turn)
    if random.random() < 0.4:  # a counter
        room.add(BOX, at + _up(high / 2), np.array([wide - 0.1, deep - 0.1, high]), what, turn)
    else:
        for x in (-1, 1):
            for y in (-1, 1):
                leg = _turned(x * (wide / 2 - 0.05), y * (deep / 2 - 0.05), high / 2, turn)
                room.add(BOX, at + leg, np.array([0.05, 0.05, high]), what, turn)
    for _ in range(random.integers(0, 4)):
        size = random.uniform(0.08, 0.35, 3)
        x, y = random.uniform(-0.4, 0.4, 2) * (wide, deep)
        thing = random_material(random, ('plain', 'dots', 'bands'), 0.7, 0.05)
        kind = int(random.choice([BOX, CYLINDER, ELLIPSOID]))
        room.add(kind, at + _turned(x, y, high + 0.025 + size[2] / 2, turn), size, thing, turn)


def _chair(random: np.random.Generator, room: Room, at: Array, turn: float) -> None:
    high, back, what = random.uniform(0.4, 0.5), random.uniform(0.35, 0.75), _wood(random)
    room.add(BOX, at + _up(high), np.array([0.45, 0.45, 0.06]), what, turn)
    room.add(
        BOX, at + _turned(0, 0.2, high + back / 2, turn), np.array([0.43, 0.04, back]), what, turn
    )
    for x in (-0.2, 0.2):
        for y in (-0.2, 0.2):
            room.add(
                BOX, at + _turned(x, y, high / 2, turn), np.array([0.04, 0.04, high]), what, turn
            )


def _cupboard(random: np.random.Generator, room: Room, at: Array, turn: float) -> None:
    size = random.uniform((0.4, 0.3, 0.7), (1.6, 0.6, 2.1))
    kinds = ('plain', 'planks', 'shelf', 'shelf', 'checks')
    room.add(BOX, at + _up(size[2] / 2), size, random_material(random, kinds, 0.6, 0.15), turn)


def _sofa(random: np.random.Generator, room: Room, at: Array, turn: float) -> None:
    wide = random.uniform(0.8, 2.0)
    what = random_material(random, ('plain', 'blotches', 'checks', 'bands'), 0.6, 0.1)
    room.add(BOX, at + _up(0.22), np.array([wide, 0.8, 0.42]), what, turn)
    room.add(BOX, at + _turned(0, 0.35, 0.45, turn), np.array([wide, 0.2, 0.85]), what, turn)
    for x in (-wide / 2, wide / 2):
        room.add(BOX, at + _turned(x, 0, 0.3, turn), np.array([0.18, 0.85, 0.6]), what, turn)


def _pole(random: np.random.Generator, room: Room, at: Array, turn: float) -> None:
    wide = random.choice([random.uniform(0.03, 0.1), random.uniform(0.15, 0.45)])
    high = random.choice([room.size_m[2], random.uniform(1, 2)])
    what = random_material(random, ('plain', 'bands', 'bricks'), 0.5, 0.3)
    kind = int(random.choice([CYLINDER, BOX]))
    room.add(kind, at + _up(high / 2), np.array([wide, wide, high]), what, turn)


def _lamp(random: np.random.Generator, room: Room, at: Array, turn: float) -> None:
    high = random.uniform(1.2, 1.9)
    room.add(CYLINDER, at + _up(high / 2), np.array([0.03, 0.03, high]), _wood(random))
    room.add(CYLINDER, at + _up(0.015), np.array([0.3, 0.3, 0.03]), _wood(random))
    shade = material('plain', random.uniform(0.6, 1.8) * np.array([0.7, 0.9, 1.0]))
    wide = random.uniform(0.2, 0.45)
    kind = int(random.choice([ELLIPSOID, CYLINDER]))
    room.add(kind, at + _up(high), np.array([wide, wide, random.uniform(0.2, 0.4)]), shade)


def _plant(random: np.random.Generator, room: Room, at: Array, turn: float) -> None:
    pot = random.uniform(0.2, 0.5)
    room.add(CYLINDER, at + _up(pot / 2), np.array([pot, pot, pot]), _wood(random))
    high, number = random.uniform(0.4, 1.6), int(random.integers(40, 160))
    room.add(CYLINDER, at + _up(pot + high / 3), np.array([0.04, 0.04, high]), _wood(random))
    centre = at + _up(pot + high * 0.6)
    offset = random.normal(0, 1, (number, 3)) * [0.35 * pot + 0.1, 0.35 * pot + 0.1, high * 0.3]
    size = random.uniform(0.05, 0.2)
    ends = size * random.normal(0, 0.6, (number, 3, 3))
    leaves = centre + offset[:, np.newaxis] + ends
    room.leaves_m.append(leaves[(leaves[..., 2] > 0).all(1)])
    green = np.array([0.05, 0.25, 0.08]) * random.uniform(0.3, 1.5)
    room.leaf_colours.append(green * random.uniform(0.5, 1.5, (len(room.leaves_m[-1]), 1)))


def _boxes(random: np.random.Generator, room: Room, at: Array, turn: float) -> None:
    up = 0.0
    for _ in range(random.integers(1, 4)):
        size = random.uniform(0.2, 0.7, 3)
        what = random_material(random, ('plain', 'bands', 'checks', 'dots'), 0.6, 0.2)
        room.add(BOX, at + _up(up + size[2] / 2), size, what, turn + random.uniform(-0.3, 0.3))
        up += size[2]


def _dummy(random: np.random.Generator, room: Room, at: Array, turn: float) -> None:
    """Add an object with the outline of a person: a tailor's dummy, a bottle, a ninepin."""
    what, high = random_material(random, ('plain', 'bands', 'blotches'), 0.5, 0.15), 0.8
    room.add(CYLINDER, at + _up(high / 2), np.array([0.05, 0.05, high]), _wood(random))
    wide = random.uniform(0.3, 0.5)
    room.add(ELLIPSOID, at + _up(high + 0.3), np.array([wide, 0.25, 0.75]), what, turn)
    if random.random() < 0.6:
        head = random_material(random, ('plain',), 0.3)
        room.add(ELLIPSOID, at + _up(high + 0.78), np.array([0.2, 0.2, 0.27]), head)


def _coats(random: np.random.Generator, room: Room, at: Array, turn: float) -> None:
    room.add(CYLINDER, at + _up(0.85), np.array([0.05, 0.05, 1.7]), _wood(random))
    for _ in range(random.integers(1, 4)):
        size = random.uniform((0.2, 0.15, 0.7), (0.4, 0.3, 1.1))
        angle = random.uniform(0, 2 * np.pi)
        hang = at + _turned(0.12, 0, 1.65 - size[2] / 2, angle)
        what = random_material(random, ('plain', 'checks', 'bands'), 0.6, 0.08)
        room.add(ELLIPSOID, hang, size, what, angle)
