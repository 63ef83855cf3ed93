"""Evaluate a 2D network on frames it was not trained on, on clips and on real images.

    python -m training.evaluate MODEL --frames HELD_OUT ... [--clip] [--data FOLDER]

Everything runs through the package: its inference, grouping and thresholds, and its matching with
labels (`pose3d_ros.evaluation.oks`). Keypoints of rendered people count if they are inside the
image and nothing is in front of them. A keypoint is correct within a tenth of the longer side of
the box of those that count.

3D errors are those of the people found, lifted by the bundled lifting network, which knows the
camera's intrinsics and nothing else: mean distance of all keypoints from the truth, relative to
the pelvis (MPJPE), the same after the best similarity transform (PA-MPJPE), and the median error
of the pelvis' distance as a share of it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.demo import clip
from pose3d_ros.demo.clip import COVERED
from pose3d_ros.detection.detector import Thresholds
from pose3d_ros.estimator import PoseEstimator
from pose3d_ros.evaluation.annotations import estimate_people, read_images
from pose3d_ros.evaluation.oks import (
    COCO,
    Labels,
    count_correct_keypoints,
    match,
    select_labels,
)
from pose3d_ros.evaluation.pose_errors import PoseErrors, pose_errors
from pose3d_ros.models.store import resolve
from pose3d_ros.people import People3D
from pose3d_ros.sources import video
from training.render.dataset import Shard


@dataclass
class Counts:
    """Counts of people and keypoints, and 3D errors of the people found.

    Parameters
    ----------
    images, people
        Number of images and of labelled people in them.
    found, false
        Labelled people found, and detections that are no person.
    keypoints
        Labelled keypoints.
    detected
        Detected keypoints that the labels can judge.
    correct
        Those of them that are correct.
    errors
        3D errors of the people found.
    """

    images: int = 0
    people: int = 0
    found: int = 0
    false: int = 0
    keypoints: int = 0
    detected: int = 0
    correct: int = 0
    errors: list[PoseErrors] = field(default_factory=list)

    def __iadd__(self, other: Counts) -> Counts:
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))
        return self

    def row(self, title: str) -> str:
        """Return a line of the table."""
        recall, precision = (
            self.found / max(n, 1) for n in (self.people, self.found + self.false)
        )
        return (
            f'| {title} | {self.images} | {self.found}/{self.people} | {self.false} '
            f'| {recall:.3f} | {precision:.3f} '
            f'| {self.correct / max(self.keypoints, 1):.3f} '
            f'| {self.correct / max(self.detected, 1):.3f} | {self._cells_3d()} |'
        )

    def _cells_3d(self) -> str:
        if not self.errors:
            return '- | - | -'
        mpjpe, aligned, share = (
            np.array([getattr(e, name) for e in self.errors])
            for name in ('root_relative', 'procrustes', 'root_distance_share')
        )
        means = f'{1000 * np.nanmean(mpjpe):.0f} | {1000 * np.nanmean(aligned):.0f}'
        return f'{means} | {np.nanmedian(share):.3f}'


HEADER = (
    '| images of | images | people found | false people | recall | precision '
    '| keypoint recall | keypoint precision | MPJPE mm | PA-MPJPE mm | distance |\n'
    '|---|---|---|---|---|---|---|---|---|---|---|'
)


def count(labels: Labels, xyz_m: NDArray[np.floating], people: People3D) -> Counts:
    """Compare the people detected in an image with the labelled ones, ``(N, K, 3)`` m.

    People whose true positions are all NaN have no 3D errors.
    """
    detected_px = people.people_2d.xy_px
    pairs, found, false = match(labels, detected_px)
    # Detections of unlabelled keypoints are neither correct nor wrong.
    judged = people.people_2d.detected.copy()
    for i, j in pairs:
        judged[j] &= np.isfinite(labels.xy_px[i, :, 0])
    counted = [*(j for _, j in found), *false]
    with_truth = [(i, j) for i, j in found if np.isfinite(xyz_m[i]).any()]
    return Counts(
        images=1,
        people=len(labels.xy_px),
        found=len(found),
        false=len(false),
        keypoints=int(np.isfinite(labels.xy_px[:, COCO, 0]).sum()),
        detected=int(judged[np.ix_(counted, COCO)].sum()),
        correct=count_correct_keypoints(labels, pairs, detected_px),
        errors=[pose_errors(xyz_m[i], people.xyz_m[j]) for i, j in with_truth],
    )


def on_frames(estimator: PoseEstimator, folder: Path) -> Iterator[Counts]:
    """Evaluate rendered frames."""
    for path in sorted(folder.glob('??????.npz')):
        shard = Shard(path)
        for i in range(len(shard)):
            example = shard[i]
            labels, rows = select_labels(example.xy_px, example.seen > COVERED)
            people = estimator.estimate(example.bgr, example.intrinsics)
            yield count(labels, example.xyz_m[rows], people)


def on_clip(estimator: PoseEstimator, path: Path) -> Iterator[Counts]:
    """Evaluate the images of a clip that has its truth beside it."""
    known = clip.truth(path)
    for t, frame in enumerate(video.frames(video.open_video(str(path)))):
        labels, rows = known.labels(t)
        people = estimator.estimate(frame.bgr, known.intrinsics)
        yield count(labels, known.xyz_m[t, rows], people)


def on_real(estimator: PoseEstimator, folder: Path) -> Iterator[Counts]:
    """Evaluate real images, none of which is used for training."""
    for image in read_images(folder):
        # Positions in metres are comparable only where the camera's intrinsics are known.
        xyz_m = image.xyz_m if image.intrinsics else np.full_like(image.xyz_m, np.nan)
        yield count(image, xyz_m, estimate_people(image, estimator))


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
