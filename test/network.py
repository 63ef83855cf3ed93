"""Networks for tests: OpenVINO files whose answer is known."""

import numpy as np
import openvino as ov
import openvino.opset13 as ops


def write_network(path, outputs, input_hw=(256, 448), names=None):
    """Write an IR that sees the people of `outputs` in every image but a black one.

    `names` renames outputs, to make networks that must be refused.
    """
    image = ops.parameter([1, 3, *input_hw], np.float32, name='data')
    image.output(0).get_tensor().set_names({'data'})
    mean = ops.reduce_mean(image, np.array([1, 2, 3]), keep_dims=True)
    light = ops.clamp(mean, 0.0, 1.0)
    results = []
    for name in ('features', 'heatmaps', 'pafs'):  # in no particular order
        maps = ops.multiply(light, ops.constant(getattr(outputs, name)[np.newaxis]))
        maps.output(0).get_tensor().set_names({(names or {}).get(name, name)})
        results.append(ops.result(maps))
    ov.save_model(ov.Model(results, [image]), path, compress_to_fp16=False)
    return path


def bare(model):
    """The same network without its normalisation, as converters make it of a checkpoint."""
    model = model.clone()
    parameter = model.get_parameters()[0]
    subtract = next(iter(parameter.output(0).get_target_inputs())).get_node()
    divide = next(iter(subtract.output(0).get_target_inputs())).get_node()
    for reader in divide.output(0).get_target_inputs():
        reader.replace_source_output(parameter.output(0))
    model.validate_nodes_and_infer_types()
    return model
