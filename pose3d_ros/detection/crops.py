"""Boxes of people -> crops at the size of a network's input, and positions in them back again.

A crop is a window of whole image pixels. It is resized to the input in one step, so that every
input pixel is the mean of exactly the image pixels that it covers. Both axes have a scale of
their own, which differ by no more than the rounding of the window.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Least width and height of a window, px: below that there is nothing to recognise.
MIN_WINDOW_PX = 2


def crop_windows(
    boxes_px: NDArray[np.floating], input_hw: tuple[int, int], margin: float
) -> NDArray[np.int64]:
    """Compute the part of the image that a network on crops is given for each box.

    Parameters
    ----------
    boxes_px
        ``(N, 4)`` x0, y0, x1, y1, image px, finite.
    input_hw
        Height and width of the network's input, whose aspect the windows take.
    margin
        The box is enlarged by this factor about its centre, then grown to the aspect.

    Returns
    -------
    windows
        ``(N, 4)`` x0, y0, x1, y1, whole image px; x1 and y1 are the first outside. They may lie
        partly or entirely outside of the image.
    """
    boxes: Array = np.asarray(boxes_px, np.float64).reshape(-1, 4)
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2 + 0.5  # from pixel centres to edges
    size = margin * (boxes[:, 2:] - boxes[:, :2])
    aspect = np.array([input_hw[1], input_hw[0]], np.float64)
    scale = (size / aspect).max(axis=1, keepdims=True)
    whole = np.maximum(np.rint(scale * aspect), MIN_WINDOW_PX)
    corner = np.rint(centre - whole / 2)
    return np.concatenate([corner, corner + whole], axis=1).astype(np.int64)


def cut(
    bgr: NDArray[np.uint8],
    windows: NDArray[np.int64],
    input_hw: tuple[int, int],
    padding: int = 0,
) -> NDArray[np.uint8]:
    """Cut windows out of an image and scale them to a network's input.

    Scaled down by the mean over the area of each input pixel, scaled up by interpolation.

    Parameters
    ----------
    bgr
        ``(H, W, 3)`` uint8.
    windows
        ``(N, 4)`` as returned by `crop_windows`.
    input_hw
        Height and width of the network's input.
    padding
        Value of the pixels outside of the image, 0 to 255.

    Returns
    -------
    crops
        ``(N, *input_hw, 3)`` uint8.
    """
    crops = np.empty((len(windows), *input_hw, 3), np.uint8)
    for crop, window in zip(crops, windows.tolist(), strict=True):
        part = _window(bgr, window, padding)
        smaller = part.shape[0] > input_hw[0]
        how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        crop[:] = cv2.resize(part, input_hw[::-1], interpolation=how)
    return crops


def to_image(
    xy_input: NDArray[np.floating], windows: NDArray[np.int64], input_hw: tuple[int, int]
) -> Array:
    """Convert positions in crops to positions in the image.

    Parameters
    ----------
    xy_input
        ``(N, K, 2)``, px of the network's input, 0 at the outer edge of its first pixel.
    windows
        ``(N, 4)`` as returned by `crop_windows`.
    input_hw
        Height and width of the network's input.

    Returns
    -------
    xy_px
        ``(N, K, 2)``, image px, 0 at the centre of the first pixel.
    """
    size = (windows[:, 2:] - windows[:, :2])[:, np.newaxis]
    share = np.asarray(xy_input, np.float64) / (input_hw[1], input_hw[0])
    return np.asarray(windows[:, np.newaxis, :2] + share * size - 0.5)


def _window(bgr: NDArray[np.uint8], window: list[int], padding: int) -> NDArray[np.uint8]:
    """Return the pixels of one window; those outside of the image have the value `padding`."""
    height, width = bgr.shape[:2]
    x0, y0, x1, y1 = window
    left, top = min(max(x0, 0), width), min(max(y0, 0), height)
    right, bottom = min(max(x1, left), width), min(max(y1, top), height)
    part = bgr[top:bottom, left:right]
    if part.shape[:2] == (y1 - y0, x1 - x0):
        return part
    padded = np.full((y1 - y0, x1 - x0, 3), padding, np.uint8)
    padded[top - y0 : bottom - y0, left - x0 : right - x0] = part
    return padded
