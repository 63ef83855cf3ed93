"""A network that detects the figures of the test card exactly, and nothing else."""

from __future__ import annotations

import numpy as np
import openvino as ov
import openvino.opset13 as ops
from numpy.typing import NDArray

from pose3d_ros.detection.openpose.channels import (
    HEATMAP_CHANNELS,
    LOCATION_MAP_CHANNELS,
    PAF_CHANNELS,
)
from pose3d_ros.skeleton import PANOPTIC19
from synthetic import test_card

STRIDE = 8
# Matches are averaged over blocks of this many pixels each way first, in a tenth of the time.
POOL = 2
# Standard deviation of the heatmaps' Gaussians, input px, as in Lightweight OpenPose's training.
SIGMA_PX = 7.0
BODY_HEIGHT_M = 1.8


def network() -> ov.Model:
    """Build the network, with the inputs and outputs of human-pose-estimation-3d-0001.

    Location maps are constant: all figures are the same one and face the camera.
    """
    data = ops.parameter([1, 3, *test_card.SIZE_HW], np.float32, name='data')
    data.output(0).get_tensor().set_names({'data'})
    red = ops.gather(data, np.array([2]), np.array(1))
    keypoints = _matches(red, test_card.KEYPOINT_CODES)
    heatmaps = _heatmaps(keypoints)
    pafs = _pafs(ops.concat([_matches(red, test_card.LIMB_CODES), keypoints], axis=1))
    results = []
    for name, maps in (('heatmaps', heatmaps), ('pafs', pafs), ('features', _features(heatmaps))):
        maps.output(0).get_tensor().set_names({name})
        results.append(ops.result(maps))
    return ov.Model(results, [data], test_card.NAME)


def _matches(red: ov.Node, codes: NDArray[np.int_]) -> ov.Node:
    """Return the share of each POOL x POOL block with each code: (1, C, H / POOL, W / POOL)."""
    off = ops.abs(ops.subtract(red, codes.astype(np.float32).reshape(1, -1, 1, 1)))
    match = ops.relu(ops.subtract(np.float32(1), off))
    size, no = [POOL] * 2, [0, 0]
    return ops.avg_pool(match, size, no, no, size, exclude_pad=True)


def _heatmaps(keypoints: ov.Node) -> ov.Node:
    """Draw Gaussians with the peak 1 for a complete disc, and background: (1, 19, h, w)."""
    stride, sigma = STRIDE // POOL, SIGMA_PX / POOL
    radius = (test_card.KEYPOINT_RADIUS_PX + 0.5) / POOL
    size = 5 * stride
    # The kernel is centred on its cell: size, stride and padding are even.
    offset = np.arange(size) - (size - 1) / 2
    d2 = offset**2 + offset[:, np.newaxis] ** 2
    kernel = np.exp(-d2 / (2 * sigma**2))
    kernel /= kernel[d2 <= radius**2].sum()
    groups = len(HEATMAP_CHANNELS)
    weights = np.broadcast_to(kernel, (groups, 1, 1, size, size)).astype(np.float32)
    pad = [(size - stride) // 2] * 2
    maps = ops.group_convolution(keypoints, weights, [stride] * 2, pad, pad, [1, 1])
    background = ops.subtract(np.float32(1), ops.reduce_max(maps, np.array([1]), keep_dims=True))
    return ops.concat([maps, background], axis=1)


def _pafs(matches: ov.Node) -> ov.Node:
    """Draw each limb's direction at the limb and at the discs of its ends: (1, 38, h, w)."""
    figure = test_card.figure_m()
    limbs, keypoints = len(PAF_CHANNELS), len(HEATMAP_CHANNELS)
    weights = np.zeros((2 * limbs, limbs + keypoints, 1, 1), np.float32)
    for i, ends in enumerate(PAF_CHANNELS):
        a, b = PANOPTIC19.indices(ends)
        direction = figure[b, :2] - figure[a, :2]
        direction /= np.linalg.norm(direction)
        for channel in (i, *(limbs + HEATMAP_CHANNELS.index(end) for end in ends)):
            weights[2 * i : 2 * i + 2, channel, 0, 0] = direction
    stride = STRIDE // POOL
    pool, pad = [2 * stride] * 2, [stride // 2] * 2
    # Limbs are thinner than cells: any matching pixel in the neighbourhood counts.
    near = ops.max_pool(matches, [stride] * 2, [1, 1], pad, pad, pool, 'floor').output(0)
    return ops.convolution(near, weights, [1, 1], [0, 0], [0, 0], [1, 1])


def _features(heatmaps: ov.Node) -> ov.Node:
    """Return the constant location maps of the figure: (1, 57, h, w)."""
    order = PANOPTIC19.indices(LOCATION_MAP_CHANNELS)
    values = (test_card.figure_m()[order] / BODY_HEIGHT_M).reshape(1, -1, 1, 1)
    h, w = (size // STRIDE for size in test_card.SIZE_HW)
    return ops.broadcast(values.astype(np.float32), np.array([1, values.size, h, w]))
