"""Small networks with chosen inputs and outputs, in the formats that publishers use."""

import numpy as np
import openvino as ov
import openvino.opset13 as ops


def constant_network(inputs, outputs, element_type=np.float32):
    """Return a network of one image input whose outputs are constants that depend on nothing.

    `inputs` is ``(name, shape)``; `outputs` has an array by name.
    """
    name, shape = inputs
    image = ops.parameter(ov.PartialShape(list(shape)), element_type, name=name)
    image.output(0).get_tensor().set_names({name})
    total = ops.reduce_sum(ops.convert(image, 'f32'), ops.constant(np.arange(4)), False)
    nothing = ops.multiply(total, np.float32(0))
    results = []
    for output, array in outputs.items():
        node = ops.add(ops.constant(np.asarray(array, np.float32)), nothing)
        node.output(0).get_tensor().set_names({output})
        results.append(ops.result(node))
    return ov.Model(results, [image], 'constant')


def ir(model, folder):
    """Return the path of the .xml of a network."""
    path = folder / 'net.xml'
    ov.save_model(model, path, compress_to_fp16=False)
    return path


def _field(number, value):
    """Encode a field of protocol buffers: an int as varint, bytes with their length."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    value = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value):
    encoded = b''
    while value > 127:
        encoded += bytes([value & 127 | 128])
        value >>= 7
    return encoded + bytes([value])


def _value_info(name, shape):
    """Encode onnx.ValueInfoProto of float; a str in the shape is a free size."""
    sizes = b''.join(
        _field(1, _field(2, n) if isinstance(n, str) else _field(1, n)) for n in shape
    )
    return _field(1, name) + _field(2, _field(1, _field(1, 1) + _field(2, sizes)))


def onnx(image, outputs):
    """Encode an ONNX file: outputs are constants, and the image is only looked at.

    `image` is ``(name, shape)``; `outputs` has an array by name.
    """
    name, shape = image
    nodes = _field(1, _field(1, name) + _field(2, 'sum') + _field(4, 'ReduceSum')
                   + _field(5, _field(1, 'keepdims') + _field(3, 0) + _field(20, 2)))  # fmt: skip
    nodes += _field(
        1, _field(1, 'sum') + _field(1, 'zero') + _field(2, 'nothing') + _field(4, 'Mul')
    )
    initialisers = _initialiser('zero', np.zeros((), np.float32))
    for output, array in outputs.items():
        initialisers += _initialiser(f'{output}_value', np.asarray(array, np.float32))
        nodes += _field(
            1,
            _field(1, f'{output}_value')
            + _field(1, 'nothing')
            + _field(2, output)
            + _field(4, 'Add'),
        )
    graph = nodes + _field(2, 'graph') + initialisers
    graph += _field(11, _value_info(name, shape))
    for output, array in outputs.items():
        graph += _field(12, _value_info(output, np.shape(array)))
    return _field(1, 8) + _field(7, graph) + _field(8, _field(1, '') + _field(2, 13))


def _initialiser(name, array):
    sizes = b''.join(_field(1, n) for n in array.shape)
    return _field(5, sizes + _field(2, 1) + _field(8, name) + _field(9, array.tobytes()))


def saved_model(graph_def, inputs, outputs):
    """Encode saved_model.pb around a frozen GraphDef; names of tensors by their role."""
    signature = b''.join(
        _field(number, _field(1, role) + _field(2, _field(1, tensor) + _field(2, 1)))
        for number, names in ((1, inputs), (2, outputs))
        for role, tensor in names.items()
    )
    signature += _field(3, 'tensorflow/serving/predict')
    meta_graph = _field(1, _field(4, 'serve')) + _field(2, graph_def)
    meta_graph += _field(5, _field(1, 'serving_default') + _field(2, signature))
    return _field(1, 1) + _field(2, meta_graph)


def graph_def(side, array):
    """Encode a TensorFlow graph: image (1, side, side, 3) -> `array` plus nothing."""
    dtype = _field(5, _field(1, 'dtype') + _field(2, _field(6, 1)))
    kind = _field(5, _field(1, 'T') + _field(2, _field(6, 1)))

    def shape_of(shape):
        return b''.join(_field(2, _field(1, n)) for n in shape)

    def const(name, value, number=1):
        tensor = _field(1, number) + _field(2, shape_of(value.shape)) + _field(4, value.tobytes())
        attribute = _field(5, _field(1, 'value') + _field(2, _field(8, tensor)))
        typed = _field(5, _field(1, 'dtype') + _field(2, _field(6, number)))
        return _field(1, _field(1, name) + _field(2, 'Const') + typed + attribute)

    shape = _field(5, _field(1, 'shape') + _field(2, _field(7, shape_of((1, side, side, 3)))))
    image = _field(1, _field(1, 'image') + _field(2, 'Placeholder') + dtype + shape)
    index = _field(5, _field(1, 'Tidx') + _field(2, _field(6, 3)))
    keep = _field(5, _field(1, 'keep_dims') + _field(2, _field(5, 0)))
    total = _field(1, _field(1, 'sum') + _field(2, 'Sum') + _field(3, 'image') + _field(3, 'axes')
                   + kind + index + keep)  # fmt: skip
    nothing = _field(
        1, _field(1, 'nothing') + _field(2, 'Mul') + _field(3, 'sum') + _field(3, 'zero') + kind
    )
    result = _field(
        1, _field(1, 'out') + _field(2, 'AddV2') + _field(3, 'value') + _field(3, 'nothing') + kind
    )
    axes = const('axes', np.arange(4, dtype=np.int32), 3)
    zero = const('zero', np.zeros((), np.float32))
    return image + axes + zero + total + nothing + const('value', array) + result
