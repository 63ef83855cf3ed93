"""Parts of a person, cut off by a keypoint that is hidden -> the whole person.

Grouping follows limbs, so a hidden hip cuts off a leg. The location maps say whose it is: the
leg's own cells hold where it is relative to the root, and the rest of the person says where the
root is. Without location maps parts stay parts. Why and what it brings:
docs/decisions/0002-grouping.md.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import Intrinsics
from pose3d_ros.detection.openpose.location_maps import (
    BODY_HEIGHT_M,
    OWN_READING,
    READ,
    LocationMaps,
)
from pose3d_ros.geometry.placement import solve_translation
from pose3d_ros.people import People2D

# Mean distance from its rays at which a part belongs to a person, m.
TOLERANCE_M = 0.15
# Least number of keypoints of a group that is given a part; and of one that is given a single
# keypoint, most of which are noise.
MIN_KEYPOINTS = 3
MIN_KEYPOINTS_FOR_ONE = 4


def merge_fragments(groups: People2D, maps: LocationMaps, intrinsics: Intrinsics) -> People2D:
    """Give parts to the people they belong to.

    A part is a group that lacks every keypoint that a larger group has. With the translation of
    the larger one, the part's locations are points in space; they must lie on the rays on which
    the part is seen. Best agreement first.

    Parameters
    ----------
    groups
        Groups of keypoints, single ones too.
    maps
        What the network says of 3D.
    intrinsics
        Of the camera, for the source image.

    Returns
    -------
    People2D
        The same keypoints in as many groups or fewer, those that were joined last.
    """
    seen = groups.detected
    number = seen.sum(1)
    wholes = np.flatnonzero(number >= MIN_KEYPOINTS)
    size = number - np.arange(len(number)) / (len(number) + 1)  # no two alike
    fits = (seen.astype(np.float32) @ seen[wholes].T.astype(np.float32) == 0) & (
        size[:, np.newaxis] < size[wholes]
    )
    fits &= (number[:, np.newaxis] > 1) | (number[wholes] >= MIN_KEYPOINTS_FOR_ONE)
    parts = np.flatnonzero(fits.any(1))
    if not len(parts):
        return groups
    wholes, fits = wholes[fits.any(0)], fits[parts][:, fits.any(0)]
    rows = np.concatenate([parts, wholes])
    some = groups.take(rows)
    readings_m = maps.read(some) * BODY_HEIGHT_M
    rays = intrinsics.unproject(some.xy_px)
    of_wholes = slice(len(parts), None)
    translation_m, _ = solve_translation(
        readings_m[of_wholes], rays[of_wholes, READ], some.scores[of_wholes, READ]
    )
    part, keypoint = np.nonzero(seen[parts])
    moved = readings_m[part, OWN_READING[keypoint]][:, np.newaxis] + translation_m
    off = moved[..., :2] - rays[part, keypoint][:, np.newaxis] * moved[..., 2:]
    first = np.searchsorted(part, np.arange(len(parts)))
    distance_m = np.add.reduceat(np.linalg.norm(off, axis=-1), first) / number[parts, np.newaxis]
    distance_m[~fits | ~(distance_m <= TOLERANCE_M)] = np.inf
    return _joined(groups, parts, wholes, distance_m)


def _joined(
    groups: People2D,
    parts: NDArray[np.intp],
    wholes: NDArray[np.intp],
    distance_m: NDArray[np.float64],
) -> People2D:
    """Join parts with wholes, nearest first, never two of the same keypoint."""
    xy_px, scores, score = groups.xy_px.copy(), groups.scores.copy(), groups.score.copy()
    # A person's score is the mean over its keypoints and its limbs, one fewer.
    evidence = 2 * groups.detected.sum(1) - 1
    whole_of = np.arange(len(groups))
    i, j = np.nonzero(np.isfinite(distance_m))
    for nearest in np.argsort(distance_m[i, j], kind='stable'):
        part, whole = parts[i[nearest]], wholes[j[nearest]]
        while whole_of[whole] != whole:
            whole = whole_of[whole]
        has = scores[part] > 0
        if whole_of[part] != part or (has & (scores[whole] > 0)).any():
            continue
        whole_of[part] = whole
        xy_px[whole, has], scores[whole, has] = xy_px[part, has], scores[part, has]
        total = evidence[part] + evidence[whole]
        score[whole] = (evidence[part] * score[part] + evidence[whole] * score[whole]) / total
        evidence[whole] = total
    left = np.flatnonzero(whole_of == np.arange(len(groups)))
    return People2D(xy_px, scores, score).take(left)
