"""The one place at run time that calls OpenVINO: read, prepare, compile and run networks."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino.preprocess import ColorFormat, PrePostProcessor

from pose3d_ros.models import ModelError
from pose3d_ros.models.compiled_cache import cache_key, discard, verified_cache
from pose3d_ros.models.normalisation import normalisation_inside
from pose3d_ros.models.store import checksum
from pose3d_ros.network_spec import NetworkSpec

# OpenVINO's names of the types that it may compute in; '' lets it choose (bf16 where the CPU is
# fast at it).
PRECISIONS = {'auto': '', 'f32': 'f32', 'f16': 'f16', 'bf16': 'bf16'}
MODEL_SUFFIXES = ('.xml', '.onnx')

ModelSource: TypeAlias = str | os.PathLike[str] | ov.Model
# Name of a tensor -> its shape; -1: dynamic.
Shapes: TypeAlias = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class InferenceOptions:
    """Where and how a network runs.

    Parameters
    ----------
    device
        Any OpenVINO device: CPU, GPU, NPU, AUTO, AUTO:GPU,CPU, ...
    precision
        One of ``PRECISIONS``.
    cache_dir
        Folder for compiled networks, which makes later starts faster. None: no cache.
    """

    device: str = 'AUTO'
    precision: str = 'auto'
    cache_dir: str | os.PathLike[str] | None = None

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ModelError(
                f'precision must be one of {list(PRECISIONS)}, found {self.precision!r}'
            )

    def properties(self) -> dict[str, str]:
        """Return the properties for OpenVINO's ``compile_model``."""
        properties = {'PERFORMANCE_HINT': 'LATENCY'}
        if PRECISIONS[self.precision]:
            properties['INFERENCE_PRECISION_HINT'] = PRECISIONS[self.precision]
        return properties


class Graph:
    """A network as read from its file, before it is compiled.

    Parameters
    ----------
    model
        Path of an OpenVINO IR (.xml) or ONNX file, or a model in memory, which is copied.

    Raises
    ------
    ModelError
        If the file does not exist or cannot be read.
    """

    def __init__(self, model: ModelSource) -> None:
        self.core = ov.Core()
        # If a memory-mapped file is truncated, reading a page of it ends the process.
        self.core.set_property({'ENABLE_MMAP': False})
        if isinstance(model, ov.Model):
            self.name, self.model = model.get_friendly_name(), model.clone()
        else:
            self.name, self.model = str(model), _read_file(self.core, Path(model))

    @property
    def inputs(self) -> Shapes:
        """Shape of each input by its name."""
        return _shapes(self.model.inputs)

    @property
    def outputs(self) -> Shapes:
        """Shape of each output by each of its names."""
        return _shapes(self.model.outputs)

    def normalises_input(self) -> bool | None:
        """Return whether the graph normalises its input itself; None if it does not tell."""
        return normalisation_inside(self.model)

    def set_input_size(
        self, input_hw: tuple[int, int] | None, layout: str = 'NCHW', batch: int = 1
    ) -> tuple[int, int]:
        """Fix height and width of the image input, px.

        Parameters
        ----------
        input_hw
            None: the size that the file has.
        layout
            Order of the axes of the input: NCHW or NHWC.
        batch
            Number of images at a time. -1: any number.

        Returns
        -------
        tuple of int
            Height and width.

        Raises
        ------
        ModelError
            If the input is no image, the file has no size of its own, or the network does not
            take the size.
        """
        shapes = [i.partial_shape for i in self.model.inputs]
        if len(shapes) != 1 or shapes[0].rank != 4:
            axes = '(1, 3, height, width)' if layout == 'NCHW' else '(1, height, width, 3)'
            raise ModelError(
                f'model {self.name} must have one image input {axes}, '
                f'found {[str(shape) for shape in shapes]}'
            )
        found, row = shapes[0], layout.index('H')
        if input_hw is None and (found[row].is_dynamic or found[row + 1].is_dynamic):
            raise ModelError(
                f'model {self.name} has no input size of its own, {found}: set input_height and '
                'input_width'
            )
        height, width = input_hw or (found[row].get_length(), found[row + 1].get_length())
        sizes = {'N': batch, 'C': 3, 'H': height, 'W': width}
        shape = [sizes[axis] for axis in layout]
        try:
            self.model.reshape({0: shape})
        except RuntimeError as error:
            raise ModelError(
                f'model {self.name} with input {found} cannot take {tuple(shape)}; '
                f'use multiples of 32: {_last_line(error)}'
            ) from error
        return height, width


class Network:
    """A network that takes images, compiled for one input size.

    One instance may be called from several threads; calls take turns.

    Parameters
    ----------
    graph
        With a fixed input size. It is changed: it takes uint8 images afterwards.
    spec
        The contract of the network.
    options
        Where and how it runs.

    Raises
    ------
    ModelError
        If the device cannot be used.
    """

    def __init__(self, graph: Graph, spec: NetworkSpec, options: InferenceOptions) -> None:
        self.name = graph.name
        self._outputs = dict(spec.outputs)
        shape = graph.model.input().partial_shape
        row = spec.layout.index('H')
        self.input_hw = (shape[row].get_length(), shape[row + 1].get_length())
        _take_uint8_images(graph.model, spec)
        compiled = _compile_cached(graph, spec, options)
        self.device = ','.join(compiled.get_property('EXECUTION_DEVICES'))
        self._request = compiled.create_infer_request()
        self._lock = threading.Lock()

    def infer(self, bgr: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Run the network on one image.

        Parameters
        ----------
        bgr
            ``(*input_hw, 3)`` uint8.

        Returns
        -------
        dict
            Each output by its meaning, without the axis of the batch. The arrays are copies: the
            next call does not change them.
        """
        return {name: array[0] for name, array in self.infer_batch(bgr[np.newaxis]).items()}

    def infer_batch(self, bgr: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Run the network on ``(N, *input_hw, 3)`` images; like `infer`, with the batch axis."""
        with self._lock:
            self._request.infer({0: bgr}, share_inputs=True)
            return {
                meaning: self._request.get_tensor(name).data.copy()
                for meaning, name in self._outputs.items()
            }


class VectorNetwork:
    """A network from rows of numbers to rows of numbers, compiled for any number of rows.

    One instance may be called from several threads; calls take turns.

    Parameters
    ----------
    model
        Path of an OpenVINO IR (.xml) with one input ``features`` ``(n, inputs)``.
    device
        Any OpenVINO device.
    inputs
        Width of the input.
    outputs
        Name and width of each output.

    Raises
    ------
    ModelError
        If the file, its input or outputs, or the device cannot be used.
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        device: str,
        inputs: int,
        outputs: Mapping[str, int],
    ) -> None:
        graph = Graph(model)
        shapes = graph.outputs | graph.inputs
        expected = {'features': (-1, inputs)} | {name: (-1, w) for name, w in outputs.items()}
        if len(graph.inputs) != 1 or any(shapes.get(n) != s for n, s in expected.items()):
            raise ModelError(
                f'model {model} must have one input `features` and the outputs {list(outputs)}, '
                f'with the shapes {expected}, found {shapes or "none with a name"}'
            )
        self._outputs = list(outputs)
        # The network is too small for more than one thread; its outputs are positions, for which
        # bf16 is too coarse.
        properties = {'INFERENCE_NUM_THREADS': '1', 'INFERENCE_PRECISION_HINT': 'f32'}
        compiled = _compile(graph.core, graph.model, device, properties, graph.name)
        self._request = compiled.create_infer_request()
        self._lock = threading.Lock()

    def infer(self, rows: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Run the network on ``(n, inputs)``; return a copy of each output, ``(n, width)``."""
        with self._lock:
            self._request.infer({0: rows}, share_inputs=True)
            return {name: self._request.get_tensor(name).data.copy() for name in self._outputs}


def _read_file(core: ov.Core, path: Path) -> ov.Model:
    if not path.is_file():
        raise ModelError(
            f'model file {path} does not exist; give the path of an OpenVINO .xml or an .onnx'
        )
    if path.suffix not in MODEL_SUFFIXES:
        raise ModelError(f'model file {path} is neither an OpenVINO .xml nor an .onnx')
    try:
        return core.read_model(path)
    except RuntimeError as error:
        raise ModelError(
            f'model file {path} cannot be read as an OpenVINO IR with its .bin beside it, or as '
            f'ONNX: {_last_line(error)}'
        ) from error


def _shapes(ports: list[ov.Output]) -> Shapes:
    return {
        name: tuple(-1 if n.is_dynamic else n.get_length() for n in port.partial_shape)
        if port.partial_shape.rank.is_static
        else ()
        for port in ports
        for name in port.get_names()
    }


def _compile(
    core: ov.Core, model: ov.Model, device: str, properties: dict[str, str], name: str
) -> ov.CompiledModel:
    try:
        return core.compile_model(model, device, properties)
    except RuntimeError as error:
        raise ModelError(
            f'device {device!r} cannot run {name}; OpenVINO finds '
            f'{core.available_devices} here (AUTO chooses by itself): {_last_line(error)}'
        ) from error


def _compile_cached(
    graph: Graph, spec: NetworkSpec, options: InferenceOptions
) -> ov.CompiledModel:
    """Compile a network, or read it from the cache; a model in memory is never cached."""
    properties = options.properties()
    arguments = (graph.core, graph.model, options.device)
    digest = checksum(graph.name)
    key = cache_key(
        digest, graph.inputs, spec, options.device, properties, ov.get_version()
    )
    with verified_cache(options.cache_dir if digest else None, key) as folder:
        if folder is not None:
            try:
                return _compile(
                    *arguments, properties | {'CACHE_DIR': str(folder)}, graph.name
                )
            except ModelError:
                discard(folder)  # the cache may be at fault: see what happens without it
        return _compile(*arguments, properties, graph.name)


def _take_uint8_images(model: ov.Model, spec: NetworkSpec) -> None:
    """Make the graph take ``(N, H, W, 3)`` BGR uint8: it converts everything else itself."""
    steps = PrePostProcessor(model)
    image = steps.input()
    image.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout('NHWC'))
    image.model().set_layout(ov.Layout(spec.layout))
    if spec.colour == 'rgb':
        image.tensor().set_color_format(ColorFormat.BGR)
        image.preprocess().convert_color(ColorFormat.RGB)
    element_type = model.input().get_element_type()
    normalised = any(spec.mean) or spec.scale != (1.0, 1.0, 1.0)
    image.preprocess().convert_element_type(ov.Type.f32 if normalised else element_type)
    if any(spec.mean):
        image.preprocess().mean(list(spec.mean))
    if spec.scale != (1.0, 1.0, 1.0):
        image.preprocess().scale(list(spec.scale))
    for name in spec.outputs.values():
        steps.output(name).tensor().set_element_type(ov.Type.f32)
    steps.build()  # changes the graph in place


def _last_line(error: Exception) -> str:
    """Return the last line of a message of OpenVINO, which begins with its own source files."""
    return str(error).strip().splitlines()[-1].strip()
