"""Tracking: people keep their ids from image to image."""

from __future__ import annotations

import statistics
from collections import deque

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.people import People3D, TrackedPeople
from pose3d_ros.tracking import appearance, association, heading, motion, range_filter
from pose3d_ros.tracking.memory import Memory
from pose3d_ros.tracking.tracks import TRACK, boxes, remembered, tracked

# Largest jump back of stamps, s, that counts as a late image or a clock being set; more is a
# recording that starts again, and so are RESTART_IMAGES such images in succession and in order.
CLOCK_STEP_S = 1.0
RESTART_IMAGES = 3
# At low rates a track ends after so many usual intervals between images instead of `max_age_s`, so
# that two images without the person come first; bound of that time, s. The usual interval is the
# median of the last ones: a pause of a fast camera is not usual, and others may stand there then.
MISSED_INTERVALS = 2.5
INTERVALS = 5
LONGEST_WAIT_S = 10.0
# Longest time, s, for which the boxes of people are predicted.
MAX_PREDICTION_S = 0.5
# Largest number of tracks; those not detected in the most images are dropped first. While stamps
# stand still, no track grows old.
MAX_TRACKS = 200


class Tracker:
    """Gives people ids that hold from image to image.

    Parameters
    ----------
    max_age_s
        How long a person who is not detected keeps the id, s; where images are rare, until two of
        them have come without the person, up to ``LONGEST_WAIT_S``.
    confirm_s
        How long after the first image a person is confirmed, s, if detected in at least
        ``tracks.CONFIRM_IMAGES``.
    appearance_memory_s
        How long a person who is lost from view is remembered by the colours of the clothes, s, and
        gets the old id back. 0: no colours are kept. They are never written anywhere.

    Raises
    ------
    ValueError
        If a number is not finite, negative, or zero where that makes no sense.
    """

    def __init__(
        self, max_age_s: float = 1.0, confirm_s: float = 0.2, appearance_memory_s: float = 60.0
    ) -> None:
        self.max_age_s = max_age_s
        self.appearance_memory_s = appearance_memory_s
        check_at_least('confirm_s', confirm_s, 0.0)
        self._confirm_s = confirm_s
        self._next_id, self._image = 0, 0
        self.reset()

    @property
    def max_age_s(self) -> float:
        """How long a person who is not detected keeps the id, s. May be changed at any time."""
        return self._max_age_s

    @max_age_s.setter
    def max_age_s(self, value: float) -> None:
        check_at_least('max_age_s', value, 1e-3)
        self._max_age_s = value

    @property
    def appearance_memory_s(self) -> float:
        """How long colours are remembered, s; 0 is never. May be changed at any time."""
        return self._appearance_memory_s

    @appearance_memory_s.setter
    def appearance_memory_s(self, value: float) -> None:
        check_at_least('appearance_memory_s', value, 0.0)
        self._appearance_memory_s = value

    @property
    def stamp_s(self) -> float:
        """Time of the last image, s, which is the largest stamp since tracking started anew."""
        return self._stamp_s

    def reset(self) -> None:
        """Forget all people. Ids continue: none is given twice."""
        self._tracks = np.zeros(0, TRACK)
        self._memory = Memory()
        self._stamp_s = -np.inf
        self._intervals_s: deque[float] = deque(maxlen=INTERVALS)
        self._earlier_s: list[float] = []  # stamps before the newest one, in succession

    def predict_boxes(self, stamp_s: float) -> NDArray[np.float64] | None:
        """Predict where the people of the last image are at a time.

        Parameters
        ----------
        stamp_s
            The stamp of the next image, s.

        Returns
        -------
        boxes_px
            ``(B, 4)`` x0, y0, x1, y1, image px: around the keypoints, with a margin. None
            where nothing can be predicted: the stamp is not finite, has jumped back, or is more
            than ``MAX_PREDICTION_S`` later.
        """
        dt_s = stamp_s - self._stamp_s
        if not -CLOCK_STEP_S <= dt_s <= MAX_PREDICTION_S:
            return None
        current = self._tracks[self._tracks['last_s'] == self._stamp_s]
        if not len(current):
            return np.zeros((0, 4))
        expected = motion.predict(current['motion'], max(dt_s, 0.0))
        return boxes(expected['xy_px'])

    def update(
        self,
        people: People3D,
        stamp_s: float,
        colours: NDArray[np.float64] | None = None,
        up: NDArray[np.float64] | None = None,
    ) -> TrackedPeople:
        """Associate the people of the next image with tracks.

        Parameters
        ----------
        people
            The N people of the image. Not written into.
        stamp_s
            When it was taken, s. The same or an earlier stamp means that no time has passed. A
            jump back of more than ``CLOCK_STEP_S``, or ``RESTART_IMAGES`` earlier stamps in
            succession and in order, start anew.
        colours
            ``(N, PARTS, BINS)``, as ``appearance.describe`` returns them. None: unknown.
        up
            ``(3,)`` unit vector against gravity, camera optical frame, for the headings. None: the
            camera is level.

        Returns
        -------
        TrackedPeople
            The same N people in the same order.

        Raises
        ------
        ValueError
            If the stamp is not finite.
        """
        self._advance(stamp_s)
        if not len(people):
            return tracked(people, self._tracks[:0], self._stamp_s, self._confirm_s)
        if not self._appearance_memory_s:
            self._tracks['colours'] = np.nan
        if colours is None or not self._appearance_memory_s:
            colours = np.full((len(people), appearance.PARTS, appearance.BINS), np.nan)
        rows = self._associate(people, colours)
        self._turn(rows, *heading.observe(people, up))
        return tracked(people, self._tracks[rows], self._stamp_s, self._confirm_s)

    def _advance(self, stamp_s: float) -> None:
        """Predict the tracks at the time of the image; drop those not detected for too long."""
        if not np.isfinite(stamp_s):
            raise ValueError(f'stamp_s must be finite, found {stamp_s}')
        if self._starts_again(stamp_s):
            self.reset()
        stamp_s = max(stamp_s, self._stamp_s)
        lost = stamp_s - self._tracks['last_s'] > self._memory_s()
        if len(lost) > MAX_TRACKS:
            lost[np.argsort(self._tracks['last_image'], kind='stable')[:-MAX_TRACKS]] = True
        if lost.any():
            self._memory.store(remembered(self._tracks[lost]))
            self._tracks = self._tracks[~lost]
        self._memory.forget(stamp_s - self._appearance_memory_s)
        if len(self._tracks):
            self._tracks['motion'] = motion.predict(
                self._tracks['motion'], stamp_s - self._stamp_s
            )
            self._tracks['heading_variance'] = heading.predict(
                self._tracks['heading_variance'], stamp_s - self._stamp_s
            )
        if stamp_s > self._stamp_s > -np.inf:
            self._intervals_s.append(stamp_s - self._stamp_s)
        self._stamp_s = stamp_s
        self._image += 1

    def _memory_s(self) -> float:
        """Return how long a person who is not detected keeps the id at the rate of the images."""
        wait_s = LONGEST_WAIT_S
        if self._intervals_s:
            wait_s = min(wait_s, MISSED_INTERVALS * statistics.median(self._intervals_s))
        return max(self._max_age_s, wait_s)

    def _starts_again(self, stamp_s: float) -> bool:
        """Return whether the stamps belong to a recording that starts again."""
        if stamp_s >= self._stamp_s:
            self._earlier_s.clear()
            return False
        if self._earlier_s and stamp_s < self._earlier_s[-1]:
            self._earlier_s.clear()
        self._earlier_s.append(stamp_s)
        jump = stamp_s < self._stamp_s - CLOCK_STEP_S
        return jump or len(self._earlier_s) >= RESTART_IMAGES

    def _associate(self, people: People3D, colours: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return the row of ``_tracks`` of each person; update the rows, add those of the new."""
        observed = motion.observe(people)
        row = np.full(len(people), -1)
        if len(self._tracks):
            expected = self._tracks['motion']
            moved_m, variance = motion.displacement(expected, observed[:, None])
            unseen_s = self._stamp_s - self._tracks['last_s']
            cost = association.costs(expected, observed, moved_m, variance, unseen_s)
            cost += association.colour_costs(self._tracks['colours'], colours)
            row = association.pair(cost)
            old = np.flatnonzero(row >= 0)
            which = row[old]
            self._tracks['motion'][which] = motion.correct(
                expected[which], observed[old], moved_m[old, which], variance[old, which]
            )
        new = np.flatnonzero(row < 0)
        if len(new):
            row[new] = len(self._tracks) + np.arange(len(new))
            self._add(observed[new], colours[new])
        self._tracks['depth'][row] = range_filter.follow(
            self._tracks['depth'][row], *motion.depths(people, observed), self._stamp_s
        )
        self._tracks['last_s'][row], self._tracks['last_image'][row] = self._stamp_s, self._image
        self._tracks['images'][row] += 1
        self._tracks['colours'][row] = appearance.update_mean(
            self._tracks['colours'][row],
            appearance.learnable(colours, people.people_2d),
            self._tracks['images'][row],
        )
        return row

    def _turn(
        self,
        rows: NDArray[np.intp],
        observed: NDArray[np.float64],
        variance: NDArray[np.float64],
    ) -> None:
        """Update the headings of tracks by those in the image."""
        before, before_variance = self._tracks['heading'], self._tracks['heading_variance']
        before[rows], before_variance[rows] = heading.correct(
            before[rows], before_variance[rows], observed, variance
        )

    def _add(self, observed: motion.Motion, colours: NDArray[np.float64]) -> None:
        """Add a track for each new person; with the old id for those who came back."""
        tracks = np.zeros(len(observed), TRACK)
        tracks['motion'], tracks['colours'] = observed, colours
        tracks['first_s'], tracks['track_id'] = self._stamp_s, -1
        tracks['heading'] = tracks['heading_variance'] = np.nan
        tracks['depth'] = range_filter.nothing_yet(len(tracks))
        rows, people = self._memory.recall(
            observed['place_m'], colours, self._stamp_s, self._tracks['colours']
        )
        for name in ('track_id', 'first_s', 'images', 'colours'):
            tracks[name][rows] = people[name]
        unknown = np.flatnonzero(tracks['track_id'] < 0)
        tracks['track_id'][unknown] = self._next_id + np.arange(len(unknown))
        self._next_id += len(unknown)
        self._tracks = np.concatenate([self._tracks, tracks])


def check_at_least(name: str, value: float, least: float) -> None:
    """Raise ValueError unless a number is finite and at least `least`."""
    if not (np.isfinite(value) and value >= least):
        raise ValueError(f'{name} must be at least {least:g} and finite, found {value}')
