"""Who of an image's people was found, by COCO's object keypoint similarity (OKS)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.skeleton import PANOPTIC19

Array = NDArray[np.float64]

# Keypoints of COCO in its order, and the standard deviation of its annotators, in square roots of
# a person's area (https://cocodataset.org/#keypoints-eval).
COCO_SIGMAS = {
    'nose': 0.026, 'left_eye': 0.025, 'right_eye': 0.025, 'left_ear': 0.035, 'right_ear': 0.035,
    'left_shoulder': 0.079, 'right_shoulder': 0.079, 'left_elbow': 0.072, 'right_elbow': 0.072,
    'left_wrist': 0.062, 'right_wrist': 0.062, 'left_hip': 0.107, 'right_hip': 0.107,
    'left_knee': 0.087, 'right_knee': 0.087, 'left_ankle': 0.089, 'right_ankle': 0.089,
}  # fmt: skip
COCO = PANOPTIC19.indices(tuple(COCO_SIGMAS))
SIGMAS = np.array(list(COCO_SIGMAS.values()))
# Area of a person as a share of the box's, as in the evaluation of CrowdPose and AI Challenger.
AREA_OF_BOX = 0.53
FOUND_OKS = 0.5
# Who has fewer labelled keypoints is neither to be found nor false.
MIN_LABELLED = 6


@dataclass(frozen=True)
class Labels:
    """Who is in an image; N people.

    Parameters
    ----------
    xy_px
        ``(N, K, 2)``. NaN: not labelled.
    boxes, ignore
        ``(N, 4)`` and ``(B, 4)`` px: x, y, width, height of the people, and of where others are.
    """

    xy_px: Array
    boxes: Array
    ignore: Array


class Match(NamedTuple):
    """People of an image, true and found: by their rows.

    Parameters
    ----------
    pairs
        One to one, most alike first, however little that is.
    found
        Those of the pairs who are alike enough: who was found, and by whom.
    false
        Who was found and is nobody: not even one of the others.
    """

    pairs: list[tuple[int, int]]
    found: list[tuple[int, int]]
    false: NDArray[np.intp]


def labelled(
    xy_px: NDArray[np.floating], known: NDArray[np.bool_]
) -> tuple[Labels, NDArray[np.intp]]:
    """Make labels of people ``(N, K, 2)`` of whom some keypoints ``(N, K)`` count.

    Those with fewer than MIN_LABELLED of COCO's are among the others, with whatever there is of
    their box. Also says who the labelled ones are.
    """
    enough = known[:, COCO].sum(axis=1) >= MIN_LABELLED
    few = [box(xy) for xy in xy_px[~enough].astype(float) if np.isfinite(xy).any()]
    shown = np.where(known[..., np.newaxis], xy_px, np.nan)[enough].astype(float)
    boxes = [box(xy) for xy in shown]
    labels = Labels(shown, np.array(boxes).reshape(-1, 4), np.array(few).reshape(-1, 4))
    return labels, np.flatnonzero(enough)


def match(labels: Labels, found_px: Array) -> Match:
    """Say which of the found people ``(M, K, 2)`` is whom, and who is nobody."""
    alike = oks(labels, found_px)
    chosen = pairs(alike)
    found = [(i, j) for i, j in chosen if alike[i, j] >= FOUND_OKS]
    others = np.delete(np.arange(len(found_px)), [j for _, j in found])
    return Match(chosen, found, others[~ignored(labels, found_px[others])])


def oks(labels: Labels, found_px: Array) -> Array:
    """Object keypoint similarity ``(N, M)`` of true people and found ones ``(M, K, 2)``.

    Labelled keypoints that were not found are wrong.
    """
    areas_px2 = AREA_OF_BOX * labels.boxes[:, 2:].prod(axis=1)
    alike = np.nansum(similarities(labels.xy_px, areas_px2, found_px), axis=-1)
    number = np.isfinite(labels.xy_px[:, COCO, 0]).sum(axis=1)
    return np.asarray(alike / np.maximum(number, 1)[:, None])


def similarities(truth_px: Array, areas_px2: Array, found_px: Array) -> Array:
    """How alike N and M people ``(N, K, 2)`` are, ``(N, M, 17)`` keypoints of COCO, 0 to 1.

    As in object keypoint similarity. NaN where a keypoint is not known of both.
    """
    apart2 = ((truth_px[:, None, COCO] - found_px[None, :, COCO]) ** 2).sum(axis=-1)
    spread = (2 * SIGMAS) ** 2 * np.maximum(areas_px2, 1)[:, None, None]
    return np.asarray(np.exp(-apart2 / (2 * spread)))


def pairs(alike: Array) -> list[tuple[int, int]]:
    """One-to-one pairs of rows and columns, most alike first, none that are not alike at all."""
    chosen: list[tuple[int, int]] = []
    for flat in np.argsort(-alike, axis=None, kind='stable').tolist():
        i, j = divmod(flat, alike.shape[1])
        if alike[i, j] > 0 and all(i != a and j != b for a, b in chosen):
            chosen.append((i, j))
    return chosen


def ignored(labels: Labels, found_px: Array) -> NDArray[np.bool_]:
    """Tell who of the found people ``(M, K, 2)`` is, by the middle, where others are."""
    offset = centres(found_px)[:, None] - labels.ignore[None, :, :2]
    inside = (offset >= 0) & (offset <= labels.ignore[None, :, 2:])
    return np.asarray(np.asarray(inside.all(axis=-1)).any(axis=1))


def box(xy_px: Array) -> list[float]:
    """x, y, width, height of the keypoints ``(K, 2)`` that are known."""
    low, high = np.nanmin(xy_px, axis=0), np.nanmax(xy_px, axis=0)
    return [*low.tolist(), *(high - low).tolist()]


def centres(xy_px: Array) -> Array:
    """Middle of the box of each person's keypoints ``(N, K, 2)``: ``(N, 2)``."""
    if not len(xy_px):
        return np.zeros((0, 2))
    return np.asarray((np.nanmin(xy_px, axis=1) + np.nanmax(xy_px, axis=1)) / 2)
