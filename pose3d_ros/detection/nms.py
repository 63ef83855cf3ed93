"""Suppression of duplicates: several detections of one person leave one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.skeleton import PANOPTIC19

Array = NDArray[np.float64]

# Per-keypoint spread of labels, share of the square root of a person's area: the sigmas of COCO's
# object keypoint similarity, doubled as it uses them; neck and pelvis as shoulders and hips.
_COCO_SIGMAS = {
    'nose': 0.026, 'eye': 0.025, 'ear': 0.035, 'shoulder': 0.079, 'elbow': 0.072, 'wrist': 0.062,
    'hip': 0.107, 'knee': 0.087, 'ankle': 0.089, 'neck': 0.079, 'pelvis': 0.107,
}  # fmt: skip
SPREADS = np.array([2 * _COCO_SIGMAS[name.split('_')[-1]] for name in PANOPTIC19.keypoints])
# Area of a person as a share of the square on the longer side of the box around the keypoints,
# about that of an upright person, and least length of that side, px.
AREA_OF_SQUARE = 0.4
MIN_SIDE_PX = 1.0


def box_overlaps(a: Array, b: Array) -> Array:
    """Compute the intersection over union of boxes ``(A, 4)`` and ``(B, 4)``: ``(A, B)``.

    Boxes are x0, y0, x1, y1. Boxes without area overlap none.
    """
    low = np.maximum(a[:, np.newaxis, :2], b[:, :2])
    high = np.minimum(a[:, np.newaxis, 2:], b[:, 2:])
    both = np.maximum(high - low, 0).prod(axis=-1)
    areas_a = np.maximum(a[:, 2:] - a[:, :2], 0).prod(axis=-1)
    areas_b = np.maximum(b[:, 2:] - b[:, :2], 0).prod(axis=-1)
    either = areas_a[:, np.newaxis] + areas_b - both
    return np.asarray(both / np.where(either > 0, either, 1.0))


def suppress_boxes(boxes: Array, scores: Array, max_iou: float) -> NDArray[np.intp]:
    """Choose boxes that overlap by at most `max_iou`, by falling score.

    Parameters
    ----------
    boxes, scores
        ``(B, 4)`` x0, y0, x1, y1, and ``(B,)``.
    max_iou
        Largest intersection over union of two boxes that are kept.

    Returns
    -------
    rows
        Of the boxes that are kept, highest score first.
    """
    return _suppress(box_overlaps(boxes, boxes), scores, max_iou)


def suppress_poses(xy_px: Array, scores: Array, max_oks: float) -> NDArray[np.intp]:
    """Choose 2D poses whose similarity is at most `max_oks`, by falling score.

    Parameters
    ----------
    xy_px
        ``(N, K, 2)`` px. NaN: not detected.
    scores
        ``(N,)``.
    max_oks
        Largest object keypoint similarity of two poses that are kept, over the keypoints that
        both have; 0 if they have none in common.

    Returns
    -------
    rows
        Of the poses that are kept, highest score first.
    """
    return _suppress(pose_similarities(xy_px), scores, max_oks)


def pose_similarities(xy_px: Array) -> Array:
    """Compute the object keypoint similarity of each two of N poses ``(N, K, 2)``: ``(N, N)``.

    The area is the smaller one of the two, so that a fragment is compared at its own size.
    """
    n = len(xy_px)
    known = np.isfinite(xy_px[..., :1])
    low = np.where(known, xy_px, np.inf).min(axis=1)
    high = np.where(known, xy_px, -np.inf).max(axis=1)
    side_px = np.maximum(high - low, MIN_SIDE_PX).max(axis=1, initial=MIN_SIDE_PX)
    area_px2 = AREA_OF_SQUARE * np.minimum(side_px[:, np.newaxis], side_px) ** 2
    apart_px2 = ((xy_px[:, np.newaxis] - xy_px) ** 2).sum(axis=-1)
    similarity = np.exp(-apart_px2 / (2 * area_px2[..., np.newaxis] * SPREADS**2))
    common = np.isfinite(similarity)
    number = common.sum(axis=-1)
    total = np.where(common, similarity, 0.0).sum(axis=-1)
    return np.asarray((total / np.maximum(number, 1)).reshape(n, n))


def _suppress(similarity: Array, scores: Array, most: float) -> NDArray[np.intp]:
    kept: list[int] = []
    for i in np.argsort(-scores, kind='stable').tolist():
        if not kept or similarity[i, kept].max() <= most:
            kept.append(i)
    return np.array(kept, np.intp)
