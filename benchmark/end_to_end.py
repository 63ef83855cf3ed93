"""Latency and CPU of the pose node as a robot sees them: Image published -> PoseArray3D received.

    python -m benchmark.end_to_end [--seconds 10] [--people 5]

A pose node in a process of its own gets 640x480 images at 30 Hz over DDS. Its network always says
the same people and takes next to no time, so that what is left is everything but the inference.
Prints a table: who listens, latency, CPU of the node's process in per cent of one core. Its first
line is a node that answers every image with an empty message: what ROS takes for itself. Run it on
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
import openvino as ov
import openvino.opset13 as ops
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
from pose3d_ros.msg import PoseArray3D
from pose3d_ros.ros.messages.camera_info import camera_info_msg
from pose3d_ros.ros.messages.images import image_msg, seconds
from pose3d_ros.ros.middleware import fastdds_variable
from pose3d_ros.ros.process import keep_memory
from synthetic import scene

SIZE_HW, INPUT_HW, STRIDE = (480, 640), (256, 448), 8
CAMERA = Intrinsics.centred(520.0, *SIZE_HW[::-1], IntrinsicsSource.CAMERA_INFO)
RATE_HZ = 30
WARM_UP = 30
START_S = 60.0
TOPICS = {PoseArray3D: 'poses', MarkerArray: 'markers', Image: 'overlay'}
LISTENERS = {
    'nobody': (),
    'poses': (PoseArray3D,),
    'poses, markers': (PoseArray3D, MarkerArray),
    'poses, markers, overlay': (PoseArray3D, MarkerArray, Image),
}
NUMBERS = itertools.count()
ECHO = 'benchmark.end_to_end'


@dataclass
class Heard:
    """What a robot heard: seconds from publishing an image to each message about it."""

    latencies_s: dict[type, list[float]] = field(default_factory=dict)
    people: set[int] = field(default_factory=set)


def write_network(path: Path, people: int) -> None:
    """Write a network that always says the same people."""
    letterbox = Letterbox.fit(SIZE_HW, INPUT_HW, STRIDE)
    xs = np.linspace(-1.2, 1.2, people) if people > 1 else [0.0]
    outputs = scene.outputs(scene.people_m(*[(x, 0, 3.5) for x in xs]), CAMERA, letterbox)
    image = ops.parameter([1, 3, *INPUT_HW], np.float32, name='data')
    image.output(0).get_tensor().set_names({'data'})
    # Not a constant, which would be computed once and for all.
    zero = ops.multiply(ops.reduce_mean(image, np.array([1, 2, 3]), keep_dims=True), np.float32(0))
    results = []
    for name in ('heatmaps', 'pafs', 'features'):
        maps = ops.add(zero, ops.constant(getattr(outputs, name)[np.newaxis]))
        maps.output(0).get_tensor().set_names({name})
        results.append(ops.result(maps))
    ov.save_model(ov.Model(results, [image]), path, compress_to_fp16=False)


def start_ros() -> None:
    """Start ROS on this machine alone, with room for images; the nodes begun from here, too."""
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    os.environ[fastdds_variable()] = str(PROFILE)
    keep_memory()
    rclpy.init()


def cpu_s(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    after_name = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf('SC_CLK_TCK')


def echo() -> None:
    """Answer images with empty messages, until the process is ended."""
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


def measure(model: Path | None, kinds: tuple[type, ...], duration_s: float) -> tuple[Heard, float]:
    """Send images to a node and listen; what was heard, and the share of a core it took.

    Without a model it is one that answers with nothing.
    """
    namespace = f'/benchmark{next(NUMBERS)}'
    command = [sys.executable, '-m', *(['pose3d_ros.cli', 'node'] if model else [ECHO, '--echo'])]
    command += ['--ros-args', '-r', f'__ns:={namespace}', '--log-level', 'warn']
    if model:
        command += ['-p', f'model:={model}', '-p', 'device:=CPU']
    node = rclpy.create_node('benchmark', namespace=namespace)
    camera = Camera(node)
    heard = listen(node, kinds, camera.sent_s)
    process = subprocess.Popen(command)
    try:
        deadline_s = time.monotonic() + START_S
        ready = camera.images.get_subscription_count if kinds else lambda: 1
        while not (node.count_publishers('poses') and ready()) and time.monotonic() < deadline_s:
            camera.executor.spin_once(timeout_sec=0.1)
        camera.run(WARM_UP)
        for latencies_s in heard.latencies_s.values():
            latencies_s.clear()
        start_s, start_cpu_s = time.perf_counter(), cpu_s(process.pid)
        camera.run(round(duration_s * RATE_HZ))
        share = (cpu_s(process.pid) - start_cpu_s) / (time.perf_counter() - start_s)
    finally:
        process.terminate()
        process.wait(10)
        node.destroy_node()
    return heard, share


class Camera:
    """A calibrated camera that sends grey images, and remembers when."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.images = node.create_publisher(Image, 'image_raw', qos_profile_sensor_data)
        self.infos = node.create_publisher(CameraInfo, 'camera_info', qos_profile_sensor_data)
        self.sent_s: dict[float, float] = {}
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(node)

    def run(self, number: int) -> None:
        """Send so many images at the rate, and hear what comes meanwhile."""
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


def listen(node: Node, kinds: tuple[type, ...], sent_s: dict[float, float]) -> Heard:
    """Subscribe to some of what the pose node publishes."""
    heard = Heard({kind: [] for kind in kinds})

    def subscribe(kind: type) -> None:
        def on_message(message: PoseArray3D | MarkerArray | Image) -> None:
            now_s = time.perf_counter()
            header = (message.markers[0] if kind is MarkerArray else message).header
            heard.latencies_s[kind].append(now_s - sent_s[seconds(header.stamp)])
            if kind is PoseArray3D:
                heard.people.add(len(message.poses))

        node.create_subscription(kind, TOPICS[kind], on_message, 10)

    for kind in kinds:
        subscribe(kind)
    return heard


def row(name: str, heard: Heard, share: float) -> str:
    """Lay out a line of the table: the last message about an image counts."""
    kinds = list(heard.latencies_s)
    cells = ['', '']
    if kinds:
        p50, p95 = 1e3 * np.percentile(heard.latencies_s[kinds[-1]], [50, 95])
        cells = [f'{p50:.1f}', f'{p95:.1f}']
    number = len(heard.latencies_s[kinds[-1]]) if kinds else 0
    people = ', '.join(map(str, sorted(heard.people)))
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
        model = Path(folder) / 'people.xml'
        write_network(model, arguments.people)
        print('| listening to | answered | people | p50 ms | p95 ms | CPU, one core |')
        print('|---|---|---|---|---|---|')
        answer = measure(None, (PoseArray3D,), arguments.seconds)
        print(row('nothing but ROS: poses', *answer), flush=True)
        for name, kinds in LISTENERS.items():
            print(row(name, *measure(model, kinds, arguments.seconds)), flush=True)
    rclpy.try_shutdown()


if __name__ == '__main__':
    main()
