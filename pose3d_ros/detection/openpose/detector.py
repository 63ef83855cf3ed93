"""The detector of networks with heatmaps and part affinity fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import Intrinsics
from pose3d_ros.detection.detector import Thresholds
from pose3d_ros.detection.keypoint_sets import with_midpoints
from pose3d_ros.detection.letterbox import Letterbox
from pose3d_ros.detection.openpose.fragments import merge_fragments
from pose3d_ros.detection.openpose.grouping import group, keep_people
from pose3d_ros.detection.openpose.location_maps import LocationMaps
from pose3d_ros.detection.openpose.outputs import CHANNELS, HEATMAPS, LOCATION_MAPS, PAFS, Outputs
from pose3d_ros.detection.resizing import ASSUMED_HW, ResizingNetwork, input_sizing
from pose3d_ros.detections import Detections
from pose3d_ros.images import CameraImage
from pose3d_ros.inference import InferenceOptions
from pose3d_ros.models import ModelError
from pose3d_ros.network_graph import Graph
from pose3d_ros.network_signature import Signature
from pose3d_ros.network_spec import InputSize, NetworkSpec

FAMILY = 'openpose'
KEYPOINT_SET = 'openpose18'
EXPECTED = (
    f'heatmaps (1, {CHANNELS[HEATMAPS]}, h, w), part affinity fields (1, {CHANNELS[PAFS]}, h, w) '
    f'and perhaps location maps (1, {CHANNELS[LOCATION_MAPS]}, h, w) of one image '
    '(1, 3, height, width)'
)
# Multiples that the sides of an input may have to be, px.
SIZE_MULTIPLES = (8, 16, 32, 64)


class OpenPoseDetector:
    """A network with heatmaps, part affinity fields and perhaps location maps.

    Parameters
    ----------
    graph
        The network.
    spec
        Its contract.
    input_hw
        Height and width of the input, px, multiples of the stride. A width of None follows from
        the aspect of the images. None: what contract and file tell.
    options
        Where and how the network runs.
    thresholds
        How much evidence is needed. None: the defaults.

    Raises
    ------
    ModelError
        If the network does not take the input size, an output has another shape, or the device
        cannot be used.
    """

    detector_interval = 1

    def __init__(
        self,
        graph: Graph,
        spec: NetworkSpec,
        input_hw: InputSize,
        options: InferenceOptions,
        thresholds: Thresholds | None = None,
    ) -> None:
        if spec.resizable:
            spec = _with_size_multiple(graph, spec)
        sizing = input_sizing(graph, spec, input_hw)
        self.stride = _check_outputs(graph, spec, sizing.size(ASSUMED_HW))
        self.network = ResizingNetwork(graph, spec, options, sizing)
        self.spec = spec
        self.has_location_maps = LOCATION_MAPS in spec.outputs
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
        got = self.network.infer(image, self.stride)
        outputs = Outputs(**got.outputs)
        return decode(outputs, got.letterbox, image.intrinsics, self.thresholds, got.inference_s)


def decode(
    outputs: Outputs,
    letterbox: Letterbox,
    intrinsics: Intrinsics,
    thresholds: Thresholds,
    inference_s: float = 0.0,
) -> Detections:
    """Find the people in the outputs of a network.

    Parameters
    ----------
    outputs
        For one image.
    letterbox
        How the image lies in the network's input.
    intrinsics
        Of the camera, for the source image; used where there are location maps.
    thresholds
        How much evidence is needed.
    inference_s
        Wall time of the network, s, which is passed on.
    """
    maps = None if outputs.features is None else LocationMaps(outputs.features, letterbox)
    groups = group(outputs, letterbox, thresholds)
    if maps is not None:
        groups = merge_fragments(groups, maps, intrinsics)
    people = replace(keep_people(groups, thresholds), keypoint_set=KEYPOINT_SET)
    return Detections(with_midpoints(people), inference_s, maps)


def infer_spec(signature: Signature) -> NetworkSpec | None:
    """Return the contract of a network with the outputs of this family; None for another.

    Outputs are recognised by their names, or else by their number of channels: published networks
    call them by the last layer of their training framework.
    """
    maps = [o for o in signature.outputs if len(o.shape) == 4 and o.name]
    names = {}
    for meaning, channels in CHANNELS.items():
        named = [o.name for o in maps if meaning in o.names]
        alike = named or [o.name for o in maps if o.shape[1] == channels]
        if len(alike) == 1:
            names[meaning] = meaning if named else alike[0]
    if HEATMAPS not in names or PAFS not in names:
        return None
    return NetworkSpec(FAMILY, KEYPOINT_SET, names)


def _with_size_multiple(graph: Graph, spec: NetworkSpec) -> NetworkSpec:
    """Return the contract with the sizes of input that the graph takes, as found by trying.

    Networks with a path down to stride 32 and back take multiples of 32 only; others of constant
    maps do not take any other size than their own.
    """
    height, width = graph.input_size(spec.layout)
    if min(height, width) < 0:
        return spec
    own = _maps_hw(graph, spec, (height, width))
    for multiple in (m for m in SIZE_MULTIPLES if m >= spec.size_multiple):
        try:
            larger = _maps_hw(graph, spec, (height + multiple, width + multiple))
        except ModelError:
            continue
        grown = [
            (larger_n * n, own_n * (n + multiple))
            for name in own
            for larger_n, own_n, n in zip(larger[name], own[name], (height, width), strict=True)
        ]
        if all(found == expected for found, expected in grown):
            return replace(spec, size_multiple=multiple)
    return replace(spec, resizable=False)


def _maps_hw(
    graph: Graph, spec: NetworkSpec, input_hw: tuple[int, int]
) -> dict[str, tuple[int, ...]]:
    """Return height and width of each output for an input size."""
    sized = graph.copy()
    sized.set_input_size(input_hw, spec.layout)
    return {name: sized.outputs[name][2:] for name in spec.outputs.values()}


def _check_outputs(graph: Graph, spec: NetworkSpec, input_hw: tuple[int, int]) -> int:
    """Check the shapes of the outputs for an input size; return the stride, input px per cell."""
    sized = graph.copy()
    height, width = sized.set_input_size(input_hw, spec.layout)
    shapes = sized.outputs
    unknown = sorted(set(spec.outputs) - set(CHANNELS))
    if unknown or not {HEATMAPS, PAFS} <= set(spec.outputs):
        raise ModelError(
            f'spec of model {graph.name}: outputs must name {HEATMAPS}, {PAFS} and perhaps '
            f'{LOCATION_MAPS}, found {list(spec.outputs)}'
        )
    h, w = (*shapes[spec.outputs[HEATMAPS]], 0, 0, 0, 0)[2:4]
    stride = height // h if h > 0 else 0
    expected = {name: (1, CHANNELS[meaning], h, w) for meaning, name in spec.outputs.items()}
    found = {name: shapes.get(name) for name in expected}
    if found != expected or (h * stride, w * stride) != (height, width):
        raise ModelError(
            f'model {graph.name} must have the outputs {expected} with {height} x {width} '
            f'a multiple of h x w, found {shapes}'
        )
    return stride
