"""OpenVINO networks with known outputs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import openvino as ov
import openvino.opset13 as ops

from pose3d_ros.detection.openpose.outputs import Outputs


def write_network(
    path: Path,
    outputs: Outputs,
    input_hw: tuple[int, int] = (256, 448),
    names: Mapping[str, str] | None = None,
    layers: int = 0,
    channels: int = 32,
) -> Path:
    """Write an IR that returns `outputs` for every image except a black one, for which it is 0.

    Parameters
    ----------
    path
        Of the .xml file; returned.
    outputs
        Maps to return; those that are None are left out.
    input_hw
        Height and width of the input, px.
    names
        Other names for the outputs, as other families of networks have them.
    layers, channels
        Convolutions that change nothing and cost time: to run (32 channels: about 1.2 GFLOP each),
        or to compile (many layers of few channels).
    """
    image = ops.parameter([1, 3, *input_hw], np.float32, name='data')
    image.output(0).get_tensor().set_names({'data'})
    axes = np.array([1, 2, 3])
    mean = ops.reduce_mean(image, axes, keep_dims=True)
    if layers:
        nothing = ops.multiply(_convolutions(image, layers, channels), np.float32(0))
        mean = ops.add(mean, ops.reduce_mean(nothing, axes, keep_dims=True))
    light = ops.clamp(mean, 0.0, 1.0)
    results = []
    for name in ('features', 'heatmaps', 'pafs'):  # not in the order in which they are read
        if getattr(outputs, name) is None:
            continue
        maps = ops.multiply(light, ops.constant(getattr(outputs, name)[np.newaxis]))
        maps.output(0).get_tensor().set_names({(names or {}).get(name, name)})
        results.append(ops.result(maps))
    ov.save_model(ov.Model(results, [image]), path, compress_to_fp16=False)
    return path


def _convolutions(image: ov.Node, layers: int, channels: int) -> ov.Node:
    """Chain convolutions whose values stay finite."""
    kernels = np.random.default_rng(0).normal(0, 0.1, (layers, channels, channels, 3, 3))
    made = ops.concat([image] * -(-channels // 3), 1)
    made = ops.gather(made, np.arange(channels), 1)
    for kernel in kernels.astype(np.float32):
        one = [1, 1]
        made = ops.tanh(ops.convolution(made, ops.constant(kernel), one, one, one, one))
    return made


def bare(model: ov.Model) -> ov.Model:
    """Remove the normalisation of a network's input, as some conversions leave it out."""
    model = model.clone()
    parameter = model.get_parameters()[0]
    subtract = next(iter(parameter.output(0).get_target_inputs())).get_node()
    divide = next(iter(subtract.output(0).get_target_inputs())).get_node()
    for reader in divide.output(0).get_target_inputs():
        reader.replace_source_output(parameter.output(0))
    model.validate_nodes_and_infer_types()
    return model
