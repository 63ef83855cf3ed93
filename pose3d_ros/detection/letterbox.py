"""Image <-> network input <-> output grid: one formula.

Positions come in three kinds, all of them with x right and y down:

- image px: pixel i's centre is at i, as in ROS, OpenCV and COCO;
- network edge coordinates: pixel i of the network's input covers [i, i + 1);
- grid edge coordinates: cell i of the network's output covers [i, i + 1), `stride` input px wide.

Half a pixel lies between centres and edges; it is added and taken off here and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

# Grey that the network's own normalisation, (x - 128) / 255, maps to zero.
PADDING = 128


@dataclass(frozen=True)
class Letterbox:
    """How an image lies in the network's input.

    Parameters
    ----------
    scale
        Network input pixels per image pixel, the same for both axes.
    offset_xy
        Where the image's top left corner lies in the input, network edge coordinates.
    stride
        Network input pixels per output cell.
    """

    scale: float
    offset_xy: tuple[float, float] = (0.0, 0.0)
    stride: int = 8

    @classmethod
    def fit(cls, image_hw: tuple[int, int], input_hw: tuple[int, int], stride: int) -> Letterbox:
        """Make the image as large as fits into the input, keep its shape, and centre it."""
        scale = min(input_hw[0] / image_hw[0], input_hw[1] / image_hw[1])
        x, y = ((input_hw[i] - scale * image_hw[i]) / 2 for i in (1, 0))
        return cls(scale, (x, y), stride)

    def apply(
        self, bgr: NDArray[np.uint8], input_hw: tuple[int, int], padding: int = PADDING
    ) -> NDArray[np.uint8]:
        """Scale an image and pad it to the input: ``(H, W, 3)`` to ``(*input_hw, 3)``.

        Each pixel is interpolated where the formula says it lies: resizing to whole pixels would
        stretch the image a little.
        """
        (x, y), s = self.offset_xy, self.scale
        # Interpolation looks at the nearest pixels alone; of large images the others count too.
        while s < 0.5 and not (bgr.shape[0] % 2 or bgr.shape[1] % 2):
            half = (bgr.shape[1] // 2, bgr.shape[0] // 2)
            bgr = np.asarray(cv2.resize(bgr, half, interpolation=cv2.INTER_AREA), np.uint8)
            s *= 2
        # OpenCV's coordinates are those of pixel centres.
        matrix = np.array([[s, 0, x + s / 2 - 0.5], [0, s, y + s / 2 - 0.5]])
        padded = cv2.warpAffine(
            bgr, matrix, input_hw[::-1], flags=cv2.INTER_LINEAR, borderValue=(padding,) * 3
        )
        return np.asarray(padded, np.uint8)

    def to_image(self, grid_xy: NDArray[np.floating]) -> NDArray[np.float64]:
        """Grid edge coordinates to image px, ``(..., 2)``."""
        return (np.asarray(grid_xy, np.float64) * self.stride - self.offset_xy) / self.scale - 0.5

    def to_grid(self, xy_px: NDArray[np.floating]) -> NDArray[np.float64]:
        """Image px to grid edge coordinates, ``(..., 2)``."""
        return ((np.asarray(xy_px, np.float64) + 0.5) * self.scale + self.offset_xy) / self.stride
