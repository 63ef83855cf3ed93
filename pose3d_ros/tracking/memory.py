"""Memory of people who are out of view, and recognition of those who come back.

A person who comes back gets the old id if colours of the clothes, place and time are clear
evidence: the sum of log-likelihood ratios of "the same person" over "another person".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.tracking import appearance

Array = NDArray[np.float64]

# Largest number of remembered people; the one not seen for the longest time is forgotten first.
MAX_PEOPLE = 100
# Log-likelihood ratio of a colour distance: at 0, slope, and lower bound.
# Fitted to distances of the same and of other people in the video of docs/accuracy.md.
COLOUR_OFFSET, COLOUR_SLOPE, COLOUR_FLOOR = 3.0, -15.0, -6.0
# Least number of parts that are known of both.
MIN_PARTS = 2
# Share of the evidence that another known person wears the same clothes, which is subtracted.
RIVAL_SHARE = 0.5
# Area in which another person may appear, m2.
AREA_M2 = 100.0
# Standard deviation of the place of a person who comes back: at once, m, its growth with time,
# m/s, and its upper bound, m. Along the optical axis, a share of the distance is added.
PLACE_SD_M, SPEED_M_S, MAX_PLACE_SD_M = 0.5, 1.2, 8.0
DISTANCE_SHARE = 0.15
# Largest speed of people, m/s. A person who would have been faster is another one.
MAX_SPEED_M_S = 3.0
# Least evidence for the old id, and least difference to any other pair with one of the two.
MIN_EVIDENCE = 0.0
MIN_MARGIN = 1.0

PERSON = np.dtype(
    [
        ('track_id', 'i8'),
        ('first_s', 'f8'),
        ('last_s', 'f8'),
        ('images', 'i8'),
        ('place_m', 'f8', 3),
        ('colours', 'f8', (appearance.PARTS, appearance.BINS)),
    ]
)


class Memory:
    """People who are out of view, for a limited time.

    Attributes
    ----------
    people
        ``(M,)`` of ``PERSON``.
    """

    def __init__(self) -> None:
        self.people = np.zeros(0, PERSON)

    def store(self, people: NDArray[np.void]) -> None:
        """Add people ``(N,)`` of ``PERSON`` who were lost."""
        known = np.concatenate([self.people, people])
        order = np.argsort(known['last_s'], kind='stable')
        self.people = known[order[-MAX_PEOPLE:]]

    def forget(self, before_s: float) -> None:
        """Remove those who were last seen before a time, s."""
        self.people = self.people[self.people['last_s'] >= before_s]

    def recall(
        self, place_m: Array, colours: Array, stamp_s: float, others: Array
    ) -> tuple[NDArray[np.intp], NDArray[np.void]]:
        """Recognise people who came back, and remove them from the memory.

        Parameters
        ----------
        place_m, colours
            ``(N, 3)`` m in the camera optical frame and ``(N, PARTS, BINS)``, of people who are
            new in the image.
        stamp_s
            Time of the image, s.
        others
            ``(T, PARTS, BINS)``, colours of the people in view: clothes that they wear, too, are
            weak evidence.

        Returns
        -------
        rows, people
            Rows of the N who came back, and the ``PERSON`` of each.
        """
        score = self._evidence(place_m, colours, stamp_s, others)
        rows, columns = _clear_pairs(score)
        people = self.people[columns]
        self.people = np.delete(self.people, columns)
        return rows, people

    def _evidence(self, place_m: Array, colours: Array, stamp_s: float, others: Array) -> Array:
        """Return the log-likelihood ratio of each pair, ``(N, M)``; -inf: not the same."""
        known = self.people
        colour = _colour_evidence(colours, known['colours'])
        rivals = _colour_evidence(known['colours'], np.concatenate([known['colours'], others]))
        np.fill_diagonal(rivals, -np.inf)
        colour = colour - RIVAL_SHARE * np.maximum(rivals.max(axis=1, initial=-np.inf), 0.0)
        unseen_s = stamp_s - known['last_s']
        apart_m = place_m[:, np.newaxis] - known['place_m']
        sd_m = np.minimum(PLACE_SD_M + SPEED_M_S * unseen_s, MAX_PLACE_SD_M)
        depth_sd_m = sd_m + DISTANCE_SHARE * np.abs(known['place_m'][:, 2])
        square = (apart_m[..., 0] / sd_m) ** 2 + (apart_m[..., 2] / depth_sd_m) ** 2
        # Not bounded below: then 23 instead of 14 of the 40 of docs/robots.md get their ids back,
        # but IDF1 in the video of docs/accuracy.md drops by 0.03, because others get them, too.
        place = np.log(AREA_M2 / (2 * np.pi * sd_m * depth_sd_m)) - square / 2
        slack_m = PLACE_SD_M + 2 * DISTANCE_SHARE * np.abs(known['place_m'][:, 2])
        reach_m = slack_m + MAX_SPEED_M_S * unseen_s
        reachable = np.hypot(apart_m[..., 0], apart_m[..., 2]) <= reach_m  # NaN is not
        return np.where(reachable & np.isfinite(colour), colour + place, -np.inf)


def _colour_evidence(a: Array, b: Array) -> Array:
    """Return the log-likelihood ratio of colours ``(A, ...)`` and ``(B, ...)``; -inf: unknown."""
    distance, parts = appearance.distances(a, b)
    ratio = np.maximum(COLOUR_OFFSET + COLOUR_SLOPE * distance, COLOUR_FLOOR)
    return np.where(parts >= MIN_PARTS, ratio, -np.inf)


def _clear_pairs(score: Array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows and columns of the pairs with clear evidence, see ``MIN_MARGIN``."""
    if not score.size:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    rivals = score.copy()
    best = np.zeros_like(score, bool)
    for i, j in np.argwhere(score >= MIN_EVIDENCE):
        rivals[:] = score
        rivals[i, j] = -np.inf
        second = max(rivals[i].max(), rivals[:, j].max())
        best[i, j] = score[i, j] >= second + MIN_MARGIN
    rows, columns = np.nonzero(best)
    return rows, columns
