"""The image network: heatmaps and part affinity fields from an image, small enough for a CPU.

Dense 3 x 3 convolutions throughout, because depthwise ones train slowly on CPUs. Most time is
spent at the stride of 8 of the outputs; most weights are therefore at coarser strides (U-Net,
arXiv 1505.04597), which also have the whole person in their receptive field. Two stages; the
second one takes the outputs of the first, as in OpenPose (arXiv 1812.08008).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from pose3d_ros.detection.openpose.channels import HEATMAP_CHANNELS, PAF_CHANNELS

STRIDE = 8
# The input's sides are multiples of this: the stride of the coarsest grid.
MULTIPLE = 32
MEAN, SCALE = 128.0, 255.0
HEATMAPS, PAFS = len(HEATMAP_CHANNELS) + 1, 2 * len(PAF_CHANNELS)
# Channels at strides 2, 4, 8, 16 and 32.
WIDTHS = (16, 32, 64, 96, 128)


def _convolution(inputs: int, outputs: int, stride: int = 1, size: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class _Residual(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _convolution(channels, channels)
        self.second = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.second(self.first(x)))


def _blocks(number: int, channels: int) -> list[nn.Module]:
    return [_Residual(channels) for _ in range(number)]


class ImageNetwork(nn.Module):
    """Network of images ``(B, 3, H, W)`` BGR 0..255, sides multiples of ``MULTIPLE``.

    Returns the outputs of both stages, ``(B, 57, H/8, W/8)`` each: heatmaps, then part affinity
    fields, in the order of `pose3d_ros.skeleton`.
    """

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        w2, w4, w8, w16, w32 = widths
        answers = HEATMAPS + PAFS
        self.fine = nn.Sequential(
            _convolution(3, w2, 2), _convolution(w2, w4, 2), *_blocks(1, w4),
            _convolution(w4, w8, 2), *_blocks(2, w8),
        )  # fmt: skip
        self.middle = nn.Sequential(_convolution(w8, w16, 2), *_blocks(2, w16))
        self.coarse = nn.Sequential(_convolution(w16, w32, 2), *_blocks(2, w32))
        self.coarse_up = _convolution(w32, w16, size=1)
        self.middle_again = _Residual(w16)
        self.middle_up = _convolution(w16, w8, size=1)
        self.fine_again = _Residual(w8)
        self.first = nn.Sequential(_convolution(w8, w8), nn.Conv2d(w8, answers, 1))
        self.second = nn.Sequential(
            _convolution(w8 + answers, w8, size=1), *_blocks(2, w8), nn.Conv2d(w8, answers, 1)
        )

    def forward(self, bgr: Tensor) -> tuple[Tensor, Tensor]:
        """Return the outputs of all stages."""
        fine = self.fine((bgr - MEAN) / SCALE)
        middle = self.middle(fine)
        coarse = self.coarse_up(self.coarse(middle))
        middle = self.middle_again(middle + functional.interpolate(coarse, scale_factor=2.0))
        up = functional.interpolate(self.middle_up(middle), scale_factor=2.0)
        fine = self.fine_again(fine + up)
        first = self.first(fine)
        return first, first + self.second(torch.cat([fine, first], 1))
