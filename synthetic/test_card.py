"""A drawn scene with known truth, for tests of the whole pipeline from image to message.

Stick figures move through a room. Each keypoint and each limb has its own red value, from which
`test_card_network` reads their positions. It says nothing about how well a real network detects
real people.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import Intrinsics
from pose3d_ros.detection.openpose.channels import HEATMAP_CHANNELS, PAF_CHANNELS
from pose3d_ros.skeleton import PANOPTIC19

NAME = 'test_card'
SIZE_HW = (256, 448)
FOCAL_LENGTH_PX = 380.0
RATE_HZ = 30.0
DURATION_S = 10.0
# Radius of a keypoint's disc and width of a limb, px, at any distance.
KEYPOINT_RADIUS_PX = 4
LIMB_WIDTH_PX = 5
# Red values: keypoints 20, 25, ... 105, limbs 120, 125, ... 210. The background has no red.
KEYPOINT_CODES = 20 + 5 * np.arange(len(HEATMAP_CHANNELS))
LIMB_CODES = 120 + 5 * np.arange(len(PAF_CHANNELS))

# Upright, facing the camera: x right (the person's left), y down, z away, m from the pelvis.
FIGURE_M = {
    'neck': (0, -0.52, 0), 'nose': (0, -0.70, -0.10), 'pelvis': (0, 0, 0),
    'left_shoulder': (0.18, -0.50, 0), 'left_elbow': (0.30, -0.25, 0.03),
    'left_wrist': (0.36, 0.0, -0.10),
    'left_hip': (0.10, 0.0, 0), 'left_knee': (0.13, 0.42, -0.05),
    'left_ankle': (0.15, 0.84, 0.05), 'right_shoulder': (-0.18, -0.50, 0),
    'right_elbow': (-0.32, -0.28, 0.05), 'right_wrist': (-0.45, -0.10, -0.12),
    'right_hip': (-0.10, 0.0, 0), 'right_knee': (-0.12, 0.42, -0.08),
    'right_ankle': (-0.14, 0.85, 0.02), 'right_eye': (-0.07, -0.80, -0.08),
    'left_eye': (0.07, -0.80, -0.08), 'right_ear': (-0.15, -0.74, 0.01),
    'left_ear': (0.15, -0.74, 0.01),
}  # fmt: skip


def figure_m() -> NDArray[np.float64]:
    """Return the figure, ``(K, 3)`` m from its pelvis, in axes of the camera optical frame."""
    return np.array([FIGURE_M[name] for name in PANOPTIC19.keypoints], np.float64)


def intrinsics() -> Intrinsics:
    """Return the intrinsics of the camera."""
    return Intrinsics(FOCAL_LENGTH_PX, FOCAL_LENGTH_PX, (SIZE_HW[1] - 1) / 2, (SIZE_HW[0] - 1) / 2)


def people_m(time_s: float) -> NDArray[np.float64]:
    """Return the true positions of three figures ``(3, K, 3)``, m, camera optical frame.

    Two sway, one leaves the image and comes back.
    """
    phase = 2 * np.pi * time_s / DURATION_S
    pelvis = np.array(
        [
            [-1.0 + 0.3 * np.sin(phase), 0.05, 3.0 + 0.3 * np.cos(2 * phase)],
            [0.4 * np.sin(2 * phase), 0.0, 4.0],
            [2.6 + 0.9 * np.sin(phase), 0.0, 4.8],
        ]
    )
    people: NDArray[np.float64] = figure_m() + pelvis[:, np.newaxis]
    return people


def image(time_s: float) -> NDArray[np.uint8]:
    """Draw the scene, ``(*SIZE_HW, 3)`` BGR; nearer figures cover farther ones."""
    bgr = _background()
    people = people_m(time_s)
    for person in people[np.argsort(-people[:, PANOPTIC19.index('pelvis'), 2])]:
        xy = np.round(intrinsics().project(person)).astype(int)
        for code, limb in zip(LIMB_CODES, PAF_CHANNELS, strict=True):
            a, b = PANOPTIC19.indices(limb)
            # Green and blue are only for viewing. No anti-aliasing: it would create other reds.
            cv2.line(bgr, xy[a], xy[b], (110, 70, int(code)), LIMB_WIDTH_PX, cv2.LINE_8)
        for code, name in zip(KEYPOINT_CODES, HEATMAP_CHANNELS, strict=True):
            centre = xy[PANOPTIC19.index(name)]
            cv2.circle(bgr, centre, KEYPOINT_RADIUS_PX, (200, 230, int(code)), cv2.FILLED)
    return bgr


def _background() -> NDArray[np.uint8]:
    """Draw floor and wall, without red."""
    bgr = np.zeros((*SIZE_HW, 3), np.uint8)
    bgr[..., 0] = np.linspace(40, 90, SIZE_HW[0]).astype(np.uint8)[:, np.newaxis]
    bgr[SIZE_HW[0] * 5 // 8 :, :, 1] = 40
    return bgr


def clip() -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Yield the images of one pass with their times, s."""
    for i in range(round(DURATION_S * RATE_HZ)):
        yield i / RATE_HZ, image(i / RATE_HZ)
