"""Remember how tall each tracked person is, once the floor is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Standard deviation of the logarithm of the size of people, of whom nothing else is known;
# heavier tails hold children.
SIZE_SD = 0.10
# What a stated height is off by beyond the least squares, as a share.
FLOOR_SD = 0.03
# People who are not seen for so long are forgotten, s.
MAX_AGE_S = 60.0


class PersonHeights:
    """Heights of tracks.

    Parameters
    ----------
    assumed_height_m
        Height of people of whom nothing is known, m.
    """

    def __init__(self, assumed_height_m: float) -> None:
        self.assumed_height_m = assumed_height_m
        self._known: dict[int, tuple[float, float, float]] = {}

    def update(
        self, stamp_s: float, track_id: NDArray[np.int64], size: Array, size_sd: Array
    ) -> None:
        """Take the logarithm of the sizes of N tracks, ``(N,)``, and their standard deviations."""
        self._known = {t: k for t, k in self._known.items() if stamp_s - k[2] < MAX_AGE_S}
        for track, value, sd in zip(track_id.tolist(), size, size_sd, strict=True):
            self._known[track] = float(value), float(np.hypot(sd, FLOOR_SD)), stamp_s

    def get(self, track_id: NDArray[np.int64]) -> tuple[Array, Array]:
        """Return heights ``(N,)``, m, and their standard deviations ``(N,)``, m."""
        nothing = (0.0, SIZE_SD, 0.0)
        known = np.array([self._known.get(t, nothing) for t in track_id.tolist()]).reshape(-1, 3)
        height_m = self.assumed_height_m * np.exp(known[:, 0])
        return height_m, height_m * known[:, 1]
