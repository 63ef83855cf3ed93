"""Transforms at the stamp of an image from the TF of a bag; tf2 is not on PyPI."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Transform, Vector3
from numpy.typing import NDArray

from pose3d_ros.geometry.rigid import QUATERNION_TOLERANCE, rotation_matrix, slerp
from pose3d_ros.ros.messages.transforms import quaternion_msg
from pose3d_ros.ros.transforms import FrameError

TF_TYPE = 'tf2_msgs/msg/TFMessage'
# By the end of the name: the TF of a robot may have a namespace.
TF_TOPIC, STATIC_TOPIC = '/tf', '/tf_static'


class Sample(NamedTuple):
    """A transform as it was sent: of points in `child` to `parent`."""

    static: bool
    parent: str
    child: str
    stamp_ns: int
    # x, y, z in m, and the quaternion x, y, z, w.
    values: tuple[float, ...]


def samples(topic: str, message: Any) -> Iterator[Sample]:
    """Return the transforms in a TFMessage; as in tf2, those that are none are left out."""
    for stamped in message.transforms:
        t, q = stamped.transform.translation, stamped.transform.rotation
        values = (t.x, t.y, t.z, q.x, q.y, q.z, q.w)
        parent = stamped.header.frame_id.removeprefix('/')
        child = stamped.child_frame_id.removeprefix('/')
        unit = abs(np.linalg.norm(values[3:]) - 1) <= QUATERNION_TOLERANCE
        if unit and np.isfinite(values).all() and parent and child and parent != child:
            stamp_ns = stamped.header.stamp.sec * 10**9 + stamped.header.stamp.nanosec
            yield Sample(topic.endswith(STATIC_TOPIC), parent, child, stamp_ns, values)


class RecordedTransforms:
    """The transforms of a bag.

    Parameters
    ----------
    read
        Reads them from the bag, in the order in which they were recorded. Only the transforms that
        `find` needs are kept in memory.
    """

    def __init__(self, read: Callable[[], Iterable[Sample]]) -> None:
        self._read = read
        self._parents: dict[str, set[str]] = {}
        for sample in read():
            self._parents.setdefault(sample.child, set()).add(sample.parent)
        self._static: dict[str, NDArray[np.float64]] = {}
        self._moving: dict[str, _Moving] = {}

    def find(self, target: str, source: str, stamp: Time) -> Transform:
        """Return the transform of points in `source` to `target` at exactly this stamp.

        Between two stamps it is interpolated, never extrapolated.

        Raises
        ------
        FrameError
            If there is none at that stamp.
        """
        what = f'no transform from {source!r} to {target!r} at {stamp.sec}.{stamp.nanosec:09d}'
        stamp_ns = stamp.sec * 10**9 + stamp.nanosec
        try:
            from_source, from_target = self._ancestors(source), self._ancestors(target)
            common = next((frame for frame in from_source if frame in from_target), None)
            if common is None:
                known = ', '.join(sorted(self._frames())) or 'none'
                raise FrameError(f'the bag does not connect them, found frames: {known}')
            below = from_source[: from_source.index(common)]
            beside = from_target[: from_target.index(common)]
            self._load({*below, *beside} - {*self._static, *self._moving})
            up, down = self._chain(below, stamp_ns), self._chain(beside, stamp_ns)
        except FrameError as error:
            raise FrameError(f'{what}: {error}') from error
        matrix = np.linalg.inv(down) @ up
        x, y, z = matrix[:3, 3].tolist()
        return Transform(
            translation=Vector3(x=x, y=y, z=z), rotation=quaternion_msg(matrix[:3, :3])
        )

    def _load(self, frames: set[str]) -> None:
        """Keep the transforms of these frames to their parents."""
        for sample in self._read() if frames else ():
            if sample.child in frames and sample.static:
                self._static[sample.child] = np.array(sample.values)
            elif sample.child in frames:
                self._moving.setdefault(sample.child, _Moving()).append(sample)

    def _frames(self) -> set[str]:
        return {*self._parents, *(parent for found in self._parents.values() for parent in found)}

    def _ancestors(self, frame: str) -> list[str]:
        """Return a frame, its parent, the parent's parent ..."""
        found = [frame]
        while parents := self._parents.get(found[-1]):
            if len(parents) > 1:
                names = ' and '.join(sorted(parents))
                raise FrameError(f'{found[-1]} has several parents: {names}')
            (parent,) = parents
            if parent in found:
                raise FrameError(f'the transforms of {parent} are a loop')
            found.append(parent)
        return found

    def _chain(self, frames: list[str], stamp_ns: int) -> NDArray[np.float64]:
        """Return the matrix ``(4, 4)`` of the first frame's points to the last one's parent."""
        matrix = np.eye(4)
        for frame in frames:
            values = self._static.get(frame)
            if values is None:
                values = self._moving[frame].at(stamp_ns, frame)
            step = np.eye(4)
            step[:3, :3], step[:3, 3] = rotation_matrix(values[3:]), values[:3]
            matrix = step @ matrix
        return matrix


class _Moving:
    """The transforms of a frame over time."""

    def __init__(self) -> None:
        self._stamps_ns, self._values = array('q'), array('d')
        self._sorted: tuple[NDArray[np.int64], NDArray[np.float64]] | None = None

    def append(self, sample: Sample) -> None:
        self._stamps_ns.append(sample.stamp_ns)
        self._values.extend(sample.values)

    def at(self, stamp_ns: int, frame: str) -> NDArray[np.float64]:
        """Return x, y, z and the quaternion at a stamp."""
        if self._sorted is None:
            stamps_ns, first = np.unique(np.array(self._stamps_ns), return_index=True)
            self._sorted = stamps_ns, np.array(self._values).reshape(-1, 7)[first]
        stamps_ns, values = self._sorted
        if not stamps_ns[0] <= stamp_ns <= stamps_ns[-1]:
            low, high = (stamps_ns[[0, -1]] / 1e9).tolist()
            raise FrameError(f'transforms of {frame} are from {low:.3f} to {high:.3f} s only')
        after = int(np.searchsorted(stamps_ns, stamp_ns))
        if stamps_ns[after] == stamp_ns:
            return np.asarray(values[after])
        before_ns, after_ns = stamps_ns[after - 1 : after + 1].tolist()
        share = (stamp_ns - before_ns) / (after_ns - before_ns)
        first_xyz, second_xyz = values[after - 1 : after + 1, :3]
        turn = slerp(values[after - 1, 3:], values[after, 3:], share)
        return np.concatenate([first_xyz + share * (second_xyz - first_xyz), turn])
