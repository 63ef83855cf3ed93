"""Weights -> the OpenVINO model that the package brings along."""

from __future__ import annotations

from pathlib import Path

import openvino as ov
import torch
from torch import Tensor, nn

from pose3d_ros.lifting.lifting_network import OUTPUTS
from pose3d_ros.lifting.person_view import FEATURES
from training.lifting.model import Lifter


class Rows(nn.Module):
    """A lifter whose outputs are rows of numbers."""

    def __init__(self, lifter: Lifter) -> None:
        super().__init__()
        self.lifter = lifter

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See `Lifter`; keypoints as ``(n, 3 K)``."""
        xyz_m, log_scale, person = self.lifter(features)
        return xyz_m.flatten(1), log_scale, person


def export(lifter: Lifter, path: Path) -> None:
    """Write a lifter as OpenVINO IR, its weights in float16."""
    graph = ov.convert_model(Rows(lifter).eval(), example_input=torch.zeros(2, FEATURES))
    graph.reshape({0: [-1, FEATURES]})
    graph.inputs[0].get_tensor().set_names({'features'})
    for output, name in zip(graph.outputs, OUTPUTS, strict=True):
        output.get_tensor().set_names({name})
    path.parent.mkdir(parents=True, exist_ok=True)
    ov.save_model(graph, path, compress_to_fp16=True)
