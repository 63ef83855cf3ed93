"""Procedural surface patterns: plain, striped, checked, spotted, planks and bricks.

Colours are linear light, BGR, 0 to 1.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

KINDS = ('plain', 'bands', 'uprights', 'checks', 'blotches', 'planks', 'bricks', 'dots', 'shelf')
MATERIAL = np.dtype(
    [
        ('kind', np.int32), ('seed', np.int32), ('scale', np.float32), ('share', np.float32),
        ('grain', np.float32), ('first', np.float32, 3), ('second', np.float32, 3),
    ]
)  # fmt: skip


def material(
    kind: str,
    first: NDArray[np.floating],
    second: NDArray[np.floating] | None = None,
    scale: float = 0.1,
    share: float = 0.5,
    grain: float = 0.05,
) -> NDArray[np.void]:
    """Make a MATERIAL.

    Parameters
    ----------
    kind
        One of KINDS.
    first, second
        BGR, linear light.
    scale
        Of the pattern's period, m.
    share
        Of the second colour, [0, 1].
    grain
        Contrast of light and dark spots of a few centimetres.
    """
    second = first if second is None else second
    row = (KINDS.index(kind), 0, scale, share, grain, first, second)
    return np.array(row, MATERIAL)


def random_colour(random: np.random.Generator, vivid: float = 0.5) -> NDArray[np.float64]:
    """Return a BGR colour in linear light; a share of `vivid` is coloured, the rest grey."""
    light = random.uniform(0.15, 1.0)
    hue = random.uniform(0, 1, 3)
    strength = random.uniform(0.3, 1) if random.random() < vivid else random.uniform(0, 0.15)
    colour = light * (1 - strength * hue)
    return np.asarray(np.clip(colour, 0.02, 0.95) ** 2.0)


def random_material(
    random: np.random.Generator, kinds: tuple[str, ...], vivid: float = 0.5, scale: float = 0.1
) -> NDArray[np.void]:
    """Return a MATERIAL of one of some kinds in random colours; `scale`: typical period, m."""
    kind = kinds[random.integers(len(kinds))]
    first = random_colour(random, vivid)
    second = random_colour(random, vivid)
    if kind in ('planks', 'bricks'):
        second = first * random.uniform(0.4, 0.8)
    made = material(
        kind, first, second, scale * random.uniform(0.5, 2), random.uniform(0.2, 0.6),
        random.uniform(0.02, 0.15),
    )  # fmt: skip
    made['seed'] = random.integers(1 << 20)
    return made


@numba.njit(cache=True, inline='always')
def chance(i, j, k, seed):
    """Return a random number in [0, 1) of a cell, a hash of its indices."""
    n = np.uint32(i * 374761393 + j * 668265263 + k * 1274126177 + seed * 974711)
    n = np.uint32((n ^ (n >> np.uint32(13))) * np.uint32(1274126177))
    n = np.uint32((n ^ (n >> np.uint32(16))) * np.uint32(2246822519))
    return np.uint32(n ^ (n >> np.uint32(15))) * (1.0 / 4294967296.0)


@numba.njit(cache=True, fastmath=True)
def noise(x, y, z, seed):
    """Return smooth noise in [0, 1) with period 1, interpolated between cells' random numbers."""
    i, j, k = np.floor(x), np.floor(y), np.floor(z)
    u, v, w = x - i, y - j, z - k
    u, v, w = u * u * (3 - 2 * u), v * v * (3 - 2 * v), w * w * (3 - 2 * w)
    total = 0.0
    for a in range(2):
        for b in range(2):
            for c in range(2):
                weight = (u if a else 1 - u) * (v if b else 1 - v) * (w if c else 1 - w)
                total += weight * chance(int(i) + a, int(j) + b, int(k) + c, seed)
    return total


@numba.njit(cache=True, fastmath=True)
def blend(m, x, y, z):
    """Return the share of a MATERIAL's second colour at a place, and a factor of brightness."""
    kind, seed, scale, share = m.kind, m.seed, m.scale, m.share
    if kind == 0:
        return 0.0, 1.0
    x, y, z = x / scale + 0.37, y / scale + 0.37, z / scale + 0.37
    if kind == 1:
        return (1.0 if z - np.floor(z) < share else 0.0), 1.0
    if kind == 2:
        along = x + 0.5 * y
        return (1.0 if along - np.floor(along) < share else 0.0), 1.0
    if kind == 3:
        across = 0.5 if x - np.floor(x) < share else 0.0
        return across + (0.5 if z + y - np.floor(z + y) < share else 0.0), 1.0
    if kind == 4:
        n = noise(x, y, z, seed) * 0.65 + noise(2.7 * x, 2.7 * y, 2.7 * z, seed + 1) * 0.35
        return min(1.0, max(0.0, (n - 0.65 + 0.5 * share) * 8)), 1.0
    if kind == 5:  # long in y, and stacked in x (floors) or z (walls)
        row = np.floor(x + z)
        along = y * 0.12 + x * 0.02 + chance(int(row), 0, 0, seed)
        gap = (x + z - row) < 0.04 or (along - np.floor(along)) < 0.01
        return (1.0 if gap else 0.0), 0.8 + 0.35 * chance(int(row), int(np.floor(along)), 1, seed)
    if kind == 6:
        row = np.floor(z + 0.5 * y)
        along = (x + y) * 0.5 + (0.5 if int(row) & 1 else 0.0)
        gap = (z + 0.5 * y - row) < 0.1 or (along - np.floor(along)) < 0.05
        return (1.0 if gap else 0.0), 0.85 + 0.3 * chance(int(row), int(np.floor(along)), 2, seed)
    if kind == 7:
        i, j, k = np.floor(x), np.floor(y), np.floor(z)
        u, v, w = x - i - 0.5, y - j - 0.5, z - k - 0.5
        return (1.0 if u * u + 0.3 * v * v + w * w < 0.2 * share + 0.02 else 0.0), 1.0
    return _books(x, y, z, seed)


@numba.njit(cache=True, fastmath=True)
def _books(x, y, z, seed):
    """Return the same for books on boards."""
    row = np.floor(z * 0.35)
    thick = np.floor((x + y) * 4 + chance(int(row), 5, 0, seed))
    board = z * 0.35 - row < 0.1
    tall = z * 0.35 - row < 0.6 + 0.35 * chance(int(thick), int(row), 3, seed)
    if board:
        return 0.0, 1.0
    if not tall:
        return 0.0, 0.25
    return chance(int(thick), int(row), 4, seed), 0.4 + 0.9 * chance(int(thick), int(row), 6, seed)
