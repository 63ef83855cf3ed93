"""The command `pose3d process`."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pose3d_ros.camera import CameraPose
from pose3d_ros.detection.detector import Thresholds
from pose3d_ros.estimator import LIFTERS, PoseEstimator
from pose3d_ros.inference import PRECISIONS, InferenceError
from pose3d_ros.models import ModelError
from pose3d_ros.models.store import checksum, compiled_folder, resolve
from pose3d_ros.network_spec import spec_path
from pose3d_ros.offline.fingerprint import calibration_sha256, file_sha256
from pose3d_ros.offline.process import Outcome, process, shard
from pose3d_ros.offline.recording import CameraOptions, Recording, open_video_recording
from pose3d_ros.offline.trc import TrcWriter
from pose3d_ros.offline.writers import WRITERS, Writer
from pose3d_ros.output_folder import make_output_folder
from pose3d_ros.sources.calibration import CalibrationError
from pose3d_ros.sources.video import VideoError

FORMATS = (*WRITERS, 'mcap')
MODES = ('throughput', 'latency')
# Exit status of a command that Ctrl-C ended, as shells have it.
INTERRUPTED = 130
DEFAULTS = Thresholds()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser.add_argument(
        'inputs', nargs='+', metavar='INPUT', help='video, GIF, folder of images, or bag'
    )
    parser.add_argument(
        '--out', type=Path, required=True, metavar='DIR', help='a folder in it for each input'
    )
    parser.add_argument(
        '--write',
        default='',
        metavar='FORMATS',
        help=f'of {",".join(FORMATS)}; default: all that apply (mcap: bags)',
    )
    parser.add_argument(
        '--shard', default='1/1', metavar='I/N', help='only part I, from 1, of N of the inputs'
    )
    parser.add_argument(
        '--topic', action='append', default=[], help='of images in bags; default: all'
    )
    parser.add_argument('--model', default='auto', help='file or installed network')
    parser.add_argument('--device', default='AUTO', help='OpenVINO device; default: %(default)s')
    parser.add_argument(
        '--mode',
        default='throughput',
        choices=MODES,
        help='throughput: several images in flight; latency: one after the other, as the node '
        'processes them; the results are the same; default: %(default)s',
    )
    parser.add_argument('--precision', default='auto', choices=tuple(PRECISIONS))
    parser.add_argument('--lifting', default='network', choices=tuple(LIFTERS))
    parser.add_argument('--input-size', type=int, nargs=2, metavar=('HEIGHT', 'WIDTH'))
    for name in ('keypoint', 'limb'):
        parser.add_argument(
            f'--{name}-threshold', type=float, default=getattr(DEFAULTS, name), metavar='SCORE'
        )
    parser.add_argument(
        '--person-threshold',
        type=float,
        metavar='SCORE',
        help='default: 0.25 for a pair of networks, 0.3 for all others',
    )
    parser.add_argument('--min-keypoints', type=int, default=DEFAULTS.min_keypoints, metavar='N')
    parser.add_argument('--assumed-person-height', type=float, metavar='M')
    parser.add_argument('--focal-length', type=float, default=0.0, metavar='PX')
    parser.add_argument('--calibration-file', default='', metavar='FILE')
    parser.add_argument('--camera-up', type=float, nargs=3, metavar=('X', 'Y', 'Z'))
    parser.add_argument('--camera-height', type=float, metavar='M', help='with --camera-up')
    parser.add_argument('--mirror', action='store_true', help='swap left and right (not of bags)')
    parser.add_argument('--skip', type=int, default=0, metavar='N', help='images at the start')


class BagFormat(NamedTuple):
    """How bags are read and written: ``ros.bags``, which only the command line may import."""

    # Opens a bag as ``open_bag`` does; [] for what is none.
    read: Callable[..., list[Recording]]
    # Makes the writer of a bag of results, as ``McapWriter`` is made.
    writer: Callable[[Path, str], Writer]


def run(arguments: argparse.Namespace, bags: BagFormat, version: str = '') -> int:
    """Run the command.

    Parameters
    ----------
    arguments
        As `add_arguments` describes them.
    bags
        Reads and writes bags.
    version
        Of the package, on which the results depend.

    Returns
    -------
    int
        Exit status: 0; 1 if an input failed or was damaged; 2 for arguments that make no sense;
        also if the output folder cannot be written; 130 if it was interrupted.
    """
    outcome = Outcome()
    try:
        options, formats = _options(arguments), _formats(arguments.write)
        inputs = shard(arguments.inputs, *_shard(arguments.shard))
        # Before the network is loaded: replaced meanwhile, it is processed again, not skipped.
        settings = _settings(arguments, version)
        estimator = _estimator(arguments)
    except (ValueError, ModelError) as error:
        print(f'pose3d process: {error}', file=sys.stderr)
        return 2
    if problem := make_output_folder(arguments.out):
        print(f'pose3d process: {problem}', file=sys.stderr)
        return 1
    names: set[str] = set()
    try:
        for source in inputs:
            for recording in _recordings(source, arguments, options, bags.read, outcome):
                unique = _unique(recording, names)
                make = partial(make_writers, formats, bags)
                try:
                    process(unique, estimator, arguments.out, make, settings, outcome)
                except (VideoError, CalibrationError, InferenceError) as error:
                    outcome.problems.append(str(error))
    except KeyboardInterrupt:
        print(f'interrupted after {outcome}; the same command goes on', file=sys.stderr)
        return INTERRUPTED
    for problem in outcome.problems:
        print(f'pose3d process: {problem}', file=sys.stderr)
    print(outcome)
    return int(bool(outcome.problems))


def _settings(arguments: argparse.Namespace, version: str) -> dict[str, str]:
    """Return what the results depend on: options, and the contents of the files that they name.

    Raises
    ------
    ModelError
        If there is no such network.
    """
    found = resolve(arguments.model)
    networks = found if isinstance(found, tuple) else (found,)
    options = {
        name: str(value)
        for name, value in vars(arguments).items()
        if name not in ('inputs', 'out', 'shard', 'command', 'mode')
    }
    return {
        **options,
        'version': version,
        'network_sha256': ' '.join(checksum(str(path)) for path in networks),
        'spec_sha256': ' '.join(file_sha256(spec_path(path)) for path in networks),
        'calibration_sha256': calibration_sha256(arguments.calibration_file),
    }


def make_writers(
    formats: tuple[str, ...], bags: BagFormat, recording: Recording, folder: Path
) -> list[Writer]:
    """Make the writers of a recording; mcap is for bags alone."""
    writers: list[Writer] = []
    for name in formats:
        if name == 'trc':
            writers.append(TrcWriter(folder, recording.rate_hz))
        elif name != 'mcap':
            writers.append(WRITERS[name](folder))
        elif recording.topic:
            writers.append(bags.writer(folder, recording.topic))
    return writers


def _recordings(
    source: str,
    arguments: argparse.Namespace,
    options: CameraOptions,
    read_bag: Callable[..., list[Recording]],
    outcome: Outcome,
) -> Iterator[Recording]:
    """Open an input; one that does not open is a problem of the outcome."""

    def warn(text: str) -> None:
        print(f'\npose3d process: {text}', file=sys.stderr)

    try:
        found = read_bag(Path(source), options, arguments.topic, warn)
        yield from found or [open_video_recording(source, options, warn)]
    except (VideoError, CalibrationError) as error:
        outcome.problems.append(str(error))


def _unique(recording: Recording, names: set[str]) -> Recording:
    """Return a recording with a name that no other has: two folders may hold a.mp4."""
    name, number = recording.name, 2
    while name in names:
        name, number = f'{recording.name}_{number}', number + 1
    names.add(name)
    return Recording(**{**vars(recording), 'name': name})


def _options(arguments: argparse.Namespace) -> CameraOptions:
    pose = None
    if arguments.camera_up and any(arguments.camera_up):
        up = np.array(arguments.camera_up) / np.linalg.norm(arguments.camera_up)
        pose = CameraPose(up, arguments.camera_height or float('nan'))
    elif arguments.camera_height:
        raise ValueError('--camera-height needs --camera-up')
    return CameraOptions(
        arguments.focal_length,
        arguments.calibration_file,
        pose,
        arguments.mirror,
        arguments.skip,
    )


def _formats(text: str) -> tuple[str, ...]:
    formats = tuple(filter(None, text.split(','))) or FORMATS
    if unknown := [name for name in formats if name not in FORMATS]:
        raise ValueError(f'--write must be of {",".join(FORMATS)}, found {",".join(unknown)}')
    return formats


def _shard(text: str) -> tuple[int, int]:
    match = re.fullmatch(r'(\d+)/(\d+)', text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise ValueError(f'--shard must be I/N with I from 1 to N, found {text}')
    return int(match[1]), int(match[2])


def _estimator(arguments: argparse.Namespace) -> PoseEstimator:
    return PoseEstimator(
        arguments.model,
        arguments.device,
        input_hw=tuple(arguments.input_size) if arguments.input_size else None,
        precision=arguments.precision,
        cache_dir=compiled_folder(),
        lifting=arguments.lifting,
        throughput=arguments.mode == 'throughput',
        assumed_person_height_m=arguments.assumed_person_height,
        thresholds=Thresholds(
            arguments.keypoint_threshold,
            arguments.limb_threshold,
            arguments.min_keypoints,
            arguments.person_threshold,
        ),
    )
