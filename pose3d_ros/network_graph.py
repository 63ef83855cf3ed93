"""The graph of a network: read from its file, described, and changed before it is compiled."""

from __future__ import annotations

import functools
import gc
import os
import re
from copy import copy
from pathlib import Path
from typing import TypeAlias

import numpy as np
import openvino as ov
import openvino.opset13 as ops
from openvino.preprocess import ColorFormat, PrePostProcessor

from pose3d_ros.models import ModelError
from pose3d_ros.models.normalisation import normalisation_inside
from pose3d_ros.models.store import MODEL_SUFFIXES, SAVED_MODEL
from pose3d_ros.network_signature import Signature, TensorInfo
from pose3d_ros.network_spec import NetworkSpec, parse_spec

# Where a graph states its contract, as JSON.
SPEC_RT_INFO = ['pose3d_ros', 'spec']
ModelSource: TypeAlias = str | os.PathLike[str] | ov.Model
# Name of a tensor -> its shape; -1: dynamic.
Shapes: TypeAlias = dict[str, tuple[int, ...]]


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
                f'use multiples of 32: {last_line(error)}'
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


def set_size_input(graph: Graph, name: str, input_hw: tuple[int, int]) -> None:
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


def take_uint8_images(model: ov.Model, spec: NetworkSpec) -> None:
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
            f'ONNX, TensorFlow Lite or SavedModel: {last_line(error)}'
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


def last_line(error: Exception) -> str:
    """Return the last line with words of a message of OpenVINO, which begins with its sources."""
    lines = [line.strip() for line in str(error).splitlines() if re.search(r'\w', line)]
    return lines[-1] if lines else type(error).__name__
