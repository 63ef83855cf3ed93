"""Single images and folders of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from pathlib import Path

import cv2
import numpy as np

from pose3d_ros.sources.video import DEFAULT_RATE_HZ, Frame, Losses, Video, VideoError

IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp', '.webp', '.tif', '.tiff')


def is_image(path: Path) -> bool:
    """Return whether a path is named like an image; hidden files are none."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith('.')


def open_folder(folder: Path, warn: Callable[[str], object]) -> Video:
    """Open the images of a folder in natural order: 2 before 10.

    Raises
    ------
    VideoError
        If there are none.
    """
    paths = [path for path in folder.iterdir() if is_image(path)]
    if not paths:
        raise VideoError(f'the folder {folder} holds no image ({", ".join(IMAGE_SUFFIXES)})')
    return open_images(paths, str(folder), warn)


def open_images(paths: list[Path], name: str, warn: Callable[[str], object]) -> Video:
    """Open image files, which may differ in size. `warn` names each that cannot be read, once."""
    readable = sorted(sorted(paths), key=_natural)
    losses = Losses()

    def one_pass() -> Generator[Frame, None, None]:
        given = 0
        for path in tuple(readable):
            bgr = _read(path)
            if bgr is None:
                readable.remove(path)
                losses.damaged += 1
                warn(f'{path} cannot be read as an image: left out')
                continue
            yield Frame(given / DEFAULT_RATE_HZ, np.asarray(bgr, np.uint8))
            given += 1

    return Video(name, DEFAULT_RATE_HZ, len(readable), False, one_pass, losses)


def _read(path: Path) -> np.ndarray | None:
    try:
        return cv2.imread(str(path), cv2.IMREAD_COLOR)
    except cv2.error:  # a header that declares more pixels than OpenCV allows
        return None


def _natural(path: Path) -> list[str | int]:
    """Return a key that sorts numbers as numbers; words and numbers alternate in it."""
    parts = re.split(r'([0-9]+)', path.name)
    return [int(part) if i % 2 else part.lower() for i, part in enumerate(parts)]
