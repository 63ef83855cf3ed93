"""Latency of every stage from image to tracked people, relative to the network's inference.

    python -m benchmark.latency [--golden FOLDER] [--rounds N]

Inference (human-pose-estimation-3d-0001 with random weights, 256 x 448) and every stage after it
alternate in one process, so that other load on the machine affects all of them alike: compare the
ratios. Scenes are synthetic (synthetic/scene.py); with --golden they are recorded outputs
(benchmark/golden.py) with that many people.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov

from benchmark import golden
from pose3d_ros.camera import Intrinsics
from pose3d_ros.detection.detector import Thresholds
from pose3d_ros.detection.letterbox import Letterbox
from pose3d_ros.detection.open_detector import open_detector
from pose3d_ros.detection.openpose.detector import OpenPoseDetector
from pose3d_ros.detection.openpose.fragments import merge_fragments
from pose3d_ros.detection.openpose.grouping import assemble, connect, group, keep_people
from pose3d_ros.detection.openpose.location_map_lifter import lift
from pose3d_ros.detection.openpose.location_maps import LocationMaps
from pose3d_ros.detection.openpose.outputs import Outputs
from pose3d_ros.detection.openpose.peaks import find_peaks
from pose3d_ros.inference import InferenceOptions
from pose3d_ros.lifting.lifting_network import LiftingNetwork
from pose3d_ros.models import ModelError, quantise
from pose3d_ros.tracking.tracker import Tracker
from synthetic import scene
from synthetic.random_network import random_network
from synthetic.recorded import people_from_outputs

PEOPLE = (0, 1, 5, 10, 20)
IMAGE_HW = (480, 640)
INPUT_HW = (256, 448)
HEIGHT_M = 1.8
WARM_UP = 3
FRAME_S = 1 / 30
# Recorded scenes of one number of people, which take turns.
SCENES = 5
CALIBRATION_IMAGES = 10


@dataclass
class Scene:
    """Network outputs of one image, and its camera."""

    outputs: Outputs
    letterbox: Letterbox
    intrinsics: Intrinsics

    def parse(self) -> Any:
        """Decode and lift the people."""
        return people_from_outputs(self.outputs, self.letterbox, self.intrinsics)


def int8(model: ov.Model) -> ov.Model | None:
    """Quantise the network if NNCF is installed; noise is good enough for random weights."""
    rng = np.random.default_rng(1)
    hw = quantise.input_hw(model)
    noise = [rng.integers(0, 256, (*hw, 3), np.uint8) for _ in range(CALIBRATION_IMAGES)]
    try:
        return quantise.quantise(model, [quantise.letterboxed(image, hw) for image in noise])
    except ModelError as error:
        print(f'no int8: {error}\n')
        return None


def compile_network(model: ov.Model, precision: str) -> OpenPoseDetector:
    """Compile a network for the CPU."""
    detector = open_detector(model, InferenceOptions('CPU', precision), input_hw=INPUT_HW)
    assert isinstance(detector, OpenPoseDetector)
    return detector


def synthetic(number: int) -> list[Scene]:
    """Make a scene of people side by side, in two rows if there are more than five."""
    rows = 1 if number <= 5 else 2
    across = -(-number // rows)
    width_m = (0.4 if rows == 1 else 0.55) * (across - 1)
    distance_m = 3.0 if number <= 5 else 8.0
    xs = np.linspace(-width_m, width_m, across) if across > 1 else [0.0]
    ys = [0.0] if rows == 1 else [-1.4, 1.2]
    people_m = scene.people_m(*[(x, y, distance_m) for y in ys for x in xs][:number])
    sigma = 0.9 if number <= 5 else 0.6
    outputs = scene.outputs(people_m, scene.CAMERA, sigma=sigma)
    return [Scene(outputs, Letterbox(1.0), scene.CAMERA)]


def recorded(folder: Path, number: int) -> list[Scene]:
    """Return recorded outputs with that number of people, or the nearest to it."""
    found: list[tuple[int, int, Scene]] = []
    for frame in golden.frames(folder):
        maps = (frame.arrays[k].astype(np.float32) for k in ('heatmaps', 'pafs', 'features'))
        one = Scene(Outputs(*maps), frame.letterbox(), frame.intrinsics())
        found.append((abs(len(one.parse()) - number), len(found), one))
    return [one for _, _, one in sorted(found)[:SCENES]]


def stages(s: Scene, lifter: LiftingNetwork) -> dict[str, Callable[[], Any]]:
    """Return every stage as a function, with its input prepared."""
    thresholds = Thresholds()
    heatmaps, pafs, features = s.outputs.heatmaps, s.outputs.pafs, s.outputs.features
    assert features is not None  # all scenes have location maps
    maps = LocationMaps(features, s.letterbox)
    peaks = find_peaks(heatmaps[:-1], thresholds.keypoint)
    connections = connect(peaks, pafs, features, thresholds.limb)
    groups = group(s.outputs, s.letterbox, thresholds)
    people_2d = keep_people(merge_fragments(groups, maps, s.intrinsics), thresholds)
    people = s.parse()
    tracker, both = Tracker(), Tracker()
    stamps = iter(np.arange(1, 10**7) * FRAME_S)
    return {
        'find_peaks': lambda: find_peaks(heatmaps[:-1], thresholds.keypoint),
        'connect': lambda: connect(peaks, pafs, features, thresholds.limb),
        'assemble': lambda: assemble(peaks, connections),
        'merge fragments': lambda: keep_people(
            merge_fragments(groups, maps, s.intrinsics), thresholds
        ),
        'lift': lambda: lift(people_2d, maps, s.intrinsics, HEIGHT_M),
        'lift, network': lambda: lifter.lift_people(people_2d, s.intrinsics, HEIGHT_M),
        'track': lambda: tracker.update(people, next(stamps)),
        'parse': s.parse,
        'parse + track': lambda: both.update(s.parse(), next(stamps)),
    }


def measure(
    networks: dict[str, OpenPoseDetector], scenes: dict[int, list[Scene]], rounds: int
) -> dict[tuple[str, int], np.ndarray]:
    """Measure every stage in every round, s; number 0 for stages independent of people."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (*IMAGE_HW, 3), np.uint8)
    letterbox = Letterbox.fit(IMAGE_HW, INPUT_HW, networks['bf16'].stride)
    small = letterbox.apply(image, INPUT_HW)
    compiled = {name: one.network.for_image(IMAGE_HW) for name, one in networks.items()}
    lifter = LiftingNetwork()
    of_scene = {n: [stages(s, lifter) for s in some] for n, some in scenes.items()}
    tracker = Tracker()
    times: dict[tuple[str, int], list[float]] = defaultdict(list)

    def measure_call(name: str, number: int, call: Callable[[], Any]) -> None:
        start = time.perf_counter()
        call()
        times[name, number].append(time.perf_counter() - start)

    for turn in range(WARM_UP + rounds):
        five = scenes[5][turn % len(scenes[5])]

        def estimate(five: Scene = five, turn: int = turn) -> None:
            # The network with random weights detects no people; those of the scene are used.
            compiled['bf16'].infer(letterbox.apply(image, INPUT_HW))
            tracker.update(five.parse(), turn * FRAME_S)

        for name, network in compiled.items():
            measure_call(f'inference, {name}', 0, partial(network.infer, small))
        measure_call('letterbox', 0, lambda: letterbox.apply(image, INPUT_HW))
        measure_call('estimate', 5, estimate)
        for number, some in of_scene.items():
            for name, call in some[turn % len(some)].items():
                measure_call(name, number, call)
    return {key: np.array(seconds[WARM_UP:]) for key, seconds in times.items()}


def print_tables(times: dict[tuple[str, int], np.ndarray], rounds: int) -> None:
    """Print medians and their ratios to the inference in bf16, as Markdown."""
    bf16 = times['inference, bf16', 0]

    def cell(name: str, number: int) -> str:
        ratio = np.median(times[name, number] / bf16)
        return f'{np.median(times[name, number]) * 1e3:.2f} ({ratio:.3f})'

    print(f'ms (ratio to the bf16 inference of the same round); medians of {rounds} rounds\n')
    print(f'| people | {" | ".join(map(str, PEOPLE))} |\n|---|{"---|" * len(PEOPLE)}')
    for name in dict.fromkeys(name for name, number in times if number == 1):
        print(f'| {name} | {" | ".join(cell(name, number) for number in PEOPLE)} |')
    print('\n| independent of people | |\n|---|---|')
    for name, number in times:
        if number == 0 and (name, 1) not in times:
            print(f'| {name} | {cell(name, number)} |')
    print(f'| image to tracked people, 5 people, bf16 | {cell("estimate", 5)} |')


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--golden', type=Path, help='folder with recorded outputs')
    parser.add_argument('--rounds', type=int, default=100)
    arguments = parser.parse_args()
    model = random_network()
    networks = {precision: compile_network(model, precision) for precision in ('bf16', 'f32')}
    if (quantised := int8(model)) is not None:
        networks['int8, the rest bf16'] = compile_network(quantised, 'bf16')
    folder = arguments.golden
    scenes = {n: recorded(folder, n) if folder else synthetic(n) for n in PEOPLE}
    for number, some in scenes.items():
        print(f'{number} people: found {", ".join(str(len(s.parse())) for s in some)}')
    print_tables(measure(networks, scenes, arguments.rounds), arguments.rounds)


if __name__ == '__main__':
    main()
