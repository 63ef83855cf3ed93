"""When each image of a source is due."""

from __future__ import annotations

from dataclasses import dataclass, field

from pose3d_ros.sources.video import Video


@dataclass
class Pacer:
    """Computes when each image is due, by a clock that the caller reads.

    Due times are counted from the first image, so that waiting does not add up to drift. A caller
    that falls behind by more than one image starts counting anew: no burst makes up for late
    images.

    Parameters
    ----------
    video
        States the rate, and whether images can wait: those of a live source are passed on or
        left out.
    rate_hz
        Another rate than the video's own; 0: its own.
    """

    video: Video
    rate_hz: float = 0.0
    _start_s: float | None = field(default=None, init=False)
    _index: int = field(default=0, init=False)

    def wait_s(self, time_s: float, now_s: float) -> float | None:
        """Return how long the next image has to wait, s; None: leave it out."""
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
