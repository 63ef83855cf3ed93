"""Export a checkpoint as a network for the package: OpenVINO, float16.

python -m training.image.export RUN/checkpoint.pt --out demo.xml [--height 256 --width 448]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import openvino as ov
import torch
from torch import Tensor, nn

from pose3d_ros.models.normalisation import mark_inside
from training.image.network import HEATMAPS, ImageNetwork


class _Last(nn.Module):
    """The network with the outputs of the second stage only."""

    def __init__(self, network: ImageNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, bgr: Tensor) -> tuple[Tensor, Tensor]:
        answers = self.network(bgr)[1]
        return answers[:, :HEATMAPS], answers[:, HEATMAPS:]


def convert(network: ImageNetwork, size_hw: tuple[int, int]) -> ov.Model:
    """Convert a network whose input is BGR 0..255, ``(1, 3, *size_hw)``."""
    example = torch.zeros(1, 3, *size_hw)
    model = ov.convert_model(
        _Last(network.eval().float()), example_input=example, input=[1, 3, *size_hw]
    )
    for name, output in zip(('heatmaps', 'pafs'), model.outputs, strict=True):
        output.get_tensor().set_names({name})
    model.input().get_tensor().set_names({'data'})
    model.set_friendly_name('demo_only')
    mark_inside(model)
    return model


def load(checkpoint: Path) -> ImageNetwork:
    """Read the averaged network from a checkpoint, or from the file beside it."""
    network = ImageNetwork()
    found = torch.load(checkpoint, map_location='cpu', weights_only=True)
    network.load_state_dict(found['averaged'])
    return network


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('checkpoint', type=Path)
    parser.add_argument('--out', type=Path, required=True, help='.xml; its .bin goes beside it')
    parser.add_argument('--height', type=int, default=256)
    parser.add_argument('--width', type=int, default=448)
    args = parser.parse_args(arguments)
    model = convert(load(args.checkpoint), (args.height, args.width))
    ov.save_model(model, args.out, compress_to_fp16=True)


if __name__ == '__main__':
    main()
