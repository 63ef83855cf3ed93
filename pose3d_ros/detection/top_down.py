"""Top-down detection: a person detector, and a pose network on a crop of each person."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.detection import person_boxes, pose_network
from pose3d_ros.detection.detector import Thresholds
from pose3d_ros.detection.keypoint_sets import to_panoptic19
from pose3d_ros.detection.nms import keypoint_nms
from pose3d_ros.detection.person_boxes import BoxDetector, Boxes
from pose3d_ros.detection.pose_network import CropNetwork
from pose3d_ros.detections import Detections
from pose3d_ros.images import CameraImage
from pose3d_ros.inference import InferenceOptions
from pose3d_ros.models import ModelError
from pose3d_ros.network_graph import Graph
from pose3d_ros.network_spec import NetworkSpec
from pose3d_ros.people import K, People2D

Array = NDArray[np.float64]

# Scores are products, and so lower than those of other families: with 0.3, three in 124 people of
# the images of docs/accuracy.md are lost, and no false ones.
PERSON = 0.25
# A person's score is the detector's times the mean of this many keypoint scores, the best ones:
# hidden limbs make a person no less certain.
BEST_KEYPOINTS = 8
# Largest similarity of two people's keypoints, and largest overlap of a box of the detector with
# that of a person who was found where one was expected.
MAX_OKS = 0.7
MAX_OVERLAP = 0.5


@dataclass(frozen=True)
class TopDownOptions:
    """How much a top-down detector does for an image.

    Parameters
    ----------
    detector_hw
        Height and width of the person detector's input, px. None: those of the file.
    max_people
        Largest number of crops for an image. The largest boxes come first.
    detector_interval
        The person detector runs on every n-th image only; in between, people are looked for
        where they are expected. It is `Pipeline` that counts.

    Raises
    ------
    ModelError
        If a number is less than 1.
    """

    detector_hw: tuple[int, int] | None = None
    max_people: int = 20
    detector_interval: int = 1

    def __post_init__(self) -> None:
        for name in ('max_people', 'detector_interval'):
            if getattr(self, name) < 1:
                raise ModelError(f'{name} must be at least 1, found {getattr(self, name)}')


class TopDownDetector:
    """A person detector and a pose network on crops, as one detector.

    Parameters
    ----------
    person_detector
        Finds boxes.
    pose_network
        Finds the keypoints in each.
    options
        How much is done for an image.
    thresholds
        How much evidence is needed. None: the defaults.

    Attributes
    ----------
    detector_interval
        Every how many images the person detector should run.
    """

    stride = 0
    has_location_maps = False

    def __init__(
        self,
        person_detector: BoxDetector,
        pose_network: CropNetwork,
        options: TopDownOptions | None = None,
        thresholds: Thresholds | None = None,
    ) -> None:
        self.person_detector, self.pose_network = person_detector, pose_network
        options = options or TopDownOptions()
        self.max_people = options.max_people
        self.detector_interval = options.detector_interval
        first, second = person_detector.network, pose_network.network
        self.name = f'{first.name} + {second.name}'
        self.device = ','.join(dict.fromkeys([first.device, second.device]))
        self.input_hw = first.input_hw
        self.thresholds = thresholds or Thresholds()

    def detect(
        self,
        images: Sequence[CameraImage],
        boxes: Sequence[NDArray[np.float64] | None] | None = None,
    ) -> list[Detections]:
        """Find the people in each image.

        Parameters
        ----------
        images
            With their intrinsics, which are not used.
        boxes
            For each image the boxes ``(B, 4)`` x0, y0, x1, y1, px, in which people are expected,
            or None. Where they are given, the person detector runs only if one of them has no
            person; then it may find others, too.
        """
        expected = boxes if boxes is not None else [None] * len(images)
        return [self._detect(image.bgr, one) for image, one in zip(images, expected, strict=True)]

    def _detect(self, bgr: NDArray[np.uint8], expected_px: Array | None) -> Detections:
        keypoint_set = self.pose_network.spec.keypoint_set
        none = People2D(np.zeros((0, K, 2)), np.zeros((0, K)), np.zeros(0), keypoint_set)
        found = Detections(none)
        if expected_px is not None:
            found = self._poses(bgr, Boxes(expected_px, np.ones(len(expected_px))), found)
            if len(found.people) == len(expected_px):
                return found
        start_s = time.perf_counter()
        boxes = self.person_detector.detect(bgr, self.thresholds.least_person(PERSON))
        detector_s = time.perf_counter() - start_s
        new = _largest_overlap(boxes.xyxy_px, _extents(found.people)) <= MAX_OVERLAP
        return self._poses(bgr, Boxes(boxes.xyxy_px[new], boxes.scores[new]), found, detector_s)

    def _poses(
        self, bgr: NDArray[np.uint8], boxes: Boxes, before: Detections, spent_s: float = 0.0
    ) -> Detections:
        """Find the keypoints of the people in boxes; add those found before."""
        chosen = _largest(boxes.xyxy_px, self.max_people - len(before.people))
        cut = before.people_cut + len(boxes) - len(chosen)
        spent_s += before.inference_s
        if not len(chosen):
            return Detections(before.people, spent_s, people_cut=cut)
        start_s = time.perf_counter()
        windows = self.pose_network.windows(boxes.xyxy_px[chosen])
        outputs = self.pose_network.infer(bgr, windows)
        spent_s += time.perf_counter() - start_s
        xy_px, scores = self.pose_network.decode(outputs, windows)
        keypoint_set = self.pose_network.spec.keypoint_set
        image_hw = (bgr.shape[0], bgr.shape[1])
        new = to_people(
            keypoint_set, xy_px, scores, boxes.scores[chosen], (image_hw, self.thresholds)
        )
        return Detections(_merge(before.people, new), spent_s, people_cut=cut)


def open_top_down(
    detector: tuple[Graph, NetworkSpec | None],
    pose: tuple[Graph, NetworkSpec | None],
    options: InferenceOptions,
    top_down: TopDownOptions | None = None,
    thresholds: Thresholds | None = None,
) -> TopDownDetector:
    """Compile a person detector and a pose network on crops as one detector.

    Parameters
    ----------
    detector, pose
        Each network with its contract. None: it is inferred.
    options
        Where and how both run.
    top_down
        How much is done for an image.
    thresholds
        How much evidence is needed. None: the defaults.

    Raises
    ------
    ModelError
        If one of the networks is not of its kind, or cannot be compiled.
    """
    top_down = top_down or TopDownOptions()
    detector_graph, pose_graph = detector[0], pose[0]
    if _contract(person_boxes, *pose) and _contract(pose_network, *detector):
        raise ModelError(
            f'the networks of the pair are swapped: {pose_graph.name} is a person detector, which '
            f'comes first; set model to "{pose_graph.name} + {detector_graph.name}"'
        )
    detector_spec = _contract(person_boxes, *detector)
    if detector_spec is None:
        raise ModelError(
            f'{detector_graph.name} is no person detector: expected the outputs '
            f'{person_boxes.EXPECTED}, found {detector_graph.outputs or "none with a name"}'
        )
    pose_spec = _contract(pose_network, *pose)
    if pose_spec is None:
        raise ModelError(
            f'{pose_graph.name} is no pose network on crops: expected the outputs '
            f'{pose_network.EXPECTED}, found {pose_graph.outputs or "none with a name"}'
        )
    return TopDownDetector(
        BoxDetector(detector_graph, detector_spec, top_down.detector_hw, options),
        CropNetwork(pose_graph, pose_spec, options),
        top_down,
        thresholds,
    )


def _contract(half: ModuleType, graph: Graph, spec: NetworkSpec | None) -> NetworkSpec | None:
    """Return the contract of a network as this half of a pair; None: it is no such network."""
    found: NetworkSpec | None = spec or half.infer_spec(graph.inputs, graph.outputs)
    return found if found is not None and found.family == half.FAMILY else None


def to_people(
    keypoint_set: str,
    xy_px: Array,
    scores: Array,
    box_scores: Array,
    limits: tuple[tuple[int, int], Thresholds],
) -> People2D:
    """Build the people of an image from the keypoints of its crops.

    Parameters
    ----------
    keypoint_set
        A key of ``keypoint_sets.KEYPOINT_SETS`` with C keypoints.
    xy_px, scores
        ``(N, C, 2)`` image px, and ``(N, C)``.
    box_scores
        ``(N,)``, the person detector's.
    limits
        Height and width of the image: keypoints outside of it are not detected. The thresholds.

    Returns
    -------
    People2D
        Those with enough evidence, without duplicates, highest score first.
    """
    (height, width), thresholds = limits
    inside = (np.abs(xy_px - ((width - 1) / 2, (height - 1) / 2)) <= (width / 2, height / 2)).all(
        axis=-1
    )
    scores = np.where(inside & (scores >= thresholds.keypoint), scores, 0.0)
    best = np.sort(scores, axis=1)[:, -BEST_KEYPOINTS:].mean(axis=1)
    person = box_scores * best
    xy_px, scores = to_panoptic19(keypoint_set, xy_px, scores)
    xy_px = np.where((scores > 0)[..., np.newaxis], xy_px, np.nan)
    certain = (person >= thresholds.least_person(PERSON)) & (
        (scores > 0).sum(axis=1) >= thresholds.min_keypoints
    )
    rows = np.flatnonzero(certain)
    rows = rows[keypoint_nms(xy_px[rows], scores[rows], person[rows], MAX_OKS)]
    return People2D(xy_px[rows], scores[rows], person[rows], keypoint_set)


def _largest(boxes_px: Array, number: int) -> NDArray[np.intp]:
    """Return the rows of the largest boxes ``(B, 4)``, in the order of the rows."""
    area_px2 = (boxes_px[:, 2:] - boxes_px[:, :2]).prod(axis=1)
    return np.sort(np.argsort(-area_px2, kind='stable')[: max(number, 0)])


def _extents(people: People2D) -> Array:
    """Return the box around the keypoints of each person, ``(N, 4)`` px."""
    xy_px = people.xy_px
    return np.concatenate([np.nanmin(xy_px, axis=1), np.nanmax(xy_px, axis=1)], axis=1)


def _largest_overlap(boxes: Array, others: Array) -> Array:
    """Return each box's ``(B, 4)`` largest intersection over union with any other, ``(B,)``."""
    low = np.maximum(boxes[:, np.newaxis, :2], others[:, :2])
    high = np.minimum(boxes[:, np.newaxis, 2:], others[:, 2:])
    both = np.maximum(high - low, 0).prod(axis=-1)
    areas, other_areas = ((b[:, 2:] - b[:, :2]).prod(axis=-1) for b in (boxes, others))
    either = areas[:, np.newaxis] + other_areas - both
    return np.asarray((both / np.maximum(either, 1e-9)).max(axis=1, initial=0.0))


def _merge(a: People2D, b: People2D) -> People2D:
    """Return the people of both without duplicates, highest score first."""
    xy_px = np.concatenate([a.xy_px, b.xy_px])
    scores = np.concatenate([a.scores, b.scores])
    score = np.concatenate([a.score, b.score])
    both = People2D(xy_px, scores, score, a.keypoint_set)
    return both.take(keypoint_nms(xy_px, scores, score, MAX_OKS))
