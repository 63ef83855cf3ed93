"""Prediction of where people are: a velocity that fades, with the keypoints in the image.

The position of a person is estimated by a Kalman filter whose velocity is an Ornstein-Uhlenbeck
process (people keep their velocity for about a second): laterally in the image, where one camera
is precise, with a scale in px/m; along the optical axis by the depth. The measurement is the
displacement of the keypoints that are known before and after, so that hidden limbs cause none.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.geometry.robust import nan_median
from pose3d_ros.people import People3D
from pose3d_ros.skeleton import PANOPTIC19

Array = NDArray[np.float64]
Motion = NDArray[np.void]

K = len(PANOPTIC19)

# Standard deviation of the velocity of people on each axis, m/s, and the time after which a
# velocity has faded to 1/e, s.
SPEED_M_S = 1.25
SPEED_LASTS_S = 1.0
# Standard deviation of measured positions, m: lateral by very many keypoints, what a single
# keypoint adds to that, and by the 3D position where no keypoint is known before and after.
LATERAL_SD_M = 0.03
LATERAL_SD_OF_ONE_M = 0.1
LATERAL_SD_3D_M = 0.3
# Standard deviation of the depth, share of the depth.
DEPTH_SD_SHARE = 0.15
# Share by which the remembered pose is moved to the one in the image.
POSE_GAIN = 0.8
# Assumed where they are unknown: depth, m, and the scale of a person 10 m from a camera with a
# focal length of 1000 px, px/m.
UNKNOWN_DEPTH_M = 5.0
UNKNOWN_PX_PER_M = 100.0

# State of a person. xy_px, place_m: predicted keypoints in the image and median keypoint in the
# camera optical frame, NaN where never known. variance: lateral and depth, each with the variance
# of the position (m2), the covariance of position and velocity (m2/s) and the variance of the
# velocity (m2/s2).
MOTION = np.dtype(
    [
        ('xy_px', 'f8', (K, 2)),
        ('place_m', 'f8', 3),
        ('px_per_m', 'f8'),
        ('velocity_m_s', 'f8', 3),
        ('variance', 'f8', (2, 3)),
    ]
)
# Row of `variance` for x, y and z.
AXES = (0, 0, 1)


def observe(people: People3D) -> Motion:
    """Return the state ``(N,)`` of people who are detected for the first time."""
    motion = np.zeros(len(people), MOTION)
    motion['xy_px'] = people.people_2d.xy_px
    motion['place_m'] = nan_median(people.xyz_m.swapaxes(1, 2))
    motion['px_per_m'] = _px_per_m(people)
    motion['variance'][..., 2] = SPEED_M_S**2
    motion['variance'][:, 0, 0] = LATERAL_SD_M**2
    motion['variance'][:, 1, 0] = _depth_variance(motion)
    return motion


def predict(motion: Motion, dt_s: float) -> Motion:
    """Predict the state of people a time later."""
    kept = np.exp(-dt_s / SPEED_LASTS_S)
    travel_s = SPEED_LASTS_S * (1 - kept)
    after: Motion = motion.copy()
    step_m = motion['velocity_m_s'] * travel_s
    after['xy_px'] += (step_m[:, :2] * motion['px_per_m'][:, None])[:, None]
    after['place_m'] += step_m
    after['velocity_m_s'] *= kept
    noise = SPEED_M_S**2 * (1 - kept**2)  # keeps the variance of velocities constant
    both = motion['variance'][..., 1] + travel_s * motion['variance'][..., 2]
    after['variance'][..., 0] += (
        travel_s * (motion['variance'][..., 1] + both) + travel_s**2 * noise / 3
    )
    after['variance'][..., 1] = kept * both + travel_s * noise / 2
    after['variance'][..., 2] = kept**2 * motion['variance'][..., 2] + noise
    return after


def displacement(expected: Motion, observed: Motion) -> tuple[Array, Array]:
    """Measure the displacement of people from their predicted positions.

    Parameters
    ----------
    expected, observed
        Of ``MOTION``; their shapes are broadcast.

    Returns
    -------
    moved_m
        ``(..., 3)`` m. Lateral: the median over the keypoints that are known in both, else by
        the positions in 3D. NaN where neither is known.
    variance
        ``(..., 2)`` m2 of that measurement, lateral and depth.
    """
    moved_px = observed['xy_px'] - expected['xy_px']
    number = np.isfinite(moved_px[..., 0]).sum(axis=-1)
    moved_px = nan_median(moved_px.swapaxes(-1, -2))
    moved_m = observed['place_m'] - expected['place_m']
    common = number > 0
    lateral_m = moved_px / expected['px_per_m'][..., None]
    moved_m[..., :2] = np.where(common[..., None], lateral_m, moved_m[..., :2])
    variance = np.empty((*common.shape, 2))
    variance[..., 0] = np.where(
        common,
        LATERAL_SD_M**2 + LATERAL_SD_OF_ONE_M**2 / np.maximum(number, 1),
        LATERAL_SD_3D_M**2,
    )
    variance[..., 1] = _depth_variance(expected)
    return moved_m, variance


def correct(expected: Motion, observed: Motion, moved_m: Array, measured: Array) -> Motion:
    """Update the state of N people by their measured ``displacement`` and its variance."""
    after: Motion = expected.copy()
    known = np.isfinite(moved_m[:, ::2])
    moved_m = np.where(np.isfinite(moved_m), moved_m, 0.0)
    variance = expected['variance']
    total = (variance[..., 0] + measured)[..., None]
    gain = np.where(known[..., None], variance[..., :2] / total, 0.0)  # of position, of velocity
    after['variance'][..., :2] = (1 - gain[..., :1]) * variance[..., :2]
    after['variance'][..., 2] -= gain[..., 1] * variance[..., 1]
    after['velocity_m_s'] += gain[:, AXES, 1] * moved_m
    step_m = gain[:, AXES, 0] * moved_m
    place_m = expected['place_m'] + step_m
    after['place_m'] = np.where(np.isfinite(place_m), place_m, observed['place_m'])

    # The filter determines the position, the image the pose around it.
    scale = expected['px_per_m'][:, None]
    carried = expected['xy_px'] + (step_m[:, :2] * scale)[:, None]
    now = observed['xy_px'] - ((moved_m - step_m)[:, :2] * scale)[:, None]
    mixed = carried + POSE_GAIN * (now - carried)
    mixed = np.where(np.isnan(carried), now, mixed)
    after['xy_px'] = np.where(np.isnan(now), carried, mixed)
    scale_before, scale_now = expected['px_per_m'], observed['px_per_m']
    scale = np.where(
        scale_before == UNKNOWN_PX_PER_M, scale_now, np.sqrt(scale_before * scale_now)
    )
    after['px_per_m'] = np.where(scale_now == UNKNOWN_PX_PER_M, scale_before, scale)
    return after


def velocities(motion: Motion, depth: NDArray[np.void]) -> tuple[Array, Array]:
    """Compute the velocity of people in the camera optical frame.

    Across the view, `motion` has the velocity of the image of a person, scaled to the person's
    distance. A person who comes nearer moves across the optical axis, too, in order to stay on a
    ray that is aside of it.

    Parameters
    ----------
    motion
        ``(N,)`` of ``MOTION``.
    depth
        ``(N,)`` of ``range_filter.RANGE``, of the depth of the same people.

    Returns
    -------
    velocity_m_s, covariance
        ``(N, 3)`` m/s and ``(N, 3, 3)`` (m/s)2. NaN where the place is unknown.
    """
    place_m = motion['place_m']
    to_space = np.zeros((len(motion), 3, 3))
    to_space[:, (0, 1, 2), (0, 1, 2)] = 1.0
    to_space[:, :2, 2] = place_m[:, :2] / place_m[:, 2:]
    velocity = motion['velocity_m_s'].copy()
    velocity[:, 2] = np.where(np.isnan(depth['range_m']), np.nan, depth['speed'])
    variance = np.repeat(motion['variance'][:, :1, 2], 3, axis=1)
    variance[:, 2] = depth['variance'][:, 2]
    covariance = np.einsum('nij,nj,nkj->nik', to_space, variance, to_space)
    return np.einsum('nij,nj->ni', to_space, velocity), covariance


def depths(people: People3D, observed: Motion) -> tuple[Array, Array]:
    """Return the depth of each person, ``(N,)`` m, and its variance, m2.

    By the covariance that comes with the position, else a share of the depth.
    """
    depth_m = observed['place_m'][:, 2]
    stated = people.root_covariance_m2[:, 2, 2]
    return depth_m, np.where(np.isfinite(stated), stated, (DEPTH_SD_SHARE * depth_m) ** 2)


def _depth_variance(motion: Motion) -> Array:
    """Return the variance of the measured depth, m2; UNKNOWN_DEPTH_M where it is unknown."""
    distance_m = motion['place_m'][..., 2]
    known_m = np.where(np.isfinite(distance_m), distance_m, UNKNOWN_DEPTH_M)
    return np.asarray((DEPTH_SD_SHARE * known_m) ** 2 + 1e-4)


def _px_per_m(people: People3D) -> Array:
    """Compute the scale of each person in the image, ``(N,)`` px/m.

    The spread of the keypoints in the image over their spread in space, for those that are known
    in both.
    """
    places = np.concatenate([people.people_2d.xy_px, people.xyz_m[..., :2]], axis=-1)
    known = np.isfinite(places.sum(axis=-1, keepdims=True))
    number = np.maximum(known.sum(axis=1), 1)
    places = np.where(known, places, 0.0)
    square = (places**2).sum(axis=1) - places.sum(axis=1) ** 2 / number
    square_px, square_m = square[:, :2].sum(axis=-1), square[:, 2:].sum(axis=-1)
    usable = (square_px > 1) & (square_m > 0.05**2)
    return np.where(usable, np.sqrt(square_px / np.where(usable, square_m, 1.0)), UNKNOWN_PX_PER_M)
