"""People in metres, drawn from a point of view of one's own."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pose3d_ros.skeleton import PANOPTIC19
from pose3d_ros.visualisation.overlay import LIMBS, draw_text, keypoint_rgb

# Where the floor is drawn, m below the camera: that of a robot's or a table's height.
FLOOR_M = 1.2
YAW_RAD, PITCH_RAD = np.radians(-30), np.radians(22)
FIELD_OF_VIEW_RAD = np.radians(45)
NEAREST_M = 0.1

_NECK = PANOPTIC19.index('neck')
_SHIFT = 4  # OpenCV draws at 1/16 px


def draw_view(
    xyz_m: NDArray[np.float64],
    track_id: NDArray[np.int64],
    size_hw: tuple[int, int],
    reach_m: float,
) -> NDArray[np.uint8]:
    """Draw people as seen from behind the camera, above it and to its left.

    Parameters
    ----------
    xyz_m
        ``(N, K, 3)`` m in the camera optical frame. NaN: unknown.
    track_id
        ``(N,)``.
    size_hw
        Height and width of the picture, px.
    reach_m
        How far the scene goes.

    Returns
    -------
    ndarray
        ``(*size_hw, 3)`` BGR uint8: the camera's axes (x red, y green, z blue), a floor of squares
        of a metre, skeletons and ids.
    """
    bgr = np.full((*size_hw, 3), 30, np.uint8)
    squares = int(np.ceil(reach_m))
    half = squares // 2 + 1
    for z in range(squares + 1):
        _draw_line(bgr, [(-half, FLOOR_M, z), (half, FLOOR_M, z)], reach_m, (70, 70, 70))
    for x in range(-half, half + 1):
        _draw_line(bgr, [(x, FLOOR_M, 0), (x, FLOOR_M, squares)], reach_m, (70, 70, 70))
    for axis, colour in enumerate(((80, 80, 255), (80, 220, 80), (255, 120, 80))):
        _draw_line(bgr, [np.zeros(3), 0.4 * np.eye(3)[axis]], reach_m, colour, 2)
    for person, number in zip(xyz_m, track_id.tolist(), strict=True):
        for a, b in LIMBS.tolist():
            r, g, b_ = keypoint_rgb(b)
            _draw_line(bgr, person[[a, b]], reach_m, (255 * b_, 255 * g, 255 * r), 2)
        head = np.nanmin(person, axis=0) if np.isfinite(person[_NECK]).all() else person[_NECK]
        above = look(
            np.array([[person[_NECK, 0], head[1] - 0.2, person[_NECK, 2]]]), size_hw, reach_m
        )
        if np.isfinite(above).all():
            draw_text(bgr, str(number), (int(above[0, 0]), int(above[0, 1])))
    return bgr


def look(
    xyz_m: NDArray[np.float64], size_hw: tuple[int, int], reach_m: float
) -> NDArray[np.float64]:
    """Project ``(N, 3)`` m in the camera optical frame to ``(N, 2)`` px of the picture."""
    middle = np.array([0, 0.3, reach_m / 2])
    c, s = np.cos(YAW_RAD), np.sin(YAW_RAD)
    turned = (np.asarray(xyz_m, np.float64) - middle) @ np.array(
        [[c, 0, s], [0, 1, 0], [-s, 0, c]]
    )
    c, s = np.cos(PITCH_RAD), np.sin(PITCH_RAD)
    tilted = turned @ np.array([[1, 0, 0], [0, c, s], [0, -s, c]])
    away_m = 0.55 * reach_m / np.tan(FIELD_OF_VIEW_RAD / 2)
    z = tilted[:, 2:] + away_m
    scale = size_hw[0] / 2 / np.tan(FIELD_OF_VIEW_RAD / 2)
    xy: NDArray[np.float64] = np.where(z > NEAREST_M, tilted[:, :2] / z, np.nan) * scale
    return xy + np.array(size_hw[::-1]) / 2


def _draw_line(
    bgr: NDArray[np.uint8],
    ends_m: object,
    reach_m: float,
    colour: tuple[float, float, float],
    width: int = 1,
) -> None:
    """Draw between two points; nothing where one is unknown or behind the eye."""
    ends = look(np.asarray(ends_m, np.float64), (bgr.shape[0], bgr.shape[1]), reach_m)
    if np.isfinite(ends).all() and np.abs(ends).max() < 10 * max(bgr.shape):
        a, b = np.round(ends * 2**_SHIFT).astype(int)
        cv2.line(bgr, a, b, colour, width, cv2.LINE_AA, _SHIFT)
