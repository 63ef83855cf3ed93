"""`pose3d demo`: camera node and pose node as processes, and a listener that shows the results."""

from __future__ import annotations

import argparse
import os
import re
import sys
import threading
import time

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from pose3d_ros.camera import CameraPose
from pose3d_ros.demo import clip
from pose3d_ros.demo.child import END_S, Child, Page
from pose3d_ros.demo.listener import Listener
from pose3d_ros.demo.recorder import Recorder
from pose3d_ros.models.store import DEMO_ONLY
from pose3d_ros.output_folder import make_output_folder
from pose3d_ros.ros.log_files import log_arguments
from pose3d_ros.ros.middleware import fastdds_variable
from pose3d_ros.ros.process import keep_memory, stop_on_signals
from pose3d_ros.share import share
from pose3d_ros.sources.addresses import is_address
from pose3d_ros.wording import counted

# Longest time in which a network is loaded and compiled, s.
START_S = 120.0
# Time without a result after the camera has ended, s, after which none is expected.
SILENCE_S = 0.7
# Period of the lines of progress, s.
PROGRESS_S = 1.0
# Parameters of the pose node for what the package brings along, unless set: of the network's card.
OWN: dict[str, dict[str, object]] = {
    clip.NAME: {
        'model': DEMO_ONLY, 'keypoint_threshold': 0.2, 'person_threshold': 0.3, 'min_keypoints': 6,
    },
}  # fmt: skip
# What only the nodes know is in their logs.
ON_DEVICE, PUBLISHED = re.compile(r' on (\S+)$'), re.compile(r'(\d+) images? published')
COUNT = re.compile(r': (\d+) images? at ')
# Options that are parameters of the nodes, passed on if they are given.
POSE_OPTIONS = (
    'device', 'precision', 'camera_height', 'camera_up', 'keypoint_threshold', 'limb_threshold',
    'person_threshold', 'min_keypoints',
)  # fmt: skip
CAMERA_OPTIONS = ('rate', 'focal_length', 'calibration_file', 'mirror', 'skip', 'loop')


def demo(arguments: argparse.Namespace) -> int:
    """Run the demo.

    Returns
    -------
    int
        Exit status: 0 if every node did its work and the files are written, 1 if not.
    """
    # On this machine only, and with room for large images: before ROS starts, and for the nodes.
    os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
    os.environ.setdefault(fastdds_variable(), str(share('config/fastdds_shm.xml')))
    namespace = f'/pose3d_demo_{os.getpid()}'
    if problem := make_output_folder(arguments.output):
        print(f'pose3d demo: {problem}', file=sys.stderr)
        return 1
    keep_memory()
    # The nodes are in sessions of their own: whatever ends the demo must let it end them. No
    # KeyboardInterrupt: raised while ROS makes a message, it comes out as a RuntimeError.
    stop = stop_on_signals()
    rclpy.init(args=log_arguments(None), signal_handler_options=SignalHandlerOptions.NO)
    recorder = Recorder(arguments.output, camera_pose(arguments))
    # With images left out or repeated, the truth is that of other images.
    plain = not (arguments.skip or arguments.loop or arguments.mirror)
    score = clip.Score(clip.truth()) if arguments.input == clip.NAME and plain else None
    live = is_live(arguments.input)
    if live:
        print('live: Ctrl-C ends it and keeps the files', flush=True)
    listener = Listener(namespace, recorder, score, live)
    children = [Child('node', namespace, pose_parameters(arguments))]
    page = None if arguments.headless else Page(namespace)
    whole = False
    try:
        if wait_for(listener, children[0], stop):
            camera = Child('camera', namespace, camera_parameters(arguments))
            children.append(camera)
            whole = listen(listener, children, arguments.seconds, stop)
        if stop.is_set():
            print('\nstopped')
    finally:
        # The camera first, so that its last images are answered.
        failed = [child.end() != 0 for child in reversed(children)]
        if page:
            page.end()
        files = recorder.close()
        listener.destroy_node()
        rclpy.try_shutdown()
    sent = published(children[-1]) or len(listener.results)
    print(f'\n{listener.table(sent, children[0].logged(ON_DEVICE) or "none")}')
    if whole and not any(failed):
        print('\n'.join(listener.judge(sent)))
    for file in files:
        print(f'written             {file}')
    if recorder.skipped:
        left_out = counted(recorder.skipped, 'image')
        print(f'left out of video   {left_out}, to keep up or without overlay')
    if recorder.problem:
        print(f'pose3d demo: files are missing or cut off: {recorder.problem}', file=sys.stderr)
    return int(any(failed) or bool(recorder.problem))


def is_live(source: str) -> bool:
    """Return whether images come by themselves: from a webcam or an address."""
    return source.isdigit() or source.startswith('/dev/video') or is_address(source)


def camera_pose(arguments: argparse.Namespace) -> CameraPose | None:
    """Return attitude and height of the camera, if they are known, for the floor of the view."""
    if arguments.camera_up and any(arguments.camera_up):
        up = np.array(arguments.camera_up) / np.linalg.norm(arguments.camera_up)
        return CameraPose(up, arguments.camera_height or float('nan'))
    return clip.camera_pose() if arguments.input == clip.NAME else None


def pose_parameters(arguments: argparse.Namespace) -> dict[str, object]:
    """Return the parameters of the pose node."""
    height, width = arguments.input_size
    own = OWN.get(arguments.input, {'model': 'auto'})
    return {
        **({'model': arguments.model} if arguments.model else own),
        'input_height': height,
        'input_width': width,
        'camera_pose_memory': False,  # every run is to show the same
        **_given(arguments, POSE_OPTIONS),
    }


def camera_parameters(arguments: argparse.Namespace) -> dict[str, object]:
    """Return the parameters of the camera node, which waits for the pose node."""
    own = {clip.NAME: {'focal_length': clip.truth().intrinsics.fx}}
    return {
        'source': str(clip.PATH) if arguments.input == clip.NAME else arguments.input,
        'wait_for_subscribers': 1,
        'wait_timeout': START_S,
        'wait_until_done': True,
        **own.get(arguments.input, {}),
        **_given(arguments, CAMERA_OPTIONS),
    }


def wait_for(listener: Listener, pose: Child, stop: threading.Event) -> bool:
    """Wait until the publishers of the pose node are known, so that no result is missed."""
    deadline_s = time.monotonic() + START_S
    while not pose.ended() and not stop.is_set() and time.monotonic() < deadline_s:
        if listener.count_publishers('poses') and listener.count_publishers('overlay'):
            return True
        time.sleep(0.05)
    return False


def listen(
    listener: Listener, children: list[Child], limit_s: float, stop: threading.Event
) -> bool:
    """Listen until the camera has ended and was answered, or a node has failed.

    The camera is ended after a time, or if it is to stop.

    Returns
    -------
    bool
        Whether the camera ended by itself: all images were sent.
    """
    pose, camera = children
    executor = SingleThreadedExecutor()
    executor.add_node(listener)
    start_s = progress_s = time.monotonic()
    ended_s = stopped_s = None
    while not pose.ended():
        executor.spin_once(timeout_sec=0.05)
        now_s = time.monotonic()
        if listener.results and now_s - progress_s >= PROGRESS_S:
            progress_s = now_s
            print(listener.progress(camera.logged(COUNT)), flush=True)
        if not listener.results:
            start_s = now_s
        if camera.ended():
            ended_s = ended_s or now_s
            quiet = now_s - max(listener.last_s, ended_s) > SILENCE_S
            answered = len(listener.results) >= published(camera) and not listener.waiting
            complete = listener.live or answered
            if (quiet and complete) or now_s - ended_s > 2 * END_S:
                return stopped_s is None
        over = 0 < limit_s < now_s - start_s
        if stopped_s is None and (over or stop.is_set()):
            stopped_s = now_s
            camera.interrupt()  # and listen on, so that its last images are answered
        if stopped_s is not None and now_s - stopped_s > 2 * END_S:
            break
    return False


def published(camera: Child) -> int:
    """Return how many images an ended camera says that it has published; 0: it does not say."""
    return int(camera.logged(PUBLISHED) or 0)


def _given(arguments: argparse.Namespace, names: tuple[str, ...]) -> dict[str, object]:
    """Return the options that were given, by the names of the parameters."""
    values = {name: getattr(arguments, name) for name in names}
    return {name: value for name, value in values.items() if value not in (None, False)}
