"""PoseArray3D -> TrackedPeople and CameraPose: what subscribers draw and record."""

from __future__ import annotations

import numpy as np

from pose3d_ros.camera import CameraPose, CameraPoseSource
from pose3d_ros.msg import PoseArray3D
from pose3d_ros.people import K, People2D, People3D, TrackedPeople


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
    )


def camera_pose(poses: PoseArray3D) -> CameraPose | None:
    """Return the pose of the camera, given or estimated, in its optical frame; None: unknown."""
    pose = poses.camera_pose
    if pose.source == int(CameraPoseSource.NONE):
        return None
    # float32 rounds the length of a unit vector.
    up = np.array(pose.up, np.float64)
    return CameraPose(up / np.linalg.norm(up), float(pose.height))
