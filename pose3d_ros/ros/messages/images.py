"""Conversion of image messages to arrays and back."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from builtin_interfaces.msg import Time
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from pose3d_ros.images import CameraImage, check_bgr
from pose3d_ros.ros.messages import jpeg
from pose3d_ros.ros.messages.camera_info import Calibration

# Encoding -> bytes per pixel and OpenCV's conversion to BGR (None: it is BGR). Encodings that end
# in 16 have two bytes where those that end in 8 have one.
ENCODINGS: dict[str, tuple[int, int | None]] = {
    'bgr8': (3, None),
    '8UC3': (3, None),
    'rgb8': (3, cv2.COLOR_RGB2BGR),
    'bgra8': (4, cv2.COLOR_BGRA2BGR),
    '8UC4': (4, cv2.COLOR_BGRA2BGR),
    'rgba8': (4, cv2.COLOR_RGBA2BGR),
    'mono8': (1, cv2.COLOR_GRAY2BGR),
    '8UC1': (1, cv2.COLOR_GRAY2BGR),
    # OpenCV names a Bayer pattern by the second and third pixel of the second row.
    'bayer_rggb8': (1, cv2.COLOR_BayerBG2BGR),
    'bayer_bggr8': (1, cv2.COLOR_BayerRG2BGR),
    'bayer_gbrg8': (1, cv2.COLOR_BayerGR2BGR),
    'bayer_grbg8': (1, cv2.COLOR_BayerGB2BGR),
    'uyvy': (2, cv2.COLOR_YUV2BGR_UYVY),
    'yuv422': (2, cv2.COLOR_YUV2BGR_UYVY),
    'yuyv': (2, cv2.COLOR_YUV2BGR_YUYV),
    'yuv422_yuy2': (2, cv2.COLOR_YUV2BGR_YUYV),
    'nv12': (1, cv2.COLOR_YUV2BGR_NV12),
    'nv21': (1, cv2.COLOR_YUV2BGR_NV21),
}
# Below the image there are half as many rows of chroma.
PLANAR = ('nv12', 'nv21')
# Two columns, and in planar encodings two rows, share their chroma; not every OpenCV checks sizes.
PAIRED = ('uyvy', 'yuv422', 'yuyv', 'yuv422_yuy2', *PLANAR)
BAYER = tuple(encoding for encoding in ENCODINGS if encoding.startswith('bayer_'))
# Largest image that is read, px; no camera has more.
MAX_PIXELS = 100_000_000
# JPEG markers of frame headers, which contain the size, and markers without a length field (ITU-T
# T.81, table B.1); 0 is a stuffed byte.
FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
BARE_MARKERS = frozenset({0x00, 0x01, *range(0xD0, 0xDA)})


class ImageError(ValueError):
    """An image message that cannot be read; the text names what was expected and found."""


def read_camera_image(
    image: Image | CompressedImage, calibration: Calibration
) -> tuple[CameraImage, str]:
    """Read an image and find its intrinsics.

    Returns
    -------
    CameraImage, str
        The image, which shares the memory of a bgr8 message, and why the received CameraInfo is
        not used, or ''.

    Raises
    ------
    ImageError
        If the image cannot be read.
    """
    bgr = decoded(image) if isinstance(image, CompressedImage) else bgr_array(image)
    height, width = bgr.shape[:2]
    intrinsics, problem = calibration.intrinsics(width, height)
    return CameraImage(bgr, intrinsics), problem


def bgr_array(image: Image) -> NDArray[np.uint8]:
    """Return the pixels ``(H, W, 3)`` uint8, for bgr8 without a copy; ImageError if impossible."""
    height, width, step = image.height, image.width, image.step
    if not 0 < height * width <= MAX_PIXELS:
        raise ImageError(f'image must have 1 to {MAX_PIXELS} pixels, found {width}x{height}')
    deep = image.encoding.endswith('16')
    if _eight_bit(image.encoding) not in ENCODINGS:
        return _converted(image)
    bytes_, conversion = _reading(image.encoding)
    if step < bytes_ * width:
        raise ImageError(
            f'step must be at least {bytes_} x width = {bytes_ * width} for {image.encoding}, '
            f'found {step}'
        )
    planar = image.encoding in PLANAR
    if image.encoding in PAIRED and (width % 2 or (planar and height % 2)):
        raise ImageError(f'{image.encoding} must have even sizes, found {width}x{height}')
    number = height * 3 // 2 if planar else height
    if len(image.data) < number * step:
        raise ImageError(
            f'data must be rows x step = {number} x {step} = {number * step} bytes, '
            f'found {len(image.data)}'
        )
    rows = np.frombuffer(image.data, np.uint8, number * step).reshape(number, step)
    samples = rows[:, : bytes_ * width]
    if deep:  # keep the more significant of two bytes
        samples = samples[:, 0 if image.is_bigendian else 1 :: 2]
    samples = samples.reshape(number, width, -1)
    return samples if conversion is None else _convert_colour(samples, conversion)


def _convert_colour(pixels: NDArray[Any], conversion: int) -> NDArray[np.uint8]:
    """Convert to BGR by OpenCV; ImageError if it fails."""
    try:
        return np.asarray(cv2.cvtColor(pixels, conversion), np.uint8)
    except Exception as error:  # whatever OpenCV raises for outside data is a bad image
        raise ImageError(f'the colours cannot be converted: {error}') from error


def _eight_bit(encoding: str) -> str:
    """Return the 8-bit encoding with the channels of a 16-bit one, others unchanged."""
    return f'{encoding[:-2]}8' if encoding.endswith('16') else encoding


def _reading(encoding: str) -> tuple[int, int | None]:
    """Return bytes per pixel and OpenCV's conversion of an encoding in the table."""
    bytes_, conversion = ENCODINGS[_eight_bit(encoding)]
    return 2 * bytes_ if encoding.endswith('16') else bytes_, conversion


def _converted(image: Image) -> NDArray[np.uint8]:
    """Return the pixels of a rare encoding, converted by cv_bridge or rosbags."""
    size = f'{image.width}x{image.height} pixels, step {image.step}, {len(image.data)} bytes'
    if len(image.data) < image.height * image.step:
        raise ImageError(f'data must be height x step bytes, found {image.encoding!r}, {size}')
    try:
        bgr = np.asarray(_convert(image))
    except Exception as error:  # whatever a decoder raises for outside data is a bad image
        raise ImageError(
            f'encoding must be one of {", ".join(ENCODINGS)}, one of these ending in 16 instead '
            f'of 8, or one that can be converted to bgr8, found {image.encoding!r}, {size}: '
            f'{error}'
        ) from error
    if bgr.shape != (image.height, image.width, 3) or bgr.dtype != np.uint8:
        raise ImageError(f'{image.encoding!r}, {size}, was converted to {bgr.shape} {bgr.dtype}')
    return bgr


def _cv_bridge() -> Callable[[Image], Any] | None:
    """Return the conversion of cv_bridge; None if it is not installed or does not work.

    One that was built for another NumPy can be imported, but fails at the first conversion.
    """
    try:
        from cv_bridge import CvBridge

        def convert(image: Image) -> Any:
            return CvBridge().imgmsg_to_cv2(image, 'bgr8')

        probe = Image(height=1, width=1, encoding='rgb8', step=3, data=bytes(3))
        return convert if np.shape(convert(probe)) == (1, 1, 3) else None
    except Exception:  # whatever a library raises that does not match NumPy
        return None


def _rosbags(image: Image) -> Any:
    from rosbags.image import message_to_cvimage

    return message_to_cvimage(image, 'bgr8')


# cv_bridge is part of ROS but not on PyPI, which has rosbags-image.
_convert = _cv_bridge() or _rosbags


def decoded(image: CompressedImage) -> NDArray[np.uint8]:
    """Decode a JPEG, PNG or other file that OpenCV reads, 8 or 16 bits: ``(H, W, 3)`` uint8.

    `format` is that of compressed_image_transport, 'bgr8; jpeg compressed bgr8': the encoding
    before and the file format after compression. It is used only for what the file itself does
    not contain.

    Raises
    ------
    ImageError
        If the data are no image, are truncated, or claim more than ``MAX_PIXELS``.
    """
    was, _, codec = image.format.partition(';')
    # A raw Bayer pattern: no encoding is named after the compression.
    bayer = was.startswith('bayer_') and codec.rstrip().endswith('compressed')
    # CameraInfo is of the pixels as they are stored, whichever way up they are to be shown.
    flags = cv2.IMREAD_IGNORE_ORIENTATION | (cv2.IMREAD_GRAYSCALE if bayer else cv2.IMREAD_COLOR)
    data = bytes(image.data)
    width, height = _claimed_size(data)
    if width * height > MAX_PIXELS:
        raise ImageError(f'image must have 1 to {MAX_PIXELS} pixels, found {width}x{height}')
    pixels, missing = _decode(data, flags)
    if pixels is None:
        raise ImageError(
            f'data must be a complete image file such as JPEG or PNG, found {len(data)} bytes '
            f'of format {image.format!r}{missing and f": {missing}"}'
        )
    conversion = cv2.COLOR_RGB2BGR if 'compressed rgb' in codec else None
    if bayer:
        if _eight_bit(was) not in ENCODINGS:
            raise ImageError(f'the Bayer pattern must be one of {", ".join(BAYER)}, found {was!r}')
        _, conversion = _reading(was)
    if conversion is None:
        return np.asarray(pixels, np.uint8)
    return _convert_colour(pixels, conversion)


def _decode(data: bytes, flags: int) -> tuple[NDArray[Any] | None, str]:
    """Return the pixels, None if they cannot be read, and what is missing of the file, or ''."""
    missing = ''
    try:
        if data.startswith(jpeg.START):
            data, missing = jpeg.without_trailer(data)
        pixels = None if missing else cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except Exception:  # whatever the decoder raises for outside data is a bad image
        pixels = None
    return pixels, missing


def _claimed_size(data: bytes) -> tuple[int, int]:
    """Return width and height in the header of a JPEG, PNG or GIF; (0, 0): no such header.

    OpenCV would allocate and fill gigabytes for a few bytes of file. Sources: PNG specification,
    11.2.2; GIF89a, 18; ITU-T T.81, B.1.1 and B.2.2. As in libjpeg, bytes between two segments
    that are no marker are skipped.
    """
    if data.startswith(b'\x89PNG\r\n\x1a\n') and len(data) >= 24:
        width, height = struct.unpack_from('>II', data, 16)
        return width, height
    if data.startswith(b'GIF8') and len(data) >= 10:
        width, height = struct.unpack_from('<HH', data, 6)
        return width, height
    at = 2 if data.startswith(b'\xff\xd8') else len(data)
    while 0 <= (at := data.find(b'\xff', at)) <= len(data) - 9:
        marker = data[at + 1]
        if marker in FRAME_MARKERS:
            height, width = struct.unpack_from('>HH', data, at + 5)
            return width, height
        if marker == 0xFF:  # padding
            at += 1
        elif marker in BARE_MARKERS:
            at += 2
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], 'big')
    return 0, 0


def seconds(stamp: Time) -> float:
    """Return a stamp in seconds, exact to a microsecond for present dates."""
    return float(stamp.sec + 1e-9 * stamp.nanosec)


def nanoseconds(stamp: Time) -> int:
    """Return a stamp in nanoseconds."""
    return int(stamp.sec * 10**9 + stamp.nanosec)


def image_msg(bgr: NDArray[np.uint8], header: Header) -> Image:
    """Return ``(H, W, 3)`` uint8 as a bgr8 message; ValueError for any other array."""
    check_bgr(bgr)
    height, width = bgr.shape[:2]
    # An array('B') is assigned as it is; for other types older distributions check each byte.
    data = array('B')
    data.frombytes(np.ascontiguousarray(bgr).data)
    return Image(
        header=header, height=height, width=width, encoding='bgr8', step=3 * width, data=data
    )
