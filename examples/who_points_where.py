#!/usr/bin/env python3
"""Where people point: the point at which the ray of a pointing arm meets the floor. To copy from.

    ros2 run pose3d_ros who_points_where.py

Subscribes to `poses`; publishes a geometry_msgs/PoseWithCovarianceStamped on `pointed_at` for each
arm that points at the plane: the point in the frame of `poses`, x along the ray, and how certain
it is. The ray goes from between the eyes through the wrist, which people aim by, rather than along
the forearm.

The plane is the floor as `poses` states it by attitude and height of the camera. With pose_node's
`target_frame`, or for a wall or a table, state it by the parameter `plane`: a, b, c, d of
a x + b y + c z = d in the frame of `poses`, the normal (a, b, c) towards the people, such as
[0.0, 0.0, 1.0, 0.0] for the floor of base_footprint.
"""

import contextlib

import numpy as np
import rclpy
from geometry_msgs.msg import PoseWithCovarianceStamped
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import QoSProfile, QoSReliabilityPolicy

from pose3d_ros.msg import CameraPose, Pose3D, PoseArray3D

EYES = (Pose3D.LEFT_EYE, Pose3D.RIGHT_EYE)
ARMS = (
    (Pose3D.LEFT_SHOULDER, Pose3D.LEFT_ELBOW, Pose3D.LEFT_WRIST),
    (Pose3D.RIGHT_SHOULDER, Pose3D.RIGHT_ELBOW, Pose3D.RIGHT_WRIST),
)
# An arm points if it is straight to within this angle, and further than that from hanging down.
STRAIGHT_DEG, HANGING_DEG = 40.0, 45.0
# Assumed of a keypoint where the message does not state it, m.
UNKNOWN_STDDEV_M = 0.1
PARAMETERS = {
    'plane': [0.0, 0.0, 0.0, 0.0],  # a, b, c, d. All 0: the floor as `poses` states it
    'max_distance': 10.0,  # m from the hand; further away, small errors of the arm are metres
}


def floor(poses):
    """Return normal and offset, m, of the floor in the camera optical frame. None: unknown."""
    camera = poses.camera_pose
    known = camera.source != CameraPose.NONE and np.isfinite(camera.height)
    # CameraPose is in the camera optical frame, and in no other: REP 103 has that in its name.
    if not known or 'optical' not in poses.header.frame_id:
        return None
    return np.array(camera.up, float), -float(camera.height)


def rays(pose):
    """Return eyes and hand, m, and their standard deviation, m, of each arm that points."""
    xyz = np.array([(k.position.x, k.position.y, k.position.z) for k in pose.keypoints])
    stddev = np.array([k.position_stddev for k in pose.keypoints])
    stddev = np.where(np.isfinite(stddev), stddev, UNKNOWN_STDDEV_M)
    eyes, down = xyz[list(EYES)].mean(axis=0), xyz[Pose3D.PELVIS] - xyz[Pose3D.NECK]
    found = []
    for arm in ARMS:
        shoulder, elbow, wrist = xyz[list(arm)]
        detected = all(pose.keypoints[k].score > 0 for k in arm)
        straight = degrees(elbow - shoulder, wrist - elbow) < STRAIGHT_DEG
        raised = degrees(wrist - shoulder, down) > HANGING_DEG
        if detected and straight and raised and np.isfinite(eyes).all():
            found.append((eyes, wrist, float(stddev[[*EYES, arm[-1]]].max())))
    return found


def degrees(a, b):
    """Return the angle between two vectors, degrees; NaN if one is unknown or has no length."""
    return np.degrees(np.arccos(np.clip(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)), -1, 1)))


def meet(eyes, hand, stddev, plane):
    """Return where a ray meets a plane, m, and the covariance ``(3, 3)`` m2 of that point.

    None: the ray is parallel to the plane, or meets it behind the hand. With t the place on the
    ray, 0 at the eyes and 1 at the hand, an error of the eyes moves the point by 1 - t of it, one
    of the hand by t, each along the ray into the plane.
    """
    normal, offset = plane
    towards = hand - eyes
    slope = normal @ towards
    t = (offset - normal @ eyes) / slope if slope else 0.0
    if not t > 1:
        return None
    into_plane = np.eye(3) - np.outer(towards, normal) / slope
    variance = stddev**2 * ((1 - t) ** 2 + t**2)
    return eyes + t * towards, variance * into_plane @ into_plane.T


def orientation(towards, normal):
    """Return the quaternion x, y, z, w with z along the normal and x along the ray."""
    x = towards - (towards @ normal) * normal
    x = x / max(np.linalg.norm(x), 1e-9)
    turn = np.stack([x, np.cross(normal, x), normal], axis=1)
    # The eigenvector of the largest eigenvalue; it has no special cases.
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = turn
    k = np.array([
        [xx - yy - zz, 0, 0, 0],
        [yx + xy, yy - xx - zz, 0, 0],
        [zx + xz, zy + yz, zz - xx - yy, 0],
        [zy - yz, xz - zx, yx - xy, xx + yy + zz],
    ])  # fmt: skip
    return np.linalg.eigh(k)[1][:, -1]


class WhoPointsWhere(Node):
    """Publishes the points that people point at."""

    def __init__(self, **options):
        super().__init__('who_points_where', **options)
        values = {
            name: self.declare_parameter(name, default).value
            for name, default in PARAMETERS.items()
        }
        if len(values['plane']) != 4 or not np.isfinite(values['plane']).all():
            raise ValueError(f'plane must be four numbers, found {list(values["plane"])}')
        *normal, offset = values['plane']
        length = np.linalg.norm(normal)
        self.plane = (np.array(normal) / length, offset / length) if length else None
        self.max_distance_m = values['max_distance']
        newest = QoSProfile(depth=1, reliability=QoSReliabilityPolicy.BEST_EFFORT)
        self.create_subscription(PoseArray3D, 'poses', self.on_poses, newest)
        self.points = self.create_publisher(PoseWithCovarianceStamped, 'pointed_at', 10)

    def on_poses(self, poses):
        plane = self.plane or floor(poses)
        if plane is None:
            self.get_logger().warning(
                f'the floor is unknown in {poses.header.frame_id!r}: set camera_up and '
                'camera_height of pose_node and leave its target_frame empty, or set plane, which '
                'is needed for a camera without "optical" in its frame_id',
                throttle_duration_sec=10.0,
            )
            return
        for pose in poses.poses:
            for ray in rays(pose):
                self.publish(poses.header, pose.track_id, ray, plane)

    def publish(self, header, track_id, ray, plane):
        eyes, hand, _ = ray
        met = meet(*ray, plane)
        if met is None or np.linalg.norm(met[0] - hand) > self.max_distance_m:
            return
        message = PoseWithCovarianceStamped(header=header)
        position, turn = message.pose.pose.position, message.pose.pose.orientation
        position.x, position.y, position.z = met[0].tolist()
        turn.x, turn.y, turn.z, turn.w = orientation(hand - eyes, plane[0]).tolist()
        covariance = np.zeros((6, 6))
        covariance[:3, :3] = met[1]
        message.pose.covariance = covariance.ravel()
        self.points.publish(message)
        self.get_logger().info(
            f'person {track_id} points at {np.round(met[0], 2).tolist()}',
            throttle_duration_sec=1.0,
        )


def main():
    rclpy.init()
    node = WhoPointsWhere()
    with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(node)
    node.destroy_node()
    rclpy.try_shutdown()


if __name__ == '__main__':
    main()
