"""Render a scene to a picture and its complete truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import Intrinsics
from pose3d_ros.demo.clip import COVERED, OUTSIDE, TURNED_AWAY, VISIBLE
from pose3d_ros.skeleton import PANOPTIC19
from training.render.dressing import colour_person
from training.render.raster import Surfaces, View, draw_mesh, draw_solids
from training.render.regions import Regions, vertex_normals
from training.render.room import FIRST_SOLID, Room
from training.render.shading import Light, colour_solids, shade
from training.render.wardrobe import Outfit, offsets_m

Array = NDArray[np.float64]

LEAVES = 900
SHADOW_SIZE_HW = (320, 320)
# Largest depth of a visible keypoint below the visible surface, m, for a person of 1.70 m.
DEPTH_M = {
    'nose': 0.05, 'eye': 0.05, 'ear': 0.08, 'neck': 0.16, 'shoulder': 0.16, 'elbow': 0.11,
    'wrist': 0.09, 'hip': 0.2, 'pelvis': 0.22, 'knee': 0.13, 'ankle': 0.11,
}  # fmt: skip
DEEPEST_M = np.array([DEPTH_M[name.rpartition('_')[2]] for name in PANOPTIC19.keypoints])


@dataclass(frozen=True)
class Person:
    """A person in a scene, in the world frame.

    Parameters
    ----------
    vertices_m
        ``(V, 3)`` of the skin.
    keypoints_m
        ``(K, 3)``.
    outfit
        What they look like.
    """

    vertices_m: NDArray[np.floating]
    keypoints_m: NDArray[np.floating]
    outfit: Outfit


@dataclass(frozen=True)
class Scene:
    """A room, people in it, a lamp and a camera.

    Parameters
    ----------
    room
        With its furniture.
    people
        The people in it.
    lamp_m, lamp, ambient
        Where the lamp is, its colour, and that of the light from everywhere.
    view
        The camera.
    """

    room: Room
    people: list[Person]
    lamp_m: Array
    lamp: Array
    ambient: Array
    view: View


@dataclass(frozen=True)
class Frame:
    """A picture and its truth; N people.

    Parameters
    ----------
    light
        ``(H, W, 3)`` float32 BGR, linear.
    depth_m
        ``(H, W)`` float32 along the optical axis.
    owner
        ``(H, W)`` int32: index of the person, or more.
    xyz_m
        ``(N, K, 3)`` in the camera optical frame.
    xy_px
        ``(N, K, 2)``.
    seen
        ``(N, K)`` uint8: OUTSIDE the image (or behind the camera), COVERED by something or
        another person, TURNED_AWAY (behind the person's own body), VISIBLE.
    """

    light: NDArray[np.float32]
    depth_m: NDArray[np.float32]
    owner: NDArray[np.int32]
    xyz_m: Array
    xy_px: Array
    seen: NDArray[np.uint8]


def look_at(position: Array, target: Array, roll_rad: float = 0.0) -> Array:
    """Return the rotation ``(3, 3)`` from the world to a camera that looks at a point."""
    z = (target - position) / np.linalg.norm(target - position)
    up = np.array([0.0, 0.0, 1.0]) if abs(z[2]) < 0.99 else np.array([0.0, 1.0, 0.0])
    x = np.cross(z, up)
    x /= np.linalg.norm(x)
    y = np.cross(z, x)
    c, s = np.cos(roll_rad), np.sin(roll_rad)
    return np.stack([c * x + s * y, -s * x + c * y, z])


def draw(scene: Scene, regions: Regions) -> Frame:
    """Render a scene in its camera."""
    skins = [_dressed(person, regions) for person in scene.people]
    surfaces = _surfaces(scene, scene.view, skins, regions)
    light = _light(scene, skins, regions)
    colour = np.zeros((*scene.view.size_hw, 3), np.float32)
    colour_solids(colour, surfaces, FIRST_SOLID, scene.room.material_array())
    _colour_leaves(colour, surfaces, scene.room)
    for i, (person, skin) in enumerate(zip(scene.people, skins, strict=True)):
        colour_person(colour, surfaces, i, regions, person.outfit, skin[1])
    lit = shade(colour, surfaces, scene.view, light)
    return Frame(lit, surfaces.depth, surfaces.owner, *truth(scene, surfaces))


def truth(scene: Scene, surfaces: Surfaces) -> tuple[Array, Array, NDArray[np.uint8]]:
    """Return all keypoints in the camera optical frame, m, in pixels, and their visibility."""
    n, k = len(scene.people), len(PANOPTIC19)
    world = np.array([person.keypoints_m for person in scene.people]).reshape(n, k, 3)
    xyz_m = scene.view.to_camera(world)
    front = xyz_m[..., 2] > 0.05
    xy_px = scene.view.intrinsics.project(np.where(front[..., np.newaxis], xyz_m, [0, 0, 1.0]))
    xy_px[~front] = np.nan
    seen = np.full((n, k), OUTSIDE, np.uint8)
    h, w = scene.view.size_hw
    column, row = np.round(np.where(front[..., np.newaxis], xy_px, -9)).astype(int).T
    inside = front & ((row >= 0) & (row < h) & (column >= 0) & (column < w)).T
    for person, keypoint in zip(*np.nonzero(inside), strict=True):
        y, x = row[keypoint, person], column[keypoint, person]
        around = np.s_[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2]
        depth = surfaces.depth[around]
        mine = surfaces.owner[around] == person
        limit = DEEPEST_M[keypoint] * max(np.ptp(world[person, :, 2]), 1.2) / 1.5
        z = xyz_m[person, keypoint, 2]
        if mine.any():
            away = z - depth[mine].max() > limit
            seen[person, keypoint] = TURNED_AWAY if away else VISIBLE
        elif z - surfaces.depth[y, x] > -0.02:
            seen[person, keypoint] = COVERED
        else:  # beside the own outline: an ear in hair, a hip beside a narrow waist
            seen[person, keypoint] = VISIBLE
    return xyz_m, xy_px, seen


def _dressed(person: Person, regions: Regions) -> tuple[Array, Array]:
    """Return the vertices of a person with clothes, m, and their normals, ``(V, 3)`` both."""
    vertices = np.asarray(person.vertices_m, np.float64)
    normals = vertex_normals(vertices, regions.faces)
    offset = offsets_m(person.outfit, regions).astype(np.float64)
    return vertices + offset[:, np.newaxis] * normals, normals


def _surfaces(
    scene: Scene, view: View, skins: list[tuple[Array, Array]], regions: Regions
) -> Surfaces:
    surfaces = Surfaces.empty(view.size_hw)
    for i, (vertices, _) in enumerate(skins):
        draw_mesh(surfaces, view, vertices, regions.faces, i)
    if scene.room.leaves_m:
        corners = np.concatenate(scene.room.leaves_m).reshape(-1, 3)
        faces = np.arange(len(corners), dtype=np.int32).reshape(-1, 3)
        draw_mesh(surfaces, view, corners, faces, LEAVES, two_sided=True)
    draw_solids(surfaces, view, scene.room.solid_array())
    return surfaces


def _light(scene: Scene, skins: list[tuple[Array, Array]], regions: Regions) -> Light:
    """Render the depth from the lamp, for shadows."""
    points = np.concatenate([skin[0][::50] for skin in skins] or [np.zeros((1, 3))])
    target = (points.min(0) + points.max(0)) / 2
    rotation = look_at(scene.lamp_m, target)
    seen = (points - scene.lamp_m) @ rotation.T
    ahead = seen[seen[:, 2] > 0.3]
    wide = np.abs(ahead[:, :2] / ahead[:, 2:]).max(initial=0.3) if len(ahead) else 1.0
    h, w = SHADOW_SIZE_HW
    focal = w / 2 / min(1.5 * wide, 3.0)
    view = View(Intrinsics(focal, focal, w / 2, h / 2), rotation, scene.lamp_m, SHADOW_SIZE_HW)
    # The room itself casts no shadow: light passes through its walls.
    surfaces = Surfaces.empty(SHADOW_SIZE_HW)
    for i, (vertices, _) in enumerate(skins):
        draw_mesh(surfaces, view, vertices, regions.faces, i)
    solids = scene.room.solid_array()
    low = [s for s in solids[1:] if s['centre'][2] + s['half'][2] < scene.room.size_m[2] - 0.2]
    if low:
        draw_solids(surfaces, view, np.array(low))
    return Light(view, surfaces.depth, scene.lamp, scene.ambient)


def _colour_leaves(colour: NDArray[np.float32], surfaces: Surfaces, room: Room) -> None:
    rows = surfaces.owner == LEAVES
    if rows.any():
        corners = np.concatenate(room.leaves_m)
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normals *= np.sign(normals[:, 2:] + 1e-9)
        normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-9
        face = surfaces.material[rows]
        colour[rows] = np.concatenate(room.leaf_colours)[face]
        surfaces.normal[rows] = normals[face]
