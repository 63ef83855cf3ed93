"""Latency and CPU load of the pose node from published Image to received PoseArray3D.

    python -m benchmark.end_to_end [--seconds 10] [--people 5]

A pose node in its own process receives 640x480 images at 30 Hz over DDS. Its network returns
constant people and takes almost no time, which leaves everything but the inference. Prints
subscribers, latency, and the CPU load of the node's process in per cent of one core. The first
line is a node that publishes an empty message for every image: the cost of ROS itself. Run it on
an idle machine.
"""

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from benchmark.transport import PROFILE
from pose3d_ros.camera import Intrinsics, IntrinsicsSource
from pose3d_ros.detection.letterbox import Letterbox
from pose3d_ros.detection.openpose.outputs import Outputs
from pose3d_ros.msg import PoseArray3D
from pose3d_ros.ros.messages.camera_info import camera_info_msg
from pose3d_ros.ros.messages.images import image_msg, seconds
from pose3d_ros.ros.middleware import fastdds_variable
from pose3d_ros.ros.process import keep_memory
from synthetic import scene
from synthetic.fixed_network import write_network

SIZE_HW, INPUT_HW, STRIDE = (480, 640), (256, 448), 8
CAMERA = Intrinsics.centred(520.0, *SIZE_HW[::-1], IntrinsicsSource.CAMERA_INFO)
RATE_HZ = 30
WARM_UP = 30
START_S = 60.0
TOPICS = {PoseArray3D: 'poses', MarkerArray: 'markers', Image: 'overlay'}
SUBSCRIBERS = {
    'none': (),
    'poses': (PoseArray3D,),
    'poses, markers': (PoseArray3D, MarkerArray),
    'poses, markers, overlay': (PoseArray3D, MarkerArray, Image),
}
NUMBERS = itertools.count()
ECHO = 'benchmark.end_to_end'


@dataclass
class Received:
    """Messages that a robot received, with the seconds since their image was published."""

    latencies_s: dict[type, list[float]] = field(default_factory=dict)
    people: set[int] = field(default_factory=set)


def write_people_network(path: Path, people: int) -> Path:
    """Write a network that returns constant people side by side; return its path."""
    letterbox = Letterbox.fit(SIZE_HW, INPUT_HW, STRIDE)
    return write_network(path, people_outputs(people, letterbox), INPUT_HW)


def people_outputs(
    people: int, letterbox: Letterbox, grid_hw: tuple[int, int] = scene.GRID_HW
) -> Outputs:
    """Return what a perfect network returns for people side by side, who all fit in the image."""
    xs = np.linspace(-1.2, 1.2, people) if people > 1 else [0.0]
    people_m = scene.people_m(*[(x, 0, 3.5) for x in xs])
    return scene.outputs(people_m, CAMERA, letterbox, grid_hw=grid_hw)


def start_ros() -> None:
    """Start ROS on this machine only, with shared memory for images, also in child processes."""
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    os.environ[fastdds_variable()] = str(PROFILE)
    keep_memory()
    rclpy.init()


def cpu_s(pid: int) -> float:
    """Return the CPU time of a process, s."""
    after_name = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf('SC_CLK_TCK')


def echo() -> None:
    """Publish an empty message for every image until the process is ended."""
    rclpy.init()
    node = rclpy.create_node('echo')
    poses = node.create_publisher(PoseArray3D, 'poses', 10)
    node.create_subscription(
        Image,
        'image_raw',
        lambda image: poses.publish(PoseArray3D(header=image.header)),
        qos_profile_sensor_data,
    )
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    with suppress(ExternalShutdownException):
        executor.spin()


def measure(
    model: Path | None, kinds: tuple[type, ...], duration_s: float
) -> tuple[Received, float]:
    """Send images to a node; return the received messages and the node's share of a core.

    `model` None: the node that publishes empty messages.
    """
    namespace = f'/benchmark{next(NUMBERS)}'
    command = [sys.executable, '-m', *(['pose3d_ros.cli', 'node'] if model else [ECHO, '--echo'])]
    command += ['--ros-args', '-r', f'__ns:={namespace}', '--log-level', 'warn']
    if model:
        command += [
            '-p',
            f'model:={model}',
            '-p',
            'device:=CPU',
            '-p',
            'camera_pose_memory:=false',
        ]
    node = rclpy.create_node('benchmark', namespace=namespace)
    camera = Camera(node)
    received = subscribe(node, kinds, camera.sent_s)
    process = subprocess.Popen(command)
    try:
        deadline_s = time.monotonic() + START_S
        ready = camera.images.get_subscription_count if kinds else lambda: 1
        while not (node.count_publishers('poses') and ready()) and time.monotonic() < deadline_s:
            camera.executor.spin_once(timeout_sec=0.1)
        camera.run(WARM_UP)
        for latencies_s in received.latencies_s.values():
            latencies_s.clear()
        start_s, start_cpu_s = time.perf_counter(), cpu_s(process.pid)
        camera.run(round(duration_s * RATE_HZ))
        share = (cpu_s(process.pid) - start_cpu_s) / (time.perf_counter() - start_s)
    finally:
        process.terminate()
        process.wait(10)
        node.destroy_node()
    return received, share


class Camera:
    """A calibrated camera that publishes grey images and records their times."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.images = node.create_publisher(Image, 'image_raw', qos_profile_sensor_data)
        self.infos = node.create_publisher(CameraInfo, 'camera_info', qos_profile_sensor_data)
        self.sent_s: dict[float, float] = {}
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(node)

    def run(self, number: int) -> None:
        """Publish a number of images at RATE_HZ and process incoming messages in between."""
        bgr = np.full((*SIZE_HW, 3), 128, np.uint8)
        start_s = time.perf_counter()
        for i in range(number):
            header = Header(frame_id='camera', stamp=self.node.get_clock().now().to_msg())
            image = image_msg(bgr, header)
            self.sent_s[seconds(header.stamp)] = time.perf_counter()
            self.images.publish(image)
            self.infos.publish(camera_info_msg(CAMERA, *SIZE_HW[::-1], header))
            due_s = start_s + (i + 1) / RATE_HZ
            while (left_s := due_s - time.perf_counter()) > 0:
                self.executor.spin_once(timeout_sec=left_s)


def subscribe(node: Node, kinds: tuple[type, ...], sent_s: dict[float, float]) -> Received:
    """Subscribe to topics of the pose node."""
    received = Received({kind: [] for kind in kinds})

    def add_subscription(kind: type) -> None:
        def on_message(message: PoseArray3D | MarkerArray | Image) -> None:
            now_s = time.perf_counter()
            header = (message.markers[0] if kind is MarkerArray else message).header
            received.latencies_s[kind].append(now_s - sent_s[seconds(header.stamp)])
            if kind is PoseArray3D:
                received.people.add(len(message.poses))

        node.create_subscription(kind, TOPICS[kind], on_message, 10)

    for kind in kinds:
        add_subscription(kind)
    return received


def row(name: str, received: Received, share: float) -> str:
    """Return a line of the table; the latency is that of the last of the topics."""
    kinds = list(received.latencies_s)
    cells = ['', '']
    if kinds:
        p50, p95 = 1e3 * np.percentile(received.latencies_s[kinds[-1]], [50, 95])
        cells = [f'{p50:.1f}', f'{p95:.1f}']
    number = len(received.latencies_s[kinds[-1]]) if kinds else 0
    people = ', '.join(map(str, sorted(received.people)))
    return f'| {name} | {number} | {people} | {" | ".join(cells)} | {100 * share:.0f} % |'


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seconds', type=float, default=10.0)
    parser.add_argument('--people', type=int, default=5)
    parser.add_argument('--echo', action='store_true', help=argparse.SUPPRESS)
    arguments, _ = parser.parse_known_args()
    if arguments.echo:
        echo()
        return
    start_ros()
    with tempfile.TemporaryDirectory() as folder:
        model = write_people_network(Path(folder) / 'people.xml', arguments.people)
        print('| subscribers of | images | people | p50 ms | p95 ms | CPU, one core |')
        print('|---|---|---|---|---|---|')
        result = measure(None, (PoseArray3D,), arguments.seconds)
        print(row('ROS only: poses', *result), flush=True)
        for name, kinds in SUBSCRIBERS.items():
            print(row(name, *measure(model, kinds, arguments.seconds)), flush=True)
    rclpy.try_shutdown()


if __name__ == '__main__':
    main()
