"""The test card: a scene that the package draws itself, of which everything is known.

Paper dolls glide through a room. Each keypoint and limb has a red value of its own, from which the
network of ``models/test_card.py`` reads where they are. Pixels, people and metres are known, so
the whole line from image to message can be tried and tested with no other file. It says nothing
about how well a real network sees real people.
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
# Disc of a keypoint and width of a limb, px, whatever the distance.
KEYPOINT_RADIUS_PX = 4
LIMB_WIDTH_PX = 5
# Red values: keypoints 20, 25, ... 105, limbs 120, 125, ... 210. The room has none.
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
    """Give the doll, ``(K, 3)`` m from its pelvis, in the camera optical frame's directions."""
    return np.array([FIGURE_M[name] for name in PANOPTIC19.keypoints], np.float64)


def intrinsics() -> Intrinsics:
    """Give the camera."""
    return Intrinsics(FOCAL_LENGTH_PX, FOCAL_LENGTH_PX, (SIZE_HW[1] - 1) / 2, (SIZE_HW[0] - 1) / 2)


def people_m(time_s: float) -> NDArray[np.float64]:
    """Give the truth: three dolls ``(3, K, 3)``, m in the camera optical frame.

    Two sway, one comes and goes.
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
    """Draw the scene: ``(*SIZE_HW, 3)`` BGR; who is nearer covers who is behind."""
    bgr = _room()
    people = people_m(time_s)
    for person in people[np.argsort(-people[:, PANOPTIC19.index('pelvis'), 2])]:
        xy = np.round(intrinsics().project(person)).astype(int)
        for code, limb in zip(LIMB_CODES, PAF_CHANNELS, strict=True):
            a, b = PANOPTIC19.indices(limb)
            # Green and blue are for the eye alone. No blending: it would make red values up.
            cv2.line(bgr, xy[a], xy[b], (110, 70, int(code)), LIMB_WIDTH_PX, cv2.LINE_8)
        for code, name in zip(KEYPOINT_CODES, HEATMAP_CHANNELS, strict=True):
            centre = xy[PANOPTIC19.index(name)]
            cv2.circle(bgr, centre, KEYPOINT_RADIUS_PX, (200, 230, int(code)), cv2.FILLED)
    return bgr


def _room() -> NDArray[np.uint8]:
    """Draw floor and wall, without red."""
    bgr = np.zeros((*SIZE_HW, 3), np.uint8)
    bgr[..., 0] = np.linspace(40, 90, SIZE_HW[0]).astype(np.uint8)[:, np.newaxis]
    bgr[SIZE_HW[0] * 5 // 8 :, :, 1] = 40
    return bgr


def clip() -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Give the images of one pass and when they are due, s."""
    for i in range(round(DURATION_S * RATE_HZ)):
        yield i / RATE_HZ, image(i / RATE_HZ)
