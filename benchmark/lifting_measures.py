"""Absolute errors of people, their stated uncertainty, and errors of accelerations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark.lifting_data import BELOW_DESK, Condition, Lift, Scene, degraded
from pose3d_ros.evaluation.pose_errors import ROOT
from pose3d_ros.people import K, People3D
from pose3d_ros.skeleton import PANOPTIC19
from pose3d_ros.tracking.smoothing import Smoother
from pose3d_ros.tracking.tracker import Tracker

Array = NDArray[np.float64]

# A keypoint is correct within this distance, m (3DPCK).
CORRECT_M = 0.15
# Squared lengths, in standard deviations, within which 50 and 90 % of a normal distribution in
# three dimensions are, and of the network's Laplace distribution of the same variance.
NORMAL_SQUARED = (2.366, 6.251)
LAPLACE_SQUARED = (1.788, 7.081)
# Rate of the motion capture, Hz.
CAPTURE_HZ = 29.97
NECK = PANOPTIC19.index('neck')
_LIMBS = np.arange(K) != ROOT
_UPPER = ~BELOW_DESK & _LIMBS & (np.arange(K) != NECK)


class Measures(NamedTuple):
    """Errors of one person.

    Parameters
    ----------
    root_m
        ``(3,)``, absolute error of the root on each axis of the camera, m.
    correct, correct_absolute
        Share of the keypoints within ``CORRECT_M``, with the roots together and in the camera's
        frame.
    upper_m
        Mean error of the keypoints above the hips with the necks together, m.
    root_squared
        Squared error of the root, in standard deviations of its covariance.
    keypoints_squared
        ``(K,)``, squared errors of keypoints relative to the root, in standard deviations.
    """

    root_m: Array
    correct: float
    correct_absolute: float
    upper_m: float
    root_squared: float
    keypoints_squared: Array


def measure(true_m: Array, people: People3D, i: int) -> Measures | None:
    """Compare the i-th of some people with the truth ``(K, 3)`` m; None: they have no position."""
    found_m = people.xyz_m[i]
    off_m = found_m - true_m
    if not np.isfinite(off_m[ROOT]).all():
        return None
    relative_m = off_m - off_m[ROOT]
    lengths_m = np.linalg.norm(relative_m, axis=1)
    known = _LIMBS & np.isfinite(lengths_m)
    upper = known & _UPPER
    from_neck_m = np.linalg.norm(off_m - off_m[NECK], axis=1)
    covariance_m2 = people.root_covariance_m2[i]
    squared = np.nan
    if np.isfinite(covariance_m2).all():
        squared = float(off_m[ROOT] @ np.linalg.solve(covariance_m2, off_m[ROOT]))
    sd_m = np.full(K, np.nan) if people.sd_m is None else people.sd_m[i]
    return Measures(
        np.abs(off_m[ROOT]),
        float((lengths_m[known] < CORRECT_M).mean()),
        float((np.linalg.norm(off_m, axis=1)[known] < CORRECT_M).mean()),
        float(from_neck_m[upper].mean()) if upper.any() else np.nan,
        squared,
        np.where(known, (lengths_m / sd_m) ** 2, np.nan),
    )


def cells(measures: Sequence[Measures]) -> list[str]:
    """Return the columns of the table of `HEADER` of people: mm, and shares."""
    if not measures:
        return ['-'] * 7
    root_mm = 1000 * np.array([m.root_m for m in measures])
    mrpe_mm = np.linalg.norm(root_mm, axis=1).mean()
    x, y, z = root_mm.mean(0)
    upper_mm = 1000 * np.nanmean([m.upper_m for m in measures])
    correct, absolute = (
        100 * np.mean([getattr(m, name) for m in measures])
        for name in ('correct', 'correct_absolute')
    )
    root = _held(np.array([m.root_squared for m in measures]), NORMAL_SQUARED)
    keypoints = _held(np.array([m.keypoints_squared for m in measures]), LAPLACE_SQUARED)
    return [
        f'{mrpe_mm:.0f}', f'{x:.0f} / {y:.0f} / {z:.0f}', f'{correct:.0f}', f'{absolute:.0f}',
        f'{upper_mm:.0f}', root, keypoints,
    ]  # fmt: skip


HEADER = (
    '| people of | keypoints | people | MRPE | x / y / z | PCK | PCK_abs | upper body | '
    'root in 50 / 90 % | keypoints in 50 / 90 % |\n|---|---|---|---|---|---|---|---|---|---|'
)


def _held(squared: Array, limits: tuple[float, float]) -> str:
    known = squared[np.isfinite(squared)]
    if not len(known):
        return '-'
    return ' / '.join(f'{100 * (known < limit).mean():.0f}' for limit in limits)


def acceleration_errors(
    scenes: Sequence[Scene], condition: Condition, lift: Lift, seed: int = 0
) -> Array:
    """Return mean errors of accelerations in motion capture, ``(2, 2)`` m/s2.

    Of keypoints relative to the root, and of the root; each as lifted, and after tracking and
    smoothing.
    """
    errors = []
    for camera in _by_camera(scenes):
        tracker, smoother = Tracker(), Smoother()
        images: list[list[Array]] = []
        for i, (scene, people) in enumerate(degraded(camera, condition, seed)):
            found = lift(scene, people, scene.camera_pose if condition.with_camera_pose else None)
            tracked = smoother.smooth(tracker.update(found, i / CAPTURE_HZ), i / CAPTURE_HZ)
            images.append([scene.xyz_m, found.xyz_m, tracked.people.xyz_m])
        true, *others = np.diff(np.array(images), 2, axis=0).swapaxes(0, 1) * CAPTURE_HZ**2
        errors.append([other - true for other in others])
    # ``(2, T, N, K, 3)``, as lifted and smoothed.
    off = np.concatenate(errors, axis=2)
    relative = np.linalg.norm(off - off[..., [ROOT], :], axis=-1)[..., _LIMBS]
    root = np.linalg.norm(off[..., ROOT, :], axis=-1)
    return np.array([np.nanmean(relative, axis=(1, 2, 3)), np.nanmean(root, axis=(1, 2))])


def _by_camera(scenes: Sequence[Scene]) -> list[list[Scene]]:
    """Return the motion capture of each camera, in order of time."""
    cameras: dict[bytes, list[Scene]] = {}
    for scene in scenes:
        if scene.group == 'motion capture' and scene.camera_pose is not None:
            cameras.setdefault(scene.camera_pose.up.tobytes(), []).append(scene)
    return list(cameras.values())
