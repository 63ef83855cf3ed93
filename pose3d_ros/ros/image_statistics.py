"""What became of one camera's images: counts, and rates and times of the last seconds."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np

RECENT_S = 5.0
# At most so many images of them: more than any camera sends.
RECENT_IMAGES = 1000


@dataclass(frozen=True)
class ImageRecord:
    """One image that this node took.

    Parameters
    ----------
    at_s
        When, s of the monotonic clock.
    sent
        How many images the camera sent for it to come: itself, and those before it that never
        came here. None: the middleware does not say.
    times_s
        Latency, inference and parsing, s; NaN for an image that was not processed.
    has_transform
        False: it has no transform to the frame of the poses.
    read
        False: it was not processed because it could not be read.
    """

    at_s: float
    sent: int | None
    times_s: tuple[float, float, float] = (np.nan, np.nan, np.nan)
    has_transform: bool = True
    read: bool = True


@dataclass(frozen=True)
class RecentStatistics:
    """The last seconds: Hz and s. NaN: unknown.

    Parameters
    ----------
    span_s
        How many they are.
    images, bad_images
        How many came, and how many of them could not be read.
    input_hz, output_hz
        Images that the camera sent, and answers.
    latency_s, latency_p95_s
        From an image's stamp to its poses.
    inference_s, parse_s
        Means.
    missing_transforms
        How many images came without a transform.
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

    Nothing here is of the images' own clock, which may be simulated, jump or stand still.
    """

    def __init__(self) -> None:
        self.images = self.bad_images = self.missing_transforms = 0
        # Sent by the camera and never seen here: lost, or older than the newest. None: unknown.
        self.dropped: int | None = 0
        self.last_s = np.nan
        self.start()

    def start(self) -> None:
        """Note that images are heard from now on; those before are nobody's loss."""
        self.since_s = time.monotonic()
        self._records: deque[ImageRecord] = deque(maxlen=RECENT_IMAGES)
        self._numbers: dict[bytes, int] = {}

    def record_arrival(self, info: dict[str, Any]) -> None:
        """Count an image, and those that its publisher numbered before it."""
        missed = self._missed(info)
        self.dropped = None if missed is None or self.dropped is None else self.dropped + missed
        self.images += 1
        self.last_s = time.monotonic()
        self._records.append(ImageRecord(self.last_s, None if missed is None else 1 + missed))

    def record_processed(self, latency_s: float, inference_s: float, parse_s: float) -> None:
        """Note how long the image that record_arrival last has taken."""
        last = self._records.pop()
        self._records.append(ImageRecord(last.at_s, last.sent, (latency_s, inference_s, parse_s)))

    def record_missing_transform(self) -> None:
        """Count the image that record_arrival last among those without a transform."""
        self.missing_transforms += 1
        last = self._records.pop()
        self._records.append(ImageRecord(last.at_s, last.sent, has_transform=False))

    def record_bad_image(self) -> None:
        """Count the image that record_arrival last among the bad ones."""
        self.bad_images += 1
        last = self._records.pop()
        self._records.append(ImageRecord(last.at_s, last.sent, read=False))

    def age_s(self) -> float:
        """Tell how long ago the last image came. NaN: none did."""
        return time.monotonic() - self.last_s

    def silence_s(self) -> float:
        """Tell for how long an image has been waited for."""
        return float(np.fmin(self.age_s(), time.monotonic() - self.since_s))

    def rate_hz(self) -> float:
        """Return the rate of the images processed lately, from the second one on. NaN: unknown."""
        after_s = time.monotonic() - RECENT_S
        at_s = [r.at_s for r in self._records if r.at_s > after_s and np.isfinite(r.times_s[0])]
        return (len(at_s) - 1) / (at_s[-1] - at_s[0]) if len(at_s) > 1 else np.nan

    def recent(self) -> RecentStatistics:
        """Sum up the last seconds."""
        now_s = time.monotonic()
        span_s = min(max(now_s - self.since_s, 1.0), RECENT_S)
        taken = [t for t in self._records if t.at_s > now_s - RECENT_S]
        times_s = np.array([t.times_s for t in taken]).reshape(-1, 3)
        times_s = times_s[np.isfinite(times_s[:, 0])]
        missing_transforms = sum(not t.has_transform for t in taken)
        unknown = any(t.sent is None for t in taken)
        sent = np.nan if unknown else sum(t.sent or 0 for t in taken)
        means = times_s.mean(0) if len(times_s) else np.full(3, np.nan)
        return RecentStatistics(
            span_s,
            len(taken),
            sum(not t.read for t in taken),
            sent / span_s,
            len(times_s) / span_s,
            means[0],
            float(np.percentile(times_s[:, 0], 95)) if len(times_s) else np.nan,
            means[1],
            means[2],
            missing_transforms,
        )

    def _missed(self, info: dict[str, Any]) -> int | None:
        """Images between this one and the last of its publisher; the middleware numbers them."""
        number = info['publication_sequence_number']
        if not number:  # None, or 0 where the middleware does not count
            return None
        publisher = bytes((info.get('publisher_gid') or {}).get('data', b''))
        last = self._numbers.get(publisher, number - 1)
        self._numbers[publisher] = number
        # Not in order: a publisher that has started again.
        return max(number - last - 1, 0)
