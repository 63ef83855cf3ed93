"""Evaluate the lifting network on sampled people that it was not trained on.

    python -m training.lifting.evaluate [--model lifting.xml]

The results are those of the package, placement included. `python -m benchmark.lifting` evaluates
it on real people.
"""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import CameraPose, Intrinsics
from pose3d_ros.evaluation import proportions
from pose3d_ros.lifting.lifting_network import BUNDLED, LiftingNetwork
from pose3d_ros.lifting.person_view import UNIT_HEIGHT_M, CameraPoses
from pose3d_ros.people import People2D
from pose3d_ros.skeleton import PANOPTIC19
from training.bodies import BodyModel
from training.lifting import samples

SEED = 7
SHAPES, PEOPLE = 2000, 10_000
# Least height of adults, m.
ADULT_M = 1.5
# Its pixels are rays.
CAMERA = Intrinsics(1, 1, 0, 0)
ROOT = PANOPTIC19.index(PANOPTIC19.root)
# The 90 % quantile of a chi-squared distribution with three degrees of freedom.
NINE_TENTHS = 6.25


def errors(network: LiftingNetwork, views: samples.Views) -> NDArray[np.floating]:
    """Compute the errors of each person, ``(n, 4)``.

    Mean distance of keypoints relative to the root, m; error of the root's distance, as a share;
    share of keypoints within two standard deviations along every axis; whether the root lies in
    its 90 % ellipsoid.
    """
    people = People2D(views.rays.astype(float), views.scores, np.ones(len(views.rays)))
    found = network.lift_people(people, CAMERA, UNIT_HEIGHT_M, _camera_pose(views))
    truth_m = views.xyz_m
    off_m = (found.xyz_m - found.xyz_m[:, [ROOT]]) - (truth_m - truth_m[:, [ROOT]])
    assert found.sd_m is not None
    within = (np.abs(off_m) < 2 * found.sd_m[..., np.newaxis]).all(-1)
    apart_m = found.xyz_m[:, ROOT] - truth_m[:, ROOT]
    placed = np.isfinite(found.root_covariance_m2).all((1, 2))
    inverse = np.linalg.inv(np.where(placed[:, None, None], found.root_covariance_m2, np.eye(3)))
    squared = (apart_m[:, np.newaxis] @ inverse @ apart_m[..., np.newaxis])[:, 0, 0]
    distance_m = np.linalg.norm(truth_m[:, ROOT], axis=1)
    share = np.abs(np.linalg.norm(found.xyz_m[:, ROOT], axis=1) / distance_m - 1)
    others = np.arange(len(PANOPTIC19)) != ROOT
    return np.stack(
        [
            np.linalg.norm(off_m, axis=-1)[:, others].mean(1),
            share,
            within[:, others].mean(1),
            np.where(placed, squared < NINE_TENTHS, np.nan),
        ],
        axis=1,
    )


def _camera_pose(views: samples.Views) -> CameraPose | None:
    """Return the camera's pose in a view of one person; None: unknown."""
    pose = views.camera_poses
    if len(pose.up) != 1 or np.isnan(pose.up).any():
        return None
    return CameraPose(
        pose.up[0], float(pose.height[0]), float(pose.up_sd_rad[0]), float(pose.height_sd[0])
    )


def _one(views: samples.Views, i: int) -> samples.Views:
    """Return the view of one person."""
    poses = views.camera_poses
    pose = CameraPoses(*(getattr(poses, f.name)[[i]] for f in fields(poses)))
    others = (f.name for f in fields(views) if f.name != 'camera_poses')
    arrays = {name: getattr(views, name)[[i]] for name in others}
    return samples.Views(camera_poses=pose, **arrays)


def main(argv: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--model', type=Path, default=BUNDLED)
    network = LiftingNetwork(parser.parse_args(argv).model)
    rng = np.random.default_rng(SEED)
    shapes = BodyModel().sample(rng, SHAPES)
    people = samples.draw_people(rng, shapes, PEOPLE)
    views = samples.draw_views(rng, people)
    each = [_one(views, i) for i in range(PEOPLE)]
    table = np.concatenate([errors(network, view) for view in each])
    detected = views.scores > 0
    number, poses = detected.sum(1), views.camera_poses
    height_known = np.isfinite(poses.height)
    known = height_known & (poses.height_sd == 0)
    certain = np.where(detected, views.scores, 1).min(1) == 1
    groups = {
        'all scores 1, 16 or more keypoints': certain & (number >= 16),
        'the same, camera pose known': certain & (number >= 16) & known,
        'the same, camera pose estimated': certain & (number >= 16) & height_known & ~known,
        'the same, adults': certain & (number >= 16) & (views.height_m > ADULT_M),
        'other scores, 16 or more': ~certain & (number >= 16),
        '8 to 15': (number >= 8) & (number < 16),
        '3 to 7': (number >= 3) & (number < 8),
    }
    print('| people | number | MPJPE mm | root off by | within 2 sd | root in its ellipsoid |')
    print('|---|---|---|---|---|---|')
    for title, rows in groups.items():
        some = table[rows & np.isfinite(table[:, 0])]
        off_mm, median = 1000 * some[:, 0].mean(), 100 * np.median(some[:, 1])
        print(f'| {title} | {len(some)} | {off_mm:.1f} | {median:.1f} % |', end='')
        print(f' {some[:, 2].mean():.3f} | {np.nanmean(some[:, 3]):.3f} |')
    _print_proportions(people)


def _print_proportions(people: samples.People) -> None:
    adults = proportions.proportions(people.keypoints_m[people.height_m > ADULT_M])
    print(f'\n| adults, m | {" | ".join(proportions.NAMES)} |')
    print(f'|---|{"---|" * len(proportions.NAMES)}')
    for share in (0.05, 0.5, 0.95):
        quantiles = np.quantile(adults, share, axis=0)
        print(f'| {100 * share:.0f} % | {" | ".join(f"{q:.2f}" for q in quantiles)} |')


if __name__ == '__main__':
    main()
