"""Command lines of `pose3d demo` and `pose3d view`."""

from __future__ import annotations

import argparse
from pathlib import Path


def _duration_s(text: str) -> float:
    value = float(text)
    if not value >= 0:  # also NaN
        raise argparse.ArgumentTypeError(f'must be 0 or more, found {text}')
    return value


def _port(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 65535:  # viser would wait for its server for ever
        raise argparse.ArgumentTypeError(f'must be from 1 to 65535, found {text}')
    return value


def add_demo_arguments(demo: argparse.ArgumentParser) -> None:
    """Add the arguments of `pose3d demo`."""
    demo.add_argument(
        '--input',
        default='clip',
        metavar='SOURCE',
        help='video, GIF, folder of images, address or webcam; default: %(default)s, the bundled '
        'clip of rendered people',
    )
    demo.add_argument(
        '--output',
        type=Path,
        default=Path('demo'),
        metavar='DIR',
        help='folder for picture and video; default: %(default)s',
    )
    demo.add_argument(
        '--seconds',
        type=_duration_s,
        default=0.0,
        metavar='S',
        help='stop early; default: at the end',
    )
    demo.add_argument('--headless', action='store_true', help='serve no page to look at meanwhile')
    _add_node_options(demo)


def add_view_arguments(view: argparse.ArgumentParser) -> None:
    """Add the arguments of `pose3d view`."""
    view.add_argument(
        '--input',
        default='',
        metavar='SOURCE',
        help='video, GIF, folder, address, webcam, or clip, the bundled one: starts a camera and '
        'a pose node; default: shows the pose nodes that run',
    )
    view.add_argument(
        '--namespace', default='/', help='of the nodes to show; default: %(default)s, all'
    )
    view.add_argument(
        '--port',
        type=_port,
        default=8080,
        help='of the page, or the next free one; default: %(default)s',
    )
    _add_node_options(view)


def _add_node_options(parser: argparse.ArgumentParser) -> None:
    """Add what becomes parameters of the nodes."""
    parser.add_argument(
        '--model',
        metavar='MODEL',
        help='file or installed network, or a pair, "DETECTOR + NETWORK"; default: auto, and for '
        'the bundled clip the network that was trained for it',
    )
    parser.add_argument('--device', help='OpenVINO device; default: AUTO')
    parser.add_argument(
        '--precision', choices=('auto', 'f32', 'f16', 'bf16'), help='of the device'
    )
    parser.add_argument(
        '--input-size',
        type=int,
        nargs=2,
        default=(0, 0),
        metavar=('HEIGHT', 'WIDTH'),
        help='of the input of the network, px, multiples of 8, 16 or 32, as the network needs; '
        "default: the model's own",
    )
    for name, text in (
        ('keypoint', 'least score of a keypoint'),
        ('limb', 'least strength of the part affinity field along a limb'),
        ('person', 'least score of a person'),
    ):
        parser.add_argument(f'--{name}-threshold', type=float, metavar='SCORE', help=text)
    parser.add_argument(
        '--min-keypoints', type=int, metavar='N', help='least number of keypoints of a person'
    )
    parser.add_argument('--rate', type=float, metavar='HZ', help='images per second; default: own')
    parser.add_argument('--skip', type=int, metavar='N', help='images to leave out at the start')
    parser.add_argument('--loop', action='store_true', help='begin again at the end')
    parser.add_argument('--mirror', action='store_true', help='swap left and right')
    parser.add_argument(
        '--focal-length', type=float, metavar='PX', help='of the camera, if it is known'
    )
    parser.add_argument(
        '--calibration-file', metavar='FILE', help='of the camera; wins over --focal-length'
    )
    parser.add_argument(
        '--camera-up',
        type=float,
        nargs=3,
        metavar=('X', 'Y', 'Z'),
        help='what is up in the camera optical frame; 0 -1 0 for a level camera',
    )
    parser.add_argument(
        '--camera-height',
        type=float,
        metavar='M',
        help='of the camera above the floor; with --camera-up',
    )
