"""Accuracy of the lifting network, from labelled and from detected keypoints.

    python -m benchmark.lifting [--data FOLDER] [--model M] [--lifting-model M] [--golden FOLDER]
                                [--input-size H W] [--assumed-height M] [--seed N]

FOLDER holds real/annotations.json with its images, real/sequences_3d/*.json and, unless --model
names another, models/. docs/accuracy.md explains the tables.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark import golden, lifting_measures
from benchmark.accuracy import DEFAULT_NETWORK, input_size
from benchmark.lifting_baselines import (
    POSES,
    NearestNeighbour,
    by_mean_pose,
    by_nearest_neighbour,
    mean_pose,
    read_poses,
)
from benchmark.lifting_data import CONDITIONS, Condition, Lift, Scene, degraded, read_scenes
from pose3d_ros.camera import CameraPose
from pose3d_ros.detection.openpose.location_maps import BODY_HEIGHT_M
from pose3d_ros.estimator import PoseEstimator
from pose3d_ros.evaluation import proportions
from pose3d_ros.evaluation.annotations import read_bgr
from pose3d_ros.evaluation.oks import match
from pose3d_ros.evaluation.pose_errors import ROOT, PoseErrors, pose_errors
from pose3d_ros.lifting.lifting_network import LiftingNetwork
from pose3d_ros.people import K, People2D, People3D
from pose3d_ros.tracking.smoothing import Smoother
from pose3d_ros.tracking.tracker import Tracker

Array = NDArray[np.float64]

# Detected people count if at least this many of their keypoints were detected.
MIN_KEYPOINTS = 12
# Title of the rows of detected people: whether the camera's pose is known, and the least number of
# keypoints that are visible by the labels.
DETECTED = {
    'detected': (False, 0),
    'detected, 12 visible by the labels': (False, MIN_KEYPOINTS),
    'detected, camera pose known': (True, 0),
}
# Conditions in which accelerations are compared.
ACCELERATIONS = ('labelled', 'labelled, camera pose known', '2 % noise', '5 % noise')
# Columns of the table, fields of `PoseErrors` in m; the distance of the root follows.
COLUMNS = ('root_relative', 'visible', 'scaled', 'procrustes')


class Row(NamedTuple):
    """Errors of the people of one group, the number of people to be found in it, and measures."""

    errors: list[PoseErrors]
    people: int
    measures: tuple[lifting_measures.Measures, ...] = ()


def in_labels(
    scenes: list[Scene], condition: Condition, lift: Lift, seed: int = 0
) -> dict[str, Row]:
    """Compute the errors of labelled people whose root is known, by group, in one condition."""
    rows: dict[str, Row] = {}
    for scene, people in degraded(scenes, condition, seed):
        pose = scene.camera_pose if condition.with_camera_pose else None
        found = lift(scene, people, pose)
        _add(rows, scene, [(i, i) for i in range(len(people))], found)
    return rows


def in_detections(
    scenes: list[Scene],
    detections: list[People2D],
    lift: Lift,
    with_camera_pose: bool = False,
    min_visible: int = 0,
) -> dict[str, Row]:
    """Compute the errors of labelled people found with 12 keypoints or more, by group.

    People in sequences are tracked and smoothed.

    Parameters
    ----------
    scenes
        With images; those of a sequence in order of time.
    detections
        2D people detected in each.
    with_camera_pose
        Whether to use the camera's pose; scenes without one are left out.
    min_visible
        Count only people with this many keypoints visible, or confirmed, in the image.
    """
    rows: dict[str, Row] = {}
    trackers: dict[str, tuple[Tracker, Smoother]] = {}
    for scene, people in zip(scenes, detections, strict=True):
        image = scene.image
        if image is None or (with_camera_pose and scene.camera_pose is None):
            continue
        found = lift(scene, people, scene.camera_pose if with_camera_pose else None)
        if image.sequence:
            tracker, smoother = trackers.setdefault(image.sequence, (Tracker(), Smoother()))
            tracked = tracker.update(found, image.time_s)
            found = smoother.smooth(tracked, tracker.stamp_s).people
        enough = people.detected.sum(axis=1) >= MIN_KEYPOINTS
        counted = scene.visible.sum(axis=1) >= min_visible
        pairs = [(i, j) for i, j in match(image, people.xy_px).found if enough[j]]
        _add(rows, scene, pairs, found, counted)
    return rows


def _add(
    rows: dict[str, Row],
    scene: Scene,
    pairs: list[tuple[int, int]],
    found: People3D,
    counted: NDArray[np.bool_] | None = None,
) -> None:
    """Add the errors of (labelled, detected) pairs to the row of the scene's group.

    `counted`: which ``(N,)`` of the labelled people count; all by default.
    """
    counts = np.isfinite(scene.xyz_m[:, ROOT, 0])
    counts &= True if counted is None else counted
    row = rows.get(scene.group, Row([], 0))
    pairs = [(i, j) for i, j in pairs if counts[i]]
    errors = [pose_errors(scene.xyz_m[i], found.xyz_m[j], scene.visible[i]) for i, j in pairs]
    measures = (lifting_measures.measure(scene.xyz_m[i], found, j) for i, j in pairs)
    known = tuple(m for m in measures if m is not None)
    rows[scene.group] = Row(
        row.errors + errors, row.people + int(counts.sum()), row.measures + known
    )


def detect(scenes: list[Scene], estimator: PoseEstimator) -> list[People2D]:
    """Detect the people in the images of scenes; none where a scene has no image."""
    nothing = People2D(np.zeros((0, K, 2)), np.zeros((0, K)), np.zeros(0))
    detected = []
    for scene in scenes:
        if scene.image is None:
            detected.append(nothing)
            continue
        people = estimator.estimate(read_bgr(scene.image.path), scene.intrinsics)
        detected.append(people.people_2d)
    return detected


def in_recordings(folder: Path, network: LiftingNetwork) -> dict[str, dict[str, Row]]:
    """Compute errors in recorded network outputs: by location maps, and by the lifting network.

    Both lift the same 2D people. The recordings' location maps are simulated, with the noise that
    their makers gave them.
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
        _add(table['location maps'], scene, pairs, by_maps)
        _add(table['network'], scene, pairs, by_network)
    return table


def by_network(network: LiftingNetwork, assumed_person_height_m: float) -> Lift:
    """Return a function that lifts with the network."""

    def lift(scene: Scene, people: People2D, camera_pose: CameraPose | None) -> People3D:
        return network.lift_people(people, scene.intrinsics, assumed_person_height_m, camera_pose)

    return lift


def all_people(rows: dict[str, Row]) -> Row:
    """Join the rows of all groups."""
    return Row(
        [e for row in rows.values() for e in row.errors],
        sum(r.people for r in rows.values()),
        tuple(m for row in rows.values() for m in row.measures),
    )


def print_rows(title: str, by: str, rows: dict[str, Row]) -> None:
    """Print a line for each group: errors in mm; root distance in per cent, median / mean."""
    for group, row in rows.items():
        known = [e for e in row.errors if np.isfinite(e.root_relative)]
        cells = ['-'] * (len(COLUMNS) + 1)
        if known:
            columns = [np.array([getattr(e, name) for e in known]) for name in COLUMNS]
            cells = [_cell_mm(column) for column in columns]
            share = np.array([e.root_distance_share for e in known])
            cells.append(f'{100 * np.median(share):.1f} / {100 * share.mean():.1f}')
        print(f'| {group} | {title} | {by} | {len(known)}/{row.people} | {" | ".join(cells)} |')


def mean_mm(errors_m: Sequence[float] | Array) -> float:
    """Return the mean of errors in m over those that are known, mm; NaN if none is."""
    known = np.asarray(errors_m)[np.isfinite(errors_m)]
    return float(1000 * known.mean()) if len(known) else float('nan')


def _cell_mm(errors_m: Array) -> str:
    mean = mean_mm(errors_m)
    return f'{mean:.0f}' if np.isfinite(mean) else '-'


def main(argv: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add: Callable[..., Any] = parser.add_argument
    add('--data', type=Path, default=Path('../shared/data'), help='(default: %(default)s)')
    add('--model', help=f'2D network (default: {DEFAULT_NETWORK} in the data)')
    size = "H alone: the width follows each image (default: the network's)"
    add('--input-size', type=int, nargs='+', metavar='PX', help=f'H W; {size}')
    add('--lifting-model', help='(default: the bundled one)')
    add('--golden', type=Path, metavar='FOLDER', help='recorded outputs, as of benchmark.golden')
    add('--assumed-height', type=float, default=1.7, metavar='M', help='(default: %(default)s)')
    add('--seed', type=int, default=0, help='of the noise (default: %(default)s)')
    args = parser.parse_args(argv)
    network = LiftingNetwork(*([args.lifting_model] if args.lifting_model else []))
    lift = by_network(network, args.assumed_height)
    scenes = read_scenes(args.data / 'real')
    print(
        '| people of | keypoints | by | people | MPJPE | visible alone | one scale | PA-MPJPE |',
        end='',
    )
    print(' root |\n|---|---|---|---|---|---|---|---|---|')
    tables = {c.title: in_labels(scenes, c, lift, args.seed) for c in CONDITIONS}
    for title, rows in tables.items():
        print_rows(title, 'network', rows)
    _print_baselines(scenes)
    model = args.model or args.data / DEFAULT_NETWORK
    estimator = PoseEstimator(model, 'CPU', input_hw=input_size(args.input_size), precision='f32')
    detections = detect(scenes, estimator)
    for title, options in DETECTED.items():
        rows = in_detections(scenes, detections, lift, *options)
        tables[title] = {**rows, 'all': all_people(rows)}
        print_rows(title, 'network', tables[title])
    if args.golden:
        for by, rows in in_recordings(args.golden, network).items():
            print_rows('grouped', by, rows)
    print(f'\n{lifting_measures.HEADER}')
    for title, rows in tables.items():
        for group, row in rows.items():
            cells = lifting_measures.cells(row.measures)
            print(f'| {group} | {title} | {len(row.measures)} | {" | ".join(cells)} |')
    print('\n| acceleration, m/s2 | pose, lifted | smoothed | root, lifted | smoothed |')
    print('|---|---|---|---|---|')
    for condition in (c for c in CONDITIONS if c.title in ACCELERATIONS):
        off = lifting_measures.acceleration_errors(scenes, condition, lift, args.seed)
        print(f'| {condition.title} | {" | ".join(f"{v:.1f}" for v in off.ravel())} |')
    _print_proportions(scenes)


def _print_proportions(scenes: list[Scene]) -> None:
    print(f'\n| median, m | {" | ".join(proportions.NAMES)} |')
    print(f'|---|{"---|" * len(proportions.NAMES)}')
    for group in dict.fromkeys(scene.group for scene in scenes):
        keypoints_m = [scene.xyz_m for scene in scenes if scene.group == group]
        columns = proportions.proportions(np.concatenate(keypoints_m)).T
        known = [column[np.isfinite(column)] for column in columns]
        cells = [f'{np.median(some):.2f}' if len(some) else '-' for some in known]
        print(f'| {group} | {" | ".join(cells)} |')


def _print_baselines(scenes: list[Scene]) -> None:
    if not POSES.exists():
        return
    poses = read_poses()
    labelled = CONDITIONS[0]
    mean = by_mean_pose(mean_pose(poses))
    print_rows(labelled.title, 'mean pose, turned by the truth', in_labels(scenes, labelled, mean))
    neighbour = by_nearest_neighbour(NearestNeighbour(poses))
    print_rows(labelled.title, 'nearest neighbour', in_labels(scenes, labelled, neighbour))


if __name__ == '__main__':
    main()
