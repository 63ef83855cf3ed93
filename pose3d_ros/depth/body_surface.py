"""Where the skin is to be seen: keypoints are inside of limbs, and depth sensors see skin."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.skeleton import PANOPTIC19

Array = NDArray[np.float64]


class Part(NamedTuple):
    """A part of a body, m: how deep inside the keypoint is, how far around it the part goes on."""

    depth: float
    reach: float


# Depths: medians over eight horizontal directions of the distance from joint to skin of the body
# model Anny (NAVER, Apache-2.0), adults of both sexes, scaled to PARTS_HEIGHT_M and rounded; its
# arms hang at a slant, so the wrist's is less, and its shoulders' middle has arms and neck beside
# it, so the neck's is that to the front. Around the face's keypoints there is more face.
PARTS = {
    'neck': Part(0.07, 0.06),
    'nose': Part(0.01, 0.03),
    'eye': Part(0.01, 0.03),
    'ear': Part(0.005, 0.03),
    'shoulder': Part(0.06, 0.06),
    'elbow': Part(0.045, 0.045),
    'wrist': Part(0.03, 0.03),
    'pelvis': Part(0.10, 0.09),
    'hip': Part(0.10, 0.09),
    'knee': Part(0.058, 0.058),
    'ankle': Part(0.035, 0.035),
}
PARTS_HEIGHT_M = 1.75
# Towards which keypoint of its side a part goes on; along that limb there is more skin to read.
INWARD = {
    'elbow': 'shoulder', 'wrist': 'elbow', 'shoulder': 'hip',
    'hip': 'knee', 'knee': 'hip', 'ankle': 'knee',
}  # fmt: skip


def _inward(name: str) -> str:
    side, _, part = name.partition('_')
    return f'{side}_{INWARD[part]}' if part in INWARD else name


# Of each keypoint: in body heights, and the keypoint inward of it (itself where there is none).
DEPTH, PART_RADIUS = (
    np.array([PARTS[name.split('_')[-1]] for name in PANOPTIC19.keypoints]).T / PARTS_HEIGHT_M
)
INNER_NEIGHBOUR = PANOPTIC19.indices(tuple(_inward(name) for name in PANOPTIC19.keypoints))
# Samples around a keypoint, in reaches.
_ANGLES = np.arange(8) * np.pi / 4
SAMPLE_OFFSETS = np.concatenate(
    [[[0.0, 0.0]], *(r * np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], 1) for r in (0.35, 0.7))]
)
# Samples along its limb: shares of the way inward, and to the side, in reaches.
INWARD_SHARES, LATERAL_OFFSETS = np.array(
    [(t, v) for t in (0.1, 0.2, 0.3) for v in (-0.4, 0.0, 0.4)]
).T


class Skin(NamedTuple):
    """S places on the skin for each keypoint: directions x/z, y/z, and depths, m.

    ``(N, K, S, 2)`` and ``(N, K, S)``. NaN: none there.
    """

    rays: Array
    z_m: Array


def skin(xyz_m: Array, rays: Array, height_m: float) -> Skin:
    """Places on the skin around each seen keypoint and inward along its limb.

    Parameters
    ----------
    xyz_m
        ``(N, K, 3)`` m, people as lifted.
    rays
        ``(N, K, 2)``, where the keypoints are seen. NaN: not seen.
    height_m
        Everybody's height in that, m.
    """
    z_m = xyz_m[..., 2]
    with np.errstate(divide='ignore', invalid='ignore'):
        lifted = xyz_m[..., :2] / z_m[..., np.newaxis]
        inward = np.where(np.isfinite(rays), rays, lifted)[:, INNER_NEIGHBOUR] - rays
        direction = inward / np.linalg.norm(inward, axis=-1, keepdims=True)
        reach = (PART_RADIUS * height_m / z_m)[..., np.newaxis, np.newaxis]
    sideways = np.stack([-direction[..., 1], direction[..., 0]], axis=-1)[..., np.newaxis, :]
    around = reach * SAMPLE_OFFSETS
    along = (
        INWARD_SHARES[:, None] * inward[..., None, :] + LATERAL_OFFSETS[:, None] * reach * sideways
    )
    directions = rays[..., np.newaxis, :] + np.concatenate([around, along], axis=2)
    # How far from the limb's axis, in reaches; from the keypoint where there is no limb.
    off = np.abs((SAMPLE_OFFSETS * sideways).sum(-1))
    off = np.where(np.isnan(off), np.linalg.norm(SAMPLE_OFFSETS, axis=-1), off)
    off = np.concatenate(
        [off, np.broadcast_to(np.abs(LATERAL_OFFSETS), along.shape[:-1])], axis=-1
    )
    t = np.concatenate([np.zeros(len(SAMPLE_OFFSETS)), INWARD_SHARES])
    radius = DEPTH[:, np.newaxis] + t * (DEPTH[INNER_NEIGHBOUR] - DEPTH)[:, np.newaxis]
    to_axis_m = (
        np.sqrt(np.maximum(radius**2 - (off * PART_RADIUS[:, np.newaxis]) ** 2, 0)) * height_m
    )
    axis_m = z_m[..., np.newaxis] + t * (z_m[:, INNER_NEIGHBOUR] - z_m)[..., np.newaxis]
    return Skin(directions, axis_m - to_axis_m / np.sqrt(1 + (directions**2).sum(-1)))
