"""Images with the camera that took them, and what a pipeline processes at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import CameraPose, Intrinsics


@dataclass(frozen=True)
class CameraImage:
    """An image and the camera that took it.

    Parameters
    ----------
    bgr
        ``(H, W, 3)`` uint8.
    intrinsics
        Of the camera, for this size of image.

    Raises
    ------
    ValueError
        If the image is not of that shape and type.
    """

    bgr: NDArray[np.uint8]
    intrinsics: Intrinsics

    def __post_init__(self) -> None:
        check_bgr(self.bgr)


@dataclass(frozen=True)
class DepthImage:
    """Distances measured by a sensor and registered to a camera.

    Parameters
    ----------
    depth_m
        ``(H, W)`` float32, m along the optical axis (z, not along the ray). NaN: unknown.
    intrinsics
        Of these pixels. The optical centre is that of the camera it is registered to; size and
        focal length may differ.

    Raises
    ------
    ValueError
        If the depths are not of that shape and type.
    """

    depth_m: NDArray[np.float32]
    intrinsics: Intrinsics

    def __post_init__(self) -> None:
        depth_m = self.depth_m
        if depth_m.ndim != 2 or depth_m.dtype != np.float32 or not depth_m.size:
            raise ValueError(
                'a depth image must be (H, W) float32 and not empty, '
                f'found {depth_m.shape} {depth_m.dtype}'
            )

    def at(self, rays: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the depth, m, of the nearest pixel in directions ``(..., 2)`` x/z, y/z.

        NaN where it is unknown.
        """
        height, width = self.depth_m.shape
        xy = self.intrinsics.project_rays(rays)
        inside = (np.abs(xy - ((width - 1) / 2, (height - 1) / 2)) < (width / 2, height / 2)).all(
            -1
        )
        pixel = np.where(inside[..., np.newaxis], np.rint(xy), 0).astype(np.intp)
        depth_m = self.depth_m[pixel[..., 1], pixel[..., 0]].astype(np.float64)
        return np.where(inside & np.isfinite(depth_m) & (depth_m > 0), depth_m, np.nan)


@dataclass(frozen=True)
class Observation:
    """What a pipeline processes at once: one image and what is known about it.

    Parameters
    ----------
    image
        The image with its intrinsics.
    stamp_s
        When it was taken, s.
    camera_pose
        Attitude and height of the camera at that time. None: unknown.
    depth
        Registered depth of the same time. None: there is none.
    """

    image: CameraImage
    stamp_s: float
    camera_pose: CameraPose | None = None
    depth: DepthImage | None = None


def check_bgr(bgr: NDArray[np.uint8]) -> None:
    """Raise ValueError unless an image is ``(H, W, 3)`` uint8 with at least one pixel."""
    if not isinstance(bgr, np.ndarray):
        hint = '; cv2.imread returns None for a file that it cannot read' if bgr is None else ''
        raise ValueError(
            f'an image must be an array (H, W, 3) uint8, found {type(bgr).__name__}{hint}'
        )
    if bgr.ndim != 3 or bgr.shape[2] != 3 or bgr.dtype != np.uint8 or not bgr.size:
        raise ValueError(
            f'an image must be (H, W, 3) uint8 and not empty, found {bgr.shape} {bgr.dtype}'
        )
