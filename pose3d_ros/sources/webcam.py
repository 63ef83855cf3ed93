"""Webcams, through OpenCV: the FFmpeg of PyAV's wheels has no input devices."""

from __future__ import annotations

import time
from collections.abc import Generator

import cv2
import numpy as np

from pose3d_ros.sources.video import DEFAULT_RATE_HZ, MAX_RATE_HZ, Frame, Video, VideoError


def open_webcam(index: int, name: str) -> Video:
    """Open a webcam by its number; `name`: what the user called it.

    Raises
    ------
    VideoError
        If it does not open, and, while reading, if it stops giving images.
    """
    problem = (
        f'webcam {name} does not open: is it connected (ls /dev/video*), free (no other program '
        "uses it), and readable for you (group 'video')?"
    )
    capture = cv2.VideoCapture(index)
    if not capture.isOpened():
        raise VideoError(problem)
    rate_hz = capture.get(cv2.CAP_PROP_FPS)

    def one_pass() -> Generator[Frame, None, None]:
        if not capture.isOpened() and not capture.open(index):
            raise VideoError(problem)
        start_s = time.monotonic()
        try:
            while capture.grab():
                decoded, bgr = capture.retrieve()
                if decoded and bgr is not None and bgr.size:
                    yield Frame(time.monotonic() - start_s, np.asarray(bgr, np.uint8))
        finally:
            capture.release()
        raise VideoError(f'webcam {name} stopped giving images: was it unplugged?')

    known = 0 < rate_hz <= MAX_RATE_HZ
    rate_hz = rate_hz if known else DEFAULT_RATE_HZ
    return Video(f'webcam {name}', rate_hz, None, True, one_pass)
