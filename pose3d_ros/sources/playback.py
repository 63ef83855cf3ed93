"""The images of a source, one after the other: repeated, mirrored, reconnected."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import closing
from itertools import islice

import cv2
import numpy as np
from numpy.typing import NDArray

from pose3d_ros.sources.video import Frame, Video, VideoError
from pose3d_ros.wording import counted

# Shortest and longest wait before a live source is opened again, s; each is twice the last. A
# robot cannot wait long for a camera that is back.
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 4.0
# Time without an image, s, after which a live source is given up.
RECONNECT_S = 300.0


def frames(
    video: Video, *, skip: int = 0, loop: bool = False, mirror: bool = False
) -> Generator[Frame, None, None]:
    """Return the images of a source; closing the generator closes the source.

    Parameters
    ----------
    video
        Can be read again; a live one in one place at a time. The end of a live one raises.
    skip
        Number of images to leave out at the beginning of every pass.
    loop
        Begin again at the end. Times go on.
    mirror
        Swap left and right.

    Raises
    ------
    VideoError
        If a pass gives no image, or if a live source ends.
    """
    start_s = 0.0
    while True:
        given, first_s, last_s = 0, 0.0, 0.0
        with closing(video.one_pass()) as one_pass:
            for time_s, bgr in islice(one_pass, skip, None):
                first_s = first_s if given else time_s
                last_s = time_s - first_s
                given += 1
                yield Frame(start_s + last_s, flipped(bgr) if mirror else bgr)
        if not given:
            left = f' after the first {skip} were skipped' if skip else ''
            raise VideoError(f'{video.name} gave no image{left}')
        # The duration of the last image is unknown: the mean of the others.
        start_s += last_s * given / (given - 1) if given > 1 else 1 / video.rate_hz
        if not loop:
            return


def reconnected(
    images: Callable[[], Generator[Frame, None, None]],
    video: Video,
    *,
    wait: Callable[[float], object],
    warn: Callable[[str], object],
    timeout_s: float = RECONNECT_S,
) -> Generator[Frame, None, None]:
    """Return the images of a live source, which is opened again whenever it ends.

    Parameters
    ----------
    images
        Open the source and return its images, as `frames` does.
    video
        The source; counts how often it was opened again.
    wait
        Sleep for a number of seconds; a true result ends the images.
    warn
        Called with a sentence when the source is lost.
    timeout_s
        Time without an image, s, after which the source is given up.

    Raises
    ------
    VideoError
        If the source is given up.
    """
    wait_s, last_image_s = FIRST_WAIT_S, time.monotonic()
    while True:
        try:
            with closing(images()) as opened:
                for frame in opened:
                    wait_s, last_image_s = FIRST_WAIT_S, time.monotonic()
                    yield frame
            return
        except VideoError as error:
            left_s = last_image_s + timeout_s - time.monotonic()
            if left_s <= 0:
                raise VideoError(
                    f'{error}; given up: no image for {timeout_s:g} s, opened again '
                    f'{counted(video.losses.reconnections, "time")}'
                ) from None
            wait_s = min(wait_s, left_s)
            warn(f'{error}; opened again in {wait_s:.3g} s')
        if wait(wait_s):
            return
        wait_s = min(2 * wait_s, LONGEST_WAIT_S)
        video.losses.reconnections += 1


def flipped(bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Swap left and right."""
    return np.asarray(cv2.flip(bgr, 1), np.uint8)
