"""The newest result of each camera, and when to fuse them."""

from __future__ import annotations

from collections.abc import Iterable

from pose3d_ros.fusion.views import CameraPeople

# Least jump back of a camera's stamps, s, that is a recording which starts again.
BACK_S = 1.0


class Newest:
    """Collects results of cameras that are not synchronised.

    They are fused once per image of the fastest camera: as soon as every camera that is live has
    sent a new one, or when one sends the next.

    Parameters
    ----------
    cameras
        Their names. The first result of a camera waits for those of the others.
    max_age_s
        Largest age of a result against the newest one, s. A camera whose last result is older is
        not live.
    """

    def __init__(self, cameras: Iterable[str], max_age_s: float = 0.2) -> None:
        self._waiting = set(cameras)
        self.max_age_s = max_age_s
        self._newest: dict[str, CameraPeople] = {}
        self._new: set[str] = set()
        self._fused_s = -float('inf')

    def add(self, result: CameraPeople) -> list[list[CameraPeople]]:
        """Add a result; return the sets of results to fuse now, oldest first: none, one or two."""
        last = self._newest.get(result.camera)
        if last is not None and result.stamp_s <= last.stamp_s:
            if result.stamp_s > last.stamp_s - BACK_S:
                return []
            self._newest, self._new, self._fused_s = {}, set(), -float('inf')
        due = []
        if result.camera in self._new:
            self._waiting = set()
            due.append(self._take())
        self._newest[result.camera] = result
        self._new.add(result.camera)
        if self._new >= {one.camera for one in self._live()} | self._waiting:
            self._waiting = set()
            due.append(self._take())
        return [results for results in due if results]

    def _live(self) -> list[CameraPeople]:
        newest_s = max(one.stamp_s for one in self._newest.values())
        return [one for one in self._newest.values() if one.stamp_s >= newest_s - self.max_age_s]

    def _take(self) -> list[CameraPeople]:
        """Return the results of the live cameras, unless time has not advanced."""
        live = self._live()
        self._new = set()
        stamp_s = max(one.stamp_s for one in live)
        if stamp_s <= self._fused_s:
            return []
        self._fused_s = stamp_s
        return live
