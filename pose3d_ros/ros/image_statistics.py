"""Statistics of the images of one camera: counts, and recent rates and durations."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass, replace
from enum import Enum
from itertools import pairwise
from typing import Any

import numpy as np

# Length of the window of recent statistics, s, and its largest number of images, which is more
# than any camera sends.
RECENT_S = 5.0
RECENT_IMAGES = 1000


class Outcome(Enum):
    """What happened to a received image."""

    WAITING = 'waits for its depth image'
    PROCESSED = 'poses were published'
    BAD = 'could not be read'
    LATE = 'arrived after a newer one'
    NO_TRANSFORM = 'had no transform to the frame of the poses'
    FAILED = 'the network failed'


@dataclass(frozen=True)
class ImageRecord:
    """One received image.

    Parameters
    ----------
    at_s
        Arrival, s of the monotonic clock.
    sent
        Number of images that the camera sent since the last one that was received, with this one.
        None: the middleware does not number messages.
    publisher
        Identifies the publisher. Empty: unknown.
    outcome
        What happened to it.
    durations_s
        Latency, inference and decoding, s; NaN: not processed.
    stamp_advances
        False: its stamp is 0 or the same as that of the image before.
    """

    at_s: float
    sent: int | None
    publisher: bytes = b''
    outcome: Outcome = Outcome.WAITING
    durations_s: tuple[float, float, float] = (np.nan, np.nan, np.nan)
    stamp_advances: bool = True


@dataclass(frozen=True)
class RecentStatistics:
    """Statistics of the last seconds. NaN: unknown.

    Parameters
    ----------
    span_s
        Length of the window, s.
    images
        Number of received images.
    input_hz, output_hz
        Rates of images sent by the camera and of published poses, Hz.
    latency_s, latency_p95_s
        Mean and 95th percentile of the time from an image's stamp to its poses, s.
    inference_s, parse_s
        Mean durations, s.
    outcomes
        Number of images of each outcome.
    unstamped
        Number of images whose stamp did not advance.
    publisher_changes
        Number of images that are of another publisher than the one before.
    """

    span_s: float
    images: int
    input_hz: float
    output_hz: float
    latency_s: float
    latency_p95_s: float
    inference_s: float
    parse_s: float
    outcomes: Counter[Outcome]
    unstamped: int = 0
    publisher_changes: int = 0


class ImageStatistics:
    """Counts the images of one camera.

    Times are of the monotonic clock, because that of the stamps may be simulated or jump.
    """

    def __init__(self) -> None:
        self.images = 0
        self.outcomes: Counter[Outcome] = Counter()
        # Images that the camera sent and this node did not receive. None: unknown.
        self.dropped: int | None = 0
        self.last_s = np.nan
        self.start()

    def start(self) -> None:
        """Start counting: images sent before are not missed."""
        self.since_s = time.monotonic()
        self._records: deque[ImageRecord] = deque(maxlen=RECENT_IMAGES)
        self._numbers: dict[bytes, int] = {}

    def record_arrival(self, info: dict[str, Any]) -> None:
        """Count a received image, and the missed ones that its publisher numbered before it."""
        missed = self._missed(info)
        self.dropped = None if missed is None or self.dropped is None else self.dropped + missed
        self.images += 1
        self.last_s = time.monotonic()
        sent = None if missed is None else 1 + missed
        self._records.append(ImageRecord(self.last_s, sent, publisher_gid(info)))

    def record_unstamped(self) -> None:
        """Note that the stamp of the last image that arrived does not advance."""
        self._change_last(stamp_advances=False)

    def record_processed(self, latency_s: float, inference_s: float, parse_s: float) -> None:
        """Store the durations of the last image that arrived."""
        self.record(Outcome.PROCESSED, (latency_s, inference_s, parse_s))

    def record(
        self,
        outcome: Outcome,
        durations_s: tuple[float, float, float] = (np.nan, np.nan, np.nan),
    ) -> None:
        """Count the outcome of the last image that arrived."""
        self.outcomes[outcome] += 1
        self._change_last(outcome=outcome, durations_s=durations_s)

    def age_s(self) -> float:
        """Return the time since the last image, s. NaN: there was none."""
        return time.monotonic() - self.last_s

    def silence_s(self) -> float:
        """Return the time since the last image or since `start`, whichever is later, s."""
        return float(np.fmin(self.age_s(), time.monotonic() - self.since_s))

    def rate_hz(self) -> float:
        """Return the rate of the images processed lately, from the second one on. NaN: unknown."""
        after_s = time.monotonic() - RECENT_S
        at_s = [
            r.at_s for r in self._records if r.at_s > after_s and np.isfinite(r.durations_s[0])
        ]
        return (len(at_s) - 1) / (at_s[-1] - at_s[0]) if len(at_s) > 1 else np.nan

    def recent(self) -> RecentStatistics:
        """Return the statistics of the last seconds."""
        now_s = time.monotonic()
        span_s = min(max(now_s - self.since_s, 1.0), RECENT_S)
        records = [r for r in self._records if r.at_s > now_s - RECENT_S]
        durations_s = np.array([r.durations_s for r in records]).reshape(-1, 3)
        durations_s = durations_s[np.isfinite(durations_s[:, 0])]
        latency_s = durations_s[:, 0]
        unknown = any(r.sent is None for r in records)
        sent = np.nan if unknown else sum(r.sent or 0 for r in records)
        means = durations_s.mean(0) if len(durations_s) else np.full(3, np.nan)
        return RecentStatistics(
            span_s=span_s,
            images=len(records),
            input_hz=sent / span_s,
            output_hz=len(durations_s) / span_s,
            latency_s=means[0],
            latency_p95_s=float(np.percentile(latency_s, 95)) if len(latency_s) else np.nan,
            inference_s=means[1],
            parse_s=means[2],
            outcomes=Counter(r.outcome for r in records),
            unstamped=sum(not r.stamp_advances for r in records),
            publisher_changes=sum(a.publisher != b.publisher for a, b in pairwise(records)),
        )

    def _change_last(self, **changes: Any) -> None:
        if self._records:
            self._records.append(replace(self._records.pop(), **changes))

    def _missed(self, info: dict[str, Any]) -> int | None:
        """Return the number of images missed since the last one of the same publisher."""
        number = info['publication_sequence_number']
        if not number:  # None, or 0 where the middleware does not number messages
            return None
        publisher = publisher_gid(info)
        last = self._numbers.get(publisher, number - 1)
        self._numbers[publisher] = number
        # A smaller number: the publisher has started again.
        return max(number - last - 1, 0)


def publisher_gid(info: dict[str, Any]) -> bytes:
    """Return the identifier of the publisher of a message; empty where rclpy does not have it."""
    return bytes((info.get('publisher_gid') or {}).get('data', b''))
