"""Lengths and cross products, and rotations as matrices and as unit quaternions (x, y, z, w)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Largest deviation of a quaternion's length from 1; tf2 has the same tolerance.
QUATERNION_TOLERANCE = 0.01


def lengths(vectors: NDArray[np.floating]) -> Array:
    """Return the lengths of vectors ``(..., 3)``; faster than `numpy.linalg.norm` for few."""
    return np.asarray(np.sqrt((vectors * vectors).sum(-1)))


def cross(a: NDArray[np.floating], b: NDArray[np.floating]) -> Array:
    """Return the cross product of vectors ``(..., 3)``; faster than `numpy.cross` for few."""
    ax, ay, az = a[..., 0], a[..., 1], a[..., 2]
    bx, by, bz = b[..., 0], b[..., 1], b[..., 2]
    xyz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
    return np.concatenate([component[..., np.newaxis] for component in xyz], axis=-1)


def rotation_matrix(xyzw: Array) -> Array:
    """Return the ``(3, 3)`` matrix of a unit quaternion ``(4,)``.

    Raises
    ------
    ValueError
        If its length is not 1 within ``QUATERNION_TOLERANCE``.
    """
    length = np.linalg.norm(xyzw)
    if not abs(length - 1) <= QUATERNION_TOLERANCE:  # False for NaN
        raise ValueError(f'a rotation must be a quaternion of length 1, found {xyzw.tolist()}')
    v, w = xyzw[:3] / length, xyzw[3] / length
    cross = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
    return np.asarray((w * w - v @ v) * np.eye(3) + 2 * np.outer(v, v) + 2 * w * cross)


def quaternion_xyzw(matrix: Array) -> Array:
    """Return the unit quaternion ``(4,)`` of a rotation ``(3, 3)``.

    Each row of four times the outer product of (x, y, z, w) with itself is a multiple of the
    quaternion. The row with the largest diagonal element is the most accurate (Shepperd, Journal
    of Guidance and Control 1(3), 1978).
    """
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = matrix.tolist()
    rows = np.array(
        [
            (1 + xx - yy - zz, xy + yx, xz + zx, zy - yz),
            (xy + yx, 1 - xx + yy - zz, yz + zy, xz - zx),
            (xz + zx, yz + zy, 1 - xx - yy + zz, yx - xy),
            (zy - yz, xz - zx, yx - xy, 1 + xx + yy + zz),
        ]
    )
    row = rows[np.argmax(np.diag(rows))]
    return np.asarray(row / np.linalg.norm(row))


def slerp(first_xyzw: Array, second_xyzw: Array, share: float) -> Array:
    """Return the unit quaternion ``(4,)`` at a share of the shorter way between two of them.

    Shoemake, Animating rotation with quaternion curves, 1985.
    """
    cosine = float(first_xyzw @ second_xyzw)
    if cosine < 0:  # the same rotation, from the other side
        second_xyzw, cosine = -second_xyzw, -cosine
    angle_rad = np.arccos(min(cosine, 1.0))
    if angle_rad < 1e-6:  # the sine would be 0
        between = (1 - share) * first_xyzw + share * second_xyzw
    else:
        between = np.sin((1 - share) * angle_rad) * first_xyzw
        between = between + np.sin(share * angle_rad) * second_xyzw
    return np.asarray(between / np.linalg.norm(between))
