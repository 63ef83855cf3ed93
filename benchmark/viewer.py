"""What the page for the browser costs: five people at 30 Hz, with their images.

    python -m benchmark.viewer [--seconds 20]

Starts `pose3d view`, publishes people and overlays as a pose node would, and connects as a browser
does, without drawing. Prints, without and with a browser, what the viewer uses of one core, and
how many updates of a person and of the image per second reach the browser. Use it on a machine
that does nothing else; next to other work, it prints how far the rates fall.
"""

import argparse
import multiprocessing
import os
import re
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import rclpy
import viser
import zstandard
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from viser._messages import ViewerCameraMessage
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from pose3d_ros.camera import IntrinsicsSource
from pose3d_ros.demo import clip
from pose3d_ros.demo.child import end, environment, start_line
from pose3d_ros.msg import PoseArray3D
from pose3d_ros.people import People2D, People3D, Source, TrackedPeople, TrackState
from pose3d_ros.ros.messages.images import image_msg
from pose3d_ros.ros.messages.pose_array import pose_array_cdr
from pose3d_ros.ros.middleware import fastdds_variable
from pose3d_ros.share import share
from pose3d_ros.sources.open_source import open_source

RATE_HZ, PEOPLE = 30, 5
NAMESPACE = '/benchmark_viewer'
WARM_UP_S = 3.0
TICKS_PER_S = os.sysconf('SC_CLK_TCK')


class Sender:
    """Publishes people and their images until it is stopped.

    In a process of its own: a thread would share the interpreter with the browser, be late, and
    then replace messages that have not left yet.
    """

    def __init__(self) -> None:
        spawned = multiprocessing.get_context('spawn')
        self.stop, self.sent = spawned.Event(), spawned.Value('Q', 0)
        self.process = spawned.Process(target=publish, args=(self.stop, self.sent), daemon=True)


def publish(stop: Any, sent: Any) -> None:
    """Publish at ``RATE_HZ`` until an event is set; count in `sent`."""
    rclpy.init()
    node = rclpy.create_node('sender', namespace=NAMESPACE)
    poses = node.create_publisher(PoseArray3D, 'poses', QoSProfile(depth=1))
    overlay = node.create_publisher(Image, 'overlay', QoSProfile(depth=1))
    truth, bgr = clip.truth(), next(iter(open_source(str(clip.PATH)))).bgr
    start_s = time.monotonic()
    while not stop.is_set():
        header = Header(stamp=node.get_clock().now().to_msg(), frame_id='camera')
        people = walking_people(truth, sent.value)
        poses.publish(
            pose_array_cdr(people, header, IntrinsicsSource.PARAMETER, clip.camera_pose())
        )
        overlay.publish(image_msg(np.roll(bgr, sent.value, axis=1), header))
        sent.value += 1
        stop.wait(max(0.0, start_s + sent.value / RATE_HZ - time.monotonic()))
    rclpy.shutdown()


def walking_people(truth: clip.Truth, number: int) -> TrackedPeople:
    """Return five people who walk as those of the bundled clip do.

    Their size changes by a thousandth from image to image: the page does not send again what has
    not changed, and in the clip a person stands still for a second.
    """
    now = number % len(truth.xyz_m)
    later = (now + 60) % len(truth.xyz_m)
    xyz_m = np.concatenate([truth.xyz_m[now], truth.xyz_m[later] + (0.5, 0, 1.5)])[:PEOPLE]
    xyz_m = xyz_m * (1 + 1e-3 * (number % 2))
    xy_px = np.concatenate([truth.xy_px[now], truth.xy_px[later]])[:PEOPLE]
    ones = np.ones(xy_px.shape[:2])
    people_2d = People2D(xy_px.astype(np.float64), ones, ones[:, 0])
    source = np.full(ones.shape, Source.OBSERVED, np.uint8)
    covariance = np.tile(0.04 * np.eye(3), (PEOPLE, 1, 1))
    people = People3D(people_2d, xyz_m.astype(np.float64), source, covariance)
    state = np.full(PEOPLE, TrackState.CONFIRMED, np.uint8)
    return TrackedPeople(people, np.arange(PEOPLE), state, np.full(PEOPLE, now / RATE_HZ))


class Browser(threading.Thread):
    """Receives what the page sends, and counts updates of a person and of the image."""

    def __init__(self, address: str) -> None:
        super().__init__(daemon=True)
        protocol = Subprotocol(f'viser-v{viser.__version__}')
        self.socket = connect(
            address.replace('http', 'ws'), subprotocols=[protocol], max_size=None
        )
        camera = ViewerCameraMessage(
            wxyz=(1.0, 0.0, 0.0, 0.0), position=(0.0, 0.0, -3.0), fov=0.7, near=0.01, far=1000.0,
            image_height=800, image_width=1000, look_at=(0.0, 0.0, 0.0),
            up_direction=(0.0, -1.0, 0.0),
        )  # fmt: skip
        self.socket.send(msgspec.msgpack.encode(camera.as_serializable_dict()))
        self.people = self.images = self.size = 0

    def run(self) -> None:
        """Count until the connection is closed."""
        zstd = zstandard.ZstdDecompressor()
        try:
            for packet in self.socket:
                assert isinstance(packet, bytes)
                self.size += len(packet)
                length = int.from_bytes(packet[8:16], 'little')
                inner = zstd.decompress(packet[16 : 16 + length])
                for message in msgspec.msgpack.decode(inner)['messages']:
                    self._count(message)
        except ConnectionClosed:
            return

    def _count(self, message: dict[str, Any]) -> None:
        updates = message.get('updates', {})
        self.people += message.get('name', '').endswith('person_0/limbs') and 'points' in updates
        self.images += message['type'] == 'GuiUpdateMessage' and '_data' in updates


def cpu_s(pid: int) -> float:
    """Return the CPU time that a process has used, s."""
    fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def measure(
    viewer: subprocess.Popen[str], sender: Sender, browser: Browser | None, span_s: float
) -> str:
    """Return a row of the table."""
    time.sleep(WARM_UP_S)
    names = ('people', 'images', 'size')

    def state() -> np.ndarray:
        counts = [getattr(browser, name, 0) for name in names]
        return np.array([time.monotonic(), cpu_s(viewer.pid), sender.sent.value, *counts], float)

    before = state()
    time.sleep(span_s)
    seconds, cpu, sent, people, images, size = state() - before
    received = f'{people / seconds:.1f} | {images / seconds:.1f} | {size / seconds / 1e6:.1f}'
    return (
        f'| {"yes" if browser else "no"} | {sent / seconds:.1f} '
        f'| {received if browser else "- | - | -"} | {100 * cpu / seconds:.0f} % |'
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seconds', type=float, default=20.0)
    arguments = parser.parse_args()
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    # As `pose3d view` does for the nodes that it starts.
    os.environ.setdefault(fastdds_variable(), str(share('config/fastdds_shm.xml')))
    viewer = subprocess.Popen(
        start_line('view', '--namespace', NAMESPACE, '--port', '8600'),
        stdout=subprocess.PIPE, text=True, env=environment(),
    )  # fmt: skip
    assert viewer.stdout
    sender = Sender()
    try:
        address = next(m[0] for m in map(re.compile(r'http://\S+').match, viewer.stdout) if m)
        sender.process.start()
        load = os.getloadavg()[0] / (os.cpu_count() or 1)
        print(f'other load: {load:.1f} processes per core\n')
        print('| browser | sent, Hz | person, Hz | image, Hz | MB/s | of a core |')
        print('|---|---|---|---|---|---|')
        print(measure(viewer, sender, None, arguments.seconds), flush=True)
        browser = Browser(address)
        browser.start()
        print(measure(viewer, sender, browser, arguments.seconds), flush=True)
        browser.socket.close()
    finally:
        sender.stop.set()
        end(viewer)
        sender.process.join(10)


if __name__ == '__main__':
    main()
