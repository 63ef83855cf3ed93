"""How right the lifting network is, from labelled and from detected keypoints.

    python -m benchmark.lifting [--data FOLDER] [--model M] [--lifting-model M] [--golden FOLDER]
                                [--input-size H W] [--assumed-height M] [--seed N]

FOLDER holds real/annotations.json with its images, real/sequences_3d/*.json and, unless --model
names another, models/real2d_large_256x448.xml. docs/accuracy.md says what the tables mean.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmark import accuracy_3d, golden
from benchmark.lifting_baselines import (
    POSES,
    NearestNeighbour,
    by_mean_pose,
    by_nearest_neighbour,
    mean_pose,
    poses_m,
)
from benchmark.lifting_data import CONDITIONS, Condition, Lift, Scene, read, shown
from pose3d_ros.camera import CameraPose
from pose3d_ros.detection.openpose.location_maps import BODY_HEIGHT_M
from pose3d_ros.estimator import PoseEstimator
from pose3d_ros.evaluation.oks import match
from pose3d_ros.lifting.lifting_network import LiftingNetwork
from pose3d_ros.people import K, People2D, People3D
from pose3d_ros.tracking.smoothing import Smoother
from pose3d_ros.tracking.tracker import Tracker

Array = NDArray[np.float64]

# Of detected people only those count of whom so many keypoints were found.
MIN_KEYPOINTS = 12
# Title of the rows of detected people: whether the camera's pose is known, and how many keypoints
# must be visible by the labels.
DETECTED = {
    'detected': (False, 0),
    'detected, 12 visible by the labels': (False, MIN_KEYPOINTS),
    'detected, camera pose known': (True, 0),
}
ROOT = accuracy_3d.ROOT


class Errors(NamedTuple):
    """Of one person. NaN: too little is known.

    Parameters
    ----------
    root_relative, visible
        Mean distance of keypoints but the root, m, with both roots put on each other: all that
        are known, and those that can be seen.
    scaled
        `root_relative` after the scale that makes the sum of its squares least.
    procrustes
        After the best rotation, scale and shift (PA-MPJPE), m.
    distance
        Error of the root's distance from the camera, as a share of it.
    """

    root_relative: float
    visible: float
    scaled: float
    procrustes: float
    distance: float


class Row(NamedTuple):
    """Errors of the people of one group, of so many that there are."""

    errors: list[Errors]
    people: int


def person_errors(true_m: Array, found_m: Array, visible: NDArray[np.bool_]) -> Errors:
    """Errors of one person, ``(K, 3)`` m in the camera optical frame both; visible ``(K,)``."""
    usual = accuracy_3d.person_errors(true_m, found_m)
    relative_m, wanted_m = found_m - found_m[ROOT], true_m - true_m[ROOT]
    known = np.asarray(np.isfinite(relative_m + wanted_m).all(axis=1))
    known[ROOT] = False
    relative_m, wanted_m, visible = relative_m[known], wanted_m[known], visible[known]
    square_m2 = (relative_m**2).sum()
    scale = (relative_m * wanted_m).sum() / square_m2 if square_m2 else np.nan
    return Errors(
        root_relative=usual.root_relative,
        visible=_mean_length((relative_m - wanted_m)[visible]),
        scaled=_mean_length(scale * relative_m - wanted_m),
        procrustes=usual.procrustes,
        distance=usual.distance / float(np.linalg.norm(true_m[ROOT])),
    )


def _mean_length(vectors: Array) -> float:
    return float(np.linalg.norm(vectors, axis=-1).mean()) if len(vectors) else float('nan')


def in_labels(
    scenes: list[Scene], condition: Condition, lift: Lift, seed: int = 0
) -> dict[str, Row]:
    """Errors of labelled people whose root is known, shown under one condition, by group."""
    rows: dict[str, Row] = {}
    for scene, people in shown(scenes, condition, seed):
        found = lift(scene, people, scene.view if condition.with_view else None)
        _add(rows, scene, [(i, i) for i in range(len(people))], found.xyz_m)
    return rows


def in_detections(
    scenes: list[Scene],
    detections: list[People2D],
    lift: Lift,
    with_view: bool = False,
    min_visible: int = 0,
) -> dict[str, Row]:
    """Errors of labelled people who were found with 12 keypoints or more; followed in sequences.

    Parameters
    ----------
    scenes
        With images; those of a sequence in the order of time.
    detections
        What a 2D network found in each.
    with_view
        Whether the camera's pose is known; scenes where it is not are left out.
    min_visible
        Only people of whom so many keypoints can be seen, or are confirmed, in the image.
    """
    rows: dict[str, Row] = {}
    trackers: dict[str, tuple[Tracker, Smoother]] = {}
    for scene, people in zip(scenes, detections, strict=True):
        image = scene.image
        if image is None or (with_view and scene.view is None):
            continue
        found = lift(scene, people, scene.view if with_view else None)
        if image.sequence:
            tracker, smoother = trackers.setdefault(image.sequence, (Tracker(), Smoother()))
            tracked = tracker.update(found, image.time_s)
            found = smoother.smooth(tracked, tracker.stamp_s).people
        enough = people.detected.sum(axis=1) >= MIN_KEYPOINTS
        clear = scene.visible.sum(axis=1) >= min_visible
        pairs = [(i, j) for i, j in match(image, people.xy_px).found if enough[j]]
        _add(rows, scene, pairs, found.xyz_m, clear)
    return rows


def _add(
    rows: dict[str, Row],
    scene: Scene,
    pairs: list[tuple[int, int]],
    xyz_m: Array,
    of: NDArray[np.bool_] | None = None,
) -> None:
    """Count pairs of true people, of some ``(N,)`` alone, and found ones ``(M, K, 3)``."""
    counts = np.isfinite(scene.xyz_m[:, ROOT, 0])
    counts &= True if of is None else of
    row = rows.get(scene.group, Row([], 0))
    errors = [
        person_errors(scene.xyz_m[i], xyz_m[j], scene.visible[i]) for i, j in pairs if counts[i]
    ]
    rows[scene.group] = Row(row.errors + errors, row.people + int(counts.sum()))


def detect(scenes: list[Scene], estimator: PoseEstimator) -> list[People2D]:
    """Find the people of the scenes' images; nobody where there is no image."""
    nobody = People2D(np.zeros((0, K, 2)), np.zeros((0, K)), np.zeros(0))
    found = []
    for scene in scenes:
        bgr: Any = cv2.imread(str(scene.image.path)) if scene.image else None
        found.append(
            nobody if bgr is None else estimator.estimate(bgr, scene.intrinsics).people_2d
        )
    return found


def in_recordings(folder: Path, network: LiftingNetwork) -> dict[str, dict[str, Row]]:
    """Errors in recorded network outputs: by location maps, and by the lifting network.

    Both of the same people as pixels; location maps are as good as the recordings made them.
    """
    table: dict[str, dict[str, Row]] = {'location maps': {}, 'network': {}}
    height_m = BODY_HEIGHT_M
    for frame in golden.frames(folder):
        a = frame.arrays
        by_maps = frame.estimate()
        people, intrinsics = by_maps.people_2d, frame.intrinsics()
        by_network = network.lift_people(people, intrinsics, height_m)
        visible = a['gt_vis'][:, golden.TO_OURS]
        true_px = np.where(a['gt_vis'][..., None], a['gt_2d'], np.nan)[:, golden.BODY]
        gate_px = golden.MATCH_PX / float(a['input_scale'])
        pairs = golden.matches(true_px, people.xy_px[:, golden.BODY] + 0.5, gate_px)
        xyz_m = a['gt_3d'][:, golden.TO_OURS] / 100
        group = 'recorded sequences' if frame.category == 'sequence' else 'recorded scenes'
        scene = Scene(group, people, visible, xyz_m, intrinsics, None)
        _add(table['location maps'], scene, pairs, by_maps.xyz_m)
        _add(table['network'], scene, pairs, by_network.xyz_m)
    return table


def by_network(network: LiftingNetwork, assumed_person_height_m: float) -> Lift:
    """Lift with the network."""

    def lift(scene: Scene, people: People2D, view: CameraPose | None) -> People3D:
        return network.lift_people(people, scene.intrinsics, assumed_person_height_m, view)

    return lift


def everybody(rows: dict[str, Row]) -> Row:
    """Give all people in one row."""
    return Row(
        [e for row in rows.values() for e in row.errors], sum(r.people for r in rows.values())
    )


def print_rows(title: str, by: str, rows: dict[str, Row]) -> None:
    """Print a line for each group: mm; the root's distance in per cent, median / mean."""
    for group, row in rows.items():
        known = [e for e in row.errors if np.isfinite(e.root_relative)]
        cells = ['-'] * 5
        if known:
            *lengths, share = np.array(known).T
            cells = [
                f'{1000 * np.nanmean(v):.0f}' if np.isfinite(v).any() else '-' for v in lengths
            ]
            cells.append(f'{100 * np.median(share):.1f} / {100 * share.mean():.1f}')
        print(f'| {group} | {title} | {by} | {len(known)}/{row.people} | {" | ".join(cells)} |')


def main(argv: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add: Callable[..., Any] = parser.add_argument
    add('--data', type=Path, default=Path('../shared/data'), help='(default: %(default)s)')
    add('--model', help='2D network (default: models/real2d_large_256x448.xml in the data)')
    add('--input-size', type=int, nargs=2, metavar=('H', 'W'), help="(default: the 2D network's)")
    add('--lifting-model', help='(default: the one that comes with the package)')
    add('--golden', type=Path, metavar='FOLDER', help='recorded outputs, as of benchmark.golden')
    add('--assumed-height', type=float, default=1.7, metavar='M', help='(default: %(default)s)')
    add('--seed', type=int, default=0, help='of the noise (default: %(default)s)')
    args = parser.parse_args(argv)
    network = LiftingNetwork(*([args.lifting_model] if args.lifting_model else []))
    lift = by_network(network, args.assumed_height)
    scenes = read(args.data / 'real')
    print(
        '| people of | keypoints | by | people | MPJPE | visible alone | one scale | PA-MPJPE |',
        end='',
    )
    print(' root |\n|---|---|---|---|---|---|---|---|---|')
    for condition in CONDITIONS:
        print_rows(condition.title, 'network', in_labels(scenes, condition, lift, args.seed))
    _print_baselines(scenes)
    model = args.model or args.data / 'models' / 'real2d_large_256x448.xml'
    size = tuple(args.input_size) if args.input_size else None
    detections = detect(scenes, PoseEstimator(model, 'CPU', input_hw=size, precision='f32'))
    for title, options in DETECTED.items():
        rows = in_detections(scenes, detections, lift, *options)
        print_rows(title, 'network', {**rows, 'all': everybody(rows)})
    if args.golden:
        for by, rows in in_recordings(args.golden, network).items():
            print_rows('grouped', by, rows)


def _print_baselines(scenes: list[Scene]) -> None:
    if not POSES.exists():
        return
    poses = poses_m()
    labelled = CONDITIONS[0]
    mean = by_mean_pose(mean_pose(poses))
    print_rows(labelled.title, 'mean pose, turned by the truth', in_labels(scenes, labelled, mean))
    neighbour = by_nearest_neighbour(NearestNeighbour(poses))
    print_rows(labelled.title, 'nearest neighbour', in_labels(scenes, labelled, neighbour))


if __name__ == '__main__':
    main()
