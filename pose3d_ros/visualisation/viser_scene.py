"""People in a page of a browser: a scene to orbit, the image beside it, and a table (viser)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import viser
from numpy.typing import NDArray

from pose3d_ros.camera import CameraPose, Intrinsics
from pose3d_ros.geometry.rigid import rotation_matrix
from pose3d_ros.people import TrackedPeople, TrackState
from pose3d_ros.visualisation.style import (
    HEAD,
    KEYPOINT_RGB,
    LIMBS,
    PELVIS,
    distances,
    keypoint_alpha,
    label,
)
from pose3d_ros.visualisation.viser_labels import Labels
from pose3d_ros.visualisation.viser_page import CAMERAS_APART_M, aim

BACKGROUND_RGB = np.array([0.97, 0.97, 0.97])
MIDDLE_DARK_RGB = np.array([0.35, 0.35, 0.35])  # the middle's light grey, on a light background
LIMB_WIDTH_M, KEYPOINT_SIZE_M, LABEL_ABOVE_M = 0.04, 0.05, 0.25
# Images that a trail goes back, and its colour.
TRAIL_IMAGES, TRAIL_RGB = 60, np.full(3, 150, np.uint8)
# Widths of the images beside the scene and in it, px, and the quality of their JPEG, %.
IMAGE_WIDTH_PX, FRUSTUM_WIDTH_PX, JPEG_QUALITY = 640, 320, 80
FLOOR_M = 20.0


@dataclass
class _Person:
    place: Any
    limbs: Any
    keypoints: Any
    trail: Any
    path: deque[NDArray[np.float64]]


class CameraScene:
    """One camera in the page: its people, its image and its floor.

    Parameters
    ----------
    server
        The page.
    name
        Of the camera, and of its node in the scene.
    number
        Of the camera, from 0: each has a place of its own.
    """

    def __init__(self, server: viser.ViserServer, name: str, number: int = 0) -> None:
        self.server, self.name = server, name.strip('/') or 'camera'
        self.root = f'/{self.name}'
        self.people: dict[int, _Person] = {}
        self.labels = Labels(server, self.name)
        self.frustum: Any = None
        self.floor: Any = None
        self.floor_width_m = FLOOR_M
        scene = server.scene
        aim(server, number + 1)
        place = (number * CAMERAS_APART_M, 0.0, 0.0)
        self.frame = scene.add_frame(self.root, axes_length=0.3, axes_radius=0.01, position=place)
        with server.gui.add_folder(self.name):
            black = np.zeros((90, 160, 3), np.uint8)
            self.image = server.gui.add_image(black, format='jpeg', jpeg_quality=JPEG_QUALITY)
            self.state = server.gui.add_markdown('waiting for poses')
            self.table = server.gui.add_markdown('')

    def show_people(self, tracked: TrackedPeople) -> None:
        """Show the people of an image, in the frame of the camera, and no others."""
        people = tracked.people
        distance_m, sd_m = distances(people)
        alpha = keypoint_alpha(people)
        texts, tops_m = {}, {}
        with self.server.atomic():
            for i, track_id in enumerate(tracked.track_id.tolist()):
                top_m = self._show_person(track_id, people.xyz_m[i], alpha[i])
                if top_m is not None:
                    texts[track_id] = label(track_id, distance_m[i], sd_m[i])
                    tops_m[track_id] = top_m
            for gone in self.people.keys() - texts.keys():
                self._remove(gone)
            self.labels.show(texts, tops_m)

    def show_table(self, tracked: TrackedPeople) -> None:
        """Show the people of an image in the table, and no others."""
        self.table.content = people_table(tracked, *distances(tracked.people))

    def show_image(self, rgb: NDArray[np.uint8], intrinsics: Intrinsics | None = None) -> None:
        """Show an image ``(H, W, 3)`` beside the scene, and in the camera's frustum."""
        height, width = rgb.shape[:2]
        self.image.image = _narrow(rgb, IMAGE_WIDTH_PX)
        if intrinsics is None:
            return
        if self.frustum is None:
            self.frustum = self.server.scene.add_camera_frustum(
                f'{self.root}/frustum',
                fov=2 * float(np.arctan2(height / 2, intrinsics.fy)),
                aspect=width / height,
                scale=0.4,
                thickness=0.005,
                format='jpeg',
                jpeg_quality=JPEG_QUALITY,
            )
        self.frustum.image = _narrow(rgb, FRUSTUM_WIDTH_PX)

    def hide_image(self) -> None:
        """Remove the image from the scene: people are not in the frame of the camera."""
        if self.frustum is not None:
            self.frustum.remove()
            self.frustum = None

    def show_camera_pose(self, pose: CameraPose | None) -> None:
        """Turn the camera and its people upright, and show the floor.

        Parameters
        ----------
        pose
            Attitude and height of the camera. None: unknown; it is shown level. Without a height
            there is no floor.
        """
        w, x, y, z = (1.0, 0.0, 0.0, 0.0) if pose is None else _turn_y_to(-pose.up)
        # The inverse rotation: what is down for the camera comes to +y, down in the scene.
        self.frame.wxyz = (w, -x, -y, -z)
        if pose is None or not np.isfinite(pose.height_m):
            if self.floor is not None:
                self.floor.remove()
                self.floor = None
            return
        if self.floor is None:
            self.floor = self.server.scene.add_grid(
                f'{self.root}/floor',
                self.floor_width_m,
                FLOOR_M,
                plane='xz',
                cell_size=1.0,
                section_size=5.0,
            )
        self.floor.wxyz = _turn_y_to(-pose.up)
        self.floor.position = -pose.up * pose.height_m

    def leave_room(self) -> None:
        """Make the floor so narrow that it does not lie below the people of other cameras."""
        self.floor_width_m = CAMERAS_APART_M
        if self.floor is not None:
            self.floor.width = self.floor_width_m

    def clear(self) -> None:
        """Remove all people."""
        for track_id in list(self.people):
            self._remove(track_id)
        self.labels.show({}, {})
        self.table.content = ''

    def _show_person(
        self, track_id: int, xyz_m: NDArray[np.float64], alpha: NDArray[np.float64]
    ) -> NDArray[np.float64] | None:
        """Show a person, and return the place of the label in the scene; None: of no keypoint."""
        known = alpha > 0
        if not known.any():
            return None
        shown = LIMBS[known[LIMBS].all(axis=1)]
        opacity = alpha[shown].min(axis=1)
        # The page moves nodes and labels at once, but builds new lines and points later if it is
        # slow: relative to the pelvis, they are at least where the person is.
        origin_m = xyz_m[PELVIS] if known[PELVIS] else xyz_m[known].mean(axis=0)
        ends = np.asarray(xyz_m[shown] - origin_m, np.float32)
        colours = np.repeat(_linear(_faded(shown[:, 1], opacity))[:, np.newaxis], 2, axis=1)
        points = np.asarray(xyz_m[known] - origin_m, np.float32)
        point_colours = _faded(np.flatnonzero(known), alpha[known])
        person = self.people.get(track_id)
        if person is None:
            person = self._add(track_id, ends, colours, points, point_colours)
        person.place.position = tuple(origin_m.tolist())
        person.limbs.points, person.limbs.colors = ends, colours
        person.keypoints.points, person.keypoints.colors = points, point_colours
        if known[PELVIS]:
            person.path.append(xyz_m[PELVIS].copy())
        if len(person.path) > 1:
            path = np.array(person.path, np.float32)
            person.trail.points = np.stack([path[:-1], path[1:]], axis=1)
            person.trail.colors = np.full((len(path) - 1, 2, 3), _linear(TRAIL_RGB), np.uint8)
        return self._above(xyz_m[HEAD][known[HEAD]] if known[HEAD].any() else xyz_m[known])

    def _above(self, points_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the point in the scene above points ``(n, 3)`` m of the camera's frame."""
        w, x, y, z = self.frame.wxyz
        top_m = rotation_matrix(np.array([x, y, z, w])) @ points_m.mean(axis=0)
        return np.asarray(top_m + self.frame.position - (0, LABEL_ABOVE_M, 0), np.float64)

    def _add(
        self,
        track_id: int,
        ends: NDArray[np.float32],
        colours: NDArray[np.uint8],
        points: NDArray[np.float32],
        point_colours: NDArray[np.uint8],
    ) -> _Person:
        node, scene = f'{self.root}/person_{track_id}', self.server.scene
        nothing = np.zeros((1, 2, 3), np.float32)
        self.people[track_id] = _Person(
            scene.add_frame(node, show_axes=False),
            scene.add_line_segments(f'{node}/limbs', ends, colours, thickness=LIMB_WIDTH_M),
            scene.add_point_cloud(
                f'{node}/keypoints',
                points,
                point_colours,
                point_size=KEYPOINT_SIZE_M,
                point_shape='circle',
                precision='float32',
            ),
            scene.add_line_segments(
                f'{self.root}/trail_{track_id}', nothing, tuple(TRAIL_RGB.tolist()), thickness=0.01
            ),
            deque(maxlen=TRAIL_IMAGES),
        )
        return self.people[track_id]

    def _remove(self, track_id: int) -> None:
        person = self.people.pop(track_id, None)
        if person is not None:
            person.place.remove()  # and what is below it
            person.trail.remove()


def people_table(
    tracked: TrackedPeople, distance_m: NDArray[np.float64], sd_m: NDArray[np.float64]
) -> str:
    """Return a table of people in Markdown, ordered by id."""
    lines = ['| id | distance | state | seen for | score |', '|---|---|---|---|---|']
    for i in np.argsort(tracked.track_id):
        distance = label(0, distance_m[i], sd_m[i])[1:].strip() or '?'
        lines.append(
            f'| {tracked.track_id[i]} | {distance} | {TrackState(tracked.state[i]).name.lower()} '
            f'| {tracked.age_s[i]:.0f} s | {tracked.people.people_2d.score[i]:.2f} |'
        )
    return '\n'.join(lines)


def _narrow(rgb: NDArray[np.uint8], width_px: int) -> NDArray[np.uint8]:
    """Return an image that is not wider than `width_px`."""
    height, width = rgb.shape[:2]
    scale = min(1.0, width_px / width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)


def _faded(keypoints: NDArray[np.intp], alpha: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return colours ``(n, 3)`` of keypoints, mixed with the background where they are pale."""
    rgb = KEYPOINT_RGB[keypoints]
    rgb = np.where((np.ptp(rgb, axis=1) == 0)[:, np.newaxis], MIDDLE_DARK_RGB, rgb)
    opacity = alpha[:, np.newaxis]
    return np.asarray(np.round(255 * (opacity * rgb + (1 - opacity) * BACKGROUND_RGB)), np.uint8)


def _linear(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return sRGB colours as linear ones, which the page takes for the ends of lines."""
    return np.asarray(np.round(255 * (rgb / 255) ** 2.2), np.uint8)


def _turn_y_to(direction: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Return the shortest rotation (quaternion w x y z) of +y to a unit vector."""
    y = np.array([0.0, 1.0, 0.0])
    w = 1 + float(y @ direction)
    if w < 1e-9:
        return 0.0, 1.0, 0.0, 0.0
    quaternion = np.array([w, *np.cross(y, direction)])
    w, x, y_, z = (quaternion / np.linalg.norm(quaternion)).tolist()
    return w, x, y_, z
