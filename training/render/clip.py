"""Render the bundled clip: three people in a hall, with their complete truth.

    python -m training.render.clip [--out FOLDER]

writes clip.webm and clip.npz, the same pictures and the same truth each time, as far as the video
encoder is the same; `pose3d_ros.demo.clip` reads them.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import Intrinsics
from pose3d_ros.people import K
from training import poses
from training.bodies import BodyModel, Shapes, posed
from training.render.materials import MATERIAL, material
from training.render.motion import Motion
from training.render.photograph import tone
from training.render.raster import BOX, ROOM, View
from training.render.regions import Regions
from training.render.room import Room, put
from training.render.scene import Frame, Person, Scene, draw, look_at
from training.render.wardrobe import Outfit, sample_outfit

Array = NDArray[np.float64]

SIZE_HW = (360, 640)
RATE_HZ, DURATION_S = 20, 10.0
FOCAL_LENGTH_PX = 520.0
CAMERA_M, TARGET_M = np.array([0.0, -4.6, 1.1]), np.array([0.0, -1.2, 0.98])
# Oversampling factor against jagged edges.
OVERSAMPLING = 2
DEPTH_EVERY = 10
BODIES_SEED, ROOM_SEED = 5, 12
NOISE = 0.004
QUALITY = 30  # libvpx: 0 is best, 63 worst

_UP = {'right_arm_raised': 165.0, 'right_arm_plane': 30.0, 'right_arm_twist': 0.0,
       'right_elbow_flexion': 15.0}  # fmt: skip
_WAVE = {**_UP, 'right_elbow_flexion': 65.0, 'right_arm_plane': 10.0}
_BOTH = {**_UP, **{name.replace('right', 'left'): value for name, value in _UP.items()}}
_POINT = {'left_arm_raised': 85.0, 'left_arm_plane': 20.0, 'left_elbow_flexion': 5.0}
MOTIONS = (
    # Walks from left to right, stops, and raises both arms.
    Motion(
        path=[(-1, -3.2, 0.1), (4.2, 1.35, -0.3), (10, 1.35, -0.3)],
        facing=[(0, 1.3), (4.5, 1.3), (5.5, 0.15), (10, 0.15)],
        gestures=[(5.6, {}), (6.4, _BOTH), (7.6, _BOTH), (8.4, {})],
    ),
    # Walks from right to left in front of the others, and back behind them.
    Motion(
        path=[(-1, 2.9, -1.5), (3.6, -1.25, -1.3), (4.4, -1.25, -1.3), (8.8, 2.55, 1.0),
              (10, 2.55, 1.0)],
        facing=[(0, -1.2), (8, 0.8), (9, 0.0)],
        phase_rad=1.0,
    ),
    # Stands, waves, points, and steps forward.
    Motion(
        path=[(0, -0.15, 1.2), (6.6, -0.15, 1.2), (8.6, -0.75, -0.7), (10, -0.75, -0.7)],
        facing=[(0, -0.3), (3, 0.35), (6, 0.1), (10, 0.15)],
        gestures=[
            (0.4, {}), (1.0, _WAVE), (1.3, _UP), (1.6, _WAVE), (1.9, _UP), (2.2, _WAVE),
            (2.9, {}), (3.9, {}), (4.6, _POINT), (5.6, _POINT), (6.2, {}),
        ],
        phase_rad=2.0,
    ),
)  # fmt: skip


# Upper garment, lower garment and shoes: BGR, linear light.
CLOTHES = (
    (('checks', (0.09, 0.3, 0.11), (0.45, 0.5, 0.42)), (0.17, 0.09, 0.05), (0.03, 0.03, 0.04)),
    (('bands', (0.5, 0.5, 0.48), (0.28, 0.07, 0.05)), (0.03, 0.03, 0.035), (0.5, 0.5, 0.5)),
    (('plain', (0.05, 0.22, 0.62), (0.05, 0.22, 0.62)), (0.2, 0.24, 0.27), (0.3, 0.06, 0.05)),
)


def stamps_s() -> Array:
    """Return the time of each image, s."""
    return np.arange(round(DURATION_S * RATE_HZ)) / RATE_HZ


def camera(oversampling: int = 1) -> View:
    """Return the camera, with enlarged images for oversampling."""
    h, w = (oversampling * size for size in SIZE_HW)
    focal = oversampling * FOCAL_LENGTH_PX
    # The centre of the image stays the centre.
    intrinsics = Intrinsics(focal, focal, (w - 1) / 2, (h - 1) / 2)
    return View(intrinsics, look_at(CAMERA_M, TARGET_M), CAMERA_M, (h, w))


def frames(model: BodyModel, regions: Regions, every: int = 1) -> Iterator[tuple[Frame, Frame]]:
    """Render every n-th image in its own size, for the truth, and enlarged, for the picture."""
    times = stamps_s()[::every]
    random = np.random.default_rng(BODIES_SEED)
    shapes = model.sample(random, len(MOTIONS), annotated=False)
    outfits = [_dressed(sample_outfit(random, regions), *colours) for colours in CLOTHES]
    bodies = [_moved(model, shapes, i, times) for i in range(len(MOTIONS))]
    room, light = _room()
    for t in range(len(times)):
        people = [
            Person(vertices[t], keypoints[t], outfit)
            for (vertices, keypoints), outfit in zip(bodies, outfits, strict=True)
        ]
        scene, large = (Scene(room, people, *light, camera(n)) for n in (1, OVERSAMPLING))
        yield draw(scene, regions), draw(large, regions)


def _dressed(
    outfit: Outfit,
    upper: tuple[str, tuple[float, ...], tuple[float, ...]],
    lower: tuple[float, ...],
    shoes: tuple[float, ...],
) -> Outfit:
    """Return an outfit with other colours."""
    kind, first, second = upper
    pieces = [material(kind, np.array(first), np.array(second), 0.1)]
    pieces += [material('plain', np.array(colour)) for colour in (lower, shoes)]
    return replace(outfit, garments=np.array(pieces, MATERIAL))


def _moved(
    model: BodyModel, shapes: Shapes, i: int, times: Array
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return vertices ``(T, V, 3)`` and keypoints ``(T, K, 3)`` of one person over time, m."""
    angles, xy, yaw = MOTIONS[i].at(times)
    same = shapes.take(np.full(len(times), i))
    rotations = poses.rotations(angles, yaw)
    vertices = model.meshes(same, rotations)
    _, keypoints = posed(same, rotations)
    place = np.concatenate([xy, -vertices[..., 2].min(1)[:, np.newaxis]], axis=1)[:, np.newaxis]
    return vertices + place, keypoints + place


def _room() -> tuple[Room, tuple[Array, Array, Array]]:
    """Return the furnished hall and its lamp."""
    random = np.random.default_rng(ROOM_SEED)
    room = Room(np.array([4.5, 5.0, 2.9]))
    floor = material('planks', np.array([0.13, 0.22, 0.34]), np.array([0.07, 0.12, 0.2]), 0.16)
    ceiling = material('plain', np.full(3, 0.75), grain=0.02)
    wall = material('plain', np.array([0.55, 0.6, 0.62]), grain=0.03)
    room.add(ROOM, np.array([0, 0, room.size_m[2] / 2]), room.size_m * [2, 2, 1], floor)
    room.materials += [ceiling, wall, wall.copy()]
    glass = material('uprights', np.array([1.5, 1.4, 1.3]), np.full(3, 0.3), 0.7, 0.06)
    frame = material('plain', np.full(3, 0.4))
    art = material('blotches', np.array([0.35, 0.15, 0.1]), np.array([0.2, 0.45, 0.6]), 0.2)
    door = material('plain', np.array([0.1, 0.16, 0.22]))
    back = room.size_m[1]
    for x, z, wide, high, what in (
        (-0.9, 1.55, 1.7, 1.1, glass), (1.35, 1.6, 0.8, 0.6, art), (3.3, 1.02, 0.95, 2.04, door),
    ):  # fmt: skip
        room.add(BOX, np.array([x, back, z]), np.array([wide, 0.08, high]), what)
        room.add(BOX, np.array([x, back, z]), np.array([wide + 0.12, 0.06, high + 0.12]), frame)
    for name, place in (
        ('cupboard', (-3.4, 4.4)), ('plant', (3.1, 3.4)), ('table', (1.9, 3.2)),
        ('lamp', (-2.3, 3.9)), ('sofa', (-3.2, 1.6)), ('chair', (2.4, 2.2)), ('coats', (0.6, 4.5)),
    ):  # fmt: skip
        put(random, room, np.array(place), name)
    lamp_m = np.array([-1.5, -3.0, 2.75])
    return room, (lamp_m, np.array([0.78, 0.85, 0.9]), np.array([0.52, 0.5, 0.48]))


def picture(frame: Frame, random: np.random.Generator) -> NDArray[np.uint8]:
    """Reduce an enlarged frame to a picture ``(*SIZE_HW, 3)`` BGR."""
    light = cv2.resize(frame.light, SIZE_HW[::-1], interpolation=cv2.INTER_AREA)
    return tone(np.asarray(light, np.float32), 1.15, NOISE, random)


def write(folder: Path) -> None:
    """Render and write the clip and its truth."""
    model = BodyModel('anny')
    regions = Regions.of(model)
    random = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    pictures, xyz_m, xy_px, seen, depth = [], [], [], [], []
    for i, (frame, large) in enumerate(frames(model, regions)):
        pictures.append(picture(large, random))
        xyz_m.append(frame.xyz_m)
        xy_px.append(frame.xy_px)
        seen.append(frame.seen)
        if i % DEPTH_EVERY == 0:
            depth.append(np.round(frame.depth_m * 1000).astype(np.uint16))
    write_video(folder / 'clip.webm', pictures)
    c = camera().intrinsics
    shape = (-1, len(MOTIONS), K)
    np.savez_compressed(
        folder / 'clip.npz',
        stamps_s=stamps_s(), ids=np.arange(len(MOTIONS)),
        intrinsics=np.array([c.fx, c.fy, c.cx, c.cy]),
        xyz_m=np.array(xyz_m, np.float32).reshape(*shape, 3),
        xy_px=np.array(xy_px, np.float32).reshape(*shape, 2),
        seen=np.array(seen).reshape(shape),
        depth_mm=_packed(np.array(depth)), depth_every=DEPTH_EVERY,
    )  # fmt: skip


def write_video(path: Path, pictures: list[NDArray[np.uint8]]) -> None:
    """Write pictures as VP9 of constant quality, which OpenCV's writer does not support."""
    import av

    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libvpx-vp9', rate=RATE_HZ)
        stream.height, stream.width = SIZE_HW
        stream.pix_fmt, stream.bit_rate = 'yuv420p', 0
        # One thread gives the same file everywhere.
        stream.options = {
            'crf': str(QUALITY), 'deadline': 'good', 'cpu-used': '2', 'threads': '1', 'g': '40'
        }  # fmt: skip
        for bgr in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(bgr, format='bgr24')))
        container.mux(stream.encode())


def _packed(depth_mm: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Return differences between images modulo 2**16: those of the room are 0 and compress."""
    return np.diff(depth_mm, axis=0, prepend=np.zeros_like(depth_mm[:1]))


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    here = Path(__file__).resolve().parents[2] / 'pose3d_ros' / 'data'
    parser.add_argument('--out', type=Path, default=here)
    write(parser.parse_args().out)


if __name__ == '__main__':
    main()
