"""Simulate keypoint detectors: sample noise, scores and missing keypoints of people.

Three in ten people are labelled by hand, the others detected by networks of all qualities: for
each person a typical noise, a mean score and the growth of the noise with falling scores are
sampled. The distributions were measured on real images (docs/models/lifting.md).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.skeleton import PANOPTIC19
from training.cameras import Cameras
from training.lifting.occlusion import behind_things, self_occluded, turned_away

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]
Rng = np.random.Generator

# Lengths are shares of 1.70 m at the person's distance unless stated otherwise.
# Labels: their share, the range of their noise, the share of less careful ones, and their noise.
LABELLED, LABEL_NOISE, CARELESS, CARELESS_NOISE = 0.3, (0.0, 0.004), 0.25, (0.004, 0.018)
# Noise of networks: median at a score of 1; standard deviation of its log over people, and over
# keypoints of a person; range of the rise of the log as scores fall from 1 to 0.
NOISE, NOISE_LOG_SD, KEYPOINT_LOG_SD, SCORE_SLOPE = 0.0065, 0.5, 0.5, (0.3, 2.3)
# Mean score of a person, and its change as the log of the noise rises by one standard deviation;
# standard deviations over people and over keypoints.
SCORE, SCORE_OF_NOISE, SCORE_SD, KEYPOINT_SCORE_SD = 0.74, -0.08, 0.12, 0.1
# Share of people detected by networks whose keypoints all have a score of 1, whatever the noise.
ALWAYS_CERTAIN = 0.15
# Factors of the noise of each part, and what is added to its score.
NOISE_FACTORS = {
    'nose': 0.6, 'eye': 0.6, 'ear': 0.7, 'neck': 0.7, 'shoulder': 0.9, 'elbow': 1.05,
    'wrist': 1.3, 'hip': 1.3, 'knee': 1.1, 'ankle': 1.3, 'pelvis': 1.0,
}  # fmt: skip
SCORE_OFFSETS = {'neck': 0.06, 'shoulder': 0.06, 'elbow': -0.02, 'wrist': -0.06, 'hip': -0.05}
# Keypoints behind the person's own body: factor of their noise, mean decrease of the score, and
# largest share by which they are drawn towards the other side's.
OCCLUDED_NOISE, OCCLUDED_SCORE, OCCLUDED_PULL = 1.8, 0.2, 0.5
# Share of a keypoint's noise that the next one of the limb has as well.
CHAINED = 0.35
# Size of a network's image, px, and range of the standard deviation of its peaks, px of it.
SIZE_PX, PEAK_PX = (448, 256), (0.2, 1.5)
# Networks find people smaller than they are, as their peaks lie further inside: mean and standard
# deviation of the share over people, and over limbs.
SMALLER, LIMB_SMALLER = (0.012, 0.02), (0.01, 0.03)
# Range of the share by which faces are contracted towards the middle of the ears.
FACE_SMALLER = (-0.1, 0.5)
# Outliers of networks: median over people of their share, and standard deviation of its log; their
# distance, m; range of the factor of their scores. The next keypoint of the limb is moved as well.
OUTLIERS, OUTLIERS_LOG_SD, OUTLIER_SD_M, OUTLIER_SCORE = 0.01, 1.0, 0.25, (0.3, 1.0)
# Factors of the share of outliers.
OUTLIER_FACTORS = {
    'wrist': 2.0, 'elbow': 1.5, 'ankle': 1.3, 'knee': 1.0, 'neck': 0.3, 'shoulder': 0.5,
}  # fmt: skip
# Shares of people detected by networks with left and right exchanged: arms, legs.
SWAPPED = {('elbow', 'wrist'): 0.01, ('hip', 'knee', 'ankle'): 0.02}
# Range of the score below which a network leaves a keypoint out.
THRESHOLD = (0.05, 0.3)
MIN_SCORE = 0.02
# Shares of labelled people, and of others, without the keypoints on the far side of the head.
LABEL_TURNED_AWAY, TURNED_AWAY = 0.4, 0.75

_K = len(PANOPTIC19)


def _per_keypoint(table: dict[str, float], default: float) -> Array:
    return np.array([table.get(name.split('_')[-1], default) for name in PANOPTIC19.keypoints])


_NOISE_FACTORS, _SCORE_OFFSETS, _OUTLIER_FACTORS = (
    _per_keypoint(table, default)
    for table, default in ((NOISE_FACTORS, 1.0), (SCORE_OFFSETS, 0.0), (OUTLIER_FACTORS, 0.8))
)
_CHAINS = tuple(
    tuple(PANOPTIC19.indices((f'{side}_{a}', f'{side}_{b}')))
    for side in ('left', 'right')
    for a, b in (('shoulder', 'elbow'), ('elbow', 'wrist'), ('hip', 'knee'), ('knee', 'ankle'))
)
_SIDES = tuple(
    tuple(PANOPTIC19.indices((f'left_{part}', f'right_{part}')))
    for part in ('shoulder', 'elbow', 'wrist', 'hip', 'knee', 'ankle')
)
_EARS = PANOPTIC19.indices(('left_ear', 'right_ear'))
_FACE = PANOPTIC19.indices(('nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear'))


def detect(rng: Rng, world_m: Array, xyz_m: Array, camera: Cameras) -> tuple[Array, Array]:
    """Sample the detections of people in the images of their cameras.

    Parameters
    ----------
    rng
        Random numbers.
    world_m, xyz_m
        ``(n, K, 3)`` m, in the world (z up) and in the camera optical frame.
    camera
        The cameras.

    Returns
    -------
    rays
        ``(n, K, 2)``. NaN: not detected.
    scores
        ``(n, K)``. 0: not detected.
    """
    n = len(xyz_m)
    labelled = rng.random(n) < LABELLED
    hand, network = np.flatnonzero(labelled), np.flatnonzero(~labelled)
    rays, scores = np.empty((n, _K, 2)), np.empty((n, _K))
    rays[hand], scores[hand] = by_hand(rng, xyz_m[hand])
    rays[network], scores[network] = by_network(rng, xyz_m[network], camera.tangents[network])
    detected = camera.inside(xyz_m) & ~behind_things(rng, world_m, xyz_m) & (scores > 0)
    return np.where(detected[..., np.newaxis], rays, np.nan), np.where(detected, scores, 0)


def by_hand(rng: Rng, xyz_m: Array) -> tuple[Array, Array]:
    """Sample labels: little noise, scores of 1. Returns rays and scores, see `detect`."""
    n = len(xyz_m)
    noise = np.where(
        rng.random(n) < CARELESS, rng.uniform(*CARELESS_NOISE, n), rng.uniform(*LABEL_NOISE, n)
    )
    sd = (noise * 1.7 / _distance_m(xyz_m))[:, np.newaxis] * _NOISE_FACTORS
    rays = _project(xyz_m) + sd[..., np.newaxis] * rng.standard_normal((n, _K, 2), np.float32)
    away = (rng.random(n) < LABEL_TURNED_AWAY)[:, np.newaxis] & turned_away(xyz_m)
    return rays, np.where(away, 0.0, 1.0)


def by_network(rng: Rng, xyz_m: Array, tangents: Array) -> tuple[Array, Array]:
    """Sample detections by networks of all qualities. Returns rays and scores, see `detect`.

    `tangents`: ``(n, 2)``, half the width and the height of the image at distance 1.
    """
    n = len(xyz_m)
    occluded, away = self_occluded(xyz_m), turned_away(xyz_m)
    quality = rng.standard_normal((n, 1))
    mean_score = SCORE + SCORE_OF_NOISE * quality + rng.normal(0, SCORE_SD, (n, 1))
    scores = mean_score + _SCORE_OFFSETS + rng.normal(0, KEYPOINT_SCORE_SD, (n, _K))
    scores -= (occluded | away) * np.abs(rng.normal(0, OCCLUDED_SCORE / 0.8, (n, _K)))
    scores = np.clip(scores, MIN_SCORE, 1)
    log_noise = NOISE_LOG_SD * quality + KEYPOINT_LOG_SD * rng.standard_normal((n, _K))
    log_noise += rng.uniform(*SCORE_SLOPE, (n, 1)) * (1 - scores)
    sd = NOISE * np.exp(log_noise) * _NOISE_FACTORS * np.where(occluded, OCCLUDED_NOISE, 1)
    distance_m = _distance_m(xyz_m)[:, np.newaxis]
    pixel = (2 * tangents / SIZE_PX).max(1)[:, np.newaxis]
    sd = np.hypot(sd * 1.7 / distance_m, pixel * rng.uniform(*PEAK_PX, (n, 1)))
    share = OUTLIERS * np.exp(OUTLIERS_LOG_SD * rng.standard_normal((n, 1)))
    outlier = rng.random((n, _K)) < share * _OUTLIER_FACTORS
    sd = np.where(outlier, OUTLIER_SD_M / distance_m, sd)
    scores = np.where(outlier, scores * rng.uniform(*OUTLIER_SCORE, (n, _K)), scores)
    noise = sd[..., np.newaxis] * rng.standard_normal((n, _K, 2), np.float32)
    for first, second in _CHAINS:
        noise[:, second] += np.where(outlier[:, [first]], 1, CHAINED) * noise[:, first]
    rays = _pulled(rng, shrunk(rng, _project(xyz_m)), occluded)
    rays = _exchanged(rng, rays) + noise
    missing = scores < rng.uniform(*THRESHOLD, (n, 1))
    missing |= away & (rng.random((n, 1)) < TURNED_AWAY)
    scores = np.where(rng.random((n, 1)) < ALWAYS_CERTAIN, 1, scores)
    return rays, np.where(missing, 0, scores)


def _distance_m(xyz_m: Array) -> Array:
    return np.asarray(np.maximum(xyz_m[..., 2].mean(1), 0.3))


def _project(xyz_m: Array) -> Array:
    return np.asarray(xyz_m[..., :2] / np.maximum(xyz_m[..., 2:], 0.1))


def shrunk(rng: Rng, rays: Array) -> Array:
    """Shrink people about their middle, and single limbs, by random shares."""
    n = len(rays)
    smaller = rng.normal(*SMALLER, n)[:, np.newaxis, np.newaxis]
    rays = rays - smaller * (rays - rays.mean(1, keepdims=True))
    moved = rays.copy()
    middle = rays[:, _EARS].mean(1, keepdims=True)
    share = rng.uniform(*FACE_SMALLER, n)[:, np.newaxis, np.newaxis]
    moved[:, _FACE] -= share * (moved[:, _FACE] - middle)
    for first, second in _CHAINS:
        share = 1 - rng.normal(*LIMB_SMALLER, (n, 1))
        moved[:, second] = moved[:, first] + share * (rays[:, second] - rays[:, first])
    return moved


def _pulled(rng: Rng, rays: Array, occluded: Mask) -> Array:
    """Move occluded keypoints towards the same part of the other side."""
    pulled = rays.copy()
    for left, right in _SIDES:
        share = rng.uniform(0, OCCLUDED_PULL, (len(rays), 1))
        across = share * (rays[:, right] - rays[:, left])
        pulled[:, left] += occluded[:, [left]] * across
        pulled[:, right] -= occluded[:, [right]] * across
    return pulled


def _exchanged(rng: Rng, rays: Array) -> Array:
    """Exchange left and right of arms or legs of some people."""
    rays = rays.copy()
    for parts, share in SWAPPED.items():
        rows = np.flatnonzero(rng.random(len(rays)) < share)
        left, right = (
            PANOPTIC19.indices(tuple(f'{side}_{part}' for part in parts))
            for side in ('left', 'right')
        )
        rays[np.ix_(rows, left)], rays[np.ix_(rows, right)] = (
            rays[np.ix_(rows, right)],
            rays[np.ix_(rows, left)],
        )
    return rays
