"""What each pixel sees -> linear light: rooms and furniture, lamps and shadows."""

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
    """One lamp, with what it sees, and the light that comes from everywhere.

    Parameters
    ----------
    view
        From the lamp.
    depth
        ``(h, w)`` float32 m, what the lamp sees.
    colour, ambient
        ``(3,)`` BGR, linear light, of the lamp and of the light from everywhere.
    """

    view: View
    depth: NDArray[np.float32]
    colour: NDArray[np.float64]
    ambient: NDArray[np.float64]


def pixels_m(surfaces: Surfaces, view: View) -> NDArray[np.float32]:
    """Give where in the world each pixel's surface is, ``(H, W, 3)`` m."""
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
    """Light the surfaces: their own colours ``(H, W, 3)`` to what reaches the camera."""
    lit = np.empty_like(colour)
    lamp = light.view.intrinsics
    _shade(
        lit, colour, surfaces.normal, pixels_m(surfaces, view), light.depth,
        light.view.rotation, light.view.position, light.colour, light.ambient,
        lamp.fx, lamp.fy, lamp.cx, lamp.cy,
    )  # fmt: skip
    return lit


@numba.njit(cache=True, fastmath=True)
def _shade(lit, colour, normal, world, seen, rotation, position, lamp, ambient, fx, fy, cx, cy):
    h, w = colour.shape[:2]
    lamp_h, lamp_w = seen.shape
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
                reached = 1.0
                if c > 0:
                    u, v = int(a / c * fx + cx + 0.5), int(b / c * fy + cy + 0.5)
                    if 2 <= u < lamp_w - 2 and 2 <= v < lamp_h - 2:
                        reached = 0.0
                        for i in range(-2, 3, 2):
                            for j in range(-2, 3, 2):
                                if c < seen[v + i, u + j] + 0.04 + 0.01 * c:
                                    reached += 1 / 9
                direct = facing * reached
            # Light from everywhere: more from above than from below.
            around = 0.75 + 0.25 * nz
            for k in range(3):
                lit[y, x, k] = colour[y, x, k] * (ambient[k] * around + lamp[k] * direct)


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
            share, bright = blend(m.kind, m.seed, m.scale, m.share, px, py, pz)
            if m.grain > 0:
                bright *= 1 + 2 * m.grain * (noise(9 * px, 9 * py, 9 * pz, m.seed) - 0.5)
            for k in range(3):
                colour[y, x, k] = bright * (m.first[k] * (1 - share) + m.second[k] * share)
