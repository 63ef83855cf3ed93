"""3D errors of people in images and in recorded network outputs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark import golden
from benchmark.accuracy_2d import row_title
from pose3d_ros.evaluation.annotations import LabelledImage
from pose3d_ros.evaluation.oks import match
from pose3d_ros.evaluation.pose_errors import PoseErrors, pose_errors
from pose3d_ros.people import People3D

# Columns of the table, fields of `PoseErrors`.
COLUMNS = {
    'MPJPE': 'mpjpe',
    'root-relative': 'root_relative',
    'PA-MPJPE': 'procrustes',
    'Frobenius norm / number': 'frobenius_by_number',
    'distance of the root': 'root_distance',
}


def in_images(
    images: Sequence[LabelledImage], detected: Sequence[People3D]
) -> dict[str, list[PoseErrors]]:
    """Compute the errors of people found in images with true 3D positions, by row of the table."""
    errors: dict[str, list[PoseErrors]] = {}
    for image, people in zip(images, detected, strict=True):
        if image.intrinsics is None or not np.isfinite(image.xyz_m).any():
            continue
        errors.setdefault(row_title(image.group), []).extend(
            pose_errors(image.xyz_m[i], people.xyz_m[j])
            for i, j in match(image, people.people_2d.xy_px).found
        )
    return errors


def in_recordings(folder: Path) -> dict[str, list[PoseErrors]]:
    """Compute the errors of this package and of the published implementation.

    Both decode recorded network outputs whose true positions are known exactly.
    """
    errors: dict[str, list[PoseErrors]] = {}
    for frame in golden.frames(folder):
        kind = 'sequences' if frame.category == 'sequence' else 'static scenes'
        a = frame.arrays
        true_px = np.where(a['gt_vis'][..., None], a['gt_2d'], np.nan)[:, golden.BODY]
        people = frame.estimate()
        ours = people.people_2d.xy_px + 0.5, people.xyz_m
        xy_px, xyz_cm = golden.reference(frame)
        published = xy_px, xyz_cm[:, golden.TO_OURS] / 100
        gate_px = golden.MATCH_PX / float(a['input_scale'])
        for name, (found_px, found_m) in {'ours': ours, 'published': published}.items():
            errors.setdefault(f'{kind}, {name}', []).extend(
                pose_errors(a['gt_3d'][i][golden.TO_OURS] / 100, found_m[j])
                for i, j in golden.matches(true_px, found_px[:, golden.BODY], gate_px)
            )
    return errors


def print_table(errors: dict[str, list[PoseErrors]]) -> None:
    """Print mean / median over people, cm."""
    print(f'| people of | people | {" | ".join(COLUMNS)} |')
    print('|---|---|---|---|---|---|---|')
    for title, people in errors.items():
        known = [e for e in people if np.isfinite(e.mpjpe)]
        cells = []
        for field in COLUMNS.values():
            column_cm = 100 * np.array([getattr(e, field) for e in known])
            cells.append(_mean_median(column_cm[np.isfinite(column_cm)]))
        print(f'| {title} | {len(known)} | {" | ".join(cells)} |')


def _mean_median(values: NDArray[np.float64]) -> str:
    return f'{values.mean():.1f} / {np.median(values):.1f}' if len(values) else '-'
