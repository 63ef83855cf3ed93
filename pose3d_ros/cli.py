"""The command `pose3d`."""

from __future__ import annotations

# Little is imported before `main`, which handles Ctrl-C.
import os
import signal
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from pathlib import Path

    from pose3d_ros.offline.recording import Recording
    from pose3d_ros.offline.writers import Writer
    from pose3d_ros.ros.arguments import Described

NODES = {'node': 'pose_node', 'camera': 'camera_node', 'fuse': 'fusion_node'}
# Exit status of a command that Ctrl-C ended, or whose output is not read to its end, as shells
# have them.
INTERRUPTED, UNREAD = 130, 141


def parser() -> argparse.ArgumentParser:
    """Describe what can be typed."""
    import argparse

    # Here, because it takes long: `main` handles Ctrl-C meanwhile.
    from pose3d_ros.demo.arguments import add_demo_arguments, add_view_arguments
    from pose3d_ros.models import command as model_command
    from pose3d_ros.offline.command import add_arguments as process_arguments

    top = argparse.ArgumentParser(
        prog='pose3d', description='3D human pose for robots.', allow_abbrev=False
    )
    top.add_argument('--version', action='version', version=version())
    commands = top.add_subparsers(dest='command', required=True, metavar='COMMAND')
    demo = commands.add_parser(
        'demo',
        allow_abbrev=False,
        help='play a video through both nodes, and show what comes out',
        description='Start a camera and a pose node, subscribe to them as a robot would, and '
        'write a picture and a video of the people found. Of files, every image is processed; '
        'live sources skip images if the network is slower.',
        epilog='Ctrl-C ends it, also of a live source, and keeps the files.',
    )
    add_demo_arguments(demo)
    add_view_arguments(
        commands.add_parser(
            'view',
            allow_abbrev=False,
            help='see people live in a browser',
            description='Serve a page on this machine: people in 3D, the image, a table, rates, '
            'and live parameters.',
        )
    )
    process_arguments(
        commands.add_parser(
            'process',
            allow_abbrev=False,
            help='process whole recordings: every image, into data, video and bags',
            description='Write poses.jsonl, poses.csv, person_ID.trc, overlay video and, for '
            'bags, a bag of results for each input. Interrupted, the same command goes on.',
        )
    )
    model_command.add_arguments(
        commands.add_parser('model', help='install, list, look at and remove networks')
    )
    for name, node in NODES.items():
        commands.add_parser(
            name, help=f'run {node} without `ros2 run`; --help: its parameters', add_help=False
        )
    return top


def version() -> str:
    """Return the version of the package, as pip or package.xml has it."""
    import importlib.metadata

    try:
        return importlib.metadata.version('pose3d_ros')
    except importlib.metadata.PackageNotFoundError:  # built by colcon
        from xml.etree import ElementTree

        from pose3d_ros.share import share

        return ElementTree.parse(share('package.xml')).findtext('version') or 'unknown'


def main(argv: list[str] | None = None) -> int:
    """Run a command and return its exit status; Ctrl-C ends it with a line, a node without."""
    argv = sys.argv[1:] if argv is None else argv
    interrupted = False

    def interrupt(*_: object) -> None:
        nonlocal interrupted
        interrupted = True
        raise KeyboardInterrupt

    usual = signal.default_int_handler
    if own := signal.getsignal(signal.SIGINT) is usual:  # neither ignored nor a caller's handler
        signal.signal(signal.SIGINT, interrupt)
    try:
        try:
            return _run(argv)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # What is still in the buffer has no reader either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UNREAD
    except (KeyboardInterrupt, ImportError) as error:
        # Modules in C turn an interrupt of what they import into an ImportError.
        if not interrupted and isinstance(error, ImportError):
            raise
        if argv[:1] in [[name] for name in NODES]:
            return 0  # as once they run
        said = str(error) if isinstance(error, KeyboardInterrupt) else ''
        print(said or 'interrupted', file=sys.stderr)
        return INTERRUPTED
    finally:
        if own:
            signal.signal(signal.SIGINT, usual)


def _run(argv: list[str]) -> int:
    if argv and argv[0] in NODES:  # without loading what the other commands need
        return _run_node(argv[0], argv[1:])
    top = parser()
    arguments, rest = top.parse_known_args(argv)
    if rest:
        from pose3d_ros.wording import did_you_mean

        options = _options(top, arguments.command)
        flags = [text.partition('=')[0] for text in rest]
        top.error(f'unknown arguments: {" ".join(rest)}{did_you_mean(options, *flags)}')
    if arguments.command == 'model':
        from pose3d_ros.models import command as model_command

        return model_command.run(arguments)
    if arguments.command == 'process':
        return _process(arguments)
    if arguments.command == 'view':
        from pose3d_ros.demo.view import view

        return view(arguments)
    from pose3d_ros.demo.demo import demo

    return demo(arguments)


def _process(arguments: argparse.Namespace) -> int:
    """Process recordings; ROS is imported only where one of them is a bag."""
    from pose3d_ros.offline import command
    from pose3d_ros.offline.worker import BagFormat

    return command.run(arguments, BagFormat(_read_bag, _bag_writer), version())


def _read_bag(path: Path, *options: Any) -> list[Recording]:
    from pose3d_ros.sources.video import VideoError

    if not ((path / 'metadata.yaml').is_file() or path.suffix in ('.mcap', '.db3')):
        return []
    try:
        from pose3d_ros.ros.bags import open_bag
    except ImportError as error:
        raise VideoError(f'{path}: bags need ROS and the library rosbags: {error}') from error
    return open_bag(path, *options)


def _bag_writer(folder: Path, topic: str) -> Writer:
    from pose3d_ros.ros.bags import McapWriter

    return McapWriter(folder, topic)


def _run_node(command: str, rest: list[str]) -> int:
    """Run a node, or print its parameters; refuse arguments that it would ignore."""
    from pose3d_ros.ros.arguments import ArgumentError, check, help_text

    described, node_main = _node(command)
    if '-h' in rest or '--help' in rest:
        print(help_text(NODES[command], described), end='')
        return 0
    try:
        check(rest, NODES[command], [one.name for one in described])
    except ArgumentError as error:
        print(f'pose3d {command}: {error}', file=sys.stderr)
        return 2
    return node_main([sys.argv[0], *rest])


def _node(command: str) -> tuple[list[Described], Callable[[list[str]], int]]:
    """Return the parameters of a node and what runs it."""
    from pose3d_ros.ros.arguments import Described

    if command in ('camera', 'fuse'):
        from pose3d_ros.ros import camera_node, fusion_node
        from pose3d_ros.ros.camera_parameters import PARAMETERS
        from pose3d_ros.ros.fusion_parameters import FUSION_PARAMETERS

        parameters = PARAMETERS if command == 'camera' else FUSION_PARAMETERS
        return [
            Described(name, one.default, one.text, f'0 to {one.high:g}' if one.high else '')
            for name, one in parameters.items()
        ], (camera_node if command == 'camera' else fusion_node).main
    from pose3d_ros.ros import pose_node
    from pose3d_ros.ros.parameters import FIELDS

    described = []
    for name, field in FIELDS.items():
        low, high, choices = (field.metadata[key] for key in ('low', 'high', 'choices'))
        span = ', '.join(choices) or (f'{low:g} to {high:g}' if high > low else '')
        described.append(Described(name, field.default, field.metadata['text'], span))
    return described, pose_node.main


def _options(top: argparse.ArgumentParser, command: str) -> list[str]:
    """Return the options of a command."""
    import argparse

    for action in top._actions:
        if isinstance(action, argparse._SubParsersAction):
            actions = action.choices[command]._actions
            return [name for one in actions for name in one.option_strings]
    return []


if __name__ == '__main__':
    sys.exit(main())
