"""The lifting network, mirror-equivariant: a mirrored input gives the mirrored output."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pose3d_ros.lifting.person_view import FEATURES, PER_KEYPOINT, USED
from pose3d_ros.people import K
from pose3d_ros.skeleton import PANOPTIC19

WIDTH, BLOCKS = 512, 3
OUTPUTS = 4 * K + 2
# Initial value of the log of the scales: about 5 cm.
LOG_SCALE_BIAS = -3.0
ROOT = PANOPTIC19.index(PANOPTIC19.root)


def _other_side(name: str) -> str:
    side, bar, part = name.rpartition('_')
    return {'left': 'right', 'right': 'left'}.get(side, side) + bar + part


def mirror_features() -> Tensor:
    """Return the matrix ``(FEATURES, FEATURES)`` that mirrors features."""
    names = [PANOPTIC19.keypoints[k] for k in USED]
    matrix = torch.eye(FEATURES)
    for i, name in enumerate(names):
        rows = slice(PER_KEYPOINT * i, PER_KEYPOINT * (i + 1))
        matrix[rows] = 0
        first = PER_KEYPOINT * names.index(_other_side(name))
        matrix[rows, first : first + PER_KEYPOINT] = torch.diag(torch.tensor([-1.0, 1, 1, 1, 1]))
    x_of_middle = PER_KEYPOINT * len(names) + 1
    matrix[x_of_middle, x_of_middle] = -1
    return matrix


def mirror_outputs() -> Tensor:
    """Return the matrix ``(OUTPUTS, OUTPUTS)`` that mirrors the outputs, in a row."""
    matrix = torch.eye(OUTPUTS)
    for i, name in enumerate(PANOPTIC19.keypoints):
        j = PANOPTIC19.index(_other_side(name))
        matrix[[*range(3 * i, 3 * i + 3), 3 * K + i]] = 0
        matrix[range(3 * i, 3 * i + 3), range(3 * j, 3 * j + 3)] = torch.tensor([-1.0, 1, 1])
        matrix[3 * K + i, 3 * K + j] = 1
    return matrix


class MirrorLinear(nn.Module):
    """Linear layer between units in two halves, which a mirrored input exchanges.

    Its matrix is ``[[a, b], [b, a]]``: two matrices of half the size, for sums and differences.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.sums = nn.Linear(width // 2, width // 2)
        self.differences = nn.Linear(width // 2, width // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(n, width)`` to ``(n, width)``."""
        first, second = x.chunk(2, dim=1)
        a = self.sums(0.5 * (first + second))
        b = self.differences(0.5 * (first - second))
        return torch.cat([a + b, a - b], dim=1)

    def dense(self) -> nn.Linear:
        """Return the same layer with one matrix."""
        a = 0.5 * (self.sums.weight + self.differences.weight)
        b = 0.5 * (self.sums.weight - self.differences.weight)
        layer = nn.Linear(2 * len(a), 2 * len(a))
        with torch.no_grad():
            layer.weight.copy_(torch.cat([torch.cat([a, b], dim=1), torch.cat([b, a], dim=1)]))
            layer.bias.copy_(torch.cat([self.sums.bias] * 2))
        return layer


class Block(nn.Module):
    """Residual block of two layers (Martinez et al. 2017, arXiv 1705.03098)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.first: nn.Module = MirrorLinear(width)
        self.second: nn.Module = MirrorLinear(width)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(n, width)`` to ``(n, width)``."""
        out: Tensor = x + self.second(nn.functional.gelu(self.first(self.norm(x))))
        return out


class Lifter(nn.Module):
    """Map features ``(n, FEATURES)`` to ``(n, K, 3)`` m, ``(n, K)`` log m and ``(n, 2)``.

    The first output is positions relative to the root in the axes of the virtual camera, the
    second the log of the scale of each one's error. The third is the log of the root's distance
    along the view times the person's spread, and the log of the scale of its error.
    """

    mirror_features: Tensor
    mirror_outputs: Tensor

    def __init__(self, width: int = WIDTH, blocks: int = BLOCKS) -> None:
        super().__init__()
        self.enter = nn.Linear(FEATURES, width // 2)
        self.blocks = nn.Sequential(*(Block(width) for _ in range(blocks)))
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.leave = nn.Linear(width, OUTPUTS)
        self.register_buffer('mirror_features', mirror_features(), persistent=False)
        self.register_buffer('mirror_outputs', mirror_outputs(), persistent=False)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the three outputs."""
        mirrored = features @ self.mirror_features.T
        x = torch.cat([self.enter(features), self.enter(mirrored)], dim=1)
        x = self.norm(self.blocks(x))
        in_mirror = self.leave(x.roll(x.shape[1] // 2, dims=1)).float()
        out = (self.leave(x).float() + in_mirror @ self.mirror_outputs.T) / 2
        xyz_m, log_scale, person = out.split((3 * K, K, 2), dim=1)
        xyz_m = xyz_m.unflatten(1, (K, 3))
        return xyz_m - xyz_m[:, ROOT : ROOT + 1], log_scale + LOG_SCALE_BIAS, person
