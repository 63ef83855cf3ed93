"""Lengths of bodies between keypoints, to compare the conventions of keypoint sets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.skeleton import PANOPTIC19

Array = NDArray[np.floating]

# Ends of what is measured; `{}` stands for either side, of which the mean counts.
_ENDS = {
    'trunk': ('neck', 'pelvis'),
    'thigh': ('{}_hip', '{}_knee'),
    'shank': ('{}_knee', '{}_ankle'),
    'upper arm': ('{}_shoulder', '{}_elbow'),
    'forearm': ('{}_elbow', '{}_wrist'),
    'shoulders': ('left_shoulder', 'right_shoulder'),
    'hips': ('left_hip', 'right_hip'),
    'ears': ('left_ear', 'right_ear'),
}
NAMES = (*_ENDS, 'trunk / leg')


def proportions(keypoints_m: Array) -> Array:
    """Measure people.

    Parameters
    ----------
    keypoints_m
        ``(N, K, 3)`` m, of ``PANOPTIC19``.

    Returns
    -------
    Array
        ``(N, len(NAMES))``, lengths in m and the ratio of trunk to leg. NaN: an end is unknown.
    """
    lengths_m = {name: _mean_length_m(keypoints_m, ends) for name, ends in _ENDS.items()}
    ratio = lengths_m['trunk'] / (lengths_m['thigh'] + lengths_m['shank'])
    return np.stack([*lengths_m.values(), ratio], axis=1)


def _mean_length_m(keypoints_m: Array, ends: tuple[str, str]) -> Array:
    lengths_m = []
    for side in ('left', 'right'):
        first, second = PANOPTIC19.indices(tuple(end.format(side) for end in ends))
        between_m = keypoints_m[:, first] - keypoints_m[:, second]
        lengths_m.append(np.linalg.norm(between_m, axis=1))
    return np.asarray(np.mean(lengths_m, axis=0))
