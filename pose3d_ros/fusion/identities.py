"""Ids of fused people: those of the tracker, and the old one for people who come back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pose3d_ros.fusion.views import Key
from pose3d_ros.people import TrackedPeople

# Largest number of tracks, of cameras and of the tracker, that are remembered; the oldest are
# forgotten first.
MAX_KEYS = 1000


class Identities:
    """Recognises people by the tracks of the cameras.

    A camera gives somebody who comes back the old id, by the colours of the clothes. Here that
    person, for whom the tracker has a new id, gets back the fused one, too.
    """

    def __init__(self) -> None:
        # The id of each track of a camera, and of each track of the tracker; no two tracks of the
        # tracker have the same. First stamp of each id, s.
        self._id_of: dict[Key, int] = {}
        self._alias: dict[int, int] = {}
        self._first_s: dict[int, float] = {}
        self._next_id = 0

    def apply(
        self, keys: Sequence[frozenset[Key]], tracked: TrackedPeople, stamp_s: float
    ) -> TrackedPeople:
        """Return people with the ids, ages and first stamps that they keep.

        Parameters
        ----------
        keys
            Of the views of each of N people.
        tracked
            The same people with the ids of the tracker.
        stamp_s
            Their time, s.
        """
        assert tracked.first_s is not None
        present = {self._alias[i] for i in tracked.track_id.tolist() if i in self._alias}
        ids = np.array(
            [
                self._id(k, i, present)
                for k, i in zip(keys, tracked.track_id.tolist(), strict=True)
            ],
            np.int64,
        )
        first_s = np.array(
            [
                self._first_s.setdefault(i, s)
                for i, s in zip(ids.tolist(), tracked.first_s.tolist(), strict=True)
            ]
        )
        for key_set, i in zip(keys, ids.tolist(), strict=True):
            for key in key_set:
                self._id_of.pop(key, None)  # last in the order
                self._id_of[key] = i
        self._forget()
        return replace(
            tracked,
            track_id=ids,
            first_s=first_s.astype(np.float64),
            age_s=np.maximum(stamp_s - first_s, 0.0),
        )

    def _id(self, keys: frozenset[Key], found: int, present: set[int]) -> int:
        """Return the id of a person with an id of the tracker; `present` are those in use."""
        if found not in self._alias:
            old = {self._id_of[key] for key in keys if key in self._id_of} - present
            new = min(old, default=self._next_id)
            self._next_id = max(self._next_id, new + 1)
            # The track that had this id may go on with somebody else.
            self._alias = {i: used for i, used in self._alias.items() if used != new}
            self._alias[found] = new
            present.add(new)
        return self._alias[found]

    def _forget(self) -> None:
        remembered: tuple[dict[Any, int], ...] = (self._id_of, self._alias)
        for ids in remembered:
            while len(ids) > MAX_KEYS:
                del ids[next(iter(ids))]
        used = {*self._id_of.values(), *self._alias.values()}
        self._first_s = {i: s for i, s in self._first_s.items() if i in used}
