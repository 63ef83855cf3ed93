"""Packets -> images as they are to be seen: whole, upright, deinterlaced."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import av
import av.filter
import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from pose3d_ros.sources.video import Losses

# Interpolates the missing lines of images that are marked as interlaced (bwdif, with the default
# one image for two fields); leaves others as they are.
DEINTERLACER, DEINTERLACER_OPTIONS = 'bwdif', 'mode=send_frame:deint=interlaced'


class Decoder:
    """Decodes the packets of one pass through one video stream.

    What the decoder refuses, or marks as corrupt, is counted as damaged and never returned.

    Parameters
    ----------
    name
        For messages.
    losses
        Counts what is damaged.
    warn
        Called with a sentence if the images are deinterlaced.

    Attributes
    ----------
    given
        Number of images returned so far.
    """

    def __init__(self, name: str, losses: Losses, warn: Callable[[str], object]) -> None:
        self.name, self.losses, self.warn = name, losses, warn
        self.given = 0
        self._reformatter = VideoReformatter()
        self._graph: av.filter.Graph | None = None
        self._graph_input: tuple[int, int, str] | None = None
        self._rotation_deg = 0

    def decode(
        self, packet: Packet[VideoStream]
    ) -> Iterator[tuple[float | None, NDArray[np.uint8]]]:
        """Return time, s, (None: unknown) and pixels ``(H, W, 3)`` BGR of a packet's images.

        An empty packet returns those that the decoder still holds.
        """
        for frame in self._frames(packet):
            for whole in self._deinterlaced(frame):
                yield self._read(whole)
        if not packet.size and self._graph is not None:
            self._graph.push(None)
            for whole in self._pull():
                yield self._read(whole)

    def _frames(self, packet: Packet[VideoStream]) -> Iterator[VideoFrame]:
        try:
            frames = packet.decode()
        except (av.error.EOFError, av.error.BlockingIOError):
            return
        except av.FFmpegError:
            self.losses.damaged += 1
            return
        for frame in frames:
            assert isinstance(frame, VideoFrame)
            if frame.is_corrupt:
                self.losses.damaged += 1
            else:
                yield frame

    def _deinterlaced(self, frame: VideoFrame) -> Iterator[VideoFrame]:
        # Releases of PyAV before 13 do not know it.
        self._rotation_deg = getattr(frame, 'rotation', 0)
        if self._graph is None and not frame.interlaced_frame:
            yield frame
            return
        key = (frame.width, frame.height, frame.format.name)
        if self._graph is None or key != self._graph_input:
            if self._graph is None:
                self.warn(f'{self.name} is interlaced: its images are deinterlaced')
            self._graph, self._graph_input = _graph(frame), key
        self._graph.push(frame)
        yield from self._pull()

    def _pull(self) -> Iterator[VideoFrame]:
        assert self._graph is not None
        while True:
            try:
                frame = self._graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            assert isinstance(frame, VideoFrame)
            yield frame

    def _read(self, frame: VideoFrame) -> tuple[float | None, NDArray[np.uint8]]:
        self.given += 1
        known = frame.pts is not None and frame.time_base is not None
        time_s = float(frame.pts * frame.time_base) if known else None  # type: ignore[operator]
        bgr = self._reformatter.reformat(frame, format='bgr24').to_ndarray()
        quarters = round(self._rotation_deg / 90) % 4  # anticlockwise, from the display matrix
        return time_s, np.ascontiguousarray(np.rot90(bgr, quarters))


def _graph(frame: VideoFrame) -> av.filter.Graph:
    """Build the deinterlacer for images like this one."""
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
    )
    deinterlacer = graph.add(DEINTERLACER, DEINTERLACER_OPTIONS)
    sink = graph.add('buffersink')
    source.link_to(deinterlacer)
    deinterlacer.link_to(sink)
    graph.configure()
    return graph
