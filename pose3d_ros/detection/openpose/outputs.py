"""Outputs of networks with heatmaps and part affinity fields."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.detection.openpose.channels import (
    HEATMAP_CHANNELS,
    LOCATION_MAP_CHANNELS,
    PAF_CHANNELS,
)

# Number of channels of each output. Location maps are optional.
HEATMAPS, PAFS, LOCATION_MAPS = 'heatmaps', 'pafs', 'features'
CHANNELS = {
    HEATMAPS: len(HEATMAP_CHANNELS) + 1,  # and background
    PAFS: 2 * len(PAF_CHANNELS),
    LOCATION_MAPS: 3 * len(LOCATION_MAP_CHANNELS),
}


@dataclass(frozen=True)
class Outputs:
    """Output of a network for one image, on a grid of h x w cells.

    Parameters
    ----------
    heatmaps
        ``(19, h, w)`` float32, about 0 to 1: keypoints of ``channels.HEATMAP_CHANNELS`` and
        background.
    pafs
        ``(38, h, w)`` float32, part affinity fields: unit vectors along limbs, x and y of each of
        ``channels.PAF_CHANNELS``.
    features
        ``(57, h, w)`` float32, location maps: x, y, z of each of
        ``channels.LOCATION_MAP_CHANNELS`` in body heights, relative to a point of the body that
        is the same for all of them. None: the network has none.

    Raises
    ------
    ValueError
        If a shape is another.
    """

    heatmaps: NDArray[np.float32]
    pafs: NDArray[np.float32]
    features: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        for name, channels in CHANNELS.items():
            if name == LOCATION_MAPS and self.features is None:
                continue
            shape = getattr(self, name).shape
            if shape != (channels, *self.heatmaps.shape[1:]) or len(shape) != 3:
                raise ValueError(f'{name} must be ({channels}, h, w), found {shape}')
