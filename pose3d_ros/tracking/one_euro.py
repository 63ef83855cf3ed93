"""Smoothing over time: people who stand do not tremble, people who walk are not late.

The one-euro filter of Casiez, Roussel and Vogel (CHI 2012, https://gery.casiez.net/1euro/): a
low-pass filter whose cut-off frequency grows with speed, driven by the time that really passed.
The speed is the length of a velocity vector here, so that the directions of the axes do not
matter.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.skeleton import PANOPTIC19

Array = NDArray[np.float64]
State = NDArray[np.void]

K = len(PANOPTIC19)
ROOT = PANOPTIC19.index(PANOPTIC19.root)

VELOCITY_CUTOFF_HZ = 1.0  # as published

# One camera is far less sure of a person's distance than of the direction: speed along the ray
# opens the filter by this share of what speed across it does.
ALONG_RAY = 0.3

# What is remembered of a point that moves. NaN: nothing yet.
POINT = np.dtype(
    [('xyz_m', 'f8', 3), ('raw_m', 'f8', 3), ('velocity', 'f8', 3), ('stamp_s', 'f8')]
)


def nothing_yet(n: int) -> State:
    """State of n people who are new, ``(n, K + 1)``: keypoints about the root, root last."""
    return np.full((n, K + 1, 10), np.nan).view(POINT)[..., 0]


def smooth(
    state: State, xyz_m: Array, stamp_s: float, min_cutoff_hz: float, beta: float
) -> tuple[Array, State]:
    """Smooth where each person is and, apart from that, the pose.

    Parameters
    ----------
    state
        ``(N, K + 1)`` of ``POINT``: what was returned for the same people before.
    xyz_m
        ``(N, K, 3)`` m in the camera optical frame. NaN stays NaN; what was remembered of it is
        kept.
    stamp_s
        When they were seen, s.
    min_cutoff_hz
        Cut-off frequency of a point at rest.
    beta
        Hz per m/s by which speed raises it.

    Returns
    -------
    xyz_m, state
        Smoothed; what to hand in next time.
    """
    root_m, state = _roots(state, xyz_m)
    measured_m = np.concatenate([xyz_m - root_m[:, None], root_m[:, None]], axis=1)
    # A keypoint has no ray: it is filtered the same in all directions.
    ray = np.zeros_like(measured_m)
    distance_m = np.sqrt(_dot(root_m, root_m))
    ray[:, K] = root_m / np.where(distance_m > 0, distance_m, 1.0)
    state = _follow(state, measured_m, ray, stamp_s, min_cutoff_hz, beta)
    smoothed_m = state['xyz_m'][:, :K] + state['xyz_m'][:, K:]
    return np.where(np.isnan(xyz_m), np.nan, smoothed_m), state


def _roots(state: State, xyz_m: Array) -> tuple[Array, State]:
    """Where the root of each person is, ``(N, 3)`` m or NaN, and the state to go on from.

    Where the root was not measured, it is where the other keypoints say with the pose as it was.
    Where there are none in common either, smoothing starts anew, about the middle of what there
    is.
    """
    pose_m = state['xyz_m'][:, :K]
    started = ~np.isnan(pose_m[..., 0]).all(axis=1, keepdims=True)
    root_m = xyz_m[:, ROOT] - np.where(started, pose_m[:, ROOT], 0.0)
    for i in np.flatnonzero(np.isnan(root_m[:, 0])):
        known = np.isfinite(xyz_m[i, :, 0])
        common = known & np.isfinite(pose_m[i, :, 0])
        if common.any():
            root_m[i] = np.median((xyz_m[i] - pose_m[i])[common], axis=0)
        elif known.any():
            state = state.copy()
            state[i] = nothing_yet(1)
            root_m[i] = xyz_m[i, ROOT] if known[ROOT] else np.median(xyz_m[i, known], axis=0)
    return root_m, state


def _follow(
    state: State, measured_m: Array, ray: Array, stamp_s: float, min_cutoff_hz: float, beta: float
) -> State:
    """One step of the filter: points ``(...)`` of ``POINT`` measured at ``(..., 3)`` m.

    What is along a ray ``(..., 3)`` of length 1, or 0 for none, is filtered apart from what is
    across it.
    """
    dt_s = (stamp_s - state['stamp_s'])[..., None]
    later = dt_s > 0
    velocity = state['velocity']
    rate = (measured_m - state['raw_m']) / np.where(later, dt_s, np.inf)
    velocity = velocity + np.where(later, _gain(VELOCITY_CUTOFF_HZ, dt_s), 0.0) * (rate - velocity)
    error_m = measured_m - state['xyz_m']
    speed = _dot(velocity, ray)
    towards_m = _dot(error_m, ray) * ray
    across = velocity - speed * ray
    across_hz = min_cutoff_hz + beta * np.sqrt(_dot(across, across))
    along_hz = min_cutoff_hz + beta * ALONG_RAY * np.abs(speed)
    step_m = _gain(across_hz, dt_s) * (error_m - towards_m) + _gain(along_hz, dt_s) * towards_m

    first = np.isnan(dt_s)
    after = np.empty(state.shape, POINT)
    after['xyz_m'] = np.where(first, measured_m, state['xyz_m'] + step_m)
    after['raw_m'] = measured_m
    after['velocity'] = np.where(first, 0.0, velocity)
    after['stamp_s'] = stamp_s
    unknown = np.isnan(measured_m[..., 0])
    if unknown.any():
        after[unknown] = state[unknown]
    return after


def _gain(cutoff_hz: Array | float, dt_s: Array) -> Array:
    """How far a low-pass filter goes towards what is measured after a time."""
    turned = 2 * np.pi * cutoff_hz * dt_s
    return turned / (1 + turned)


def _dot(a: Array, b: Array) -> Array:
    """Scalar products along the last axis, which stays with length 1."""
    products: Array = np.einsum('...i,...i->...', a, b)[..., None]
    return products
