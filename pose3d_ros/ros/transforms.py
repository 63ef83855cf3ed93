"""Transforms from TF at the stamp of an image."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

from builtin_interfaces.msg import Time
from geometry_msgs.msg import Transform
from rclpy import time as rclpy_time
from rclpy.duration import Duration
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

from pose3d_ros.ros.messages.transforms import PeopleInFrame, transform_people

# How long to wait for a transform that is on its way, and how far behind the image the newest one
# may be for that, s. If it is further behind, its publisher has stopped.
WAIT_S, BEHIND_S = 0.1, 1.0
# A stamp that is so much before the last one of its frame, s, comes from a recording that starts
# again.
BACK_S = 1.0


class FrameError(Exception):
    """There is no transform; the text says from where to where, when, and the error of TF."""


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

    def to_frame(self, people: PeopleInFrame, target: str) -> PeopleInFrame:
        """Transform people into the frame `target`, at the stamp of the image.

        Raises
        ------
        FrameError
            If there is none, and none comes in time.
        """
        source, stamp = people.header.frame_id, people.header.stamp
        if source == target:  # which need not be in TF
            return people
        return transform_people(people, self.find(target, source, stamp), target)

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
