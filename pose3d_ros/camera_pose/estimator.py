"""Estimate how a camera stands from the people that it sees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import CameraPose, Intrinsics
from pose3d_ros.camera_pose import movement
from pose3d_ros.camera_pose.estimate import CameraPoseEstimate
from pose3d_ros.camera_pose.history import History
from pose3d_ros.camera_pose.observations import UNIT_HEIGHT_M, Observer
from pose3d_ros.camera_pose.person_height import PersonHeights
from pose3d_ros.camera_pose.prior import levelled_prior, start, usual_prior, with_known
from pose3d_ros.camera_pose.residuals import HEIGHT, NECK_M, PITCH, ROLL, SHARED, Evidence
from pose3d_ros.camera_pose.solver import Prior, Solution, solve
from pose3d_ros.people import TrackedPeople, TrackState

Array = NDArray[np.float64]

# Errors beyond those of the least squares: of up, rad; of the height, as a share and m.
UP_FLOOR_RAD, HEIGHT_FLOOR, HEIGHT_FLOOR_M = np.deg2rad(1), 0.04, 0.05
# A new solution every so many seconds; iterations of each, which the next one goes on from.
SOLVE_S, ITERATIONS = 1.0, 6
# Estimates less certain than this are kept back: of up, rad; of the height, as a share.
MAX_UP_SD_RAD, MAX_HEIGHT_SD = np.deg2rad(9), 0.4
# An estimate of before the start, or of another recording, may be off by so much more.
RESTORED_UP_SD_RAD, RESTORED_HEIGHT_SD = np.deg2rad(1), 0.03
# Of a direction of up that is given, if it is not said, rad.
KNOWN_UP_SD_RAD = np.deg2rad(1)
_CONFIRMED = int(TrackState.CONFIRMED)  # numpy converts members of an enum slowly
# A stamp so little before the last is a clock being set; more is a recording that starts again.
CLOCK_STEP_S = 0.1


class CameraPoseEstimator:
    """Estimate the pose of one camera, image by image.

    Nothing that it is given may depend on its estimate: it takes 2D keypoints and tracks alone.

    Parameters
    ----------
    assumed_height_m
        Height of adults, m: the scale of everything.
    observer
        The network; None for the bundled one.
    restored
        An estimate of an earlier run, which is given back at once and dropped if people
        contradict it; None: no such estimate.
    """

    def __init__(
        self,
        assumed_height_m: float = UNIT_HEIGHT_M,
        observer: Observer | None = None,
        restored: CameraPoseEstimate | None = None,
    ) -> None:
        self.observer = observer or Observer()
        self.assumed_height_m = assumed_height_m
        self.heights = PersonHeights(assumed_height_m)
        self.moves = 0
        self._history = History()
        self._restored = restored
        self._intrinsics: Intrinsics | None = None
        self._known: CameraPose | None = None
        self._known_up_sd_rad = KNOWN_UP_SD_RAD
        self._level: Array | None = None
        self._stamp_s = -np.inf
        # Whether anything that the estimate is made of has changed since it was made.
        self._is_changed, self._estimate = True, self._restored
        self._forget()

    def update(
        self,
        stamp_s: float,
        tracked: TrackedPeople,
        intrinsics: Intrinsics,
        known: CameraPose | None = None,
        known_up_sd_rad: float = KNOWN_UP_SD_RAD,
    ) -> None:
        """Take the people of an image into account.

        Parameters
        ----------
        stamp_s
            When it was taken, s. After a jump back of more than 0.1 s what was seen before counts
            as seen just now.
        tracked
            The people of the image; only 2D keypoints, ids and states are used.
        intrinsics
            Of the camera. Others than before start anew.
        known
            What is known of the pose in this very image otherwise, as by an IMU, parameters or
            transforms; the camera may then turn as it likes. Where its height is NaN, that is
            estimated; where it is not, the heights of people are.
        known_up_sd_rad
            Standard deviation of its direction of up, rad.

        Raises
        ------
        ValueError
            If the stamp is not finite.
        """
        if not np.isfinite(stamp_s):
            raise ValueError(f'stamp_s must be finite, found {stamp_s}')
        if intrinsics != self._intrinsics or (known is None) != (self._known is None):
            self.reset()
        self._intrinsics, self._known, self._known_up_sd_rad = intrinsics, known, known_up_sd_rad
        if known is None:
            self._level = None
        else:
            self._level, self._is_changed = _levelling(known.up), True
        if stamp_s < self._stamp_s - CLOCK_STEP_S:
            self._history.shift(stamp_s - self._stamp_s)
            self._is_changed = True
            self._solved_s += stamp_s - self._stamp_s
        self._stamp_s = stamp_s
        self._observe(tracked, intrinsics)
        if self._new and stamp_s - self._solved_s >= SOLVE_S:
            self._solve()
        else:
            self._check()

    def reset(self) -> None:
        """Forget all people and the estimate, but for a restored one before the first image."""
        if self._intrinsics is not None:
            self._restored = None
        self._history.clear()
        self._forget()

    def estimate(self) -> CameraPoseEstimate | None:
        """Return the estimate, or None where it is not certain enough."""
        if self._is_changed:
            self._is_changed, self._estimate = False, self._certain()
        return self._estimate

    def _certain(self) -> CameraPoseEstimate | None:
        found = self._found()
        if found is None and self._level is None:
            found = self._restored
        if found is None or found.up_sd_rad > MAX_UP_SD_RAD or found.height_sd > MAX_HEIGHT_SD:
            return None
        if self._level is not None:
            return replace(found, up=self._level.T @ found.up)
        return found

    def _forget(self) -> None:
        self._is_changed = True
        self._solution: Solution | None = None
        self._sizes: dict[int, float] = {}
        self._solved_s, self._solves = -np.inf, 0
        self._new, self._apart = False, 0.0
        self._to_check: tuple[Evidence, Prior, Array] | None = None

    def _found(self) -> CameraPoseEstimate | None:
        if self._solution is None:
            return None
        theta, covariance = self._solution.theta, self._solution.covariance[:3, :3].copy()
        covariance[[0, 1], [0, 1]] += UP_FLOOR_RAD**2
        covariance[2, 2] += (HEIGHT_FLOOR * theta[HEIGHT]) ** 2 + HEIGHT_FLOOR_M**2
        sin_r, cos_r = np.sin(theta[ROLL]), np.cos(theta[ROLL])
        sin_p, cos_p = np.sin(theta[PITCH]), np.cos(theta[PITCH])
        up = np.array([-sin_r * cos_p, -cos_r * cos_p, sin_p])
        stamp_s = self._history.stamp_s
        return CameraPoseEstimate(
            up, float(theta[HEIGHT]), covariance, float(np.ptp(stamp_s)), len(self._sizes)
        )

    def _observe(self, tracked: TrackedPeople, intrinsics: Intrinsics) -> None:
        due = (tracked.state == _CONFIRMED) & self._history.due(self._stamp_s, tracked.track_id)
        if not due.any():
            return
        people = tracked.people.people_2d
        rays = intrinsics.unproject(people.xy_px[due])
        if self._level is not None:
            rays = _turned(rays, self._level)
        seen = self.observer.observe(rays, people.scores[due], self.assumed_height_m)
        if seen.enough.any():
            ids = tracked.track_id[due][seen.enough]
            self._history.add(self._stamp_s, ids, seen.take(seen.enough))
            self._new = self._is_changed = True

    def _prior(self, tracks: int) -> Prior:
        if self._known is not None:
            return levelled_prior(tracks, self._known_up_sd_rad, self._known.height_m)
        prior = usual_prior(tracks)
        if self._restored is None:
            return prior
        up, height_m = self._restored.up, self._restored.height_m
        pitch = np.arcsin(np.clip(up[2], -1, 1))
        known = np.array([np.arctan2(-up[0], -up[1]), pitch, height_m])
        more = np.array([RESTORED_UP_SD_RAD] * 2 + [RESTORED_HEIGHT_SD * height_m])
        return with_known(prior, known, self._restored.covariance + np.diag(more**2))

    def _solve(self) -> None:
        self._solves += 1
        self._solved_s, self._new, self._is_changed = self._stamp_s, False, True
        scale = self.assumed_height_m / UNIT_HEIGHT_M
        evidence, tracks = self._history.evidence(NECK_M * scale)
        prior = self._prior(len(tracks))
        starts = self._starts(tracks)
        found = solve(evidence, prior, starts, ITERATIONS)
        self._solution = found
        self._sizes = dict(zip(tracks.tolist(), found.theta[SHARED:].tolist(), strict=True))
        self.heights.update(self._stamp_s, tracks, found.theta[SHARED:], found.size_sd)
        if self._solves % movement.EVERY == 0:
            # At the next image, so that none has to wait for both.
            self._to_check = evidence, prior, self._history.stamp_s

    def _check(self) -> None:
        """Start anew where the newest observations contradict the older ones."""
        if self._to_check is None or self._solution is None:
            return
        evidence, prior, stamps_s = self._to_check
        self._to_check = None
        # What an earlier run found counts as old, and everything that is seen as new.
        recent_s = movement.RECENT_S if self._restored is None else np.inf
        recent = np.asarray(stamps_s > self._stamp_s - recent_s)
        apart = movement.disagreement(evidence, prior, self._solution.theta, recent)
        moved = apart + self._apart > movement.LIMIT
        self._apart = apart
        if moved:
            self._start_anew()

    def _starts(self, tracks: NDArray[np.int64]) -> Array:
        """Where the last solution was and, now and then, where the first started."""
        first = start(len(tracks))
        if self._solution is None:
            return first[np.newaxis]
        last = np.append(
            self._solution.theta[:SHARED], [self._sizes.get(t, 0.0) for t in tracks.tolist()]
        )
        anew = self._solves & (self._solves - 1) == 0  # powers of two
        return np.stack([last, first]) if anew else last[np.newaxis]

    def _start_anew(self) -> None:
        """Forget what was before the camera moved.

        All that was seen: when it moved is not known, and what was seen before would count with
        what is seen after for long. Only an estimate of an earlier run has nothing of this one.
        """
        self.moves += 1
        if self._restored is None:
            self._history.clear()
        self._restored = None
        self._forget()
        self._new = len(self._history) > 0


def _levelling(up: Array) -> Array:
    """Rotation ``(3, 3)`` that turns a unit vector to (0, -1, 0) by the shortest way."""
    x, y, z = up
    if y > 0.999:
        return np.diag([1.0, -1.0, -1.0])
    cross = np.array([[0, x, 0], [-x, 0, -z], [0, z, 0]])  # of (z, 0, -x), up x (0, -1, 0)
    return np.asarray(np.eye(3) + cross + cross @ cross / (1 - y))


def _turned(rays: Array, rotation: Array) -> Array:
    """Rays ``(..., 2)`` in another frame. NaN: behind its camera."""
    points = np.concatenate([rays, np.ones_like(rays[..., :1])], axis=-1) @ rotation.T
    z = points[..., 2:]
    return np.where(z > 0.1, points[..., :2] / np.where(z > 0.1, z, 1), np.nan)
