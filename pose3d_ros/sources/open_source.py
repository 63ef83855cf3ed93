"""From what a user names to an opened source."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path

from pose3d_ros.sources.addresses import is_address
from pose3d_ros.sources.image_files import is_image, open_folder, open_images
from pose3d_ros.sources.media import open_file, open_stream
from pose3d_ros.sources.video import Video, VideoError
from pose3d_ros.sources.webcam import open_webcam


def open_source(source: str | int, *, warn: Callable[[str], object] = warnings.warn) -> Video:
    """Open a source of images.

    Parameters
    ----------
    source
        A video file, an animated GIF, an image, a folder of images (in natural order: 2 before
        10), the address of a video or stream, or a webcam (``0`` or ``/dev/video0``). Names of
        files are taken literally, whatever colons or percent signs they hold.
    warn
        Called with a sentence for each thing that the source loses or that is done to it.

    Raises
    ------
    VideoError
        If there is nothing to open, or it does not open.
    """
    source = str(source)  # a webcam may be a number, as for OpenCV
    if not source:
        raise VideoError(
            'no source was given: name a video file, a GIF, a folder of images, an address or a '
            'webcam'
        )
    path = Path(source).expanduser()
    if is_address(source) and not path.exists():
        return open_stream(source, warn)
    webcam = re.fullmatch(
        r'(?:/dev/video)?(\d+)', source if source.isdigit() else str(path.resolve())
    )
    if webcam and not (source.isdigit() and path.exists()):
        return open_webcam(int(webcam[1]), source)
    if path.is_dir():
        return open_folder(path, warn)
    if not path.exists():
        raise VideoError(
            f'there is no file or folder {str(path)!r} (looked for {path.absolute()})'
        )
    if is_image(path):
        return open_images([path], str(path), warn)
    return open_file(path, warn)
