"""Text on images, in labels that do not cover each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

FONT = cv2.FONT_HERSHEY_SIMPLEX
# Pixels of the shorter side of an image for a scale of 1, and the smallest legible scale.
SCALE_PX, MIN_SCALE = 800, 0.45


class Label(NamedTuple):
    """A text with the middle of its lower edge at a point, px."""

    text: str
    x: float
    y: float


class _Size(NamedTuple):
    scale: float
    thickness: int
    width: int
    height: int
    below: int  # px under the base line


def draw_text(bgr: NDArray[np.uint8], text: str, xy: tuple[int, int]) -> None:
    """Draw white text on a dark background, its lower left corner at `xy`, inside the image."""
    size = _measure(bgr, text)
    x = int(np.clip(xy[0], 0, max(0, bgr.shape[1] - size.width)))
    y = int(np.clip(xy[1], size.height, max(size.height, bgr.shape[0] - size.below)))
    _draw(bgr, text, size, x, y)


def draw_labels(bgr: NDArray[np.uint8], labels: list[Label]) -> None:
    """Draw labels inside the image; one that would cover another goes above or below it.

    The lowest keep their places: they belong to the people who are nearest.
    """
    taken: list[tuple[int, int, int, int]] = []
    for label in sorted(labels, key=lambda one: -one.y):
        size = _measure(bgr, label.text)
        x = int(np.clip(label.x - size.width / 2, 0, max(0, bgr.shape[1] - size.width)))
        step = size.height + size.below + 2
        lowest = max(size.height, bgr.shape[0] - size.below)
        y = int(np.clip(label.y, size.height, lowest))
        above = range(y, size.height - 1, -step)
        below = range(y + step, lowest + 1, step)
        boxes = (
            (x, row - size.height, x + size.width, row + size.below) for row in (*above, *below)
        )
        box = next((box for box in boxes if not any(_overlap(box, t) for t in taken)), None)
        if box is not None:
            taken.append(box)
            _draw(bgr, label.text, size, box[0], box[1] + size.height)


def rises(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far boxes must rise so that none covers another.

    Parameters
    ----------
    boxes
        ``(N, 4)`` px: left, top, right, bottom, with y down. NaN: of no place, covers nothing.

    Returns
    -------
    ndarray
        ``(N,)`` px, 0 or more; the lowest box stays.
    """
    rise, taken = np.zeros(len(boxes)), []
    for i in np.argsort(-np.nan_to_num(boxes[:, 3])):
        left, top, right, bottom = boxes[i]
        while higher := [
            other[1] for other in taken if _overlap((left, top, right, bottom), other)
        ]:
            top, bottom = min(higher) - (bottom - top), min(higher)
        rise[i] = np.nan_to_num(boxes[i, 3] - bottom)
        taken.append((left, top, right, bottom))
    return rise


def _overlap(a: Sequence[float], b: Sequence[float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _measure(bgr: NDArray[np.uint8], text: str) -> _Size:
    scale = max(MIN_SCALE, min(bgr.shape[:2]) / SCALE_PX)
    thickness = max(1, round(1.5 * scale))
    (width, height), below = cv2.getTextSize(text, FONT, scale, thickness)
    return _Size(scale, thickness, width, height, below)


def _draw(bgr: NDArray[np.uint8], text: str, size: _Size, x: int, y: int) -> None:
    ground = bgr[max(0, y - size.height) : y + size.below, x : x + size.width]
    np.floor_divide(ground, 3, out=ground)
    white = (255, 255, 255)
    cv2.putText(bgr, text, (x, y), FONT, size.scale, white, size.thickness, cv2.LINE_AA)
