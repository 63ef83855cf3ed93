"""The model of a camera: intrinsics with lens distortion, attitude and height."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

# Largest angle between a ray and the optical axis: x/z and y/z go to infinity towards 90 degrees.
MAX_ANGLE_RAD = np.deg2rad(85)
# Number of angles up to there at which the lens is tabulated.
LENS_ANGLES = 512
# Newton-like steps of the inversion, each of which leaves a few per cent of the error. It stops at
# CLOSE_PX; what is still further off than LENS_TOLERANCE_PX after the last step has no ray.
LENS_STEPS = 8
CLOSE_PX, LENS_TOLERANCE_PX = 0.01, 0.1
# Radial ones among OpenCV's coefficients k1 k2 p1 p2 k3 k4 k5 k6 s1 s2 s3 s4 tx ty.
RADIAL = (0, 1, 4, 5, 6, 7)


class IntrinsicsSource(IntEnum):
    """Source of intrinsics; the values of ``PoseArray3D.intrinsics_source``."""

    CAMERA_INFO = 0
    PARAMETER = 1
    GUESSED = 2


class CameraPoseSource(IntEnum):
    """Source of the pose of a camera."""

    NONE = 0
    GIVEN = 1
    ESTIMATED = 2


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
        """Assume a focal length of 0.8 image widths: 64 degrees across."""
        return cls.centred(0.8 * width, width, height, IntrinsicsSource.GUESSED)

    @classmethod
    def centred(
        cls, focal_length_px: float, width: int, height: int, source: IntrinsicsSource
    ) -> Intrinsics:
        """Assume the optical centre in the middle of the image."""
        f = float(focal_length_px)
        return cls(f, f, (width - 1) / 2, (height - 1) / 2, source=source)

    def unproject(self, xy_px: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the ray x/z, y/z of each pixel ``(..., 2)`` px.

        NaN stays NaN. Pixels that no ray reaches give NaN too: a lens model is fitted inside the
        image and may fold back outside of it, where cv2.undistortPoints still returns rays.
        """
        xy: NDArray[np.float64] = np.asarray(xy_px, np.float64)
        distorted: NDArray[np.float64] = (xy - (self.cx, self.cy)) / (self.fx, self.fy)
        if not any(self.distortion) or not xy.size:
            return distorted
        wanted = np.where(np.isfinite(distorted), distorted, np.nan).reshape(-1, 2)
        target, rays, error_px = wanted, wanted, wanted
        tangents, radii = self._lens
        for _ in range(LENS_STEPS):
            radius = np.hypot(target[:, :1], target[:, 1:])
            rays = target * np.interp(radius, radii, tangents) / np.where(radius > 0, radius, 1)
            # The table has the radial terms alone: correct the target by the rest of the error.
            error = wanted - _distort(rays, self.distortion, self.model)
            error_px = np.abs(error * (self.fx, self.fy))
            if not (error_px > CLOSE_PX).any():  # NaN is not more
                break
            target = target + error
        within = (error_px <= LENS_TOLERANCE_PX).all(1, keepdims=True)
        return np.where(within, rays, np.nan).reshape(xy.shape)

    @cached_property
    def _lens(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return tangents of angles from the axis and their distorted radii, up to the fold."""
        tangents: NDArray[np.float64] = np.tan(np.linspace(0, MAX_ANGLE_RAD, LENS_ANGLES))
        fisheye = self.model == 'equidistant'
        radial = tuple(
            value if fisheye or i in RADIAL else 0.0 for i, value in enumerate(self.distortion)
        )
        points = np.stack([tangents, np.zeros_like(tangents)], axis=-1)
        radii = _distort(points, radial, self.model)[:, 0]
        rises = np.diff(radii) > 0
        number = LENS_ANGLES if rises.all() else int(np.argmin(rises)) + 1
        return tangents[:number], radii[:number]

    def project_rays(self, rays: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the pixel of each ray ``(..., 2)`` x/z, y/z; the inverse of `unproject`.

        NaN stays NaN. Rays beyond what the lens model covers give NaN too.
        """
        xy: NDArray[np.float64] = np.asarray(rays, np.float64)
        if any(self.distortion) and xy.size:
            tangents, _ = self._lens
            within = np.hypot(xy[..., 0], xy[..., 1]) <= tangents[-1]  # NaN is not
            xy = np.where(within[..., np.newaxis], xy, np.nan)
            xy = _distort(xy.reshape(-1, 2), self.distortion, self.model).reshape(xy.shape)
        return xy * (self.fx, self.fy) + (self.cx, self.cy)

    def project(self, xyz_m: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the pixel of each point ``(..., 3)`` m, through the lens.

        Points of depth 0 and rays beyond what the lens model covers give NaN or infinity.
        """
        xyz: NDArray[np.float64] = np.asarray(xyz_m, np.float64)
        return self.project_rays(xyz[..., :2] / xyz[..., 2:])


def _distort(
    rays: NDArray[np.float64], distortion: tuple[float, ...], model: str
) -> NDArray[np.float64]:
    """Project rays ``(N, 2)`` with a camera of focal length 1: ``(N, 2)``."""
    points = np.concatenate([rays, np.ones_like(rays[:, :1])], axis=1)[:, np.newaxis]
    project = cv2.fisheye.projectPoints if model == 'equidistant' else cv2.projectPoints
    zero = np.zeros(3)
    xy, _ = project(points, zero, zero, np.eye(3), np.array(distortion))
    return np.asarray(xy, np.float64).reshape(-1, 2)


@dataclass(frozen=True)
class CameraPose:
    """Attitude of a camera and its height above the floor, with their uncertainty.

    Parameters
    ----------
    up
        ``(3,)`` unit vector against gravity, in the camera optical frame: (0, -1, 0) for a level
        camera.
    height_m
        Height of the camera above the floor on which people stand, m. NaN: unknown.
    up_sd_rad
        Standard deviation of `up` about each of the two axes across it, rad. 0: known, not
        estimated.
    height_sd
        Standard deviation of the height as a share of it. 0: known, not estimated.

    Raises
    ------
    ValueError
        If `up` is not a unit vector, the height is negative or infinite, or a standard deviation
        is negative or not finite.
    """

    up: NDArray[np.float64]
    height_m: float = float('nan')
    up_sd_rad: float = 0.0
    height_sd: float = 0.0

    def __post_init__(self) -> None:
        length = np.linalg.norm(self.up) if np.shape(self.up) == (3,) else np.nan
        if not abs(length - 1) < 1e-3:
            raise ValueError(f'up must be a unit vector (3,), found {self.up}')
        if self.height_m < 0 or np.isinf(self.height_m):
            raise ValueError(f'height_m must be NaN or at least 0 m, found {self.height_m}')
        for name in ('up_sd_rad', 'height_sd'):
            sd = getattr(self, name)
            if not 0 <= sd < np.inf:
                raise ValueError(f'{name} must be finite and at least 0, found {sd}')
