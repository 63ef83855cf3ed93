"""Location maps: 3D positions of keypoints, read at the cells where keypoints are detected.

As in single-shot multi-person 3D pose (Mehta et al., arXiv 1712.03453): the cell of a keypoint
holds the position of that keypoint and of the others of its limb, relative to one point of the
body; the cell of the neck holds the positions of all keypoints.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.detection.letterbox import Letterbox
from pose3d_ros.detection.openpose.channels import LOCATION_MAP_CHANNELS, PAF_CHANNELS
from pose3d_ros.people import K, People2D
from pose3d_ros.skeleton import PANOPTIC19

# Keypoints whose cells hold each other's position.
_LIMBS = (
    ('left_shoulder', 'left_elbow', 'left_wrist'),
    ('right_shoulder', 'right_elbow', 'right_wrist'),
    ('left_hip', 'left_knee', 'left_ankle'),
    ('right_hip', 'right_knee', 'right_ankle'),
    ('right_ear', 'right_eye', 'nose'),
    ('left_ear', 'left_eye', 'nose'),
)


def _pairs() -> tuple[NDArray[np.intp], ...]:
    """Return which keypoint can be read at which, sorted by the former."""
    where = np.zeros((K, K), bool)
    where[:, PANOPTIC19.index('neck')] = True
    for limb in _LIMBS:
        indices = PANOPTIC19.indices(limb)
        where[np.ix_(indices, indices)] = True
    return np.nonzero(where)


# Reading m is the position of keypoint READ[m] in the cell of keypoint READ_AT[m].
READ, READ_AT = _pairs()
# Unit of location maps: an assumed body height, m.
BODY_HEIGHT_M = 1.8
# Index of the reading of each keypoint in its own cell; -1 for the pelvis, which has none.
OWN_READING = np.array(
    [np.flatnonzero((k == READ) & (k == READ_AT)).max(initial=-1) for k in range(K)]
)
# Channels of x, y and z of each keypoint, and of each reading.
_CHANNELS = 3 * np.array(
    [[LOCATION_MAP_CHANNELS.index(name)] for name in PANOPTIC19.keypoints]
) + np.arange(3)
_READ_CHANNELS = _CHANNELS[READ]
# For each limb: the channels of its second keypoint, and whether the cells of its first keypoint
# hold them.
_LIMBS_ENDS = np.array([PANOPTIC19.indices(limb) for limb in PAF_CHANNELS])
_SECOND_CHANNELS = _CHANNELS[_LIMBS_ENDS[:, 1]]
_COMPARABLE = np.array([((b == READ) & (a == READ_AT)).any() for a, b in _LIMBS_ENDS])


@dataclass(frozen=True)
class LocationMaps:
    """Location maps of one image.

    Parameters
    ----------
    features
        ``(57, h, w)``, see ``outputs.Outputs``.
    letterbox
        How the image lies in the network's input.
    """

    features: NDArray[np.float32]
    letterbox: Letterbox

    def read(self, people: People2D) -> NDArray[np.float64]:
        """Read the positions of READ in the cells of READ_AT: ``(N, M, 3)`` body heights.

        They are relative to one point of the body, which depends on the network (the neck in
        human-pose-estimation-3d-0001). NaN where the keypoint of the cell is not detected.
        Readings of one keypoint may differ, because a cell may belong to a person in front.
        """
        h, w = self.features.shape[1:]
        xy = np.where(people.detected[..., np.newaxis], people.xy_px, 0)
        cells = _cells(self.letterbox.to_grid(xy), h, w)
        where = cells[:, READ_AT, np.newaxis] + _READ_CHANNELS * (h * w)
        readings: NDArray[np.float64] = self.features.reshape(-1)[where].astype(np.float64)
        readings[~people.detected[:, READ_AT]] = np.nan
        return readings


def disagreement(
    features: NDArray[np.float32],
    limb: NDArray[np.intp],
    first_xy: NDArray[np.float32],
    second_xy: NDArray[np.float32],
) -> NDArray[np.float64]:
    """Compare the positions of the second ends of limbs, read at both ends of each.

    Two keypoints of one person give the same position.

    Parameters
    ----------
    features
        ``(57, h, w)``.
    limb
        ``(T,)`` indices into ``channels.PAF_CHANNELS``.
    first_xy, second_xy
        ``(T, 2)`` grid edge coordinates.

    Returns
    -------
    ``(T,)`` distance between the two readings, body heights. 0 for limbs whose second keypoint
    cannot be read at the first (shoulder to ear).
    """
    h, w = features.shape[1:]
    flat, channels = features.reshape(-1), _SECOND_CHANNELS[limb] * (h * w)
    first, second = (
        flat[channels + _cells(xy, h, w)[:, np.newaxis]] for xy in (first_xy, second_xy)
    )
    return np.where(_COMPARABLE[limb], np.linalg.norm(first - second, axis=1), 0)


def _cells(grid_xy: NDArray[np.floating], h: int, w: int) -> NDArray[np.intp]:
    """Return the index of the cell of an ``(h, w)`` map that contains each point."""
    corner = np.floor(grid_xy).astype(np.intp)
    x, y = np.minimum(np.maximum(corner, 0), (w - 1, h - 1)).T
    cells: NDArray[np.intp] = (y * w + x).T
    return cells
