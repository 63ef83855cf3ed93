"""How well an image network finds people: on frames it was not trained on, clips, real images.

    python -m training.evaluate MODEL --frames HELD_OUT ... [--clip] [--data FOLDER]

Everything goes through the package: its network runner, its grouping, its thresholds. A person
counts if at least MIN_LABELLED keypoints are in the image with nothing else before them; fewer
are neither missed nor false. Somebody is found if the object keypoint similarity (COCO's, with the
area taken as 0.53 of the box of those keypoints) is 0.5 or more, one to one, best first; a found
person who is nobody is false. A keypoint is right within a tenth of the longer side of that box.

3D is that of the people who were found, lifted by the bundled lifting network, which is told the
camera's intrinsics and nothing else: mean distance of all keypoints from where they are, both
pelvises put on each other (MPJPE), the same after the best rotation, scale and shift (PA-MPJPE),
and the median error of the pelvis' distance as a share of it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmark.accuracy_2d import (
    COCO,
    FOUND_OKS,
    PCK_SHARE,
    Truth,
    box,
    centres,
    inside,
    oks,
    pairs,
    read,
)
from benchmark.accuracy_3d import Errors, person_errors
from pose3d_ros import clip, video
from pose3d_ros.camera import Intrinsics
from pose3d_ros.clip import COVERED
from pose3d_ros.estimation.grouping import Thresholds, group, only_people
from pose3d_ros.estimation.letterbox import Letterbox
from pose3d_ros.estimation.lifting_network import LiftingNetwork
from pose3d_ros.estimation.network import Network
from pose3d_ros.models.store import resolve
from pose3d_ros.people import K, People3D
from pose3d_ros.skeleton import PANOPTIC19
from training.render.dataset import Shard

MIN_LABELLED = 6
# The synthetic people's, on average, m; those of real images are not measured.
HEIGHT_M = 1.70
ROOT = PANOPTIC19.index(PANOPTIC19.root)


@dataclass
class Counts:
    """People and keypoints: true ones, those found, those right; and errors in 3D of the found."""

    images: int = 0
    people: int = 0
    found: int = 0
    false: int = 0
    keypoints: int = 0
    shown: int = 0
    right: int = 0
    errors: list[Errors] = field(default_factory=list)
    away: list[float] = field(default_factory=list)

    def __iadd__(self, other: Counts) -> Counts:
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))
        return self

    def row(self, title: str) -> str:
        """Line of the table."""
        recall, precision = (
            self.found / max(n, 1) for n in (self.people, self.found + self.false)
        )
        return (
            f'| {title} | {self.images} | {self.found}/{self.people} | {self.false} '
            f'| {recall:.3f} | {precision:.3f} '
            f'| {self.right / max(self.keypoints, 1):.3f} '
            f'| {self.right / max(self.shown, 1):.3f} | {self._metres()} |'
        )

    def _metres(self) -> str:
        if not self.errors:
            return '- | - | -'
        mpjpe, aligned = (
            1000 * np.nanmean([getattr(e, name) for e in self.errors])
            for name in ('root_relative', 'procrustes')
        )
        return f'{mpjpe:.0f} | {aligned:.0f} | {np.nanmedian(self.away):.3f}'


HEADER = (
    '| images of | images | people found | false people | recall | precision '
    '| keypoint recall | keypoint precision | MPJPE mm | PA-MPJPE mm | distance |\n'
    '|---|---|---|---|---|---|---|---|---|---|---|'
)


def labelled(
    xy_px: NDArray[np.floating], xyz_m: NDArray[np.floating], seen: NDArray[np.uint8]
) -> Truth:
    """Make the truth of an image, as the benchmarks know it."""
    xy = np.where((seen > COVERED)[..., np.newaxis], xy_px, np.nan).astype(np.float64)
    enough = (seen[:, COCO] > COVERED).sum(axis=1) >= MIN_LABELLED
    # Of the others what there is of their box, seen or not.
    rest = [box(np.asarray(p, np.float64)) for p in xy_px[~enough] if np.isfinite(p).any()]
    return Truth(
        path=Path(), row='', xy_px=xy[enough].reshape(-1, K, 2),
        xyz_m=np.asarray(xyz_m[enough], np.float64).reshape(-1, K, 3),
        visible=np.isfinite(xy[enough]).all(axis=-1).reshape(-1, K),
        boxes=np.array([box(p) for p in xy[enough]]).reshape(-1, 4),
        ignore=np.array(rest).reshape(-1, 4), intrinsics=None, ids=[], sequence=None, time_s=0.0,
    )  # fmt: skip


def count(truth: Truth, people: People3D) -> Counts:
    """Compare the people found in an image with those who are there."""
    found = people.people_2d
    alike = oks(truth, found.xy_px)
    matched = pairs(alike)
    good = [j for i, j in matched if alike[i, j] >= FOUND_OKS]
    # Whoever is taken for somebody else's part is false; who was ignored is not.
    others = np.delete(np.arange(len(found)), good)
    ignored = inside(centres(found.xy_px[others]), truth.ignore).any(axis=1)
    false = others[~ignored]
    counted = np.concatenate([np.array(good, int), false])
    right = 0
    for i, j in matched:
        apart_px = np.linalg.norm(truth.xy_px[i, COCO] - found.xy_px[j, COCO], axis=-1)
        right += int((apart_px <= PCK_SHARE * truth.boxes[i, 2:].max()).sum())
    # What is found of covered keypoints is neither right nor wrong.
    shown = found.seen[np.ix_(counted, COCO)]
    for i, j in matched:
        row = np.flatnonzero(counted == j)
        if len(row):
            shown[row[0]] &= np.isfinite(truth.xy_px[i, COCO, 0])
    placed = [(i, j) for i, j in matched if j in good and i < len(truth.xyz_m)]
    placed = [(i, j) for i, j in placed if np.isfinite(truth.xyz_m[i]).any()]
    errors = [person_errors(truth.xyz_m[i], people.xyz_m[j]) for i, j in placed]
    away = [float(np.linalg.norm(truth.xyz_m[i, ROOT])) for i, _ in placed]
    return Counts(
        images=1, people=len(truth.xy_px), found=len(good), false=len(false),
        keypoints=int(np.isfinite(truth.xy_px[:, COCO, 0]).sum()), shown=int(shown.sum()),
        right=right, errors=errors,
        away=[e.distance / one for e, one in zip(errors, away, strict=True)],
    )  # fmt: skip


@dataclass(frozen=True)
class Line:
    """The straight line from image to metres.

    Parameters
    ----------
    network, lifting
        The image network, and the lifting network.
    thresholds
        When evidence is enough.
    """

    network: Network
    lifting: LiftingNetwork
    thresholds: Thresholds

    def people(self, bgr: NDArray[np.uint8], intrinsics: Intrinsics | None) -> People3D:
        """Find the people in an image; their 3D is a guess where no intrinsics are known."""
        network, hw = self.network, (bgr.shape[0], bgr.shape[1])
        letterbox = Letterbox.fit(hw, network.input_hw, network.stride)
        out = network.infer(letterbox.apply(bgr, network.input_hw))
        groups = group(out.heatmaps, out.pafs, out.features, letterbox, self.thresholds)
        people = only_people(groups, self.thresholds)
        return self.lifting.lift(people, intrinsics or Intrinsics.guess(*hw[::-1]), HEIGHT_M)


def on_frames(line: Line, folder: Path) -> Iterator[Counts]:
    """Look at rendered frames."""
    for path in sorted(folder.glob('??????.npz')):
        shard = Shard(path)
        for i in range(len(shard)):
            example = shard[i]
            truth = labelled(example.xy_px, example.xyz_m, example.seen)
            yield count(truth, line.people(example.bgr, example.intrinsics))


def on_clip(line: Line, path: Path) -> Iterator[Counts]:
    """Look at the images of a clip with its truth beside it."""
    known = clip.truth(path)
    for t, frame in enumerate(video.frames(video.open_video(str(path)))):
        truth = labelled(known.xy_px[t], known.xyz_m[t], known.seen[t])
        yield count(truth, line.people(frame.bgr, known.intrinsics))


def on_real(line: Line, folder: Path) -> Iterator[Counts]:
    """Look at real images, which nothing was trained on."""
    for truth in read(folder):
        bgr = np.asarray(cv2.imread(str(truth.path)), np.uint8)
        # Metres are compared where the camera is known.
        known = truth if truth.intrinsics else replace(truth, xyz_m=np.zeros((0, K, 3)))
        yield count(known, line.people(bgr, truth.intrinsics))


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('model', help='name of a network, or its .xml')
    parser.add_argument('--frames', type=Path, nargs='*', default=[], help='held-out shards')
    parser.add_argument('--clip', action='store_true', help='the bundled clip, too')
    parser.add_argument('--data', type=Path, help='folder of real images with annotations.json')
    default = Thresholds()
    parser.add_argument('--keypoint', type=float, default=default.keypoint, help='threshold')
    parser.add_argument('--person', type=float, default=default.person, help='threshold')
    parser.add_argument('--min-keypoints', type=int, default=default.min_keypoints)
    args = parser.parse_args()
    thresholds = Thresholds(
        keypoint=args.keypoint, person=args.person, min_keypoints=args.min_keypoints
    )
    line = Line(Network(resolve(args.model), 'CPU'), LiftingNetwork(), thresholds)
    print(HEADER)
    sources = [(folder.name, on_frames(line, folder)) for folder in args.frames]
    if args.clip:
        sources.append(('bundled clip', on_clip(line, clip.PATH)))
    if args.data:
        sources.append(('real images', on_real(line, args.data)))
    for title, source in sources:
        total = Counts()
        for counts in source:
            total += counts
        print(total.row(title), flush=True)


if __name__ == '__main__':
    main()
