"""Pose networks on crops that return positions: one row y, x, score or x, y, score per keypoint.

MoveNet Lightning and Thunder (Google, Apache-2.0) return ``(1, 1, 17, 3)``: y, x and score,
positions as shares of the crop.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.network_graph import Shapes
from pose3d_ros.network_spec import NetworkSpec

Array = NDArray[np.float64]

DECODER = 'direct'
KEYPOINTS = 'keypoints'


def decode(
    outputs: Mapping[str, NDArray[np.float32]], spec: NetworkSpec, input_hw: tuple[int, int]
) -> tuple[Array, Array]:
    """Read the keypoints of N crops.

    Parameters
    ----------
    outputs
        ``keypoints`` ``(N, ..., K, 3)``.
    spec
        Order and unit of the coordinates.
    input_hw
        Height and width of the input, px.

    Returns
    -------
    xy_input, scores
        ``(N, K, 2)``, px of the input, 0 at the outer edge of its first pixel, and ``(N, K)`` in
        [0, 1].
    """
    rows = outputs[KEYPOINTS].astype(np.float64)
    rows = rows.reshape(len(rows), -1, 3)
    xy = rows[..., :2] if spec.order == 'xy' else rows[..., 1::-1]
    # Shares are those of the whole input; px are those of pixel centres.
    xy_input = xy * (input_hw[1], input_hw[0]) if spec.coordinates == 'share' else xy + 0.5
    return xy_input, np.clip(rows[..., 2], 0.0, 1.0)


def infer_spec(inputs: Shapes, outputs: Shapes) -> NetworkSpec | None:
    """Return the contract of a network like MoveNet for one person; None for another."""
    images = {shape[3:] for shape in inputs.values()}
    keypoints = {shape[1:] for shape in outputs.values()}
    if images != {(3,)} or keypoints != {(1, 17, 3)}:
        return None
    return NetworkSpec(
        'top_down',
        'coco17',
        {KEYPOINTS: next(iter(outputs))},
        DECODER,
        layout='NHWC',
        colour='rgb',
        resizable=False,
        padding=0,
        coordinates='share',
        order='yx',
    )
