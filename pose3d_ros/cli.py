"""The command `pose3d`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pose3d_ros.models import command as model_command

NODES = {'node': 'pose_node', 'camera': 'camera_node'}


def parser() -> argparse.ArgumentParser:
    """Say what can be typed."""
    top = argparse.ArgumentParser(prog='pose3d', description='3D human pose for robots.')
    commands = top.add_subparsers(dest='command', required=True, metavar='COMMAND')
    _add_demo(commands)
    model_command.add_arguments(
        commands.add_parser('model', help='install, list, look at and remove networks')
    )
    for name, node in NODES.items():
        commands.add_parser(
            name,
            help=f'run {node} without `ros2 run`',
            description=f'What follows goes to {node}: --ros-args -p NAME:=VALUE -r FROM:=TO ...',
            add_help=False,
        )
    return top


def _add_demo(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    demo = commands.add_parser(
        'demo',
        help='play a video through both nodes, and show what comes out',
        description='Start a camera and a pose node, listen to them as a robot would, and write '
        'a picture and a video of the people found.',
    )
    demo.add_argument(
        '--input',
        default='clip',
        metavar='SOURCE',
        help='video, GIF, folder of images, URL or webcam; default: %(default)s, the bundled clip '
        'of rendered people',
    )
    demo.add_argument(
        '--model',
        metavar='MODEL',
        help='.xml or .onnx file, or installed network; default: auto, and for the bundled clip '
        'the network that was trained for it',
    )
    demo.add_argument('--device', default='AUTO', help='OpenVINO device; default: %(default)s')
    demo.add_argument(
        '--output',
        type=Path,
        default=Path('demo'),
        metavar='DIR',
        help='folder for picture and video; default: %(default)s',
    )
    demo.add_argument(
        '--rate', type=float, default=0.0, metavar='HZ', help="images per second; default: input's"
    )
    demo.add_argument(
        '--focal-length', type=float, default=0.0, metavar='PX', help='of the camera, if known'
    )
    demo.add_argument(
        '--input-size',
        type=int,
        nargs=2,
        default=(0, 0),
        metavar=('HEIGHT', 'WIDTH'),
        help="of the network, multiples of 32; default: the model's own",
    )
    demo.add_argument(
        '--seconds',
        type=float,
        default=0.0,
        metavar='S',
        help='stop so early; default: at the end',
    )


def main(argv: list[str] | None = None) -> int:
    """Run a command; its exit status."""
    arguments, rest = parser().parse_known_args(argv)
    if arguments.command in NODES:
        if arguments.command == 'node':
            from pose3d_ros.ros.pose_node import main as node_main
        else:
            from pose3d_ros.ros.camera_node import main as node_main
        return node_main([sys.argv[0], *rest])
    if rest:
        parser().error(f'unknown arguments: {" ".join(rest)}')
    if arguments.command == 'model':
        return model_command.run(arguments)
    from pose3d_ros.demo.demo import demo

    return demo(arguments)


if __name__ == '__main__':
    sys.exit(main())
