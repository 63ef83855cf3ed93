"""How long the package and the pose node take to start, and how much memory they take.

    python -m benchmark.start --model NETWORK [--rounds 3]

Imports run in processes of their own, beside bare Python and numpy. The node is started in an
empty cache folder, and again with the cache that it left; images of 640x480 are published at 30 Hz
until the first poses come back, and for five seconds more. Prints medians of the rounds: seconds
until done (of the node: until the first poses), seconds of CPU time until then, resident memory
and how much of it is private to the process. Other load on the machine changes the CPU time least.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import rclpy

from benchmark.end_to_end import RATE_HZ, START_S, Camera, cpu_s, start_ros
from benchmark.soak import memory_mb
from pose3d_ros.msg import PoseArray3D

IMPORTS = {
    'bare Python': '',
    'numpy': 'import numpy',
    'pose3d_ros': 'import pose3d_ros',
    'the library, PoseEstimator': 'from pose3d_ros import PoseEstimator',
    'rclpy': 'import rclpy',
    'the node': 'import pose3d_ros.ros.pose_node',
}
# Printed by an imported process: CPU time, s, and that it waits to be measured.
REPORT = 'import time; print(time.process_time(), flush=True); input()'
SETTLE_S = 5.0
# Duration and CPU time, s; resident and private memory, MB.
Cost = tuple[float, float, float, float]


def measure_import(statement: str) -> Cost:
    """Run a statement in a Python of its own."""
    start_s = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, '-c', f'{statement}\n{REPORT}'],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout
    used_s = float(process.stdout.readline())
    duration_s = time.perf_counter() - start_s
    cost = (duration_s, used_s, *memory_mb(process.pid))
    process.communicate('\n')
    return cost


def measure_node(model: Path, cache: str) -> Cost:
    """Start the pose node with a cache folder and send images until the first poses, and on."""
    node = rclpy.create_node('benchmark', namespace='/start')
    camera = Camera(node)
    received: list[tuple[float, float]] = []
    command = [sys.executable, '-m', 'pose3d_ros.cli', 'node', '--ros-args', '-r', '__ns:=/start']
    command += ['--log-level', 'warn', '-p', f'model:={model}', '-p', 'device:=CPU']
    start_s = time.perf_counter()
    process = subprocess.Popen(command, env=dict(os.environ, XDG_CACHE_HOME=cache))

    def on_poses(_: PoseArray3D) -> None:
        if not received:
            received.append((time.perf_counter() - start_s, cpu_s(process.pid)))

    node.create_subscription(PoseArray3D, 'poses', on_poses, 10)
    try:
        while not received and time.perf_counter() < start_s + START_S:
            camera.run(1)
        camera.run(round(SETTLE_S * RATE_HZ))
        memory = memory_mb(process.pid)
    finally:
        process.terminate()
        process.wait(10)
        node.destroy_node()
    return (*received[0], *memory)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--model', type=Path, required=True, help='the network of the node')
    parser.add_argument('--rounds', type=int, default=3)
    arguments = parser.parse_args()
    start_ros()
    costs: dict[str, list[Cost]] = defaultdict(list)
    for _ in range(arguments.rounds):
        for name, statement in IMPORTS.items():
            costs[f'import: {name}'].append(measure_import(statement))
        with tempfile.TemporaryDirectory() as cache:
            for name in ('node, cold cache', 'node, warm cache'):
                costs[name].append(measure_node(arguments.model, cache))
    rclpy.try_shutdown()
    print_table({name: np.median(rows, axis=0) for name, rows in costs.items()})


def print_table(costs: dict[str, np.ndarray]) -> None:
    """Print a row for each, and its CPU time as a multiple of that of numpy alone."""
    reference_s = costs['import: numpy'][1]
    print('| | s | CPU s (numpy = 1) | RSS MB | private MB |\n|---|---|---|---|---|')
    for name, (duration_s, used_s, rss_mb, private_mb) in costs.items():
        print(
            f'| {name} | {duration_s:.2f} | {used_s:.2f} ({used_s / reference_s:.1f}) '
            f'| {rss_mb:.0f} | {private_mb:.0f} |'
        )


if __name__ == '__main__':
    main()
