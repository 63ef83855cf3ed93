"""Networks for tests: OpenVINO files whose answer is known."""

import numpy as np
import openvino as ov
import openvino.opset13 as ops


def write_network(path, outputs, input_hw=(256, 448), names=None, layers=0, channels=32):
    """Write an IR that sees the people of `outputs` in every image but a black one.

    Outputs that are None are left out. `names` renames them, to make networks of others. `layers`
    make it slow and change nothing: to run (32 channels: about 1.2 GFLOP each), or to compile
    (many of few).
    """
    image = ops.parameter([1, 3, *input_hw], np.float32, name='data')
    image.output(0).get_tensor().set_names({'data'})
    axes = np.array([1, 2, 3])
    mean = ops.reduce_mean(image, axes, keep_dims=True)
    if layers:
        nothing = ops.multiply(burden(image, layers, channels), np.float32(0))
        mean = ops.add(mean, ops.reduce_mean(nothing, axes, keep_dims=True))
    light = ops.clamp(mean, 0.0, 1.0)
    results = []
    for name in ('features', 'heatmaps', 'pafs'):  # in no particular order
        if getattr(outputs, name) is None:
            continue
        maps = ops.multiply(light, ops.constant(getattr(outputs, name)[np.newaxis]))
        maps.output(0).get_tensor().set_names({(names or {}).get(name, name)})
        results.append(ops.result(maps))
    ov.save_model(ov.Model(results, [image]), path, compress_to_fp16=False)
    return path


def burden(image, layers, channels):
    """Convolutions, one after the other, whose numbers stay finite."""
    kernels = np.random.default_rng(0).normal(0, 0.1, (layers, channels, channels, 3, 3))
    made = ops.concat([image] * -(-channels // 3), 1)
    made = ops.gather(made, np.arange(channels), 1)
    for kernel in kernels.astype(np.float32):
        one = [1, 1]
        made = ops.tanh(ops.convolution(made, ops.constant(kernel), one, one, one, one))
    return made


def bare(model):
    """Remove the normalisation of a network, as converters of a checkpoint leave it out."""
    model = model.clone()
    parameter = model.get_parameters()[0]
    subtract = next(iter(parameter.output(0).get_target_inputs())).get_node()
    divide = next(iter(subtract.output(0).get_target_inputs())).get_node()
    for reader in divide.output(0).get_target_inputs():
        reader.replace_source_output(parameter.output(0))
    model.validate_nodes_and_infer_types()
    return model
