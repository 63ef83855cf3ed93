"""Merging of fragments of a person that a hidden keypoint separates, by location maps.

Grouping follows limbs, so a hidden hip separates the leg from the person. The cells of the leg
hold its location relative to the origin of the location maps, and the rest of the person
determines where that origin is. Without location maps fragments are not merged. Reasons and
results: docs/decisions/0002-grouping.md.
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

# Largest mean distance of a fragment's keypoints from their rays, m.
TOLERANCE_M = 0.15
# Least number of keypoints of a group that a fragment is merged into, and that a single keypoint
# is merged into: most single keypoints are noise.
MIN_KEYPOINTS = 3
MIN_KEYPOINTS_FOR_ONE = 4


def merge_fragments(groups: People2D, maps: LocationMaps, intrinsics: Intrinsics) -> People2D:
    """Merge fragments with the people that they belong to.

    A fragment is a group that has no keypoint in common with a larger group. The translation of
    the larger group, applied to the locations that are read at the fragment, must bring them near
    the rays of the fragment's keypoints. The best agreement is merged first.

    Parameters
    ----------
    groups
        Groups of keypoints, including single keypoints.
    maps
        Location maps of the same image.
    intrinsics
        Of the camera, for the source image.

    Returns
    -------
    People2D
        The same keypoints in as many groups or fewer.
    """
    detected = groups.detected
    number = detected.sum(1)
    wholes = np.flatnonzero(number >= MIN_KEYPOINTS)
    size = number - np.arange(len(number)) / (len(number) + 1)  # no two are equal
    fits = (detected.astype(np.float32) @ detected[wholes].T.astype(np.float32) == 0) & (
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
    part, keypoint = np.nonzero(detected[parts])
    moved = readings_m[part, OWN_READING[keypoint]][:, np.newaxis] + translation_m
    off = moved[..., :2] - rays[part, keypoint][:, np.newaxis] * moved[..., 2:]
    first = np.searchsorted(part, np.arange(len(parts)))
    distance_m = np.add.reduceat(np.linalg.norm(off, axis=-1), first) / number[parts, np.newaxis]
    distance_m[~fits | ~(distance_m <= TOLERANCE_M)] = np.inf
    return _merged(groups, parts, wholes, distance_m)


def _merged(
    groups: People2D,
    parts: NDArray[np.intp],
    wholes: NDArray[np.intp],
    distance_m: NDArray[np.float64],
) -> People2D:
    """Merge parts into wholes, nearest first, unless both have the same keypoint."""
    xy_px, scores, score = groups.xy_px.copy(), groups.scores.copy(), groups.score.copy()
    # A person's score is the mean over n keypoints and n - 1 connections.
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
