"""Pose networks on crops: each person of an image in a window of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.detection import crops, direct, heatmaps, simcc
from pose3d_ros.inference import InferenceOptions, Network
from pose3d_ros.models import ModelError
from pose3d_ros.network_graph import Graph, Shapes
from pose3d_ros.network_spec import NetworkSpec

Array = NDArray[np.float64]
Decode = Callable[
    [Mapping[str, NDArray[np.float32]], NetworkSpec, tuple[int, int]], tuple[Array, Array]
]

FAMILY = 'top_down'
EXPECTED = (
    '(1, 1, 17, 3) of MoveNet, simcc_x and simcc_y (N, 17 or 26, bins) of RTMPose, or heatmaps '
    '(N, 17, h, w)'
)
# How the outputs of a pose network are decoded, by NetworkSpec.decoder.
DECODERS: dict[str, Decode] = {
    direct.DECODER: direct.decode,
    simcc.DECODER: simcc.decode,
    heatmaps.DARK: heatmaps.decode,
    heatmaps.QUARTER: heatmaps.decode,
    heatmaps.UDP: heatmaps.decode,
}


class CropNetwork:
    """A compiled pose network that sees one person at a time.

    Parameters
    ----------
    graph
        The network. It is changed.
    spec
        Its contract.
    options
        Where and how the network runs.

    Raises
    ------
    ModelError
        If the network does not take its own input size, its outputs cannot be decoded, or the
        device cannot be used.
    """

    def __init__(self, graph: Graph, spec: NetworkSpec, options: InferenceOptions) -> None:
        if spec.decoder not in DECODERS:
            raise ModelError(
                f'decoder of pose network {graph.name} must be one of {list(DECODERS)}, found '
                f'{spec.decoder!r}'
            )
        self.batched = _set_batch(graph, spec, options.device)
        self.network = Network(graph, spec, options)
        self.spec = spec

    def infer(
        self, bgr: NDArray[np.uint8], windows: NDArray[np.int64]
    ) -> dict[str, NDArray[np.float32]]:
        """Run the network on N windows of an image; return each output, ``(N, ...)``."""
        images = crops.cut(bgr, windows, self.network.input_hw, self.spec.padding)
        if self.batched:
            return self.network.infer_batch(images)
        parts = [self.network.infer(image) for image in images]
        return {name: np.stack([part[name] for part in parts]) for name in parts[0]}

    def windows(self, boxes_px: Array) -> NDArray[np.int64]:
        """Compute the window of each box ``(N, 4)``, see `crops.crop_windows`."""
        return crops.crop_windows(boxes_px, self.network.input_hw, self.spec.crop_margin)

    def decode(
        self, outputs: Mapping[str, NDArray[np.float32]], windows: NDArray[np.int64]
    ) -> tuple[Array, Array]:
        """Read the network's own keypoints: ``(N, C, 2)`` image px, and scores ``(N, C)``."""
        input_hw = self.network.input_hw
        xy_input, scores = DECODERS[self.spec.decoder](outputs, self.spec, input_hw)
        return crops.to_image(xy_input, windows, input_hw), scores


def infer_spec(inputs: Shapes, outputs: Shapes) -> NetworkSpec | None:
    """Return the contract of a pose network on crops; None for another."""
    return (
        direct.infer_spec(inputs, outputs)
        or simcc.infer_spec(inputs, outputs)
        or heatmaps.infer_spec(inputs, outputs)
    )


def _set_batch(graph: Graph, spec: NetworkSpec, device: str) -> bool:
    """Fix the size of a graph's input; return whether it takes several crops at a time.

    Graphs that were exported for one image may refuse two, or ignore the second one.
    """
    if 'NPU' not in device:
        try:
            graph.set_input_size(spec.input_hw, spec.layout, batch=2)
            if all(shape[:1] == (2,) for shape in graph.outputs.values()):
                graph.set_input_size(spec.input_hw, spec.layout, batch=-1)
                return True
        except ModelError:
            pass
    graph.set_input_size(spec.input_hw, spec.layout)
    return False
