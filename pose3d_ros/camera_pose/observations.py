"""What each person tells of how the camera stands.

Two things are observed. The observer network, which was trained on sampled bodies, sees in a
person's keypoints which way is up and how far away and how high above the floor the person is,
with a covariance. People who stand straight show in addition where the floor is under them and how
high above it their neck is: the head-foot homology of walking people (Lv, Zhao and Nevatia, Camera
calibration from video of a walking human, IEEE PAMI 2006), which needs no network.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera_pose.person_features import FEATURES, person_features
from pose3d_ros.skeleton import PANOPTIC19

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

WEIGHTS = Path(__file__).resolve().parents[1] / 'models' / 'weights' / 'camera_pose.npz'
# Outputs: up 3, height, logarithm of depth times spread, diagonal 4 and rest 6 of the whitening.
OUTPUTS = 15
# Offsets and factors of the outputs, as in training.
MEAN_HEIGHT_M, DIAGONAL_OFFSET, REST_FACTOR = 0.9, 2.0, 5.0
DIAGONAL_RANGE = (-3.0, 6.0)
# Height of the adults that the network was trained with, m.
UNIT_HEIGHT_M = 1.70
# Fewer keypoints than this tell nothing of the camera.
MIN_KEYPOINTS = 8
# People stand straight if no leg's two halves are longer than the leg by this factor, the trunk
# continues the legs within this cosine, and its share of the length is in this range.
MAX_LEG_BEND, MIN_TRUNK_COSINE, TRUNK_SHARE = 1.06, 0.94, (0.30, 0.47)

_NECK = PANOPTIC19.index('neck')
_HIPS, _KNEES, _ANKLES = (
    PANOPTIC19.indices((f'left_{part}', f'right_{part}')) for part in ('hip', 'knee', 'ankle')
)


class Observations(NamedTuple):
    """What N people tell of the camera; all directions in the camera optical frame.

    Parameters
    ----------
    axis
        ``(N, 3)`` unit vectors from the camera to the middle of each person.
    up
        ``(N, 3)`` unit vectors, up as seen in each person.
    across, inward
        ``(N, 3)`` unit tangents at `up`: in the image, and towards and away from the camera.
    covariance
        ``(N, 4, 4)`` of up along both tangents, rad, of `height_m`, m, and of log `depth_m`.
    height_m
        ``(N,)`` height above the floor of the point `depth_m` along `axis`, m.
    depth_m
        ``(N,)`` depth of the root along `axis`, m.
    foot
        ``(N, 3)`` ray x/z, y/z, 1 of the middle between the ankles.
    neck
        ``(N, 2)`` ray x/z, y/z of the neck.
    straight
        ``(N,)``, whether the person stands straight; without it `foot` and `neck` mean nothing.
    enough
        ``(N,)``, whether enough keypoints are detected for the observation to be used.
    """

    axis: Array
    up: Array
    across: Array
    inward: Array
    covariance: Array
    height_m: Array
    depth_m: Array
    foot: Array
    neck: Array
    straight: Mask
    enough: Mask

    def take(self, which: NDArray[np.intp] | Mask) -> Observations:
        """Return some of them."""
        return Observations._make(array[which] for array in self)

    def join(self, other: Observations) -> Observations:
        """Return these and others."""
        return Observations._make(np.concatenate(pair) for pair in zip(self, other, strict=True))


class Observer:
    """Observe the camera in people with the bundled network.

    Parameters
    ----------
    weights
        Path of the weights, an ``.npz`` of a multilayer perceptron.

    Raises
    ------
    ValueError
        If the layers have other sizes than features and outputs.
    OSError
        If the file cannot be read.
    """

    def __init__(self, weights: Path = WEIGHTS) -> None:
        with np.load(weights) as archive:
            names = sorted((n for n in archive if n.endswith('weight')),
                           key=lambda n: int(n.split('.')[0]))  # fmt: skip
            self._layers = [
                (archive[n].astype(np.float32).T, archive[n[:-6] + 'bias'].astype(np.float32))
                for n in names
            ]
        if not names or (len(self._layers[0][0]), len(self._layers[-1][1])) != (FEATURES, OUTPUTS):
            raise ValueError(
                f'{weights} must hold layers from {FEATURES} to {OUTPUTS} numbers, '
                f'found {[layer.shape for layer, _ in self._layers]}'
            )

    def observe(self, rays: Array, scores: Array, assumed_height_m: float) -> Observations:
        """Observe the camera in N people.

        Parameters
        ----------
        rays
            ``(N, K, 2)``, x/z and y/z in the camera optical frame. NaN: not detected.
        scores
            ``(N, K)`` in [0, 1]. 0: not detected.
        assumed_height_m
            Height of adults, m.
        """
        scores = np.where(np.isfinite(rays[..., 0]), scores, 0)
        view = person_features(rays, scores)
        x = view.features
        for i, (weight, bias) in enumerate(self._layers):
            x = x @ weight + bias
            if i < len(self._layers) - 1:
                np.maximum(x, 0, out=x)
        out = x.astype(np.float64)
        scale = assumed_height_m / UNIT_HEIGHT_M
        up, across, inward = _tangents(out[:, :3] + (0.0, -1.0, 0.0))
        to_camera = view.axes.transpose(0, 2, 1)
        units = np.array([1, 1, scale, 1])
        up, across, inward = (
            (to_camera @ vectors[..., np.newaxis])[..., 0] for vectors in (up, across, inward)
        )
        foot, neck, straight = _foot_and_neck(rays, scores)
        return Observations(
            axis=view.axes[:, 2].astype(np.float64),
            up=up,
            across=across,
            inward=inward,
            covariance=units[:, np.newaxis] * _covariance(out[:, 5:]) * units,
            height_m=scale * (out[:, 3] + MEAN_HEIGHT_M),
            depth_m=scale * np.exp(out[:, 4]) / view.spread,
            foot=foot,
            neck=neck,
            straight=straight,
            enough=np.asarray((scores > 0).sum(1) >= MIN_KEYPOINTS),
        )


def _tangents(mean: Array) -> tuple[Array, Array, Array]:
    """Return unit vectors ``(N, 3)``, and x and z axis turned as (0, -1, 0) is to each."""
    up = mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-3)
    x, y, z = up.T
    scale = 1 / np.maximum(1 - y, 1e-2)
    across = np.stack([1 - x * x * scale, x, -x * z * scale], axis=1)
    inward = np.stack([-x * z * scale, z, 1 - z * z * scale], axis=1)
    return up, across, inward


def _covariance(out: Array) -> Array:
    """Covariances ``(N, 4, 4)`` from the lower triangles ``(N, 10)`` of their whitening."""
    lower = np.zeros((len(out), 4, 4))
    lower[:, range(4), range(4)] = np.exp(np.clip(out[:, :4] + DIAGONAL_OFFSET, *DIAGONAL_RANGE))
    rows, columns = np.tril_indices(4, -1)
    lower[:, rows, columns] = REST_FACTOR * out[:, 4:]
    inverse = np.linalg.inv(lower)
    return np.asarray(inverse @ inverse.transpose(0, 2, 1))


def _foot_and_neck(rays: Array, scores: Array) -> tuple[Array, Array, Mask]:
    """Foot ``(N, 3)`` and neck ``(N, 2)`` of people, and who of them stands straight ``(N,)``."""
    needed = np.concatenate([[_NECK], _HIPS, _KNEES, _ANKLES])
    seen = np.asarray((scores[:, needed] > 0).all(1))
    rays = np.where(seen[:, np.newaxis, np.newaxis], rays, 0)
    hips, knees, ankles, neck = rays[:, _HIPS], rays[:, _KNEES], rays[:, _ANKLES], rays[:, _NECK]
    halves = np.linalg.norm(hips - knees, axis=-1) + np.linalg.norm(knees - ankles, axis=-1)
    bent = halves > MAX_LEG_BEND * np.linalg.norm(hips - ankles, axis=-1)
    hip, ankle = hips.mean(1), ankles.mean(1)
    trunk, leg = neck - hip, hip - ankle
    long_trunk, long_leg = np.linalg.norm(trunk, axis=-1), np.linalg.norm(leg, axis=-1)
    along = (trunk * leg).sum(-1) > MIN_TRUNK_COSINE * long_trunk * long_leg
    share = long_trunk / np.maximum(long_trunk + long_leg, 1e-9)
    straight = seen & ~bent.all(1) & along & (share > TRUNK_SHARE[0]) & (share < TRUNK_SHARE[1])
    return np.concatenate([ankle, np.ones((len(rays), 1))], axis=1), neck, straight
