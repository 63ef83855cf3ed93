"""Parameters of the camera node: declared once, with type, default, range and description."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node

from pose3d_ros.ros import doubles
from pose3d_ros.sources.playback import RECONNECT_S


class NodeParameter(NamedTuple):
    """A parameter with its default; numbers lie in [0, high]."""

    default: Any
    text: str
    high: float = 0


PARAMETERS = {
    'source': NodeParameter(
        '',
        'Video file, animated GIF, image, folder of images, address of a video or stream, or '
        'webcam (0, /dev/video0)',
    ),
    'frame_id': NodeParameter(
        'camera_optical_frame', 'Camera optical frame of the images (REP 103)'
    ),
    'rate': NodeParameter(0.0, "Images per second; 0: the source's own (a folder: 30)", 1000.0),
    'loop': NodeParameter(False, 'Begin again at the end of a file or folder'),
    'mirror': NodeParameter(False, 'Swap left and right, of the intrinsics too'),
    'skip': NodeParameter(0, 'Number of images to leave out at the beginning', 2**31 - 1),
    'focal_length': NodeParameter(
        0.0, 'Focal length, px; 0: unknown, and CameraInfo says uncalibrated', 1e6
    ),
    'calibration_file': NodeParameter(
        '',
        'Path, file:// or package:// address of a file of camera_calibration (YAML or INI), for '
        'this size of images; wins over focal_length',
    ),
    'wait_for_subscribers': NodeParameter(
        0, 'Begin when image_raw has this number of subscribers', 100
    ),
    'wait_timeout': NodeParameter(
        10.0, 'Longest wait for subscribers, s; then begin without them', 3600.0
    ),
    'wait_until_done': NodeParameter(
        False,
        'Publish the next image of a file when a std_msgs/Header with the stamp of the last has '
        'come on image_done, or after 10 s, so that slow subscribers miss nothing',
    ),
    'reconnect_timeout': NodeParameter(
        RECONNECT_S,
        'Time without an image, s, after which a stream or webcam that ended is given up; 0: at '
        'once. Until then it is opened again, with growing waits',
        1e6,
    ),
}


def declare(node: Node, parameters: Mapping[str, NodeParameter] = PARAMETERS) -> None:
    """Declare what `ros2 param describe` shows; all is read once, at the start."""
    for name, parameter in parameters.items():
        descriptor = ParameterDescriptor(
            description=parameter.text,
            read_only=True,
            dynamic_typing=name == 'source',  # source:=0 is a number to ROS
        )
        if isinstance(parameter.default, float):
            span = FloatingPointRange(from_value=0.0, to_value=float(parameter.high))
            descriptor.floating_point_range = [span]
        elif parameter.high:
            span = IntegerRange(from_value=0, to_value=int(parameter.high), step=1)
            descriptor.integer_range = [span]
        doubles.declare(node, name, parameter.default, descriptor)
