"""Other frames than the camera's, by TF at the image's own stamp."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Quaternion, Transform
from numpy.typing import NDArray
from rclpy import time as rclpy_time
from rclpy.duration import Duration
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from std_msgs.msg import Header

from pose3d_ros.camera import CameraPose
from pose3d_ros.people import TrackedPeople
from pose3d_ros.ros.parameters import PoseParameters

# Of a camera that stands upright, in its optical frame.
UP = np.array([0.0, -1.0, 0.0])
# How long a transform is waited for that is on its way; and how far behind the image, at most,
# the newest one is then. If it is further behind, who publishes it has stopped.
WAIT_S, BEHIND_S = 0.1, 1.0
# A stamp that is so much before the last of its frame is of a recording that starts again.
BACK_S = 1.0
# Of the length of a quaternion, as much as tf2 takes.
QUATERNION_TOLERANCE = 0.01


class FrameError(Exception):
    """There is no transform; says from where to where, when, and what TF said."""


def rotation(quaternion: Quaternion) -> NDArray[np.float64]:
    """Give the matrix ``(3, 3)`` of a unit quaternion; ValueError if it is none."""
    q = np.array([quaternion.w, quaternion.x, quaternion.y, quaternion.z])
    length = np.linalg.norm(q)
    if not abs(length - 1) <= QUATERNION_TOLERANCE:  # NaN is not
        raise ValueError(f'a rotation must be a quaternion of length 1, found {quaternion}')
    w, v = q[0] / length, q[1:] / length
    cross = np.array([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])
    return np.asarray((w * w - v @ v) * np.eye(3) + 2 * np.outer(v, v) + 2 * w * cross)


def quaternion(matrix: NDArray[np.float64]) -> Quaternion:
    """Give the unit quaternion of a rotation ``(3, 3)``."""
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = matrix.tolist()
    # Four times the outer product of (x, y, z, w) with itself: every row is a multiple of it. The
    # one with the largest diagonal loses least (Shepperd 1978).
    rows = np.array(
        [
            (1 + xx - yy - zz, xy + yx, xz + zx, zy - yz),
            (xy + yx, 1 - xx + yy - zz, yz + zy, xz - zx),
            (xz + zx, yz + zy, 1 - xx - yy + zz, yx - xy),
            (zy - yz, xz - zx, yx - xy, 1 + xx + yy + zz),
        ]
    )
    row = rows[np.argmax(np.diag(rows))]
    x, y, z, w = (row / np.linalg.norm(row)).tolist()
    return Quaternion(x=x, y=y, z=z, w=w)


def transformed(tracked: TrackedPeople, transform: Transform) -> TrackedPeople:
    """People in the frame that a transform leads to; unknown positions stay NaN."""
    turn, people = rotation(transform.rotation), tracked.people
    moved = replace(
        people,
        xyz_m=people.xyz_m @ turn.T + translation(transform),
        root_covariance_m2=turn @ people.root_covariance_m2 @ turn.T,
    )
    return replace(tracked, people=moved)


def camera_pose(transform: Transform) -> CameraPose:
    """How a camera stands, of the transform from its optical frame.

    It leads to a frame whose z axis points up and whose origin is on the floor, such as
    base_footprint (REP 120).

    Raises
    ------
    FrameError
        If the camera is not above it.
    """
    # The rows of the matrix are the other frame's axes, in the camera's frame.
    up, height_m = rotation(transform.rotation)[2], float(transform.translation.z)
    if not height_m > 0:
        raise FrameError(f'the camera must be above the floor, found it at z = {height_m:g} m')
    return CameraPose(up, height_m)


def translation(transform: Transform) -> NDArray[np.float64]:
    """``(3,)``, m."""
    t = transform.translation
    return np.array([t.x, t.y, t.z])


@dataclass(frozen=True)
class Placed:
    """People in one frame.

    Parameters
    ----------
    tracked
        Positions in the frame of `header`.
    header
        With the image's stamp.
    up
        ``(3,)`` unit vector in that frame: what is up in the image.
    """

    tracked: TrackedPeople
    header: Header
    up: NDArray[np.float64]


class Transforms:
    """What TF tells, heard in a thread of its own: who waits for a transform must not block it.

    Parameters
    ----------
    node
        Whose context and namespace a node of its own, NAME_tf, takes. Not with the executor of
        `node`, which works on an image while a transform arrives.

    Raises
    ------
    FrameError
        If tf2_ros is not installed.
    """

    def __init__(self, node: Node) -> None:
        try:
            import tf2_ros
        except ImportError as error:
            raise FrameError(
                'frames other than that of the image need the Python package tf2_ros, which '
                f'cannot be imported ({error}): apt install ros-$ROS_DISTRO-tf2-ros-py'
            ) from error
        self._error: type[Exception] = tf2_ros.TransformException
        self._last_s: dict[str, float] = {}
        self._rewound: set[str] = set()
        name = f'{node.get_name()}_tf'
        self._node = Node(
            name,
            context=node.context,
            namespace=node.get_namespace(),
            # A name given to the process is the other node's; remappings of /tf are for both.
            cli_args=['--ros-args', '-r', f'__node:={name}'],
            enable_rosout=False,
            start_parameter_services=False,
        )
        self._buffer: Any = tf2_ros.Buffer()
        self._listener = tf2_ros.TransformListener(self._buffer, self._node)
        self._executor = SingleThreadedExecutor(context=node.context)
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def place(self, seen: Placed, target: str) -> Placed:
        """People in the frame `target`, by the transform at the image's stamp.

        Raises
        ------
        FrameError
            If there is none, and none comes in time.
        """
        source, stamp = seen.header.frame_id, seen.header.stamp
        if source == target:  # which need not be in TF
            return seen
        transform = self.find(target, source, stamp)
        return Placed(
            transformed(seen.tracked, transform),
            Header(stamp=stamp, frame_id=target),
            rotation(transform.rotation) @ seen.up,
        )

    def find(self, target: str, source: str, stamp: Time) -> Transform:
        """Transform that takes points in `source` to `target`, at this stamp and no other.

        Raises
        ------
        FrameError
            If there is none, and none comes in time.
        """
        what = f'no transform from {source!r} to {target!r} at {stamp.sec}.{stamp.nanosec:09d}'
        when = rclpy_time.Time.from_msg(stamp)
        if not when.nanoseconds:
            raise FrameError(f'{what}: the image has no stamp')  # tf2 would take the latest
        self._notice_jump(source, when.nanoseconds * 1e-9)
        try:
            newest = self._buffer.get_latest_common_time(target, source)
            behind_s = (when.nanoseconds - newest.nanoseconds) * 1e-9
            if source in self._rewound and behind_s < -BACK_S:
                self._buffer.clear()  # of all but static transforms
            wait_s = WAIT_S if 0 < behind_s <= BEHIND_S else 0.0
            found = self._buffer.lookup_transform(target, source, when, Duration(seconds=wait_s))
        except self._error as error:
            raise FrameError(f'{what}: {error}') from error
        self._rewound.discard(source)
        return found.transform

    def _notice_jump(self, source: str, stamp_s: float) -> None:
        """Note that a recording starts again: TF takes nothing older than ten seconds.

        It is to forget what is newer than the image, until that no longer comes.
        """
        if stamp_s < self._last_s.get(source, stamp_s) - BACK_S:
            self._rewound.add(source)
        self._last_s[source] = stamp_s

    def _spin(self) -> None:
        with suppress(ExternalShutdownException):
            self._executor.spin()

    def destroy(self) -> None:
        """End the thread and the node."""
        self._executor.shutdown()
        self._thread.join()
        self._listener.unregister()
        self._node.destroy_node()


class Stance:
    """How one camera stands, by TF or as the parameters have it.

    Parameters
    ----------
    p
        gravity_frame, or camera_up and camera_height.
    transforms
        Where gravity_frame is set.
    """

    def __init__(self, p: PoseParameters, transforms: Transforms | None) -> None:
        self._transforms, self._frame = transforms, p.gravity_frame
        self._fixed: CameraPose | None = None
        if any(p.camera_up):
            up = np.array(p.camera_up)
            self._fixed = CameraPose(up / np.linalg.norm(up), p.camera_height or np.nan)
        # Why it was not known at the last image, or ''.
        self.trouble = ''

    def at(self, header: Header) -> CameraPose | None:
        """How it stood when an image was taken; None: not known."""
        self.trouble = ''
        if not (self._transforms and self._frame):
            return self._fixed
        try:
            found = self._transforms.find(self._frame, header.frame_id, header.stamp)
            return camera_pose(found)
        except FrameError as error:
            self.trouble = f'how the camera stands is unknown: {error}'
            return None
