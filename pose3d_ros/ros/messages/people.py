"""PoseArray3D -> TrackedPeople and CameraPose: what subscribers draw and record."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from pose3d_ros.camera import CameraPose, CameraPoseSource, Intrinsics, IntrinsicsSource
from pose3d_ros.msg import PoseArray3D
from pose3d_ros.people import K, People2D, People3D, TrackedPeople
from pose3d_ros.ros.messages.images import seconds


def tracked_people(poses: PoseArray3D) -> TrackedPeople:
    """Read the people of a message, in the frame of its header."""
    n = len(poses.poses)
    rows = [
        (k.position.x, k.position.y, k.position.z, k.u, k.v, k.score, k.position_stddev, k.source)
        for pose in poses.poses
        for k in pose.keypoints
    ]
    keypoints = np.array(rows, np.float64).reshape(n, K, 8)
    people_2d = People2D(
        keypoints[..., 3:5],
        keypoints[..., 5],
        np.array([pose.score for pose in poses.poses], np.float64),
    )
    covariances = [pose.root_covariance for pose in poses.poses]
    people = People3D(
        people_2d,
        keypoints[..., :3],
        keypoints[..., 7].astype(np.uint8),
        np.array(covariances, np.float64).reshape(n, 3, 3),
        keypoints[..., 6],
    )
    return TrackedPeople(
        people,
        np.array([pose.track_id for pose in poses.poses], np.int64),
        np.array([pose.state for pose in poses.poses], np.uint8),
        np.array([pose.age for pose in poses.poses], np.float64),
        velocity_m_s=_vectors(pose.velocity for pose in poses.poses),
        velocity_covariance=np.array(
            [pose.velocity_covariance for pose in poses.poses], np.float64
        ).reshape(n, 3, 3),
        heading=_vectors(pose.heading for pose in poses.poses),
        heading_sd_rad=np.array([pose.heading_stddev for pose in poses.poses], np.float64),
        first_s=np.array([seconds(pose.first_seen) for pose in poses.poses], np.float64),
        height_m=np.array([pose.height for pose in poses.poses], np.float64),
        height_sd_m=np.array([pose.height_stddev for pose in poses.poses], np.float64),
    )


def intrinsics(poses: PoseArray3D) -> Intrinsics | None:
    """Return the intrinsics for the pixels of a message; None: unknown.

    Raises
    ------
    ValueError
        If they are impossible.
    """
    fx, fy, cx, cy = (float(number) for number in poses.intrinsics)
    if not np.isfinite(fx) or not fx:
        return None
    distortion = tuple(float(number) for number in poses.distortion)
    model = poses.distortion_model or 'plumb_bob'
    return Intrinsics(fx, fy, cx, cy, distortion, model, IntrinsicsSource(poses.intrinsics_source))


def _vectors(messages: Iterable[Any]) -> np.ndarray:
    """Return messages with x, y and z as ``(N, 3)``."""
    return np.array([(v.x, v.y, v.z) for v in messages], np.float64).reshape(-1, 3)


def camera_pose(poses: PoseArray3D) -> CameraPose | None:
    """Return the pose of the camera, given or estimated, in its optical frame; None: unknown."""
    pose = poses.camera_pose
    if pose.source == int(CameraPoseSource.NONE):
        return None
    # float32 rounds the length of a unit vector.
    up = np.array(pose.up, np.float64)
    return CameraPose(up / np.linalg.norm(up), float(pose.height))
