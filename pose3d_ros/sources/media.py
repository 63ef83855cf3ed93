"""Videos and streams, through PyAV: FFmpeg with its own errors and time stamps.

Why not OpenCV: docs/decisions/0008-video.md.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from pose3d_ros.sources.addresses import without_secrets
from pose3d_ros.sources.decoding import Decoder
from pose3d_ros.sources.image_clock import ImageClock
from pose3d_ros.sources.video import (
    DEFAULT_RATE_HZ,
    MAX_RATE_HZ,
    Frame,
    Losses,
    Video,
    VideoError,
)
from pose3d_ros.wording import counted

# Longest time to wait for a server to answer, and for its next data, s.
ADDRESS_TIMEOUT_S = 10.0
# Number of packets whose times are compared with the declared rate, and the size of a file, bytes,
# below which all packets are counted.
PROBED_PACKETS, COUNTED_BYTES = 200, 20_000_000
# A declared rate is not believed if the images' times contradict it by more than this factor.
RATE_TOLERANCE = 1.5
# Bytes at either end of a file in which its description is looked for.
DESCRIPTION_BYTES = 1 << 20
# Errors of reading, one after the other, after which the rest of a file is given up.
MAX_READ_ERRORS = 100


@dataclass(frozen=True)
class _Media:
    """What is opened, and what is known about it.

    Parameters
    ----------
    target
        For FFmpeg.
    name
        For messages.
    path
        Of a file. None: an address.
    options
        Of FFmpeg's input.
    """

    target: str
    name: str
    path: Path | None = None
    options: dict[str, str] = field(default_factory=dict)


def open_file(path: Path, warn: Callable[[str], object]) -> Video:
    """Open a video file.

    Raises
    ------
    VideoError
        If FFmpeg cannot read it, or it holds no video, or none of a codec that can be decoded.
    """
    # With the protocol named, nothing in the name is taken for one, nor for a pattern.
    media = _Media(f'file:{path.absolute()}', str(path), path)
    with closing(_open(media)) as container:
        stream = _video_stream(container, media)
        rate_hz, count = _probe(container, stream, path.stat().st_size <= COUNTED_BYTES)
    losses = Losses()

    def one_pass() -> Generator[Frame, None, None]:
        before, given = Losses(**vars(losses)), 0
        with closing(_open(media)) as container:
            for frame in _read(container, media, rate_hz, losses, warn):
                given += 1
                yield frame
        if losses.damaged > before.damaged:
            losses.missing += max(0, (count or 0) - given)
            # Images behind damage are what the decoder makes of them until the next keyframe.
            images = f'{given} of {counted(count, "image")}' if count else counted(given, 'image')
            warn(f'{media.name} is damaged: read {images}, {losses}')

    return Video(media.name, rate_hz, count, False, one_pass, losses)


def open_stream(address: str, warn: Callable[[str], object]) -> Video:
    """Open the address of a video or of a stream, which is live if its length is unknown.

    Raises
    ------
    VideoError
        If it does not open, and, while reading a live one, if it ends.
    """
    name = without_secrets(address)
    options = {'rtsp_transport': 'tcp'} if address.lower().startswith('rtsp') else {}
    media = _Media(address, name, None, options)
    container = _open(media)
    stream = _video_stream(container, media)
    live = not stream.frames and container.duration is None
    rate_hz, count = _declared_rate_hz(stream), stream.frames or None
    losses, opened = Losses(), [container]

    def one_pass() -> Generator[Frame, None, None]:
        with closing(opened.pop() if opened else _open(media)) as container:
            _video_stream(container, media)
            yield from _read(container, media, rate_hz, losses, warn)
        if live:
            raise VideoError(f'{name} ended')

    return Video(name, rate_hz, count, live, one_pass, losses)


def _open(media: _Media) -> InputContainer:
    try:
        container: InputContainer = av.open(
            media.target, options=media.options, timeout=ADDRESS_TIMEOUT_S
        )
        return container
    except (av.FFmpegError, OSError, ValueError) as error:
        if media.path is not None:
            raise VideoError(
                f'{media.name} is not a video that FFmpeg can read: {_reason(error)}'
                f'{_hint(media.path)}'
            ) from None
        raise VideoError(
            f'{media.name} does not open: {_reason(error)}. Is the address right, the server '
            'reachable, and is it a video?'
        ) from None


def _reason(error: Exception) -> str:
    """Return the text of an error without the address, which may hold a password."""
    if isinstance(error, av.error.ExitError):
        return f'no data for {ADDRESS_TIMEOUT_S:g} s'
    return getattr(error, 'strerror', None) or type(error).__name__


def _hint(path: Path) -> str:
    """Return why an MP4 file cannot be opened, if that is known, or ''."""
    ends = _ends(path)
    if not ends:
        return ' (the file is empty)'
    if ends[4:8] == b'ftyp' and b'moov' not in ends:
        return ' (its index, moov, is missing: was the recording or the download cut off?)'
    return ''


def _ends(path: Path) -> bytes:
    """Return the first and the last bytes of a file, where containers describe their streams."""
    with path.open('rb') as file:
        start = file.read(DESCRIPTION_BYTES)
        file.seek(max(len(start), path.stat().st_size - DESCRIPTION_BYTES))
        return start + file.read()


def _video_stream(container: InputContainer, media: _Media) -> VideoStream:
    """Return the best video stream, ready to be decoded.

    Raises
    ------
    VideoError
        If there is none, or if its codec cannot be decoded.
    """
    stream = container.streams.best('video')
    if stream is None:
        kinds = ', '.join(sorted({str(stream.type) for stream in container.streams})) or 'nothing'
        raise VideoError(f'{media.name} holds no video stream, found: {kinds}')
    assert isinstance(stream, VideoStream)
    if stream.codec_context is None:
        codec = _codec_tag(media.path) if media.path else 'unknown'
        raise VideoError(
            f'{media.name} is encoded with a codec that this FFmpeg cannot decode: {codec}; '
            'convert it, for example to H.264'
        )
    # One thread for each core, by images where the codec allows that.
    stream.thread_type = 'AUTO'
    return stream


def _codec_tag(path: Path) -> str:
    """Return the name of the codec as the container has it: PyAV does not tell.

    In MP4 it is the type of the first sample entry (ISO/IEC 14496-12, 8.5.2), in Matroska the
    element CodecID.
    """
    found = re.search(rb'stsd.{12}(....)|(V_[A-Z0-9/_.]+)', _ends(path), re.DOTALL)
    return next(filter(None, found.groups()), b'').decode('latin-1') if found else 'unknown'


def _declared_rate_hz(stream: VideoStream) -> float:
    """Return the rate that the stream declares, or the default for none or an absurd one."""
    for rate in (stream.average_rate, stream.guessed_rate):
        if rate and 0 < rate <= MAX_RATE_HZ:
            return float(rate)
    return DEFAULT_RATE_HZ


def _probe(
    container: InputContainer, stream: VideoStream, count_all: bool
) -> tuple[float, int | None]:
    """Return rate, Hz, and number of images of a file, from its header and its packets' times.

    The declared rate is believed unless the times of the first packets contradict it: browsers
    record 30 Hz and declare 1000.
    """
    times_s: list[float] = []
    packets = 0
    with suppress(av.FFmpegError):
        for packet in container.demux(stream):
            packets += bool(packet.size)
            if packet.pts is not None and packet.time_base and packets <= PROBED_PACKETS:
                times_s.append(float(packet.pts * packet.time_base))
            if packets >= PROBED_PACKETS and (stream.frames or not count_all):
                break
    counted = packets if count_all else None
    rate_hz = _declared_rate_hz(stream)
    if len(times_s) < 2:  # raw streams have no times, but may declare a rate in their headers
        guessed = stream.guessed_rate
        known = bool(guessed) and 0 < (guessed or 0) <= MAX_RATE_HZ
        return float(guessed or rate_hz) if known else rate_hz, stream.frames or counted
    times_s.sort()
    steps_s = [b - a for a, b in pairwise(times_s) if b > a]
    if steps_s:
        mean_hz = 1 / statistics.fmean(steps_s)
        median_hz = 1 / statistics.median(steps_s)
        low_hz, high_hz = sorted((mean_hz, median_hz))
        if not low_hz / RATE_TOLERANCE <= rate_hz <= high_hz * RATE_TOLERANCE:
            rate_hz = mean_hz
    return rate_hz, stream.frames or counted


def _read(
    container: InputContainer,
    media: _Media,
    rate_hz: float,
    losses: Losses,
    warn: Callable[[str], object],
) -> Generator[Frame, None, None]:
    """Read images with their own times: those of a GIF or a telephone's video are uneven."""
    decoder = Decoder(media.name, losses, warn)
    clock = ImageClock(rate_hz)
    for packet in _packets(container, media, losses):
        for position_s, bgr in decoder.decode(packet):
            if clock.is_late(position_s) and losses.damaged:
                losses.damaged += 1
            else:
                yield Frame(clock.advance(position_s), bgr)


def _packets(
    container: InputContainer, media: _Media, losses: Losses
) -> Iterator[Packet[VideoStream]]:
    """Read the packets of the video stream; an unreadable place is skipped and counted."""
    stream = container.streams.best('video')
    assert isinstance(stream, VideoStream)
    errors = 0
    while errors < MAX_READ_ERRORS:
        try:
            for packet in container.demux(stream):
                errors = 0
                yield packet
            return
        except av.error.EOFError:
            return
        except (av.FFmpegError, OSError) as error:
            if media.path is None:
                raise VideoError(f'{media.name} stopped: {_reason(error)}') from None
            errors += 1
            losses.damaged += 1
