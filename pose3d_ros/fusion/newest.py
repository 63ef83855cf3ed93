"""The newest result of each camera, and when to fuse them."""

from __future__ import annotations

from collections.abc import Iterable

from pose3d_ros.fusion.views import CameraPeople

# Least jump back of a camera's stamps, s, that is a recording which starts again.
BACK_S = 1.0
# Longest time, s by its own stamps, for which a camera is behind by more than that without a set,
# after which the camera that was ahead counts as lost.
LOST_S = 2.0


class Newest:
    """Collects results of cameras that are not synchronised.

    They are fused once per image of the fastest camera: as soon as every camera that is expected
    has sent a new one, or when one sends the next. Expected are those that sent something since
    the last time.

    Parameters
    ----------
    cameras
        Their names. The first result of a camera waits for those of the others.
    max_age_s
        Largest age of a result against the newest one, s; older ones are not fused.
    """

    def __init__(self, cameras: Iterable[str], max_age_s: float = 0.2) -> None:
        self.max_age_s = max_age_s
        self._expected = set(cameras)
        self._reset()

    def _reset(self) -> None:
        self._newest: dict[str, CameraPeople] = {}
        self._new: set[str] = set()
        self._fused_s = -float('inf')
        # Cameras that are far behind since the last set, and their first stamp since then, s.
        self._behind_s: dict[str, float] = {}

    def add(self, result: CameraPeople) -> list[list[CameraPeople]]:
        """Add a result; return the sets of results to fuse now, oldest first: none, one or two."""
        camera, last = result.camera, self._newest.get(result.camera)
        if last is not None and result.stamp_s <= last.stamp_s:
            if result.stamp_s > last.stamp_s - BACK_S:
                return []
            self._reset()
        elif self._is_ahead_lost(result):
            self._reset()
        due = []
        if camera in self._new:
            due.append(self._take())
        self._newest[camera] = result
        if result.stamp_s > self._fused_s:
            self._new.add(camera)
        else:  # too late for the set of its time, but the next will wait for it
            self._expected.add(camera)
        if self._new >= self._expected:
            due.append(self._take())
        return [results for results in due if results]

    def _is_ahead_lost(self, result: CameraPeople) -> bool:
        """Return whether a camera whose stamps were ahead, of a wrong clock, sends no more."""
        if result.stamp_s > self._fused_s - BACK_S:
            return False
        first_s = self._behind_s.setdefault(result.camera, result.stamp_s)
        return result.stamp_s - first_s > LOST_S

    def _take(self) -> list[CameraPeople]:
        """Return the results that are not too old."""
        newest_s = max(one.stamp_s for one in self._newest.values())
        self._expected, self._new, self._fused_s = self._new, set(), newest_s
        self._behind_s.clear()
        oldest_s = newest_s - self.max_age_s
        return [one for one in self._newest.values() if one.stamp_s >= oldest_s]
