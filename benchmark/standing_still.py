"""How steady the distance of people is who stand still, in clips.

    python -m benchmark.standing_still [--data FOLDER] [--model M] [--clips NAME ...] [--seconds S]

FOLDER holds video/*.mp4 and *.avi and, unless --model names another network, models/. Who stands
still is decided by pixels: for two seconds, neck and middle of the hips stay within a share of
the person's size. docs/accuracy.md has the table.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark.accuracy import DEFAULT_NETWORK
from benchmark.camera_pose_real import VTEST_CAMERA, VTEST_INPUT_HW
from pose3d_ros.camera import Intrinsics, IntrinsicsSource
from pose3d_ros.estimator import PoseEstimator
from pose3d_ros.evaluation.pose_errors import ROOT
from pose3d_ros.images import CameraImage, Observation
from pose3d_ros.pipeline import Pipeline
from pose3d_ros.skeleton import PANOPTIC19
from pose3d_ros.sources.open_source import open_source
from pose3d_ros.sources.playback import frames

Array = NDArray[np.float64]

# Length of a window (of shorter clips: the clip) and step from one to the next, s, and the least
# share of it with the person.
WINDOW_S, STEP_S, LEAST_SEEN = 2.0, 1.0, 0.8
# Largest standard deviation of neck and hips in the image, as a share of the median diagonal of
# the box of the keypoints, of somebody who stands still.
STILL = 0.03
# The aim for the standard deviation of the distance, as a share of it.
AIM = 0.03
# Focal length of clips that were calibrated, in image widths; that of vtest is in its camera.
FOCAL_LENGTH_WIDTHS = {'pose2sim_multi_cam01': 1.545, 'pose2sim_multi_cam02': 1.545}
# Images of faster clips are left out.
RATE_HZ = 15.0
_TRUNK = [PANOPTIC19.indices(('neck',)), PANOPTIC19.indices(('left_hip', 'right_hip'))]


class Seen(NamedTuple):
    """One person in one image.

    Parameters
    ----------
    trunk_px
        ``(2, 2)``, neck and middle of the hips.
    size_px
        Diagonal of the box of the keypoints.
    range_m
        Distance of the root from the camera as lifted, and after tracking and smoothing.
    """

    stamp_s: float
    trunk_px: Array
    size_px: float
    range_m: tuple[float, float]


class Window(NamedTuple):
    """A person who stands still: standard deviations of both distances, as shares of them."""

    start_s: float
    track_id: int
    lifted: float
    smoothed: float


def watch(
    seen_images: Iterator[Observation], estimator: PoseEstimator
) -> tuple[dict[int, list[Seen]], float]:
    """Process a clip; return what was seen of each track, and the rate of the images, Hz."""
    pipeline = Pipeline(estimator)
    tracks: dict[int, list[Seen]] = {}
    stamps_s = []
    for observation in seen_images:
        stamps_s.append(observation.stamp_s)
        people = pipeline.estimate(observation)
        tracked = pipeline.follow(observation, people)
        lifted_m = np.linalg.norm(people.xyz_m[:, ROOT], axis=-1)
        smoothed_m = np.linalg.norm(tracked.people.xyz_m[:, ROOT], axis=-1)
        for i, track in enumerate(tracked.track_id.tolist()):
            xy_px = people.people_2d.xy_px[i]
            trunk_px = np.array([xy_px[part].mean(0) for part in _TRUNK])
            size_px = float(np.linalg.norm(np.nanmax(xy_px, 0) - np.nanmin(xy_px, 0)))
            range_m = float(lifted_m[i]), float(smoothed_m[i])
            seen = Seen(observation.stamp_s, trunk_px, size_px, range_m)
            tracks.setdefault(track, []).append(seen)
    return tracks, 1 / float(np.median(np.diff(stamps_s)))


def observations(path: Path, seconds: float) -> Iterator[Observation]:
    """Yield the images of the beginning of a clip, at most at ``RATE_HZ``."""
    next_s = 0.0
    for stamp_s, bgr in frames(open_source(str(path))):
        if stamp_s > seconds:
            return
        if stamp_s < next_s - 1e-3:
            continue
        next_s = max(next_s, stamp_s - 1 / RATE_HZ) + 1 / RATE_HZ
        height, width = bgr.shape[:2]
        intrinsics = Intrinsics.guess(width, height)
        if path.stem in FOCAL_LENGTH_WIDTHS:
            focal_px = FOCAL_LENGTH_WIDTHS[path.stem] * width
            intrinsics = Intrinsics.centred(focal_px, width, height, IntrinsicsSource.PARAMETER)
        elif path.stem == 'vtest':
            intrinsics = VTEST_CAMERA
        yield Observation(CameraImage(bgr, intrinsics), float(stamp_s))


def still(tracks: dict[int, list[Seen]], rate_hz: float) -> Iterator[Window]:
    """Yield the windows in which a person stands still; the tracks are those of a whole clip."""
    every_s = np.concatenate([[s.stamp_s for s in seen] for seen in tracks.values()])
    window_s = min(WINDOW_S, float(np.ptp(every_s)) + 1 / rate_hz)
    for track, seen in tracks.items():
        stamp_s = np.array([s.stamp_s for s in seen])
        for start_s in np.arange(stamp_s[0], stamp_s[-1] - window_s + 1.5 / rate_hz, STEP_S):
            rows = np.flatnonzero((stamp_s >= start_s) & (stamp_s < start_s + window_s))
            if len(rows) < LEAST_SEEN * window_s * rate_hz:
                continue
            chosen = [seen[i] for i in rows]
            trunk_px = np.array([s.trunk_px for s in chosen])
            sd_px = np.sqrt(np.nanvar(trunk_px, axis=0).sum(-1))
            size_px = float(np.median([s.size_px for s in chosen]))
            if not (sd_px < STILL * size_px).all():
                continue
            range_m = np.array([s.range_m for s in chosen])
            share = np.nanstd(range_m, axis=0) / np.nanmean(range_m, axis=0)
            yield Window(float(start_s), track, *share.tolist())


def row(title: str, windows: Sequence[Window]) -> str:
    """Return a line of the table: median / largest standard deviation, per cent."""
    if not windows:
        return f'| {title} | 0 | - | - | - |'
    lifted, smoothed = 100 * np.array([[w.lifted, w.smoothed] for w in windows]).T
    cells = [f'{np.median(v):.1f} / {v.max():.1f}' for v in (lifted, smoothed)]
    within = int((smoothed <= 100 * AIM).sum())
    return f'| {title} | {len(windows)} | {" | ".join(cells)} | {within}/{len(windows)} |'


def main(argv: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add: Callable[..., Any] = parser.add_argument
    add('--data', type=Path, default=Path('../shared/data'), help='(default: %(default)s)')
    add('--model', help=f'2D network (default: {DEFAULT_NETWORK} in the data)')
    add('--clips', nargs='+', metavar='NAME', help='(default: all)')
    add('--seconds', type=float, default=60.0, help='of each clip (default: %(default)s)')
    args = parser.parse_args(argv)
    model = args.model or args.data / DEFAULT_NETWORK
    print('| clip | windows | lifted | smoothed | within the aim |\n|---|---|---|---|---|')
    for path in sorted((args.data / 'video').iterdir()):
        if path.suffix not in ('.mp4', '.avi') or (args.clips and path.stem not in args.clips):
            continue
        input_hw = VTEST_INPUT_HW if path.stem == 'vtest' else None
        estimator = PoseEstimator(model, 'CPU', input_hw=input_hw, precision='f32')
        tracks, rate_hz = watch(observations(path, args.seconds), estimator)
        print(row(path.stem, list(still(tracks, rate_hz))), flush=True)


if __name__ == '__main__':
    main()
