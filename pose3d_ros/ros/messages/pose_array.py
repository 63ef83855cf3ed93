"""Conversion of TrackedPeople to a serialised PoseArray3D.

rclpy creates an object for every keypoint and copies it, which for twenty people takes longer
than detecting them. The layout of a serialised message is fixed, so numpy writes all keypoints at
once; publishers accept bytes. Source of the layout: OMG DDS-XTypes 1.3, 7.4.1 (XCDR1, which ROS 2
uses with every middleware): each number is aligned to a multiple of its own size, counted from
the end of the four bytes of the encapsulation header. A string is its length, its bytes and a
zero, which the length includes.
"""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray
from std_msgs.msg import Header

from pose3d_ros.camera import CameraPose, CameraPoseSource, Intrinsics, IntrinsicsSource
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
# Where the fields after the keypoints begin.
_MOTION = 88 + K * _KEYPOINT.itemsize
_POSE = np.dtype(
    {
        'names': [
            'track_id', 'score', 'state', 'age', 'root_covariance', 'keypoints',
            'velocity', 'velocity_covariance', 'heading', 'heading_stddev',
            'height', 'height_stddev', 'first_sec', 'first_nanosec',
        ],
        'formats': [
            '<i4', '<f4', 'u1', '<f4', ('<f8', 9), (_KEYPOINT, K),
            ('<f8', 3), ('<f8', 9), ('<f8', 3), '<f4', '<f4', '<f4', '<i4', '<u4',
        ],
        'offsets': [
            0, 4, 8, 12, 16, 88,
            *(_MOTION + n for n in (0, 24, 96, 120, 124, 128, 132, 136)),
        ],
    }
)  # fmt: skip
# A pose starts at a multiple of four bytes. Where that is no multiple of eight, there is a gap
# before its first eight-byte field.
_SIZE = _MOTION + 140
_BEFORE_COVARIANCE = 16
_ENCAPSULATION = bytes([0, 1, 0, 0])  # XCDR1, little-endian


def pose_array_cdr(
    tracked: TrackedPeople,
    header: Header,
    intrinsics: Intrinsics | IntrinsicsSource,
    camera_pose: CameraPose | None = None,
    camera_pose_source: CameraPoseSource = CameraPoseSource.NONE,
    scale_source: int = PoseArray3D.ASSUMED_HEIGHT,
) -> bytes:
    """Return a serialised PoseArray3D.

    Parameters
    ----------
    tracked
        People in the frame of `header`.
    header
        Header of the message.
    intrinsics
        Of the camera; for people of several cameras only the source, of the least certain.
    camera_pose
        Attitude and height of the camera that were used. None: unknown.
    camera_pose_source
        Source of that pose.
    scale_source
        Of people of several cameras, where they are neither triangulated nor measured.
    """
    lens = intrinsics if isinstance(intrinsics, Intrinsics) else None
    source = intrinsics.source if isinstance(intrinsics, Intrinsics) else intrinsics
    numbers = (lens.fx, lens.fy, lens.cx, lens.cy) if lens else (np.nan,) * 4
    model, distortion = (lens.model, lens.distortion) if lens else ('', ())
    data = bytearray(_ENCAPSULATION)
    data += struct.pack('<iI', header.stamp.sec, header.stamp.nanosec)
    _add_string(data, header.frame_id)
    _add_string(data, PANOPTIC19.name)
    data += bytes([source, _scale_source(tracked, camera_pose, scale_source)])
    _align(data, 4)
    data += struct.pack('<I', len(tracked))
    for fields in _poses(tracked):
        data += fields[:_BEFORE_COVARIANCE]
        _align(data, 8)
        data += fields[_BEFORE_COVARIANCE:_SIZE]
    data += _camera_pose(camera_pose, camera_pose_source)
    _add_string(data, tracked.people.people_2d.keypoint_set)
    _align(data, 4)
    data += _floats(*numbers)
    _add_string(data, model)
    _align(data, 4)
    data += struct.pack('<I', len(distortion)) + _floats(*distortion)
    return bytes(data)


def _align(data: bytearray, size: int) -> None:
    """Fill up to a multiple of `size`, counted from the end of the encapsulation header."""
    data += bytes((len(_ENCAPSULATION) - len(data)) % size)


def _add_string(data: bytearray, text: str) -> None:
    _align(data, 4)
    encoded = text.encode() + b'\0'
    data += struct.pack('<I', len(encoded)) + encoded


def _floats(*numbers: float) -> bytes:
    return np.array(numbers, '<f4').tobytes()


def _poses(tracked: TrackedPeople) -> list[bytes]:
    """Return the fields of each Pose3D, as ``_POSE`` has them."""
    people, poses = tracked.people, np.zeros(len(tracked), _POSE)
    poses['track_id'] = tracked.track_id
    poses['score'] = people.people_2d.score
    poses['state'] = tracked.state
    poses['age'] = tracked.age_s
    poses['root_covariance'] = people.root_covariance_m2.reshape(-1, 9)
    keypoints = poses['keypoints']
    keypoints['position'] = people.xyz_m
    keypoints['u'] = people.people_2d.xy_px[..., 0]
    keypoints['v'] = people.people_2d.xy_px[..., 1]
    keypoints['score'] = people.people_2d.scores
    keypoints['position_stddev'] = np.nan if people.sd_m is None else people.sd_m
    keypoints['source'] = people.source
    _fill_motion(poses, tracked)
    return [pose.tobytes() for pose in poses]


def _scale_source(tracked: TrackedPeople, camera_pose: CameraPose | None, of_others: int) -> int:
    """Return the source of the metric scale of all people: the least certain one."""
    if not len(tracked):
        return int(PoseArray3D.ASSUMED_HEIGHT)
    source = tracked.people.source
    # As numbers: numpy converts members of an enum slowly.
    kinds = (int(Source.FUSED), int(Source.DEPTH))
    triangulated, measured = ((source == kind).any(axis=1) for kind in kinds)
    if (triangulated | measured).all():
        return int(PoseArray3D.CAMERAS if triangulated.any() else PoseArray3D.DEPTH)
    if camera_pose is not None and np.isfinite(camera_pose.height_m):
        return int(PoseArray3D.CAMERA_HEIGHT)
    return int(of_others)


def _fill_motion(poses: NDArray[np.void], tracked: TrackedPeople) -> None:
    """Write what tracking found; NaN where it is unknown."""
    values = {
        'velocity': tracked.velocity_m_s,
        'velocity_covariance': tracked.velocity_covariance,
        'heading': tracked.heading,
        'heading_stddev': tracked.heading_sd_rad,
        'height': tracked.height_m,
        'height_stddev': tracked.height_sd_m,
    }
    for name, value in values.items():
        poses[name] = np.nan if value is None else value.reshape(poses[name].shape)
    if tracked.first_s is not None:
        sec = np.floor(tracked.first_s)
        poses['first_sec'] = sec
        poses['first_nanosec'] = np.round((tracked.first_s - sec) * 1e9)


def _camera_pose(pose: CameraPose | None, source: CameraPoseSource) -> bytes:
    """Return a serialised CameraPose."""
    if pose is None:
        return bytes([CameraPoseSource.NONE, 0, 0, 0]) + _floats(*(np.nan,) * 6)
    height_sd_m = pose.height_sd * pose.height_m
    numbers = _floats(*pose.up, pose.up_sd_rad, pose.height_m, height_sd_m)
    return bytes([source, 0, 0, 0]) + numbers
