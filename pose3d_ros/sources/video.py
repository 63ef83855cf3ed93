"""The types that every source of images shares."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.wording import counted

# Rate, Hz, of a source that has none of its own.
DEFAULT_RATE_HZ = 30.0
# Upper bound, Hz, of a rate that a stream declares: more are ticks of a clock, not images.
MAX_RATE_HZ = 1000.0


class VideoError(Exception):
    """A source that does not open or gives no images; the text names it, the cause, the remedy."""


class Frame(NamedTuple):
    """An image of a video and when it is due."""

    time_s: float  # since the first image, at the source's own rate
    bgr: NDArray[np.uint8]  # (H, W, 3)


@dataclass
class Losses:
    """Count what a source has lost so far.

    Parameters
    ----------
    damaged
        Packets or image files that could not be decoded.
    missing
        Images that a damaged file declares in its header and that did not come.
    reconnections
        How often a live source was opened again.
    """

    damaged: int = 0
    missing: int = 0
    reconnections: int = 0

    def __bool__(self) -> bool:
        return bool(self.damaged or self.missing or self.reconnections)

    def __str__(self) -> str:
        """Name the counts that are not zero, separated by commas."""
        parts = (
            (self.missing, 'image missing', 'images missing'),
            (self.damaged, 'damaged packet or file skipped', 'damaged packets or files skipped'),
            (self.reconnections, 'reconnection', 'reconnections'),
        )
        return ', '.join(counted(*part) for part in parts if part[0])


@dataclass(frozen=True)
class Video:
    """An opened source.

    Parameters
    ----------
    name
        Its name in messages, without user, password or token.
    rate_hz
        Its own rate, Hz; a mean where the times between its images differ.
    count
        Number of images by its own account. None: unknown.
    live
        Images come when they are taken and cannot be held back; the end is a failure.
    one_pass
        Return the images once, from the first; sizes may differ.
    losses
        Counted while images are read, over all passes.
    """

    name: str
    rate_hz: float
    count: int | None
    live: bool
    one_pass: Callable[[], Generator[Frame, None, None]]
    losses: Losses = field(default_factory=Losses)

    def __iter__(self) -> Generator[Frame, None, None]:
        """Return the images once, from the first: ``for time_s, bgr in open_source(...)``."""
        return self.one_pass()
