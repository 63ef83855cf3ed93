"""Cut training crops out of frames: randomly scaled, rotated and mirrored, with targets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import IterableDataset, get_worker_info

from pose3d_ros.demo.clip import COVERED, OUTSIDE
from pose3d_ros.detection.letterbox import PADDING
from pose3d_ros.skeleton import PANOPTIC19
from training.image.network import STRIDE
from training.image.targets import Targets, targets
from training.render.dataset import Example, Shard

SCALES = (0.65, 1.3)
TURN_RAD = 0.12
# Share of crops near a person, in frames with people.
ON_PEOPLE = 0.85
# Number of shards in memory.
SHARDS_AT_A_TIME = 24

_MIRRORED = PANOPTIC19.indices(
    tuple(
        name.replace('left', '?').replace('right', 'left').replace('?', 'right')
        for name in PANOPTIC19.keypoints
    )
)


def crop(
    example: Example, random: np.random.Generator | None, size_hw: tuple[int, int]
) -> tuple[NDArray[np.uint8], Targets]:
    """Cut a crop with its targets out of a frame; `random` None: the whole frame."""
    affine, mirror = np.eye(3)[:2], False
    if random is not None:
        affine, mirror = _sample(example, random, size_hw)
    bgr = cv2.warpAffine(
        example.bgr, affine, size_hw[::-1], flags=cv2.INTER_LINEAR, borderValue=(PADDING,) * 3
    )
    seen, xy_px = example.seen, example.xy_px
    if mirror:
        seen, xy_px = seen[:, _MIRRORED], xy_px[:, _MIRRORED]
    xy_px = xy_px @ affine[:, :2].T + affine[:, 2]
    h, w = size_hw
    inside = ((xy_px >= -0.5) & (xy_px < [w - 0.5, h - 0.5])).all(axis=-1)
    seen = np.where(inside | (seen == COVERED), seen, OUTSIDE).astype(np.uint8)
    grid_hw = (h // STRIDE, w // STRIDE)
    return np.asarray(bgr, np.uint8), targets((xy_px + 0.5) / STRIDE, seen, grid_hw)


def _sample(
    example: Example, random: np.random.Generator, size_hw: tuple[int, int]
) -> tuple[NDArray[np.float64], bool]:
    """Sample the transform ``(2, 3)`` from frame px to crop px, and whether it mirrors."""
    h, w = example.bgr.shape[:2]
    scale = np.exp(random.uniform(*np.log(SCALES)))
    c, s = (scale * f(random.normal(0, TURN_RAD / 2)) for f in (np.cos, np.sin))
    centre = random.uniform(0, [w, h])
    visible = np.argwhere(example.seen > COVERED)
    if len(visible) and random.random() < ON_PEOPLE:
        person, keypoint = visible[random.integers(len(visible))]
        centre = example.xy_px[person, keypoint]
    mirror = random.random() < 0.5
    linear = np.array([[c, -s], [s, c]]) * ([-1, 1] if mirror else [1, 1])
    # The chosen keypoint is anywhere in the middle half, but the crop stays inside the frame.
    size = np.array(size_hw[::-1])
    lands = size * random.uniform(0.25, 0.75, 2)
    offset = lands - linear @ centre
    frame = scale * np.array([w, h])
    low = np.minimum(size - frame, 0) - (np.array([-frame[0], 0]) if mirror else 0)
    high = np.maximum(size - frame, 0) - (np.array([-frame[0], 0]) if mirror else 0)
    return np.concatenate([linear, np.clip(offset, low, high)[:, np.newaxis]], axis=1), mirror


class Crops(IterableDataset):
    """An endless stream of crops from all shards in a folder, also new ones, in random order.

    Each is an image ``(3, H, W)`` uint8, maps and weights ``(57, h, w)`` float16.
    """

    def __init__(
        self, folder: Path, size_hw: tuple[int, int], seed: int, frames: int | None = None
    ) -> None:
        self.folder, self.size_hw, self.seed, self.frames = folder, size_hw, seed, frames

    def __iter__(self) -> Iterator[tuple[torch.Tensor, ...]]:
        worker = get_worker_info()
        random = np.random.default_rng([self.seed, worker.id if worker else 0])
        cv2.setNumThreads(1)
        shards: dict[Path, Shard] = {}
        while True:
            paths = sorted(self.folder.glob('??????.npz'))
            if not paths:
                raise FileNotFoundError(f'no frames in {self.folder}; see training.render.dataset')
            chosen = random.permutation(len(paths))[:SHARDS_AT_A_TIME]
            shards = {paths[i]: shards.get(paths[i]) or Shard(paths[i]) for i in chosen}
            loaded = list(shards.values())
            rows = [(s, i) for s in loaded for i in range(len(s))][: self.frames]
            for row in random.permutation(len(rows)):
                shard, i = rows[row]
                example = shard[i]
                bgr, wanted = crop(example, random, self.size_hw)
                image = torch.from_numpy(np.ascontiguousarray(bgr.transpose(2, 0, 1)))
                # float16 halves the data between processes and costs a precision of a thousandth.
                maps, weights = (a.astype(np.float16) for a in (wanted.maps, wanted.weights))
                yield image, torch.from_numpy(maps), torch.from_numpy(weights)
