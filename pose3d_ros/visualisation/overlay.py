"""Skeletons drawn on images."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pose3d_ros.people import TrackedPeople
from pose3d_ros.skeleton import PANOPTIC19

# Red, green, blue, 0 to 1, by side: a skeleton that is turned round is seen at once.
LEFT_RGB = (1.0, 0.55, 0.1)
RIGHT_RGB = (0.2, 0.55, 1.0)
MIDDLE_RGB = (0.9, 0.9, 0.9)

LIMBS = PANOPTIC19.limb_indices()
# The pelvis has no pixel: trunks are drawn from the neck to the hips instead.
_PELVIS, _NECK = PANOPTIC19.index('pelvis'), PANOPTIC19.index('neck')
LIMBS_2D = np.array(
    [(_NECK if a == _PELVIS else a, b) for a, b in LIMBS.tolist() if (a, b) != (_PELVIS, _NECK)]
)
# 1/16 px: OpenCV draws at fractions of a pixel.
_SHIFT = 4


def keypoint_rgb(index: int) -> tuple[float, float, float]:
    """Colour of a keypoint's side, red, green, blue, 0 to 1."""
    name = PANOPTIC19.keypoints[index]
    if name.startswith('left'):
        return LEFT_RGB
    return RIGHT_RGB if name.startswith('right') else MIDDLE_RGB


_BGR = [tuple(round(255 * c) for c in keypoint_rgb(k)[::-1]) for k in range(len(PANOPTIC19))]


def draw_people(bgr: NDArray[np.uint8], tracked: TrackedPeople) -> None:
    """Draw seen keypoints, limbs, ids and distances into an image ``(H, W, 3)``, in place."""
    people = tracked.people
    xy = people.people_2d.xy_px
    seen = people.people_2d.detected
    widest = max(2, round(min(bgr.shape[:2]) / 200))
    for i in range(len(people)):
        points = np.round(np.nan_to_num(xy[i]) * 2**_SHIFT).astype(int)
        # Thin lines for small people, of whom little would be left to see.
        size_px = np.ptp(xy[i, seen[i]], axis=0).max(initial=0)
        width = int(np.clip(size_px / 40, 1, widest))
        for a, b in LIMBS_2D:
            if seen[i, a] and seen[i, b]:
                cv2.line(bgr, points[a], points[b], _BGR[b], width, cv2.LINE_AA, _SHIFT)
        for k in np.flatnonzero(seen[i]):
            radius = (width + 1) << _SHIFT
            cv2.circle(bgr, points[k], radius, _BGR[k], cv2.FILLED, cv2.LINE_AA, _SHIFT)
        top = xy[i, seen[i]].min(axis=0) - (0, 3 * width)
        depth_m = people.xyz_m[i, np.isfinite(people.xyz_m[i, :, 2]), 2]
        distance = f'  {np.median(depth_m):.1f} m' if depth_m.size else ''
        draw_text(bgr, f'{tracked.track_id[i]}{distance}', (int(top[0]), int(top[1])))


def draw_text(bgr: NDArray[np.uint8], text: str, xy: tuple[int, int]) -> None:
    """Write white text on a dark ground, its lower left corner at ``xy``, inside the image."""
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, max(0.45, min(bgr.shape[:2]) / 800)
    thick = max(1, round(1.5 * scale))
    (width, height), below = cv2.getTextSize(text, font, scale, thick)
    x = int(np.clip(xy[0], 0, max(0, bgr.shape[1] - width)))
    y = int(np.clip(xy[1], height, max(height, bgr.shape[0] - below)))
    ground = bgr[max(0, y - height) : y + below, x : x + width]
    np.floor_divide(ground, 3, out=ground)
    cv2.putText(bgr, text, (x, y), font, scale, (255, 255, 255), thick, cv2.LINE_AA)
