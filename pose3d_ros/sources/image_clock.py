"""Times of images from their positions in a container."""

from __future__ import annotations

# Longest time between two images of a video, s; more is damage: a node must not seem to hang.
LONGEST_STEP_S = 60.0
# Most images in a row, behind damage, that a decoder returns after later ones: codecs reorder at
# most 16 images.
MAX_LATE_IMAGES = 16


class ImageClock:
    """Turns the positions of images into times that start at 0 and increase.

    Parameters
    ----------
    rate_hz
        Of images without a position, or with an impossible one.
    """

    def __init__(self, rate_hz: float) -> None:
        self.rate_hz = rate_hz
        self.time_s = 0.0
        self.position_s: float | None = None
        self.started = False
        self.late = 0

    def is_late(self, position_s: float | None) -> bool:
        """Return whether an image is older than the last, as decoders return some after damage."""
        known = position_s is not None and self.position_s is not None
        old = known and position_s <= self.position_s  # type: ignore[operator]
        self.late = self.late + 1 if old else 0
        return 0 < self.late <= MAX_LATE_IMAGES

    def advance(self, position_s: float | None) -> float:
        """Return the time of the next image, s."""
        if self.started:
            step_s = 0.0
            if position_s is not None and self.position_s is not None:
                step_s = position_s - self.position_s
            self.time_s += step_s if 0 < step_s < LONGEST_STEP_S else 1 / self.rate_hz
        self.started, self.position_s = True, position_s
        return self.time_s
