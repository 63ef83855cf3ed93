"""CameraInfo -> Intrinsics of the images that come with it.

What the fields mean is said in sensor_msgs/CameraInfo itself.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import numpy as np
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from pose3d_ros.camera import Intrinsics, IntrinsicsSource

# In widths of the full image; 0.05: 169 degrees across without distortion, 100: half a degree.
FOCAL_LENGTHS = (0.05, 100.0)
# In widths and heights of the full image: the optical centre, even of a shifted lens.
CENTRES = (-1.0, 2.0)


class Calibration:
    """What is known of one camera: the latest CameraInfo, or else a focal length, or nothing.

    Parameters
    ----------
    focal_length_px
        For images without a CameraInfo that can be used; 0: unknown.
    rectified
        The images are rectified ones: CameraInfo's P holds for them, without distortion.
    """

    def __init__(self, focal_length_px: float = 0.0, rectified: bool = False) -> None:
        self.focal_length_px = focal_length_px
        self.rectified = rectified
        self.info: CameraInfo | None = None
        # One size of image at a time: (width, height), and what it gave.
        self._size = (0, 0)
        self._found: tuple[Intrinsics, str] | None = None

    def update(self, info: CameraInfo) -> None:
        """Take a CameraInfo. Drivers send the same again with every image."""
        if self.info is None or _unstamped(info) != _unstamped(self.info):
            self._found = None
        self.info = info

    def intrinsics(self, width: int, height: int) -> tuple[Intrinsics, str]:
        """Intrinsics of an image, px, and why a CameraInfo that came is not used, or ''."""
        if self._found is None or self._size != (width, height):
            self._size, self._found = (width, height), self._find(width, height)
        return self._found

    def _find(self, width: int, height: int) -> tuple[Intrinsics, str]:
        problem = ''
        if self.info is not None:
            try:
                intrinsics = intrinsics_of(self.info, width, height, self.rectified)
                if intrinsics is not None:
                    return intrinsics, ''
            except ValueError as error:
                problem = f'CameraInfo is not used: {error}'
        if self.focal_length_px > 0:
            source = IntrinsicsSource.PARAMETER
            return Intrinsics.centred(self.focal_length_px, width, height, source), problem
        return Intrinsics.guess(width, height), problem


def intrinsics_of(
    info: CameraInfo, width: int, height: int, rectified: bool = False
) -> Intrinsics | None:
    """Intrinsics of an image of this size, px; None for zeros: not calibrated.

    K and the distortion, or P where the image is rectified, are of the full resolution. The region
    of interest is cut out of it, then binned, and what comes of that may be scaled. As
    image_geometry does it, a rectified image is cut where the raw one is, whatever `do_rectify`
    says, and zeros are no distortion in every model. P's fourth column, where the other camera
    of a stereo pair is, is not needed: positions are in the camera's own frame.

    Raises
    ------
    ValueError
        If the numbers are no camera's, or those of a camera with images of another shape.
    """
    matrix = np.array(info.p).reshape(3, 4) if rectified else np.array(info.k).reshape(3, 3)
    if not matrix[0, 0]:
        if rectified and info.k[0]:
            raise ValueError('P is zeros, and rectified images need it')
        return None
    (fx, _, cx), (_, fy, cy) = matrix[:2, :3].tolist()
    distortion = tuple(info.d) if any(info.d) and not rectified else ()
    model = info.distortion_model if distortion else 'plumb_bob'
    full = Intrinsics(fx, fy, cx, cy, distortion, model, IntrinsicsSource.CAMERA_INFO)
    check_numbers(full, info)
    x0, y0, scale_x, scale_y = window(info, width, height)
    # 0 is the centre of the first pixel, whose left edge is at -0.5 however large the pixels are.
    intrinsics = replace(
        full,
        fx=fx * scale_x,
        fy=fy * scale_y,
        cx=(cx - x0 + 0.5) * scale_x - 0.5,
        cy=(cy - y0 + 0.5) * scale_y - 0.5,
    )
    middle = [[x * (width - 1), y * (height - 1)] for x in (0.4, 0.6) for y in (0.4, 0.6)]
    if np.isnan(intrinsics.unproject(np.array(middle))).any():
        raise ValueError(
            f'the {model} distortion {distortion} must leave the middle of the image in sight, '
            'found pixels there that no ray reaches'
        )
    return intrinsics


def window(info: CameraInfo, width: int, height: int) -> tuple[int, int, float, float]:
    """Left and top edge, px of the full resolution, and the scale of an image in x and y.

    Raises
    ------
    ValueError
        If region of interest and binning are impossible, or give another shape of image.
    """
    roi = info.roi
    # No size: the full resolution was captured.
    cut = (roi.width, roi.height) if roi.width or roi.height else (info.width, info.height)
    if roi.x_offset + cut[0] > info.width or roi.y_offset + cut[1] > info.height or not all(cut):
        raise ValueError(
            f'roi must lie within {info.width}x{info.height}, found {roi.width}x{roi.height} at '
            f'({roi.x_offset}, {roi.y_offset})'
        )
    binning = (max(info.binning_x, 1), max(info.binning_y, 1))
    # Left over rows and columns are not captured.
    captured = (cut[0] // binning[0], cut[1] // binning[1])
    if not all(captured):
        raise ValueError(f'binning must leave pixels, found {binning} of {cut[0]}x{cut[1]}')
    # The same shape but for the rounding of a size to whole pixels.
    if abs(width * captured[1] - height * captured[0]) > max(captured):
        raise ValueError(
            f'it is for images of {captured[0]}x{captured[1]}, or of that shape, '
            f'the image has {width}x{height}'
        )
    scale_x = width / captured[0] / binning[0]
    return roi.x_offset, roi.y_offset, scale_x, height / captured[1] / binning[1]


def check_numbers(full: Intrinsics, info: CameraInfo) -> None:
    """ValueError where finite numbers are still no camera's; `full`: of the full resolution."""
    size = (info.width, info.height)
    if not all(size):
        raise ValueError(f'width and height must be positive, found {info.width}x{info.height}')
    low, high = (factor * info.width for factor in FOCAL_LENGTHS)
    if not (low <= full.fx <= high and low <= full.fy <= high):
        raise ValueError(
            f'focal lengths must be {low:g} to {high:g} px for images {info.width} px wide, '
            f'found fx={full.fx:g}, fy={full.fy:g}'
        )
    for name, centre, length in zip(('cx', 'cy'), (full.cx, full.cy), size, strict=True):
        low, high = (factor * length for factor in CENTRES)
        if not low <= centre <= high:
            raise ValueError(f'{name} must be {low:g} to {high:g} px, found {centre:g}')


def _unstamped(info: CameraInfo) -> CameraInfo:
    other = copy(info)
    other.header = Header()
    return other


def camera_info_msg(
    intrinsics: Intrinsics | None, width: int, height: int, header: Header
) -> CameraInfo:
    """Intrinsics of a raw image; None: a K of zeros, which is how ROS says uncalibrated."""
    info = CameraInfo(header=header, height=height, width=width)
    if intrinsics is None:
        return info
    fx, fy, cx, cy = intrinsics.fx, intrinsics.fy, intrinsics.cx, intrinsics.cy
    info.distortion_model = intrinsics.model
    info.d = [float(value) for value in intrinsics.distortion]
    info.k = [fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0]
    info.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    info.p = [fx, 0.0, cx, 0.0, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0]
    return info
