"""The one place that runs OpenVINO: load, check, compile, infer."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino.preprocess import PrePostProcessor

from pose3d_ros.models import graph_mobilenet
from pose3d_ros.models.contract import normalisation_inside
from pose3d_ros.skeleton import HEATMAP_CHANNELS, LOCATION_MAP_CHANNELS, PAF_CHANNELS

# Channels of each output. A network must have all but location maps.
LOCATION_MAPS = 'features'
OUTPUT_CHANNELS = {
    'heatmaps': len(HEATMAP_CHANNELS) + 1,  # and background
    'pafs': 2 * len(PAF_CHANNELS),
    LOCATION_MAPS: 3 * len(LOCATION_MAP_CHANNELS),
}
# OpenVINO's names of the types that it may compute in; '' lets it choose (bf16 where the CPU is
# fast at it).
PRECISIONS = {'auto': '', 'f32': 'f32', 'f16': 'f16', 'bf16': 'bf16'}

ModelSource: TypeAlias = str | os.PathLike[str] | ov.Model


class NetworkError(ValueError):
    """A model or a device that cannot be used; says what was expected and what was found."""


@dataclass(frozen=True)
class Outputs:
    """What the network says about one image, on a grid of h x w cells.

    Parameters
    ----------
    heatmaps
        ``(19, h, w)`` float32, keypoints of ``skeleton.HEATMAP_CHANNELS`` and background, about 0
        to 1.
    pafs
        ``(38, h, w)`` float32, part affinity fields: unit vectors along limbs, x and y of each of
        ``skeleton.PAF_CHANNELS``.
    features
        ``(57, h, w)`` float32, location maps: x, y, z of each of
        ``skeleton.LOCATION_MAP_CHANNELS``, relative to the root, in body heights; None: no maps.
    """

    heatmaps: NDArray[np.float32]
    pafs: NDArray[np.float32]
    features: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        for name, channels in OUTPUT_CHANNELS.items():
            if name == LOCATION_MAPS and self.features is None:
                continue
            shape = getattr(self, name).shape
            if shape != (channels, *self.heatmaps.shape[1:]) or len(shape) != 3:
                raise ValueError(f'{name} must be ({channels}, h, w), found {shape}')


class Network:
    """A network with the outputs of human-pose-estimation-3d-0001, compiled for one input size.

    Those of a 2D network will do, heatmaps and part affinity fields: it has no location maps.

    Parameters
    ----------
    model
        Path of an OpenVINO IR (.xml) or ONNX file, or a model in memory. It takes BGR; 0..255,
        unless `input_mean` and `input_scale` say otherwise.
    device
        Any OpenVINO device: CPU, GPU, NPU, AUTO, AUTO:GPU,CPU, ...
    input_hw
        Height and width of the input, multiples of the stride; None for the file's own.
    precision
        One of ``PRECISIONS``.
    input_mean, input_scale
        For files without normalisation inside: the network is given
        (x - input_mean) / input_scale. 0 and 1: nothing, unless the graph is that of
        human-pose-estimation-3d-0001 without its own, which it then gets.
    cache_dir
        Folder for compiled models, so that a second start is fast; None for none.

    Raises
    ------
    NetworkError
        If the file, its inputs or outputs, the size, the device or the precision cannot be used,
        or if it would be normalised twice.
    """

    def __init__(
        self,
        model: ModelSource,
        device: str = 'AUTO',
        input_hw: tuple[int, int] | None = None,
        precision: str = 'auto',
        input_mean: float = 0.0,
        input_scale: float = 1.0,
        cache_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        if precision not in PRECISIONS:
            raise NetworkError(f'precision must be one of {list(PRECISIONS)}, found {precision!r}')
        core = ov.Core()
        # A mapped file that somebody cuts short ends the process, whenever a page of it is read.
        core.set_property({'ENABLE_MMAP': False})
        if isinstance(model, ov.Model):
            self.name, graph = model.get_friendly_name(), model.clone()
        else:
            self.name, graph = str(model), _read(core, Path(model))
        mean, scale = _normalisation(graph, self.name, input_mean, input_scale)
        _reshape(graph, self.name, input_hw)
        self.input_hw: tuple[int, int] = tuple(graph.input().shape)[2:]
        self.outputs, self.stride = _check_outputs(graph, self.name)
        _take_uint8_images(graph, self.outputs, mean, scale)
        options = {'PERFORMANCE_HINT': 'LATENCY'}
        if PRECISIONS[precision]:
            options['INFERENCE_PRECISION_HINT'] = PRECISIONS[precision]
        if cache_dir is not None:
            options['CACHE_DIR'] = str(cache_dir)
        compiled = _compiled(core, graph, device, options, self.name)
        self.device = ','.join(compiled.get_property('EXECUTION_DEVICES'))
        self._request = compiled.create_infer_request()

    def infer(self, bgr: NDArray[np.uint8]) -> Outputs:
        """Run the network.

        Parameters
        ----------
        bgr
            ``(*input_hw, 3)`` uint8.

        Returns
        -------
        Outputs
            Arrays of its own, not touched by the next call.
        """
        self._request.infer({0: bgr[np.newaxis]}, share_inputs=True)
        arrays = {name: self._request.get_tensor(name).data[0] for name in self.outputs}
        return Outputs(**{name: array.copy() for name, array in arrays.items()})


class VectorNetwork:
    """A network from rows of numbers to rows of numbers, compiled for any number of rows.

    Parameters
    ----------
    model
        Path of an OpenVINO IR (.xml) with one input ``(n, inputs)``.
    device
        Any OpenVINO device.
    inputs
        Width of the input.
    outputs
        Name and width of each output.

    Raises
    ------
    NetworkError
        If the file, its input or outputs, or the device cannot be used.
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        device: str,
        inputs: int,
        outputs: dict[str, int],
    ) -> None:
        core = ov.Core()
        graph = _read_file(core, Path(model))
        shapes = {name: o.partial_shape for o in graph.outputs for name in o.get_names()}
        expected = {'features': inputs, **outputs}
        shapes.update({name: i.partial_shape for i in graph.inputs for name in i.get_names()})
        wrong = [n for n, w in expected.items() if shapes.get(n) != ov.PartialShape([-1, w])]
        if wrong or len(graph.inputs) != 1:
            raise NetworkError(
                f'model {model} must have one input `features` and the outputs {list(outputs)}, '
                f'rows of widths {expected}, found {shapes or "none with a name"}'
            )
        self._outputs = list(outputs)
        # Too small for more than one thread, and its answers are positions: not in bf16.
        options = {'INFERENCE_NUM_THREADS': '1', 'INFERENCE_PRECISION_HINT': 'f32'}
        self._request = _compiled(core, graph, device, options, str(model)).create_infer_request()

    def infer(self, rows: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Run the network on ``(n, inputs)``. Returns arrays of its own, ``(n, width)`` each."""
        self._request.infer({0: rows}, share_inputs=True)
        return {name: self._request.get_tensor(name).data.copy() for name in self._outputs}


def _compiled(
    core: ov.Core, graph: ov.Model, device: str, options: dict[str, str], name: str
) -> ov.CompiledModel:
    try:
        return core.compile_model(graph, device, options)
    except RuntimeError as error:
        raise NetworkError(
            f'device {device!r} cannot run {name}; OpenVINO finds '
            f'{core.available_devices} here (AUTO chooses by itself): {_last_line(error)}'
        ) from error


def _read(core: ov.Core, path: Path) -> ov.Model:
    graph = _read_file(core, path)
    if len(graph.inputs) != 1 or graph.input().partial_shape.rank != 4:
        found = [str(i.partial_shape) for i in graph.inputs]
        raise NetworkError(
            f'model {path} must have one image input (1, 3, height, width), found {found}'
        )
    return graph


def _read_file(core: ov.Core, path: Path) -> ov.Model:
    if not path.is_file() or path.suffix not in ('.xml', '.onnx'):
        what = 'is neither' if path.is_file() else 'does not exist; give the path of'
        raise NetworkError(f'model file {path} {what} an OpenVINO .xml or an .onnx')
    try:
        return core.read_model(path)
    except RuntimeError as error:
        raise NetworkError(
            f'model file {path} cannot be read as an OpenVINO IR with its .bin beside it, or as '
            f'ONNX: {_last_line(error)}'
        ) from error


def _normalisation(graph: ov.Model, model: str, mean: float, scale: float) -> tuple[float, float]:
    """Decide what is left to do: told by the graph where it can tell, else by the user."""
    inside = normalisation_inside(graph)
    told = (mean, scale) != (0.0, 1.0)
    if inside is False and not told:
        return graph_mobilenet.MEAN, graph_mobilenet.SCALE
    if inside and told:
        raise NetworkError(
            f'model {model} normalises its input itself: input_mean and input_scale must be 0 '
            f'and 1, found {mean} and {scale}'
        )
    return mean, scale


def _reshape(graph: ov.Model, model: str, input_hw: tuple[int, int] | None) -> None:
    """Fix the input's size. NetworkError where it cannot be done."""
    found = graph.input().partial_shape
    if input_hw is None and found.is_dynamic:
        raise NetworkError(
            f'model {model} has no input size of its own, {found}: say height and width'
        )
    height, width = input_hw or (found[2].get_length(), found[3].get_length())
    try:
        graph.reshape({0: [1, 3, height, width]})
    except RuntimeError as error:
        raise NetworkError(
            f'model {model} with input {found} cannot take (1, 3, {height}, {width}); '
            f'use multiples of 32: {_last_line(error)}'
        ) from error


def _check_outputs(graph: ov.Model, model: str) -> tuple[tuple[str, ...], int]:
    """Check names and shapes of the outputs. Returns the names of those it has, and the stride."""
    shapes = {name: list(o.shape) for o in graph.outputs for name in o.get_names()}
    height, width = tuple(graph.input().shape)[2:]
    h, w = shapes.get('heatmaps', [0, 0, 0, 0])[2:]
    stride = height // h if h else 0
    names = [name for name in OUTPUT_CHANNELS if name != LOCATION_MAPS or name in shapes]
    expected = {name: [1, OUTPUT_CHANNELS[name], h, w] for name in names}
    found = {name: shapes.get(name) for name in expected}
    if found != expected or (h * stride, w * stride) != (height, width):
        raise NetworkError(
            f'model {model} must have the outputs {expected} with {height} x {width} '
            f'a multiple of h x w, found {shapes or "none with a name"}'
        )
    return tuple(names), stride


def _take_uint8_images(
    graph: ov.Model, outputs: tuple[str, ...], mean: float, scale: float
) -> None:
    """Have the graph take (1, H, W, 3) uint8: layout and type are converted inside."""
    steps = PrePostProcessor(graph)
    steps.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout('NHWC'))
    steps.input().model().set_layout(ov.Layout('NCHW'))
    steps.input().preprocess().convert_element_type(ov.Type.f32)
    if mean:
        steps.input().preprocess().mean(mean)
    if scale != 1:
        steps.input().preprocess().scale(scale)
    for name in outputs:
        steps.output(name).tensor().set_element_type(ov.Type.f32)
    # The graph is changed in place.
    steps.build()


def _last_line(error: Exception) -> str:
    """OpenVINO's messages are many lines, with source files of its own first."""
    return str(error).strip().splitlines()[-1].strip()
