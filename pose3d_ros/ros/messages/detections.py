"""Conversion of people to vision_msgs/Detection3DArray: boxes for programs without poses."""

from __future__ import annotations

from typing import Any

import numpy as np
from geometry_msgs.msg import Point, Pose, Vector3
from numpy.typing import NDArray

from pose3d_ros.people import TrackedPeople
from pose3d_ros.ros.messages.transforms import PeopleInFrame
from pose3d_ros.skeleton import PANOPTIC19

CLASS = 'person'
# Distance of the box from the outermost keypoints, m: keypoints lie inside the body.
MARGIN_M = 0.1
# Variance of an angle of which nothing is known, uniform over the circle, rad^2.
UNKNOWN_ANGLE = np.pi**2 / 3
_ROOT = PANOPTIC19.index(PANOPTIC19.root)


def detection_array(vision: Any, people: PeopleInFrame) -> Any:
    """Return a Detection3DArray; `vision` is vision_msgs.msg.

    The pose of a person is the position of the root with its covariance, without an orientation.
    The box contains the known keypoints, its sides along the axes of the header's frame. People
    of unknown position are left out.
    """
    placed = np.isfinite(people.tracked.people.xyz_m[:, _ROOT]).all(axis=1)
    return vision.Detection3DArray(
        header=people.header,
        detections=[_detection(vision, people, i) for i in np.flatnonzero(placed).tolist()],
    )


def _detection(vision: Any, people: PeopleInFrame, i: int) -> Any:
    tracked: TrackedPeople = people.tracked
    xyz = tracked.people.xyz_m[i]
    low, high = np.nanmin(xyz, axis=0) - MARGIN_M, np.nanmax(xyz, axis=0) + MARGIN_M
    hypothesis = vision.ObjectHypothesisWithPose()
    hypothesis.hypothesis.class_id = CLASS
    hypothesis.hypothesis.score = float(tracked.people.people_2d.score[i])
    hypothesis.pose.pose = _pose(xyz[_ROOT])
    covariance = UNKNOWN_ANGLE * np.eye(6)
    covariance[:3, :3] = tracked.people.root_covariance_m2[i]
    hypothesis.pose.covariance = covariance.ravel()
    size = Vector3(**dict(zip('xyz', (high - low).tolist(), strict=True)))
    return vision.Detection3D(
        header=people.header,
        id=str(tracked.track_id[i]),
        results=[hypothesis],
        bbox=vision.BoundingBox3D(center=_pose((low + high) / 2), size=size),
    )


def _pose(xyz_m: NDArray[np.float64]) -> Pose:
    pose = Pose(position=Point(**dict(zip('xyz', xyz_m.tolist(), strict=True))))
    pose.orientation.w = 1.0
    return pose
