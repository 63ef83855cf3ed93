"""Person detectors: networks that return a box for each person.

Two kinds of outputs are known: the three grids of RTMDet (Lyu et al., 2022; OpenMMLab,
Apache-2.0), and rows ``x0, y0, x1, y1, score``, as exported YOLOX and RTMDet have them, with
suppression of duplicates in the graph or without.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.detection.letterbox import Letterbox
from pose3d_ros.detection.nms import box_nms
from pose3d_ros.inference import InferenceOptions, Network
from pose3d_ros.models import ModelError
from pose3d_ros.network_graph import Graph, Shapes
from pose3d_ros.network_spec import IMAGENET_MEAN, IMAGENET_SCALE, NetworkSpec

Array = NDArray[np.float64]

FAMILY = 'person_boxes'
EXPECTED = (
    'of RTMDet, three grids (1, h, w, 5), or rows x0 y0 x1 y1 score (1, M, 5), perhaps with labels'
)
GRIDS, ROWS = 'rtmdet_grids', 'rows'
# Meanings of outputs. A row's label is the class of what is in the box; people have class 0, as
# in COCO.
BOXES, LABELS = 'boxes', 'labels'
PERSON_CLASS = 0
# Overlap from which two boxes are one person, where the graph suppresses no duplicates. Less than
# for other objects would lose people who stand behind others.
NMS_IOU = 0.65


@dataclass(frozen=True)
class Boxes:
    """The people that a person detector finds in one image, highest score first.

    Parameters
    ----------
    xyxy_px
        ``(B, 4)`` x0, y0, x1, y1, px of the source image, 0 at the centre of the first pixel.
    scores
        ``(B,)`` in [0, 1].
    """

    xyxy_px: Array
    scores: Array

    def __len__(self) -> int:
        return len(self.scores)


class BoxDetector:
    """A compiled person detector.

    Parameters
    ----------
    graph
        The network. It is changed.
    spec
        Its contract.
    input_hw
        Height and width of the input, px. None: those of the file.
    options
        Where and how the network runs.

    Raises
    ------
    ModelError
        If the network does not take the input size, its outputs cannot be decoded, or the device
        cannot be used.
    """

    def __init__(
        self,
        graph: Graph,
        spec: NetworkSpec,
        input_hw: tuple[int, int] | None,
        options: InferenceOptions,
    ) -> None:
        if spec.decoder not in DECODERS:
            raise ModelError(
                f'decoder of person detector {graph.name} must be one of {list(DECODERS)}, found '
                f'{spec.decoder!r}'
            )
        graph.set_input_size(input_hw or spec.input_hw, spec.layout)
        self.network = Network(graph, spec, options)
        self.spec = spec

    def detect(self, bgr: NDArray[np.uint8], min_score: float) -> Boxes:
        """Find the people in an image ``(H, W, 3)`` uint8, of at least a score in [0, 1]."""
        input_hw = self.network.input_hw
        image_hw = (bgr.shape[0], bgr.shape[1])
        letterbox = Letterbox.fit(image_hw, input_hw, 1, self.spec.fit, self.spec.padding)
        image = letterbox.apply(bgr, input_hw)
        boxes = decode(self.network.infer(image), self.spec, input_hw, min_score)
        corners = letterbox.to_image(boxes.xyxy_px.reshape(-1, 2, 2))
        # A box may reach beyond the image, but not when nothing of it lies inside.
        size = np.array(bgr.shape[1::-1])
        inside = ((corners[:, 1] > 0) & (corners[:, 0] < size - 1)).all(axis=1)
        clipped = np.clip(corners, -0.5, size - 0.5).reshape(-1, 4)
        return Boxes(clipped[inside], boxes.scores[inside])


def decode(
    outputs: Mapping[str, NDArray[np.float32]],
    spec: NetworkSpec,
    input_hw: tuple[int, int],
    min_score: float,
) -> Boxes:
    """Read the boxes of one image from the outputs of its network.

    Parameters
    ----------
    outputs
        By meaning, without the axis of the batch.
    spec
        The contract.
    input_hw
        Height and width of the input, px.
    min_score
        Least score of a box.

    Returns
    -------
    Boxes
        In px of the network's input, 0 at the outer edge of its first pixel.
    """
    boxes, scores = DECODERS[spec.decoder](outputs, input_hw)
    if spec.coordinates == 'share':
        boxes = boxes * np.tile(input_hw[::-1], 2)
    kept = (scores >= min_score) & np.isfinite(boxes).all(axis=1)
    boxes, scores = boxes[kept], scores[kept]
    best = box_nms(boxes, scores, 1.0 if spec.nms_iou is None else spec.nms_iou)
    boxes, scores = boxes[best], scores[best]
    return Boxes(boxes, np.clip(scores, 0.0, 1.0))


def infer_spec(inputs: Shapes, outputs: Shapes) -> NetworkSpec | None:
    """Return the contract of a person detector with one of the known outputs; None for another."""
    if len(inputs) != 1:
        return None
    (image,) = inputs.values()
    if len(image) != 4 or image[1] != 3:
        return None
    return _grids_spec(image, outputs) or _rows_spec(outputs)


def _grids_spec(image: tuple[int, ...], outputs: Shapes) -> NetworkSpec | None:
    grids = {name: shape for name, shape in outputs.items() if len(shape) == 4}
    sides = {shape[1:3] for shape in grids.values()}
    if len(grids) != len(outputs) or len(sides) != 3 or {s[3] for s in grids.values()} != {5}:
        return None
    if any(image[2] % h or image[3] % w or image[2] // h != image[3] // w for h, w in sides):
        return None
    names = {f'{BOXES}{i}': name for i, name in enumerate(grids)}
    return NetworkSpec(
        FAMILY,
        '',
        names,
        GRIDS,
        mean=IMAGENET_MEAN[::-1],
        scale=IMAGENET_SCALE[::-1],
        size_multiple=32,
        fit='top_left',
        padding=114,
        nms_iou=NMS_IOU,
    )


def _rows_spec(outputs: Shapes) -> NetworkSpec | None:
    rows = [name for name, shape in outputs.items() if len(shape) == 3 and shape[2] == 5]
    others = [name for name in outputs if name not in rows]
    if len(rows) != 1 or others not in ([], [LABELS]):
        return None
    names = {BOXES: rows[0]} | dict(zip(others, others, strict=True))
    # Graphs that suppress duplicates return as many rows as they find.
    inside = outputs[rows[0]][1] == -1
    return NetworkSpec(
        FAMILY,
        '',
        names,
        ROWS,
        size_multiple=32,
        fit='top_left',
        padding=114,
        nms_iou=None if inside else NMS_IOU,
    )


def _read_grids(
    outputs: Mapping[str, NDArray[np.float32]], input_hw: tuple[int, int]
) -> tuple[Array, Array]:
    """Read RTMDet's grids ``(h, w, 5)``: logit, and px to the left, top, right and bottom edges.

    The distances are those from column and row of the cell, times the stride.
    """
    boxes, scores = [], []
    for grid in outputs.values():
        h, w, _ = grid.shape
        stride = input_hw[0] // h
        cells = np.stack(np.meshgrid(np.arange(w), np.arange(h)), axis=-1) * stride
        boxes.append(np.concatenate([cells - grid[..., 1:3], cells + grid[..., 3:]], axis=-1))
        scores.append(1 / (1 + np.exp(-grid[..., 0].astype(np.float64))))
    return (
        np.concatenate([b.reshape(-1, 4) for b in boxes]).astype(np.float64),
        np.concatenate([s.ravel() for s in scores]),
    )


def _read_rows(
    outputs: Mapping[str, NDArray[np.float32]], input_hw: tuple[int, int]
) -> tuple[Array, Array]:
    rows = outputs[BOXES].astype(np.float64)
    if LABELS in outputs:
        rows = rows[outputs[LABELS] == PERSON_CLASS]
    return rows[:, :4], rows[:, 4]


DECODERS: dict[
    str,
    Callable[[Mapping[str, NDArray[np.float32]], tuple[int, int]], tuple[Array, Array]],
] = {GRIDS: _read_grids, ROWS: _read_rows}
