"""Images one after the other: from a video, a stream, an animated GIF, a folder or a webcam."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp', '.webp', '.tif', '.tiff')
DEFAULT_RATE_HZ = 30.0  # of a source that has no rate of its own
# A longer time between two images of a video is taken for damage: a node must not seem to hang.
LONGEST_STEP_S = 60.0
URL_TIMEOUT_S = 10  # OpenCV's own 30 s are longer than anybody waits


class VideoError(Exception):
    """A source that does not open or gives no images; the text says which, why and what to do."""


class Frame(NamedTuple):
    """An image of a video and when it is due."""

    time_s: float  # since the first image, at the source's own rate
    bgr: NDArray[np.uint8]  # (H, W, 3)


@dataclass(frozen=True)
class Video:
    """A source that was opened.

    Parameters
    ----------
    name
        What to call it in messages.
    rate_hz
        Its own rate; a mean where the time between its images differs.
    count
        How many images it has by its own account; None: it does not tell.
    live
        Images come when they come and cannot be held back.
    one_pass
        Gives the images once, from the first; each size may be another.
    """

    name: str
    rate_hz: float
    count: int | None
    live: bool
    one_pass: Callable[[], Generator[Frame, None, None]]


def open_video(source: str, *, warn: Callable[[str], object] = warnings.warn) -> Video:
    """Open a source of images.

    Parameters
    ----------
    source
        A video file, an animated GIF, an image, a folder of images (in natural order: 2 before
        10), the URL of a video or stream, or a webcam (``0`` or ``/dev/video0``).
    warn
        Is told, in a sentence, of each image that cannot be read; the others follow.

    Raises
    ------
    VideoError
        If there is nothing to open, or it does not open.
    """
    if not source:
        raise VideoError(
            'no source was given: name a video file, a GIF, a folder of images, a URL or a webcam'
        )
    if '://' in source:
        return _url(source)
    path = Path(source).expanduser()
    webcam = re.fullmatch(
        r'(?:/dev/video)?(\d+)', source if source.isdigit() else str(path.resolve())
    )
    if webcam:
        return _webcam(int(webcam[1]), source)
    if path.is_dir():
        return _images([p for p in path.iterdir() if _is_image(p)], str(path), warn)
    if not path.exists():
        raise VideoError(
            f'there is no file or folder {str(path)!r} (looked for {path.absolute()})'
        )
    if _is_image(path):  # OpenCV would take a number in its name for a sequence of files
        return _images([path], str(path), warn)
    problem = f'{path} is not a video that OpenCV {cv2.__version__} can read'
    return _capture(str(path), str(path), problem)


def frames(
    video: Video, *, skip: int = 0, loop: bool = False, mirror: bool = False
) -> Generator[Frame, None, None]:
    """Give the images of a video; closing the generator closes the source.

    Parameters
    ----------
    video
        Can be gone through again; a live one in one place at a time.
    skip
        Leave out so many images at the beginning, of every pass.
    loop
        Begin again at the end, and open a stream that ended again. Times go on.
    mirror
        Swap left and right.

    Raises
    ------
    VideoError
        If a pass gives no image, or a webcam stops.
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
        # How long the last image is to be seen is not told: as long as the others on average.
        start_s += last_s * given / (given - 1) if given > 1 else 1 / video.rate_hz
        if not loop:
            return


def flipped(bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Swap left and right."""
    return np.asarray(cv2.flip(bgr, 1), np.uint8)


@dataclass
class Pacer:
    """Says when each image is due, by a clock that the caller reads.

    Due times are counted from the first image, so that waiting does not add up to drift. Who falls
    behind by more than one image starts counting anew: no burst makes up for late images.

    Parameters
    ----------
    video
        Tells the rate, and whether images can wait at all: those of a live source are passed on or
        left out.
    rate_hz
        Another rate than the video's own; 0: its own.
    """

    video: Video
    rate_hz: float = 0.0
    _start_s: float | None = field(default=None, init=False)
    _index: int = field(default=0, init=False)

    def wait_s(self, time_s: float, now_s: float) -> float | None:
        """How long the next image has to wait, s; None: leave it out."""
        if self.video.live and not self.rate_hz:
            return 0.0
        due_s = self._index / self.rate_hz if self.rate_hz else time_s
        period_s = 1 / (self.rate_hz or self.video.rate_hz)
        if self._start_s is None or now_s > self._start_s + due_s + period_s:
            self._start_s = now_s - due_s
        wait_s = self._start_s + due_s - now_s
        if self.video.live:
            if wait_s > 0.5 / self.video.rate_hz:  # the next one will be nearer
                return None
            wait_s = 0.0
        self._index += 1
        return max(wait_s, 0.0)


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith('.')


def _natural(path: Path) -> list[str | int]:
    """Sort by numbers as numbers: words and numbers alternate in the key."""
    parts = re.split(r'([0-9]+)', path.name)
    return [int(part) if i % 2 else part.lower() for i, part in enumerate(parts)]


def _images(paths: list[Path], name: str, warn: Callable[[str], object]) -> Video:
    if not paths:
        raise VideoError(f'the folder {name} holds no image ({", ".join(IMAGE_SUFFIXES)})')
    good = sorted(sorted(paths), key=_natural)

    def one_pass() -> Generator[Frame, None, None]:
        given = 0
        for path in tuple(good):
            bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
            if bgr is None:
                good.remove(path)  # told once, not in every loop
                warn(f'{path} cannot be read as an image: left out')
                continue
            yield Frame(given / DEFAULT_RATE_HZ, np.asarray(bgr, np.uint8))
            given += 1

    return Video(name, DEFAULT_RATE_HZ, len(good), False, one_pass)


def _url(url: str) -> Video:
    timeout_ms = 1000 * URL_TIMEOUT_S
    options = (
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, timeout_ms, cv2.CAP_PROP_READ_TIMEOUT_MSEC, timeout_ms,
    )  # fmt: skip
    problem = (
        f'{url} does not open: is the address right, the server reachable, and is it a video?'
    )
    return _capture(url, url, problem, options)


def _webcam(index: int, name: str) -> Video:
    problem = (
        f'webcam {name} does not open: is it connected (ls /dev/video*), free (no other program '
        "uses it), and may you use it (group 'video')?"
    )
    video = _capture(index, f'webcam {name}', problem)

    def one_pass() -> Generator[Frame, None, None]:
        yield from video.one_pass()
        raise VideoError(f'webcam {name} stopped giving images: was it unplugged?')

    return Video(video.name, video.rate_hz, None, True, one_pass)


def _capture(target: str | int, name: str, problem: str, options: tuple[int, ...] = ()) -> Video:
    """Open with OpenCV. A URL that does not tell how many images it has is live."""
    capture = cv2.VideoCapture(target, cv2.CAP_ANY, options)
    if not capture.isOpened():
        raise VideoError(problem)
    rate_hz, count = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
    rate_hz = rate_hz if 0 < rate_hz <= 1000 else DEFAULT_RATE_HZ  # not NaN, nor a clock's ticks
    known = count >= 1

    def one_pass() -> Generator[Frame, None, None]:
        if not capture.isOpened() and not capture.open(target, cv2.CAP_ANY, options):
            raise VideoError(problem)
        try:
            yield from _read(capture, rate_hz)
        finally:
            capture.release()

    return Video(
        name, rate_hz, int(count) if known else None, '://' in name and not known, one_pass
    )


def _read(capture: cv2.VideoCapture, rate_hz: float) -> Generator[Frame, None, None]:
    """Read images with their own times: those of a GIF or a telephone's video are uneven."""
    time_s, before_s = 0.0, None
    while capture.grab():
        position_s = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if before_s is not None:
            step_s = position_s - before_s
            time_s += step_s if 0 < step_s < LONGEST_STEP_S else 1 / rate_hz
        before_s = position_s
        whole, bgr = capture.retrieve()
        if whole:
            yield Frame(time_s, np.asarray(bgr, np.uint8))
