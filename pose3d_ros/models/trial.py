"""`pose3d model try`: what a network detects in images, drawn into files."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import Intrinsics
from pose3d_ros.detection.detector import Detector, Thresholds
from pose3d_ros.estimator import PoseEstimator
from pose3d_ros.images import CameraImage
from pose3d_ros.models import ModelError
from pose3d_ros.models.store import ModelPath
from pose3d_ros.network_spec import NetworkSpec
from pose3d_ros.people import People2D, People3D, TrackedPeople, TrackState
from pose3d_ros.visualisation.overlay import draw_people

# Detections of one image that are timed; the first one of all compiles and allocates.
RUNS = 3


@dataclass(frozen=True)
class Trial:
    """A network and how it is run.

    Parameters
    ----------
    model
        File of the network, or of the two of a pair.
    device
        OpenVINO device.
    input_hw
        Height and width of its input, px. None: its own.
    keypoint_threshold, person_threshold
        Least scores, [0, 1]. None: the defaults.
    """

    model: ModelPath
    device: str = 'AUTO'
    input_hw: tuple[int, int] | None = None
    keypoint_threshold: float | None = None
    person_threshold: float | None = None


def try_images(trial: Trial, images: Sequence[Path], output: Path) -> Iterator[str]:
    """Detect the people in images, draw them into files, and return lines to print.

    Parameters
    ----------
    trial
        The network.
    images
        Files that OpenCV reads.
    output
        Folder; it is created. Each image is written there as NAME.png, or NAME-2.png and so on if
        several have the same name.

    Raises
    ------
    ModelError
        If the network or an image cannot be used.
    """
    read = {path: _read(path) for path in images}  # before a network is compiled
    estimator = PoseEstimator(
        trial.model, trial.device, input_hw=trial.input_hw, thresholds=_thresholds(trial)
    )
    output.mkdir(parents=True, exist_ok=True)
    times_s: list[float] = []
    written: set[Path] = set()
    for i, (path, bgr) in enumerate(read.items()):
        image = CameraImage(bgr, Intrinsics.guess(bgr.shape[1], bgr.shape[0]))
        detections = estimator.detect([image])[0]
        if i == 0:
            yield from _contract(estimator.detector)
        duration_s = min(_duration_s(estimator, image) for _ in range(RUNS))
        times_s.append(duration_s)
        drawn = bgr.copy()
        draw_people(drawn, _untracked(estimator.lift(detections, image.intrinsics)))
        file = _free_name(output, path.stem, written)
        written.add(file)
        if not cv2.imwrite(str(file), drawn):
            raise ModelError(f'{file} cannot be written')
        yield _found(path, detections.people, duration_s, file)
    median_s = statistics.median(times_s)
    yield f'median {1e3 * median_s:.0f} ms per image, on {estimator.detector.device}'


def _found(path: Path, people: People2D, duration_s: float, file: Path) -> str:
    scores = ' '.join(f'{score:.2f}' for score in people.score) or '-'
    duration = f'{1e3 * duration_s:.0f} ms'
    return f'{path}: people: {len(people)}, scores: {scores}, {duration} -> {file}'


def _thresholds(trial: Trial) -> Thresholds:
    thresholds = Thresholds(person=trial.person_threshold)
    if trial.keypoint_threshold is None:
        return thresholds
    return replace(thresholds, keypoint=trial.keypoint_threshold)


def _read(path: Path) -> NDArray[np.uint8]:
    if not path.exists():
        raise ModelError(f'image {path} does not exist')
    image = cv2.imread(str(path), cv2.IMREAD_COLOR) if path.is_file() else None
    if image is None:
        raise ModelError(f'{path} is not an image that OpenCV reads')
    return np.asarray(image, np.uint8)


def _contract(detector: Detector) -> Iterator[str]:
    height, width = detector.input_hw
    yield f'{detector.name}: input {height} x {width} px (height x width)'
    # A pair has a contract for each of its networks.
    for part in ('', 'person_detector', 'pose_network'):
        spec = getattr(getattr(detector, part, None) if part else detector, 'spec', None)
        if isinstance(spec, NetworkSpec):
            if part:
                yield f'  {part}:'
            yield from (f'  {name}: {value}' for name, value in spec.to_dict().items())


def _free_name(folder: Path, stem: str, written: set[Path]) -> Path:
    names = (folder / (f'{stem}-{i}.png' if i > 1 else f'{stem}.png') for i in itertools.count(1))
    return next(name for name in names if name not in written)


def _duration_s(estimator: PoseEstimator, image: CameraImage) -> float:
    start_s = time.perf_counter()
    estimator.detect([image])
    return time.perf_counter() - start_s


def _untracked(people: People3D) -> TrackedPeople:
    """Return people with their rank as id."""
    n = len(people)
    state = np.full(n, TrackState.CONFIRMED, np.uint8)
    return TrackedPeople(people, np.arange(n), state, np.zeros(n))
