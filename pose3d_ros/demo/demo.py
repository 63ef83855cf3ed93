"""`pose3d demo`: both nodes as processes, and a listener that shows what comes out."""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, QoSReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CameraInfo, Image

from pose3d_ros.demo import clip
from pose3d_ros.demo.recorder import Recorder, xy_of, xyz_of
from pose3d_ros.models.store import DEMO_ONLY
from pose3d_ros.msg import PoseArray3D
from pose3d_ros.ros.messages.images import bgr_array, seconds
from pose3d_ros.ros.middleware import fastdds_variable
from pose3d_ros.ros.process import keep_memory

# The longest that loading and compiling a network may take, and that its last answers may.
START_S, FINISH_S = 120.0, 5.0
SILENCE_S = 0.7
# A slower listener than the camera must not lose results.
DEPTH = 200
# What only the nodes know, they log: the pose node in its first line, the camera in its last.
# How the pose node sees what the package brings along, unless told otherwise.
OWN: dict[str, dict[str, object]] = {
    # Of the network's model card.
    clip.NAME: {
        'model': DEMO_ONLY, 'keypoint_threshold': 0.2, 'person_threshold': 0.3, 'min_keypoints': 6,
    },
}  # fmt: skip
ON_DEVICE, PUBLISHED = re.compile(r' on (\S+)$'), re.compile(r'(\d+) images published')


class Listener(Node):
    """Hears both nodes as a robot would, and keeps figures."""

    def __init__(
        self, namespace: str, recorder: Recorder, score: clip.Score | None = None
    ) -> None:
        super().__init__('demo', namespace=namespace)
        self.recorder, self.score = recorder, score
        # Which image has which stamp.
        self.numbers: dict[float, int] = {}
        self.answers: list[PoseArray3D] = []
        self.sent = 0
        self.latencies_s: list[float] = []
        self.stamps_s: list[float] = []
        self.people: list[int] = []
        self.ids: set[int] = set()
        self.last_s = time.monotonic()
        self.waiting: dict[float, PoseArray3D] = {}
        results = QoSProfile(depth=DEPTH)
        infos = QoSProfile(depth=DEPTH, reliability=QoSReliabilityPolicy.BEST_EFFORT)
        self.create_subscription(CameraInfo, 'camera_info', self.on_info, infos)
        self.create_subscription(PoseArray3D, 'poses', self.on_poses, results)
        self.create_subscription(Image, 'overlay', self.on_overlay, results)

    def on_info(self, info: CameraInfo) -> None:
        """Count an image on the way: the camera sends one of these with each."""
        self.numbers[seconds(info.header.stamp)] = self.sent
        self.sent += 1

    def on_poses(self, poses: PoseArray3D, info: dict[str, int]) -> None:
        """Take figures of a result, by when it arrived rather than when there was time for it."""
        stamp_s = seconds(poses.header.stamp)
        self.latencies_s.append(1e-9 * info['received_timestamp'] - stamp_s)
        self.stamps_s.append(stamp_s)
        self.people.append(len(poses.poses))
        self.ids |= {pose.track_id for pose in poses.poses}
        self.last_s = time.monotonic()
        self.waiting[stamp_s] = poses
        if self.score:
            self.answers.append(poses)

    def on_overlay(self, image: Image) -> None:
        """Record an image beside the people who were found in it."""
        stamp_s = seconds(image.header.stamp)
        poses = self.waiting.pop(stamp_s, None)
        if poses is None:
            return
        clear = 0
        if self.score and stamp_s in self.numbers:
            # What `judge` knows in the end: so many were answered before one was announced.
            first_s = next(iter(self.numbers))
            before = sum(answered_s < first_s for answered_s in self.stamps_s)
            clear = self.score.clear(before + self.numbers[stamp_s], xy_of(poses))
        self.recorder.add(bgr_array(image), poses, clear)

    def judge(self, published: int) -> list[str]:
        """Compare with what is true of a clip, of which so many images were published."""
        if not self.score:
            return []
        # The first may have been published before they were heard, but none may be missing since.
        steps_s = np.diff(list(self.numbers))
        if not self.answers or np.max(steps_s, initial=0) > 1.6 * np.median(steps_s):
            return ['against the truth   unknown: not every CameraInfo was heard']
        first_s, before = next(iter(self.numbers)), published - len(self.numbers)
        for poses in self.answers:
            stamp_s = seconds(poses.header.stamp)
            late = round((stamp_s - first_s) / np.median(steps_s))
            number = before + self.numbers.get(stamp_s, late)
            self.score.add(number, xy_of(poses), xyz_of(poses))
        return self.score.lines()

    def progress(self) -> str:
        """Say how far it is, in a line."""
        now = self.people[-1] if self.people else 0
        return f'{self.sent} images sent, {len(self.people)} answered, {now} people in the last'

    def table(self, device: str) -> str:
        """Give the figures, a line each."""
        if not self.people:
            return f'images sent         {self.sent}\nimages answered     0'
        p50, p95 = 1e3 * np.percentile(self.latencies_s, [50, 95])
        span_s = self.stamps_s[-1] - self.stamps_s[0]
        rate_hz = (len(self.stamps_s) - 1) / span_s if span_s > 0 else 0.0
        nobody = self.people.count(0)
        return '\n'.join(
            (
                f'images sent         {self.sent}',
                f'images answered     {len(self.people)}, {nobody} of them with nobody',
                f'people per image    {np.mean(self.people):.2f} on average, '
                f'{max(self.people)} at most; {len(self.ids)} ids',
                f'stamp to poses      p50 {p50:.1f} ms, p95 {p95:.1f} ms',
                f'rate                {rate_hz:.1f} Hz',
                f'device              {device}',
            )
        )


class Child:
    """A node in a process of its own, whose log goes on to the terminal."""

    def __init__(self, command: str, namespace: str, parameters: dict[str, object]) -> None:
        line = [sys.executable, '-m', 'pose3d_ros.cli', command, '--ros-args']
        line += ['-r', f'__ns:={namespace}']
        for name, value in parameters.items():
            # JSON is YAML: a string stays a string, whatever is in it.
            line += ['-p', f'{name}:={json.dumps(value)}']
        # In a session of its own: one Ctrl-C must not end the nodes before the listener has done.
        self.process = subprocess.Popen(
            line, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        self.log: list[str] = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.log.append(line)
            print(line, end='', file=sys.stderr)

    def said(self, pattern: re.Pattern[str]) -> str | None:
        """Give what a pattern's group finds in the log."""
        return next((m[1] for line in self.log if (m := pattern.search(line))), None)

    def ended(self) -> bool:
        """Tell whether the process has ended."""
        return self.process.poll() is not None

    def end(self) -> int:
        """End the process if it has not ended, and give its exit status."""
        if not self.ended():
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(FINISH_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.reader.join(FINISH_S)
        return self.process.returncode


def demo(arguments: argparse.Namespace) -> int:
    """Run the demo. 0 where every node did its work, 1 where one could not."""
    # On this machine alone, and with room for large images: before ROS starts, and for the nodes.
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    os.environ.setdefault(fastdds_variable(), str(share('config/fastdds_shm.xml')))
    namespace = f'/pose3d_demo_{os.getpid()}'
    arguments.output.mkdir(parents=True, exist_ok=True)
    keep_memory()
    # The nodes are in sessions of their own: whatever ends the demo must let it end them. No
    # KeyboardInterrupt: raised while ROS makes a message, it comes out as a RuntimeError.
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    recorder = Recorder(arguments.output)
    score = clip.Score(clip.truth()) if arguments.input == clip.NAME else None
    listener = Listener(namespace, recorder, score)
    children = [Child('node', namespace, pose_parameters(arguments))]
    try:
        if wait_for(listener, children[0], stop):
            camera = Child('camera', namespace, camera_parameters(arguments))
            children.append(camera)
            listen(listener, children[0], camera, arguments.seconds, stop)
        if stop.is_set():
            print('\nstopped')
    finally:
        whole = children[-1].ended()
        # The camera first: what is under way is answered.
        failed = [child.end() != 0 for child in reversed(children)]
        files = recorder.close()
        listener.destroy_node()
        rclpy.try_shutdown()
    listener.sent = int(children[-1].said(PUBLISHED) or listener.sent)
    print(f'\n{listener.table(children[0].said(ON_DEVICE) or "none")}')
    if whole and not any(failed):
        print('\n'.join(listener.judge(listener.sent)))
    for file in files:
        print(f'written             {file}')
    if recorder.skipped:
        print(f'left out of video   {recorder.skipped} images, to keep up')
    return int(any(failed))


def share(name: str) -> Path:
    """Find a file that the package installs; FileNotFoundError with where it was looked for."""
    prefixes = [*os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep), sys.prefix]
    files = [Path(prefix) / 'share' / 'pose3d_ros' / name for prefix in prefixes if prefix]
    for file in files:
        if file.is_file():
            return file
    raise FileNotFoundError(f'{name} is not installed; looked for {[str(f) for f in files]}')


def pose_parameters(arguments: argparse.Namespace) -> dict[str, object]:
    """Set up the pose node."""
    height, width = arguments.input_size
    own = OWN.get(arguments.input, {'model': 'auto'})
    return {
        **({'model': arguments.model} if arguments.model else own),
        'device': arguments.device,
        'input_height': height,
        'input_width': width,
    }


def camera_parameters(arguments: argparse.Namespace) -> dict[str, object]:
    """Set up the camera node: it waits for the pose node, so that no image is lost."""
    own = {clip.NAME: clip.truth().intrinsics.fx}
    return {
        'source': str(clip.PATH) if arguments.input == clip.NAME else arguments.input,
        'rate': arguments.rate,
        'focal_length': arguments.focal_length or own.get(arguments.input, 0.0),
        'wait_for_subscribers': 1,
        'wait_timeout': START_S,
    }


def wait_for(listener: Listener, pose: Child, stop: threading.Event) -> bool:
    """Wait until the pose node is heard of, so that none of its results is missed."""
    deadline_s = time.monotonic() + START_S
    while not pose.ended() and not stop.is_set() and time.monotonic() < deadline_s:
        if listener.count_publishers('poses') and listener.count_publishers('overlay'):
            return True
        time.sleep(0.05)
    return False


def listen(
    listener: Listener, pose: Child, camera: Child, limit_s: float, stop: threading.Event
) -> None:
    """Listen until the camera has ended and was answered, a node has failed, or it is to stop."""
    executor = SingleThreadedExecutor()
    executor.add_node(listener)
    start_s = told_s = time.monotonic()
    ended_s = None
    while not pose.ended() and not stop.is_set():
        executor.spin_once(timeout_sec=0.05)
        now_s = time.monotonic()
        if listener.sent and now_s - told_s >= 1:
            told_s = now_s
            print(listener.progress(), flush=True)
        if not listener.sent:
            start_s = now_s
        if camera.ended() and ended_s is None:
            ended_s = now_s
        if ended_s is not None:
            quiet = now_s - max(listener.last_s, ended_s) > SILENCE_S
            if quiet or now_s - ended_s > FINISH_S:
                return
        if limit_s and now_s - start_s > limit_s:
            return
