"""Who is followed: a person of an image is chosen, and held over time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.gestures import arm_up, points_somewhere
from pose3d_ros.msg import FollowState
from pose3d_ros.people import People3D, TrackedPeople, TrackState
from pose3d_ros.skeleton import PANOPTIC19
from pose3d_ros.srv import Follow

Array = NDArray[np.float64]

_ROOT = PANOPTIC19.index(PANOPTIC19.root)
# Modes that refer to a gesture: whether people make it, and its name.
GESTURES: dict[int, tuple[Callable[[People3D, Array], NDArray[np.bool_]], str]] = {
    Follow.Request.ARM_UP: (arm_up, 'an arm up'),
    Follow.Request.POINTING: (points_somewhere, 'an arm that points'),
}


class CannotChooseError(Exception):
    """There is no such person, or more than one; the text says which."""


def choose(mode: int, track_id: int, tracked: TrackedPeople, up: Array) -> int:
    """Choose a person of an image; return the track_id.

    Parameters
    ----------
    mode
        One of the constants of Follow, except STOP.
    track_id
        For BY_ID.
    tracked
        People in the camera optical frame.
    up
        ``(3,)`` unit vector, up in that frame.

    Raises
    ------
    CannotChooseError
        If no person fits, or with a gesture more than one.
    """
    if mode not in (Follow.Request.BY_ID, Follow.Request.NEAREST, *GESTURES):
        raise CannotChooseError(f'mode {mode} does not exist')
    ids, xyz = tracked.track_id, tracked.people.xyz_m
    root_known = np.isfinite(xyz[:, _ROOT]).all(axis=1)
    confirmed = (tracked.state == TrackState.CONFIRMED) & root_known
    if mode == Follow.Request.BY_ID:
        if track_id not in ids[root_known]:
            raise CannotChooseError(f'no person {track_id} with a known position is visible')
        return track_id
    if mode == Follow.Request.NEAREST:
        if not confirmed.any():
            raise CannotChooseError('no confirmed person is visible')
        distance_m = np.where(confirmed, np.linalg.norm(xyz[:, _ROOT], axis=1), np.inf)
        return int(ids[distance_m.argmin()])
    makes_it, gesture = GESTURES[mode]
    found = ids[confirmed & makes_it(tracked.people, up)].tolist()
    if len(found) != 1:
        who = f'the people {sorted(found)} have' if found else 'no confirmed person has'
        raise CannotChooseError(f'{who} {gesture}')
    return int(found[0])


@dataclass
class Chosen:
    """A chosen person over time.

    Parameters
    ----------
    track_id
        Of the person.
    last_s
        Stamp of the last image in which the person was visible, s.
    state
        A constant of FollowState.
    """

    track_id: int
    last_s: float
    state: int = FollowState.FOLLOWING

    def update(self, tracked: TrackedPeople, stamp_s: float, memory_s: float) -> int | None:
        """Find the person in an image; return the row, or None while hidden or lost.

        Parameters
        ----------
        tracked
            People of the image.
        stamp_s
            Its stamp, s.
        memory_s
            How long a person who is not visible is hidden, not lost, s.
        """
        rows = np.flatnonzero(tracked.track_id == self.track_id).tolist()
        if rows and np.isfinite(tracked.people.xyz_m[rows[0], _ROOT]).all():
            self.last_s, self.state = stamp_s, FollowState.FOLLOWING
            return int(rows[0])
        if stamp_s < self.last_s:  # the recording starts again
            self.last_s = stamp_s
        gone = self.state == FollowState.LOST or stamp_s - self.last_s > memory_s
        self.state = FollowState.LOST if gone else FollowState.HIDDEN
        return None
