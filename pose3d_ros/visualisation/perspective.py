"""People in 3D, drawn from behind the camera, above it and to its left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import CameraPose
from pose3d_ros.people import TrackedPeople, TrackState
from pose3d_ros.visualisation.style import (
    HEAD,
    KEYPOINT_BGR,
    LIMBS,
    distances,
    keypoint_alpha,
    label,
)
from pose3d_ros.visualisation.text import Label, draw_labels, draw_text

YAW_RAD, PITCH_RAD = np.radians(-30), np.radians(22)
FIELD_OF_VIEW_RAD = np.radians(45)
# Distance of the eye: half of what is seen in the middle of the scene, in reaches.
AWAY = 0.45
# Nearest depth that is drawn, m from the eye.
NEAREST_M = 0.1
# Bounds of how far the view reaches, m, and the time in which it follows people by two thirds, s.
MIN_REACH_M, MAX_REACH_M, FOLLOW_S = 2.5, 25.0, 1.0
# Level of the floor below a camera whose height is unknown: where the view aims, m.
AIM_BELOW_M = 0.3
BACKGROUND, GRID, LABEL_ABOVE_M, LIMB_PX = 30, 70, 0.2, 2
LEVEL = np.array([0.0, -1.0, 0.0])
_SHIFT = 4  # OpenCV draws at fractions of 1/16 px

Project = Callable[[object], NDArray[np.float64]]


@dataclass
class Reach:
    """How far the view reaches, m: follows the people, nearer as well as further.

    Parameters
    ----------
    reach_m
        At the beginning.
    """

    reach_m: float = 4.0
    _stamp_s: float | None = None

    def update(self, tracked: TrackedPeople, stamp_s: float) -> float:
        """Return the reach for the people of an image, m; without people, it stays."""
        certain = tracked.state == TrackState.CONFIRMED
        depth_m = tracked.people.xyz_m[certain, :, 2]
        depth_m = depth_m[np.isfinite(depth_m)]
        if depth_m.size:
            wanted_m = np.clip(1.25 * np.percentile(depth_m, 95), MIN_REACH_M, MAX_REACH_M)
            step_s = stamp_s - self._stamp_s if self._stamp_s is not None else np.inf
            share = 1 - np.exp(-step_s / FOLLOW_S) if step_s > 0 else 0.0
            self.reach_m += float(share) * (float(wanted_m) - self.reach_m)
            self._stamp_s = stamp_s
        return self.reach_m


def draw_view(
    tracked: TrackedPeople,
    size_hw: tuple[int, int],
    reach_m: float,
    camera_pose: CameraPose | None = None,
) -> NDArray[np.uint8]:
    """Draw people in 3D.

    Parameters
    ----------
    tracked
        People in the camera optical frame.
    size_hw
        Height and width of the picture, px.
    reach_m
        How far the scene goes, m; ``Reach`` follows people.
    camera_pose
        Attitude and height of the camera. None: the camera is drawn level. The floor, in squares
        of a metre, is drawn only where the height is known.

    Returns
    -------
    ndarray
        ``(*size_hw, 3)`` BGR uint8: the camera's axes (x red, y green, z blue), the floor, and
        skeletons, those limbs paler that are not observed, with ids and distances.
    """
    bgr = np.full((*size_hw, 3), BACKGROUND, np.uint8)
    up = camera_pose.up if camera_pose else LEVEL

    def project(xyz_m: object) -> NDArray[np.float64]:
        return look(np.asarray(xyz_m, np.float64), size_hw, reach_m, up)

    if camera_pose is not None and np.isfinite(camera_pose.height_m):
        _draw_floor(bgr, project, camera_pose, reach_m)
    else:
        draw_text(bgr, 'floor unknown', (8, size_hw[0]))
    for axis, colour in enumerate(((80, 80, 255), (80, 220, 80), (255, 120, 80))):
        _draw_line(bgr, project([np.zeros(3), 0.1 * reach_m * np.eye(3)[axis]]), colour, 2)
    _draw_skeletons(bgr, tracked, project, up)
    return bgr


def look(
    xyz_m: NDArray[np.float64],
    size_hw: tuple[int, int],
    reach_m: float,
    up: NDArray[np.float64] = LEVEL,
) -> NDArray[np.float64]:
    """Project ``(N, 3)`` m in the camera optical frame to ``(N, 2)`` px of the picture.

    NaN: behind the eye, or unknown.
    """
    middle = np.array([0, AIM_BELOW_M, reach_m / 2])
    c, s = np.cos(YAW_RAD), np.sin(YAW_RAD)
    turned = (xyz_m @ level_axes(up).T - middle) @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    c, s = np.cos(PITCH_RAD), np.sin(PITCH_RAD)
    tilted = turned @ np.array([[1, 0, 0], [0, c, s], [0, -s, c]])
    away_m = AWAY * reach_m / np.tan(FIELD_OF_VIEW_RAD / 2)
    z = tilted[:, 2:] + away_m
    scale = min(size_hw) / 2 / np.tan(FIELD_OF_VIEW_RAD / 2)
    with np.errstate(divide='ignore', invalid='ignore'):
        xy: NDArray[np.float64] = np.where(z > NEAREST_M, tilted[:, :2] / z, np.nan) * scale
    return xy + np.array(size_hw[::-1]) / 2


def level_axes(up: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rows x (right), y (down), z (forward, level) of a level frame, ``(3, 3)``.

    Its z is the optical axis made level; for a camera that looks straight up or down, the image's
    upper edge.
    """
    down = -up / np.linalg.norm(up)
    forward = np.array([0.0, 0.0, 1.0])
    if abs(forward @ down) > 0.99:
        forward = np.array([0.0, -1.0, 0.0])
    z = forward - (forward @ down) * down
    z /= np.linalg.norm(z)
    return np.stack([np.cross(down, z), down, z])


def _draw_floor(
    bgr: NDArray[np.uint8], project: Project, camera_pose: CameraPose, reach_m: float
) -> None:
    """Draw squares of a metre on the floor, from below the camera to the reach."""
    axes = level_axes(camera_pose.up)
    squares = int(np.ceil(reach_m))
    half = squares // 2 + 1
    ends = [((-half, z), (half, z)) for z in range(squares + 1)]
    ends += [((x, 0), (x, squares)) for x in range(-half, half + 1)]
    for pair in ends:
        level_m = np.array([(x, camera_pose.height_m, z) for x, z in pair], np.float64)
        _draw_line(bgr, project(level_m @ axes), (GRID, GRID, GRID), 1)


def _draw_skeletons(
    bgr: NDArray[np.uint8], tracked: TrackedPeople, project: Project, up: NDArray[np.float64]
) -> None:
    people = tracked.people
    alpha = keypoint_alpha(people)
    distance_m, sd_m = distances(people)
    labels = []
    for i in np.argsort(-np.nan_to_num(distance_m)):  # the nearest last, in front
        xy = project(people.xyz_m[i])
        for a, b in LIMBS.tolist():
            opacity = min(alpha[i, a], alpha[i, b])
            if opacity > 0:
                colour = opacity * np.array(KEYPOINT_BGR[b]) + (1 - opacity) * BACKGROUND
                _draw_line(bgr, xy[[a, b]], tuple(colour.tolist()), LIMB_PX)
        known = people.xyz_m[i][np.isfinite(people.xyz_m[i]).all(axis=1)]
        head = people.xyz_m[i, HEAD][np.isfinite(people.xyz_m[i, HEAD]).all(axis=1)]
        if len(known):
            centre = (head if len(head) else known).mean(axis=0)
            top = centre + up * (np.max((known - centre) @ up) + LABEL_ABOVE_M)
            ((x, y),) = project(top[np.newaxis])
            if np.isfinite((x, y)).all():
                text = label(int(tracked.track_id[i]), distance_m[i], sd_m[i])
                labels.append(Label(text, float(x), float(y)))
    draw_labels(bgr, labels)


def _draw_line(
    bgr: NDArray[np.uint8],
    ends: NDArray[np.float64],
    colour: tuple[float, ...],
    width: int,
) -> None:
    """Draw between two points ``(2, 2)`` px; nothing where one is unknown or far outside."""
    if np.isfinite(ends).all() and np.abs(ends).max() < 10 * max(bgr.shape):
        a, b = np.round(ends * 2**_SHIFT).astype(int).tolist()
        cv2.line(bgr, a, b, colour, width, cv2.LINE_AA, _SHIFT)
