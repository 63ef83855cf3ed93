"""How right the camera pose is that is estimated from people, and what it is worth.

    python -m benchmark.camera_pose [--data FOLDER --model M] [--cache FOLDER] [--scenes N]

FOLDER holds video/vtest.avi with its labels, real/annotations.json with its images, and
real/sequences_3d/*.json; without it, synthetic scenes alone are judged. What the tables
mean is in docs/decisions/0007-camera-pose.md.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark import camera_pose_scenes
from benchmark.camera_pose_real import (
    Clip,
    DetectedImages,
    mpjpe_gain,
    read_vtest,
    single_images,
    tracked,
)
from pose3d_ros.camera import CameraPose, Intrinsics
from pose3d_ros.camera_pose.estimate import CameraPoseEstimate
from pose3d_ros.camera_pose.estimator import CameraPoseEstimator
from pose3d_ros.camera_pose.observations import Observer
from pose3d_ros.people import People2D, TrackedPeople

Array = NDArray[np.float64]

# Lengths of the windows, s, and the time from one's start to the next.
WINDOWS_S, VTEST_STEP_S = (1.0, 3.0, 10.0, 30.0), 10.0
# Squared lengths within which nine tenths of normal distributions of 3, 2 and 1 dimensions are.
NINE_TENTHS = (6.25, 4.61, 2.71)


class Error(NamedTuple):
    """Of one estimate: up, deg; height, as a share; and what both are in standard deviations.

    Parameters
    ----------
    squared
        Squared Mahalanobis lengths of the error of up and height, of up, and of height.
    """

    up_deg: float
    height: float
    squared: tuple[float, float, float]


def error(found: CameraPoseEstimate, true: CameraPose) -> Error:
    """Compare an estimate with the truth."""
    off = np.append(_angles(found.up) - _angles(true.up), found.height_m - true.height_m)
    parts = (slice(0, 3), slice(0, 2), slice(2, 3))
    squared = tuple(float(off[p] @ np.linalg.solve(found.covariance[p, p], off[p])) for p in parts)
    cosine = np.clip(found.up @ true.up, -1, 1)
    return Error(
        float(np.degrees(np.arccos(cosine))),
        found.height_m / true.height_m - 1,
        squared,  # type: ignore[arg-type]
    )


def _angles(up: Array) -> Array:
    """Roll and pitch of a camera."""
    return np.array([np.arctan2(-up[0], -up[1]), np.arcsin(up[2])])


def in_clip(
    clip: Iterable[tuple[float, TrackedPeople]],
    intrinsics: Intrinsics,
    seconds: Sequence[float],
    estimator: CameraPoseEstimator,
) -> list[CameraPoseEstimate | None]:
    """Estimates after so many seconds each, in ascending order."""
    found: list[CameraPoseEstimate | None] = []
    start_s = None
    for stamp_s, people in clip:
        start_s = stamp_s if start_s is None else start_s
        while len(found) < len(seconds) and stamp_s - start_s > seconds[len(found)] + 1e-6:
            found.append(estimator.estimate())
        if len(found) == len(seconds):
            return found
        estimator.update(stamp_s, people, intrinsics)
    return found + [estimator.estimate()] * (len(seconds) - len(found))


def cell(errors: Sequence[Error | None]) -> str:
    """Median and 90th percentile of both errors, what the 90 % regions hold, and how many."""
    known = [e for e in errors if e is not None]
    if not known:
        return f'none of {len(errors)}'
    up = np.array([e.up_deg for e in known])
    height = 100 * np.abs([e.height for e in known])
    bias = 100 * float(np.median([e.height for e in known]))
    held = np.mean([np.array(e.squared) < NINE_TENTHS for e in known], axis=0)
    inside = ', '.join(f'{share:.2f}' for share in held)
    return (
        f'{np.median(up):.1f} / {np.quantile(up, 0.9):.1f} deg, '
        f'{np.median(height):.0f} / {np.quantile(height, 0.9):.0f} % ({bias:+.0f}), '
        f'[{inside}] {len(known)}/{len(errors)}'
    )


def synthetic_rows(
    observer: Observer, scenes: int, seconds: Sequence[float] = WINDOWS_S
) -> dict[str, list[list[Error | None]]]:
    """Errors in synthetic scenes, a list for each number of seconds, by kind."""
    rows: dict[str, list[list[Error | None]]] = {}
    for kind in camera_pose_scenes.KINDS:
        columns: list[list[Error | None]] = [[] for _ in seconds]
        for scene in camera_pose_scenes.scenes(kind, scenes, max(seconds)):
            clip = (
                (i.stamp_s, tracked(People2D(i.xy_px, i.scores, np.ones(len(i.xy_px)))))
                for i in scene.instants
            )
            estimator = CameraPoseEstimator(observer=observer)
            found = in_clip(clip, scene.intrinsics, seconds, estimator)
            for column, estimate in zip(columns, found, strict=True):
                column.append(error(estimate, scene.pose) if estimate else None)
        rows[kind.title] = columns
    return rows


def person_height_rows(observer: Observer, scenes: int, seconds: float = 15.0) -> Iterator[str]:
    """Errors of people's heights, with the pose estimated and known, and of the assumed height."""
    for kind in camera_pose_scenes.KINDS[:3:2]:
        found: dict[bool, list[Array]] = {False: [], True: []}
        true_m: list[Array] = []
        for scene in camera_pose_scenes.scenes(kind, scenes, seconds):
            true_m.append(scene.height_m)
            for known, heights in found.items():
                estimator = CameraPoseEstimator(observer=observer)
                for i in scene.instants:
                    people = tracked(People2D(i.xy_px, i.scores, np.ones(len(i.xy_px))))
                    pose = scene.pose if known else None
                    estimator.update(i.stamp_s, people, scene.intrinsics, pose)
                heights.append(estimator.heights.get(np.arange(len(scene.height_m)))[0])
        true = np.concatenate(true_m)
        for who, some in (('adults', true > 1.45), ('children', true <= 1.45)):
            cells = [
                f'{100 * np.mean(np.abs(h / true - 1)[some]):.1f} %'
                for h in (np.full(len(true), 1.7), *(np.concatenate(f) for f in found.values()))
            ]
            yield f'| {kind.title}, {some.sum()} {who} | {" | ".join(cells)} |'


def vtest_rows(observer: Observer, clip: Clip) -> list[list[Error | None]]:
    """Errors in windows of a clip, a list for each number of seconds."""
    columns: list[list[Error | None]] = []
    for length_s in WINDOWS_S:
        errors: list[Error | None] = []
        for start_s in np.arange(0, clip.stamps_s[-1] - length_s, VTEST_STEP_S):
            estimator = CameraPoseEstimator(observer=observer)
            part = clip.between(float(start_s), float(start_s) + length_s)
            (found,) = in_clip(part, clip.intrinsics, (length_s,), estimator)
            errors.append(error(found, clip.pose) if found else None)
        columns.append(errors)
    return columns


def print_costs(observer: Observer, clip: Iterable[tuple[float, TrackedPeople]],
                intrinsics: Intrinsics) -> None:  # fmt: skip
    """Print what images cost with and without a solution, ms."""
    estimator = CameraPoseEstimator(observer=observer)
    took_ms = []
    for stamp_s, people in clip:
        # Of this thread: what else the machine does is not counted.
        began_s = time.thread_time()
        estimator.update(stamp_s, people, intrinsics)
        took_ms.append(1e3 * (time.thread_time() - began_s))
    slow = sorted(took_ms)[-max(len(took_ms) // 20, 1) :]
    print(f'\nper image {np.mean(took_ms):.2f} ms; the slowest twentieth: median ', end='')
    print(f'{np.median(slow):.1f}, most {max(slow):.1f} ms; moved {estimator.moves} times')


def main(argv: list[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add: Callable[..., Any] = parser.add_argument
    add('--data', type=Path, help='folder; without it synthetic scenes alone')
    add('--model', default='human-pose-estimation-0001', help='2D network, a path')
    add('--cache', type=Path, help='folder where detections are kept')
    add('--scenes', type=int, default=30, help='synthetic scenes a row (default: %(default)s)')
    args = parser.parse_args(argv)
    observer = Observer()
    print('| scene | ' + ' | '.join(f'{s:g} s' for s in WINDOWS_S) + ' |')
    print('|---' * (1 + len(WINDOWS_S)) + '|')
    clip = None
    if args.data:
        images = DetectedImages(args.data, args.model, args.cache)
        clip = read_vtest(images)
        print(f'| vtest | {" | ".join(cell(c) for c in vtest_rows(observer, clip))} |')
    for title, columns in synthetic_rows(observer, args.scenes).items():
        print(f'| {title} | {" | ".join(cell(c) for c in columns)} |', flush=True)
    print(
        '\n| heights of people | assumed 1.7 m | pose estimated | pose known |\n|---|---|---|---|'
    )
    for line in person_height_rows(observer, args.scenes):
        print(line)
    if clip is None:
        return
    print('\n| people of one image | |\n|---|---|')
    for title, found in single_images(observer, images).items():
        print(f'| {title} | {cell([error(e, true) if e else None for e, true in found])} |')
    print('\n| people of | no pose | estimated, one image | estimated, clip | known pose | '
          'gain, one image | gain, clip |\n|---|---|---|---|---|---|---|')  # fmt: skip
    for line in mpjpe_gain(observer, images):
        print(line)
    print_costs(observer, clip.between(0, np.inf), clip.intrinsics)


if __name__ == '__main__':
    main()
