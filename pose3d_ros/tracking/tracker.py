"""People that keep their identity from image to image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.people import People3D, TrackedPeople, TrackState
from pose3d_ros.tracking import matching, motion, one_euro

# A stamp so little before the last is a clock being set; more is a recording that starts again.
CLOCK_STEP_S = 0.1
CONFIRM_IMAGES = 3  # however far apart: two may be the same error twice

# What is remembered of a person.
TRACK = np.dtype(
    [
        ('track_id', 'i8'),
        ('first_s', 'f8'),
        ('last_s', 'f8'),
        ('images', 'i8'),
        ('motion', motion.MOTION),
        ('smoothing', one_euro.POINT, one_euro.K + 1),
    ]
)


class Tracker:
    """Gives people ids that hold from image to image, and smooths their 3D positions.

    Parameters
    ----------
    smoothing
        Without it 3D positions are handed on as they are.
    min_cutoff_hz
        Cut-off frequency of the smoothing of a point at rest. Lower: calmer.
    beta
        Hz per m/s by which speed raises the cut-off. Higher: less late.
    max_age_s
        How long a person who is not seen is remembered.
    confirm_s
        How long after the first image a person is confirmed, if seen in at least three.

    Notes
    -----
    With the defaults somebody who walks at 1.2 m/s is shown 0.023 m late across the view and
    0.061 m along it (the published filter: 0.121 m); at 30 images a second noise at rest is about
    halved.

    Raises
    ------
    ValueError
        If a number is not finite, negative, or zero where that makes no sense.
    """

    def __init__(
        self,
        smoothing: bool = True,
        min_cutoff_hz: float = 1.0,
        beta: float = 6.0,
        max_age_s: float = 1.0,
        confirm_s: float = 0.2,
    ) -> None:
        self.tune(smoothing=smoothing, min_cutoff_hz=min_cutoff_hz, beta=beta, max_age_s=max_age_s)
        _check('confirm_s', confirm_s, 0.0)
        self._confirm_s = confirm_s
        self._next_id = 0
        self.reset()

    def tune(
        self, *, smoothing: bool, min_cutoff_hz: float, beta: float, max_age_s: float
    ) -> None:
        """Change all but `confirm_s`, without forgetting anybody."""
        _check('min_cutoff_hz', min_cutoff_hz, 1e-3)
        _check('beta', beta, 0.0)
        _check('max_age_s', max_age_s, 1e-3)
        self._smoothing = smoothing
        self._min_cutoff_hz = min_cutoff_hz
        self._beta = beta
        self._max_age_s = max_age_s

    def reset(self) -> None:
        """Forget everybody. Ids go on from where they were: none is given twice."""
        self._tracks = np.zeros(0, TRACK)
        self._stamp_s = -np.inf

    def update(self, people: People3D, stamp_s: float) -> TrackedPeople:
        """Recognise the people of the next image.

        Parameters
        ----------
        people
            The N people of the image. Not written into.
        stamp_s
            When it was taken, s. The same as before is no time passed; a jump back of more than
            0.1 s starts anew.

        Returns
        -------
        TrackedPeople
            The same N people in the same order. 3D positions are smoothed where they are known;
            everything else is as it was.

        Raises
        ------
        ValueError
            If the stamp is not finite.
        """
        self._advance(stamp_s)
        if not len(people):
            return _tracked(people, self._tracks[:0], self._stamp_s, self._confirm_s)
        row = self._recognise(people)
        tracks = self._tracks[row]
        if self._smoothing:
            xyz_m, tracks['smoothing'] = one_euro.smooth(
                tracks['smoothing'], people.xyz_m, self._stamp_s, self._min_cutoff_hz, self._beta
            )
            people = replace(people, xyz_m=xyz_m)
        self._tracks[row] = tracks
        return _tracked(people, tracks, self._stamp_s, self._confirm_s)

    def _advance(self, stamp_s: float) -> None:
        """Bring what is remembered to the time of the image; forget who was not seen for long."""
        if not np.isfinite(stamp_s):
            raise ValueError(f'stamp_s must be finite, found {stamp_s}')
        if stamp_s < self._stamp_s - CLOCK_STEP_S:
            self.reset()
        stamp_s = max(stamp_s, self._stamp_s)
        self._tracks = self._tracks[stamp_s - self._tracks['last_s'] <= self._max_age_s]
        if len(self._tracks):
            self._tracks['motion'] = motion.predict(
                self._tracks['motion'], stamp_s - self._stamp_s
            )
        self._stamp_s = stamp_s

    def _recognise(self, people: People3D) -> NDArray[np.intp]:
        """Tell the row of ``_tracks`` of each person; update it, add it for the new."""
        seen = motion.observe(people)
        row = np.full(len(people), -1)
        if len(self._tracks):
            expected = self._tracks['motion']
            moved_m, variance = motion.moved(expected, seen[:, None])
            unseen_s = self._stamp_s - self._tracks['last_s']
            cost = matching.costs(expected, seen, moved_m, variance, unseen_s)
            row = matching.pair(cost)
            old = np.flatnonzero(row >= 0)
            which = row[old]
            self._tracks['motion'][which] = motion.correct(
                expected[which], seen[old], moved_m[old, which], variance[old, which]
            )
        new = np.flatnonzero(row < 0)
        if len(new):
            row[new] = len(self._tracks) + np.arange(len(new))
            self._add(seen[new])
        self._tracks['last_s'][row] = self._stamp_s
        self._tracks['images'][row] += 1
        return row

    def _add(self, seen: motion.Motion) -> None:
        tracks = np.zeros(len(seen), TRACK)
        tracks['track_id'] = self._next_id + np.arange(len(seen))
        tracks['first_s'] = self._stamp_s
        tracks['motion'] = seen
        tracks['smoothing'] = one_euro.nothing_yet(len(seen))
        self._next_id += len(seen)
        self._tracks = np.concatenate([self._tracks, tracks])


def _check(name: str, value: float, least: float) -> None:
    if not (np.isfinite(value) and value >= least):
        raise ValueError(f'{name} must be at least {least:g} and finite, found {value}')


def _tracked(
    people: People3D, tracks: NDArray[np.void], stamp_s: float, confirm_s: float
) -> TrackedPeople:
    """People with what is remembered of each."""
    age_s = stamp_s - tracks['first_s']
    confirmed = (age_s >= confirm_s) & (tracks['images'] >= CONFIRM_IMAGES)
    state = np.where(confirmed, TrackState.CONFIRMED, TrackState.TENTATIVE).astype(np.uint8)
    return TrackedPeople(people, tracks['track_id'].copy(), state, age_s)
