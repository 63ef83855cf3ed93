"""Conversion of CameraInfo to the intrinsics of the images that are published with it.

The meaning of the fields is documented in sensor_msgs/CameraInfo.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import numpy as np
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from pose3d_ros.camera import Intrinsics, IntrinsicsSource
from pose3d_ros.lens_coefficients import read_distortion
from pose3d_ros.ros.messages.image_window import find_window

# Bounds of the focal length in widths of the full image; 0.05: 169 degrees field of view without
# distortion, 100: half a degree.
FOCAL_LENGTHS = (0.05, 100.0)
# Bounds of the optical centre in widths and heights of the full image, also for shifted lenses.
CENTRES = (-1.0, 2.0)
# Largest skew of K in focal lengths; OpenCV ignores the skew.
MAX_SKEW = 0.1


class Calibration:
    """Intrinsics of one camera: from the latest CameraInfo, a focal length, or a guess.

    Parameters
    ----------
    focal_length_px
        For images without a usable CameraInfo. 0: unknown.
    rectified
        The images are rectified: P of the CameraInfo applies, without distortion.
    """

    def __init__(self, focal_length_px: float = 0.0, rectified: bool = False) -> None:
        self.focal_length_px = focal_length_px
        self.rectified = rectified
        self.info: CameraInfo | None = None
        # What was assumed to read the CameraInfo, or ''.
        self.note = ''
        # Size of the last image, px, with its intrinsics and why CameraInfo is not used.
        self._size = (0, 0)
        self._found: tuple[Intrinsics, str] | None = None

    def update(self, info: CameraInfo) -> None:
        """Use a CameraInfo. Drivers send the same one with every image."""
        if self.info is None or _unstamped(info) != _unstamped(self.info):
            self._found = None
        self.info = info

    def intrinsics(self, width: int, height: int) -> tuple[Intrinsics, str]:
        """Return the intrinsics of an image, px, and what is wrong with the CameraInfo, or ''."""
        if self._found is None or self._size != (width, height):
            self._size, self._found = (width, height), self._find(width, height)
        return self._found

    def _find(self, width: int, height: int) -> tuple[Intrinsics, str]:
        problem, self.note = '', ''
        if self.info is not None:
            try:
                found = read_camera_info(self.info, width, height, self.rectified)
                if found is not None:
                    intrinsics, self.note, problem = found
                    return intrinsics, problem
            except ValueError as error:
                problem = f'CameraInfo is not used: {error}'
        if self.focal_length_px > 0:
            source = IntrinsicsSource.PARAMETER
            return Intrinsics.centred(self.focal_length_px, width, height, source), problem
        return Intrinsics.guess(width, height), problem


def intrinsics_of(
    info: CameraInfo, width: int, height: int, rectified: bool = False
) -> Intrinsics | None:
    """Return the intrinsics of an image of this size, px; None: uncalibrated.

    Raises
    ------
    ValueError
        As `read_camera_info`.
    """
    found = read_camera_info(info, width, height, rectified)
    return found[0] if found else None


def read_camera_info(
    info: CameraInfo, width: int, height: int, rectified: bool = False
) -> tuple[Intrinsics, str, str] | None:
    """Compute the intrinsics of an image of this size, px.

    K and the distortion, or P where the image is rectified, are of the full resolution. The region
    of interest is cropped from it, then binned, and the result may be scaled. As in
    image_geometry, a rectified image is cropped where the raw one is, whatever `do_rectify` is.
    P's fourth column, the baseline of a stereo pair, is not needed: positions are in the camera's
    own frame.

    Returns
    -------
    tuple of Intrinsics, str, str, or None
        The intrinsics, what was assumed, and why the distortion is not used, each or ''. None: K
        is zero, so the camera is not calibrated.

    Raises
    ------
    ValueError
        If K is no calibration, or that of images of another shape.
    """
    matrix = np.array(info.p).reshape(3, 4) if rectified else np.array(info.k).reshape(3, 3)
    if not matrix[0, 0]:
        if rectified and info.k[0]:
            raise ValueError('P is zero, and rectified images need it')
        return None
    check_matrix(matrix, 'P' if rectified else 'K')
    (fx, _, cx), (_, fy, cy) = matrix[:2, :3].tolist()
    full = Intrinsics(fx, fy, cx, cy, source=IntrinsicsSource.CAMERA_INFO)
    if _is_turned(info, width, height):
        return _turned(full, info, width, height)
    window = find_window(info, width, height, full)
    check_numbers(full, _full_size(info, width, height))
    # The edge of the first pixel is at -0.5 at every scale.
    pinhole = replace(
        full,
        fx=fx * window.scale_x,
        fy=fy * window.scale_y,
        cx=(cx - window.left + 0.5) * window.scale_x - 0.5,
        cy=(cy - window.top + 0.5) * window.scale_y - 0.5,
    )
    if rectified:
        return pinhole, window.note, ''
    try:
        camera, note = _with_distortion(pinhole, info, width, height)
    except ValueError as error:
        return pinhole, window.note, f'CameraInfo is used without its distortion: {error}'
    return camera, '; '.join(filter(None, (window.note, note))), ''


def check_matrix(matrix: np.ndarray, name: str) -> None:
    """Raise ValueError unless K or P has the form ``[fx 0 cx; 0 fy cy; 0 0 1]``, fx and fy > 0."""
    if not np.isfinite(matrix).all():
        raise ValueError(f'{name} must be finite, found {matrix.ravel().tolist()}')
    if np.any(matrix[2, :2]) and not np.any(matrix[:2, 2]):
        raise ValueError(f'{name} is transposed (column-major), found {matrix.ravel().tolist()}')
    skew = MAX_SKEW * abs(matrix[0, 0])
    if np.any(matrix[2, :2]) or matrix[1, 0] or abs(matrix[0, 1]) > skew:
        raise ValueError(
            f'{name} must be [fx 0 cx 0 fy cy 0 0 1], found {matrix[:, :3].ravel().tolist()}'
        )


def check_numbers(full: Intrinsics, size: tuple[int, int]) -> None:
    """Raise ValueError if focal lengths or optical centre are impossible for the full size, px."""
    low, high = (factor * size[0] for factor in FOCAL_LENGTHS)
    if not (low <= full.fx <= high and low <= full.fy <= high):
        raise ValueError(
            f'focal lengths must be {low:g} to {high:g} px for images {size[0]} px wide, '
            f'found fx={full.fx:g}, fy={full.fy:g}'
        )
    for name, centre, length in zip(('cx', 'cy'), (full.cx, full.cy), size, strict=True):
        low, high = (factor * length for factor in CENTRES)
        if not low <= centre <= high:
            raise ValueError(f'{name} must be {low:g} to {high:g} px, found {centre:g}')


def _full_size(info: CameraInfo, width: int, height: int) -> tuple[int, int]:
    return (info.width, info.height) if info.width and info.height else (width, height)


def _with_distortion(
    pinhole: Intrinsics, info: CameraInfo, width: int, height: int
) -> tuple[Intrinsics, str]:
    """Return a camera with the lens of a CameraInfo, and what was assumed.

    Raises
    ------
    ValueError
        If the distortion cannot be read, or leaves pixels in the middle without a ray.
    """
    model, distortion, note = read_distortion(info.distortion_model, info.d)
    camera = replace(pinhole, distortion=distortion, model=model)
    middle = [[x * (width - 1), y * (height - 1)] for x in (0.4, 0.6) for y in (0.4, 0.6)]
    if np.isnan(camera.unproject(np.array(middle))).any():
        raise ValueError(
            f'the {model} distortion {distortion} must map the middle of the image to rays, '
            'found pixels there that no ray reaches'
        )
    return camera, note


def _is_turned(info: CameraInfo, width: int, height: int) -> bool:
    return (info.width, info.height) == (height, width) and width != height


def _turned(
    full: Intrinsics, info: CameraInfo, width: int, height: int
) -> tuple[Intrinsics, str, str]:
    """Return the intrinsics of an image that is turned by 90 degrees against its CameraInfo."""
    check_numbers(full, (info.width, info.height))
    cx, cy = (width - 1) / 2, (height - 1) / 2
    camera = replace(full, fx=full.fy, fy=full.fx, cx=cx, cy=cy)
    return camera, '', (
        f'CameraInfo is for images of {info.width}x{info.height} and the image, {width}x{height}, '
        'is turned by 90 degrees: only its focal length is used'
    )  # fmt: skip


def _unstamped(info: CameraInfo) -> CameraInfo:
    other = copy(info)
    other.header = Header()
    return other


def camera_info_msg(
    intrinsics: Intrinsics | None, width: int, height: int, header: Header
) -> CameraInfo:
    """Return the CameraInfo of a raw image. None: K is zero, which means uncalibrated."""
    info = CameraInfo(header=header, height=height, width=width)
    if intrinsics is None:
        return info
    fx, fy, cx, cy = intrinsics.fx, intrinsics.fy, intrinsics.cx, intrinsics.cy
    info.distortion_model = intrinsics.model
    info.d = [float(value) for value in intrinsics.distortion]
    if intrinsics.model == 'plumb_bob' and len(info.d) == 4:
        info.d.append(0.0)  # sensor_msgs/distortion_models: plumb_bob has 5
    info.k = [fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0]
    info.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    info.p = [fx, 0.0, cx, 0.0, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0]
    return info
