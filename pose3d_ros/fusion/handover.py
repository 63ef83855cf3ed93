"""People keep their place when a camera comes or goes: the difference fades."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.fusion.views import Key

Array = NDArray[np.float64]

# Time in which a difference fades to 1/e, s, and the largest speed of that, m/s: an image later a
# keypoint has moved by less than 0.1 m where there are five images a second.
FADE_S, FADE_M_S = 1.0, 0.4
# Largest difference that fades, m: more is an error, of which nothing is kept.
MAX_OFFSET_M = 2.0
# Longest time, s, after which a person goes on from the last place.
MEMORY_S = 1.0


@dataclass(frozen=True)
class _Last:
    """A person at the last time."""

    keys: frozenset[Key]
    cameras: frozenset[str]
    xyz_m: Array
    offset_m: Array
    velocity_m_s: Array
    stamp_s: float

    def at(self, stamp_s: float) -> Array:
        """Return where the person is expected, ``(K, 3)`` m."""
        return np.asarray(self.xyz_m + self.velocity_m_s * (stamp_s - self.stamp_s))


class Handover:
    """Adds an offset to people whose cameras have changed, so that they do not jump.

    A person is known by the tracks of the cameras: it is the one of the last time with whom the
    most are shared.
    """

    def __init__(self) -> None:
        self._last: list[_Last] = []

    def expected(self, keys: Sequence[frozenset[Key]], stamp_s: float) -> list[Array | None]:
        """Return where each person is expected, ``(K, 3)`` m; None: not known before."""
        continued = _continued(keys, self._last)
        return [continued[i].at(stamp_s) if i in continued else None for i in range(len(keys))]

    def apply(self, keys: Sequence[frozenset[Key]], xyz_m: Array, stamp_s: float) -> Array:
        """Return the offset to add to each keypoint, ``(N, K, 3)`` m.

        Parameters
        ----------
        keys
            Of the views of each of N people.
        xyz_m
            ``(N, K, 3)`` m in the common frame, without offsets.
        stamp_s
            Their time, s.
        """
        offsets_m = np.zeros_like(xyz_m)
        for i, last in _continued(keys, self._last).items():
            dt_s = stamp_s - last.stamp_s
            if not 0 <= dt_s <= MEMORY_S:
                continue
            offset_m = last.offset_m
            if last.cameras != _cameras(keys[i]):
                offset_m = last.at(stamp_s) - xyz_m[i]
            length_m = np.linalg.norm(offset_m, axis=-1, keepdims=True)
            offset_m = np.where(length_m <= MAX_OFFSET_M, offset_m, 0.0)  # NaN is not
            offsets_m[i] = _faded(offset_m, dt_s)
        return offsets_m

    def remember(
        self,
        keys: Sequence[frozenset[Key]],
        xyz_m: Array,
        offsets_m: Array,
        velocity_m_s: Array,
        stamp_s: float,
    ) -> None:
        """Remember people as they were published, for the next time.

        Parameters
        ----------
        keys, stamp_s
            As in `apply`.
        xyz_m, offsets_m
            ``(N, K, 3)`` m, positions with the offsets, and the offsets.
        velocity_m_s
            ``(N, 3)``. NaN: unknown, 0 is assumed.
        """
        known = set().union(*keys)
        kept = [
            last
            for last in self._last
            if not last.keys & known and 0 <= stamp_s - last.stamp_s <= MEMORY_S
        ]
        velocity_m_s = np.nan_to_num(velocity_m_s)
        self._last = kept + [
            _Last(k, _cameras(k), xyz_m[i], offsets_m[i], velocity_m_s[i], stamp_s)
            for i, k in enumerate(keys)
        ]


def _cameras(keys: frozenset[Key]) -> frozenset[str]:
    return frozenset(camera for camera, *_ in keys)


def _continued(keys: Sequence[frozenset[Key]], known: list[_Last]) -> dict[int, _Last]:
    """Return who of the last time each person is: the most shared keys first, each once."""
    pairs = [
        (len(k & last.keys), i, j) for i, k in enumerate(keys) for j, last in enumerate(known)
    ]
    found: dict[int, _Last] = {}
    taken: set[int] = set()
    for shared, i, j in sorted(pairs, key=lambda pair: -pair[0]):
        if shared and i not in found and j not in taken:
            found[i] = known[j]
            taken.add(j)
    return found


def _faded(offset_m: Array, dt_s: float) -> Array:
    """Return offsets ``(K, 3)`` m a time later."""
    length_m = np.linalg.norm(offset_m, axis=-1, keepdims=True)
    step_m = np.minimum(length_m * (1 - np.exp(-dt_s / FADE_S)), FADE_M_S * dt_s)
    return np.asarray(offset_m * (1 - step_m / np.where(length_m > 0, length_m, 1.0)))
