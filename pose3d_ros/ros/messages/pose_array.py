"""Conversion of TrackedPeople to a serialised PoseArray3D.

rclpy creates an object for every keypoint and copies it, which for twenty people takes longer
than detecting them. The layout of a serialised message is fixed, so numpy writes all keypoints at
once; publishers accept bytes. Source of the layout: OMG DDS-XTypes 1.3, 7.4.1 (XCDR1, which ROS 2
uses with every middleware): each number is aligned to a multiple of its own size, counted from
the end of the four bytes of the encapsulation header.
"""

from __future__ import annotations

import numpy as np
from rclpy.serialization import serialize_message
from std_msgs.msg import Header

from pose3d_ros.camera import CameraPose, IntrinsicsSource
from pose3d_ros.msg import PoseArray3D
from pose3d_ros.people import K, Source, TrackedPeople
from pose3d_ros.skeleton import PANOPTIC19

# Fields of the messages with their offsets, bytes, for a message that starts at a multiple of
# eight.
_KEYPOINT = np.dtype(
    {
        'names': ['position', 'u', 'v', 'score', 'position_stddev', 'source'],
        'formats': [('<f8', 3), '<f4', '<f4', '<f4', '<f4', 'u1'],
        'offsets': [0, 24, 28, 32, 36, 40],
        'itemsize': 48,
    }
)
_POSE = np.dtype(
    {
        'names': ['track_id', 'score', 'state', 'age', 'root_covariance', 'keypoints'],
        'formats': ['<i4', '<f4', 'u1', '<f4', ('<f8', 9), (_KEYPOINT, K)],
        'offsets': [0, 4, 8, 12, 16, 88],
        'itemsize': 88 + K * _KEYPOINT.itemsize,
    }
)
# A pose starts at a multiple of four bytes. Where that is no multiple of eight, there is a gap
# before its first eight-byte field.
_SIZE = 88 + (K - 1) * 48 + 44
_BEFORE_COVARIANCE = 16
_ENCAPSULATION = 4


def pose_array_cdr(
    tracked: TrackedPeople,
    header: Header,
    intrinsics_source: IntrinsicsSource,
    camera_pose: CameraPose | None = None,
) -> bytes:
    """Return a serialised PoseArray3D.

    Parameters
    ----------
    tracked
        People in the frame of `header`.
    header
        Header of the message.
    intrinsics_source
        Source of the intrinsics.
    camera_pose
        Attitude and height of the camera that were used. None: unknown.
    """
    measured = (tracked.people.source == Source.DEPTH).any(axis=1)
    scale_source = PoseArray3D.ASSUMED_HEIGHT
    if len(measured) and measured.all():
        scale_source = PoseArray3D.DEPTH
    elif len(measured) and camera_pose is not None and np.isfinite(camera_pose.height_m):
        scale_source = PoseArray3D.CAMERA_HEIGHT
    empty = serialize_message(
        PoseArray3D(
            header=header,
            skeleton=PANOPTIC19.name,
            intrinsics_source=int(intrinsics_source),
            scale_source=scale_source,
        )
    )
    people, poses = tracked.people, np.zeros(len(tracked), _POSE)
    poses['track_id'] = tracked.track_id
    poses['score'] = people.people_2d.score
    poses['state'] = tracked.state
    poses['age'] = tracked.age_s
    poses['root_covariance'] = people.root_covariance_m2.reshape(-1, 9)
    keypoints = poses['keypoints']
    keypoints['position'] = people.xyz_m
    keypoints['u'], keypoints['v'] = np.moveaxis(people.people_2d.xy_px, -1, 0)
    keypoints['score'] = people.people_2d.scores
    keypoints['position_stddev'] = np.nan if people.sd_m is None else people.sd_m
    keypoints['source'] = people.source
    # The last four bytes of the message without poses are the length of the array.
    data = bytearray(empty[:-4] + len(poses).to_bytes(4, 'little'))
    for pose in poses:
        fields = pose.tobytes()[:_SIZE]
        gap = bytes((len(data) - _ENCAPSULATION) % 8)
        data += fields[:_BEFORE_COVARIANCE] + gap + fields[_BEFORE_COVARIANCE:]
    return bytes(data)
