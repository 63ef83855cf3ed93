"""Residuals of observations under a hypothesis of how the camera stands, and their Jacobian.

The state is one row per hypothesis: roll and pitch of the camera, rad; its height above the floor,
m; two biases that all observed directions share, across and inward, rad; and the logarithm of each
track's size relative to the assumed height.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera_pose.observations import Observations

Array = NDArray[np.float64]

# Columns of the state that all observations share; those of the tracks follow.
ROLL, PITCH, HEIGHT, BIAS_ACROSS, BIAS_INWARD = range(5)
SHARED = 5
# Height of the middle of the ankles above the floor, and of the neck above that, of people of
# 1.70 m who walk, m.
ANKLES_M, NECK_M = 0.10, 1.31
# What the neck is off by along the body and across it, as shares of the length from foot to neck.
ALONG_SD, ACROSS_SD = 0.06, 0.07
# Error of the direction of up beyond what the network states, rad, and of the floor's height, m.
UP_SD_RAD, FLOOR_SD_M = 0.03, 0.04
# Bounds that keep hypotheses with people behind the camera or above the horizon finite.
MIN_DEPTH_M, MIN_DROP, MIN_COSINE = 0.1, 0.004, 0.2


class Evidence(NamedTuple):
    """Observations with what is known of them over time.

    Parameters
    ----------
    observations
        Of N people.
    track
        ``(N,)``, index of the track of each.
    walks
        ``(N,)``, whether it walks: then only foot and neck are used.
    weight
        ``(N,)``, how much each counts.
    neck_m
        Height of the neck above the ankles of people of the assumed height, m.
    """

    observations: Observations
    track: NDArray[np.intp]
    walks: NDArray[np.bool_]
    weight: Array
    neck_m: float = NECK_M


def up_vectors(theta: Array) -> tuple[Array, Array]:
    """Up ``(B, 3)`` of hypotheses ``(B, S)``, and its derivative by roll and pitch ``(B, 3, 2)``.

    Without roll and pitch up is (0, -1, 0); a camera that looks down has a negative pitch.
    """
    sin_r, cos_r = np.sin(theta[:, ROLL]), np.cos(theta[:, ROLL])
    sin_p, cos_p = np.sin(theta[:, PITCH]), np.cos(theta[:, PITCH])
    zero = np.zeros_like(sin_r)
    up = np.stack([-sin_r * cos_p, -cos_r * cos_p, sin_p], axis=1)
    by_roll = np.stack([-cos_r * cos_p, sin_r * cos_p, zero], axis=1)
    by_pitch = np.stack([sin_r * sin_p, cos_r * sin_p, cos_p], axis=1)
    return up, np.stack([by_roll, by_pitch], axis=-1)


def plane_sd_m(theta: Array, evidence: Evidence) -> Array:
    """Compute standard deviations of the height residual, ``(B, N)`` m.

    A point on a floor seen far away is off along its ray, not in height: distance counts with the
    geometric mean of the drop that was observed and of the one that the hypothesis needs.
    """
    seen, (up, _) = evidence.observations, up_vectors(theta)
    size = theta[:, SHARED:][:, evidence.track]
    height = theta[:, HEIGHT, np.newaxis] * np.exp(-size)
    drop = np.abs(seen.depth_m * (up @ seen.axis.T) * (seen.height_m - height))
    variance = seen.covariance[:, 2, 2] + seen.covariance[:, 3, 3] * np.maximum(drop, 1e-4)
    return np.asarray(np.sqrt(variance + FLOOR_SD_M**2))


def residuals(theta: Array, evidence: Evidence, sd_m: Array) -> tuple[Array, Array]:
    """Whitened residuals ``(B, N, 3)`` and their Jacobian ``(B, N, 3, SHARED + 1)``.

    The last column is the derivative by the size of the observation's own track. `sd_m` is what
    `plane_sd_m` says, held fixed.
    """
    up, by_angles = up_vectors(theta)
    walks = evidence.walks
    r = np.zeros((len(theta), len(walks), 3))
    jacobian = np.zeros((*r.shape, SHARED + 1))
    for which, of in ((np.flatnonzero(walks), _of_walkers), (np.flatnonzero(~walks), _of_others)):
        if not len(which):
            continue
        part = evidence._replace(
            observations=evidence.observations.take(which), track=evidence.track[which]
        )
        r[:, which], by_up, jacobian[:, which, :, HEIGHT:] = of(theta, up, part, sd_m[:, which])
        jacobian[:, which, :, :HEIGHT] = by_up @ by_angles[:, np.newaxis]
    return r, jacobian


def _of_others(
    theta: Array, up: Array, evidence: Evidence, sd_m: Array
) -> tuple[Array, Array, Array]:
    """Directions of up, and the height of the camera above the person's floor."""
    seen = evidence.observations
    n, size = len(evidence.track), theta[:, SHARED:][:, evidence.track]
    by_up = np.empty((len(theta), n, 3, 3))
    r, rest = np.zeros((len(theta), n, 3)), np.zeros((len(theta), n, 3, 4))
    inverse = 1 / np.maximum(1 + up @ seen.up.T, MIN_COSINE)
    for row, tangent in enumerate((seen.across, seen.inward)):
        sd = np.sqrt(seen.covariance[:, row, row] + UP_SD_RAD**2)
        off = 2 * inverse * (up @ tangent.T)
        r[..., row] = (off - theta[:, BIAS_ACROSS + row, np.newaxis]) / sd
        by_up[:, :, row] = (2 * inverse / sd)[..., np.newaxis] * tangent - (off * inverse / sd)[
            ..., np.newaxis
        ] * seen.up
        rest[:, :, row, 1 + row] = -1 / sd
    smaller = np.exp(-size)
    height = theta[:, HEIGHT, np.newaxis] * smaller
    r[..., 2] = (seen.height_m - seen.depth_m * (up @ seen.axis.T) - height) / sd_m
    by_up[:, :, 2] = -(seen.depth_m / sd_m)[..., np.newaxis] * seen.axis
    rest[:, :, 2, 0], rest[:, :, 2, 3] = -smaller / sd_m, height / sd_m
    return r, by_up, rest


def _of_walkers(
    theta: Array, up: Array, evidence: Evidence, sd_m: Array
) -> tuple[Array, Array, Array]:
    """Where the neck is over the foot in the image, along the body and across it."""
    seen = evidence.observations
    foot, size = seen.foot, theta[:, SHARED:][:, evidence.track]
    height_m = theta[:, HEIGHT, np.newaxis]
    drop = np.maximum(-(up @ foot.T), MIN_DROP)
    scale = (height_m - ANKLES_M) / drop
    length_m = evidence.neck_m * np.exp(size)
    neck_m = scale[..., np.newaxis] * foot + length_m[..., np.newaxis] * up[:, np.newaxis]
    depth_m = np.maximum(neck_m[..., 2:], MIN_DEPTH_M)
    projected = neck_m[..., :2] / depth_m
    body = seen.neck - foot[:, :2]
    apparent = np.maximum(np.linalg.norm(body, axis=1), 1e-6)
    x, y = (body / apparent[:, np.newaxis]).T
    # Rows: along the body and across it, in units of their standard deviations.
    turn = np.stack([np.stack([x, y], 1) / ALONG_SD, np.stack([-y, x], 1) / ACROSS_SD], axis=1)
    turn /= apparent[:, np.newaxis, np.newaxis]
    # Derivative of the projection by the neck's position.
    by_point = np.concatenate([np.broadcast_to(turn, (len(theta), *turn.shape)),
                               -(turn @ projected[..., np.newaxis])], axis=-1)  # fmt: skip
    by_point /= depth_m[..., np.newaxis]
    along_foot = (by_point @ foot[..., np.newaxis])[..., 0]
    by_drop = np.where(drop > MIN_DROP, scale / drop, 0)
    r, by_up = np.zeros((*drop.shape, 3)), np.zeros((*drop.shape, 3, 3))
    rest = np.zeros((*drop.shape, 3, 4))
    r[..., :2] = (turn @ (projected - seen.neck)[..., np.newaxis])[..., 0]
    by_up[..., :2, :] = (along_foot * by_drop[..., np.newaxis])[..., np.newaxis] * foot[
        :, np.newaxis
    ] + length_m[..., np.newaxis, np.newaxis] * by_point
    rest[..., :2, 0] = along_foot / drop[..., np.newaxis]
    rest[..., :2, 3] = (
        length_m[..., np.newaxis] * (by_point @ up[:, np.newaxis, :, np.newaxis])[..., 0]
    )
    return r, by_up, rest
