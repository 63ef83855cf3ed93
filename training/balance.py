"""Balance standing people: rotate whole bodies so that their weight is over their feet."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training import bodies
from training.bodies import JOINTS, PARENTS, Shapes

Array = NDArray[np.floating]
Rng = np.random.Generator

# Share of the body's mass between each joint and its parent (Winter, Biomechanics and Motor
# Control of Human Movement, table 4.1; trunk and head along the spine).
_MASS = {
    'lumbar': 0.14, 'thorax': 0.14, 'chest': 0.14, 'neck': 0.08, 'head': 0.08,
    'shoulder': 0.0, 'elbow': 0.028, 'wrist': 0.022, 'knee': 0.1, 'ankle': 0.061,
}  # fmt: skip
# Feet and knees bear weight by their height: this much higher, m, a third of it.
LOW_M = 0.08
# People who would have to be rotated further than this are moving, cosine.
LEAST_COSINE = np.cos(np.deg2rad(30))
# From the ankle to the middle of the foot, m.
FORWARD_M = 0.05

_SHARES = np.array([_MASS.get(name.split('_')[-1], 0.0) for name in JOINTS])
_SHARES /= _SHARES.sum()
_BEARING = [JOINTS.index(f'{s}_{j}') for s in ('left', 'right') for j in ('ankle', 'knee')]


def balanced(rng: Rng, shapes: Shapes, rotations: Array, off_m: Array) -> Array:
    """Rotate whole bodies so that their weight is over their feet.

    Parameters
    ----------
    rng
        Random numbers.
    shapes, rotations
        Of n bodies, see `training.bodies.posed`.
    off_m
        ``(n,)``, standard deviation of the distance of the weight, m. NaN: not on their feet; they
        stay as they are.

    Returns
    -------
    Array
        ``(n, J, 3, 3)``.
    """
    joints_m, _ = bodies.posed(shapes, rotations)
    middles_m = (joints_m + joints_m[:, np.maximum(PARENTS, 0)]) / 2
    weight_m = (_SHARES[:, np.newaxis] * middles_m).sum(1)
    bearing_m = joints_m[:, _BEARING]
    low = np.exp(-(bearing_m[..., 2] - bearing_m[..., 2].min(1, keepdims=True)) / LOW_M)
    feet_m = (low[..., np.newaxis] * bearing_m).sum(1) / low.sum(1, keepdims=True)
    feet_m -= FORWARD_M * rotations[:, 0, :, 1]  # y points to the back
    over_m = weight_m - feet_m
    wanted_m = np.zeros_like(over_m)
    wanted_m[:, :2] = rng.normal(0, np.nan_to_num(off_m)[:, np.newaxis], (len(off_m), 2))
    wanted_m[:, 2] = np.linalg.norm(over_m, axis=1)
    upright = np.isfinite(off_m) & (over_m[:, 2] > LEAST_COSINE * wanted_m[:, 2])
    turn = _shortest(over_m, wanted_m)
    out = rotations.copy()
    out[upright, 0] = (turn @ rotations[:, 0])[upright]
    return out


def _shortest(start: Array, end: Array) -> Array:
    """Return the smallest rotations ``(n, 3, 3)`` between directions (Rodrigues)."""
    start = start / np.linalg.norm(start, axis=1, keepdims=True)
    end = end / np.linalg.norm(end, axis=1, keepdims=True)
    x, y, z = np.cross(start, end).T
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(-1, 3, 3)
    cosine = np.maximum((start * end).sum(1), -0.99)[:, np.newaxis, np.newaxis]
    turn: Array = np.eye(3) + cross + cross @ cross / (1 + cosine)
    return turn
