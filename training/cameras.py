"""Sample cameras of robots, hands and ceilings, and the people in front of them.

World frame as in `training.bodies`: z up, metres, people's roots above the origin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Rng = np.random.Generator

# Ranges of the height above the floor, m, and their shares: robots, tripods and hands, ceilings.
HEIGHTS_M = (((0.3, 1.3), 0.45), ((1.2, 2.0), 0.3), ((2.0, 3.5), 0.25))
# Range of the horizontal distance of the root, m.
DISTANCES_M = (0.8, 25.0)
# Range of the field of view across the longer side of the image.
VIEW_DEG = (40.0, 100.0)
# Width : height.
ASPECTS = (4 / 3, 16 / 9, 1.0, 3 / 4)
# Cameras that look at a person more steeply than this are not sampled, sine.
STEEPEST = 0.93
# Share of cameras aimed at the person; the others look ahead, nearly level.
AIMED = 0.6


@dataclass(frozen=True)
class Cameras:
    """One camera for each of n people.

    Parameters
    ----------
    position_m
        ``(n, 3)`` in the world.
    axes
        ``(n, 3, 3)``, x (right), y (down) and z (forward) axis of each in the world.
    tangents
        ``(n, 2)``, half the width and the height of the image at distance 1.
    """

    position_m: Array
    axes: Array
    tangents: Array

    def see(self, points_m: Array) -> Array:
        """Transform points ``(n, P, 3)`` of the world to the camera optical frames."""
        seen: Array = (points_m - self.position_m[:, np.newaxis]) @ self.axes.transpose(0, 2, 1)
        return seen

    @property
    def up(self) -> Array:
        """Return the direction against gravity in the camera optical frames, ``(n, 3)``."""
        return self.axes[..., 2]

    def inside(self, seen_m: Array) -> NDArray[np.bool_]:
        """Return which points of the camera optical frames are in the image, ``(n, P)``."""
        z = seen_m[..., 2]
        with np.errstate(divide='ignore', invalid='ignore'):
            across = np.abs(seen_m[..., :2] / z[..., np.newaxis])
        inside: NDArray[np.bool_] = (across < self.tangents[:, np.newaxis]).all(-1) & (z > 0.1)
        return inside


def sample(rng: Rng, middle_m: Array, floor_m: Array) -> Cameras:
    """Sample cameras that have people in view, perhaps only partly.

    Parameters
    ----------
    rng
        Random numbers.
    middle_m
        ``(n, 3)``, the middle of each person in the world.
    floor_m
        ``(n,)``, height z of the floor under each.
    """
    n = len(middle_m)
    which = rng.choice(len(HEIGHTS_M), n, p=[share for _, share in HEIGHTS_M])
    low, high = np.array([span for span, _ in HEIGHTS_M], np.float64)[which].T
    height = floor_m + low + (high - low) * rng.random(n)
    nearest, furthest = np.log(DISTANCES_M).tolist()
    distance = np.exp(rng.uniform(nearest, furthest, n))
    # Cameras that would be too steep are moved away.
    climb = np.abs(height - middle_m[:, 2])
    distance = np.maximum(distance, climb * np.sqrt(1 / STEEPEST**2 - 1))
    azimuth = rng.uniform(-np.pi, np.pi, n)
    foot = distance * np.stack([np.cos(azimuth), np.sin(azimuth)])
    position = np.stack([*(middle_m[:, :2].T + foot), height], axis=1)
    aspect = rng.choice(ASPECTS, n)
    longer = np.tan(np.deg2rad(rng.uniform(*VIEW_DEG, n)) / 2)
    tangents = np.stack([longer * np.minimum(aspect, 1), longer / np.maximum(aspect, 1)], axis=1)
    towards = middle_m - position
    pan = np.arctan2(towards[:, 1], towards[:, 0])
    tilt = np.arctan2(towards[:, 2], np.linalg.norm(towards[:, :2], axis=1))
    half = np.arctan(tangents)
    level = rng.normal(0, np.deg2rad(8), n)
    aimed = (rng.random(n) < AIMED) | (np.abs(level - tilt) > 0.9 * half[:, 1])
    ahead = np.where(aimed, tilt + rng.normal(0, 0.3, n) * half[:, 1], level)
    axes = camera_axes(pan + rng.uniform(-0.85, 0.85, n) * half[:, 0], ahead, _roll(rng, n))
    return Cameras(position, axes, tangents)


def _roll(rng: Rng, n: int) -> Array:
    """Sample the roll, rad: most cameras are upright, some are held by hand."""
    return np.deg2rad(rng.normal(0, np.where(rng.random(n) < 0.2, 12, 2)))


def camera_axes(pan: Array, tilt: Array, roll: Array) -> Array:
    """Return the axes of cameras with a pan and a tilt."""
    zero = np.zeros_like(pan)
    forward = np.stack(
        [np.cos(tilt) * np.cos(pan), np.cos(tilt) * np.sin(pan), np.sin(tilt)], axis=1
    )
    right = np.stack([np.sin(pan), -np.cos(pan), zero], axis=1)
    down = np.cross(forward, right)
    c, s = np.cos(roll)[:, np.newaxis], np.sin(roll)[:, np.newaxis]
    return np.stack([c * right + s * down, c * down - s * right, forward], axis=1)
