"""Sample the body surface around keypoints.

Keypoints lie inside the body, and depth sensors measure its surface.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.skeleton import PANOPTIC19

Array = NDArray[np.float64]


class Part(NamedTuple):
    """A part of a body of height ``PARTS_HEIGHT_M``.

    Parameters
    ----------
    depth
        Distance from the keypoint to the skin, m.
    radius
        Radius around the keypoint in which the surface belongs to the same part, m.
    """

    depth: float
    radius: float


# Depths are medians over eight horizontal directions of the distance from joint to skin in the
# body model Anny (NAVER, Apache-2.0), adults of both sexes, scaled to PARTS_HEIGHT_M and rounded.
# Two exceptions: its arms are not horizontal, so the wrist's depth is smaller; beside the middle
# of the shoulders are arms and neck, so the neck's depth is the one to the front. Keypoints of the
# face are surrounded by face, so their radius exceeds their depth.
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
# The neighbouring keypoint of the same side, towards the trunk or along it: the limb between the
# two is sampled as well.
INNER_PART = {
    'elbow': 'shoulder', 'wrist': 'elbow', 'shoulder': 'hip',
    'hip': 'knee', 'knee': 'hip', 'ankle': 'knee',
}  # fmt: skip


def _inner_neighbour(name: str) -> str:
    """Return the neighbour of a keypoint, itself where it has none."""
    side, _, part = name.partition('_')
    return f'{side}_{INNER_PART[part]}' if part in INNER_PART else name


# For each keypoint: depth and radius of its part in body heights, and the row of its neighbour.
DEPTH, PART_RADIUS = (
    np.array([PARTS[name.split('_')[-1]] for name in PANOPTIC19.keypoints]).T / PARTS_HEIGHT_M
)
INNER_NEIGHBOUR = PANOPTIC19.indices(
    tuple(_inner_neighbour(name) for name in PANOPTIC19.keypoints)
)
# Samples around a keypoint, in radii of its part.
_ANGLES = np.arange(8) * np.pi / 4
SAMPLE_OFFSETS = np.concatenate(
    [[[0.0, 0.0]], *(r * np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], 1) for r in (0.35, 0.7))]
)
# Samples along its limb: share of the way to the neighbour, and lateral offset in radii.
INWARD_SHARES, LATERAL_OFFSETS = np.array(
    [(t, v) for t in (0.1, 0.2, 0.3) for v in (-0.4, 0.0, 0.4)]
).T


class SurfaceSamples(NamedTuple):
    """S points of the body surface for each keypoint. NaN: no point.

    Parameters
    ----------
    rays
        ``(N, K, S, 2)``, x/z, y/z.
    z_m
        ``(N, K, S)``, expected depth, m.
    """

    rays: Array
    z_m: Array


def sample_surface(xyz_m: Array, rays: Array, height_m: float) -> SurfaceSamples:
    """Sample the surface around each detected keypoint and along its limb.

    Parameters
    ----------
    xyz_m
        ``(N, K, 3)`` m, 3D poses before the correction, camera optical frame.
    rays
        ``(N, K, 2)``, x/z, y/z of the detected keypoints. NaN: not detected.
    height_m
        Height of a person that was assumed for `xyz_m`, m.
    """
    z_m = xyz_m[..., 2]
    with np.errstate(divide='ignore', invalid='ignore'):
        lifted = xyz_m[..., :2] / z_m[..., np.newaxis]
        inward = np.where(np.isfinite(rays), rays, lifted)[:, INNER_NEIGHBOUR] - rays
        direction = inward / np.linalg.norm(inward, axis=-1, keepdims=True)
        radius = (PART_RADIUS * height_m / z_m)[..., np.newaxis, np.newaxis]
    sideways = np.stack([-direction[..., 1], direction[..., 0]], axis=-1)[..., np.newaxis, :]
    around = radius * SAMPLE_OFFSETS
    along = (
        INWARD_SHARES[:, None] * inward[..., None, :]
        + LATERAL_OFFSETS[:, None] * radius * sideways
    )
    directions = rays[..., np.newaxis, :] + np.concatenate([around, along], axis=2)
    # Distance from the limb's axis in radii; from the keypoint where it has no limb.
    off = np.abs((SAMPLE_OFFSETS * sideways).sum(-1))
    off = np.where(np.isnan(off), np.linalg.norm(SAMPLE_OFFSETS, axis=-1), off)
    off = np.concatenate(
        [off, np.broadcast_to(np.abs(LATERAL_OFFSETS), along.shape[:-1])], axis=-1
    )
    t = np.concatenate([np.zeros(len(SAMPLE_OFFSETS)), INWARD_SHARES])
    depth = DEPTH[:, np.newaxis] + t * (DEPTH[INNER_NEIGHBOUR] - DEPTH)[:, np.newaxis]
    to_axis_m = (
        np.sqrt(np.maximum(depth**2 - (off * PART_RADIUS[:, np.newaxis]) ** 2, 0)) * height_m
    )
    axis_m = z_m[..., np.newaxis] + t * (z_m[:, INNER_NEIGHBOUR] - z_m)[..., np.newaxis]
    return SurfaceSamples(directions, axis_m - to_axis_m / np.sqrt(1 + (directions**2).sum(-1)))
