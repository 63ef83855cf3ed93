"""TrackedPeople -> PoseArray3D, as the bytes that travel.

rclpy makes an object of every keypoint and then a copy of each, which for twenty people takes
longer than finding them. The layout of a message is fixed: numpy writes all of them at once, and
publishers take bytes as they take messages. Source of the layout: OMG DDS-XTypes 1.3, 7.4.1
(XCDR1, which ROS 2 uses whatever the middleware): no number crosses a multiple of its own size,
counted from behind the four bytes that say how the rest is written.
"""

from __future__ import annotations

import numpy as np
from rclpy.serialization import serialize_message
from std_msgs.msg import Header

from pose3d_ros.camera import IntrinsicsSource
from pose3d_ros.msg import PoseArray3D
from pose3d_ros.people import K, Source, TrackedPeople
from pose3d_ros.skeleton import PANOPTIC19

# Fields of the messages, and at which byte of theirs each begins where a message begins at a
# multiple of eight.
_KEYPOINT = np.dtype(
    {
        'names': ['position', 'u', 'v', 'score', 'source'],
        'formats': [('<f8', 3), '<f4', '<f4', '<f4', 'u1'],
        'offsets': [0, 24, 28, 32, 36],
        'itemsize': 40,
    }
)
_POSE = np.dtype(
    {
        'names': ['track_id', 'score', 'state', 'age', 'root_covariance', 'keypoints'],
        'formats': ['<i4', '<f4', 'u1', '<f4', ('<f8', 9), (_KEYPOINT, K)],
        'offsets': [0, 4, 8, 12, 16, 88],
        'itemsize': 88 + K * 40,
    }
)
_BEFORE_COVARIANCE = 16
_ENCAPSULATION = 4


def pose_array_cdr(
    tracked: TrackedPeople, header: Header, intrinsics_source: IntrinsicsSource
) -> bytes:
    """People as a serialised PoseArray3D, with the image's own header."""
    measured = (tracked.people.source == Source.DEPTH).any(axis=1)
    by_depth = len(measured) and measured.all()
    nobody = serialize_message(
        PoseArray3D(
            header=header,
            skeleton=PANOPTIC19.name,
            intrinsics_source=int(intrinsics_source),
            scale_source=PoseArray3D.DEPTH if by_depth else PoseArray3D.ASSUMED_HEIGHT,
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
    keypoints['source'] = people.source
    data = poses.tobytes()
    # The text before it decides where the first pose begins; the others follow where they should.
    if (len(nobody) - _ENCAPSULATION) % 8:
        data = data[:_BEFORE_COVARIANCE] + bytes(4) + data[_BEFORE_COVARIANCE:]
    # Last in an empty array is its length.
    return nobody[:-4] + len(poses).to_bytes(4, 'little') + data
