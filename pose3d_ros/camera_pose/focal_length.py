"""Estimate the focal length of a camera from the people that it sees.

People who walk towards or away from a camera that looks down on them shrink as the floor says,
for one focal length only. Each of some focal lengths has a camera pose estimator of its own, and
how well each explains the people gives a probability. Level cameras tell nothing: then the
uncertainty stays as large as that of a guess.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import Intrinsics
from pose3d_ros.camera_pose.history import History
from pose3d_ros.camera_pose.observations import UNIT_HEIGHT_M, Observer
from pose3d_ros.camera_pose.prior import start, usual_prior
from pose3d_ros.camera_pose.residuals import NECK_M, SHARED, Evidence
from pose3d_ros.camera_pose.solver import solve
from pose3d_ros.people import TrackedPeople, TrackState

Array = NDArray[np.float64]

# Focal lengths that are tried, as multiples of the guess, which is 0.8 image widths.
TRIED = tuple(np.geomspace(0.7, 2.8, 7))
# Of cameras of which nothing is known: the median as a multiple of the guess, and the standard
# deviation of the logarithm. Telephones film with 0.7 to 1.5 image widths.
PRIOR_MEDIAN, PRIOR_LOG_SD = 1.2, 0.3
# Every so many seconds all are solved with what was seen by then, one an image.
SOLVE_S, ITERATIONS = 5.0, 6
GRID = 200


class FocalLengthEstimator:
    """Estimate the focal length of one camera, image by image.

    Parameters
    ----------
    guess
        The camera with a guessed focal length; its optical centre is kept.
    assumed_height_m
        Height of adults, m.
    observer
        The network; None for the bundled one.
    """

    def __init__(
        self,
        guess: Intrinsics,
        assumed_height_m: float = UNIT_HEIGHT_M,
        observer: Observer | None = None,
    ) -> None:
        self.guess = guess
        self.assumed_height_m = assumed_height_m
        self.observer = observer or Observer()
        self._histories = [History() for _ in TRIED]
        self._states = [start(0)[:SHARED] for _ in TRIED]
        self._costs = np.full(len(TRIED), np.nan)
        self._solved = self._costs
        self._waiting: list[tuple[int, Evidence]] = []
        self._began_s = -np.inf

    def update(self, stamp_s: float, tracked: TrackedPeople) -> None:
        """Take the people of an image into account, see `CameraPoseEstimator.update`."""
        self._observe(stamp_s, tracked)
        if self._waiting:
            self._solve(*self._waiting.pop())
            if not self._waiting:
                self._costs = self._solved
        elif len(self._histories[0]) and not 0 <= stamp_s - self._began_s < SOLVE_S:
            self._began_s, self._solved = stamp_s, np.full(len(TRIED), np.nan)
            neck_m = NECK_M * self.assumed_height_m / UNIT_HEIGHT_M
            evidence = [history.evidence(neck_m)[0] for history in self._histories]
            self._waiting = list(enumerate(evidence))

    def estimate(self) -> tuple[Intrinsics, float] | None:
        """Return the camera and the standard deviation of its focal length as a share of it.

        None until all have been solved. The standard deviation decides whether the estimate is
        better than the guess.
        """
        if not np.isfinite(self._costs).all():
            return None
        tried = np.log(TRIED)
        value = np.linspace(tried[0], tried[-1], GRID)
        off = (value - np.log(PRIOR_MEDIAN)) / PRIOR_LOG_SD
        cost = np.interp(value, tried, self._costs) + off**2 / 2
        likely = np.exp(cost.min() - cost)
        likely /= likely.sum()
        mean = float(likely @ value)
        sd = float(np.sqrt(likely @ (value - mean) ** 2))
        factor, guess = float(np.exp(mean)), self.guess
        return replace(guess, fx=factor * guess.fx, fy=factor * guess.fy), sd

    def _observe(self, stamp_s: float, tracked: TrackedPeople) -> None:
        due = (tracked.state == TrackState.CONFIRMED) & self._histories[0].due(
            stamp_s, tracked.track_id
        )
        if not due.any():
            return
        people, ids = tracked.people.people_2d, tracked.track_id[due]
        rays = self.guess.unproject(people.xy_px[due])
        scores = people.scores[due]
        all_rays = np.concatenate([rays / factor for factor in TRIED])
        # All at once, because the work for each call outweighs that for each person.
        seen = self.observer.observe(
            all_rays, np.tile(scores, (len(TRIED), 1)), self.assumed_height_m
        )
        for i, history in enumerate(self._histories):
            which = i * len(ids) + np.flatnonzero(seen.enough[: len(ids)])
            if len(which):
                history.add(stamp_s, ids[which - i * len(ids)], seen.take(which))

    def _solve(self, index: int, evidence: Evidence) -> None:
        tracks = int(evidence.track.max()) + 1
        first = np.append(self._states[index], np.zeros(tracks))
        found = solve(evidence, usual_prior(tracks), first[np.newaxis], ITERATIONS)
        self._states[index] = found.theta[:SHARED]
        self._solved[index] = found.cost
