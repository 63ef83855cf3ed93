"""Does a pose node stay as it was? Its memory, latency and counts over minutes or hours.

    python -m benchmark.soak [--minutes 10] [--cameras 1] [--rate 30] [--faults]

Cameras in processes of their own send 640x480 images over DDS to a pose node in another, whose
network always says the same five people and takes next to no time. Prints a line for every
interval: memory that the node has and what of it is its own, latency from publishing an image to
hearing its poses, CPU in per cent of one core, images sent and answered as they were counted here,
and what the node says of them on /diagnostics. Then a verdict with its reasons; the exit status is
1 where one is bad. --faults: every tenth image is garbage, subscribers come and go, parameters
change.
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

from benchmark.end_to_end import SIZE_HW, START_S, cpu_s, start_ros, write_network
from benchmark.soak_verdict import HEAD, Sample, row, verdicts
from pose3d_ros.msg import PoseArray3D
from pose3d_ros.ros.messages.images import image_msg, seconds

NAMESPACE, PEOPLE = '/soak', 5
# Of the images of a camera: good ones first, so that one that is answered is the first that
# counts; then every tenth is garbage.
GOOD_FIRST, GARBAGE_EVERY = 30, 10
# More than a listener that is held up for seconds falls behind.
DEPTH = 1000
FAULT_EVERY_S = 2.0
INTERVALS, LONGEST_S = 20, 60.0
CHANGES = [
    Parameter('smoothing', value=False), Parameter('smoothing_beta', value=-1.0),
    Parameter('smoothing', value=True), Parameter('model', value='other.xml'),
    Parameter('keypoint_threshold', value=0.2), Parameter('keypoint_threshold', value=0.1),
]  # fmt: skip


def send(camera: str, rate_hz: float, duration_s: float, faults: bool) -> None:
    """Be a camera: number the images in their frame_id, which comes back with the poses."""
    rclpy.init()
    node = rclpy.create_node(camera, namespace=NAMESPACE)
    images = node.create_publisher(Image, f'{camera}/image_raw', qos_profile_sensor_data)
    good = image_msg(np.full((*SIZE_HW, 3), 128, np.uint8), Header())
    spoilt = [
        Image(height=480, width=640, step=1920, encoding='bgr8', data=good.data[:1000]),
        Image(height=480, width=640, step=640, encoding='plasma', data=good.data[: 480 * 640]),
        Image(),
    ]
    garbage = itertools.cycle(spoilt)
    deadline_s = time.monotonic() + START_S
    while not images.get_subscription_count() and time.monotonic() < deadline_s:
        time.sleep(0.05)
    start_s = time.monotonic()
    # At least as many good ones at the end: what is lost behind the last answer nobody can tell.
    count = max(round(duration_s * rate_hz), 2 * GOOD_FIRST)
    for i in range(count):
        spoil = faults and GOOD_FIRST <= i < count - GOOD_FIRST and i % GARBAGE_EVERY == 0
        image = next(garbage) if spoil else good
        image.header = Header(frame_id=str(i), stamp=node.get_clock().now().to_msg())
        images.publish(image)
        time.sleep(max(0.0, start_s + (i + 1) / rate_hz - time.monotonic()))
    time.sleep(1.0)


@dataclass
class Heard:
    """What was heard of one camera's images: their numbers, and the latencies of an interval."""

    numbers: list[int] = field(default_factory=list)
    latencies_s: list[float] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def sent(self) -> int:
        """Count the images from the first answered one to the last."""
        return max(self.numbers) - self.numbers[0] + 1 if self.numbers else 0


class Watch(Node):
    """Listens to the poses of all cameras and to the diagnostics."""

    def __init__(self, cameras: list[str]) -> None:
        super().__init__('watch', namespace=NAMESPACE)
        self.heard = {camera: Heard() for camera in cameras}
        for camera, heard in self.heard.items():
            self._listen(camera, heard)
        self.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 10)
        self.parameters = AsyncParameterClient(self, 'pose_node')
        self.changes = itertools.cycle(CHANGES)
        self.guests: list[Subscription] = []

    def _listen(self, camera: str, heard: Heard) -> None:
        def on_poses(poses: PoseArray3D, info: dict[str, int]) -> None:
            heard.numbers.append(int(poses.header.frame_id))
            latency_s = 1e-9 * info['received_timestamp'] - seconds(poses.header.stamp)
            heard.latencies_s.append(latency_s)

        self.create_subscription(PoseArray3D, f'{camera}/poses', on_poses, QoSProfile(depth=DEPTH))

    def _on_diagnostics(self, array: DiagnosticArray) -> None:
        for status in array.status:
            camera = status.name.rpartition(': ')[2]
            if status.name.startswith(NAMESPACE[1:]) and camera in self.heard:
                values = {pair.key: pair.value for pair in status.values}
                names = ('images', 'dropped images', 'bad images')
                # Unknown, where the middleware does not number images: not counted.
                known = {n: int(values[n]) for n in names if values[n].isdecimal()}
                self.heard[camera].counts = known

    def disturb(self) -> None:
        """Have a subscriber come or go, and a parameter change, or not be changed."""
        if self.guests:
            while self.guests:
                self.destroy_subscription(self.guests.pop())
        else:
            for camera in self.heard:
                for kind, topic in ((MarkerArray, 'markers'), (Image, 'overlay')):
                    name = f'{camera}/{topic}'
                    self.guests.append(self.create_subscription(kind, name, lambda _: None, 10))
        self.parameters.set_parameters([next(self.changes)])

    def settle(self, executor: SingleThreadedExecutor) -> None:
        """Wait for what the node says when the last image has been answered."""
        for heard in self.heard.values():
            heard.counts = {}
        deadline_s = time.monotonic() + START_S
        while not all(h.counts for h in self.heard.values()) and time.monotonic() < deadline_s:
            executor.spin_once(timeout_sec=0.1)

    def sample(self, pid: int, at_s: float, cpu_share: float) -> Sample:
        """Sum up an interval that ends now."""
        latencies_s = [s for heard in self.heard.values() for s in heard.latencies_s]
        for heard in self.heard.values():
            heard.latencies_s.clear()
        rss_mb, own_mb = memory_mb(pid)
        p50, p95 = 1e3 * np.percentile(latencies_s, [50, 95]) if latencies_s else (np.nan, np.nan)
        return Sample(
            at_s, rss_mb, own_mb, float(p50), float(p95), cpu_share,
            sent=sum(heard.sent() for heard in self.heard.values()),
            answered=sum(len(heard.numbers) for heard in self.heard.values()),
            twice=sum(len(h.numbers) - len(set(h.numbers)) for h in self.heard.values()),
            **{
                name: sum(heard.counts.get(key, 0) for heard in self.heard.values())
                for name, key in (
                    ('images', 'images'), ('dropped', 'dropped images'), ('bad', 'bad images'),
                )
            },
        )  # fmt: skip


def memory_mb(pid: int) -> tuple[float, float]:
    """All resident memory of a process, and what of it is neither of files nor shared."""
    status = Path(f'/proc/{pid}/status').read_text()
    lines = dict(line.split(':', 1) for line in status.splitlines())
    resident, own = (int(lines[name].split()[0]) / 1024 for name in ('VmRSS', 'RssAnon'))
    return resident, own


def watch(node: Watch, pid: int, cameras: list[subprocess.Popen[bytes]], every_s: float,
          faults: bool) -> list[Sample]:  # fmt: skip
    """Listen until every camera has ended, and print a line for every interval."""
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
        if not any(heard.numbers for heard in node.heard.values()):
            start_s = last_s = now_s  # not yet
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
    """Run the node and its cameras for so long."""
    duration_s = 60 * arguments.minutes
    names = [f'camera{i}' for i in range(arguments.cameras)]
    command = [sys.executable, '-m', 'pose3d_ros.cli', 'node', '--ros-args']
    command += ['-r', f'__ns:={NAMESPACE}', '-p', f'model:={model}', '-p', 'device:=CPU']
    command += ['-p', f'cameras:={names}', '--log-level', 'error']
    node = Watch(names)
    process = subprocess.Popen(command)
    cameras = []
    try:
        for name in names:
            line = [sys.executable, '-m', 'benchmark.soak', '--camera', name]
            line += ['--minutes', str(arguments.minutes), '--rate', str(arguments.rate)]
            cameras.append(subprocess.Popen(line + ['--faults'] * arguments.faults))
        every_s = min(max(duration_s / INTERVALS, 2.0), LONGEST_S)
        return watch(node, process.pid, cameras, every_s, arguments.faults)
    finally:
        for one in (*cameras, process):
            one.terminate()
            one.wait(START_S)
        node.destroy_node()


def main() -> int:
    """Print the table and the verdict; 0 where all is well."""
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
        model = Path(folder) / 'people.xml'
        write_network(model, PEOPLE)
        found = verdicts(soak(arguments, model))
    rclpy.try_shutdown()
    for well, text in found:
        print(f'{"well" if well else "BAD "}  {text}')
    return int(not all(well for well, _ in found))


if __name__ == '__main__':
    sys.exit(main())
