"""Scenes whose truth is known by construction: people in metres -> what a perfect network says."""

import numpy as np

from pose3d_ros.camera import Intrinsics
from pose3d_ros.detection.letterbox import Letterbox
from pose3d_ros.detection.openpose.channels import (
    HEATMAP_CHANNELS,
    LOCATION_MAP_CHANNELS,
    PAF_CHANNELS,
)
from pose3d_ros.detection.openpose.outputs import Outputs
from pose3d_ros.skeleton import PANOPTIC19
from synthetic import test_card

GRID_HW = (32, 56)
# Of images of the network's own size, 448 x 256.
CAMERA = Intrinsics(360, 360, 223.5, 127.5)
BODY_HEIGHT_M = 1.8


def figure_m(turn_rad=0.0):
    """(19, 3) m from the pelvis, turned about the vertical."""
    c, s = np.cos(turn_rad), np.sin(turn_rad)
    return test_card.figure_m() @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T


def people_m(*positions_m, turn_rad=0.0):
    """(N, 19, 3) m in the camera optical frame: one figure with its pelvis at each position."""
    return np.array([figure_m(turn_rad) + p for p in positions_m]).reshape(-1, 19, 3)


def outputs(
    xyz_m,
    intrinsics,
    letterbox=None,
    hidden=(),
    grid_hw=GRID_HW,
    sigma=0.9,
    body_heights_m=BODY_HEIGHT_M,
):
    """Say what a perfect network would of (N, 19, 3) people; `hidden`: (person, keypoint)."""
    h, w = grid_hw
    letterbox = letterbox or Letterbox(1.0)
    hidden = {(person, PANOPTIC19.index(name)) for person, name in hidden}
    grid = letterbox.to_grid(intrinsics.project(xyz_m))
    y, x = np.mgrid[:h, :w] + 0.5
    heatmaps, pafs = np.zeros((19, h, w)), np.zeros((38, h, w))
    features = np.zeros((19, 3, h, w))
    relative = xyz_m - xyz_m[:, [PANOPTIC19.index('pelvis')]]
    relative /= np.reshape(body_heights_m, (-1, 1, 1))

    def near(point, radius):
        return (x - point[0]) ** 2 + (y - point[1]) ** 2 <= radius**2

    # The nearest person last: what is in front covers what is behind.
    for i in np.argsort(-xyz_m[:, PANOPTIC19.index('pelvis'), 2]):
        seen = {
            name: grid[i, k]
            for k, name in enumerate(PANOPTIC19.keypoints)
            if name != 'pelvis' and (i, k) not in hidden
        }
        for channel, name in enumerate(HEATMAP_CHANNELS):
            if name in seen:
                d2 = (x - seen[name][0]) ** 2 + (y - seen[name][1]) ** 2
                heatmaps[channel] = np.maximum(heatmaps[channel], np.exp(-d2 / (2 * sigma**2)))
        for limb, (a, b) in enumerate(PAF_CHANNELS):
            if a in seen and b in seen:
                vector = seen[b] - seen[a]
                unit = vector / np.linalg.norm(vector)
                for t in np.linspace(0, 1, 40):
                    pafs[2 * limb : 2 * limb + 2, near(seen[a] + t * vector, 1.0)] = unit[:, None]
        for channel, name in enumerate(LOCATION_MAP_CHANNELS):
            value = relative[i, PANOPTIC19.index(name)][:, None]
            for where in _mates(name) & seen.keys():
                features[channel][:, near(seen[where], 1.5)] = value
    heatmaps[18] = 1 - heatmaps[:18].max(0)
    maps = (heatmaps, pafs, features.reshape(57, h, w))
    return Outputs(*(m.astype(np.float32) for m in maps))


def _mates(name):
    """Names of the keypoints whose surroundings hold the location of one keypoint."""
    side, _, part = name.partition('_')
    for chain in (('shoulder', 'elbow', 'wrist'), ('hip', 'knee', 'ankle'), ('ear', 'eye')):
        if part in chain:
            nose = {'nose'} if part in ('ear', 'eye') else set()
            return {f'{side}_{mate}' for mate in chain} | {'neck'} | nose
    if name == 'nose':
        return {'nose', 'neck', 'left_eye', 'right_eye', 'left_ear', 'right_ear'}
    return {'neck'}
