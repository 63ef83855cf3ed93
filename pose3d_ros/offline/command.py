"""The command `pose3d process`."""

from __future__ import annotations

import argparse
import re
import sys
from functools import partial
from pathlib import Path

from pose3d_ros.detection.detector import Thresholds
from pose3d_ros.estimator import LIFTERS
from pose3d_ros.inference import PRECISIONS
from pose3d_ros.models import ModelError
from pose3d_ros.offline import cluster
from pose3d_ros.offline.process import Outcome
from pose3d_ros.offline.recording import named, shard
from pose3d_ros.offline.worker import (
    FORMATS,
    BagFormat,
    Worker,
    camera_options,
    output_formats,
    thresholds,
)
from pose3d_ros.output_folder import make_output_folder

MODES = ('throughput', 'latency')
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
        '--ray',
        nargs='?',
        const='',
        metavar='ADDRESS',
        help='on every machine of a Ray cluster (HOST:PORT or auto; alone and last: RAY_ADDRESS, '
        'or this machine); they need the package, and inputs and output under the same paths',
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
    parser.add_argument(
        '--gravity-frame',
        default='',
        metavar='FRAME',
        help='level frame on the floor in the TF of a bag, such as base_footprint: gives attitude '
        'and height of the camera at each image',
    )
    parser.add_argument('--mirror', action='store_true', help='swap left and right (not of bags)')
    parser.add_argument('--skip', type=int, default=0, metavar='N', help='images at the start')


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
        also if the output folder cannot be written.

    Raises
    ------
    KeyboardInterrupt
        If it was interrupted; says what had been done.
    """
    outcome = Outcome()
    make_worker = partial(Worker, arguments, bags, version)
    try:
        inputs = shard(named(arguments.inputs), *_shard(arguments.shard))
        # What makes no sense is refused before a cluster starts.
        camera_options(arguments)
        thresholds(arguments)
        output_formats(arguments.write)
        worker = make_worker() if arguments.ray is None else None
    except (ValueError, ModelError) as error:
        print(f'pose3d process: {error}', file=sys.stderr)
        return 2
    if problem := make_output_folder(arguments.out):
        print(f'pose3d process: {problem}', file=sys.stderr)
        return 1
    try:
        if worker is None:
            cluster.process_inputs(inputs, make_worker, arguments.ray, outcome)
        else:
            for source in inputs:
                worker.process(source, outcome)
    except cluster.ClusterError as error:
        outcome.problems.append(str(error))
    except KeyboardInterrupt:
        text = f'interrupted after {outcome}; the same command goes on'
        raise KeyboardInterrupt(text) from None
    for problem in outcome.problems:
        print(f'pose3d process: {problem}', file=sys.stderr)
    print(outcome)
    return int(bool(outcome.problems))


def _shard(text: str) -> tuple[int, int]:
    match = re.fullmatch(r'(\d+)/(\d+)', text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise ValueError(f'--shard must be I/N with I from 1 to N, found {text}')
    return int(match[1]), int(match[2])
