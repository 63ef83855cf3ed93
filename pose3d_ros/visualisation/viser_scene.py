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

# On this machine only: whoever reaches the page sees the camera and can change parameters.
HOST = '127.0.0.1'
BACKGROUND_RGB = np.array([0.97, 0.97, 0.97])
MIDDLE_DARK_RGB = np.array([0.35, 0.35, 0.35])  # the middle's light grey, on a light background
LIMB_WIDTH_M, KEYPOINT_SIZE_M, LABEL_ABOVE_M = 0.04, 0.05, 0.25
# Images that a trail goes back, and its colour.
TRAIL_IMAGES, TRAIL_RGB = 60, np.full(3, 150, np.uint8)
# Width of the images that are sent, px, and the quality of their JPEG, %.
IMAGE_WIDTH_PX, JPEG_QUALITY = 640, 80
# Distance between two cameras whose frames have nothing to do with each other, m.
CAMERAS_APART_M = 6.0
FLOOR_M = 20.0
# Vertical field of view of the page, rad.
VIEW_RAD = float(np.radians(42))


@dataclass
class _Person:
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
        scene = server.scene
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
        self.table.content = people_table(tracked, distance_m, sd_m)

    def show_image(self, rgb: NDArray[np.uint8], intrinsics: Intrinsics | None = None) -> None:
        """Show an image ``(H, W, 3)`` beside the scene, and in the camera's frustum."""
        height, width = rgb.shape[:2]
        scale = min(1.0, IMAGE_WIDTH_PX / width)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
        self.image.image = small
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
        self.frustum.image = small

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
                FLOOR_M,
                FLOOR_M,
                plane='xz',
                cell_size=1.0,
                section_size=5.0,
            )
        self.floor.wxyz = _turn_y_to(-pose.up)
        self.floor.position = -pose.up * pose.height_m

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
        ends = np.asarray(xyz_m[shown], np.float32)
        colours = np.repeat(_linear(_faded(shown[:, 1], opacity))[:, np.newaxis], 2, axis=1)
        points = np.asarray(xyz_m[known], np.float32)
        point_colours = _faded(np.flatnonzero(known), alpha[known])
        person = self.people.get(track_id)
        if person is None:
            person = self._add(track_id, ends, colours, points, point_colours)
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
                f'{node}/trail', nothing, tuple(TRAIL_RGB.tolist()), thickness=0.01
            ),
            deque(maxlen=TRAIL_IMAGES),
        )
        return self.people[track_id]

    def _remove(self, track_id: int) -> None:
        person = self.people.pop(track_id, None)
        if person is not None:
            for handle in (person.limbs, person.keypoints, person.trail):
                handle.remove()


def open_page(port: int = 8080) -> viser.ViserServer:
    """Serve an empty page on this machine; the port is the next free one."""
    server = viser.ViserServer(host=HOST, port=port, label='pose3d', verbose=False)
    server.gui.configure_theme(control_width='large', show_logo=False, show_share_button=False)
    server.gui.main_panel.dock_right()
    # A camera optical frame, seen from behind and above the camera.
    server.scene.set_up_direction((0.0, -1.0, 0.0))
    server.initial_camera.position = (-3.2, -2.5, -4.0)
    server.initial_camera.look_at = (0.1, 0.3, 3.1)
    server.initial_camera.fov = VIEW_RAD
    return server


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
