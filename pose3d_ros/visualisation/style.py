"""Colours, limbs and labels, the same in every drawing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.people import People3D, Source
from pose3d_ros.skeleton import PANOPTIC19

# Red, green, blue, 0 to 1, by side, so that mixed up sides are seen at once.
LEFT_RGB = (1.0, 0.55, 0.1)
RIGHT_RGB = (0.2, 0.55, 1.0)
MIDDLE_RGB = (0.9, 0.9, 0.9)

LIMBS = PANOPTIC19.limb_indices()
PELVIS, NECK = PANOPTIC19.index('pelvis'), PANOPTIC19.index('neck')
# The pelvis is never detected: on images, trunks are drawn from the neck to the hips.
LIMBS_2D = np.array(
    [(NECK if a == PELVIS else a, b) for a, b in LIMBS.tolist() if (a, b) != (PELVIS, NECK)]
)
# Opacity of a keypoint by its source: what is not observed is drawn paler.
SOURCE_ALPHA = np.zeros(len(Source))
SOURCE_ALPHA[[Source.OBSERVED, Source.DEPTH, Source.FUSED]] = 1.0
SOURCE_ALPHA[Source.INFERRED] = 0.35
HEAD = PANOPTIC19.indices(('nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear', 'neck'))


def keypoint_rgb(index: int) -> tuple[float, float, float]:
    """Return the colour of a keypoint's side: red, green, blue, 0 to 1."""
    name = PANOPTIC19.keypoints[index]
    if name.startswith('left'):
        return LEFT_RGB
    return RIGHT_RGB if name.startswith('right') else MIDDLE_RGB


KEYPOINT_RGB: NDArray[np.float64] = np.array([keypoint_rgb(k) for k in range(len(PANOPTIC19))])
# The same as OpenCV takes them, 0 to 255.
KEYPOINT_BGR: list[tuple[int, int, int]] = [
    (round(255 * b), round(255 * g), round(255 * r)) for r, g, b in KEYPOINT_RGB.tolist()
]


def keypoint_alpha(people: People3D) -> NDArray[np.float64]:
    """Return the opacity of each keypoint, ``(N, K)`` in [0, 1]; 0: unknown."""
    known = np.isfinite(people.xyz_m).all(axis=-1)
    return np.where(known, SOURCE_ALPHA[people.source], 0.0)


def distances(people: People3D) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the distance of each person and its standard deviation, ``(N,)`` m each.

    The distance is that of the root, or, where that is unknown, the median of the keypoints; the
    deviation is that of the root along the line of sight. NaN: unknown.
    """
    distance_m, sd_m = np.full(len(people), np.nan), np.full(len(people), np.nan)
    for i, xyz_m in enumerate(people.xyz_m):
        known = xyz_m[np.isfinite(xyz_m).all(axis=1)]
        if not len(known):
            continue
        root = xyz_m[PELVIS] if np.isfinite(xyz_m[PELVIS]).all() else np.median(known, axis=0)
        distance_m[i] = np.linalg.norm(root)
        if distance_m[i] > 0:
            sight = root / distance_m[i]
            sd_m[i] = np.sqrt(sight @ people.root_covariance_m2[i] @ sight)
    return distance_m, sd_m


def label(track_id: int, distance_m: float, sd_m: float) -> str:
    """Return the label of a person: id, distance and its uncertainty, as far as known."""
    if not np.isfinite(distance_m):
        return str(track_id)
    uncertainty = f' +- {sd_m:.1f}' if np.isfinite(sd_m) else ''
    return f'{track_id}  {distance_m:.1f}{uncertainty} m'
