"""Conversion of people to a PointCloud2: points on the axes of limbs and trunk.

Programs that take obstacles from point clouds (costmaps, collision monitors, octomaps) take people
from it without knowledge of poses.
"""

from __future__ import annotations

from array import array

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import PointCloud2, PointField

from pose3d_ros.people import TrackedPeople
from pose3d_ros.ros.messages.transforms import PeopleInFrame
from pose3d_ros.skeleton import PANOPTIC19

_FLOAT, _INT, _BYTE = (
    ('<f4', PointField.FLOAT32),
    ('<i4', PointField.INT32),
    ('u1', PointField.UINT8),
)
# Name, type for numpy and type for the message of each field.
FIELDS = {
    'x': _FLOAT, 'y': _FLOAT, 'z': _FLOAT, 'track_id': _INT, 'keypoint': _BYTE, 'score': _FLOAT
}  # fmt: skip
# Offsets are multiples of four, so that every field is aligned.
_OFFSETS = [4 * i for i in range(len(FIELDS))]
POINT = np.dtype(
    {
        'names': list(FIELDS),
        'formats': [kind for kind, _ in FIELDS.values()],
        'offsets': _OFFSETS,
        'itemsize': 4 * len(FIELDS),
    }
)
_POINT_FIELDS = [
    PointField(name=name, offset=offset, datatype=datatype, count=1)
    for (name, (_, datatype)), offset in zip(FIELDS.items(), _OFFSETS, strict=True)
]

# The lines with points: all limbs, and both sides of the trunk, which its axis leaves out.
LINES = np.concatenate(
    [
        PANOPTIC19.limb_indices(),
        [PANOPTIC19.indices((f'{side}_shoulder', f'{side}_hip')) for side in ('left', 'right')],
    ]
)
# Least radius of the part of the body along a line, m, by the name of its outer keypoint, for an
# adult. Neighbouring points of a line are at most one radius apart.
RADIUS_M = {
    'neck': 0.1, 'shoulder': 0.06, 'hip': 0.1, 'nose': 0.06, 'eye': 0.03, 'ear': 0.06,
    'elbow': 0.045, 'wrist': 0.035, 'knee': 0.058, 'ankle': 0.04,
}  # fmt: skip
_SPACING_M = np.array([RADIUS_M[PANOPTIC19.keypoints[end].split('_')[-1]] for end in LINES[:, 1]])
# Bounds the points of one line, which a wrong pose may make many metres long.
MAX_POINTS_OF_LINE = 50


def people_cloud(people: PeopleInFrame) -> PointCloud2:
    """Return points along the limbs and the trunk of all people, in the frame of the header.

    `keypoint` is the nearer end of the line, `score` the network's score of that keypoint, 0 for
    one that is not detected in the image. Lines with an unknown end have no points; known
    keypoints have one. Without people the cloud is empty.
    """
    points = _points(people.tracked)
    return PointCloud2(
        header=people.header,
        height=1,
        width=len(points),
        fields=_POINT_FIELDS,
        is_bigendian=False,
        point_step=POINT.itemsize,
        row_step=POINT.itemsize * len(points),
        data=array('B', points.tobytes()),  # bytes would be checked one by one
        is_dense=True,
    )


def _points(tracked: TrackedPeople) -> NDArray[np.void]:
    xyz = tracked.people.xyz_m
    known = np.asarray(np.isfinite(xyz).all(axis=2))
    # The keypoints themselves, then the points between the ends of each line.
    person, keypoint = np.nonzero(known)
    between_person, ends, share = _between(xyz, known)
    start, end = (xyz[between_person, ends[:, i]] for i in (0, 1))
    points = np.zeros(len(person) + len(share), POINT)
    at = np.concatenate([xyz[person, keypoint], start + share[:, None] * (end - start)])
    points['x'], points['y'], points['z'] = at.T
    person = np.concatenate([person, between_person])
    nearer = np.where(share < 0.5, ends[:, 0], ends[:, 1])
    points['keypoint'] = keypoint = np.concatenate([keypoint, nearer])
    points['track_id'] = tracked.track_id[person]
    points['score'] = tracked.people.people_2d.scores[person, keypoint]
    return points


def _between(
    xyz: NDArray[np.float64], known: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Return person ``(P,)``, ends ``(P, 2)`` and share of the way ``(P,)`` of P points."""
    person, line = np.nonzero(known[:, LINES].all(axis=2))
    first, second = LINES[line].T
    length_m = np.linalg.norm(xyz[person, second] - xyz[person, first], axis=1)
    count = np.ceil(length_m / _SPACING_M[line]).astype(np.intp) - 1
    count = count.clip(0, MAX_POINTS_OF_LINE)
    repeated = np.repeat(np.arange(len(line)), count)
    number = np.arange(len(repeated)) - np.repeat(np.cumsum(count) - count, count)
    share = (number + 1) / (count[repeated] + 1)
    return person[repeated], LINES[line[repeated]], share
