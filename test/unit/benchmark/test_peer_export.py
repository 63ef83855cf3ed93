"""Networks written as ONNX give the answers of the originals."""

import numpy as np
import openvino as ov
import openvino.opset13 as ops
import pytest

pytest.importorskip('onnx', reason='writes ONNX files')

from benchmark.peer_export import NMS_IOU, PER_PIXEL, export

RNG = np.random.default_rng(1)
BGR = RNG.integers(0, 256, (1, 3, 32, 32)).astype(np.float32)


def written(model, folder, purpose=None):
    """Return a network as exported, and read again by OpenVINO."""
    ov.save_model(model, folder / 'network.xml', compress_to_fp16=False)
    export(str(folder / 'network.xml'), str(folder / 'network.onnx'), purpose)
    return compiled(folder / 'network.onnx')


def compiled(model):
    return ov.Core().compile_model(model, 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'})


def named(outputs, parameter):
    for i, output in enumerate(outputs):
        output.output(0).set_names({f'output{i}'})
    return ov.Model(outputs, [parameter], 'network')


def image(shape=(1, 3, 32, 32), dtype=np.float32):
    parameter = ops.parameter(shape, dtype, name='image')
    parameter.output(0).set_names({'image'})
    return parameter


def convolution(x, channels_in, channels_out):
    weights = RNG.normal(size=(channels_out, channels_in, 3, 3)).astype(np.float32)
    bias = RNG.normal(size=(1, channels_out, 1, 1)).astype(np.float32)
    return ops.add(ops.convolution(x, weights, [2, 2], [1, 1], [1, 1], [1, 1]), bias)


def constant(parameter, value):
    """Return a constant that depends on the image, as far as the graph knows."""
    x = parameter if parameter.get_element_type() == ov.Type.f32 else ops.convert(parameter, 'f32')
    mean = ops.reduce_mean(x, np.array([1, 2, 3]), True)
    return ops.add(ops.multiply(mean, np.float32(0)), np.asarray(value, np.float32))


def test_convolutions_with_bias_and_activations_give_the_same(tmp_path):
    parameter = image()
    x = ops.sigmoid(convolution(parameter, 3, 8))
    x = ops.concat([ops.relu(convolution(x, 8, 4)), ops.clamp(convolution(x, 8, 4), -1, 1)], 1)
    model = named([ops.transpose(x, np.array([0, 2, 3, 1]))], parameter)
    (expected,) = compiled(model)(BGR).values()
    (found,) = written(model, tmp_path)(BGR).values()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


def test_int8_weights_and_quantised_activations_give_the_same(tmp_path):
    parameter = image()
    numbers = RNG.integers(-127, 128, (8, 3, 3, 3)).astype(np.int8)
    scale = RNG.uniform(0.01, 0.02, (8, 1, 1, 1)).astype(np.float32)
    weights = ops.multiply(ops.convert(ops.constant(numbers), 'f32'), scale)
    x = ops.fake_quantize(parameter, *np.float32([0, 255, 0, 255]), levels=256)
    x = ops.convolution(x, weights, [1, 1], [1, 1], [1, 1], [1, 1])
    model = named([x], parameter)
    (expected,) = compiled(model)(BGR).values()
    network = written(model, tmp_path)
    (found,) = network(BGR).values()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=0.5)


def test_grids_become_boxes_without_duplicates(tmp_path):
    parameter = image((1, 3, 320, 320))
    grids = [np.full((1, 320 // s, 320 // s, 5), [-9.0, 1, 1, 1, 1]) for s in (8, 16, 32)]
    grids[0][0, 10, 20] = 3, 40, 60, 40, 60  # the centre is x 160, y 80
    grids[1][0, 5, 10] = 2, 41, 60, 40, 60  # the same person at the next stride
    grids[2][0, 8, 2] = 1, 30, 50, 30, 50  # x 64, y 256
    model = named([constant(parameter, grid) for grid in grids], parameter)
    network = written(model, tmp_path, 'rtmdet')
    (rows,) = network(np.zeros((1, 3, 320, 320), np.float32)).values()
    expected = [
        [120, 20, 200, 140, 1 / (1 + np.exp(-3))],
        [34, 206, 94, 306, 1 / (1 + np.exp(-1))],
    ]
    assert 0 < NMS_IOU < 1
    np.testing.assert_allclose(rows[0], expected, rtol=1e-4)


def test_keypoints_become_a_peak_along_each_axis(tmp_path):
    side = 64
    parameter = image((1, side, side, 3), np.int32)
    keypoints = RNG.uniform(0.05, 0.95, (1, 1, 17, 3)).astype(np.float32)
    model = named([constant(parameter, keypoints)], parameter)
    network = written(model, tmp_path, 'rtmpose')
    along_x, along_y = network(np.zeros((1, 3, side, side), np.float32)).values()
    for along, axis in ((along_y, 0), (along_x, 1)):
        assert along.shape == (1, 17, PER_PIXEL * side)
        places = np.floor(keypoints[0, 0, :, axis] * PER_PIXEL * side)
        np.testing.assert_array_equal(along[0].argmax(-1), places)
        np.testing.assert_allclose(along[0].max(-1), keypoints[0, 0, :, 2])
