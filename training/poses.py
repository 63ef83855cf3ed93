"""Poses as angles within the limits of joints, and as rotations for `training.bodies`.

Angles are anatomical, so that blending two poses (`np.interp` over time and the like) is a smooth
motion through poses that joints allow. Degrees, because limits of joints are known in degrees.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.bodies import JOINTS

Array = NDArray[np.float64]

# Limits, degrees. All 0: standing straight, arms hanging, palms forward.
TRUNK_LIMITS = {
    'pitch': (-180, 180),  # of the whole body, forward
    'roll': (-180, 180),  # of the whole body, to its right
    'spine_flexion': (-25, 80),
    'spine_lateral': (-30, 30),
    'spine_twist': (-45, 45),
    'neck_flexion': (-50, 55),
    'neck_lateral': (-35, 35),
    'neck_twist': (-75, 75),
}
SIDE_LIMITS = {
    'clavicle_raised': (-8, 30),
    'clavicle_forward': (-15, 25),
    'arm_raised': (0, 175),  # from hanging
    'arm_plane': (-70, 130),  # in which it is raised: 0 sideways, 90 to the front
    'arm_twist': (-70, 90),  # inwards
    'elbow_flexion': (0, 148),
    'hip_flexion': (-25, 125),
    'hip_abduction': (-20, 55),
    'hip_twist': (-40, 45),  # outwards
    'knee_flexion': (0, 148),
    'ankle_flexion': (-35, 25),  # toes up
}
ANGLES = tuple(TRUNK_LIMITS) + tuple(f'{s}_{n}' for s in ('left', 'right') for n in SIDE_LIMITS)
LIMITS = np.array([*TRUNK_LIMITS.values(), *SIDE_LIMITS.values(), *SIDE_LIMITS.values()], float)
INDEX = {name: i for i, name in enumerate(ANGLES)}

# Directions of the left arm in the body model's reference pose, on average over shapes.
_UPPER_ARM = np.array([0.675, -0.020, -0.738])
_FOREARM = np.array([0.508, -0.681, -0.528])
_DOWN = np.array([0.0, 0.0, -1.0])
# Angle between its legs, degrees.
REFERENCE_ABDUCTION = 5.0


def within_limits(angles: Array) -> Array:
    """Clip angles to the limits of the joints."""
    return np.clip(angles, *LIMITS.T)


def mirrored(angles: Array) -> Array:
    """Mirror poses: exchange the sides, and negate rolls and twists of the trunk."""
    trunk, side = len(TRUNK_LIMITS), len(SIDE_LIMITS)
    out = np.concatenate(
        [angles[:, :trunk], angles[:, trunk + side :], angles[:, trunk : trunk + side]], axis=1
    )
    for name in ('roll', 'spine_lateral', 'spine_twist', 'neck_lateral', 'neck_twist'):
        out[:, INDEX[name]] *= -1
    return out


def rotations(angles: NDArray[np.floating], yaw_rad: NDArray[np.floating] | float = 0.0) -> Array:
    """Return rotations ``(n, J, 3, 3)`` for `training.bodies.posed` and `BodyModel.meshes`.

    Parameters
    ----------
    angles
        ``(n, A)``, degrees.
    yaw_rad
        ``(n,)``, where people face, about the vertical; 0 is -y.
    """
    a = dict(zip(ANGLES, np.deg2rad(angles).T, strict=True))
    out = np.broadcast_to(np.eye(3), (len(angles), len(JOINTS), 3, 3)).copy()
    pelvis = about(1, a['roll']) @ about(0, a['pitch'])
    out[:, JOINTS.index('pelvis')] = about(2, np.broadcast_to(yaw_rad, len(angles))) @ pelvis
    for part, joints in (('spine', ('lumbar', 'thorax', 'chest')), ('neck', ('neck', 'head'))):
        turn = [a[f'{part}_{how}'] / len(joints) for how in ('twist', 'lateral', 'flexion')]
        for joint in joints:
            out[:, JOINTS.index(joint)] = about(2, turn[0]) @ about(1, turn[1]) @ about(0, turn[2])
    for side in ('left', 'right'):
        for joint, rotation in _left_side(a, side).items():
            k = JOINTS.index(f'{side}_{joint}')
            # The right side is a mirrored left side.
            out[:, k] = rotation if side == 'left' else rotation * _MIRROR
    return out


_MIRROR = np.array([[1, -1, -1], [-1, 1, 1], [-1, 1, 1]])


def _left_side(a: dict[str, Array], side: str) -> dict[str, Array]:
    """Return the rotations of a side's joints, as for the left side."""
    raised, plane = a[f'{side}_arm_raised'], a[f'{side}_arm_plane']
    # Raised by the smallest rotation, about the horizontal axis across the plane.
    sideways = np.stack([np.cos(plane), -np.sin(plane), np.zeros_like(plane)], axis=-1)
    swing = _about_axis(np.cross(_DOWN, sideways), raised)
    hinge = _TO_HANGING.T @ (1.0, 0.0, 0.0)
    flexion = a[f'{side}_elbow_flexion'] - _REFERENCE_FLEXION
    elbow = _about_axis(np.broadcast_to(hinge, (len(raised), 3)), -flexion)
    hip = (
        about(0, -a[f'{side}_hip_flexion'])
        @ about(1, np.deg2rad(REFERENCE_ABDUCTION) - a[f'{side}_hip_abduction'])
        @ about(2, a[f'{side}_hip_twist'])
    )
    return {
        'clavicle': about(1, -a[f'{side}_clavicle_raised'])
        @ about(2, -a[f'{side}_clavicle_forward']),
        'shoulder': swing @ about(2, -a[f'{side}_arm_twist']) @ _TO_HANGING,
        'elbow': elbow @ _STRAIGHT,
        'hip': hip,
        'knee': about(0, a[f'{side}_knee_flexion']),
        'ankle': about(0, -a[f'{side}_ankle_flexion']),
    }


def about(axis: int, angle_rad: Array) -> Array:
    """Return rotations ``(n, 3, 3)`` about x, y or z (0, 1, 2)."""
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    out = np.zeros((len(angle_rad), 3, 3))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    out[:, axis, axis] = 1
    out[:, i, i] = out[:, j, j] = c
    out[:, i, j], out[:, j, i] = -s, s
    return out


def _about_axis(axis: Array, angle_rad: Array) -> Array:
    """Return rotations ``(n, 3, 3)`` about unit vectors ``(n, 3)`` (Rodrigues)."""
    x, y, z = axis.T
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(-1, 3, 3)
    s, c = np.sin(angle_rad)[:, None, None], np.cos(angle_rad)[:, None, None]
    return np.asarray(np.eye(3) + s * cross + (1 - c) * (cross @ cross))


def _shortest(start: Array, end: Array) -> Array:
    """Return the smallest rotation ``(3, 3)`` from one direction to another."""
    axis = np.cross(start, end)
    angle = np.arctan2(np.linalg.norm(axis), start @ end)
    turn = _about_axis((axis / np.linalg.norm(axis))[np.newaxis], np.array([angle]))
    return np.asarray(turn[0])


_TO_HANGING = _shortest(_UPPER_ARM / np.linalg.norm(_UPPER_ARM), _DOWN)
_BENT = _TO_HANGING @ _FOREARM / np.linalg.norm(_FOREARM)
# Flexion of the elbow there, and the remaining sideways angle, which is removed.
_REFERENCE_FLEXION = np.arctan2(-_BENT[1], -_BENT[2])
_STRAIGHT = (
    _TO_HANGING.T
    @ _shortest(_BENT, np.array([0, -np.sin(_REFERENCE_FLEXION), -np.cos(_REFERENCE_FLEXION)]))
    @ _TO_HANGING
)
