"""Fusion: the people of several cameras, at one time after the other, as one set of people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.fusion.association import costs, groups
from pose3d_ros.fusion.combine import ROOT, Combined, combine
from pose3d_ros.fusion.handover import Handover
from pose3d_ros.fusion.identities import Identities
from pose3d_ros.fusion.views import CameraPeople, Key, views
from pose3d_ros.people import K, People2D, People3D, TrackedPeople
from pose3d_ros.tracking.smoothing import Smoother
from pose3d_ros.tracking.tracker import Tracker

Array = NDArray[np.float64]

# The tracker is for images. Here it gets the view from above: x to the right, -y down, of a camera
# so high that all rays are parallel.
TO_PLAN = np.diag([1.0, -1.0, -1.0])
PLAN_HEIGHT_M, PLAN_PX_PER_M = 1000.0, 100.0
UP = np.array([0.0, 0.0, 1.0])
# Smoothing: cut-off frequency at rest, Hz, and its increase with speed, Hz per m/s. Triangulated
# positions need less than those of one camera, and limbs lag less.
MIN_CUTOFF_HZ, BETA = 2.0, 20.0


class Fusion:
    """Puts the people of several cameras together; stateful, one for each set of cameras.

    Parameters
    ----------
    max_age_s
        How long a person whom no camera sees keeps the id, s. Longer where a camera recognises the
        person.
    smooth
        Whether positions are smoothed over time.
    """

    def __init__(self, max_age_s: float = 1.0, smooth: bool = True) -> None:
        self.tracker = Tracker(max_age_s, appearance_memory_s=0.0)
        self.smoother = Smoother(MIN_CUTOFF_HZ, BETA) if smooth else None
        self._handover = Handover()
        self._identities = Identities()
        self._together: set[frozenset[Key]] = set()
        # The newest result of each camera and, of those that are new, the one before.
        self._newest: dict[str, CameraPeople] = {}
        self._before: dict[str, CameraPeople] = {}
        # Number of people of the last time whom two or more cameras saw.
        self.shared = 0

    def process(self, results: Sequence[CameraPeople]) -> TrackedPeople:
        """Fuse the newest result of each camera.

        Parameters
        ----------
        results
            One for each camera, at least one. People are moved to the newest of the stamps, as
            they moved before.

        Returns
        -------
        TrackedPeople
            In the common frame, whose z axis is up. Pixels are NaN, because they are of no one
            image; scores are the highest of the cameras.
        """
        stamp_s = max(result.stamp_s for result in results)
        seen = views(results, stamp_s, self._advance(results))
        rows = groups(seen, costs(seen, self._together))
        keys = [frozenset(seen.keys[i] for i in group.tolist()) for group in rows]
        self._together = {frozenset(pair) for one in keys for pair in combinations(one, 2)}
        self.shared = sum(len(group) > 1 for group in rows)
        score = np.array([seen.score[group].max() for group in rows])
        expected_m = self._handover.expected(keys, stamp_s)
        people = _people(
            [
                combine(seen.take(group), expected)
                for group, expected in zip(rows, expected_m, strict=True)
            ],
            score,
        )
        offsets_m = self._handover.apply(keys, people.xyz_m, stamp_s)
        tracked = self._track(_moved(people, offsets_m), stamp_s)
        velocity_m_s = tracked.velocity_m_s
        assert velocity_m_s is not None
        xyz_m = tracked.people.xyz_m
        self._handover.remember(keys, xyz_m, offsets_m, velocity_m_s, stamp_s)
        return self._identities.apply(keys, tracked, stamp_s)

    def _advance(self, results: Sequence[CameraPeople]) -> dict[str, CameraPeople]:
        """Remember results; return the one before of each camera."""
        for result in results:
            newest = self._newest.get(result.camera)
            if newest is not None and newest.stamp_s != result.stamp_s:
                self._before[result.camera] = newest
            self._newest[result.camera] = result
        return self._before

    def _track(self, people: People3D, stamp_s: float) -> TrackedPeople:
        """Track and smooth people in the view from above."""
        xyz_m = people.xyz_m @ TO_PLAN + (0.0, 0.0, PLAN_HEIGHT_M)
        plan = replace(
            people,
            people_2d=replace(people.people_2d, xy_px=PLAN_PX_PER_M * xyz_m[..., :2]),
            xyz_m=xyz_m,
            root_covariance_m2=TO_PLAN @ people.root_covariance_m2 @ TO_PLAN,
        )
        tracked = self.tracker.update(plan, stamp_s, up=TO_PLAN @ UP)
        if self.smoother:
            tracked = self.smoother.smooth(tracked, self.tracker.stamp_s)
        xyz_m = (tracked.people.xyz_m - (0.0, 0.0, PLAN_HEIGHT_M)) @ TO_PLAN
        velocity, covariance, heading = (
            tracked.velocity_m_s,
            tracked.velocity_covariance,
            tracked.heading,
        )
        return replace(
            tracked,
            people=replace(people, xyz_m=xyz_m),
            velocity_m_s=None if velocity is None else velocity @ TO_PLAN,
            velocity_covariance=None if covariance is None else TO_PLAN @ covariance @ TO_PLAN,
            heading=None if heading is None else heading @ TO_PLAN,
        )


def _people(combined: Sequence[Combined], score: Array) -> People3D:
    n = len(combined)

    def stack(name: str, *shape: int) -> Array:
        return np.array([getattr(one, name) for one in combined], np.float64).reshape(n, *shape)

    nowhere_px = np.full((n, K, 2), np.nan)
    people_2d = People2D(nowhere_px, stack('scores', K), score.reshape(n), keypoint_set='')
    return People3D(
        people_2d,
        stack('xyz_m', K, 3),
        stack('source', K).astype(np.uint8),
        stack('root_covariance_m2', 3, 3),
        stack('sd_m', K),
    )


def _moved(people: People3D, offsets_m: Array) -> People3D:
    """Return people with offsets added, by which the places are uncertain, too."""
    root_m = offsets_m[:, ROOT]
    covariance_m2 = people.root_covariance_m2 + root_m[:, :, np.newaxis] * root_m[:, np.newaxis]
    return replace(people, xyz_m=people.xyz_m + offsets_m, root_covariance_m2=covariance_m2)
