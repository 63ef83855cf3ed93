"""The one place at run time that calls OpenVINO: read, prepare, compile and run networks."""

from __future__ import annotations

import functools
import gc
import os
import queue
import re
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import openvino as ov
import openvino.opset13 as ops
from numpy.typing import NDArray
from openvino.preprocess import ColorFormat, PrePostProcessor

from pose3d_ros.models import ModelError
from pose3d_ros.models.compiled_cache import cache_key, discard, verified_cache
from pose3d_ros.models.normalisation import normalisation_inside
from pose3d_ros.models.store import checksum
from pose3d_ros.network_spec import NetworkSpec, Signature, TensorInfo, parse_spec

# OpenVINO's names of the types that it may compute in; '' lets it choose (bf16 where the CPU is
# fast at it).
PRECISIONS = {'auto': '', 'f32': 'f32', 'f16': 'f16', 'bf16': 'bf16'}
# Devices of OpenVINO that stand for others.
VIRTUAL_DEVICES = {'AUTO', 'MULTI', 'HETERO', 'BATCH'}
MODEL_SUFFIXES = ('.xml', '.onnx', '.tflite')
# The file that a folder with a TensorFlow SavedModel contains.
SAVED_MODEL = 'saved_model.pb'
# Where a graph states its contract, as JSON.
SPEC_RT_INFO = ['pose3d_ros', 'spec']

ModelSource: TypeAlias = str | os.PathLike[str] | ov.Model
# Name of a tensor -> its shape; -1: dynamic.
Shapes: TypeAlias = dict[str, tuple[int, ...]]


class InferenceError(RuntimeError):
    """A device that fails while it runs a network, such as one that was unplugged."""


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
    throughput
        Whether several images may be in flight, called from several threads: more images per
        second, each of which takes longer.
    """

    device: str = 'AUTO'
    precision: str = 'auto'
    cache_dir: str | os.PathLike[str] | None = None
    throughput: bool = False

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ModelError(
                f'precision must be one of {list(PRECISIONS)}, found {self.precision!r}'
            )

    def properties(self) -> dict[str, str]:
        """Return the properties for OpenVINO's ``compile_model``."""
        properties = {'PERFORMANCE_HINT': 'THROUGHPUT' if self.throughput else 'LATENCY'}
        if PRECISIONS[self.precision]:
            properties['INFERENCE_PRECISION_HINT'] = PRECISIONS[self.precision]
        return properties


class Graph:
    """A network as read from its file, before it is compiled.

    Parameters
    ----------
    model
        Path of an OpenVINO IR (.xml), ONNX or TensorFlow Lite file, of a folder with a TensorFlow
        SavedModel, or a model in memory, which is copied.

    Raises
    ------
    ModelError
        If the file does not exist or cannot be read.
    """

    def __init__(self, model: ModelSource) -> None:
        self.core = _core()
        if isinstance(model, ov.Model):
            self.path: Path | None = None
            self.name, self.model = model.get_friendly_name(), model.clone()
        else:
            self.path = Path(model)
            self.name, self.model = str(model), _read_file(self.core, self.path)

    def copy(self) -> Graph:
        """Return a copy that can be changed; it shares the weights."""
        copied = copy(self)
        copied.model = self.model.clone()
        return copied

    @property
    def inputs(self) -> Shapes:
        """Shape of each input by its name."""
        return _shapes(self.model.inputs)

    @property
    def outputs(self) -> Shapes:
        """Shape of each output by each of its names."""
        return _shapes(self.model.outputs)

    @property
    def signature(self) -> Signature:
        """Names, shapes and types of all inputs and outputs."""
        inputs, outputs = (
            tuple(_tensor_info(port) for port in ports)
            for ports in (self.model.inputs, self.model.outputs)
        )
        return Signature(inputs, outputs)

    def stated_spec(self) -> NetworkSpec | None:
        """Return the contract that is written into the graph; None if there is none."""
        if not self.model.has_rt_info(SPEC_RT_INFO):
            return None
        text = self.model.get_rt_info(SPEC_RT_INFO).astype(str)
        return parse_spec(text, f'spec in model {self.name}')

    def normalises_input(self) -> bool | None:
        """Return whether the graph normalises its input itself; None if it does not tell."""
        return normalisation_inside(self.model)

    def input_size(self, layout: str = 'NCHW') -> tuple[int, int]:
        """Return height and width of the image input, px; -1: dynamic.

        Raises
        ------
        ModelError
            If there is not one input that can be an image.
        """
        row = layout.index('H')
        shape = _tensor_info(self._image_input(layout)).shape
        return shape[row], shape[row + 1]

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
        port = self._image_input(layout)
        found = port.partial_shape
        height, width = input_hw or self.input_size(layout)
        if min(height, width) < 0:
            raise ModelError(
                f'model {self.name} has no input size of its own, {found}: set input_height and '
                'input_width'
            )
        sizes = {'N': batch, 'C': 3, 'H': height, 'W': width}
        shape = [sizes[axis] for axis in layout]
        try:
            self.model.reshape({port: shape})
        except RuntimeError as error:
            raise ModelError(
                f'model {self.name} with input {found} cannot take {tuple(shape)}; '
                f'use multiples of 32: {_last_line(error)}'
            ) from error
        return height, width

    def _image_input(self, layout: str) -> ov.Output:
        images = [port for port in self.model.inputs if _can_be_image(port, layout)]
        if len(images) != 1:
            axes = '(1, 3, height, width)' if layout == 'NCHW' else '(1, height, width, 3)'
            raise ModelError(
                f'model {self.name} must have one image input {axes}, '
                f'found {", ".join(map(str, self.signature.inputs))}'
            )
        return images[0]


class Network:
    """A network that takes images, compiled for one input size.

    One instance may be called from several threads; calls take turns, but for those that
    `InferenceOptions.throughput` lets run at a time.

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
        self.input_hw = graph.input_size(spec.layout)
        if spec.size_input:
            _set_size_input(graph, spec.size_input, self.input_hw)
        _take_uint8_images(graph.model, spec)
        compiled = _compile_cached(graph, spec, options)
        self.device = ','.join(compiled.get_property('EXECUTION_DEVICES'))
        number = 1
        if options.throughput:
            number = compiled.get_property('OPTIMAL_NUMBER_OF_INFER_REQUESTS')
        self._requests = RequestPool(compiled, number)

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

        Raises
        ------
        InferenceError
            If the device fails.
        """
        return {name: array[0] for name, array in self.infer_batch(bgr[np.newaxis]).items()}

    def infer_batch(self, bgr: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Run the network on ``(N, *input_hw, 3)`` images; like `infer`, with the batch axis."""
        return self._requests.run(bgr, self._outputs, f'{self.name} on {self.device}')


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
        self.name, self._outputs = graph.name, {name: name for name in outputs}
        # The network is too small for more than one thread; its outputs are positions, for which
        # bf16 is too coarse. The calling thread runs it: bound to one core, as by default, it
        # waits for whatever else runs there (docs/performance.md).
        properties = {
            'INFERENCE_NUM_THREADS': '1',
            'INFERENCE_PRECISION_HINT': 'f32',
            'ENABLE_CPU_PINNING': 'NO',
        }
        compiled = _compile(graph.core, graph.model, device, properties, graph.name)
        self._requests = RequestPool(compiled, 1)

    def infer(self, rows: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Run the network on ``(n, inputs)``; return a copy of each output, ``(n, width)``."""
        return self._requests.run(rows, self._outputs, self.name)


class RequestPool:
    """Requests of a compiled network, each of which one thread uses at a time.

    Parameters
    ----------
    compiled
        The network.
    number
        Of requests: of calls that run at the same time. Further ones wait.
    """

    def __init__(self, compiled: ov.CompiledModel, number: int) -> None:
        self._free: queue.SimpleQueue[ov.InferRequest] = queue.SimpleQueue()
        for _ in range(number):
            self._free.put(compiled.create_infer_request())

    def run(
        self, array: NDArray[np.generic], outputs: Mapping[str, str], network: str
    ) -> dict[str, NDArray[np.float32]]:
        """Run the network; return a copy of each output by its meaning.

        Raises
        ------
        InferenceError
            If the device fails.
        """
        request = self._free.get()
        try:
            request.infer({0: array}, share_inputs=True, share_outputs=True)
            return {m: request.get_tensor(name).data.copy() for m, name in outputs.items()}
        except RuntimeError as error:
            raise InferenceError(f'{network} failed: {_last_line(error)}') from error
        finally:
            self._free.put(request)


def renew_devices() -> None:
    """Make OpenVINO look for its devices again for the graphs that are read from now on.

    Graphs and networks that exist keep the devices that they have.
    """
    # Cyclic garbage must not outlive the core that it uses: see `_core`.
    gc.collect()
    _core.cache_clear()


@functools.cache
def _core() -> ov.Core:
    """Return the OpenVINO core that all graphs share.

    The CPU plugin of each core sets an alternative signal stack for the thread that loads it.
    When the plugin is destroyed, it frees this stack and sets the one before, which is freed
    memory if the plugin of an earlier core was destroyed first. The next signal that Python
    handles then ends the process by a segmentation fault.
    """
    core = ov.Core()
    # If a memory-mapped file is truncated, reading a page of it ends the process.
    core.set_property({'ENABLE_MMAP': False})
    return core


def _read_file(core: ov.Core, path: Path) -> ov.Model:
    if not path.exists():
        raise ModelError(
            f'model file {path} does not exist; give the path of an OpenVINO .xml, an .onnx, a '
            '.tflite, or a folder with a SavedModel'
        )
    if path.is_dir() and not (path / SAVED_MODEL).is_file():
        raise ModelError(
            f'model folder {path} is no TensorFlow SavedModel: it contains no {SAVED_MODEL}'
        )
    if path.is_file() and path.suffix not in MODEL_SUFFIXES:
        raise ModelError(
            f'model file {path} is neither an OpenVINO .xml nor an .onnx nor a .tflite'
        )
    try:
        return core.read_model(path)
    except RuntimeError as error:
        raise ModelError(
            f'model file {path} cannot be read as an OpenVINO IR with its .bin beside it, as '
            f'ONNX, TensorFlow Lite or SavedModel: {_last_line(error)}'
        ) from error


def _can_be_image(port: ov.Output, layout: str) -> bool:
    shape = port.partial_shape
    if shape.rank.is_dynamic or shape.rank.get_length() != 4:
        return False
    channels = shape[layout.index('C')]
    return bool(channels.is_dynamic or channels.get_length() == 3)


def _tensor_info(port: ov.Output) -> TensorInfo:
    shape = port.partial_shape
    sizes = (
        ()
        if shape.rank.is_dynamic
        else tuple(-1 if n.is_dynamic else n.get_length() for n in shape)
    )
    return TensorInfo(tuple(sorted(port.get_names())), sizes, port.get_element_type().to_string())


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
        available = core.available_devices
        missing = _missing_devices(device, available)
        reason = (
            f'{", ".join(missing)} is not there, or its driver is not installed'
            if missing
            else _last_line(error)
        )
        raise ModelError(
            f'device {device!r} cannot run {name}: {reason}; OpenVINO finds '
            f'{", ".join(available)} here, and AUTO chooses by itself'
        ) from error


def _missing_devices(device: str, available: list[str]) -> list[str]:
    """Return the devices that `device` names, alone or as AUTO:GPU,CPU, and that are not there."""
    named = [name.strip() for name in (device.partition(':')[2] or device).split(',')]
    kinds = {name.partition('.')[0] for name in available} | VIRTUAL_DEVICES
    return [
        name
        for name in named
        if not name.startswith('-') and re.split(r'[.(]', name)[0] not in kinds
    ]


def _compile_cached(
    graph: Graph, spec: NetworkSpec, options: InferenceOptions
) -> ov.CompiledModel:
    """Compile a network, or read it from the cache; a model in memory is never cached."""
    properties = options.properties()
    arguments = (graph.core, graph.model, options.device)
    digest = checksum(graph.name)
    key = cache_key(digest, graph.inputs, spec, options.device, properties, ov.get_version())
    with verified_cache(options.cache_dir if digest else None, key) as folder:
        if folder is not None:
            try:
                return _compile(*arguments, properties | {'CACHE_DIR': str(folder)}, graph.name)
            except ModelError:
                discard(folder)  # the cache may be at fault: see what happens without it
        return _compile(*arguments, properties, graph.name)


def _set_size_input(graph: Graph, name: str, input_hw: tuple[int, int]) -> None:
    """Make a constant, the width and height of the image input, of a second input."""
    for parameter in graph.model.get_parameters():
        port = parameter.output(0)
        if name in port.get_names():
            shape = [1, 2] if port.partial_shape.rank.get_length() == 2 else [2]
            size_wh = np.array(input_hw[::-1]).reshape(shape)
            constant = ops.constant(size_wh, dtype=port.get_element_type().to_dtype())
            port.replace(constant.output(0))
            graph.model.remove_parameter(parameter)
            graph.model.validate_nodes_and_infer_types()
            return
    raise ModelError(
        f'model {graph.name} must have the input {name} for the size of the image, '
        f'found {", ".join(map(str, graph.signature.inputs))}'
    )


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
    """Return the last line with words of a message of OpenVINO, which begins with its sources."""
    lines = [line.strip() for line in str(error).splitlines() if re.search(r'\w', line)]
    return lines[-1] if lines else type(error).__name__
