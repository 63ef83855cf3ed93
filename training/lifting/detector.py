"""What a keypoint detector sees of people: their keypoints with noise, and some missing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.skeleton import PANOPTIC19
from training.cameras import Cameras

Array = NDArray[np.floating]
Mask = NDArray[np.bool_]
Rng = np.random.Generator

# Shares of people whose keypoints are labelled by hand, seen well and seen badly; noise of each,
# as a share of 1.70 m at their distance.
NOISE = (((0.0, 0.004), 0.3), ((0.004, 0.018), 0.42), ((0.018, 0.06), 0.28))
# Share of networks' people of whom every keypoint has a score of 1, however far it is off.
ALWAYS_SURE = 0.3
# Some keypoints are harder than others.
HARDER = {
    'nose': 0.5, 'eye': 0.5, 'ear': 0.6, 'neck': 0.7, 'shoulder': 0.8,
    'elbow': 1.1, 'wrist': 1.6, 'hip': 1.3, 'knee': 1.1, 'ankle': 1.5, 'pelvis': 1.0,
}  # fmt: skip
# Share of the labels that are not as good as that.
CARELESS = 0.25
# A network's image is this large, and its peaks are off by so many of its pixels, about.
SIZE_PX, PEAK_PX = (448, 256), (0.3, 2.0)
# A network's people come out smaller than they are, by up to this share: its peaks lie further
# inside.
SMALLER = 0.06
# Share of a network's keypoints that are somewhere else, how far, m, and what it then has of its
# score; the next keypoint of the limb comes along.
ASTRAY, ASTRAY_SD_M, ASTRAY_SCORE = 0.015, 0.3, 0.7
# Shares of badly seen people with left and right exchanged: arms, legs, everything.
SWAPPED = {('elbow', 'wrist'): 0.02, ('hip', 'knee', 'ankle'): 0.03}
# Shares of people behind furniture, at an edge of something, and with keypoints missing at random.
FURNITURE, EDGE, AT_RANDOM = 0.25, 0.12, 0.4
# Furniture hides legs of people who are upright: whose trunk leans by less than this, cosine.
UPRIGHT = np.cos(np.deg2rad(30))
# Share of people whose face is hidden where it looks away, as by a network; labels know it all.
TURNED_AWAY = 0.65

_K = len(PANOPTIC19)
_HARDER = np.array([HARDER[name.split('_')[-1]] for name in PANOPTIC19.keypoints])
_CHAINS = tuple(
    PANOPTIC19.indices((f'{side}_{a}', f'{side}_{b}'))
    for side in ('left', 'right')
    for a, b in (('shoulder', 'elbow'), ('elbow', 'wrist'), ('hip', 'knee'), ('knee', 'ankle'))
)


def detect(rng: Rng, world_m: Array, xyz_m: Array, camera: Cameras) -> tuple[Array, Array]:
    """See people ``(n, K, 3)`` in the world and before their cameras.

    Returns
    -------
    rays
        ``(n, K, 2)``. NaN: not seen.
    scores
        ``(n, K)``.
    """
    n = len(xyz_m)
    z = np.maximum(xyz_m[..., 2:], 0.1)
    distance = np.maximum(xyz_m[..., 2].mean(1), 0.3)
    which = rng.choice(len(NOISE), n, p=[share for _, share in NOISE])
    labelled = which == 0
    which += labelled & (rng.random(n) < CARELESS)
    low, high = np.array([span for span, _ in NOISE])[which].T
    scores = _scores(rng, labelled)
    # Of 1.70 m at the person's distance, and of the network's pixels.
    pixel = (2 * camera.tangents / SIZE_PX).max(1)
    sd = np.hypot(
        rng.uniform(low, high) * 1.7 / distance, ~labelled * pixel * rng.uniform(*PEAK_PX, n)
    )
    spread = sd[:, np.newaxis] * _HARDER * (1.5 - 0.7 * scores)
    astray = rng.random((n, _K)) < ASTRAY * ~labelled[:, np.newaxis]
    spread = np.where(astray, (ASTRAY_SD_M / distance)[:, np.newaxis], spread)
    scores = np.where(astray, ASTRAY_SCORE * scores, scores)
    noise = spread[..., np.newaxis] * rng.standard_normal((n, _K, 2), np.float32)
    for first, second in _CHAINS:
        share = np.where(astray[:, first], 1.0, 0.4)[:, np.newaxis]
        noise[:, second] += share * noise[:, first]
    rays = xyz_m[..., :2] / z
    smaller = (~labelled * rng.uniform(0, SMALLER, n))[:, np.newaxis, np.newaxis]
    rays -= smaller * (rays - rays.mean(1, keepdims=True))
    rays = _exchanged(rng, rays, ~labelled) + noise
    seen = camera.inside(xyz_m) & ~_hidden(rng, world_m, xyz_m)
    return np.where(seen[..., np.newaxis], rays, np.nan), np.where(seen, scores, 0)


def _scores(rng: Rng, labelled: Mask) -> Array:
    """1 for labels, peaks of a heatmap else."""
    n = len(labelled)
    peaks = np.clip(rng.uniform(0.35, 1.05, (n, 1)) + rng.normal(0, 0.15, (n, _K)), 0.1, 1)
    sure = labelled | (rng.random(n) < ALWAYS_SURE)
    return np.where(sure[:, np.newaxis], 1, peaks)


def _exchanged(rng: Rng, rays: Array, some: Mask) -> Array:
    """Exchange left and right of parts of some people."""
    rays = rays.copy()
    for parts, share in SWAPPED.items():
        rows = np.flatnonzero(some & (rng.random(len(rays)) < share))
        left, right = (
            PANOPTIC19.indices(tuple(f'{side}_{part}' for part in parts))
            for side in ('left', 'right')
        )
        rays[np.ix_(rows, left)], rays[np.ix_(rows, right)] = (
            rays[np.ix_(rows, right)],
            rays[np.ix_(rows, left)],
        )
    return rays


def _hidden(rng: Rng, world_m: Array, xyz_m: Array) -> Mask:
    """``(n, K)``, what is behind something."""
    n = len(xyz_m)
    hidden: Mask = (
        rng.random((n, _K))
        < ((rng.random(n) < AT_RANDOM) * rng.uniform(0, 0.45, n))[:, np.newaxis]
    )
    # Furniture hides what is below some height.
    z = world_m[..., 2]
    low, high = z.min(1), z.max(1)
    top = low + rng.uniform(0.05, 0.75, n) * (high - low)
    trunk_m = world_m[:, PANOPTIC19.index('neck')] - world_m[:, PANOPTIC19.index('pelvis')]
    upright = trunk_m[:, 2] > UPRIGHT * np.linalg.norm(trunk_m, axis=1)
    behind = (upright & (rng.random(n) < FURNITURE))[:, np.newaxis] & (z < top[:, np.newaxis])
    # So does whatever stands at one side.
    angle = rng.uniform(-np.pi, np.pi, n)[:, np.newaxis]
    across = xyz_m[..., 0] * np.cos(angle) + xyz_m[..., 1] * np.sin(angle)
    share = rng.uniform(0.1, 0.6, n)
    edge = np.sort(across, axis=1)[np.arange(n), (share * _K).astype(np.intp)]
    beside = (rng.random(n) < EDGE)[:, np.newaxis] & (across < edge[:, np.newaxis])
    hidden |= (behind | beside) & (rng.random((n, _K)) < 0.95)
    away = (rng.random(n) < TURNED_AWAY)[:, np.newaxis]
    return hidden | (away & _turned_away(xyz_m))


def _turned_away(xyz_m: Array) -> Mask:
    """``(n, K)``, which keypoints of the face are on the side of the head that is not seen."""
    k = {name: xyz_m[:, i] for i, name in enumerate(PANOPTIC19.keypoints)}
    middle = (k['left_ear'] + k['right_ear']) / 2
    away = np.zeros(xyz_m.shape[:2], bool)
    for name in ('nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear'):
        outward = k[name] - middle
        # Positive: it looks the way the camera looks.
        cosine = (outward * middle).sum(1)
        cosine = cosine / np.linalg.norm(outward, axis=1) / np.linalg.norm(middle, axis=1)
        away[:, PANOPTIC19.index(name)] = cosine > (0.35 if 'ear' in name else 0.2)
    return away
