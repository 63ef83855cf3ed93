"""Networks whose input has the aspect of the images: compiled for each shape, as it comes."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.detection.letterbox import Letterbox
from pose3d_ros.images import CameraImage
from pose3d_ros.inference import InferenceOptions, Network
from pose3d_ros.models import ModelError
from pose3d_ros.network_graph import Graph
from pose3d_ros.network_spec import InputSize, NetworkSpec

# Height of the input unless a size is set, px: two in three people at 8 m are found by it in
# images of 640 x 480 (docs/accuracy.md).
DEFAULT_LINES = 320
# Least width of the input unless a size is set, px: in portrait images, 320 lines would leave too
# few pixels for people who are near.
DEFAULT_MIN_COLUMNS = 256
# Largest ratio of the sides of the input: panoramas beyond are letterboxed, because time grows
# with the area.
MAX_ASPECT = 4.0
# Aspect, width over height, that is assumed before the first image.
ASSUMED_HW = (3, 4)
# Shapes that are kept compiled: cameras of one process that differ in shape.
MAX_SHAPES = 4


@dataclass(frozen=True)
class InputSizing:
    """How large the input is.

    Parameters
    ----------
    height
        px.
    width
        px. None: follows from the shape of the image.
    multiple
        Sides that follow are multiples of this, px.
    min_width
        If the width that follows is less than this, px, it is this, and the height follows.
    """

    height: int
    width: int | None
    multiple: int = 8
    min_width: int = 0

    def size(self, image_hw: tuple[int, int]) -> tuple[int, int]:
        """Return height and width of the input for an image of that height and width, px."""
        if self.width is not None:
            return self.height, self.width
        aspect = min(max(image_hw[1] / image_hw[0], 1 / MAX_ASPECT), MAX_ASPECT)
        if self.height * aspect < self.min_width:
            return self._rounded(self.min_width / aspect), self.min_width
        return self.height, self._rounded(self.height * aspect)

    def _rounded(self, side: float) -> int:
        return max(1, int(side / self.multiple + 0.5)) * self.multiple


def input_sizing(graph: Graph, spec: NetworkSpec, requested: InputSize) -> InputSizing:
    """Decide how large the input of a network is.

    What the user sets comes first, then what the contract states, then the size of the file where
    the graph takes no other, then DEFAULT_LINES and at least DEFAULT_MIN_COLUMNS.

    Parameters
    ----------
    graph
        The network.
    spec
        Its contract.
    requested
        What the user sets. A width of None follows from the images; None: nothing.

    Raises
    ------
    ModelError
        If the network has one size and another is requested, or if the size is no multiple of
        what it must be.
    """
    multiple = spec.size_multiple
    if requested is not None and requested[1] is None:
        if not spec.resizable:
            raise ModelError(
                f'model {graph.name} has one input size, {_text(graph.input_size(spec.layout))}: '
                f'leave height and width to it, found a height of {requested[0]}'
            )
        _check_multiple(graph, requested[:1], multiple)
        return InputSizing(requested[0], None, multiple)
    size = requested or spec.input_hw
    if size is None and not spec.resizable:
        size = graph.copy().set_input_size(None, spec.layout)
    if size is None:
        lines, columns = (
            max(1, round(side / multiple)) * multiple
            for side in (DEFAULT_LINES, DEFAULT_MIN_COLUMNS)
        )
        return InputSizing(lines, None, multiple, columns)
    height, width = size
    assert width is not None
    if spec.resizable:
        _check_multiple(graph, (height, width), multiple)
    elif (own := graph.input_size(spec.layout)) != (height, width) and min(own) > 0:
        raise ModelError(
            f'model {graph.name} has one input size, {_text(own)}, found {_text((height, width))}'
        )
    return InputSizing(height, width)


@dataclass(frozen=True)
class Inferred:
    """What a network returned for an image.

    Parameters
    ----------
    outputs
        By the names of the contract.
    letterbox
        How the image lies in the input.
    image_hw, input_hw
        Height and width of the image and of the input, px.
    inference_s
        Wall time of letterbox and network, s.
    """

    outputs: dict[str, NDArray[np.float32]]
    letterbox: Letterbox
    image_hw: tuple[int, int]
    input_hw: tuple[int, int]
    inference_s: float


class ResizingNetwork:
    """A network that is compiled for each shape of image, once.

    One instance may be called from several threads.

    Parameters
    ----------
    graph
        The network; it is left as it is.
    spec
        Its contract.
    options
        Where and how it runs.
    sizing
        How large its input is.

    Raises
    ------
    ModelError
        If the network cannot be compiled, for the size that is set or for that of a camera of
        4:3.
    """

    def __init__(
        self, graph: Graph, spec: NetworkSpec, options: InferenceOptions, sizing: InputSizing
    ) -> None:
        self._graph, self._spec, self._options, self.sizing = graph, spec, options, sizing
        self._lock = threading.Lock()
        self._compiled: dict[tuple[int, int], Network] = {}
        self._assumed: tuple[int, int] | None = None
        self._latest = self.for_image(ASSUMED_HW)
        self._assumed = self._latest.input_hw
        self.name, self.device = self._latest.name, self._latest.device

    @property
    def input_hw(self) -> tuple[int, int]:
        """Height and width of the input for the latest image, px; at first for one of 4:3."""
        return self._latest.input_hw

    def for_image(self, image_hw: tuple[int, int]) -> Network:
        """Return the network, compiled for images of that height and width, px.

        Raises
        ------
        ModelError
            If it cannot be compiled for them.
        """
        input_hw = self.sizing.size(image_hw)
        with self._lock:
            network = self._compiled.pop(input_hw, None) or self._compile(input_hw)
            if self._assumed not in (None, input_hw):
                self._compiled.pop(self._assumed, None)
            self._assumed = None
            self._compiled[input_hw] = network  # the latest is last
            if len(self._compiled) > MAX_SHAPES:
                del self._compiled[next(iter(self._compiled))]
            self._latest = network
        return network

    def infer(self, image: CameraImage, stride: int = 1) -> Inferred:
        """Fit an image into the input, and run the network on it.

        Parameters
        ----------
        image
            Of any size.
        stride
            Pixels of the input for each cell of the outputs.

        Raises
        ------
        ModelError
            If the network cannot be compiled for images of that size.
        InferenceError
            If the device fails.
        """
        start_s = time.perf_counter()
        image_hw = (image.bgr.shape[0], image.bgr.shape[1])
        network = self.for_image(image_hw)
        input_hw, spec = network.input_hw, self._spec
        letterbox = Letterbox.fit(image_hw, input_hw, stride, spec.fit, spec.padding)
        outputs = network.infer(letterbox.apply(image.bgr, input_hw))
        return Inferred(outputs, letterbox, image_hw, input_hw, time.perf_counter() - start_s)

    def _compile(self, input_hw: tuple[int, int]) -> Network:
        graph = self._graph.copy()
        graph.set_input_size(input_hw, self._spec.layout)
        return Network(graph, self._spec, self._options)


def _check_multiple(graph: Graph, sizes: tuple[int, ...], multiple: int) -> None:
    if any(size % multiple for size in sizes):
        raise ModelError(
            f'model {graph.name} takes inputs whose height and width are multiples of {multiple}, '
            f'found {" and ".join(map(str, sizes))}'
        )


def _text(input_hw: tuple[int, int]) -> str:
    return f'{input_hw[1]}x{input_hw[0]}'
