"""The command `pose3d model`: install, list, info, remove."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pose3d_ros.models import ModelError
from pose3d_ros.models.catalogue import CATALOGUE, DEFAULT_MODEL, find
from pose3d_ros.models.store import (
    BUNDLED,
    PRECISIONS,
    default_folder,
    installed,
    record_of,
    remove,
    resolve,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands to the parser of `pose3d model`."""
    commands = parser.add_subparsers(dest='model_command', required=True, metavar='COMMAND')
    _add_install_arguments(
        commands.add_parser('install', help='download, check and convert a network')
    )
    commands.add_parser('list', help='networks that are installed and that can be')
    info = commands.add_parser('info', help='what a network is and where it came from')
    info.add_argument('model', nargs='?', default='auto', help='name, or path of an .xml or .onnx')
    removal = commands.add_parser('remove', help='delete an installed network')
    removal.add_argument('name')
    for command in commands.choices.values():
        command.add_argument(
            '--dir',
            type=Path,
            metavar='D',
            help='folder of networks instead of the cache ($POSE3D_MODELS)',
        )


def _add_install_arguments(install: argparse.ArgumentParser) -> None:
    install.add_argument('name', nargs='?', default=DEFAULT_MODEL, help='default: %(default)s')
    install.add_argument(
        '--from-file',
        type=Path,
        metavar='F',
        help='the published archive, a .pth, or an .xml with its .bin beside it, instead of a '
        'download',
    )
    install.add_argument('--from-url', metavar='U', help='another address of the published file')
    install.add_argument(
        '--sha384', metavar='H', help='checksum to hold the file to instead of the published one'
    )
    install.add_argument(
        '--unverified', action='store_true', help='accept a file that no checksum vouches for'
    )
    install.add_argument('--precision', choices=PRECISIONS, default='f32')
    int8 = install.add_argument_group('int8', 'needs nncf: pip install "pose3d_ros[int8]"')
    int8.add_argument(
        '--calibration-images',
        type=Path,
        metavar='FOLDER',
        help='pictures with people as the camera sees them',
    )
    int8.add_argument(
        '--max-lost',
        type=float,
        default=0.1,
        metavar='SHARE',
        help='refuse int8 if it loses more of the held-out keypoints (default: %(default)s)',
    )


def run(args: argparse.Namespace) -> int:
    """Run the subcommand; 0, or 1 after an error that is printed."""
    folder = args.dir if args.dir is not None else default_folder()
    try:
        if args.model_command == 'install':
            _install(args, folder)
        elif args.model_command == 'list':
            _list(folder)
        elif args.model_command == 'info':
            _info(resolve(args.model, folder))
        else:
            remove(folder, args.name)
            print(f'removed {args.name}')
    except (ModelError, OSError) as error:
        print(f'pose3d model: {error}', file=sys.stderr)
        return 1
    return 0


def _install(args: argparse.Namespace, folder: Path) -> None:
    from pose3d_ros.models.install import FileSource, install  # OpenVINO takes a while to load

    quantise = None
    if args.precision == 'int8':
        from pose3d_ros.models.quantise import quantiser

        quantise = quantiser(args.calibration_images, args.max_lost)
    origin = FileSource(args.from_file, args.from_url, args.sha384, args.unverified)
    path = install(
        find(args.name), origin, folder,
        precision=args.precision, quantise=quantise, progress=_progress,
    )  # fmt: skip
    record = record_of(path)
    print(f'installed {path}')
    if record and record.checked_against == 'nothing':
        print('UNVERIFIED: no checksum vouches for this file')
    if record and record.note:
        print(record.note)


def _progress(have: int, total: int | None) -> None:
    """Draw a bar on a terminal; one line at the end elsewhere."""
    done = have == total
    if sys.stderr.isatty():
        share = have / total if total else 0.0
        bar = '#' * round(30 * share)
        print(f'\r[{bar:30}] {have / 1e6:.1f} MB', end='\n' if done else '', file=sys.stderr)
    elif done:
        print(f'downloaded {have / 1e6:.1f} MB', file=sys.stderr)


def _list(folder: Path) -> None:
    paths = installed(folder)
    print(f'installed in {folder}:')
    for name, path in paths.items():
        record = record_of(path)
        checked = record.checked_against if record else 'unknown'
        size = path.with_suffix('.bin').stat().st_size / 1e6
        print(f'  {name:36} {size:6.1f} MB  checked against: {checked}')
    if not paths:
        print('  nothing')
    print('comes with the package:')
    for name, path in BUNDLED.items():
        size = path.with_suffix('.bin').stat().st_size / 1e6
        print(f'  {name:36} {size:6.1f} MB  sees drawn people, not real ones')
    print('can be installed:')
    for entry in CATALOGUE:
        print(f'  {entry.name:36} {entry.size / 1e6:6.1f} MB  {entry.licence}  {entry.accuracy}')


def _info(path: Path) -> None:
    import openvino as ov

    from pose3d_ros.models.normalisation import is_official, normalisation_inside

    try:
        model = ov.Core().read_model(path)
    except RuntimeError as error:
        raise ModelError(f'{path} is not a network that OpenVINO reads: {error}') from error
    print(path)
    if record := record_of(path):
        for key, value in vars(record).items():
            print(f'  {key}: {value}')
    for kind, ports in (('input', model.inputs), ('output', model.outputs)):
        for port in ports:
            print(f'  {kind}: {", ".join(sorted(port.get_names()))} {port.get_partial_shape()}')
    print(f'  convolutions of {DEFAULT_MODEL}: {"yes" if is_official(model) else "no"}')
    answer = {True: 'yes', False: 'no', None: 'the graph cannot tell'}
    print(f'  input normalised inside: {answer[normalisation_inside(model)]}')
