"""Find keypoints that are hidden by furniture, edges, the person's own body or own head."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.skeleton import PANOPTIC19

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]
Rng = np.random.Generator

# Shares of people behind furniture, behind a vertical edge, and with keypoints missing at random.
FURNITURE, EDGE, AT_RANDOM = 0.25, 0.12, 0.35
# Furniture hides legs of upright people: those whose trunk leans less than this, cosine.
UPRIGHT = np.cos(np.deg2rad(30))
# Least half width of a trunk, largest distance in the image between limbs that hide one another,
# and least difference of depth between the hidden and the hiding part, m.
TRUNK_M, LIMB_M, FURTHER_M = 0.1, 0.09, 0.06

_K = len(PANOPTIC19)
_I = {name: i for i, name in enumerate(PANOPTIC19.keypoints)}


def behind_things(rng: Rng, world_m: Array, xyz_m: Array) -> Mask:
    """Sample which keypoints ``(n, K)`` are missing at random, or behind furniture or an edge.

    Parameters
    ----------
    rng
        Random numbers.
    world_m, xyz_m
        ``(n, K, 3)`` m, in the world (z up) and in the camera optical frame.
    """
    n = len(xyz_m)
    share = (rng.random(n) < AT_RANDOM) * rng.uniform(0, 0.45, n)
    hidden: Mask = rng.random((n, _K)) < share[:, np.newaxis]
    # Furniture hides keypoints below a height.
    z = world_m[..., 2]
    low, high = z.min(1), z.max(1)
    top = low + rng.uniform(0.05, 0.75, n) * (high - low)
    trunk_m = world_m[:, _I['neck']] - world_m[:, _I['pelvis']]
    upright = trunk_m[:, 2] > UPRIGHT * np.linalg.norm(trunk_m, axis=1)
    behind = (upright & (rng.random(n) < FURNITURE))[:, np.newaxis] & (z < top[:, np.newaxis])
    # An edge hides keypoints on one side of a line.
    angle = rng.uniform(-np.pi, np.pi, n)[:, np.newaxis]
    across = xyz_m[..., 0] * np.cos(angle) + xyz_m[..., 1] * np.sin(angle)
    at = (rng.uniform(0.1, 0.6, n) * _K).astype(np.intp)
    edge = np.sort(across, axis=1)[np.arange(n), at]
    beside = (rng.random(n) < EDGE)[:, np.newaxis] & (across < edge[:, np.newaxis])
    return hidden | ((behind | beside) & (rng.random((n, _K)) < 0.95))


def turned_away(xyz_m: Array) -> Mask:
    """Find which keypoints ``(n, K)`` are on the side of the head that faces away."""
    middle = (xyz_m[:, _I['left_ear']] + xyz_m[:, _I['right_ear']]) / 2
    away = np.zeros(xyz_m.shape[:2], bool)
    for name in ('nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear'):
        outward = xyz_m[:, _I[name]] - middle
        # Positive: it faces in the direction of the view.
        cosine = (outward * middle).sum(1)
        cosine = cosine / np.linalg.norm(outward, axis=1) / np.linalg.norm(middle, axis=1)
        away[:, _I[name]] = cosine > (0.35 if 'ear' in name else 0.2)
    return away


def self_occluded(xyz_m: Array) -> Mask:
    """Find which keypoints ``(n, K)`` of limbs are behind the trunk or the other side's limb."""
    hidden = np.zeros(xyz_m.shape[:2], bool)
    z_m = np.maximum(xyz_m[..., 2], 0.1)
    # Positions across the line of sight, m at the person's distance.
    across_m = xyz_m[..., :2] / z_m[..., np.newaxis] * z_m.mean(1)[:, np.newaxis, np.newaxis]
    neck, pelvis = _I['neck'], _I['pelvis']
    down_m = across_m[:, pelvis] - across_m[:, neck]
    length_m = np.linalg.norm(down_m, axis=1) + 1e-3
    shoulders = across_m[:, _I['left_shoulder']] - across_m[:, _I['right_shoulder']]
    half_m = np.maximum(np.linalg.norm(shoulders, axis=1) / 2, TRUNK_M)
    for part in ('elbow', 'wrist'):
        for side in ('left', 'right'):
            k = _I[f'{side}_{part}']
            from_neck = across_m[:, k] - across_m[:, neck]
            along = (from_neck * down_m).sum(1) / length_m**2
            aside_m = from_neck[:, 0] * down_m[:, 1] - from_neck[:, 1] * down_m[:, 0]
            inside = (np.abs(aside_m) < half_m * length_m) & (along > 0) & (along < 1.1)
            trunk_m = z_m[:, neck] + along * (z_m[:, pelvis] - z_m[:, neck])
            hidden[:, k] = inside & (z_m[:, k] > trunk_m + FURTHER_M)
    for part in ('shoulder', 'elbow', 'hip', 'knee', 'ankle'):
        left, right = _I[f'left_{part}'], _I[f'right_{part}']
        near = np.linalg.norm(across_m[:, left] - across_m[:, right], axis=1) < LIMB_M
        further_m = z_m[:, left] - z_m[:, right]
        hidden[:, left] |= near & (further_m > FURTHER_M)
        hidden[:, right] |= near & (further_m < -FURTHER_M)
    return hidden
