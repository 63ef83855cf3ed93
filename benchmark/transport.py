"""Loss and latency of best-effort images over Fast DDS, with and without the package's profile.

    python -m benchmark.transport [--seconds 8]

Prints a table: images received of those sent at 30 Hz, and the latency from stamp to callback.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import rclpy
from rclpy.qos import QoSProfile, QoSReliabilityPolicy
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from pose3d_ros.ros.messages.images import image_msg, seconds
from pose3d_ros.ros.middleware import fastdds_variable

PROFILE = Path(__file__).parents[1] / 'config' / 'fastdds_shm.xml'
RATE_HZ = 30
SIZES = ((640, 480), (1920, 1080))
BEST_EFFORT = QoSProfile(depth=1, reliability=QoSReliabilityPolicy.BEST_EFFORT)
TOPIC = 'benchmark_transport'


def send(width: int, height: int, duration_s: float) -> None:
    """Publish grey images; print their number."""
    rclpy.init()
    node = rclpy.create_node('sender')
    publisher = node.create_publisher(Image, TOPIC, BEST_EFFORT)
    bgr = np.full((height, width, 3), 128, np.uint8)
    deadline_s = time.monotonic() + 10
    while not publisher.get_subscription_count() and time.monotonic() < deadline_s:
        time.sleep(0.05)
    time.sleep(0.5)
    sent = 0
    start_s = time.monotonic()
    while time.monotonic() < start_s + duration_s:
        publisher.publish(image_msg(bgr, Header(stamp=node.get_clock().now().to_msg())))
        sent += 1
        time.sleep(max(0.0, start_s + sent / RATE_HZ - time.monotonic()))
    time.sleep(0.5)
    print(sent, flush=True)


def measure(width: int, height: int, duration_s: float, profile: bool) -> str:
    """Measure with sender and receiver in processes of their own; return a row of the table."""
    command = [sys.executable, '-m', 'benchmark.transport', '--receive']
    command += ['--send', str(width), str(height), '--seconds', str(duration_s)]
    env = dict(os.environ, ROS_AUTOMATIC_DISCOVERY_RANGE='LOCALHOST')
    env.pop(fastdds_variable(), None)
    if profile:
        env[fastdds_variable()] = str(PROFILE)
    row = subprocess.run(command, env=env, text=True, stdout=subprocess.PIPE, check=True).stdout
    return f'| {width}x{height} | {"with" if profile else "without"} | {row.strip()} |'


def receive(width: int, height: int, duration_s: float) -> None:
    """Start a sender and count what arrives; print the cells of a row."""
    rclpy.init()
    node = rclpy.create_node('receiver')
    latencies_s: list[float] = []

    def on_image(image: Image) -> None:
        now = node.get_clock().now().nanoseconds * 1e-9
        latencies_s.append(now - seconds(image.header.stamp))

    node.create_subscription(Image, TOPIC, on_image, BEST_EFFORT)
    command = [sys.executable, '-m', 'benchmark.transport']
    command += ['--send', str(width), str(height), '--seconds', str(duration_s)]
    sender = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    deadline_s = time.monotonic() + duration_s + 30
    while sender.poll() is None and time.monotonic() < deadline_s:
        rclpy.spin_once(node, timeout_sec=0.1)
    sent = int(sender.communicate(timeout=5)[0])
    p50, p95 = 1e3 * np.percentile(latencies_s, [50, 95]) if latencies_s else (np.nan, np.nan)
    print(f'{len(latencies_s)} of {sent} | {p50:.1f} | {p95:.1f}')


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seconds', type=float, default=8.0)
    parser.add_argument('--send', type=int, nargs=2, help=argparse.SUPPRESS)
    parser.add_argument('--receive', action='store_true', help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.send:
        width, height = arguments.send
        run = receive if arguments.receive else send
        run(width, height, arguments.seconds)
        return
    print('| image, 30 Hz | profile | received | p50 ms | p95 ms |')
    print('|---|---|---|---|---|')
    for width, height in SIZES:
        for profile in (False, True):
            print(measure(width, height, arguments.seconds, profile), flush=True)


if __name__ == '__main__':
    main()
