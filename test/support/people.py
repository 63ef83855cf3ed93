"""People whose positions and ids are known, as a tracker is given them."""

import numpy as np

from pose3d_ros.people import People2D, People3D, Source
from pose3d_ros.skeleton import PANOPTIC19

K = len(PANOPTIC19)
FOCAL_PX, CENTRE_PX = 1000.0, (640.0, 360.0)
LEGS = PANOPTIC19.indices(
    ('left_hip', 'right_hip', 'left_knee', 'right_knee', 'left_ankle', 'right_ankle')
)
UPPER = np.setdiff1d(np.arange(K), LEGS)
# Where two people stand, m.
LEFT, RIGHT = (-1.5, 0.0, 4.0), (1.5, 0.0, 4.0)
# Metres about the pelvis of a standing person, x right, y down; order of PANOPTIC19.
STANDING_M = np.array(
    [
        [0, -0.5, 0], [0, -0.65, -0.1], [0, 0, 0],
        [0.18, -0.48, 0], [0.22, -0.2, 0], [0.24, 0.05, 0],
        [0.1, 0, 0], [0.1, 0.42, 0], [0.1, 0.85, 0],
        [-0.18, -0.48, 0], [-0.22, -0.2, 0], [-0.24, 0.05, 0],
        [-0.1, 0, 0], [-0.1, 0.42, 0], [-0.1, 0.85, 0],
        [-0.03, -0.69, -0.08], [0.03, -0.69, -0.08], [-0.07, -0.67, 0], [0.07, -0.67, 0],
    ]
)  # fmt: skip


def scene(places_m, hidden=None, rng=None):
    """People3D of people who stand at (N, 3) m; hidden (N, K) keypoints are not seen.

    With rng, errors as of reference decodings: 3 px, 0.03 m in the pose, a tenth of the distance.
    """
    xyz_m = STANDING_M + np.reshape(places_m, (-1, 1, 3))
    n = len(xyz_m)
    xy_px = xyz_m[..., :2] / xyz_m[..., 2:] * FOCAL_PX + CENTRE_PX
    if rng is not None:
        xy_px = xy_px + rng.normal(0, 3, xy_px.shape)
        xyz_m = (xyz_m + rng.normal(0, 0.03, xyz_m.shape)) * (1 + rng.normal(0, 0.1, (n, 1, 1)))
    hidden = np.zeros((n, K), bool) if hidden is None else np.array(hidden, bool)
    xy_px[hidden] = np.nan
    scores = np.where(hidden, 0.0, 0.7)
    source = np.where(hidden, Source.INFERRED, Source.OBSERVED).astype(np.uint8)
    people = People2D(xy_px, scores, np.full(n, 0.8))
    return People3D(people, xyz_m, source, np.full((n, 3, 3), np.nan))


def without(*hidden):
    """(N, K) of hidden keypoints, from one list of indices per person."""
    mask = np.zeros((len(hidden), K), bool)
    for row, which in zip(mask, hidden, strict=True):
        row[which] = True
    return mask
