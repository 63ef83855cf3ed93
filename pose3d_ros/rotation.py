"""Turning images of a camera that is mounted on its side or upside down.

Networks are trained on upright people. An image is turned by a multiple of 90 degrees before
detection and lifting, and the results are turned back: 2D poses into the pixels of the image as
it was received, 3D poses into its camera optical frame.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import CameraPose, Intrinsics
from pose3d_ros.images import CameraImage
from pose3d_ros.people import People2D, People3D
from pose3d_ros.skeleton import PANOPTIC19

# Clockwise rotation of the image, degrees -> OpenCV's code.
ROTATIONS = {
    90: cv2.ROTATE_90_CLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_COUNTERCLOCKWISE,
}
# Least part of the up vector that lies in the image plane for the roll to be defined: a camera
# that looks up or down within 17 degrees has none.
MIN_IN_PLANE = 0.3
# Rotation is taken from the pose of the camera, where that is known.
AUTO = -1
# Number of people after which the mounting of a camera is judged, and the share of them that must
# appear turned in the same way.
CHECKED_PEOPLE = 60
CLEAR_SHARE = 0.8

_TRUNK = [PANOPTIC19.index(name) for name in ('neck', 'left_hip', 'right_hip')]


@dataclass(frozen=True)
class Rotation:
    """A clockwise rotation of images of one size.

    Parameters
    ----------
    degrees
        Clockwise rotation of the image: 0, 90, 180 or 270.
    width, height
        Size of the image before it is turned, px.

    Raises
    ------
    ValueError
        If `degrees` is another number.
    """

    degrees: int
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.degrees not in (0, *ROTATIONS):
            raise ValueError(f'degrees must be 0, 90, 180 or 270, found {self.degrees}')

    @classmethod
    def of(cls, image: CameraImage, pose: CameraPose | None, degrees: int = AUTO) -> Rotation:
        """Return the rotation that turns an image upright.

        Parameters
        ----------
        image
            The image.
        pose
            Pose of the camera. None: unknown.
        degrees
            The rotation. ``AUTO``: by `pose`, or none if that is unknown.
        """
        height, width = image.bgr.shape[:2]
        return cls(upright_degrees(pose) if degrees == AUTO else degrees, width, height)

    def turn(
        self, image: CameraImage, pose: CameraPose | None
    ) -> tuple[CameraImage, CameraPose | None]:
        """Return the turned image with its intrinsics, and the pose of a camera that took it."""
        if not self.degrees:
            return image, pose
        bgr = np.asarray(cv2.rotate(image.bgr, ROTATIONS[self.degrees]), np.uint8)
        return CameraImage(bgr, self._intrinsics(image.intrinsics)), self.turn_pose(pose)

    def turn_pose(self, pose: CameraPose | None) -> CameraPose | None:
        """Return the pose of a camera that took the turned image."""
        if pose is None or not self.degrees:
            return pose
        return replace(pose, up=self._matrix() @ pose.up)

    def turn_xy(self, xy_px: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return where points ``(..., 2)``, px, are in the turned image."""
        centre = np.array([self.width - 1, self.height - 1]) / 2
        xy: NDArray[np.float64] = (xy_px - centre) @ self._matrix()[:2, :2].T
        return xy + self._turned_centre(centre)

    def turn_back_xy(self, xy_px: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return where points ``(..., 2)``, px, of the turned image are in the image."""
        centre = np.array([self.width - 1, self.height - 1]) / 2
        xy: NDArray[np.float64] = (xy_px - self._turned_centre(centre)) @ self._matrix()[:2, :2]
        return xy + centre

    def turn_boxes(self, boxes_px: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return where boxes ``(B, 4)`` x0, y0, x1, y1, px, are in the turned image."""
        corners = self.turn_xy(boxes_px.reshape(-1, 2, 2))
        return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)

    def turn_back(self, people: People3D) -> People3D:
        """Return people of the turned image in pixels and camera frame of the image."""
        if not self.degrees:
            return people
        back = self._matrix().T
        people_2d = people.people_2d
        return replace(
            people,
            people_2d=replace(people_2d, xy_px=self.turn_back_xy(people_2d.xy_px)),
            xyz_m=people.xyz_m @ back.T,
            root_covariance_m2=back @ people.root_covariance_m2 @ back.T,
        )

    def _matrix(self) -> NDArray[np.float64]:
        """Return the rotation ``(3, 3)`` of points in the camera optical frame."""
        # x right, y down: a positive angle about z turns clockwise in the image.
        cos, sin = {0: (1, 0), 90: (0, 1), 180: (-1, 0), 270: (0, -1)}[self.degrees]
        return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]], np.float64)

    def _turned_centre(self, centre: NDArray[np.float64]) -> NDArray[np.float64]:
        return centre[::-1] if self.degrees in (90, 270) else centre

    def _intrinsics(self, camera: Intrinsics) -> Intrinsics:
        cx, cy = self.turn_xy(np.array([camera.cx, camera.cy])).tolist()
        swap = self.degrees in (90, 270)
        fx, fy = (camera.fy, camera.fx) if swap else (camera.fx, camera.fy)
        distortion = self._distortion(camera.distortion, camera.model)
        return replace(camera, fx=fx, fy=fy, cx=cx, cy=cy, distortion=distortion)

    def _distortion(self, distortion: tuple[float, ...], model: str) -> tuple[float, ...]:
        """Return the coefficients of the lens in axes that are turned with the image.

        Radial terms do not change. The tangential ones (p2, p1) and the thin prism ones (s1, s3)
        and (s2, s4) are vectors in the image plane (OpenCV, calib3d). The tilt angles (tx, ty)
        of a sensor are those of a rotation vector, for small angles.
        """
        if model == 'equidistant' or not distortion:
            return distortion
        turned = list(distortion)
        for x, y in ((3, 2), (8, 10), (9, 11), (12, 13)):
            if max(x, y) < len(turned):
                vector = self._matrix()[:2, :2] @ (turned[x], turned[y])
                turned[x], turned[y] = vector.tolist()
        return tuple(turned)


def upright_degrees(pose: CameraPose | None) -> int:
    """Return the clockwise rotation that turns an image upright: 0, 90, 180 or 270.

    0 if the roll of the camera is unknown, or undefined because it looks straight up or down.
    """
    if pose is None or np.hypot(pose.up[0], pose.up[1]) < MIN_IN_PLANE:
        return 0
    return _upright_degrees(float(pose.up[0]), float(pose.up[1]))


class MountingCheck:
    """Notices from the people in the images that a camera is mounted turned."""

    def __init__(self) -> None:
        self._turns: deque[int] = deque(maxlen=CHECKED_PEOPLE)

    def update(self, people_2d: People2D, degrees: int) -> int | None:
        """Return the clockwise rotation with which people would appear upright.

        Parameters
        ----------
        people_2d
            The people in an image as it was received.
        degrees
            The clockwise rotation that is applied to the image.

        Returns
        -------
        int or None
            None: they are upright with `degrees`, or there were too few people.
        """
        self._turns.extend(trunk_rotations(people_2d))
        if len(self._turns) < CHECKED_PEOPLE:
            return None
        (turn, number), *_ = Counter(self._turns).most_common(1)
        return turn if turn != degrees and number >= CLEAR_SHARE * CHECKED_PEOPLE else None


def trunk_rotations(people_2d: People2D) -> list[int]:
    """Return for each person with neck and hips the clockwise rotation that turns it upright."""
    neck, left_hip, right_hip = (people_2d.xy_px[:, k] for k in _TRUNK)
    up = neck - (left_hip + right_hip) / 2
    return [_upright_degrees(x, y) for x, y in up.tolist() if math.isfinite(x + y)]


def _upright_degrees(x: float, y: float) -> int:
    """Return the clockwise rotation, degrees, that turns a direction in the image upwards."""
    if abs(x) <= abs(y):
        return 0 if y < 0 else 180
    return 270 if x > 0 else 90
