"""What it would gain to infer the next image while the last one is lifted and tracked.

    python -m benchmark.pipelining --model NETWORK [--people 5] [--rounds 10]

Images follow each other without a pause. Three ways alternate in one process, so that other load
on the machine affects all of them alike: the network alone; one image after the other, as the pose
node processes them; and pipelined, where a second thread detects in image n + 1 while image n is
lifted and tracked. What the network returns is replaced by constant people. Prints the rate, the
time of an image from its detection to its ids, and the CPU time for each image, as medians of the
rounds and as ratios to one after the other in the same round.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from benchmark.breakdown import replace_people
from benchmark.end_to_end import CAMERA, SIZE_HW
from pose3d_ros.detection.openpose import detector
from pose3d_ros.estimator import PoseEstimator
from pose3d_ros.images import CameraImage, Observation
from pose3d_ros.pipeline import Found2D, Pipeline

IMAGES, WARM_UP, RATE_HZ = 20, 5, 30.0
SEQUENTIAL = 'one after the other'


class Runner:
    """Processes grey images with a network in each of the ways."""

    def __init__(self, model: Path) -> None:
        self.pipeline = Pipeline(PoseEstimator(str(model), 'CPU'))
        self.image = CameraImage(np.full((*SIZE_HW, 3), 128, np.uint8), CAMERA)
        self.stamp_s = 0.0

    def observations(self, number: int) -> Iterator[Observation]:
        """Return the next images."""
        for _ in range(number):
            self.stamp_s += 1 / RATE_HZ
            yield Observation(self.image, self.stamp_s)

    def network_alone(self, number: int) -> list[float]:
        """Detect only; return the time of each image, s."""
        durations_s = []
        for observation in self.observations(number):
            start_s = time.perf_counter()
            self.pipeline.detect(observation)
            durations_s.append(time.perf_counter() - start_s)
        return durations_s

    def sequential(self, number: int) -> list[float]:
        """Process one image after the other."""
        durations_s = []
        for observation in self.observations(number):
            start_s = time.perf_counter()
            self.pipeline.process(observation)
            durations_s.append(time.perf_counter() - start_s)
        return durations_s

    def pipelined(self, number: int) -> list[float]:
        """Detect in the next image meanwhile."""
        durations_s, observations = [], list(self.observations(number))

        def detect(observation: Observation) -> tuple[float, Found2D]:
            return time.perf_counter(), self.pipeline.detect(observation)

        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(detect, observations[0])
            for i, observation in enumerate(observations):
                start_s, found = waiting.result()
                if i + 1 < number:
                    waiting = pool.submit(detect, observations[i + 1])
                self.pipeline.follow(observation, self.pipeline.lift(observation, found))
                durations_s.append(time.perf_counter() - start_s)
        return durations_s


def measure(way: Callable[[int], list[float]]) -> tuple[float, float, float]:
    """Return the time and the CPU time for each image and the median latency, s."""
    start_s, start_cpu_s = time.perf_counter(), time.process_time()
    latencies_s = way(IMAGES)
    duration_s, used_s = time.perf_counter() - start_s, time.process_time() - start_cpu_s
    return duration_s / IMAGES, used_s / IMAGES, float(np.median(latencies_s))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--model', type=Path, required=True)
    parser.add_argument('--people', type=int, default=5)
    parser.add_argument('--rounds', type=int, default=10)
    arguments = parser.parse_args()
    replace_people(detector, arguments.people)
    runner = Runner(arguments.model)
    ways = {
        'network and decoding alone': runner.network_alone,
        SEQUENTIAL: runner.sequential,
        'pipelined': runner.pipelined,
    }
    runner.sequential(WARM_UP)
    times: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for _ in range(arguments.rounds):
        for name, way in ways.items():
            times[name].append(measure(way))
    reference = np.array(times[SEQUENTIAL])
    print('| | images/s (ratio) | latency ms (ratio) | CPU ms (ratio) |\n|---|---|---|---|')
    for name, rows in times.items():
        each_s, used_s, latency_s = np.median(rows, axis=0)
        ratio = np.median(np.array(rows) / reference, axis=0)
        print(
            f'| {name} | {1 / each_s:.1f} ({1 / ratio[0]:.2f}) '
            f'| {1e3 * latency_s:.1f} ({ratio[2]:.2f}) | {1e3 * used_s:.1f} ({ratio[1]:.2f}) |'
        )


if __name__ == '__main__':
    main()
