"""Statistics of the images of one camera: counts, and recent rates and durations."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np

# Length of the window of recent statistics, s, and its largest number of images, which is more
# than any camera sends.
RECENT_S = 5.0
RECENT_IMAGES = 1000


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
    times_s
        Latency, inference and decoding, s; NaN: not processed.
    has_transform
        False: there was no transform to the frame of the poses.
    read
        False: it could not be read.
    """

    at_s: float
    sent: int | None
    times_s: tuple[float, float, float] = (np.nan, np.nan, np.nan)
    has_transform: bool = True
    read: bool = True


@dataclass(frozen=True)
class RecentStatistics:
    """Statistics of the last seconds. NaN: unknown.

    Parameters
    ----------
    span_s
        Length of the window, s.
    images, bad_images
        Number of received images, and of unreadable ones among them.
    input_hz, output_hz
        Rates of images sent by the camera and of published poses, Hz.
    latency_s, latency_p95_s
        Mean and 95th percentile of the time from an image's stamp to its poses, s.
    inference_s, parse_s
        Mean durations, s.
    missing_transforms
        Number of images without a transform.
    """

    span_s: float
    images: int
    bad_images: int
    input_hz: float
    output_hz: float
    latency_s: float
    latency_p95_s: float
    inference_s: float
    parse_s: float
    missing_transforms: int = 0


class ImageStatistics:
    """Counts the images of one camera.

    Times are of the monotonic clock, because that of the stamps may be simulated or jump.
    """

    def __init__(self) -> None:
        self.images = self.bad_images = self.missing_transforms = 0
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
        self._records.append(ImageRecord(self.last_s, None if missed is None else 1 + missed))

    def record_processed(self, latency_s: float, inference_s: float, parse_s: float) -> None:
        """Store the durations of the last image that arrived."""
        last = self._records.pop()
        self._records.append(ImageRecord(last.at_s, last.sent, (latency_s, inference_s, parse_s)))

    def record_missing_transform(self) -> None:
        """Count the last image that arrived as one without a transform."""
        self.missing_transforms += 1
        last = self._records.pop()
        self._records.append(ImageRecord(last.at_s, last.sent, has_transform=False))

    def record_bad_image(self) -> None:
        """Count the last image that arrived as unreadable."""
        self.bad_images += 1
        last = self._records.pop()
        self._records.append(ImageRecord(last.at_s, last.sent, read=False))

    def age_s(self) -> float:
        """Return the time since the last image, s. NaN: there was none."""
        return time.monotonic() - self.last_s

    def silence_s(self) -> float:
        """Return the time since the last image or since `start`, whichever is later, s."""
        return float(np.fmin(self.age_s(), time.monotonic() - self.since_s))

    def recent(self) -> RecentStatistics:
        """Return the statistics of the last seconds."""
        now_s = time.monotonic()
        span_s = min(max(now_s - self.since_s, 1.0), RECENT_S)
        records = [t for t in self._records if t.at_s > now_s - RECENT_S]
        times_s = np.array([t.times_s for t in records]).reshape(-1, 3)
        times_s = times_s[np.isfinite(times_s[:, 0])]
        missing_transforms = sum(not t.has_transform for t in records)
        unknown = any(t.sent is None for t in records)
        sent = np.nan if unknown else sum(t.sent or 0 for t in records)
        means = times_s.mean(0) if len(times_s) else np.full(3, np.nan)
        return RecentStatistics(
            span_s,
            len(records),
            sum(not t.read for t in records),
            sent / span_s,
            len(times_s) / span_s,
            means[0],
            float(np.percentile(times_s[:, 0], 95)) if len(times_s) else np.nan,
            means[1],
            means[2],
            missing_transforms,
        )

    def _missed(self, info: dict[str, Any]) -> int | None:
        """Return the number of images missed since the last one of the same publisher."""
        number = info['publication_sequence_number']
        if not number:  # None, or 0 where the middleware does not number messages
            return None
        publisher = bytes((info.get('publisher_gid') or {}).get('data', b''))
        last = self._numbers.get(publisher, number - 1)
        self._numbers[publisher] = number
        # A smaller number: the publisher has started again.
        return max(number - last - 1, 0)
