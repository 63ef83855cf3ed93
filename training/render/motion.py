"""Smooth motion of people: along a path, with swinging arms and legs, and gestures.

Everything is interpolated linearly between given times and then smoothed, so that positions and
angles have no corners.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from training.poses import ANGLES, INDEX, within_limits

Array = NDArray[np.float64]

RATE_HZ = 100.0
PATH_SMOOTH_S, GESTURE_SMOOTH_S, TURN_SMOOTH_S = 0.25, 0.13, 0.22
# Speeds below which a person stands, and from which one walks, m/s.
STANDING_M_S, WALKING_M_S = 0.15, 0.7
HIP_DEG, KNEE_DEG, ARM_DEG = 24.0, 52.0, 20.0
# Length of two steps of a person of 1.70 m with this swing of the legs.
CYCLE_M = 1.36
STANDING = {
    'spine_flexion': 3.0, 'left_arm_raised': 9.0, 'right_arm_raised': 9.0,
    'left_arm_twist': 20.0, 'right_arm_twist': 20.0, 'left_elbow_flexion': 16.0,
    'right_elbow_flexion': 16.0, 'left_knee_flexion': 5.0, 'right_knee_flexion': 5.0,
    'left_hip_abduction': 4.0, 'right_hip_abduction': 4.0,
}  # fmt: skip


@dataclass(frozen=True)
class Motion:
    """Path and gestures of a person.

    Parameters
    ----------
    path
        Positions over time: s, x, y (m).
    facing
        Directions over time while standing: s, yaw in rad, 0 is -y.
    gestures
        Angles over time, degrees; an angle that is named at one time only has its usual value
        at the times before and after.
    phase_rad
        Phase of the steps.
    size
        Height / 1.70 m; taller people take longer steps.
    """

    path: list[tuple[float, float, float]]
    facing: list[tuple[float, float]]
    gestures: list[tuple[float, dict[str, float]]] = field(default_factory=list)
    phase_rad: float = 0.0
    size: float = 1.0

    def at(self, times_s: Array) -> tuple[Array, Array, Array]:
        """Return angles ``(T, A)``, degrees, positions ``(T, 2)``, m, and yaws ``(T,)``, rad."""
        path = np.array(self.path)
        # The whole path, whatever part is requested: smoothing looks ahead.
        first_s, last_s = (f(*path[:, 0], *times_s) for f in (min, max))
        grid_s = np.arange(first_s, last_s + 1 / RATE_HZ, 1 / RATE_HZ)
        xy = np.stack([np.interp(grid_s, path[:, 0], path[:, i]) for i in (1, 2)], axis=1)
        xy = _smooth(xy, PATH_SMOOTH_S)
        velocity = np.gradient(xy, 1 / RATE_HZ, axis=0)
        speed = np.linalg.norm(velocity, axis=1)
        walks = _ramp((speed - STANDING_M_S) / (WALKING_M_S - STANDING_M_S))
        facing = np.array(self.facing)
        stands = np.interp(grid_s, facing[:, 0], facing[:, 1])
        goes = np.arctan2(velocity[:, 0], -velocity[:, 1])
        ways = [(1 - walks) * np.exp(1j * stands), walks * np.exp(1j * goes)]
        yaw = np.angle(_smooth(sum(ways)[:, np.newaxis], TURN_SMOOTH_S)[:, 0])
        phase = self.phase_rad + 2 * np.pi * np.cumsum(speed) / RATE_HZ / (CYCLE_M * self.size)
        angles = _gestured(_steps(phase, walks), self.gestures, grid_s)
        rows = np.round((times_s - grid_s[0]) * RATE_HZ).astype(int)
        return within_limits(angles[rows]), xy[rows], yaw[rows]


def _ramp(x: Array) -> Array:
    x = np.clip(x, 0, 1)
    return np.asarray(x * x * (3 - 2 * x))


def _smooth(values: NDArray[np.inexact], sigma_s: float) -> NDArray[np.inexact]:
    """Smooth ``(T, C)`` over time; the ends stay fixed."""
    reach = round(3 * sigma_s * RATE_HZ)
    weights = np.exp(-((np.arange(-reach, reach + 1) / RATE_HZ / sigma_s) ** 2) / 2)
    padded = np.pad(values, ((reach, reach), (0, 0)), mode='edge')
    columns = [np.convolve(c, weights / weights.sum(), 'valid') for c in padded.T]
    return np.stack(columns, axis=1)


def _steps(phase: Array, walks: Array) -> Array:
    """Return angles ``(T, A)`` of standing and walking; `walks`: share of walking, [0, 1]."""
    angles = np.zeros((len(phase), len(ANGLES)))
    for name, value in STANDING.items():
        angles[:, INDEX[name]] = value
    sway = np.sin(phase)
    angles[:, INDEX['pitch']] = 3 * walks
    angles[:, INDEX['spine_twist']] = 7 * sway * walks
    angles[:, INDEX['neck_twist']] = -5 * sway * walks
    for side, at in (('left', phase), ('right', phase + np.pi)):
        hip = walks * HIP_DEG * (np.sin(at) + 0.2)
        knee = angles[:, INDEX[f'{side}_knee_flexion']] + walks * KNEE_DEG * (
            np.maximum(np.cos(at - 0.3), 0) ** 2
        )
        swing = -walks * ARM_DEG * np.sin(at)
        raised = angles[:, INDEX[f'{side}_arm_raised']]
        angles[:, INDEX[f'{side}_hip_flexion']] = hip
        angles[:, INDEX[f'{side}_knee_flexion']] = knee
        angles[:, INDEX[f'{side}_ankle_flexion']] = 0.8 * np.clip(knee - hip, -18, 12)
        angles[:, INDEX[f'{side}_hip_abduction']] *= 1 - 0.6 * walks
        # Forward or backward, and always a little to the side: no jump in between.
        angles[:, INDEX[f'{side}_arm_plane']] = np.rad2deg(np.arctan2(swing, raised))
        angles[:, INDEX[f'{side}_arm_raised']] = np.hypot(raised, swing)
        angles[:, INDEX[f'{side}_elbow_flexion']] += walks * (12 - 0.4 * swing)
    return angles


def _gestured(
    angles: Array, gestures: list[tuple[float, dict[str, float]]], grid_s: Array
) -> Array:
    """Blend gestures in: the angles that a gesture names change, the others stay."""
    angles = angles.copy()
    moments = [time for time, _ in gestures]
    for name in sorted({name for _, what in gestures for name in what}):
        stated = np.array([name in what for _, what in gestures], float)
        value = np.array([what.get(name, 0.0) for _, what in gestures])
        share = _smooth(np.interp(grid_s, moments, stated)[:, np.newaxis], GESTURE_SMOOTH_S)[:, 0]
        wanted = np.interp(grid_s, moments, value * stated)[:, np.newaxis]
        column = angles[:, INDEX[name]]
        # `wanted` is already weighted by its share: both fade together.
        angles[:, INDEX[name]] = (1 - share) * column + _smooth(wanted, GESTURE_SMOOTH_S)[:, 0]
    return angles
