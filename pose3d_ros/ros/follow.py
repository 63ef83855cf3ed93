"""A chosen person: the service ~/follow, and the person's place on the floor, ~/target and TF.

The person is held by the track_id alone. Another person is followed only after another request.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from geometry_msgs.msg import (
    Point,
    Pose,
    PoseStamped,
    Transform,
    TransformStamped,
    Vector3,
)
from numpy.typing import NDArray
from rclpy.event_handler import PublisherEventCallbacks
from rclpy.node import Node
from std_msgs.msg import Header

from pose3d_ros.msg import FollowState
from pose3d_ros.people import TrackedPeople
from pose3d_ros.ros.chosen import CannotChooseError, Chosen, choose
from pose3d_ros.ros.messages.transforms import PeopleInFrame, quaternion_msg
from pose3d_ros.ros.optional_messages import import_messages
from pose3d_ros.ros.qos import latched_qos, result_qos
from pose3d_ros.skeleton import PANOPTIC19
from pose3d_ros.srv import Follow

Array = NDArray[np.float64]

NO_ID = -1
# TF frame of the chosen person.
TARGET_FRAME = 'target'
# Height of the ankle joint above the floor, m.
ANKLE_M = 0.08
# A request refers to what the caller sees now: largest age of an image, s of the steady clock.
FRESH_S = 2.0

_ROOT = PANOPTIC19.index(PANOPTIC19.root)


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
    frame
        Broadcast the frame ``TARGET_FRAME`` on /tf.

    Raises
    ------
    MissingPackageError
        If `frame` is set and tf2_msgs is not installed.
    """

    def __init__(
        self,
        node: Node,
        cameras: tuple[str, ...],
        on_subscribers: Callable[[], None],
        frame: bool = False,
    ) -> None:
        self._tf: Any = None
        if frame:
            self._tf_message = import_messages('tf2_msgs', 'publish_target_tf').TFMessage
            self._tf = node.create_publisher(self._tf_message, '/tf', 100)
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
        """Return whether somebody may use the place of a person, so that cameras are processed.

        Whoever listens to /tf cannot be asked what for.
        """
        return self._tf is not None or bool(self._target.get_subscription_count())

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
        if not self.needed:
            return
        pose = floor_pose(people, row, self._forward)
        self._target.publish(PoseStamped(header=people.header, pose=pose))
        if self._tf is not None:
            frame = _transform(pose, people.header)
            self._tf.publish(self._tf_message(transforms=[frame]))

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
        before = (self._camera, self._chosen.track_id) if self._chosen else None
        self._camera, self._chosen = camera, Chosen(found, seen.stamp_s)
        self._forward = None
        self._say(Header())
        if before in (None, (camera, found)):
            return f'person {found} is followed'
        return f'person {found} is followed, another one than before ({before[1]})'

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
        for publisher in (self._target, self._state, self._tf):
            if publisher is not None:
                self._node.destroy_publisher(publisher)


def _transform(pose: Pose, header: Header) -> TransformStamped:
    """Return the frame of the chosen person at a pose."""
    p = pose.position
    place = Transform(translation=Vector3(x=p.x, y=p.y, z=p.z), rotation=pose.orientation)
    return TransformStamped(header=header, child_frame_id=TARGET_FRAME, transform=place)
