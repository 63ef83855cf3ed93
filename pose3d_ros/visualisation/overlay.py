"""Skeletons drawn on images."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import Intrinsics
from pose3d_ros.people import People3D, Source, TrackedPeople
from pose3d_ros.visualisation.style import (
    HEAD,
    KEYPOINT_BGR,
    LIMBS_2D,
    SOURCE_ALPHA,
    distances,
    label,
)
from pose3d_ros.visualisation.text import Label, draw_labels

# Width of a limb in shares of the image's shorter side. Not of the person: a width that follows a
# person's size flickers.
LIMB_WIDTH = 1 / 300
# Room between the head and its label, in limb widths.
LABEL_ABOVE = 6
_SHIFT = 4  # OpenCV draws at fractions of 1/16 px


def draw_people(
    bgr: NDArray[np.uint8], tracked: TrackedPeople, intrinsics: Intrinsics | None = None
) -> None:
    """Draw keypoints, limbs, ids and distances into an image, in place.

    Parameters
    ----------
    bgr
        ``(H, W, 3)``.
    tracked
        The people in it, in the camera optical frame.
    intrinsics
        Of the image: with them, keypoints that are inferred but not detected are drawn too, paler.
    """
    people = tracked.people
    xy_px, detected = people.people_2d.xy_px, people.people_2d.detected
    inferred_px = _inferred(people, intrinsics, bgr.shape[:2])
    width = max(1, round(min(bgr.shape[:2]) * LIMB_WIDTH))
    distance_m, sd_m = distances(people)
    labels = []
    for i in range(len(people)):
        points = np.where(detected[i, :, np.newaxis], xy_px[i], inferred_px[i])
        _draw_pale(bgr, points, detected[i], width)
        _draw_limbs(bgr, points, detected[i], width)
        for k in np.flatnonzero(detected[i]):
            centre, radius = _fixed(points[k]), (width + 1) << _SHIFT
            cv2.circle(bgr, centre, radius, KEYPOINT_BGR[k], cv2.FILLED, cv2.LINE_AA, _SHIFT)
        if detected[i].any():
            head = HEAD[detected[i, HEAD]]
            x = points[head, 0].mean() if len(head) else points[detected[i], 0].mean()
            text = label(int(tracked.track_id[i]), distance_m[i], sd_m[i])
            y = points[detected[i], 1].min() - LABEL_ABOVE * width
            labels.append(Label(text, float(x), float(y)))
    draw_labels(bgr, labels)


def _inferred(
    people: People3D, intrinsics: Intrinsics | None, size_hw: tuple[int, ...]
) -> NDArray[np.float64]:
    """Return the pixels of inferred keypoints, ``(N, K, 2)``. NaN: there is none to draw."""
    none = np.full((*people.source.shape, 2), np.nan)
    if intrinsics is None:
        return none
    shown = (people.source == Source.INFERRED) & (people.xyz_m[..., 2] > 0)
    with np.errstate(divide='ignore', invalid='ignore'):
        xy_px = intrinsics.project(people.xyz_m)
    near = (np.abs(xy_px) < 4 * max(size_hw)).all(axis=-1)  # NaN is not
    return np.where((shown & near)[..., np.newaxis], xy_px, none)


def _draw_limbs(
    bgr: NDArray[np.uint8], points: NDArray[np.float64], shown: NDArray[np.bool_], width: int
) -> None:
    for a, b in LIMBS_2D.tolist():
        if shown[a] and shown[b]:
            ends = _fixed(points[a]), _fixed(points[b])
            cv2.line(bgr, *ends, KEYPOINT_BGR[b], width, cv2.LINE_AA, _SHIFT)


def _draw_pale(
    bgr: NDArray[np.uint8], points: NDArray[np.float64], detected: NDArray[np.bool_], width: int
) -> None:
    """Blend the limbs of which an end is only inferred into the image."""
    known: NDArray[np.bool_] = np.asarray(np.isfinite(points).all(axis=1))
    if (known == detected).all():
        return
    margin = 2 * width
    low = np.floor(points[known].min(axis=0)).astype(int) - margin
    high = np.ceil(points[known].max(axis=0)).astype(int) + margin
    (x0, y0), (x1, y1) = np.maximum(low, 0), np.minimum(high, bgr.shape[1::-1])
    if x0 >= x1 or y0 >= y1:
        return
    part = bgr[y0:y1, x0:x1]
    drawn = part.copy()
    _draw_limbs(drawn, points - (x0, y0), known, width)
    alpha = float(SOURCE_ALPHA[Source.INFERRED])
    cv2.addWeighted(drawn, alpha, part, 1 - alpha, 0, dst=part)


def _fixed(xy: NDArray[np.float64]) -> tuple[int, int]:
    x, y = np.round(xy * 2**_SHIFT).astype(int).tolist()
    return x, y
