"""The command `pose3d model`: install, list, info, try, remove."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from pose3d_ros.models import ModelError
from pose3d_ros.models.catalogue import CATALOGUE, DEFAULT_MODEL, ModelEntry, find
from pose3d_ros.models.folders import default_folder
from pose3d_ros.models.store import (
    BUNDLED,
    PRECISIONS,
    installed,
    record_of,
    remove,
    resolve,
    split_pair,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands to the parser of `pose3d model`."""
    commands = parser.add_subparsers(dest='model_command', required=True, metavar='COMMAND')
    _add_install_arguments(
        commands.add_parser('install', help='download, check and convert a network')
    )
    commands.add_parser('list', help='list the networks that are installed or can be')
    info = commands.add_parser('info', help='print the origin, inputs and outputs of a network')
    info.add_argument('model', nargs='?', default='auto', help='name, pair of names, or file')
    _add_try_arguments(
        commands.add_parser('try', help='draw what a network detects in images into files')
    )
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
    install.add_argument(
        'name',
        nargs='?',
        default=DEFAULT_MODEL,
        help='of a network, or "DETECTOR + NETWORK"; default: %(default)s',
    )
    install.add_argument(
        '--from-file',
        type=Path,
        metavar='F',
        help='instead of a download: the published archive, an .onnx, a .tflite, the folder of a '
        'SavedModel, a .pth, or an .xml with its .bin beside it',
    )
    install.add_argument('--from-url', metavar='U', help='another address of the published file')
    install.add_argument(
        '--sha384', metavar='H', help='checksum to hold the file to instead of the published one'
    )
    install.add_argument(
        '--unverified', action='store_true', help='accept a file that agrees with no checksum'
    )
    install.add_argument(
        '--precision', choices=PRECISIONS, help='default: the published one that is preferred'
    )
    int8 = install.add_argument_group(
        'int8', "where int8 is not published; needs NNCF: pip install 'nncf>=3.4,<4'"
    )
    int8.add_argument(
        '--calibration-images',
        type=Path,
        metavar='FOLDER',
        help='images with people, taken by the camera that will be used',
    )
    int8.add_argument(
        '--max-lost',
        type=float,
        default=0.1,
        metavar='SHARE',
        help='refuse int8 if it loses more of the held-out keypoints (default: %(default)s)',
    )


def _add_try_arguments(trial: argparse.ArgumentParser) -> None:
    trial.add_argument('model', help='name, pair of names, or file')
    trial.add_argument('images', nargs='+', type=Path, metavar='IMAGE')
    trial.add_argument(
        '--output',
        type=Path,
        default=Path('try'),
        metavar='DIR',
        help='folder for the images with the people drawn; default: %(default)s',
    )
    trial.add_argument('--device', default='AUTO', help='OpenVINO device; default: %(default)s')
    trial.add_argument(
        '--input-size',
        type=int,
        nargs=2,
        metavar=('HEIGHT', 'WIDTH'),
        help="of the network, px; default: the network's own",
    )
    trial.add_argument(
        '--keypoint-threshold', type=float, metavar='S', help='least score of a keypoint'
    )
    trial.add_argument(
        '--person-threshold', type=float, metavar='S', help='least score of a person'
    )


def run(args: argparse.Namespace) -> int:
    """Run the subcommand; 0, or 1 after an error that is printed."""
    folder = args.dir if args.dir is not None else default_folder()
    commands = {'install': _install, 'list': _list, 'info': _info, 'try': _try, 'remove': _remove}
    try:
        commands[args.model_command](args, folder)
    except BrokenPipeError:
        raise  # the reader of our output has ended, as `head` does: no fault of the command
    except (ModelError, OSError) as error:
        print(f'pose3d model: {error}', file=sys.stderr)
        return 1
    return 0


def _install(args: argparse.Namespace, folder: Path | None) -> None:
    # OpenVINO takes a while to load.
    from pose3d_ros.models.fetch import FileSource
    from pose3d_ros.models.install import already_installed, install

    if folder is None:
        raise ModelError('no folder to install into: set HOME, XDG_CACHE_HOME or POSE3D_MODELS')
    names = split_pair(args.name)
    if len(names) > 1 and (args.from_file or args.from_url or args.sha384):
        raise ModelError('files are stated for one network: install the two of a pair one by one')
    quantise = None
    if args.calibration_images or (args.precision == 'int8' and _needs_quantising(names)):
        from pose3d_ros.models.quantise import quantiser

        quantise = quantiser(args.calibration_images, args.max_lost)
    entries = [find(name) for name in names]
    _check_writable(folder)
    origin = FileSource(args.from_file, args.from_url, args.sha384, args.unverified)
    for entry in entries:
        # Whoever states files, or how to make them, wants them installed in any case.
        if origin == FileSource() and quantise is None:
            present = already_installed(entry, folder, args.precision)
            if present:
                print(
                    f'{present} is installed already, and undamaged; to install it anew, first: '
                    f'pose3d model remove {present.stem}'
                )
                continue
        path = install(
            entry, origin, folder,
            precision=args.precision, quantise=quantise, progress=_progress,
        )  # fmt: skip
        _print_installed(path)


def _check_writable(folder: Path) -> None:
    """Raise ModelError if files cannot be written into a folder, before anything is fetched."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ModelError(
            f'{folder} cannot be written ({error.strerror}): set POSE3D_MODELS to a folder that '
            'can be written, or state one with --dir'
        ) from error


def _needs_quantising(names: list[str]) -> bool:
    return any('int8' not in find(name).files for name in names)


def _print_installed(path: Path) -> None:
    record = record_of(path)
    print(f'installed {path}')
    if record and record.note:
        print(record.note)
    elif record and record.checked_against == 'nothing':
        print('UNVERIFIED: the file agrees with no checksum')


def _progress(have: int, total: int | None) -> None:
    """Draw a bar on a terminal; print one line at the end elsewhere."""
    done = have == total
    if sys.stderr.isatty():
        share = have / total if total else 0.0
        bar = '#' * round(30 * share)
        print(f'\r[{bar:30}] {have / 1e6:.1f} MB', end='\n' if done else '', file=sys.stderr)
    elif done:
        print(f'downloaded {have / 1e6:.1f} MB', file=sys.stderr)


def _list(args: argparse.Namespace, folder: Path | None) -> None:
    paths = installed(folder)
    print(f'installed in {folder or "no folder (HOME and POSE3D_MODELS are unset)"}:')
    for name, path in paths.items():
        record = record_of(path)
        checked = record.checked_against if record else 'unknown'
        print(f'  {name:36} {_megabytes(path)}  checked against: {checked}')
    if not paths:
        print('  nothing')
    print('part of the package:')
    for name, path in BUNDLED.items():
        print(f'  {name:36} {_megabytes(path)}  detects rendered people, not real ones')
    print('available:')
    for entry in CATALOGUE:
        size = f'{entry.size / 1e6:6.1f} MB' if entry.size else '         '
        print(f'  {entry.name:36} {size}  {entry.licence}  {entry.accuracy}{_checksums(entry)}')


def _checksums(entry: ModelEntry) -> str:
    published = all(file.sha384 for file in entry.files[entry.precision])
    return '' if published else '  (no published checksum)'


def _megabytes(xml: Path) -> str:
    return f'{xml.with_suffix(".bin").stat().st_size / 1e6:6.1f} MB'


def _info(args: argparse.Namespace, folder: Path | None) -> None:
    from pose3d_ros.models.info import describe

    found = resolve(args.model, folder)
    for path in found if isinstance(found, tuple) else (found,):
        print('\n'.join(describe(path)))


def _try(args: argparse.Namespace, folder: Path | None) -> None:
    from pose3d_ros.models.trial import Trial, try_images

    trial = Trial(
        resolve(args.model, folder),
        args.device,
        tuple(args.input_size) if args.input_size else None,
        args.keypoint_threshold,
        args.person_threshold,
    )
    for line in try_images(trial, args.images, args.output):
        print(line, flush=True)


def _remove(args: argparse.Namespace, folder: Path | None) -> None:
    remove(folder, args.name)
    print(f'removed {args.name}')
