"""Export the lifting network as the bundled OpenVINO model."""

from __future__ import annotations

import copy
from pathlib import Path

import nncf
import openvino as ov
import torch
from torch import Tensor, nn

from pose3d_ros.lifting.lifting_network import OUTPUTS
from pose3d_ros.lifting.person_view import FEATURES
from pose3d_ros.people import K
from training.lifting.model import LOG_SCALE_BIAS, ROOT, Lifter


class Rows(nn.Module):
    """Compute the same as a `Lifter` with fewer operations, its outputs as rows.

    Mirroring and the subtraction of the root are part of the matrices of the layers.
    """

    def __init__(self, lifter: Lifter) -> None:
        super().__init__()
        lifter = copy.deepcopy(lifter)
        for block in lifter.blocks:
            block.first, block.second = block.first.dense(), block.second.dense()
        self.enter, self.leave = _enter(lifter), _leave(lifter)
        self.blocks, self.norm = lifter.blocks, lifter.norm

    def forward(self, features: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs of `Lifter`, positions as ``(n, 3 K)``."""
        out: Tensor = self.leave(self.norm(self.blocks(self.enter(features))))
        return out.split(list(OUTPUTS.values()), dim=1)


@torch.no_grad()
def _enter(lifter: Lifter) -> nn.Linear:
    weight, bias = lifter.enter.weight, lifter.enter.bias
    return _linear(torch.cat([weight, weight @ lifter.mirror_features]), torch.cat([bias] * 2))


@torch.no_grad()
def _leave(lifter: Lifter) -> nn.Linear:
    mirror = lifter.mirror_outputs
    weight, bias = lifter.leave.weight, lifter.leave.bias
    swapped = weight.roll(weight.shape[1] // 2, dims=1)
    weight, bias = (weight + mirror @ swapped) / 2, (bias + mirror @ bias) / 2
    for parameter in (weight, bias):
        xyz = parameter[: 3 * K].unflatten(0, (K, 3))
        xyz -= xyz[ROOT].clone()
    bias[3 * K : 4 * K] += LOG_SCALE_BIAS
    return _linear(weight, bias)


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.load_state_dict({'weight': weight, 'bias': bias})
    return layer


def export(lifter: Lifter, path: Path) -> None:
    """Write a lifter as OpenVINO IR: weights in int8, of the first and last layer in float16.

    That takes half the time of float16 throughout where the weights are read from memory, as after
    a large 2D network. With the last layer in int8, positions would change by 1 cm.
    """
    graph = ov.convert_model(Rows(lifter).eval(), example_input=torch.zeros(2, FEATURES))
    graph.reshape({0: [-1, FEATURES]})
    graph.inputs[0].get_tensor().set_names({'features'})
    for output, name in zip(graph.outputs, OUTPUTS, strict=True):
        output.get_tensor().set_names({name})
    layers = [
        n.get_friendly_name() for n in graph.get_ordered_ops() if n.type_info.name == 'MatMul'
    ]
    graph = nncf.compress_weights(
        graph,
        mode=nncf.CompressWeightsMode.INT8_SYM,
        ignored_scope=nncf.IgnoredScope(names=[layers[0], layers[-1]]),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    ov.save_model(graph, path, compress_to_fp16=True)
