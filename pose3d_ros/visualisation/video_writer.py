"""Videos that browsers play: H.264 in MP4 where FFmpeg can write it, else VP9 in WebM."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

# Unit of the times in the file, s.
TICK_S = Fraction(1, 1000)
# Declared to the encoder, Hz: rates only steer its bits, the images have times of their own.
NOMINAL_HZ = 30


class _Format(NamedTuple):
    encoder: str
    suffix: str
    options: dict[str, str]


# In the order of preference; quality and speed are chosen for skeletons on photographs.
FORMATS = (
    _Format('libx264', '.mp4', {'crf': '23', 'preset': 'veryfast'}),
    _Format(
        'libvpx-vp9',
        '.webm',
        {'crf': '34', 'b': '0', 'deadline': 'realtime', 'cpu-used': '8', 'row-mt': '1'},
    ),
)


class VideoWriter:
    """Writes images with their times; the file appears with the first image.

    As a context, it is closed at the end.

    Parameters
    ----------
    stem
        Path of the file without its suffix, which the format decides: see `path`.

    Raises
    ------
    RuntimeError
        If this FFmpeg can write none of the formats.
    """

    def __init__(self, stem: str | os.PathLike[str]) -> None:
        stem = Path(stem)
        found = [one for one in FORMATS if one.encoder in av.codecs_available]
        if not found:
            raise RuntimeError(
                f'no video is written: this FFmpeg has none of {[one.encoder for one in FORMATS]}'
            )
        self.format = found[0]
        self.path = stem.with_name(stem.name + self.format.suffix)
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._last_tick = -1

    def write(self, bgr: NDArray[np.uint8], time_s: float) -> None:
        """Append an image ``(H, W, 3)`` at a time, s, from the first image on.

        Another size than that of the first image is scaled to it. A time that is not later than
        the last is moved behind it.
        """
        if self._container is None or self._stream is None:
            self._container, self._stream = self._open(bgr.shape[1], bgr.shape[0])
        size = (self._stream.width, self._stream.height)
        if bgr.shape[1::-1] != size:
            bgr = np.asarray(cv2.resize(bgr, size, interpolation=cv2.INTER_AREA), np.uint8)
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(bgr), 'bgr24')
        self._last_tick = max(self._last_tick + 1, round(time_s / TICK_S))
        frame.pts, frame.time_base = self._last_tick, TICK_S
        self._container.mux(self._stream.encode(frame))

    def close(self) -> Path | None:
        """Finish the file and return its path; None if no image was written."""
        if self._container is None or self._stream is None:
            return None
        self._container.mux(self._stream.encode(None))
        self._container.close()
        self._container = None
        return self.path

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self, width: int, height: int) -> tuple[OutputContainer, VideoStream]:
        options = {'movflags': 'faststart'} if self.format.suffix == '.mp4' else {}
        container = av.open(str(self.path), 'w', options=options)
        stream = container.add_stream(
            self.format.encoder, rate=NOMINAL_HZ, options=dict(self.format.options)
        )
        assert isinstance(stream, VideoStream)
        # Both formats halve the resolution of colours: sizes must be even.
        stream.width, stream.height = max(2, width // 2 * 2), max(2, height // 2 * 2)
        stream.pix_fmt = 'yuv420p'
        stream.codec_context.time_base = stream.time_base = TICK_S
        return container, stream
