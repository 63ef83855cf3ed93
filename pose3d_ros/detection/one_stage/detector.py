"""The detector of networks of one stage, and which networks these are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.detection.detector import Thresholds
from pose3d_ros.detection.keypoint_sets import KEYPOINT_SETS, to_panoptic19
from pose3d_ros.detection.letterbox import Letterbox
from pose3d_ros.detection.nms import box_nms, keypoint_nms
from pose3d_ros.detection.one_stage.candidates import (
    BOXES,
    KEYPOINTS,
    LAYOUTS,
    ROWS,
    SCORES,
    Candidates,
    field_widths,
    read_candidates,
)
from pose3d_ros.detection.resizing import ResizingNetwork, input_sizing
from pose3d_ros.detections import Detections
from pose3d_ros.images import CameraImage
from pose3d_ros.inference import InferenceOptions
from pose3d_ros.models import ModelError
from pose3d_ros.network_graph import Graph
from pose3d_ros.network_signature import Signature, TensorInfo
from pose3d_ros.network_spec import InputSize, NetworkSpec
from pose3d_ros.people import People2D

FAMILY = 'one_stage'
EXPECTED = (
    'rows of 56 numbers (1, n, 56) of one int32 or uint8 image (1, height, width, 3); or dets '
    '(1, n, 5) and keypoints (1, n, 17, 3) of one image (1, 3, height, width); or scores (1, n) '
    'and keypoints (1, n, 17, 2) of one such image and its size'
)
# Numbers of a row of 17 keypoints (y, x, score), a box and its score.
ROW_OF_SHARES = 56
# Two people whose keypoints are more alike than this (OKS) are one.
MAX_OKS = 0.7


class OneStageDetector:
    """A network that returns people.

    Parameters
    ----------
    graph
        The network.
    spec
        Its contract.
    input_hw
        Height and width of the input, px. A width of None follows from the aspect of the images.
        None: what contract and file tell.
    options
        Where and how the network runs.
    thresholds
        How much evidence is needed. None: the defaults.

    Raises
    ------
    ModelError
        If the network does not take the input size, its outputs are not those of the contract, or
        the device cannot be used.
    """

    stride = 0
    has_location_maps = False
    detector_interval = 1

    def __init__(
        self,
        graph: Graph,
        spec: NetworkSpec,
        input_hw: InputSize,
        options: InferenceOptions,
        thresholds: Thresholds | None = None,
    ) -> None:
        check_outputs(graph, spec)
        sizing = input_sizing(graph, spec, input_hw)
        self.network = ResizingNetwork(graph, spec, options, sizing)
        self.spec = spec
        self.name, self.device = self.network.name, self.network.device
        self.thresholds = thresholds or Thresholds()

    @property
    def input_hw(self) -> tuple[int, int]:
        """Height and width of the input for the latest image, px."""
        return self.network.input_hw

    def detect(
        self,
        images: Sequence[CameraImage],
        boxes: Sequence[NDArray[np.float64] | None] | None = None,
    ) -> list[Detections]:
        """Find the people in each image; `boxes` are not used."""
        return [self._detect(image) for image in images]

    def _detect(self, image: CameraImage) -> Detections:
        got = self.network.infer(image)
        candidates = read_candidates(got.outputs, self.spec, got.input_hw)
        people = select_people(candidates, self.spec, got.letterbox, got.image_hw, self.thresholds)
        return Detections(people, got.inference_s)


def select_people(
    candidates: Candidates,
    spec: NetworkSpec,
    letterbox: Letterbox,
    image_hw: tuple[int, int],
    thresholds: Thresholds,
) -> People2D:
    """Select the candidates with enough evidence for a person, each person once.

    Parameters
    ----------
    candidates
        Of one image.
    spec
        The contract.
    letterbox
        How the image lies in the network's input.
    image_hw
        Height and width of the image, px. Keypoints outside of it are not detected.
    thresholds
        How much evidence is needed.

    Returns
    -------
    People2D
        Highest score first.
    """
    rows = np.flatnonzero(candidates.score >= thresholds.least_person())
    if spec.nms_iou is not None and candidates.boxes is not None:
        rows = rows[box_nms(candidates.boxes[rows], candidates.score[rows], spec.nms_iou)]
    xy_px, scores = letterbox.to_image(candidates.xy[rows]), candidates.scores[rows]
    height, width = image_hw
    offset = np.abs(xy_px - ((width - 1) / 2, (height - 1) / 2))
    inside = (offset <= (width / 2, height / 2)).all(-1)  # False where a position is NaN
    scores = np.where(inside & (scores >= thresholds.keypoint), scores, 0)
    enough = (scores > 0).sum(1) >= thresholds.min_keypoints
    xy_px, scores = to_panoptic19(spec.keypoint_set, xy_px[enough], scores[enough])
    people = People2D(xy_px, scores, candidates.score[rows][enough], spec.keypoint_set)
    return people.take(keypoint_nms(people.xy_px, people.scores, people.score, MAX_OKS))


def check_outputs(graph: Graph, spec: NetworkSpec) -> None:
    """Raise ModelError unless the outputs have the shapes that the contract implies."""
    if not spec.keypoint_set:
        raise ModelError(f'spec of model {graph.name}: keypoint_set is missing')
    if set(spec.outputs) not in LAYOUTS:
        raise ModelError(
            f'spec of model {graph.name}: outputs must name {ROWS}, or {KEYPOINTS} and {BOXES}, '
            f'or {KEYPOINTS} and {SCORES}, found {list(spec.outputs)}'
        )
    count = len(KEYPOINT_SETS[spec.keypoint_set])
    shapes = {meaning: graph.outputs[name] for meaning, name in spec.outputs.items()}
    expected = {
        KEYPOINTS: f'(1, n, {count}, 2 or 3)', BOXES: '(1, n, 5)', SCORES: '(1, n)',
        ROWS: f'(1, n, f) or (1, f, n) with the f numbers of {list(spec.row)}',
    }  # fmt: skip
    for meaning, shape in shapes.items():
        fits = {
            KEYPOINTS: len(shape) == 4 and shape[2] == count and shape[3] in (2, 3),
            BOXES: len(shape) == 3 and shape[2] == 5,
            SCORES: len(shape) == 2,
            ROWS: len(shape) == 3 and 'score' in spec.row and bool(field_widths(spec, shape)),
        }[meaning]
        if not fits:
            raise ModelError(
                f'model {graph.name}: the output {spec.outputs[meaning]} ({meaning}) must be '
                f'{expected[meaning]} for the keypoints of {spec.keypoint_set}, found {shape}'
            )


def infer_spec(signature: Signature) -> NetworkSpec | None:
    """Return the contract of a network with the outputs of this family; None for another.

    Only where names, shapes and types leave one published contract: rows of 56 numbers of a float
    image may be anything, and need a spec.
    """
    images = [i for i in signature.inputs if len(i.shape) == 4]
    if len(images) != 1:
        return None
    image = images[0]
    if image.shape[1] == 3:
        return _infer_separate(signature, image)
    rows = signature.outputs[0]
    if (
        image.shape[3] != 3
        or image.element_type not in ('i32', 'u8')
        or len(signature.outputs) != 1
        or len(rows.shape) != 3
        or rows.shape[2] != ROW_OF_SHARES
    ):
        return None
    return NetworkSpec(
        FAMILY, 'coco17', {ROWS: rows.name}, layout='NHWC', colour='rgb',
        # TensorFlow Lite has no dynamic sizes, and states the smallest one instead.
        resizable=min(image.shape[1:3]) < 32,
        size_multiple=32, padding=0, coordinates='share', order='yx',
        row=('keypoints', 'box', 'score'),
    )  # fmt: skip


def _infer_separate(signature: Signature, image: TensorInfo) -> NetworkSpec | None:
    """Return the contract of a network whose people are in several outputs."""
    shapes = {name: o.shape for o in signature.outputs for name in o.names}
    keypoints = shapes.get('keypoints', ())
    boxes, scores = shapes.get('dets', ()), shapes.get('scores', ())
    sizes = [i for i in signature.inputs if i is not image]
    resizable = min(image.shape[2:]) < 0
    if keypoints[2:] == (17, 3) and boxes[2:] == (5,) and not sizes:
        return NetworkSpec(
            FAMILY, 'coco17', {KEYPOINTS: 'keypoints', BOXES: 'dets'}, resizable=resizable,
            size_multiple=32, padding=114,
        )  # fmt: skip
    if keypoints[2:] == (17, 2) and len(scores) == 2 and len(sizes) == 1:
        return NetworkSpec(
            FAMILY, 'coco17', {KEYPOINTS: 'keypoints', SCORES: 'scores'}, colour='rgb',
            scale=(255.0,) * 3, resizable=resizable, size_multiple=32, fit='stretched',
            size_input=sizes[0].name,
        )  # fmt: skip
    return None
