"""Light surfaces: rooms and furniture, lamps and shadows, in linear light."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from training.render.materials import blend, noise
from training.render.raster import Surfaces, View

# A surface this far behind what the lamp sees is in its shadow, m.
SHADOW_BIAS_M = 0.04


@dataclass(frozen=True)
class Light:
    """One lamp with its depth map, and the ambient light.

    Parameters
    ----------
    view
        From the lamp.
    depth
        ``(h, w)`` float32 m, depth seen from the lamp.
    colour, ambient
        ``(3,)`` BGR, linear light, of the lamp and of the ambient light.
    """

    view: View
    depth: NDArray[np.float32]
    colour: NDArray[np.float64]
    ambient: NDArray[np.float64]


def pixels_m(surfaces: Surfaces, view: View) -> NDArray[np.float32]:
    """Return the position of each pixel's surface in the world, ``(H, W, 3)`` m."""
    h, w = view.size_hw
    camera = view.intrinsics
    rays = np.ones((h, w, 3), np.float32)
    rays[..., 0] = (np.arange(w) - camera.cx) / camera.fx
    rays[..., 1] = ((np.arange(h) - camera.cy) / camera.fy)[:, np.newaxis]
    world = rays @ view.rotation.astype(np.float32)
    world *= np.where(np.isfinite(surfaces.depth), surfaces.depth, 0)[..., np.newaxis]
    world += view.position.astype(np.float32)
    return np.asarray(world, np.float32)


def shade(
    colour: NDArray[np.float32], surfaces: Surfaces, view: View, light: Light
) -> NDArray[np.float32]:
    """Return the light that reaches the camera from surfaces with colours ``(H, W, 3)``."""
    lit = np.empty_like(colour)
    lamp = (light.depth, light.view.rotation, light.view.position, light.view.pinhole)
    colours = (light.colour, light.ambient)
    _shade(lit, colour, surfaces.normal, pixels_m(surfaces, view), lamp, colours)
    return lit


@numba.njit(cache=True, fastmath=True)
def _lit_share(u, v, depth_m, seen):
    """Return the share of the lamp's pixels around (u, v) that see a surface at that depth."""
    lamp_h, lamp_w = seen.shape
    column, row = int(u), int(v)
    if not (2 <= column < lamp_w - 2 and 2 <= row < lamp_h - 2):
        return 1.0
    share = 0.0
    for i in range(-2, 3, 2):
        for j in range(-2, 3, 2):
            if depth_m < seen[row + i, column + j] + SHADOW_BIAS_M + 0.01 * depth_m:
                share += 1 / 9
    return share


@numba.njit(cache=True, fastmath=True)
def _shade(lit, colour, normal, world, lamp, colours):
    seen, rotation, position, (fx, fy, cx, cy) = lamp
    direct_colour, ambient = colours
    h, w = colour.shape[:2]
    for y in range(h):
        for x in range(w):
            px, py, pz = (
                world[y, x, 0] - position[0],
                world[y, x, 1] - position[1],
                world[y, x, 2] - position[2],
            )
            distance = np.sqrt(px * px + py * py + pz * pz) + 1e-6
            nx, ny, nz = normal[y, x, 0], normal[y, x, 1], normal[y, x, 2]
            facing = -(nx * px + ny * py + nz * pz) / distance
            direct = 0.0
            if facing > 0:
                a = rotation[0, 0] * px + rotation[0, 1] * py + rotation[0, 2] * pz
                b = rotation[1, 0] * px + rotation[1, 1] * py + rotation[1, 2] * pz
                c = rotation[2, 0] * px + rotation[2, 1] * py + rotation[2, 2] * pz
                direct = facing
                if c > 0:
                    direct *= _lit_share(a / c * fx + cx + 0.5, b / c * fy + cy + 0.5, c, seen)
            # Ambient light: more from above than from below.
            around = 0.75 + 0.25 * nz
            for k in range(3):
                lit[y, x, k] = colour[y, x, k] * (ambient[k] * around + direct_colour[k] * direct)


def colour_solids(
    colour: NDArray[np.float32], surfaces: Surfaces, first_solid: int, materials: NDArray[np.void]
) -> None:
    """Write the colours of the pixels whose owner is a solid, not a mesh."""
    _colour_solids(
        colour, surfaces.owner, surfaces.material, surfaces.place, first_solid, materials
    )


@numba.njit(cache=True, fastmath=True)
def _colour_solids(colour, owner, material, place, first_solid, materials):
    h, w = owner.shape
    for y in range(h):
        for x in range(w):
            if owner[y, x] < first_solid:
                continue
            m = materials[material[y, x]]
            px, py, pz = place[y, x, 0], place[y, x, 1], place[y, x, 2]
            share, bright = blend(m, px, py, pz)
            if m.grain > 0:
                bright *= 1 + 2 * m.grain * (noise(9 * px, 9 * py, 9 * pz, m.seed) - 0.5)
            for k in range(3):
                colour[y, x, k] = bright * (m.first[k] * (1 - share) + m.second[k] * share)
