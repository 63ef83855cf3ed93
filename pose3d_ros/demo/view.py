"""`pose3d view`: the page, and with an input the nodes that it shows."""

from __future__ import annotations

import argparse
import os
import sys

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from pose3d_ros.demo import clip
from pose3d_ros.demo.child import END_S, Child
from pose3d_ros.demo.demo import camera_parameters, pose_parameters, published
from pose3d_ros.ros.log_files import log_arguments
from pose3d_ros.ros.middleware import fastdds_variable
from pose3d_ros.ros.process import keep_memory, stop_on_signals
from pose3d_ros.share import share


def view(arguments: argparse.Namespace) -> int:
    """Serve the page until a signal comes.

    Returns
    -------
    int
        Exit status: 0; 1 if a node could not do its work, 2 if viser is not installed.
    """
    os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')
    os.environ.setdefault(fastdds_variable(), str(share('config/fastdds_shm.xml')))
    try:
        from pose3d_ros.ros.viewer_node import ViewerNode
        from pose3d_ros.visualisation.viser_page import HOST, open_page
    except ImportError as error:
        if error.name != 'viser':
            raise
        print("pose3d view needs viser: pip install 'viser>=1.1,<2'", file=sys.stderr)
        return 2
    keep_memory()
    stop = stop_on_signals()
    rclpy.init(args=log_arguments(None), signal_handler_options=SignalHandlerOptions.NO)
    server = open_page(arguments.port)
    namespace = f'/pose3d_view_{os.getpid()}' if arguments.input else arguments.namespace
    node = ViewerNode(server, namespace)
    children = start_nodes(arguments, namespace) if arguments.input else []
    print(f'http://{HOST}:{server.get_port()} shows people; Ctrl-C ends it', flush=True)
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    try:
        while not stop.is_set() and not without_work(children):
            executor.spin_once(timeout_sec=0.1)
    finally:
        failed = [child.end() != 0 for child in reversed(children)]
        executor.shutdown()
        node.destroy_node()
        server.stop()
        rclpy.try_shutdown()
    return int(any(failed))


def without_work(children: list[Child]) -> bool:
    """Return whether the pose node has ended, or the camera node without an image.

    The end of a file ends its camera, too: the page stays.
    """
    if not children:
        return False
    pose, camera = children
    if camera.ended():
        camera.reader.join(END_S)  # its last lines say what it published
    return pose.ended() or (camera.ended() and not published(camera))


def start_nodes(arguments: argparse.Namespace, namespace: str) -> list[Child]:
    """Start a pose node and a camera node of the input."""
    camera = {**camera_parameters(arguments), 'wait_until_done': False}
    # To be looked at for longer than ten seconds.
    camera['loop'] = arguments.loop or arguments.input == clip.NAME
    return [
        Child('node', namespace, pose_parameters(arguments)),
        Child('camera', namespace, camera),
    ]
