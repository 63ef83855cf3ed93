"""Accuracy of people fused from two cameras, against one camera, and what a lost camera changes.

    python -m benchmark.fusion [--data FOLDER] [--model M]

FOLDER holds real/annotations.json with its images, and video/pose2sim_multi_cam0N.mp4. The poses
of cameras are fitted to the labels, which are the same points in the frames of all cameras.
Pose2Sim: the videos of two cameras, every 5th image (12 Hz), as two pose nodes and a fusion node
process them; the labels are of four cameras. Panoptic: every pair of the cameras of each instant,
one image each. Keypoints are relative to the root. docs/accuracy.md explains the tables.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark.accuracy import DEFAULT_NETWORK
from benchmark.fusion_errors import HEAD, ROOT, Errors
from pose3d_ros.camera import Intrinsics
from pose3d_ros.camera_pose.estimator import CameraPoseEstimator
from pose3d_ros.estimator import PoseEstimator
from pose3d_ros.evaluation.annotations import LabelledImage, read_bgr, read_images
from pose3d_ros.fusion.fusion import Fusion
from pose3d_ros.fusion.newest import Newest
from pose3d_ros.fusion.views import CameraPeople
from pose3d_ros.geometry.similarity import nearest_rotation
from pose3d_ros.images import CameraImage, Observation
from pose3d_ros.people import Source, TrackedPeople
from pose3d_ros.pipeline import Pipeline
from pose3d_ros.sources.open_source import open_source
from pose3d_ros.sources.playback import frames
from pose3d_ros.tracking.smoothing import Smoother

Array = NDArray[np.float64]

# Image rate of the Pose2Sim videos, Hz, and the step between labelled images.
RATE_HZ, STEP = 60.0, 5
# Offset of the second camera that is not synchronised, images of the video.
LATE = 3
# From a camera that looks ahead to a common frame with z up.
AHEAD = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])


class Pose(NamedTuple):
    """Where a camera is in the common frame."""

    rotation: Array
    origin_m: Array

    def apply(self, xyz_m: Array) -> Array:
        """Return points of the camera in the common frame."""
        return np.asarray(xyz_m @ self.rotation.T + self.origin_m)


def main(argv: list[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--data', type=Path, default=Path('../shared/data'))
    parser.add_argument('--model', help=f'(default: {DEFAULT_NETWORK} in the data)')
    args = parser.parse_args(argv)
    model = args.model or args.data / DEFAULT_NETWORK
    estimator = PoseEstimator(model, 'CPU', precision='f32')
    images = list(read_images(args.data / 'real'))
    print('Errors as mean / median.\n\n## Pose2Sim, two of four cameras, 12 Hz\n')
    print_pose2sim(Pose2Sim(args.data / 'video', images, estimator))
    print('\n## Panoptic, pairs of cameras, single images\n')
    print_panoptic([i for i in images if i.group.startswith('panoptic')], estimator)


class Pose2Sim:
    """The two videos, processed as by two pose nodes, and the labels by image of the video.

    Parameters
    ----------
    folder
        Of the videos.
    images
        With labels.
    estimator
        Of the people.
    """

    def __init__(
        self, folder: Path, images: Sequence[LabelledImage], estimator: PoseEstimator
    ) -> None:
        of = {n: [i for i in images if i.sequence == f'pose2sim_{n}'] for n in ('cam01', 'cam02')}
        first, second = of.values()
        to_first = fitted([_by_id(i) for i in second], [_by_id(i) for i in first])
        poses = (
            Pose(AHEAD, np.zeros(3)),
            Pose(AHEAD @ to_first.rotation, AHEAD @ to_first.origin_m),
        )
        self.truth_m = {
            round(image.time_s * RATE_HZ): {i: poses[0].apply(x) for i, x in _by_id(image).items()}
            for image in first
        }
        self._estimator = estimator
        self._cameras = [
            (name, folder / f'pose2sim_multi_{name}.mp4', _full_size(of[name][0]), pose)
            for name, pose in zip(of, poses, strict=True)
        ]
        self.first, self.second = self._people(0, 0), self._people(1, 0)
        self.second_late = self._people(1, LATE)

    def _people(self, camera: int, start: int) -> list[CameraPeople]:
        name, video, intrinsics, pose = self._cameras[camera]
        pipeline = as_in_a_node(self._estimator)
        people = []
        for i, (_, bgr) in enumerate(frames(open_source(str(video)))):
            if i % STEP != start:
                continue
            observation = Observation(CameraImage(bgr, intrinsics), i / RATE_HZ)
            tracked = pipeline.process(observation)
            people.append(CameraPeople(name, tracked, i / RATE_HZ, *pose, intrinsics))
        return people

    def errors(
        self, people: Iterator[tuple[float, TrackedPeople]], persons: Sequence[int]
    ) -> Errors:
        """Compare people in the common frame with the labels, where an image has some."""
        errors = Errors()
        for stamp_s, tracked in people:
            truth_m = self.truth_m.get(round(stamp_s * RATE_HZ), {})
            truth_m = {i: x for i, x in truth_m.items() if i in persons}
            found = tracked.people
            errors.add(found.xyz_m, found.source, truth_m, round(stamp_s, 4))
        return errors


def print_pose2sim(recording: Pose2Sim) -> None:
    """Print the errors of both people, and what a lost camera changes."""
    first, second, late = recording.first, recording.second, recording.second_late
    rows: dict[str, Callable[[], Iterator[tuple[float, TrackedPeople]]]] = {
        'both cameras': lambda: fused(first + second),
        f'both, {1e3 * (STEP - LATE) / RATE_HZ:.0f} ms apart': lambda: fused(first[1:] + late),
        'camera 1 alone': lambda: alone(first),
        'camera 2 alone': lambda: alone(second),
    }
    print(HEAD)
    for persons, who in (((0,), 'the man'), ((1,), 'the figure')):
        for title, people in rows.items():
            print(recording.errors(people(), persons).row(f'{who}, {title}'))
    print(
        '\n| camera lost in the middle | difference at once, cm | without a handover, cm |', end=''
    )
    print(' from its own figures in the end, cm |\n|---|---|---|---|')
    half_s = len(first) // 2 * STEP / RATE_HZ
    both = recording.errors(fused(first + second), (0, 1))
    for title, kept, lost in (('1', second, first), ('2', first, second)):
        with_loss = kept + [one for one in lost if one.stamp_s < half_s]
        found = recording.errors(fused(with_loss), (0, 1))
        own = recording.errors(alone(kept), (0, 1))
        cells = [
            found.apart_m(both, half_s),
            own.apart_m(both, half_s),
            found.apart_m(own, first[-1].stamp_s),
        ]
        print(f'| {title} | {" | ".join(", ".join(f"{100 * m:.0f}" for m in c) for c in cells)} |')


def print_panoptic(images: Sequence[LabelledImage], estimator: PoseEstimator) -> None:
    """Print the errors of all pairs of cameras of the same instant."""
    people = {image.path: _single(image, estimator) for image in images}
    pair, single = Errors(), Errors()
    for one, other in combinations(images, 2):
        if one.group != other.group:
            continue
        truth_m = _by_id(one)
        pose = fitted([_by_id(other)], [truth_m])
        results = [
            CameraPeople('1', people[one.path], 0.0, np.eye(3), np.zeros(3), one.intrinsics),
            CameraPeople('2', people[other.path], 0.0, *pose, other.intrinsics),
        ]
        found = Fusion(smooth=False).process(results).people
        seen = (found.source == Source.FUSED).any(axis=1)
        wanted = _in_both(one, other, truth_m)
        pair.add(found.xyz_m[seen], found.source[seen], wanted, 0.0)
        # A pair is a time of its own.
        pair.root_m = {(len(pair.root_m) + n, 0.0): e for n, e in enumerate(pair.root_m.values())}
        for result in results:
            xyz_m = Pose(result.rotation, result.origin_m).apply(result.tracked.people.xyz_m)
            single.add(xyz_m, result.tracked.people.source, wanted, 0.0)
    print(HEAD)
    print(pair.row('two cameras'))
    print(single.row('each alone'))


def fused(results: Sequence[CameraPeople]) -> Iterator[tuple[float, TrackedPeople]]:
    """Yield the people of several cameras with their stamps, as the fusion node publishes them."""
    newest, fusion = Newest({one.camera for one in results}), Fusion()
    for result in sorted(results, key=lambda one: (one.stamp_s, one.camera)):
        for due in newest.add(result):
            yield max(one.stamp_s for one in due), fusion.process(due)


def alone(results: Sequence[CameraPeople]) -> Iterator[tuple[float, TrackedPeople]]:
    """Yield the people of one camera in the common frame with their stamps."""
    for one in results:
        xyz_m = Pose(one.rotation, one.origin_m).apply(one.tracked.people.xyz_m)
        people = replace(one.tracked.people, xyz_m=xyz_m)
        yield one.stamp_s, replace(one.tracked, people=people)


def as_in_a_node(estimator: PoseEstimator) -> Pipeline:
    """Return a pipeline with the defaults of the pose node."""
    pipeline = Pipeline(estimator)
    pipeline.smoother, pipeline.pose_from_people = Smoother(), CameraPoseEstimator()
    return pipeline


def fitted(points: Sequence[dict[int, Array]], target: Sequence[dict[int, Array]]) -> Pose:
    """Fit the pose of a camera by people in its frame and in the target's, by id and image."""
    pairs = [
        (a[i], b[i]) for a, b in zip(points, target, strict=True) for i in a.keys() & b.keys()
    ]
    x, y = (np.concatenate(column) for column in zip(*pairs, strict=True))
    known = np.isfinite(x + y).all(axis=1)
    x, y = x[known], y[known]
    rotation, _ = nearest_rotation((y - y.mean(axis=0)).T @ (x - x.mean(axis=0)))
    return Pose(rotation, y.mean(axis=0) - rotation @ x.mean(axis=0))


def _single(image: LabelledImage, estimator: PoseEstimator) -> TrackedPeople:
    assert image.intrinsics
    observation = Observation(CameraImage(read_bgr(image.path), image.intrinsics), 0.0)
    return as_in_a_node(estimator).process(observation)


def _by_id(image: LabelledImage) -> dict[int, Array]:
    return {i: image.xyz_m[row] for row, i in enumerate(image.ids)}


def _in_both(
    one: LabelledImage, other: LabelledImage, truth_m: dict[int, Array]
) -> dict[int, Array]:
    """Return the people with five or more visible keypoints in both images and a known root."""
    enough = [
        {i for row, i in enumerate(image.ids) if image.visible[row].sum() >= 5}
        for image in (one, other)
    ]
    return {
        i: x for i, x in truth_m.items() if i in enough[0] & enough[1] and np.isfinite(x[ROOT, 0])
    }


def _full_size(image: LabelledImage) -> Intrinsics:
    """Return the intrinsics for the video, of which the image is a half."""
    k = image.intrinsics
    assert k
    return Intrinsics(2 * k.fx, 2 * k.fy, 2 * k.cx + 0.5, 2 * k.cy + 0.5)


if __name__ == '__main__':
    main()
