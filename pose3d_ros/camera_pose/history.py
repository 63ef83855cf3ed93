"""Remember what people told of the camera, and which of them walk.

A camera at rest forgets nothing with time alone: an empty room must not cost what is known.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera_pose.observations import Observations
from pose3d_ros.camera_pose.residuals import Evidence

Array = NDArray[np.float64]

# Observations of one track are at least this far apart, s.
INTERVAL_S = 0.45
# Tracks that were not seen for so long do not come back, s.
MAX_AGE_S = 60.0
# Beyond this number of a track its older half is thinned out; beyond that of all, the oldest go.
PER_TRACK, MAX_OBSERVATIONS = 12, 130
# A person walks if within so many seconds the apparent body moves by this share of its height, or
# its height changes by this factor (its logarithm), in so many pairs of observations.
WALK_S, WALK_MOVE, WALK_GROWTH, WALK_PAIRS = (0.4, 2.2), 0.3, 0.15, 2
# Of tracks that walk in so many observations, so many make the others of these tracks count for
# nothing: their directions of up add a bias, and nothing else.
WALKING_OBSERVATIONS, WALKING_TRACKS = 3, 3
# Correlation of the errors of observations of one track: of those that walk, and of others, which
# keep their pose, and so what is wrong with it.
CORRELATION, STILL_CORRELATION = 0.5, 0.85


class History:
    """Observations, newest last."""

    def __init__(self) -> None:
        self.clear()

    def __len__(self) -> int:
        return len(self.stamp_s)

    def clear(self) -> None:
        """Forget everything."""
        self.observations: Observations | None = None
        self.stamp_s = np.zeros(0)
        self.track_id = np.zeros(0, np.int64)
        self.walks = np.zeros(0, bool)
        self._last_s: dict[int, float] = {}

    def due(self, stamp_s: float, track_id: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell of which tracks ``(N,)`` an observation is due."""
        last_s = [self._last_s.get(int(track), -np.inf) for track in track_id]
        return np.asarray(stamp_s - np.array(last_s, float) >= INTERVAL_S)

    def add(self, stamp_s: float, track_id: NDArray[np.int64], seen: Observations) -> None:
        """Add observations of N tracks, and forget the oldest where there are too many."""
        self._last_s = {t: s for t, s in self._last_s.items() if stamp_s - s < MAX_AGE_S}
        self._last_s |= {int(track): stamp_s for track in track_id}
        old = self.observations
        self.observations = seen if old is None else old.join(seen)
        self.stamp_s = np.append(self.stamp_s, np.full(len(track_id), stamp_s))
        self.track_id = np.append(self.track_id, track_id)
        self.walks = np.append(self.walks, np.zeros(len(track_id), bool))
        for track in track_id:
            self._mark_walking(np.flatnonzero(self.track_id == track))
        self.keep(self._worth_keeping(track_id))

    def shift(self, by_s: float) -> None:
        """Move all stamps, where the clock was set or a recording starts again."""
        self.stamp_s = self.stamp_s + by_s
        self._last_s = {track: stamp_s + by_s for track, stamp_s in self._last_s.items()}

    def keep(self, which: NDArray[np.bool_]) -> None:
        """Forget all observations but some, ``(len,)``."""
        if self.observations is not None:
            self.observations = self.observations.take(which)
        self.stamp_s, self.track_id = self.stamp_s[which], self.track_id[which]
        self.walks = self.walks[which]

    def evidence(self, neck_m: float) -> tuple[Evidence, NDArray[np.int64]]:
        """Return what the solver needs, and the ids of its tracks."""
        assert self.observations is not None
        tracks, index, count = np.unique(self.track_id, return_inverse=True, return_counts=True)
        correlation = np.where(self.walks, CORRELATION, STILL_CORRELATION)
        weight = 1 / (1 + correlation * (count[index] - 1))
        walking = np.bincount(index, self.walks) >= WALKING_OBSERVATIONS
        if walking.sum() >= WALKING_TRACKS:
            weight[walking[index] & ~self.walks] = 0
        return Evidence(self.observations, index, self.walks.copy(), weight, neck_m), tracks

    def _mark_walking(self, rows: NDArray[np.intp]) -> None:
        """Mark observations of one track as walking; they stay so when others are forgotten."""
        assert self.observations is not None
        straight = self.observations.straight
        rows = rows[straight[rows]]
        if len(rows) < 2:
            return
        foot, neck = self.observations.foot[rows, :2], self.observations.neck[rows]
        middle, height = (foot + neck) / 2, np.linalg.norm(neck - foot, axis=1)
        elapsed_s = np.abs(self.stamp_s[rows] - self.stamp_s[rows[-1]])
        moved = np.linalg.norm(middle - middle[-1], axis=1) / np.minimum(height, height[-1])
        grown = np.abs(np.log(height / height[-1]))
        walks = (elapsed_s > WALK_S[0]) & (elapsed_s < WALK_S[1])
        walks &= (moved > WALK_MOVE) | (grown > WALK_GROWTH)
        if walks.sum() >= WALK_PAIRS:
            self.walks[rows[walks]] = True
            self.walks[rows[-1]] = True

    def _worth_keeping(self, track_id: NDArray[np.int64]) -> NDArray[np.bool_]:
        keep = np.ones(len(self), bool)
        for track in track_id:
            rows = np.flatnonzero(keep & (self.track_id == track))
            if len(rows) > PER_TRACK:
                keep[rows[1 : len(rows) // 2 : 2]] = False
        rows = np.flatnonzero(keep)
        keep[rows[: max(len(rows) - MAX_OBSERVATIONS, 0)]] = False
        return keep
