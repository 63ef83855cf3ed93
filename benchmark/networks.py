"""Compare 2D networks: people found, false people, 3D error, reach, latency.

    python -m benchmark.networks [--data FOLDER] [--models FOLDER] [--only WORD ...]
                                 [--precision P] [--rounds N]

Evaluates every network of a known family in the folder of models, and every person detector there
with every network on crops. FOLDER of the data holds real/annotations.json with its images. Needs
pycocotools.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from benchmark import accuracy_2d, latency_of_networks, lifting, reach
from benchmark.accuracy import MIN_VISIBLE
from benchmark.lifting_data import Scene, read_scenes
from pose3d_ros.camera import Intrinsics
from pose3d_ros.detection import person_boxes, pose_network
from pose3d_ros.detection.detector import Detector
from pose3d_ros.detection.open_detector import open_detector
from pose3d_ros.evaluation.annotations import LabelledImage, read_bgr, read_images
from pose3d_ros.images import CameraImage
from pose3d_ros.inference import PRECISIONS, InferenceOptions
from pose3d_ros.lifting.lifting_network import LiftingNetwork
from pose3d_ros.models import ModelError
from pose3d_ros.models.store import MODEL_SUFFIXES
from pose3d_ros.network_graph import Graph
from pose3d_ros.people import People2D

# One network, or a person detector and a network on crops.
Source: TypeAlias = 'Path | tuple[Path, Path]'
ASSUMED_HEIGHT_M = 1.7
HEADER = (
    '| network | input | found | false | precision / recall | AP | MPJPE / PA mm | reach m '
    '| ms, 1 person | ms, 5 people |\n'
    '|---|---|---|---|---|---|---|---|---|---|'
)


class Result(NamedTuple):
    """Accuracy of one network.

    Parameters
    ----------
    size
        Of the input for the latest image, or of both inputs, as text.
    counts, ap
        Over visible keypoints; AP of COCO.
    mpjpe_mm, procrustes_mm
        Of people detected with 12 keypoints or more.
    reach_m
        See `reach`.
    """

    size: str
    counts: accuracy_2d.Counts
    ap: float
    mpjpe_mm: float
    procrustes_mm: float
    reach_m: int


def networks_in(folder: Path) -> dict[str, Source]:
    """Return the networks in a folder by their names, pairs included."""
    single: dict[str, Path] = {}
    detectors: dict[str, Path] = {}
    on_crops: dict[str, Path] = {}
    for path in sorted(p for p in folder.rglob('*') if p.suffix in MODEL_SUFFIXES):
        try:
            graph = Graph(path)
        except ModelError as error:
            print(f'{path.name}: {error}')
            continue
        if person_boxes.infer_spec(graph.inputs, graph.outputs) is not None:
            detectors[path.stem] = path
        elif pose_network.infer_spec(graph.inputs, graph.outputs) is not None:
            on_crops[path.stem] = path
        else:
            single[path.stem] = path
    pairs: dict[str, Source] = {
        f'{first} + {second}': (a, b)
        for first, a in detectors.items()
        for second, b in on_crops.items()
    }
    return {**single, **pairs}


def open_source(source: Source, precision: str) -> Detector:
    """Compile a network, or a pair, for the CPU, with the package's default thresholds."""
    return open_detector(source, InferenceOptions('CPU', precision))


def evaluate(detector: Detector, images: Sequence[LabelledImage], scenes: list[Scene]) -> Result:
    """Evaluate one network on labelled images."""
    people: dict[Path, People2D] = {}
    for image in images:
        bgr = read_bgr(image.path)
        intrinsics = image.intrinsics or Intrinsics.guess(bgr.shape[1], bgr.shape[0])
        (detections,) = detector.detect([CameraImage(bgr, intrinsics)])
        people[image.path] = detections.people
    height, width = detector.input_hw
    labels = [image.visible_labels(MIN_VISIBLE) for image in images]
    detected = [people[image.path] for image in images]
    lift = lifting.by_network(LiftingNetwork(), ASSUMED_HEIGHT_M)
    with_images = [scene for scene in scenes if scene.image is not None]
    in_scenes = [people[scene.image.path] for scene in with_images if scene.image]
    errors = lifting.all_people(lifting.in_detections(with_images, in_scenes, lift)).errors
    return Result(
        f'{height}x{width}',
        accuracy_2d.count(labels, detected),
        accuracy_2d.average_precision(labels, detected)[0],
        lifting.mean_mm([e.root_relative for e in errors]),
        lifting.mean_mm([e.procrustes for e in errors]),
        reach.reach_m(reach.by_distance(detector, images)),
    )


def rows(results: dict[str, Result], times: latency_of_networks.Times) -> Iterator[str]:
    """Yield the lines of the table."""
    reference = next(iter(results))
    for name, result in results.items():
        c = result.counts
        precision, recall = c.found / max(c.found + c.false, 1), c.found / max(c.people, 1)
        ms = [latency_of_networks.cell(times, name, n, reference) for n in (1, 5)]
        yield (
            f'| {name} | {result.size} | {c.found}/{c.people} | {c.false} '
            f'| {precision:.2f} / {recall:.2f} | {result.ap:.3f} '
            f'| {result.mpjpe_mm:.0f} / {result.procrustes_mm:.0f} | {result.reach_m} '
            f'| {" | ".join(ms)} |'
        )


def main(argv: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add: Callable[..., Any] = parser.add_argument
    add('--data', type=Path, default=Path('../shared/data'), help='(default: %(default)s)')
    add('--models', type=Path, help='(default: models in the data)')
    add('--only', nargs='*', default=[], help='only networks whose name contains one of these')
    add('--precision', choices=list(PRECISIONS), default='auto', help='(default: %(default)s)')
    add('--rounds', type=int, default=15, help='of the latency (default: %(default)s)')
    args = parser.parse_args(argv)
    images = list(read_images(args.data / 'real'))
    scenes = read_scenes(args.data / 'real')
    detectors: dict[str, Detector] = {}
    results: dict[str, Result] = {}
    for name, source in networks_in(args.models or args.data / 'models').items():
        if args.only and not any(word in name for word in args.only):
            continue
        try:
            detectors[name] = open_source(source, args.precision)
        except ModelError as error:
            print(f'{name} is left out: {error}\n')
            continue
        results[name] = evaluate(detectors[name], images, scenes)
        print(f'{name}: {results[name]}', file=sys.stderr)
    if not results:
        parser.error('no network was found')
    times = latency_of_networks.measure(detectors, images, args.rounds)
    print(f'{len(images)} images; latency as the median of {args.rounds} rounds, and its ratio to')
    print(f'that of {next(iter(results))} with one person; precision {args.precision}\n')
    print(HEADER)
    for line in rows(results, times):
        print(line)


if __name__ == '__main__':
    main()
