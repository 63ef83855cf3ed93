"""A chosen person: the service ~/follow, and the person's place on the floor on ~/target.

The person is held by the track_id alone. Another person is followed only after another request.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from geometry_msgs.msg import Point, Pose, PoseStamped
from numpy.typing import NDArray
from rclpy.event_handler import PublisherEventCallbacks
from rclpy.node import Node
from std_msgs.msg import Header

from pose3d_ros.msg import FollowState
from pose3d_ros.people import TrackedPeople, TrackState
from pose3d_ros.ros.messages.transforms import PeopleInFrame, quaternion_msg
from pose3d_ros.ros.qos import latched_qos, result_qos
from pose3d_ros.skeleton import PANOPTIC19
from pose3d_ros.srv import Follow

Array = NDArray[np.float64]

NO_ID = -1
# Least height of a raised wrist above the nose, m.
ARM_UP_M = 0.1
# Height of the ankle joint above the floor, m.
ANKLE_M = 0.08
# A request refers to what the caller sees now: largest age of an image, s of the steady clock.
FRESH_S = 2.0

_ROOT, _NOSE = PANOPTIC19.index(PANOPTIC19.root), PANOPTIC19.index('nose')
_WRISTS = PANOPTIC19.indices(('left_wrist', 'right_wrist'))


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
        If no person fits, or with ARM_UP more than one.
    """
    if mode not in (Follow.Request.BY_ID, Follow.Request.NEAREST, Follow.Request.ARM_UP):
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
    raising = ids[confirmed & arm_up(tracked, up)].tolist()
    if len(raising) != 1:
        found = f'the people {sorted(raising)} have' if raising else 'no confirmed person has'
        raise CannotChooseError(f'{found} an arm up')
    return int(raising[0])


def arm_up(tracked: TrackedPeople, up: Array) -> NDArray[np.bool_]:
    """Return ``(N,)`` whether a detected wrist is above the nose."""
    height_m = tracked.people.xyz_m @ up
    above_m = height_m[:, _WRISTS] - height_m[:, [_NOSE]]  # NaN: unknown, and not above
    detected = tracked.people.people_2d.detected
    return ((above_m > ARM_UP_M) & detected[:, _WRISTS]).any(axis=1) & detected[:, _NOSE]


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


def floor_pose(people: PeopleInFrame, row: int, forward: Array | None = None) -> Pose:
    """Return the pose of a person on the floor: x forward, z up (REP 103).

    The floor is that of the people's frame where it is known, else below the lowest keypoint.

    Parameters
    ----------
    people
        People and, where known, the floor.
    row
        Of the person, whose root is known.
    forward
        ``(3,)``, where the body faces. None or NaN: unknown, and x is the horizontal part of the
        frame's x axis or, where that is vertical, of its y axis.
    """
    up = people.up if people.floor is None else people.floor.up
    xyz = people.tracked.people.xyz_m[row]
    floor_m = np.nan if people.floor is None else people.floor.offset_m
    if np.isnan(floor_m):
        floor_m = np.nanmin(xyz @ up) - ANKLE_M
    place = xyz[_ROOT] - (xyz[_ROOT] @ up - floor_m) * up
    candidates = [*([] if forward is None else [forward]), *np.eye(3)[:2]]
    flat = [axis - (axis @ up) * up for axis in candidates]
    x = next(axis for axis in flat if np.linalg.norm(axis) > 0.1)  # false for NaN
    x = x / np.linalg.norm(x)
    pose = Pose(position=Point(**dict(zip('xyz', place.tolist(), strict=True))))
    pose.orientation = quaternion_msg(np.stack([x, np.cross(up, x), up], axis=1))
    return pose


class Seen(NamedTuple):
    """The people of an image in the camera optical frame, its time and when it was processed."""

    tracked: TrackedPeople
    up: Array
    stamp_s: float
    processed_s: float


class Follower:
    """Follows one person of one of a node's cameras.

    Parameters
    ----------
    node
        Publishes and serves.
    cameras
        Names of its cameras.
    on_subscribers
        Called when the subscribers of ~/target change.
    """

    def __init__(
        self, node: Node, cameras: tuple[str, ...], on_subscribers: Callable[[], None]
    ) -> None:
        self._node, self._cameras = node, cameras
        self._seen: dict[str, Seen] = {}
        self._camera = ''
        self._chosen: Chosen | None = None
        self._forward: Array | None = None
        self._said: tuple[str, int, int] | None = None
        events = PublisherEventCallbacks(matched=lambda _: on_subscribers())
        self._target = node.create_publisher(
            PoseStamped, '~/target', result_qos(), event_callbacks=events
        )
        self._state = node.create_publisher(FollowState, '~/follow_state', latched_qos())
        self._service = node.create_service(Follow, '~/follow', self._on_request)
        self._say(Header())

    @property
    def needed(self) -> bool:
        """Return whether ~/target has a subscriber, for which cameras must be processed."""
        return bool(self._target.get_subscription_count())

    def update(self, camera: str, seen: Seen, people: PeopleInFrame, memory_s: float) -> None:
        """Publish the place of the chosen person in an image, or that there is none.

        Parameters
        ----------
        camera
            Name of the camera.
        seen
            People in the camera optical frame.
        people
            The same people in the frame of `poses`.
        memory_s
            How long a person who is not visible is hidden, not lost, s.
        """
        self._seen[camera] = seen
        if self._chosen is None or camera != self._camera:
            return
        row = self._chosen.update(seen.tracked, seen.stamp_s, memory_s)
        self._say(people.header)
        if row is None:
            return
        heading = people.tracked.heading
        if heading is not None and np.isfinite(heading[row]).all():
            self._forward = heading[row]
        pose = floor_pose(people, row, self._forward)
        self._target.publish(PoseStamped(header=people.header, pose=pose))

    def _on_request(self, request: Follow.Request, response: Follow.Response) -> Follow.Response:
        try:
            response.message = self._apply(request)
            response.success = True
        except CannotChooseError as error:
            response.message = str(error)
        response.track_id = self._chosen.track_id if self._chosen else NO_ID
        self._node.get_logger().info(f'follow: {response.message}')
        return response

    def _apply(self, request: Follow.Request) -> str:
        if request.mode == Follow.Request.STOP:
            self._chosen = None
            self._say(Header())
            return 'no person is followed'
        camera = request.camera
        if not camera and len(self._cameras) == 1:
            (camera,) = self._cameras
        if camera not in self._cameras:
            raise CannotChooseError(
                f'camera must be one of: {", ".join(self._cameras)}, found {request.camera!r}'
            )
        seen = self._seen.get(camera)
        if seen is None or time.monotonic() - seen.processed_s > FRESH_S:
            raise CannotChooseError(
                f'no image was processed in the last {FRESH_S:g} s; without subscribers, such as '
                'one of ~/target, there is none'
            )
        found = choose(request.mode, request.track_id, seen.tracked, seen.up)
        self._camera, self._chosen = camera, Chosen(found, seen.stamp_s)
        self._forward = None
        self._say(Header())
        return f'person {found} is followed'

    def _say(self, header: Header) -> None:
        """Publish and log the state if it has changed."""
        chosen = self._chosen
        state, track_id = (chosen.state, chosen.track_id) if chosen else (FollowState.NONE, NO_ID)
        now = self._camera, state, track_id
        if now == self._said:
            return
        if state == FollowState.LOST:
            self._node.get_logger().warning(f'person {track_id}, who was followed, is lost')
        self._said = now
        self._state.publish(
            FollowState(header=header, state=state, track_id=track_id, camera=self._camera)
        )

    def destroy(self) -> None:
        """Destroy the service and the publishers."""
        self._node.destroy_service(self._service)
        for publisher in (self._target, self._state):
            self._node.destroy_publisher(publisher)
