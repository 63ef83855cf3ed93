"""Inputs of `pose3d process` through one network."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pose3d_ros.camera import CameraPose
from pose3d_ros.detection.detector import Thresholds
from pose3d_ros.estimator import PoseEstimator
from pose3d_ros.inference import InferenceError
from pose3d_ros.models.folders import compiled_folder
from pose3d_ros.models.store import checksum, resolve
from pose3d_ros.network_spec import spec_path
from pose3d_ros.offline.fingerprint import calibration_sha256, file_sha256
from pose3d_ros.offline.process import Outcome, process
from pose3d_ros.offline.recording import (
    CameraOptions,
    Input,
    Recording,
    input_name,
    open_video_recording,
)
from pose3d_ros.offline.trc import TrcWriter
from pose3d_ros.offline.writers import WRITERS, Writer
from pose3d_ros.sources.calibration import CalibrationError
from pose3d_ros.sources.video import VideoError

FORMATS = (*WRITERS, 'mcap')


class BagFormat(NamedTuple):
    """How bags are read and written: ``ros.bags``, which only the command line may import."""

    # Opens a bag as ``open_bag`` does; [] for what is none.
    read: Callable[..., list[Recording]]
    # Makes the writer of a bag of results, as ``McapWriter`` is made.
    writer: Callable[[Path, str], Writer]


class Worker:
    """Processes inputs with one network.

    Parameters
    ----------
    arguments
        Of the command.
    bags
        Reads and writes bags.
    version
        Of the package, on which the results depend.

    Raises
    ------
    ValueError
        If the arguments make no sense.
    ModelError
        If there is no such network.
    """

    def __init__(self, arguments: argparse.Namespace, bags: BagFormat, version: str) -> None:
        self.out, self.topics, self.bags = arguments.out, arguments.topic, bags
        self.options = camera_options(arguments)
        self.formats = output_formats(arguments.write)
        self.make_writers = partial(make_writers, self.formats, bags)
        # Before the network is loaded: replaced meanwhile, it is processed again, not skipped.
        self.settings = _settings(arguments, version)
        self.estimator = _estimator(arguments)

    def process(self, source: Input, outcome: Outcome) -> None:
        """Process an input, and update the outcome."""
        for recording in self._recordings(source, outcome):
            try:
                process(
                    recording, self.estimator, self.out, self.make_writers, self.settings, outcome
                )
            except (VideoError, CalibrationError, InferenceError) as error:
                outcome.problems.append(str(error))
            except OSError as error:  # a full disk above all
                outcome.problems.append(f'{recording.name} is not finished: {error}')

    def _recordings(self, source: Input, outcome: Outcome) -> Iterator[Recording]:
        """Open an input; one that does not open is a problem of the outcome."""
        try:
            found = self.bags.read(Path(source.path), self.options, self.topics, _warn)
            found = found or [self._no_bag(source.path)]
        except (VideoError, CalibrationError) as error:
            outcome.problems.append(str(error))
            return
        for recording in found:
            topic = recording.name.removeprefix(input_name(source.path))
            yield replace(recording, name=source.name + topic)

    def _no_bag(self, path: str) -> Recording:
        """Open an input that is no bag; VideoError if what is to be written of it is for bags."""
        if self.formats == ('mcap',):
            raise VideoError(
                f'{path} is no bag, and --write mcap writes files of bags only; '
                f'add one of {",".join(WRITERS)}'
            )
        recording = open_video_recording(path, self.options, _warn)
        if self.options.gravity_frame:
            _warn(f'{path} is no bag and has no TF: --gravity-frame is not used for it')
        return recording


def _warn(text: str) -> None:
    print(f'\npose3d process: {text}', file=sys.stderr)


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
        if name not in ('inputs', 'out', 'shard', 'ray', 'command', 'mode')
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


def camera_options(arguments: argparse.Namespace) -> CameraOptions:
    """Return what the user knows of the camera; ValueError if it makes no sense."""
    for name in ('focal_length', 'camera_height', 'assumed_person_height', 'skip'):
        value = getattr(arguments, name)
        if value is not None and not 0 <= value < float('inf'):  # also NaN
            option = name.replace('_', '-')
            raise ValueError(f'--{option} must be a number from 0 on, found {value}')
    pose = None
    if arguments.camera_up and any(arguments.camera_up):
        up = np.array(arguments.camera_up) / np.linalg.norm(arguments.camera_up)
        pose = CameraPose(up, arguments.camera_height or float('nan'))
    elif arguments.camera_height:
        raise ValueError('--camera-height needs --camera-up')
    if pose and arguments.gravity_frame:
        raise ValueError('only one of --gravity-frame and --camera-up may be given, found both')
    return CameraOptions(
        arguments.focal_length,
        arguments.calibration_file,
        pose,
        arguments.mirror,
        arguments.skip,
        arguments.gravity_frame,
    )


def thresholds(arguments: argparse.Namespace) -> Thresholds:
    """Return the thresholds; ValueError if one is out of its range."""
    return Thresholds(
        arguments.keypoint_threshold,
        arguments.limb_threshold,
        arguments.min_keypoints,
        arguments.person_threshold,
    )


def output_formats(text: str) -> tuple[str, ...]:
    """Return the formats that --write names; ValueError for one that does not exist."""
    formats = tuple(filter(None, text.split(','))) or FORMATS
    if unknown := [name for name in formats if name not in FORMATS]:
        raise ValueError(f'--write must be of {",".join(FORMATS)}, found {",".join(unknown)}')
    return formats


def _estimator(arguments: argparse.Namespace) -> PoseEstimator:
    return PoseEstimator(
        arguments.model,
        arguments.device,
        input_hw=tuple(arguments.input_size) if arguments.input_size else None,
        precision=arguments.precision,
        cache_dir=compiled_folder(),
        lifting=arguments.lifting,
        throughput=arguments.mode == 'throughput',
        assumed_person_height_m=arguments.assumed_person_height or None,
        thresholds=thresholds(arguments),
    )
