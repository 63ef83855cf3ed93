"""Accuracy on real images: people found, 3D positions, distances, track ids, latency.

    python -m benchmark.accuracy [--data FOLDER] [--model M] [--input-size H [W]]
                                 [--golden FOLDER] [--videos] [--every N]

FOLDER holds real/annotations.json with its images, and video/NAME.avi with NAME_gt_mot15.txt.
docs/accuracy.md explains the tables. Needs pycocotools and motmetrics.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmark import accuracy_2d, accuracy_3d, accuracy_ids, latency_of_networks, reach
from pose3d_ros.detection.detector import Thresholds
from pose3d_ros.estimator import LIFTERS, PoseEstimator
from pose3d_ros.evaluation.annotations import estimate_people, read_images
from pose3d_ros.network_spec import InputSize

# The network that is measured unless another is named, inside the data folder.
DEFAULT_NETWORK = 'models/human-pose-estimation-0001-int8/human-pose-estimation-0001.xml'
# People with fewer visible keypoints are ignored in the table of visible keypoints.
MIN_VISIBLE = 5


def main(argv: list[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add: Callable[..., Any] = parser.add_argument
    add('--data', type=Path, default=Path('../shared/data'), help='(default: %(default)s)')
    add('--model', help=f'(default: {DEFAULT_NETWORK} in the data)')
    size = "H alone: the width follows each image (default: the network's)"
    add('--input-size', type=int, nargs='+', metavar='PX', help=f'H W; {size}')
    add('--person-threshold', type=float, help='(default: that of the package)')
    add('--keypoint-threshold', type=float, help='(default: that of the package)')
    add('--golden', type=Path, metavar='FOLDER', help='recorded outputs, as of benchmark.golden')
    add('--videos', action='store_true', help='also track ids in videos, which takes minutes')
    add('--video-input-size', type=int, nargs=2, metavar=('H', 'W'), default=(576, 768))
    add('--every', type=int, default=2, help='process every Nth image of videos (default: 2)')
    add('--lifting', choices=list(LIFTERS), default='network', help='(default: %(default)s)')
    args = parser.parse_args(argv)
    if args.input_size and len(args.input_size) > 2:
        parser.error(f'--input-size must be H or H W, found {args.input_size}')
    if args.every < 1:
        parser.error(f'--every must be at least 1, found {args.every}')
    _print_images(args.data / 'real', _estimator(args, args.input_size))
    if args.golden:
        print('\n## 3D in recorded network outputs\n')
        accuracy_3d.print_table(accuracy_3d.in_recordings(args.golden))
    if args.videos:
        estimator = _estimator(args, args.video_input_size)
        height, width = estimator.detector.input_hw
        print(f'\n## Ids in videos, one image of {args.every}, input {height} x {width}\n')
        videos = accuracy_ids.in_videos(args.data / 'video', estimator, args.every)
        accuracy_ids.print_table(videos)


def thresholds(person: float | None, keypoint: float | None) -> Thresholds:
    """Return the default thresholds with those that are given."""
    default = Thresholds(person=person)
    return default if keypoint is None else replace(default, keypoint=keypoint)


def input_size(size: Sequence[int] | None) -> InputSize:
    """Return an input size of one or two numbers; None: the network's own."""
    return (size[0], size[1] if len(size) > 1 else None) if size else None


def _estimator(args: argparse.Namespace, size: Sequence[int] | None) -> PoseEstimator:
    return PoseEstimator(
        args.model or args.data / DEFAULT_NETWORK,
        'CPU',
        input_hw=input_size(size),
        precision='f32',
        lifting=args.lifting,
        thresholds=thresholds(args.person_threshold, args.keypoint_threshold),
    )


def _print_images(folder: Path, estimator: PoseEstimator) -> None:
    images = list(read_images(folder))
    people = [estimate_people(image, estimator) for image in images]
    name = Path(estimator.detector.name).name
    people_2d = [p.people_2d for p in people]
    groups = [image.group for image in images]
    print(f'## People in images\n\n{name}, {_size_text(estimator)}, f32\n')
    accuracy_2d.print_table(groups, images, people_2d)
    print(f'\n## Visible keypoints of people with {MIN_VISIBLE} or more\n')
    visible = [image.visible_labels(MIN_VISIBLE) for image in images]
    accuracy_2d.print_table(groups, visible, people_2d)
    print('\n## 3D in images\n')
    accuracy_3d.print_table(accuracy_3d.in_images(images, people))
    print('\n## People found by distance\n')
    reach.print_table(reach.by_distance(estimator.detector, images))
    print('\n## Latency of the 2D network\n')
    latency_of_networks.print_table(
        latency_of_networks.measure({name: estimator.detector}, images, rounds=20)
    )
    print('\n## Ids in sequences of images\n')
    accuracy_ids.print_table(accuracy_ids.in_sequences(images, people))


def _size_text(estimator: PoseEstimator) -> str:
    height, width = estimator.detector.input_hw
    return f'input {height} x {width} (latest image)'


if __name__ == '__main__':
    main()
