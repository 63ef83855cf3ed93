"""The part of the full resolution that an image shows, by region of interest and binning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sensor_msgs.msg import CameraInfo

from pose3d_ros.camera import Intrinsics


@dataclass(frozen=True)
class Window:
    """The part of the full resolution that an image shows.

    Parameters
    ----------
    left, top
        Its first column and row, px of the full resolution.
    scale_x, scale_y
        Pixels of the image per pixel of the full resolution.
    note
        What was assumed, or ''.
    """

    left: float
    top: float
    scale_x: float
    scale_y: float
    note: str = ''


def find_window(info: CameraInfo, width: int, height: int, full: Intrinsics) -> Window:
    """Find which part of the full resolution an image shows.

    Raises
    ------
    ValueError
        If region of interest and binning are impossible, or give another shape of image.
    """
    roi, size = info.roi, (info.width, info.height)
    if not all(size):
        return Window(0, 0, 1, 1, f'CameraInfo has size {size[0]}x{size[1]}, K is that of images')
    # No size of the region of interest: the full resolution was captured.
    crop = (roi.width, roi.height) if roi.width or roi.height else size
    if roi.x_offset + crop[0] > size[0] or roi.y_offset + crop[1] > size[1] or not all(crop):
        if crop == size == (width, height):
            return _window_of_crop(info, full)
        raise ValueError(
            f'roi must lie within {size[0]}x{size[1]}, found {roi.width}x{roi.height} at '
            f'({roi.x_offset}, {roi.y_offset})'
        )
    binning = (max(info.binning_x, 1), max(info.binning_y, 1))
    # Remaining rows and columns are not captured.
    captured = (crop[0] // binning[0], crop[1] // binning[1])
    if not all(captured):
        raise ValueError(f'binning must leave pixels, found {binning} of {crop[0]}x{crop[1]}')
    # The same shape except for rounding to whole pixels.
    if abs(width * captured[1] - height * captured[0]) > max(captured):
        if binning == (1, 1) and _is_centred_crop(captured, (width, height)):
            left, top = (captured[0] - width) / 2, (captured[1] - height) / 2
            note = f'image of {width}x{height} taken as the centre of {captured[0]}x{captured[1]}'
            return Window(roi.x_offset + left, roi.y_offset + top, 1, 1, note)
        raise ValueError(
            f'it is for images of {captured[0]}x{captured[1]}, or of that shape, '
            f'the image has {width}x{height}'
        )
    scale_x = width / captured[0] / binning[0]
    return Window(roi.x_offset, roi.y_offset, scale_x, height / captured[1] / binning[1])


def _window_of_crop(info: CameraInfo, full: Intrinsics) -> Window:
    """Return the window where the size is that of a region of interest, not the full one.

    K is of the full resolution if its optical centre is nearer to the middle of the region there
    than to the middle of the image.
    """
    roi = info.roi
    middle = np.array([info.width, info.height]) / 2
    centre, offset = np.array([full.cx, full.cy]), np.array([roi.x_offset, roi.y_offset])
    of_full = np.linalg.norm(centre - offset - middle) < np.linalg.norm(centre - middle)
    left, top = offset.tolist() if of_full else (0, 0)
    which = 'the full resolution' if of_full else 'the region of interest'
    note = f'CameraInfo has the size of its region of interest; K taken as that of {which}'
    return Window(left, top, 1, 1, note)


def _is_centred_crop(captured: tuple[int, int], size: tuple[int, int]) -> bool:
    """Return whether an image has one side of the captured size and a shorter other one."""
    shorter = captured[0] >= size[0] and captured[1] >= size[1]
    return shorter and (captured[0] == size[0] or captured[1] == size[1])
