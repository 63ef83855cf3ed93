"""The lifting network."""

from __future__ import annotations

from torch import Tensor, nn

from pose3d_ros.lifting.person_view import FEATURES
from pose3d_ros.people import K
from pose3d_ros.skeleton import PANOPTIC19

WIDTH, BLOCKS = 512, 3
ROOT = PANOPTIC19.index(PANOPTIC19.root)


class Block(nn.Module):
    """Two layers beside a shortcut, as in "a simple yet effective baseline" (arXiv 1705.03098)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """``(n, width)`` to the same."""
        out: Tensor = x + self.second(nn.functional.gelu(self.first(self.norm(x))))
        return out


class Lifter(nn.Module):
    """Features ``(n, FEATURES)`` to ``(n, K, 3)`` m, ``(n, K)`` log m and ``(n, 2)``.

    Keypoints come relative to the root, in the axes of the virtual camera. The last two are the
    logarithm of the root's distance along the view times the person's spread, and of its scale.
    """

    def __init__(self, width: int = WIDTH, blocks: int = BLOCKS) -> None:
        super().__init__()
        self.enter = nn.Linear(FEATURES, width)
        self.blocks = nn.Sequential(*(Block(width) for _ in range(blocks)))
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, 4 * K + 2)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See the class."""
        out = self.leave(self.norm(self.blocks(self.enter(features)))).float()
        xyz_m, log_scale, person = out.split((3 * K, K, 2), dim=1)
        xyz_m = xyz_m.unflatten(1, (K, 3))
        return xyz_m - xyz_m[:, ROOT : ROOT + 1], log_scale - 3, person
