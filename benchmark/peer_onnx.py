"""Convert the operations of a network that OpenVINO has read to those of ONNX.

Knows those of the networks that `benchmark.peers` compares; it is no general converter. int8
weights stay int8, and the quantisation of activations becomes QuantizeLinear and DequantizeLinear.
Runs in the environment of the peer, with onnx.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
# Operations that differ in the name alone.
SAME = {
    'Add': 'Add', 'Multiply': 'Mul', 'Subtract': 'Sub', 'Divide': 'Div', 'Power': 'Pow',
    'Mod': 'Mod', 'Less': 'Less', 'LogicalAnd': 'And', 'LogicalXor': 'Xor', 'Select': 'Where',
    'Sigmoid': 'Sigmoid', 'Relu': 'Relu', 'Elu': 'Elu', 'Reshape': 'Reshape',
    'GatherND': 'GatherND', 'Squeeze': 'Squeeze', 'Unsqueeze': 'Unsqueeze',
}  # fmt: skip
TYPES = {'f32': TensorProto.FLOAT, 'i32': TensorProto.INT32, 'i64': TensorProto.INT64}
# Operands whose type ONNX fixes: shapes and axes.
# Zero points of weights of at most this, in steps of their quantisation, are rounding of f16.
NO_ZERO_POINT = 1e-3
INT64_OPERAND = ('Reshape', 'Squeeze', 'Unsqueeze', 'GatherND')


class Writer:
    """Collects the nodes of an ONNX graph.

    Parameters
    ----------
    model
        The network.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        self.names: dict[tuple[str, int], str] = {}
        self._number = 0

    def new(self) -> str:
        """Return an unused name."""
        self._number += 1
        return f't{self._number}'

    def add(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        """Add a node with one output; return the name of the output."""
        name = self.new()
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def constant(self, array: Any) -> str:
        """Add a constant; return its name."""
        name = self.new()
        tensor = numpy_helper.from_array(np.asarray(array, order='C'), name)
        self.constants[name] = tensor
        return name

    def operand(self, node: Any, i: int, int64: bool = False) -> str:
        """Return the name of an input of a node of the network."""
        port = node.input_value(i)
        value = constant_of(port.get_node())
        if value is not None:
            return self.constant(np.atleast_1d(value).astype(np.int64) if int64 else value)
        name = self.names[port.get_node().get_friendly_name(), port.get_index()]
        return self.add('Cast', [name], to=TensorProto.INT64) if int64 else name

    def convert(self) -> None:
        """Add all nodes of the network."""
        for node in self.model.get_ordered_ops():
            kind = node.get_type_name()
            key = node.get_friendly_name(), 0
            if kind == 'Constant' or kind == 'Result' or key in self.names:
                continue
            if kind == 'Parameter':
                self.names[key] = node.output(0).get_any_name()
            elif weights_of(node) is None:
                converter: Callable[[Writer, Any], Any] = CONVERTERS.get(kind, same)
                outputs = converter(self, node)
                for i, name in enumerate([outputs] if isinstance(outputs, str) else outputs):
                    self.names[key[0], i] = name

    def output(self, i: int) -> str:
        """Return the name of an output of the network."""
        port = self.model.outputs[i].get_node().input_value(0)
        return self.names[port.get_node().get_friendly_name(), port.get_index()]


def constant_of(node: Any) -> Any:
    """Return the value of a constant, f16 as f32; None for another node."""
    if node.get_type_name() != 'Constant':
        return None
    value = np.array(node.get_data())
    return value.astype(np.float32) if value.dtype == np.float16 else value


def weights_of(node: Any) -> tuple[Any, Any] | None:
    """Return int8 weights, ``(outputs, ...)``, and their scales; None for another node."""
    kind = node.get_type_name()
    if kind == 'Convert':
        value = constant_of(node.input_value(0).get_node())
        return None if value is None else (value, None)
    if kind not in ('Subtract', 'Multiply', 'Reshape'):
        return None
    weights = weights_of(node.input_value(0).get_node())
    if weights is None or kind == 'Reshape':
        return weights
    value = constant_of(node.input_value(1).get_node())
    if kind == 'Multiply':
        return weights[0], value.ravel()
    if np.abs(value).max() > NO_ZERO_POINT:
        raise SystemExit(f'{node.get_friendly_name()}: zero points of weights must be 0')
    return weights


def same(w: Writer, node: Any) -> str:
    """Convert an operation of the same meaning."""
    kind = node.get_type_name()
    if kind not in SAME:
        raise SystemExit(f'{kind} ({node.get_friendly_name()}) is unknown to this converter')
    inputs = [
        w.operand(node, i, int64=i == 1 and kind in INT64_OPERAND)
        for i in range(node.get_input_size())
    ]
    return w.add(SAME[kind], inputs)


def integers(text: str) -> list[int]:
    """Read '[1, 2]'."""
    return [int(part) for part in str(text).strip('[]{}').split(',')]


def convolution(w: Writer, node: Any) -> str:
    """Convert a convolution with the bias that is added to it."""
    attributes = node.get_attributes()
    source = node.input_value(1).get_node()
    quantised = weights_of(source)
    weights, scale = quantised if quantised else (constant_of(source), None)
    grouped = node.get_type_name() == 'GroupConvolution'
    if grouped and weights.ndim == 5:
        weights = weights.reshape(-1, *weights.shape[2:])
    inputs = [w.operand(node, 0), w.constant(weights)]
    if scale is not None:
        scales = np.broadcast_to(scale, len(weights)).astype(np.float32)
        zeros = w.constant(np.zeros(len(weights), np.int8))
        inputs[1] = w.add('DequantizeLinear', [inputs[1], w.constant(scales), zeros], axis=0)
    targets = list(node.output(0).get_target_inputs())
    follower = targets[0].get_node() if len(targets) == 1 else node
    bias = None
    if follower.get_type_name() == 'Add':
        bias = constant_of(follower.input_value(1).get_node())
    if bias is not None and not (bias.size == bias.shape[1] == len(weights)):
        bias = None
    if bias is not None:
        inputs.append(w.constant(bias.ravel().astype(np.float32)))
    name = w.add(
        'Conv',
        inputs,
        strides=integers(attributes['strides']),
        dilations=integers(attributes['dilations']),
        pads=integers(attributes['pads_begin']) + integers(attributes['pads_end']),
        group=node.input_value(1).get_shape()[0] if grouped else 1,
    )
    if bias is not None:
        w.names[follower.get_friendly_name(), 0] = name
    return name


def fake_quantise(w: Writer, node: Any) -> str:
    """Convert the quantisation of activations, with one range or with one for each channel."""
    low, high = (constant_of(node.input_value(i).get_node()).squeeze() for i in (1, 2))
    scale = ((high - low) / (int(node.get_attributes()['levels']) - 1)).astype(np.float32)
    numbers = [w.constant(scale), w.constant(np.rint(-low / scale).astype(np.uint8))]
    quantised = w.add('QuantizeLinear', [w.operand(node, 0), *numbers], axis=1)
    return w.add('DequantizeLinear', [quantised, *numbers], axis=1)


def convert_type(w: Writer, node: Any) -> str:
    """Convert a change of type; f16 is f32 here."""
    kind = str(node.get_attributes()['destination_type']).replace('f16', 'f32')
    return w.add('Cast', [w.operand(node, 0)], to=TYPES[kind])


def interpolate(w: Writer, node: Any) -> str:
    """Convert a change of size, by the sizes of its input and output."""
    attributes = node.get_attributes()
    before, after = node.input_value(0).get_shape(), node.output(0).get_shape()
    scales = w.constant(np.array(after, np.float32) / np.array(before, np.float32))
    linear = attributes['mode'].startswith('linear')
    options = {'mode': 'linear'} if linear else {'mode': 'nearest', 'nearest_mode': 'floor'}
    how = attributes['coordinate_transformation_mode']
    inputs = [w.operand(node, 0), '', scales]
    return w.add('Resize', inputs, coordinate_transformation_mode=how, **options)


def max_pool(w: Writer, node: Any) -> str:
    """Convert the largest value of a window."""
    attributes = node.get_attributes()
    return w.add(
        'MaxPool',
        [w.operand(node, 0)],
        kernel_shape=integers(attributes['kernel']),
        strides=integers(attributes['strides']),
        pads=integers(attributes['pads_begin']) + integers(attributes['pads_end']),
    )


def top_k(w: Writer, node: Any) -> tuple[str, str]:
    """Convert the largest values, and where they are."""
    count = w.constant(constant_of(node.input_value(1).get_node()).reshape(1).astype(np.int64))
    names = w.new(), w.new()
    axis = int(node.get_attributes()['axis'])
    w.nodes.append(helper.make_node('TopK', [w.operand(node, 0), count], names, axis=axis))
    return names[0], w.add('Cast', [names[1]], to=TensorProto.INT32)


def split(w: Writer, node: Any) -> list[str]:
    """Convert equal parts along an axis."""
    names = [w.new() for _ in range(int(node.get_attributes()['num_splits']))]
    axis = constant_of(node.input_value(1).get_node()).item()
    w.nodes.append(helper.make_node('Split', [w.operand(node, 0)], names, axis=axis))
    return names


def squared_difference(w: Writer, node: Any) -> str:
    """Convert the square of a difference."""
    difference = w.add('Sub', [w.operand(node, 0), w.operand(node, 1)])
    return w.add('Mul', [difference, difference])


def hard_sigmoid(w: Writer, node: Any) -> str:
    """Convert a clipped line."""
    alpha, beta = (constant_of(node.input_value(i).get_node()).item() for i in (1, 2))
    return w.add('HardSigmoid', [w.operand(node, 0)], alpha=alpha, beta=beta)


def with_axes(kind: str, name: str, **more: Any) -> Callable[[Writer, Any], str]:
    """Return a function for an operation whose second input, a constant, is an attribute."""

    def convert(w: Writer, node: Any) -> str:
        axes = constant_of(node.input_value(1).get_node()).ravel().tolist()
        return w.add(kind, [w.operand(node, 0)], **{name: axes, **more})

    return convert


def concat(w: Writer, node: Any) -> str:
    """Convert joined tensors."""
    inputs = [w.operand(node, i) for i in range(node.get_input_size())]
    return w.add('Concat', inputs, axis=int(node.get_attributes()['axis']))


def clamp(w: Writer, node: Any) -> str:
    """Convert a clipped value."""
    attributes = node.get_attributes()
    limits = [w.constant(np.float32(attributes[name])) for name in ('min', 'max')]
    return w.add('Clip', [w.operand(node, 0), *limits])


def not_equal(w: Writer, node: Any) -> str:
    """Convert an inequality."""
    return w.add('Not', [w.add('Equal', [w.operand(node, 0), w.operand(node, 1)])])


CONVERTERS: dict[str, Callable[[Writer, Any], Any]] = {
    'Convolution': convolution, 'GroupConvolution': convolution, 'FakeQuantize': fake_quantise,
    'Convert': convert_type, 'Interpolate': interpolate, 'MaxPool': max_pool, 'TopK': top_k,
    'Split': split, 'SquaredDifference': squared_difference, 'HardSigmoid': hard_sigmoid,
    'Transpose': with_axes('Transpose', 'perm'), 'Concat': concat, 'Clamp': clamp,
    'ReduceMean': with_axes('ReduceMean', 'axes', keepdims=1), 'NotEqual': not_equal,
}  # fmt: skip
