"""Store rendered frames on disk, so that rendering and training are separate processes.

    python -m training.render.dataset FOLDER --shards 80 [--seed 1]

Each shard is one .npz with FRAMES_PER_SHARD pictures as JPEG and their truth. Existing shards are
not rendered again; several processes can work on one folder, with `--every`.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import Intrinsics
from pose3d_ros.people import K

if TYPE_CHECKING:
    from training.bodies import BodyModel

FRAMES_PER_SHARD = 256
JPEG_QUALITY = 93


@dataclass(frozen=True)
class Example:
    """A picture and its truth; N people.

    Parameters
    ----------
    bgr
        ``(H, W, 3)``.
    xy_px, xyz_m, seen
        ``(N, K, 2)``, ``(N, K, 3)`` and ``(N, K)``, see `training.render.scene.Frame`.
    intrinsics
        Of the camera.
    """

    bgr: NDArray[np.uint8]
    xy_px: NDArray[np.float32]
    xyz_m: NDArray[np.float32]
    seen: NDArray[np.uint8]
    intrinsics: Intrinsics


class Shard:
    """One file of frames; pictures are decompressed on access."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as arrays:
            self._arrays = {name: arrays[name] for name in arrays.files}

    def __len__(self) -> int:
        return len(self._arrays['first_byte']) - 1

    def __getitem__(self, i: int) -> Example:
        a = self._arrays
        packed = a['jpeg'][a['first_byte'][i] : a['first_byte'][i + 1]]
        rows = slice(*a['first_person'][i : i + 2])
        bgr = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
        intrinsics = Intrinsics(*a['intrinsics'][i].tolist())
        return Example(bgr, a['xy_px'][rows], a['xyz_m'][rows], a['seen'][rows], intrinsics)


def write_shard(path: Path, examples: Iterator[Example]) -> None:
    """Write examples to a file atomically."""
    jpeg, first_byte, first_person = [], [0], [0]
    xy_px, xyz_m, seen, cameras = [], [], [], []
    for example in examples:
        _, packed = cv2.imencode('.jpg', example.bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        jpeg.append(packed.ravel())
        first_byte.append(first_byte[-1] + len(jpeg[-1]))
        first_person.append(first_person[-1] + len(example.xy_px))
        xy_px.append(example.xy_px.reshape(-1, K, 2))
        xyz_m.append(example.xyz_m.reshape(-1, K, 3))
        seen.append(example.seen.reshape(-1, K))
        camera = example.intrinsics
        cameras.append([camera.fx, camera.fy, camera.cx, camera.cy])
    new = path.with_suffix(f'.{os.getpid()}.new.npz')
    np.savez(
        new, jpeg=np.concatenate(jpeg), first_byte=first_byte, first_person=first_person,
        xy_px=np.concatenate(xy_px), xyz_m=np.concatenate(xyz_m), seen=np.concatenate(seen),
        intrinsics=cameras,
    )  # fmt: skip
    new.rename(path)


def render(seed: int, number: int, kind: str = 'stills') -> Iterator[Example]:
    """Render frames of the family of scenes, or of clips, determined by the seed."""
    # Imported here so that frames can be read without the body model.
    from training.render import clips, family
    from training.render.photograph import photograph
    from training.render.regions import Regions
    from training.render.scene import draw

    model = _body_model()
    regions = Regions.of(model)
    random = np.random.default_rng([seed, 1])
    scenes = {'stills': family.scenes, 'clips': clips.scenes}[kind](seed, model, regions)
    for scene, _ in zip(scenes, range(number), strict=False):
        frame = draw(scene, regions)
        yield Example(
            photograph(frame.light, random, good=kind == 'clips'), frame.xy_px.astype(np.float32),
            frame.xyz_m.astype(np.float32), frame.seen, scene.view.intrinsics,
        )  # fmt: skip


@cache
def _body_model() -> BodyModel:
    """Load the body model once in a process; it takes seconds."""
    from training.bodies import BodyModel

    return BodyModel('anny')


def main(arguments: list[str] | None = None) -> None:
    """Render the missing shards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('folder', type=Path)
    parser.add_argument('--kind', choices=('stills', 'clips'), default='stills')
    parser.add_argument('--shards', type=int, default=80)
    parser.add_argument('--seed', type=int, default=1, help='of the first shard')
    parser.add_argument('--every', type=int, default=1, help='make only every n-th shard')
    parser.add_argument('--start', type=int, default=0, help='from this one on')
    args = parser.parse_args(arguments)

    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    args.folder.mkdir(parents=True, exist_ok=True)
    for i in range(args.start, args.shards, args.every):
        path = args.folder / f'{args.seed + i:06d}.npz'
        if not path.exists():
            start = time.monotonic()
            write_shard(path, render(args.seed + i, FRAMES_PER_SHARD, args.kind))
            print(
                f'{path} {FRAMES_PER_SHARD / (time.monotonic() - start):.1f} frames/s', flush=True
            )


if __name__ == '__main__':
    main()
