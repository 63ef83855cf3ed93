"""Whether the data of a JPEG contain its whole image."""

from __future__ import annotations

import re

import cv2
import numpy as np

START, END = b'\xff\xd8', b'\xff\xd9'
# A marker inside or behind a scan: not a stuffed byte, a restart or padding (ITU-T T.81, B.1.1.5).
MARKER = re.compile(rb'\xff[^\x00\x01\xd0-\xd7\xff]')
START_OF_SCAN = 0xDA
# Start of a baseline frame, whose image has one scan if it is interleaved.
BASELINE = 0xC0
# Data to continue a scan with, which begin with another bit. There is no marker behind them: at
# one, libjpeg prints a warning for each image with data to spare.
CONTINUATIONS = (bytes(64), 64 * b'\xaa')


def without_trailer(data: bytes) -> tuple[bytes, str]:
    """Return a JPEG up to its end, and what is missing, or ''.

    OpenCV 4 fills the missing part of a JPEG with grey. Webcams pad a JPEG with zeros or leave
    out its end-of-image marker, which is added here if the image before it is complete.

    Parameters
    ----------
    data
        Begins with ``START``.
    """
    at, scans, baseline = len(START), 0, False
    while found := MARKER.search(data, at):
        at, marker = found.end(), data[found.end() - 1]
        if marker == END[1]:
            return data[:at], '' if scans else 'there is no image before the end-of-image marker'
        baseline = baseline or marker == BASELINE
        scans += marker == START_OF_SCAN
        at += int.from_bytes(data[at : at + 2], 'big')
    if scans == 1 and baseline and at < len(data) and (ended := _ended(data)):
        return ended, ''
    return data, f'the end-of-image marker ff d9 is missing: {len(data)} bytes'


def _ended(data: bytes) -> bytes:
    """Return data with an end-of-image marker if they are a complete image, else nothing.

    They are complete if the same pixels result from any data behind them.
    """
    scan = data.rstrip(b'\0')
    zeros = len(data) - len(scan)
    # One zero belongs to the image, several are padding, but for a stuffed byte. An image that
    # ends with eight zero bits before padding is refused: it may as well be truncated.
    if zeros == 1 or (zeros and scan.endswith(b'\xff')):
        scan += b'\0'
    if scan.endswith(b'\xff'):  # half a marker
        return b''
    first, second = (
        cv2.imdecode(np.frombuffer(scan + bits, np.uint8), cv2.IMREAD_COLOR)
        for bits in CONTINUATIONS
    )
    same = first is not None and second is not None and np.array_equal(first, second)
    return scan + END if same else b''
