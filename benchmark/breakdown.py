"""Where the time between a published image and its received poses goes, stage by stage.

    python -m benchmark.breakdown [--model NETWORK] [--people 5] [--seconds 10]

A pose node in its own process receives 640x480 images at 30 Hz over DDS, as in
``benchmark.end_to_end``, with its functions timed. Prints medians and 95th percentiles of each
stage, and the CPU time of the node's thread in it, which other load on the machine changes less.
Without `--model`, the network is one that takes almost no time. What the network returns is
replaced by constant people, so that everything after it is the same.
"""

from __future__ import annotations

import argparse
import functools
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from numpy.typing import NDArray

from benchmark.end_to_end import (
    RATE_HZ,
    START_S,
    WARM_UP,
    Camera,
    cpu_s,
    people_outputs,
    start_ros,
    write_people_network,
)
from pose3d_ros.detection.letterbox import Letterbox
from pose3d_ros.msg import PoseArray3D
from pose3d_ros.ros.messages.images import seconds

Array = NDArray[np.float64]

# Stages of the callback in the order of the table, and what they are.
STAGES = {
    'read': 'message to array',
    'letterbox': 'letterbox',
    'network': 'network',
    'decode': 'outputs to 2D people',
    'lift': '2D to 3D people',
    'colours': 'colours of clothes',
    'track': 'tracks, velocities, headings',
    'camera_pose': 'pose of the camera, heights',
    'smooth': 'smoothing',
    'message': 'people to a serialised message',
    'publish': 'publish',
}
CALLBACK = 'callback'


class Stopwatch:
    """Durations of functions, s: of the clock and of the thread's CPU time, by stage."""

    def __init__(self) -> None:
        self.durations_s: dict[str, list[tuple[float, float]]] = defaultdict(list)

    def time(self, owner: Any, name: str, stage: str) -> None:
        """Replace a function by one that is timed."""
        function = getattr(owner, name)

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            start_s, start_cpu_s = time.perf_counter(), time.thread_time()
            result = function(*args, **kwargs)
            end_cpu_s, end_s = time.thread_time(), time.perf_counter()
            self.durations_s[stage].append((end_s - start_s, end_cpu_s - start_cpu_s))
            return result

        setattr(owner, name, timed)


def run_node(file: Path, people: int, arguments: list[str]) -> int:
    """Run the pose node with its stages timed; write the times to a file when it ends."""
    from rclpy.publisher import Publisher

    from pose3d_ros import inference, pipeline
    from pose3d_ros.detection import letterbox
    from pose3d_ros.detection.openpose import detector
    from pose3d_ros.lifting.lifting_network import LiftingNetwork
    from pose3d_ros.ros import camera_publishers, camera_stream, pose_node
    from pose3d_ros.tracking import appearance
    from pose3d_ros.tracking.smoothing import Smoother
    from pose3d_ros.tracking.tracker import Tracker

    watch = Stopwatch()
    watch.time(detector, 'decode', 'decode')
    replace_people(detector, people)
    for owner, name, stage in (
        (camera_stream, 'read_camera_image', 'read'),
        (letterbox.Letterbox, 'apply', 'letterbox'),
        (inference.Network, 'infer_batch', 'network'),
        (LiftingNetwork, 'lift', 'lift'),
        (appearance, 'describe', 'colours'),
        (Tracker, 'update', 'track'),
        (pipeline.Pipeline, '_learn_camera_pose', 'camera_pose'),
        (Smoother, 'smooth', 'smooth'),
        (camera_publishers, 'pose_array_cdr', 'message'),
        (Publisher, 'publish', 'publish'),
        (camera_stream.CameraStream, 'on_image', CALLBACK),
    ):
        watch.time(owner, name, stage)
    spans: list[tuple[float, float, float]] = []
    record_spans(camera_stream.CameraStream, spans)
    status = pose_node.main(['pose_node', *arguments])
    file.write_text(json.dumps({'durations_s': watch.durations_s, 'spans': spans}))
    return status


def replace_people(detector: Any, people: int) -> None:
    """Replace what a network returns by perfect outputs for people side by side."""
    decode = detector.decode
    made: dict[tuple[int, int], Any] = {}

    def decode_people(outputs: Any, letterbox: Letterbox, *args: Any) -> Any:
        grid_hw = outputs.heatmaps.shape[1:]
        if grid_hw not in made:
            made[grid_hw] = replace(people_outputs(people, letterbox, grid_hw), features=None)
        return decode(made[grid_hw], letterbox, *args)

    detector.decode = decode_people


def record_spans(stream: Any, spans: list[tuple[float, float, float]]) -> None:
    """Record stamp, begin and end, s, of the callback of each image."""
    on_image = stream.on_image

    def recorded(self: Any, image: Any, info: Any) -> None:
        start_s = time.perf_counter()
        on_image(self, image, info)
        spans.append((seconds(image.header.stamp), start_s, time.perf_counter()))

    stream.on_image = recorded


class Run:
    """The times of one run of the node.

    Parameters
    ----------
    durations_s
        By stage, ``(images, 2)`` s: of the clock, and CPU time of the thread.
    latencies_s
        ``(images, 3)`` s: from published to the callback, the callback, and from its end until the
        poses were received.
    cpu_s
        CPU time of the whole process for each image, s.
    """

    def __init__(self, durations_s: dict[str, Array], latencies_s: Array, cpu_s: float) -> None:
        self.durations_s, self.latencies_s, self.cpu_s = durations_s, latencies_s, cpu_s


def measure(model: Path, people: int, duration_s: float) -> Run:
    """Send images to a node, and return its times."""
    node = rclpy.create_node('benchmark', namespace='/breakdown')
    camera = Camera(node)
    received_s: dict[float, float] = {}

    def on_poses(message: PoseArray3D) -> None:
        received_s[seconds(message.header.stamp)] = time.perf_counter()

    node.create_subscription(PoseArray3D, 'poses', on_poses, 10)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / 'times.json'
        command = [sys.executable, '-m', 'benchmark.breakdown', '--node', str(file)]
        command += ['--people', str(people), '--ros-args', '-r', '__ns:=/breakdown']
        command += ['--log-level', 'warn', '-p', f'model:={model}', '-p', 'device:=CPU']
        command += ['-p', 'camera_pose_memory:=false']
        process = subprocess.Popen(command)
        try:
            wait_for(camera, process)
            camera.run(WARM_UP)
            first_s, start_cpu_s = time.perf_counter(), cpu_s(process.pid)
            camera.run(round(duration_s * RATE_HZ))
            used_s = cpu_s(process.pid) - start_cpu_s
        finally:
            process.terminate()
            process.wait(10)
            node.destroy_node()
        times = json.loads(file.read_text())
    latencies_s = [
        (start_s - camera.sent_s[stamp_s], end_s - start_s, received_s[stamp_s] - end_s)
        for stamp_s, start_s, end_s in times['spans']
        if start_s > first_s and stamp_s in received_s
    ]
    number = len(latencies_s)
    durations_s = {k: np.array(v)[-number:] for k, v in times['durations_s'].items()}
    return Run(durations_s, np.array(latencies_s), used_s / max(number, 1))


def wait_for(camera: Camera, process: subprocess.Popen[bytes]) -> None:
    """Wait until the node subscribes to the images and publishes poses."""
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s and process.poll() is None:
        if camera.node.count_publishers('poses') and camera.images.get_subscription_count():
            return
        camera.executor.spin_once(timeout_sec=0.1)


def print_table(run: Run) -> None:
    """Print the stages in their order, ms."""
    before, callback, after = run.latencies_s.T
    print(f'{len(before)} images\n')
    print('| stage | p50 ms | p95 ms | CPU ms |\n|---|---|---|---|')
    print_row('published -> callback of the node', before)
    rest = run.durations_s[CALLBACK].copy()
    for stage, text in STAGES.items():
        print_row(text, *run.durations_s[stage].T)
        rest -= run.durations_s[stage]
    print_row('rest of the callback', *rest.T)
    print_row('its end -> poses received', after)
    whole = before + callback + after
    print_row('published -> received', whole)
    print_row('the same without the network', whole - run.durations_s['network'][:, 0])
    print(f'CPU time of the process for each image: {1e3 * run.cpu_s:.1f} ms')


def print_row(text: str, wall_s: Array, thread_s: Array | None = None) -> None:
    """Print a row of the table."""
    p50, p95 = 1e3 * np.percentile(wall_s, [50, 95])
    thread = '' if thread_s is None else f'{1e3 * np.median(thread_s):.2f}'
    print(f'| {text} | {p50:.2f} | {p95:.2f} | {thread} |')


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--model', type=Path, help='default: one that takes almost no time')
    parser.add_argument('--people', type=int, default=5)
    parser.add_argument('--seconds', type=float, default=10.0)
    parser.add_argument('--node', type=Path, help=argparse.SUPPRESS)
    arguments, rest = parser.parse_known_args()
    if arguments.node:
        return run_node(arguments.node, arguments.people, rest)
    start_ros()
    with tempfile.TemporaryDirectory() as folder:
        model = arguments.model or write_people_network(Path(folder) / 'people.xml', 1)
        print_table(measure(model, arguments.people, arguments.seconds))
    rclpy.try_shutdown()
    return 0


if __name__ == '__main__':
    sys.exit(main())
