"""The time of each image of one camera, from stamps that may stand still or run back."""

from __future__ import annotations

import math
from dataclasses import dataclass

# Evidence that a recording has started again rather than that an image is late: this many images
# in succession, or as many as arrive in this time, s (at least two), all older than the newest one
# and in order among themselves.
RESTART_IMAGES = 3
RESTART_AFTER_S = 1.0
# How long the publisher of the newest image must be silent, s, before another publisher with
# older stamps replaces it.
PUBLISHER_SILENT_S = 1.0


@dataclass(frozen=True)
class ImageTime:
    """The time of an image.

    Parameters
    ----------
    time_s
        Time for tracking, s: the stamp or, if that does not advance, the time of the last image
        plus the time since its arrival.
    stamp_advances
        False: the arrival time is used instead of the stamp.
    """

    time_s: float
    stamp_advances: bool


class ImageClock:
    """Determines the time of images and rejects late ones.

    - A stamp that is 0, or the same as the last one, is replaced by the arrival time.
    - An image that is older than the newest one is late.
    - Several late images in succession are a recording that has started again, unless the
      publisher of the newest image is still sending: then there are two publishers.
    """

    def __init__(self) -> None:
        self._stamp_ns: int | None = None  # of the newest image
        self._time_s = 0.0
        self._arrival_s = -math.inf
        self._publisher = b''
        self._late: list[tuple[int, float]] = []  # stamp and arrival in succession

    def at(self, stamp_ns: int, arrival_s: float, publisher: bytes = b'') -> ImageTime | None:
        """Return the time of the next image; None: it is late.

        Parameters
        ----------
        stamp_ns
            Its stamp, ns.
        arrival_s
            When it arrived, s of the steady clock.
        publisher
            Identifies the publisher. Empty: unknown.
        """
        newest_ns = self._stamp_ns
        if newest_ns is None or self._is_restart(stamp_ns, arrival_s, publisher):
            return self._accept(stamp_ns, arrival_s, publisher, 1e-9 * stamp_ns, stamp_ns != 0)
        if stamp_ns < newest_ns and stamp_ns != 0:
            return None
        stamp_s = 1e-9 * stamp_ns
        advances = stamp_ns > newest_ns and stamp_s > self._time_s
        time_s = stamp_s if advances else self._time_s + (arrival_s - self._arrival_s)
        return self._accept(max(stamp_ns, newest_ns), arrival_s, publisher, time_s, advances)

    def _accept(
        self, stamp_ns: int, arrival_s: float, publisher: bytes, time_s: float, advances: bool
    ) -> ImageTime:
        self._stamp_ns, self._time_s = stamp_ns, time_s
        self._arrival_s, self._publisher = arrival_s, publisher
        self._late.clear()
        return ImageTime(time_s, advances)

    def _is_restart(self, stamp_ns: int, arrival_s: float, publisher: bytes) -> bool:
        """Return whether the stamps started again, from this image and the late ones before."""
        if self._stamp_ns is None or stamp_ns >= self._stamp_ns or stamp_ns == 0:
            return False
        silent = arrival_s - self._arrival_s >= PUBLISHER_SILENT_S
        if publisher != self._publisher and not silent:
            return False
        if self._late and stamp_ns < self._late[-1][0]:
            self._late.clear()
        self._late.append((stamp_ns, arrival_s))
        span_s = arrival_s - self._late[0][1]
        number = len(self._late)
        return number >= RESTART_IMAGES or (number > 1 and span_s >= RESTART_AFTER_S)
