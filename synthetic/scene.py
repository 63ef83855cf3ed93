"""Scenes with known truth: what a perfect OpenPose-style network returns for people in metres."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import Intrinsics
from pose3d_ros.detection.letterbox import Letterbox
from pose3d_ros.detection.openpose.channels import (
    HEATMAP_CHANNELS,
    LOCATION_MAP_CHANNELS,
    PAF_CHANNELS,
)
from pose3d_ros.detection.openpose.outputs import Outputs
from pose3d_ros.people import K
from pose3d_ros.skeleton import PANOPTIC19
from synthetic import test_card

Array = NDArray[np.float64]

GRID_HW = (32, 56)
# For images of the network's own size, 448 x 256.
CAMERA = Intrinsics(360, 360, 223.5, 127.5)
BODY_HEIGHT_M = 1.8
# Standard deviation of the heatmaps' Gaussians, cells.
SIGMA = 0.9
# Half the width of a part affinity field, and the radius in which location maps are filled, cells.
PAF_RADIUS = 1.0
LOCATION_RADIUS = 1.5
PELVIS = PANOPTIC19.index('pelvis')


def figure_m(turn_rad: float = 0.0) -> Array:
    """Return a standing figure ``(K, 3)``, m from the pelvis, turned about the vertical."""
    c, s = np.cos(turn_rad), np.sin(turn_rad)
    return np.asarray(test_card.figure_m() @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T)


def people_m(*positions_m: tuple[float, float, float], turn_rad: float = 0.0) -> Array:
    """Return figures ``(N, K, 3)`` with the pelvis at each position, camera optical frame."""
    return np.array([figure_m(turn_rad) + p for p in positions_m]).reshape(-1, K, 3)


def outputs(
    xyz_m: Array,
    intrinsics: Intrinsics,
    letterbox: Letterbox | None = None,
    hidden: Iterable[tuple[int, str]] = (),
    grid_hw: tuple[int, int] = GRID_HW,
    sigma: float = SIGMA,
) -> Outputs:
    """Return the outputs of a perfect network for people ``(N, K, 3)`` m.

    Parameters
    ----------
    xyz_m
        Camera optical frame. Nearer people occlude farther ones in the location maps.
    intrinsics
        Of the camera.
    letterbox
        Of the image in the network's input; by default the image is the input.
    hidden
        (person, keypoint) that the network does not detect.
    grid_hw
        Rows and columns of the output grid.
    sigma
        Of the heatmaps' Gaussians, cells.
    """
    grid_xy = (letterbox or Letterbox(1.0)).to_grid(intrinsics.project(xyz_m))
    relative = (xyz_m - xyz_m[:, [PELVIS]]) / BODY_HEIGHT_M
    return draw_outputs(grid_xy, relative, xyz_m[:, PELVIS, 2], hidden, grid_hw, sigma)


def draw_outputs(
    grid_xy: Array,
    relative: Array,
    depth: Array,
    hidden: Iterable[tuple[int, str]] = (),
    grid_hw: tuple[int, int] = GRID_HW,
    sigma: float = SIGMA,
) -> Outputs:
    """Draw heatmaps, part affinity fields and location maps.

    Parameters
    ----------
    grid_xy
        ``(N, K, 2)``, keypoints in cells of the grid.
    relative
        ``(N, K, 3)``, keypoints relative to the pelvis in body heights, for the location maps.
    depth
        ``(N,)``, distance along the view: nearer people occlude farther ones.
    hidden, grid_hw, sigma
        See `outputs`.
    """
    not_detected = {(person, PANOPTIC19.index(name)) for person, name in hidden}
    y, x = np.mgrid[: grid_hw[0], : grid_hw[1]] + 0.5
    heatmaps = np.zeros((len(HEATMAP_CHANNELS) + 1, *grid_hw))
    pafs = np.zeros((2 * len(PAF_CHANNELS), *grid_hw))
    locations = np.zeros((len(LOCATION_MAP_CHANNELS), 3, *grid_hw))

    def near(point: Array, radius: float) -> NDArray[np.bool_]:
        return np.asarray((x - point[0]) ** 2 + (y - point[1]) ** 2 <= radius**2)

    for i in np.argsort(-depth).tolist():
        at = {
            name: grid_xy[i, k]
            for k, name in enumerate(PANOPTIC19.keypoints)
            if k != PELVIS and (i, k) not in not_detected
        }
        for channel, name in enumerate(HEATMAP_CHANNELS):
            if name in at:
                d2 = (x - at[name][0]) ** 2 + (y - at[name][1]) ** 2
                heatmaps[channel] = np.maximum(heatmaps[channel], np.exp(-d2 / (2 * sigma**2)))
        for limb, (a, b) in enumerate(PAF_CHANNELS):
            if a in at and b in at:
                vector = at[b] - at[a]
                unit = vector / np.linalg.norm(vector)
                for t in np.linspace(0, 1, 40):
                    cells = near(at[a] + t * vector, PAF_RADIUS)
                    pafs[2 * limb : 2 * limb + 2, cells] = unit[:, None]
        for channel, name in enumerate(LOCATION_MAP_CHANNELS):
            value = relative[i, PANOPTIC19.index(name)][:, None]
            for where in _read_at(name) & at.keys():
                locations[channel][:, near(at[where], LOCATION_RADIUS)] = value
    heatmaps[-1] = 1 - heatmaps[:-1].max(0)
    return Outputs(
        heatmaps.astype(np.float32),
        pafs.astype(np.float32),
        locations.reshape(-1, *grid_hw).astype(np.float32),
    )


def _read_at(name: str) -> set[str]:
    """Return the keypoints around which the location map of one keypoint is filled."""
    side, _, part = name.partition('_')
    for chain in (('shoulder', 'elbow', 'wrist'), ('hip', 'knee', 'ankle'), ('ear', 'eye')):
        if part in chain:
            nose = {'nose'} if part in ('ear', 'eye') else set()
            return {f'{side}_{other}' for other in chain} | {'neck'} | nose
    if name == 'nose':
        return {'nose', 'neck', 'left_eye', 'right_eye', 'left_ear', 'right_ear'}
    return {'neck'}
