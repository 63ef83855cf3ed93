"""Conversion of ROS transforms to and from matrices, and people in another frame."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from geometry_msgs.msg import Quaternion, Transform
from numpy.typing import NDArray
from std_msgs.msg import Header

from pose3d_ros.geometry.rigid import quaternion_xyzw, rotation_matrix
from pose3d_ros.people import TrackedPeople


@dataclass(frozen=True)
class Floor:
    """The floor: the points p with ``up @ p == offset_m``, in the frame of the people.

    Parameters
    ----------
    up
        ``(3,)`` unit vector against gravity.
    offset_m
        Height of the floor above the origin of the frame, m. NaN: unknown.
    """

    up: NDArray[np.float64]
    offset_m: float


@dataclass(frozen=True)
class PeopleInFrame:
    """Tracked people in the frame of a header.

    Parameters
    ----------
    tracked
        Positions in the frame of `header`.
    header
        With the stamp of the image.
    up
        ``(3,)`` unit vector in that frame: the direction that is up in the image.
    floor
        None: unknown.
    """

    tracked: TrackedPeople
    header: Header
    up: NDArray[np.float64]
    floor: Floor | None = None


def rotation(quaternion: Quaternion) -> NDArray[np.float64]:
    """Return the matrix ``(3, 3)`` of a unit quaternion; ValueError for any other."""
    return rotation_matrix(np.array([quaternion.x, quaternion.y, quaternion.z, quaternion.w]))


def quaternion_msg(matrix: NDArray[np.float64]) -> Quaternion:
    """Return the unit quaternion of a rotation ``(3, 3)``."""
    x, y, z, w = quaternion_xyzw(matrix).tolist()
    return Quaternion(x=x, y=y, z=z, w=w)


def translation(transform: Transform) -> NDArray[np.float64]:
    """Return the translation ``(3,)`` of a transform, m."""
    t = transform.translation
    return np.array([t.x, t.y, t.z])


def transform_people(people: PeopleInFrame, transform: Transform, frame_id: str) -> PeopleInFrame:
    """Return people transformed into another frame; unknown positions stay NaN."""
    turn, tracked = rotation(transform.rotation), people.tracked
    moved = replace(
        tracked.people,
        xyz_m=tracked.people.xyz_m @ turn.T + translation(transform),
        root_covariance_m2=turn @ tracked.people.root_covariance_m2 @ turn.T,
    )
    velocity, covariance, heading = (
        tracked.velocity_m_s,
        tracked.velocity_covariance,
        tracked.heading,
    )
    tracked = replace(
        tracked,
        people=moved,
        velocity_m_s=None if velocity is None else velocity @ turn.T,
        velocity_covariance=None if covariance is None else turn @ covariance @ turn.T,
        heading=None if heading is None else heading @ turn.T,
    )
    header = Header(stamp=people.header.stamp, frame_id=frame_id)
    floor = people.floor
    if floor:
        up = turn @ floor.up
        floor = Floor(up, float(floor.offset_m + up @ translation(transform)))
    return PeopleInFrame(tracked, header, turn @ people.up, floor)
