"""How right the package is: people in images, their 3D positions, and their ids.

    python -m benchmark.accuracy [--data FOLDER] [--model M] [--input-size H W]
                                 [--golden FOLDER] [--videos] [--every N]

FOLDER holds real/annotations.json with its images, and video/NAME.avi with NAME_gt_mot15.txt.
docs/accuracy.md says what the tables mean. Needs pycocotools and motmetrics.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2

from benchmark import accuracy_2d, accuracy_3d, accuracy_ids
from pose3d_ros.camera import Intrinsics
from pose3d_ros.estimator import LIFTERS, PoseEstimator
from pose3d_ros.people import People3D


def estimate(truth: accuracy_2d.Truth, estimator: PoseEstimator) -> People3D:
    """Find the people of an image; SystemExit where there is none."""
    bgr: Any = cv2.imread(str(truth.path))
    if bgr is None:
        raise SystemExit(f'{truth.path} is not an image that OpenCV can read')
    guess = Intrinsics.guess(bgr.shape[1], bgr.shape[0])
    return estimator.estimate(bgr, truth.intrinsics or guess)


def main(argv: list[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add: Callable[..., Any] = parser.add_argument
    add('--data', type=Path, default=Path('../shared/data'), help='(default: %(default)s)')
    add('--model', help='(default: models/real2d_large_256x448.xml in the data)')
    add('--input-size', type=int, nargs=2, metavar=('H', 'W'), help="(default: the model's)")
    add('--golden', type=Path, metavar='FOLDER', help='recorded outputs, as of benchmark.golden')
    add('--videos', action='store_true', help='also ids in videos: minutes')
    add('--video-input-size', type=int, nargs=2, metavar=('H', 'W'), default=(576, 768))
    add('--every', type=int, default=2, help='take every Nth image of videos (default: 2)')
    add('--lifting', choices=list(LIFTERS), default='network', help='(default: %(default)s)')
    args = parser.parse_args(argv)
    if args.every < 1:
        parser.error(f'--every must be at least 1, found {args.every}')
    model = args.model or args.data / 'models' / 'real2d_large_256x448.xml'
    _print_images(args.data / 'real', _estimator(model, args.input_size, args.lifting))
    if args.golden:
        print('\n## 3D in recorded network outputs\n')
        accuracy_3d.print_table(accuracy_3d.in_recordings(args.golden))
    if args.videos:
        estimator = _estimator(model, args.video_input_size, args.lifting)
        height, width = estimator.detector.input_hw
        print(f'\n## Ids in videos, one image of {args.every}, input {height} x {width}\n')
        videos = accuracy_ids.in_videos(args.data / 'video', estimator, args.every)
        accuracy_ids.print_table(videos)


def _estimator(model: str | Path, size: Sequence[int] | None, lifting: str) -> PoseEstimator:
    hw = (size[0], size[1]) if size else None
    return PoseEstimator(model, 'CPU', input_hw=hw, precision='f32', lifting=lifting)


def _print_images(folder: Path, estimator: PoseEstimator) -> None:
    truths = list(accuracy_2d.read(folder))
    found = [estimate(truth, estimator) for truth in truths]
    height, width = estimator.detector.input_hw
    name = Path(estimator.detector.name).name
    print(f'## People in images\n\n{name}, input {height} x {width}, f32\n')
    accuracy_2d.print_table(truths, [p.people_2d for p in found])
    print('\n## 3D in images\n')
    accuracy_3d.print_table(accuracy_3d.in_images(truths, found))
    print('\n## Ids in sequences of images\n')
    accuracy_ids.print_table(accuracy_ids.in_sequences(truths, found))


if __name__ == '__main__':
    main()
