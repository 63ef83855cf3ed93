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

# Longest wait for a transform, s, and largest lag of the newest one behind the image, s, for which
# waiting makes sense. With a larger lag its publisher has stopped.
WAIT_S, BEHIND_S = 0.1, 1.0
# Least jump back of the stamps of a frame, s, that counts as a recording that starts again.
BACK_S = 1.0


class FrameError(Exception):
    """A missing transform; the text names source, target, stamp and the error of TF."""


class LateTransform(FrameError):
    """A transform that is missing, but whose publisher is so little behind that it may come."""


class Transforms:
    """Transforms received by a thread of its own, so that waiting for one does not block them.

    Parameters
    ----------
    node
        Context and namespace of the node NAME_tf that receives the transforms. It has an executor
        of its own, because that of `node` is busy with an image while a transform arrives.

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
                'transforming to another frame needs the Python package tf2_ros, which '
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
            # A node name on the command line is meant for `node`; remappings of /tf for both.
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
            If there is none at that stamp.
        """
        source, stamp = people.header.frame_id, people.header.stamp
        if source == target:  # need not exist in TF
            return people
        return transform_people(people, self.find(target, source, stamp), target)

    def find(self, target: str, source: str, stamp: Time, wait_s: float = WAIT_S) -> Transform:
        """Return the transform of points in `source` to `target` at exactly this stamp.

        Raises
        ------
        FrameError
            If there is none at that stamp, after waiting for at most `wait_s` where it may come;
            there it is LateTransform.
        """
        what = f'no transform from {source!r} to {target!r} at {stamp.sec}.{stamp.nanosec:09d}'
        when = rclpy_time.Time.from_msg(stamp)
        if not when.nanoseconds:
            raise FrameError(f'{what}: the image has no stamp')  # tf2 would take the latest
        self._detect_jump(source, when.nanoseconds * 1e-9)
        missing: type[FrameError] = FrameError
        try:
            newest = self._buffer.get_latest_common_time(target, source)
            behind_s = (when.nanoseconds - newest.nanoseconds) * 1e-9
            if source in self._rewound and behind_s < -BACK_S:
                self._buffer.clear()  # keeps static transforms
            if 0 < behind_s <= BEHIND_S:
                missing = LateTransform
            wait = Duration(seconds=wait_s if missing is LateTransform else 0.0)
            found = self._buffer.lookup_transform(target, source, when, wait)
        except self._error as error:
            raise missing(f'{what}: {error}') from error
        self._rewound.discard(source)
        return found.transform

    def _detect_jump(self, source: str, stamp_s: float) -> None:
        """Detect a recording that starts again, after which TF must forget newer transforms.

        The buffer of tf2 refuses transforms that are ten seconds older than its newest. It is
        cleared at each image until a transform of the new time has arrived.
        """
        if stamp_s < self._last_s.get(source, stamp_s) - BACK_S:
            self._rewound.add(source)
        self._last_s[source] = stamp_s

    def _spin(self) -> None:
        with suppress(ExternalShutdownException):
            self._executor.spin()

    def destroy(self) -> None:
        """Stop the thread and destroy its node."""
        self._executor.shutdown()
        self._thread.join()
        self._listener.unregister()
        self._node.destroy_node()
