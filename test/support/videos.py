"""Small videos of numbered grey images, as files that players write and break."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

WIDTH, HEIGHT, RATE_HZ = 64, 48, 30
TICKS_S = Fraction(1, 90000)
# Grey of the upper half, and of the lower half of image 0.
UPPER, FIRST = 200, 60


def image(number: int) -> np.ndarray:
    """Return the image of a number: its lower half is 2 brighter than that of the one before."""
    rgb = np.full((HEIGHT, WIDTH, 3), UPPER, np.uint8)
    rgb[HEIGHT // 2 :] = FIRST + 2 * number
    return rgb


def number_of(bgr: np.ndarray) -> float:
    """Return the number of an image, by the grey of its lower half."""
    return float((np.median(bgr[HEIGHT // 2 + 4 : -4]) - FIRST) / 2)


def write_video(
    path: Path,
    codec: str = 'libx264',
    *,
    count: int = 60,
    declared_hz: int = RATE_HZ,
    pts: Callable[[int], int] | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Write the images 0 to count - 1; `pts`: in ticks of 1/90000 s, default: at RATE_HZ."""
    with av.open(str(path), 'w', options={'movflags': 'faststart'}) as container:
        stream = container.add_stream(codec, rate=declared_hz, options=options or {})
        stream.width, stream.height, stream.gop_size = WIDTH, HEIGHT, 12
        stream.pix_fmt = 'yuv420p'
        stream.codec_context.time_base = stream.time_base = TICKS_S
        for i in range(count):
            frame = av.VideoFrame.from_ndarray(image(i), 'rgb24')
            frame.time_base = TICKS_S
            frame.pts = pts(i) if pts else i * 90000 // RATE_HZ
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def overwrite(source: Path, target: Path, start: float, stop: float) -> Path:
    """Copy a video with zeros over a share of its images."""
    data = bytearray(source.read_bytes())
    first = data.find(b'mdat')
    low, high = (first + round(share * (len(data) - first)) for share in (start, stop))
    data[low:high] = bytes(high - low)
    target.write_bytes(data)
    return target
