"""What is known of a camera, and an image of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import cv2
import numpy as np
from numpy.typing import NDArray


class IntrinsicsSource(IntEnum):
    """Where intrinsics came from; the values of ``PoseArray3D.intrinsics_source``."""

    CAMERA_INFO = 0
    PARAMETER = 1
    GUESSED = 2


@dataclass(frozen=True)
class Intrinsics:
    """A pinhole camera with lens distortion.

    Parameters
    ----------
    fx, fy
        Focal length, px.
    cx, cy
        Optical centre, px; 0 is the centre of the first pixel, as in ROS and OpenCV.
    distortion
        Coefficients of the model, empty for none.
    model
        ``'plumb_bob'`` or ``'rational_polynomial'`` (OpenCV's k1 k2 p1 p2 k3 ..., 4, 5, 8, 12 or
        14 of them), or ``'equidistant'`` (OpenCV's fisheye, 4).
    source
        Where the numbers came from.

    Raises
    ------
    ValueError
        If a focal length is not positive, a number is not finite, or the distortion is none of the
        above.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    distortion: tuple[float, ...] = ()
    model: str = 'plumb_bob'
    source: IntrinsicsSource = IntrinsicsSource.PARAMETER

    def __post_init__(self) -> None:
        numbers = (self.fx, self.fy, self.cx, self.cy, *self.distortion)
        if not np.isfinite(numbers).all():
            raise ValueError(f'intrinsics must be finite, found {numbers}')
        if self.fx <= 0 or self.fy <= 0:
            raise ValueError(f'focal lengths must be positive, found fx={self.fx}, fy={self.fy}')
        lengths = {
            'plumb_bob': (0, 4, 5),
            'rational_polynomial': (0, 8, 12, 14),
            'equidistant': (0, 4),
        }
        if len(self.distortion) not in lengths.get(self.model, ()):
            raise ValueError(
                f'distortion must be one of {lengths} (model: numbers of coefficients), '
                f'found {self.model!r} with {len(self.distortion)}'
            )

    @classmethod
    def guess(cls, width: int, height: int) -> Intrinsics:
        """Take a camera of which nothing is known to be 0.8 widths long, 64 degrees across."""
        return cls.centred(0.8 * width, width, height, IntrinsicsSource.GUESSED)

    @classmethod
    def centred(
        cls, focal_length_px: float, width: int, height: int, source: IntrinsicsSource
    ) -> Intrinsics:
        """Take the optical centre to be in the middle of the image."""
        f = float(focal_length_px)
        return cls(f, f, (width - 1) / 2, (height - 1) / 2, source=source)

    def rays(self, xy_px: NDArray[np.floating]) -> NDArray[np.float64]:
        """Give the direction of each pixel: ``(..., 2)`` px to x/z, y/z. NaN stays NaN."""
        xy: NDArray[np.float64] = np.asarray(xy_px, np.float64)
        if not any(self.distortion):
            return (xy - (self.cx, self.cy)) / (self.fx, self.fy)
        matrix = np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]], np.float64)
        coefficients = np.array(self.distortion)
        points = xy.reshape(-1, 1, 2)
        if not len(points):
            return xy
        undistort = (
            cv2.fisheye.undistortPoints if self.model == 'equidistant' else cv2.undistortPoints
        )
        return np.asarray(undistort(points, matrix, coefficients), np.float64).reshape(xy.shape)

    def project(self, xyz_m: NDArray[np.floating]) -> NDArray[np.float64]:
        """Give the pixel of each point, ``(..., 3)`` m to ``(..., 2)`` px, without distortion."""
        xyz_m = np.asarray(xyz_m, np.float64)
        xy: NDArray[np.float64] = xyz_m[..., :2] / xyz_m[..., 2:]
        return xy * (self.fx, self.fy) + (self.cx, self.cy)


@dataclass(frozen=True)
class CameraImage:
    """An image and the camera that took it.

    Parameters
    ----------
    bgr
        ``(H, W, 3)`` uint8.
    intrinsics
        Of the camera, for this size of image.
    """

    bgr: NDArray[np.uint8]
    intrinsics: Intrinsics

    def __post_init__(self) -> None:
        check_bgr(self.bgr)


def check_bgr(bgr: NDArray[np.uint8]) -> None:
    """ValueError unless an image is ``(H, W, 3)`` uint8 with at least one pixel."""
    if bgr.ndim != 3 or bgr.shape[2] != 3 or bgr.dtype != np.uint8 or not bgr.size:
        raise ValueError(
            f'an image must be (H, W, 3) uint8 and not empty, found {bgr.shape} {bgr.dtype}'
        )
