"""Non-maximum suppression: of several detections of one person, keep the best."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.evaluation.oks import AREA_OF_BOX, COCO, SIGMAS

# Detections that are compared, highest score first; the others are dropped. Bounds the time that
# a network which detects people everywhere can cost: the comparison grows with the square.
MAX_DETECTIONS = 300
# Fewer keypoints than this in common do not show that two detections are one person.
MIN_COMMON_KEYPOINTS = 3

Array = NDArray[np.float64]


def box_nms(boxes: Array, scores: Array, max_iou: float) -> NDArray[np.intp]:
    """Suppress boxes that overlap a box with a higher score.

    Parameters
    ----------
    boxes
        ``(N, 4)``, x0, y0, x1, y1 in any unit.
    scores
        ``(N,)``.
    max_iou
        Largest intersection over union of two boxes that are both kept.

    Returns
    -------
    ``(M,)`` rows that are kept, highest score first.
    """
    order = _best(scores)
    low, high = boxes[order, :2], boxes[order, 2:]
    area = np.maximum(high - low, 0).prod(1)
    shared = np.minimum(high[:, np.newaxis], high) - np.maximum(low[:, np.newaxis], low)
    intersection = np.maximum(shared, 0).prod(2)
    union = area[:, np.newaxis] + area - intersection
    return order[_greedy(intersection > max_iou * np.maximum(union, 1e-9))]


def keypoint_nms(xy_px: Array, scores: Array, score: Array, max_oks: float) -> NDArray[np.intp]:
    """Suppress people whose keypoints are those of a person with a higher score.

    Two people are compared by object keypoint similarity (OKS, COCO's evaluation) over the
    keypoints that both have, with the area of the larger of the two.

    Parameters
    ----------
    xy_px
        ``(N, K, 2)``. NaN: not detected.
    scores
        ``(N, K)``. 0: not detected.
    score
        ``(N,)``, of each person.
    max_oks
        Largest similarity of two people who are both kept, [0, 1].

    Returns
    -------
    ``(M,)`` rows that are kept, highest score first.
    """
    order = _best(score)
    if len(order) < 2:
        return order
    detected = scores[order][:, COCO] > 0
    xy = np.where(detected[..., np.newaxis], xy_px[order][:, COCO], np.nan)
    filled = np.where(detected[..., np.newaxis], xy, np.inf)
    low, high = filled.min(1), np.where(np.isinf(filled), -np.inf, filled).max(1)
    extent = np.where(np.isfinite(high - low), high - low, 0)
    area = AREA_OF_BOX * extent.prod(1)
    larger = np.maximum(np.maximum(area[:, np.newaxis], area), 1.0)
    squared = ((xy[:, np.newaxis] - xy) ** 2).sum(-1)
    both = detected[:, np.newaxis] & detected
    spread = 2 * (2 * SIGMAS) ** 2 * larger[..., np.newaxis]
    similar = np.where(both, np.exp(-np.where(both, squared, 0) / spread), 0).sum(-1)
    common = both.sum(-1)
    oks = np.where(common >= MIN_COMMON_KEYPOINTS, similar / np.maximum(common, 1), 0)
    return order[_greedy(oks > max_oks)]


def _best(scores: Array) -> NDArray[np.intp]:
    """Return the rows of the MAX_DETECTIONS highest scores, highest first."""
    return np.argsort(-scores, kind='stable')[:MAX_DETECTIONS]


def _greedy(same: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Keep each row that is not the same as a row kept before: ``same`` is ``(N, N)``."""
    kept: list[int] = []
    suppressed = np.zeros(len(same), bool)
    for row in range(len(same)):
        if not suppressed[row]:
            kept.append(row)
            suppressed |= same[row]
    return np.array(kept, np.intp)
