"""3D errors of people: the usual ones, and the published formula under a name of its own."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark import accuracy_2d, golden
from pose3d_ros.evaluation.oks import match
from pose3d_ros.people import People3D
from pose3d_ros.skeleton import PANOPTIC19

Array = NDArray[np.float64]

ROOT = PANOPTIC19.index(PANOPTIC19.root)


class Errors(NamedTuple):
    """Of one person, m, over the keypoints of which both positions are known. NaN: too few.

    Parameters
    ----------
    mpjpe
        Mean distance of a keypoint from where it is, in the camera frame.
    root_relative
        The same with both roots put on each other; the root itself does not count.
    procrustes
        The same after the best rotation, scale and shift (PA-MPJPE).
    frobenius_by_number
        Frobenius norm of all differences divided by the number of keypoints: what the accuracy
        checker of Open Model Zoo prints as MPJPE (`mpjpe_multiperson`). 0.1 m at each of 18
        keypoints is 0.0236 m there.
    distance
        Error of the root's distance from the camera.
    """

    mpjpe: float
    root_relative: float
    procrustes: float
    frobenius_by_number: float
    distance: float


def person_errors(true_m: Array, found_m: Array) -> Errors:
    """Errors of one person, ``(K, 3)`` m in the camera optical frame both. NaN: not known."""
    known = np.asarray(np.isfinite(true_m + found_m).all(axis=1))
    if not known.any():
        return Errors(*[float('nan')] * 5)
    difference_m = (found_m - true_m)[known]
    others = known & (np.arange(len(known)) != ROOT)
    relative_m = ((found_m - found_m[ROOT]) - (true_m - true_m[ROOT]))[others]
    return Errors(
        mpjpe=_mean_length(difference_m),
        root_relative=_mean_length(relative_m),
        procrustes=_mean_length(aligned(found_m[known], true_m[known]) - true_m[known]),
        frobenius_by_number=float(np.linalg.norm(difference_m) / known.sum()),
        distance=float(abs(np.linalg.norm(found_m[ROOT]) - np.linalg.norm(true_m[ROOT]))),
    )


def aligned(points: Array, target: Array) -> Array:
    """Points ``(P, 3)`` after the similarity that brings them nearest to others.

    Umeyama, PAMI 1991, 13(4): 376-380. NaN for fewer than three, which always fit.
    """
    if len(points) < 3:
        return np.full_like(points, np.nan)
    centre, target_centre = points.mean(axis=0), target.mean(axis=0)
    a, b = points - centre, target - target_centre
    u, stretch, vt = np.linalg.svd(b.T @ a)
    proper = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])  # turned, never mirrored
    scale = (stretch * proper).sum() / (a**2).sum()
    return np.asarray(scale * a @ (u * proper @ vt).T + target_centre)


def _mean_length(vectors: Array) -> float:
    return float(np.linalg.norm(vectors, axis=-1).mean()) if len(vectors) else float('nan')


def in_images(truths: list[accuracy_2d.Truth], found: list[People3D]) -> dict[str, list[Errors]]:
    """Errors of the people who were found in images with 3D truth, by row of the table."""
    errors: dict[str, list[Errors]] = {}
    for truth, people in zip(truths, found, strict=True):
        if truth.intrinsics is None or not np.isfinite(truth.xyz_m).any():
            continue
        errors.setdefault(truth.row, []).extend(
            person_errors(truth.xyz_m[i], people.xyz_m[j])
            for i, j in match(truth, people.people_2d.xy_px).found
        )
    return errors


def in_recordings(folder: Path) -> dict[str, list[Errors]]:
    """Ours and the published implementation's, of recorded network outputs with exact truth."""
    errors: dict[str, list[Errors]] = {}
    for frame in golden.frames(folder):
        kind = 'sequences' if frame.category == 'sequence' else 'static scenes'
        a = frame.arrays
        true_px = np.where(a['gt_vis'][..., None], a['gt_2d'], np.nan)[:, golden.BODY]
        people = frame.estimate()
        ours = people.people_2d.xy_px + 0.5, people.xyz_m
        xy_px, xyz_cm = golden.reference(frame)
        theirs = xy_px, xyz_cm[:, golden.TO_OURS] / 100
        gate_px = golden.MATCH_PX / float(a['input_scale'])
        for name, (found_px, found_m) in {'ours': ours, 'published': theirs}.items():
            errors.setdefault(f'{kind}, {name}', []).extend(
                person_errors(a['gt_3d'][i][golden.TO_OURS] / 100, found_m[j])
                for i, j in golden.matches(true_px, found_px[:, golden.BODY], gate_px)
            )
    return errors


def print_table(errors: dict[str, list[Errors]]) -> None:
    """Print mean / median over people, cm."""
    print('| people of | people | MPJPE | root-relative | PA-MPJPE |', end='')
    print(' Frobenius norm / number | distance of the root |')
    print('|---|---|---|---|---|---|---|')
    for title, people in errors.items():
        table_cm = 100 * np.array([e for e in people if np.isfinite(e.mpjpe)]).reshape(-1, 5)
        columns = [c[np.isfinite(c)] for c in table_cm.T]
        cells = [f'{c.mean():.1f} / {np.median(c):.1f}' if len(c) else '-' for c in columns]
        print(f'| {title} | {len(table_cm)} | {" | ".join(cells)} |')
