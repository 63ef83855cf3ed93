"""The detector of networks with heatmaps and part affinity fields."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import Intrinsics
from pose3d_ros.detection.detector import Thresholds
from pose3d_ros.detection.letterbox import Letterbox
from pose3d_ros.detection.openpose.fragments import merge_fragments
from pose3d_ros.detection.openpose.grouping import group, keep_people
from pose3d_ros.detection.openpose.location_maps import LocationMaps
from pose3d_ros.detection.openpose.outputs import CHANNELS, HEATMAPS, LOCATION_MAPS, PAFS, Outputs
from pose3d_ros.detections import Detections
from pose3d_ros.images import CameraImage
from pose3d_ros.inference import Graph, InferenceOptions, Network, Shapes
from pose3d_ros.models import ModelError
from pose3d_ros.network_spec import NetworkSpec

FAMILY = 'openpose'


class OpenPoseDetector:
    """A network with heatmaps, part affinity fields and perhaps location maps.

    Parameters
    ----------
    graph
        The network. It is changed.
    spec
        Its contract.
    input_hw
        Height and width of the input, px, multiples of the stride. None: the size of the file.
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
        input_hw: tuple[int, int] | None,
        options: InferenceOptions,
        thresholds: Thresholds | None = None,
    ) -> None:
        graph.set_input_size(input_hw)
        self.stride = _check_outputs(graph, spec)
        self.network = Network(graph, spec, options)
        self.has_location_maps = LOCATION_MAPS in spec.outputs
        self.name, self.device = self.network.name, self.network.device
        self.input_hw = self.network.input_hw
        self.thresholds = thresholds or Thresholds()

    def detect(
        self,
        images: Sequence[CameraImage],
        boxes: Sequence[NDArray[np.float64] | None] | None = None,
    ) -> list[Detections]:
        """Find the people in each image; `boxes` are not used."""
        return [self._detect(image) for image in images]

    def _detect(self, image: CameraImage) -> Detections:
        start_s = time.perf_counter()
        letterbox = Letterbox.fit(image.bgr.shape[:2], self.input_hw, self.stride)
        outputs = Outputs(**self.network.infer(letterbox.apply(image.bgr, self.input_hw)))
        inference_s = time.perf_counter() - start_s
        return decode(outputs, letterbox, image.intrinsics, self.thresholds, inference_s)


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
    return Detections(keep_people(groups, thresholds), inference_s, maps)


def infer_spec(outputs: Shapes) -> NetworkSpec | None:
    """Return the contract of a network with the outputs of this family; None for another."""
    if HEATMAPS not in outputs or PAFS not in outputs:
        return None
    names = {name: name for name in CHANNELS if name != LOCATION_MAPS or name in outputs}
    return NetworkSpec(FAMILY, 'openpose18', names)


def _check_outputs(graph: Graph, spec: NetworkSpec) -> int:
    """Check the shapes of the outputs; return the stride, input px per cell."""
    shapes = graph.outputs
    (_, _, height, width), *_ = graph.inputs.values()
    h, w = (shapes.get(spec.outputs[HEATMAPS]) or (0, 0, 0, 0))[2:]
    stride = height // h if h > 0 else 0
    expected = {name: (1, CHANNELS[meaning], h, w) for meaning, name in spec.outputs.items()}
    found = {name: shapes.get(name) for name in expected}
    if found != expected or (h * stride, w * stride) != (height, width):
        raise ModelError(
            f'model {graph.name} must have the outputs {expected} with {height} x {width} '
            f'a multiple of h x w, found {shapes or "none with a name"}'
        )
    return stride
