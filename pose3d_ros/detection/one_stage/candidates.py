"""Rows of numbers -> candidates for people, whatever the layout of the outputs.

The outputs are one of two layouts, which the contract states by the meanings that it names:

- `rows`: one output ``(1, N, F)`` or ``(1, F, N)`` with the fields of ``NetworkSpec.row``, as of
  MoveNet MultiPose and YOLO-pose;
- `keypoints` ``(1, N, k, 2)`` or ``(1, N, k, 3)`` with `boxes` ``(1, N, 5)`` (four numbers and the
  score), as of RTMO, or with `scores` ``(1, N)``, as of DETRPose. A third number of a keypoint is
  its score; without one, each keypoint has the score of its person.

N may depend on the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.detection.keypoint_sets import KEYPOINT_SETS
from pose3d_ros.network_spec import NetworkSpec

ROWS, KEYPOINTS, BOXES, SCORES = 'rows', 'keypoints', 'boxes', 'scores'
LAYOUTS = ({ROWS}, {KEYPOINTS, BOXES}, {KEYPOINTS, SCORES})


Array = NDArray[np.float64]


@dataclass(frozen=True)
class Candidates:
    """Rows of a network's output: N candidates for people with k keypoints of its own set.

    Positions are in network edge coordinates, px of the input.

    Parameters
    ----------
    xy
        ``(N, k, 2)``.
    scores
        ``(N, k)`` in [0, 1].
    score
        ``(N,)`` in [0, 1], of each person.
    boxes
        ``(N, 4)``, x0, y0, x1, y1. None: the network has none.
    """

    xy: Array
    scores: Array
    score: Array
    boxes: Array | None


def read_candidates(
    outputs: dict[str, NDArray[np.float32]], spec: NetworkSpec, input_hw: tuple[int, int]
) -> Candidates:
    """Return the candidates of an image in one layout, whatever that of the network.

    Parameters
    ----------
    outputs
        By their meaning, without the axis of the batch.
    spec
        The contract.
    input_hw
        Height and width of the network's input, px.
    """
    fields = _row_fields(outputs[ROWS], spec) if ROWS in outputs else _tensor_fields(outputs)
    score = fields['score'][:, 0].astype(np.float64)
    count = len(KEYPOINT_SETS[spec.keypoint_set])
    width = fields['keypoints'].shape[1] // count
    keypoints = fields['keypoints'].reshape(len(score), count, width).astype(np.float64)
    xy, scores = keypoints[..., :2], np.broadcast_to(score[:, np.newaxis], (len(score), count))
    if width == 3:
        scores = keypoints[..., 2]
    unit = _unit(spec, input_hw)
    xy = (xy[..., ::-1] if spec.order == 'yx' else xy) * unit
    boxes = None
    if 'box' in fields:
        first, second = np.split(fields['box'].astype(np.float64), 2, axis=1)
        if spec.box == 'centre':
            first, second = first - second / 2, first + second / 2
        corners = (first[:, ::-1], second[:, ::-1]) if spec.order == 'yx' else (first, second)
        boxes = np.hstack([corner * unit for corner in corners])
    return Candidates(xy, np.clip(scores, 0, 1), np.clip(score, 0, 1), boxes)


def _row_fields(rows: NDArray[np.float32], spec: NetworkSpec) -> dict[str, NDArray[np.float32]]:
    """Split rows into their fields: name -> ``(N, width of the field)``."""
    widths = field_widths(spec, rows.shape)
    if rows.shape[-1] != sum(widths):
        rows = rows.T
    ends = np.cumsum(widths)
    return dict(zip(spec.row, np.split(rows, ends[:-1], axis=1), strict=True))


def _tensor_fields(outputs: dict[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    """Name the fields of outputs that are apart, as `_row_fields` does."""
    people, count, width = outputs[KEYPOINTS].shape
    fields = {'keypoints': outputs[KEYPOINTS].reshape(people, count * width)}
    if BOXES in outputs:
        return fields | {'box': outputs[BOXES][:, :4], 'score': outputs[BOXES][:, 4:5]}
    return fields | {'score': outputs[SCORES].reshape(-1, 1)}


def field_widths(spec: NetworkSpec, shape: Sequence[int]) -> list[int]:
    """Return the width of each field of a row, for keypoints with or without scores."""
    count = len(KEYPOINT_SETS[spec.keypoint_set])
    for numbers in (3, 2):
        known = {'box': 4, 'score': 1, 'class': 1, 'keypoints': numbers * count}
        widths = [known[name] for name in spec.row]
        if sum(widths) in shape[-2:]:
            return widths
    return []


def _unit(spec: NetworkSpec, input_hw: tuple[int, int]) -> Array:
    """Return the px of the input per unit of a position, (x, y)."""
    return np.array(input_hw[::-1] if spec.coordinates == 'share' else (1, 1), np.float64)
