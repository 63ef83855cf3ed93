"""How well an image network finds people: on frames it was not trained on, clips, real images.

    python -m training.evaluate MODEL --frames HELD_OUT ... [--clip] [--data FOLDER]

Everything goes through the package: its network runner, its grouping, its thresholds, and whom it
calls found, or false (`pose3d_ros.evaluation.oks`). Keypoints of drawn people count if they are in
the image with nothing else before them. A keypoint is right within a tenth of the longer side of
the box of those that count.

3D is that of the people who were found, lifted by the bundled lifting network, which is told the
camera's intrinsics and nothing else: mean distance of all keypoints from where they are, both
pelvises put on each other (MPJPE), the same after the best rotation, scale and shift (PA-MPJPE),
and the median error of the pelvis' distance as a share of it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.accuracy import estimate
from benchmark.accuracy_2d import read, right
from benchmark.accuracy_3d import Errors, person_errors
from pose3d_ros.demo import clip
from pose3d_ros.demo.clip import COVERED
from pose3d_ros.detection.detector import Thresholds
from pose3d_ros.estimator import PoseEstimator
from pose3d_ros.evaluation.oks import COCO, Labels, labelled, match
from pose3d_ros.models.store import resolve
from pose3d_ros.people import People3D
from pose3d_ros.skeleton import PANOPTIC19
from pose3d_ros.sources.open_source import open_source
from pose3d_ros.sources.playback import frames
from training.render.dataset import Shard

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


def count(labels: Labels, xyz_m: NDArray[np.floating], people: People3D) -> Counts:
    """Compare the people found in an image with those who are there, ``(N, K, 3)`` m.

    3D is not compared of whom nothing is known in metres.
    """
    ours = people.people_2d
    pairs, found, false = match(labels, ours.xy_px)
    # What is found of covered keypoints is neither right nor wrong.
    shown = ours.detected.copy()
    for i, j in pairs:
        shown[j] &= np.isfinite(labels.xy_px[i, :, 0])
    counted = [*(j for _, j in found), *false]
    placed = [(i, j) for i, j in found if np.isfinite(xyz_m[i]).any()]
    errors = [person_errors(xyz_m[i], people.xyz_m[j]) for i, j in placed]
    away = [float(np.linalg.norm(xyz_m[i, ROOT])) for i, _ in placed]
    return Counts(
        images=1, people=len(labels.xy_px), found=len(found), false=len(false),
        keypoints=int(np.isfinite(labels.xy_px[:, COCO, 0]).sum()),
        shown=int(shown[np.ix_(counted, COCO)].sum()), right=right(labels, pairs, ours.xy_px),
        errors=errors, away=[e.distance / one for e, one in zip(errors, away, strict=True)],
    )  # fmt: skip


def on_frames(estimator: PoseEstimator, folder: Path) -> Iterator[Counts]:
    """Look at rendered frames."""
    for path in sorted(folder.glob('??????.npz')):
        shard = Shard(path)
        for i in range(len(shard)):
            example = shard[i]
            labels, who = labelled(example.xy_px, example.seen > COVERED)
            people = estimator.estimate(example.bgr, example.intrinsics)
            yield count(labels, example.xyz_m[who], people)


def on_clip(estimator: PoseEstimator, path: Path) -> Iterator[Counts]:
    """Look at the images of a clip with its truth beside it."""
    known = clip.truth(path)
    for t, frame in enumerate(frames(open_source(str(path)))):
        labels, who = known.labels(t)
        people = estimator.estimate(frame.bgr, known.intrinsics)
        yield count(labels, known.xyz_m[t, who], people)


def on_real(estimator: PoseEstimator, folder: Path) -> Iterator[Counts]:
    """Look at real images, which nothing was trained on."""
    for truth in read(folder):
        # Metres are compared where the camera is known.
        xyz_m = truth.xyz_m if truth.intrinsics else np.full_like(truth.xyz_m, np.nan)
        yield count(truth, xyz_m, estimate(truth, estimator))


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
    estimator = PoseEstimator(resolve(args.model), 'CPU', thresholds=thresholds)
    print(HEADER)
    sources = [(folder.name, on_frames(estimator, folder)) for folder in args.frames]
    if args.clip:
        sources.append(('bundled clip', on_clip(estimator, clip.PATH)))
    if args.data:
        sources.append(('real images', on_real(estimator, args.data)))
    for title, source in sources:
        total = Counts()
        for counts in source:
            total += counts
        print(total.row(title), flush=True)


if __name__ == '__main__':
    main()
