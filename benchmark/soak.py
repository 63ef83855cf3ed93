"""Soak test: memory, latency and image counts of a pose node over minutes or hours.

    python -m benchmark.soak [--minutes 10] [--cameras 1] [--rate 30] [--faults]

Cameras in their own processes publish 640x480 images over DDS to a pose node, whose network
returns five constant people and takes almost no time. Prints a line for every interval: resident
and private memory of the node, latency from publishing an image to receiving its poses, CPU load
in per cent of one core, images sent and processed as counted here, and the node's own counts from
/diagnostics. Then a verdict with reasons; the exit status is 1 if one fails. --faults: every tenth
image is garbage, subscribers come and go, parameters change.
"""

import argparse
import itertools
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.parameter_client import AsyncParameterClient
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from rclpy.subscription import Subscription
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from benchmark.end_to_end import SIZE_HW, START_S, cpu_s, start_ros, write_people_network
from benchmark.soak_verdict import HEAD, Sample, row, verdicts
from pose3d_ros.msg import PoseArray3D
from pose3d_ros.ros.messages.images import image_msg, seconds

NAMESPACE, PEOPLE = '/soak', 5
# A camera publishes good images first, so that the first image that counts is one with poses; then
# every tenth is garbage.
GOOD_FIRST, GARBAGE_EVERY = 30, 10
# Queue length of the subscriber, more than it falls behind when it is delayed for seconds.
DEPTH = 1000
FAULT_EVERY_S = 2.0
INTERVALS, LONGEST_S = 20, 60.0
CHANGES = [
    Parameter('smoothing', value=False), Parameter('smoothing_beta', value=-1.0),
    Parameter('smoothing', value=True), Parameter('model', value='other.xml'),
    Parameter('keypoint_threshold', value=0.2), Parameter('keypoint_threshold', value=0.1),
]  # fmt: skip


def send(camera: str, rate_hz: float, duration_s: float, faults: bool) -> None:
    """Publish images as a camera, numbered in their frame_id, which the poses repeat."""
    rclpy.init()
    node = rclpy.create_node(camera, namespace=NAMESPACE)
    images = node.create_publisher(Image, f'{camera}/image_raw', qos_profile_sensor_data)
    good = image_msg(np.full((*SIZE_HW, 3), 128, np.uint8), Header())
    broken = [
        Image(height=480, width=640, step=1920, encoding='bgr8', data=good.data[:1000]),
        Image(height=480, width=640, step=640, encoding='plasma', data=good.data[: 480 * 640]),
        Image(),
    ]
    garbage = itertools.cycle(broken)
    deadline_s = time.monotonic() + START_S
    while not images.get_subscription_count() and time.monotonic() < deadline_s:
        time.sleep(0.05)
    start_s = time.monotonic()
    # Good images at the end as well: losses after the last processed image cannot be counted.
    count = max(round(duration_s * rate_hz), 2 * GOOD_FIRST)
    for i in range(count):
        bad = faults and GOOD_FIRST <= i < count - GOOD_FIRST and i % GARBAGE_EVERY == 0
        image = next(garbage) if bad else good
        image.header = Header(frame_id=str(i), stamp=node.get_clock().now().to_msg())
        images.publish(image)
        time.sleep(max(0.0, start_s + (i + 1) / rate_hz - time.monotonic()))
    time.sleep(1.0)


@dataclass
class Received:
    """Poses received for one camera: image numbers, and latencies of the current interval."""

    numbers: list[int] = field(default_factory=list)
    latencies_s: list[float] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def sent(self) -> int:
        """Return the number of images from the first processed one to the last."""
        return max(self.numbers) - self.numbers[0] + 1 if self.numbers else 0


class Monitor(Node):
    """Subscribes to the poses of all cameras and to the diagnostics."""

    def __init__(self, cameras: list[str]) -> None:
        super().__init__('monitor', namespace=NAMESPACE)
        self.received = {camera: Received() for camera in cameras}
        for camera, received in self.received.items():
            self._subscribe(camera, received)
        self.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 10)
        self.parameters = AsyncParameterClient(self, 'pose_node')
        self.changes = itertools.cycle(CHANGES)
        self.extra: list[Subscription] = []

    def _subscribe(self, camera: str, received: Received) -> None:
        def on_poses(poses: PoseArray3D, info: dict[str, int]) -> None:
            received.numbers.append(int(poses.header.frame_id))
            latency_s = 1e-9 * info['received_timestamp'] - seconds(poses.header.stamp)
            received.latencies_s.append(latency_s)

        self.create_subscription(PoseArray3D, f'{camera}/poses', on_poses, QoSProfile(depth=DEPTH))

    def _on_diagnostics(self, array: DiagnosticArray) -> None:
        for status in array.status:
            camera = status.name.rpartition(': ')[2]
            if status.name.startswith(NAMESPACE[1:]) and camera in self.received:
                values = {pair.key: pair.value for pair in status.values}
                names = ('images', 'dropped images', 'bad images')
                # Counts are unknown where the middleware does not number messages.
                known = {n: int(values[n]) for n in names if values[n].isdecimal()}
                self.received[camera].counts = known

    def disturb(self) -> None:
        """Add or remove subscribers, and set the next parameter, which may be refused."""
        if self.extra:
            while self.extra:
                self.destroy_subscription(self.extra.pop())
        else:
            for camera in self.received:
                for kind, topic in ((MarkerArray, 'markers'), (Image, 'overlay')):
                    name = f'{camera}/{topic}'
                    self.extra.append(self.create_subscription(kind, name, lambda _: None, 10))
        self.parameters.set_parameters([next(self.changes)])

    def settle(self, executor: SingleThreadedExecutor) -> None:
        """Wait for the diagnostics after the last image."""
        for received in self.received.values():
            received.counts = {}
        deadline_s = time.monotonic() + START_S
        while not all(h.counts for h in self.received.values()) and time.monotonic() < deadline_s:
            executor.spin_once(timeout_sec=0.1)

    def sample(self, pid: int, at_s: float, cpu_share: float) -> Sample:
        """Summarise the interval that ends now."""
        latencies_s = [s for received in self.received.values() for s in received.latencies_s]
        for received in self.received.values():
            received.latencies_s.clear()
        rss_mb, private_mb = memory_mb(pid)
        p50, p95 = 1e3 * np.percentile(latencies_s, [50, 95]) if latencies_s else (np.nan, np.nan)
        return Sample(
            at_s, rss_mb, private_mb, float(p50), float(p95), cpu_share,
            sent=sum(received.sent() for received in self.received.values()),
            processed=sum(len(received.numbers) for received in self.received.values()),
            duplicates=sum(len(h.numbers) - len(set(h.numbers)) for h in self.received.values()),
            **{
                name: sum(received.counts.get(key, 0) for received in self.received.values())
                for name, key in (
                    ('images', 'images'), ('dropped', 'dropped images'), ('bad', 'bad images'),
                )
            },
        )  # fmt: skip


def memory_mb(pid: int) -> tuple[float, float]:
    """Return resident and private memory of a process, MB."""
    status = Path(f'/proc/{pid}/status').read_text()
    lines = dict(line.split(':', 1) for line in status.splitlines())
    resident, private = (int(lines[name].split()[0]) / 1024 for name in ('VmRSS', 'RssAnon'))
    return resident, private


def monitor(node: Monitor, pid: int, cameras: list[subprocess.Popen[bytes]], every_s: float,
          faults: bool) -> list[Sample]:  # fmt: skip
    """Receive until every camera has ended; print a line for every interval."""
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    samples: list[Sample] = []
    print(HEAD, flush=True)
    start_s = last_s = fault_s = time.monotonic()
    last_cpu_s, running = cpu_s(pid), True
    while running:
        running = any(camera.poll() is None for camera in cameras)
        executor.spin_once(timeout_sec=0.1)
        now_s = time.monotonic()
        if not any(received.numbers for received in node.received.values()):
            start_s = last_s = now_s  # not started
        if faults and now_s - fault_s > FAULT_EVERY_S:
            fault_s = now_s
            node.disturb()
        if now_s - last_s > every_s or not running:
            if not running:
                node.settle(executor)
            share = (cpu_s(pid) - last_cpu_s) / (now_s - last_s)
            samples.append(node.sample(pid, now_s - start_s, share))
            print(row(samples[-1]), flush=True)
            last_s, last_cpu_s = now_s, cpu_s(pid)
    return samples


def soak(arguments: argparse.Namespace, model: Path) -> list[Sample]:
    """Run the node and its cameras; return the samples."""
    duration_s = 60 * arguments.minutes
    names = [f'camera{i}' for i in range(arguments.cameras)]
    command = [sys.executable, '-m', 'pose3d_ros.cli', 'node', '--ros-args']
    command += ['-r', f'__ns:={NAMESPACE}', '-p', f'model:={model}', '-p', 'device:=CPU']
    command += ['-p', f'cameras:={names}', '--log-level', 'error']
    node = Monitor(names)
    process = subprocess.Popen(command)
    cameras = []
    try:
        for name in names:
            line = [sys.executable, '-m', 'benchmark.soak', '--camera', name]
            line += ['--minutes', str(arguments.minutes), '--rate', str(arguments.rate)]
            cameras.append(subprocess.Popen(line + ['--faults'] * arguments.faults))
        every_s = min(max(duration_s / INTERVALS, 2.0), LONGEST_S)
        return monitor(node, process.pid, cameras, every_s, arguments.faults)
    finally:
        for one in (*cameras, process):
            one.terminate()
            one.wait(START_S)
        node.destroy_node()


def main() -> int:
    """Print the table and the verdict; return 0 if all is good."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--minutes', type=float, default=10.0)
    parser.add_argument('--cameras', type=int, default=1)
    parser.add_argument('--rate', type=float, default=30.0, metavar='HZ')
    parser.add_argument('--faults', action='store_true')
    parser.add_argument('--camera', help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.camera:
        send(arguments.camera, arguments.rate, 60 * arguments.minutes, arguments.faults)
        return 0
    start_ros()
    with tempfile.TemporaryDirectory() as folder:
        model = write_people_network(Path(folder) / 'people.xml', PEOPLE)
        found = verdicts(soak(arguments, model))
    rclpy.try_shutdown()
    for good, text in found:
        print(f'{"good" if good else "BAD "}  {text}')
    return int(not all(good for good, _ in found))


if __name__ == '__main__':
    sys.exit(main())
