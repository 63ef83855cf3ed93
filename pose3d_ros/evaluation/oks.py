"""Match detected people with labelled ones by COCO's object keypoint similarity (OKS)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.skeleton import PANOPTIC19

Array = NDArray[np.float64]

# Keypoints of COCO in its order, and the standard deviation of its annotators as a share of the
# square root of a person's area (https://cocodataset.org/#keypoints-eval).
COCO_SIGMAS = {
    'nose': 0.026, 'left_eye': 0.025, 'right_eye': 0.025, 'left_ear': 0.035, 'right_ear': 0.035,
    'left_shoulder': 0.079, 'right_shoulder': 0.079, 'left_elbow': 0.072, 'right_elbow': 0.072,
    'left_wrist': 0.062, 'right_wrist': 0.062, 'left_hip': 0.107, 'right_hip': 0.107,
    'left_knee': 0.087, 'right_knee': 0.087, 'left_ankle': 0.089, 'right_ankle': 0.089,
}  # fmt: skip
COCO = PANOPTIC19.indices(tuple(COCO_SIGMAS))
SIGMAS = np.array(list(COCO_SIGMAS.values()))
# Area of a person as a share of the area of the box, as in the evaluations of CrowdPose and
# AI Challenger, which have no segmentation masks either.
AREA_OF_BOX = 0.53
# OKS from which a labelled person counts as found.
FOUND_OKS = 0.5
# A keypoint is correct within this share of the longer side of the person's box (PCK).
PCK_SHARE = 0.1
# People with fewer labelled keypoints are ignored: neither missed nor false.
MIN_LABELLED = 6


@dataclass(frozen=True)
class Labels:
    """Labels of the N people in an image.

    Parameters
    ----------
    xy_px
        ``(N, K, 2)``. NaN: not labelled.
    boxes, ignore
        ``(N, 4)`` and ``(B, 4)`` px: x, y, width, height of the people, and of regions with
        unlabelled people.
    """

    xy_px: Array
    boxes: Array
    ignore: Array


class Match(NamedTuple):
    """Assignment of detected people to labelled people of one image, by their rows.

    Parameters
    ----------
    pairs
        One to one (label, detection), highest OKS first, with any OKS above 0.
    found
        Those of the pairs with an OKS of ``FOUND_OKS`` or more.
    false
        Detections that match no label and lie in no ignored region.
    """

    pairs: list[tuple[int, int]]
    found: list[tuple[int, int]]
    false: NDArray[np.intp]


def select_labels(
    xy_px: NDArray[np.floating],
    known: NDArray[np.bool_],
    min_labelled: int = MIN_LABELLED,
    boxes: Array | None = None,
) -> tuple[Labels, NDArray[np.intp]]:
    """Make labels of people, restricted to some of their keypoints.

    People with too few of them become ignored regions.

    Parameters
    ----------
    xy_px
        ``(N, K, 2)``. NaN: unknown.
    known
        ``(N, K)``, the keypoints that count.
    min_labelled
        Least number of COCO's keypoints that must count for a person to be labelled.
    boxes
        ``(N, 4)``, the people's boxes, px; by default those of the keypoints that count, and of
        all known keypoints of the people with too few.

    Returns
    -------
    labels, rows
        And the rows ``(M,)`` of the people who are labelled.
    """
    enough = known[:, COCO].sum(axis=1) >= min_labelled
    visible = np.where(known[..., np.newaxis], xy_px, np.nan)[enough].astype(float)
    few = [xy for xy in xy_px[~enough].astype(float) if np.isfinite(xy).any()]
    labels = Labels(visible, bounding_boxes(visible), bounding_boxes(few))
    if boxes is not None:
        labels = Labels(visible, boxes[enough], boxes[~enough])
    return labels, np.flatnonzero(enough)


def match(labels: Labels, detected_px: Array) -> Match:
    """Match detected people ``(M, K, 2)`` with labelled ones, greedily by OKS."""
    similarity = oks(labels, detected_px)
    pairs = greedy_pairs(similarity)
    found = [(i, j) for i, j in pairs if similarity[i, j] >= FOUND_OKS]
    others = np.delete(np.arange(len(detected_px)), [j for _, j in found])
    return Match(pairs, found, others[~in_ignored_region(labels, detected_px[others])])


def oks(labels: Labels, detected_px: Array) -> Array:
    """Compute the OKS ``(N, M)`` of labelled people and detected ones ``(M, K, 2)``.

    A labelled keypoint that was not detected contributes 0.
    """
    areas_px2 = AREA_OF_BOX * labels.boxes[:, 2:].prod(axis=1)
    total = np.nansum(keypoint_similarity(labels.xy_px, areas_px2, detected_px), axis=-1)
    number = np.isfinite(labels.xy_px[:, COCO, 0]).sum(axis=1)
    return np.asarray(total / np.maximum(number, 1)[:, None])


def keypoint_similarity(truth_px: Array, areas_px2: Array, detected_px: Array) -> Array:
    """Compute the similarity in [0, 1] of each keypoint of N and M people, ``(N, M, 17)``.

    These are the terms of OKS, in COCO's order of keypoints. NaN where either is unknown.
    """
    distance2_px2 = ((truth_px[:, None, COCO] - detected_px[None, :, COCO]) ** 2).sum(axis=-1)
    spread = (2 * SIGMAS) ** 2 * np.maximum(areas_px2, 1)[:, None, None]
    return np.asarray(np.exp(-distance2_px2 / (2 * spread)))


def greedy_pairs(similarity: Array) -> list[tuple[int, int]]:
    """Pair rows with columns one to one, highest similarity first, above 0 only."""
    pairs: list[tuple[int, int]] = []
    for flat in np.argsort(-similarity, axis=None, kind='stable').tolist():
        i, j = divmod(flat, similarity.shape[1])
        if similarity[i, j] > 0 and all(i != a and j != b for a, b in pairs):
            pairs.append((i, j))
    return pairs


def count_correct_keypoints(
    labels: Labels, pairs: list[tuple[int, int]], detected_px: Array
) -> int:
    """Count COCO's keypoints of matched people that are correct by PCK."""
    true, detected = np.array(pairs, int).reshape(-1, 2).T
    distance_px = np.linalg.norm(labels.xy_px[true] - detected_px[detected], axis=-1)[:, COCO]
    limit_px = PCK_SHARE * labels.boxes[true, 2:].max(axis=1, keepdims=True)
    return int((distance_px <= limit_px).sum())


def in_ignored_region(labels: Labels, detected_px: Array) -> NDArray[np.bool_]:
    """Return which detected people ``(M, K, 2)`` have their centre in an ignored region."""
    offset = box_centres(detected_px)[:, None] - labels.ignore[None, :, :2]
    inside = (offset >= 0) & (offset <= labels.ignore[None, :, 2:])
    return np.asarray(np.asarray(inside.all(axis=-1)).any(axis=1))


def bounding_box(xy_px: Array) -> list[float]:
    """Return x, y, width, height of the known keypoints of ``(K, 2)``."""
    low, high = np.nanmin(xy_px, axis=0), np.nanmax(xy_px, axis=0)
    return [*low.tolist(), *(high - low).tolist()]


def bounding_boxes(people_px: Iterable[Array]) -> Array:
    """Return the bounding box of each person's keypoints ``(K, 2)``, ``(N, 4)``."""
    return np.array([bounding_box(xy) for xy in people_px], float).reshape(-1, 4)


def box_centres(xy_px: Array) -> Array:
    """Return the centre of the bounding box of each person's keypoints ``(N, K, 2)``, (N, 2)."""
    if not len(xy_px):
        return np.zeros((0, 2))
    return np.asarray((np.nanmin(xy_px, axis=1) + np.nanmax(xy_px, axis=1)) / 2)
