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
from pathlib import Path

import numpy as np

from pose3d_ros.demo import clip
from pose3d_ros.demo.clip import COVERED
from pose3d_ros.detection.detector import Thresholds
from pose3d_ros.estimator import PoseEstimator
from pose3d_ros.evaluation.annotations import estimate_people, read_images
from pose3d_ros.evaluation.counts import HEADER, Counts, count
from pose3d_ros.evaluation.oks import select_labels
from pose3d_ros.models.store import resolve
from pose3d_ros.sources.open_source import open_source
from pose3d_ros.sources.playback import frames
from training.render.dataset import Shard


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
    for t, frame in enumerate(frames(open_source(str(path)))):
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
