"""Image <-> network input <-> output grid: one formula.

Positions come in three kinds, all of them with x right and y down:

- image px: the centre of pixel i is at i, as in ROS, OpenCV and COCO;
- network edge coordinates: pixel i of the network's input covers [i, i + 1);
- grid edge coordinates: cell i of the network's output covers [i, i + 1), `stride` input px wide.

Half a pixel lies between centres and edges; it is added and subtracted here and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

# Grey that the normalisation of human-pose-estimation-3d-0001, (x - 128) / 255, maps to zero.
PADDING = 128

# Up to this ratio, linear interpolation leaves no more of white noise than 1.05 times what an area
# filter does: 2/3, against one over the ratio.
MAX_LINEAR_RATIO = 1.55

Fit = Literal['centred', 'top_left', 'stretched']


@dataclass(frozen=True)
class Letterbox:
    """Where an image lies in the network's input.

    Parameters
    ----------
    scale
        Network input pixels per image pixel; a pair (x, y) where the axes differ.
    offset_xy
        Where the image's top left corner lies in the input, network edge coordinates.
    stride
        Network input pixels per output cell.
    padding
        Value of the input pixels that the image does not cover, 0 to 255.
    """

    scale: float | tuple[float, float]
    offset_xy: tuple[float, float] = (0.0, 0.0)
    stride: int = 8
    padding: int = PADDING

    @classmethod
    def fit(
        cls,
        image_hw: tuple[int, int],
        input_hw: tuple[int, int],
        stride: int = 1,
        fit: Fit = 'centred',
        padding: int = PADDING,
    ) -> Letterbox:
        """Make an image as large as fits into the input, in whole pixels.

        Because the size is rounded to whole pixels, the scales of the two axes differ a little.

        Parameters
        ----------
        image_hw, input_hw
            Height and width, px.
        stride
            Network input pixels per output cell.
        fit
            'centred' and 'top_left' keep the aspect of the image, 'stretched' fills the input.
        padding
            Value of the pixels that it does not cover.
        """
        rows, columns = input_hw
        if fit != 'stretched':
            scale = min(input_hw[0] / image_hw[0], input_hw[1] / image_hw[1])
            rows, columns = (max(1, round(scale * n)) for n in image_hw)
        free_x, free_y = input_hw[1] - columns, input_hw[0] - rows
        x, y = (free_x // 2, free_y // 2) if fit == 'centred' else (0, 0)
        height, width = _covered(image_hw, _halvings(columns / image_hw[1], rows / image_hw[0]))
        return cls((columns / width, rows / height), (x, y), stride, padding)

    def apply(self, bgr: NDArray[np.uint8], input_hw: tuple[int, int]) -> NDArray[np.uint8]:
        """Scale an image and pad it to the input: ``(H, W, 3)`` to ``(*input_hw, 3)``.

        Of a letterbox that `fit` returned for these sizes.
        """
        scale_x, scale_y = np.broadcast_to(self.scale, 2).tolist()
        halvings = _halvings(scale_x, scale_y)
        height, width = _covered((bgr.shape[0], bgr.shape[1]), halvings)
        rows, columns = round(scale_y * height), round(scale_x * width)
        scaled = _resize(bgr[:height, :width], halvings, (columns, rows))
        if scaled.shape[:2] == input_hw:
            return np.ascontiguousarray(scaled)
        x, y = (int(offset) for offset in self.offset_xy)
        padded = np.full((*input_hw, 3), self.padding, np.uint8)
        padded[y : y + rows, x : x + columns] = scaled
        return padded

    def to_image(self, grid_xy: NDArray[np.floating]) -> NDArray[np.float64]:
        """Convert grid edge coordinates ``(..., 2)`` to image px."""
        network_xy = np.asarray(grid_xy, np.float64) * self.stride
        xy_px: NDArray[np.float64] = (network_xy - self.offset_xy) / self.scale - 0.5
        return xy_px

    def to_grid(self, xy_px: NDArray[np.floating]) -> NDArray[np.float64]:
        """Convert image px ``(..., 2)`` to grid edge coordinates."""
        network_xy = (np.asarray(xy_px, np.float64) + 0.5) * self.scale + self.offset_xy
        grid_xy: NDArray[np.float64] = network_xy / self.stride
        return grid_xy


def _halvings(scale_x: float, scale_y: float) -> int:
    """Return how often an image can be halved before it is smaller than the input."""
    count = 0
    while 2 ** (count + 1) * max(scale_x, scale_y) <= 1:
        count += 1
    return count


def _covered(image_hw: tuple[int, int], halvings: int) -> tuple[int, int]:
    """Return height and width of the part of an image that can be halved so often, px.

    The rest, less than one input pixel at the right and at the bottom, is cut off.
    """
    height, width = ((n >> halvings) << halvings for n in image_hw)
    return height, width


def _resize(bgr: NDArray[np.uint8], halvings: int, size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize an image; where it becomes smaller, all of its pixels count, at any ratio.

    OpenCV's INTER_AREA is fast only where it halves, so the image is halved as often as possible.
    The rest, a ratio between 1 and 2, is interpolated: where it is large, at twice the resolution
    and then halved, which averages as an area filter does and takes four times as long.
    """
    for _ in range(halvings):
        bgr = _halve(bgr, (bgr.shape[1] // 2, bgr.shape[0] // 2))
    width, height = bgr.shape[1], bgr.shape[0]
    if (width, height) == size_wh:
        return bgr
    if max(width / size_wh[0], height / size_wh[1]) > MAX_LINEAR_RATIO:
        return _halve(_interpolate(bgr, (2 * size_wh[0], 2 * size_wh[1])), size_wh)
    return _interpolate(bgr, size_wh)


def _interpolate(bgr: NDArray[np.uint8], size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(bgr, size_wh, interpolation=cv2.INTER_LINEAR), np.uint8)


def _halve(bgr: NDArray[np.uint8], size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(bgr, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
