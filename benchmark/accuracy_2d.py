"""People in images against labels: average precision, PCK, people found and false people."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import Intrinsics
from pose3d_ros.evaluation.oks import AREA_OF_BOX, COCO, SIGMAS, Labels, box, match
from pose3d_ros.people import K, People2D
from pose3d_ros.skeleton import PANOPTIC19

Array = NDArray[np.float64]

PCK_SHARE = 0.1  # of the longer side of the person's box
FAR_PX = -1e5  # where COCO's evaluation is told that a keypoint is that was not found
ABBREVIATED = {'sho': 'shoulder', 'elb': 'elbow', 'wri': 'wrist', 'ank': 'ankle'}
SIDES = {'l': 'left', 'r': 'right'}
# Title of the row, by the beginning of an image's group; others have a row of their own.
ROWS = {
    'coco': 'coco',
    'mpii': 'mpii, crowdpose, aic, mhp', 'crowdpose': 'mpii, crowdpose, aic, mhp',
    'aic': 'mpii, crowdpose, aic, mhp', 'mhp': 'mpii, crowdpose, aic, mhp',
    'h36m': 'h36m, 3dhp', 'mpi_inf_3dhp': 'h36m, 3dhp',
    'ochuman': 'hard: ochuman, posetrack18', 'posetrack18': 'hard: ochuman, posetrack18',
    'panoptic': 'panoptic', 'pose2sim': 'pose2sim',
}  # fmt: skip


@dataclass(frozen=True)
class Truth(Labels):
    """What is known of one image beside its labels; N people. NaN: not labelled.

    Parameters
    ----------
    path
        The image.
    row
        Title of the row that it counts in.
    xyz_m
        ``(N, K, 3)``, camera optical frame.
    visible
        ``(N, K)``, what can be seen of it; the others are labelled where they must be.
    intrinsics
        Of the camera; None where they are not known.
    ids, sequence, time_s
        Who is who in images of one name; None where it is a single image.
    """

    path: Path
    row: str
    xyz_m: Array
    visible: NDArray[np.bool_]
    intrinsics: Intrinsics | None
    ids: list[int]
    sequence: str | None
    time_s: float


def read(folder: Path) -> Iterator[Truth]:
    """Read the images of annotations.json."""
    for image in json.loads((folder / 'annotations.json').read_text())['images']:
        people = image['people']
        labels = np.array([points(p['keypoints_2d'], 3) for p in people]).reshape(-1, K, 3)
        xy_px = labels[..., :2]
        xyz_m = np.array([points(p.get('keypoints_3d_cm'), 3) for p in people]) / 100
        boxes = [p.get('bbox') or box(xy) for p, xy in zip(people, xy_px, strict=True)]
        ignore = list(image['ignore_boxes'])
        if not image['all_people_labelled']:
            ignore.append([0, 0, image['width'], image['height']])
        k = image['K']
        group = image['group']
        yield Truth(
            path=folder / image['file'],
            row=next((title for start, title in ROWS.items() if group.startswith(start)), group),
            xy_px=xy_px,
            xyz_m=xyz_m.reshape(-1, K, 3),
            visible=labels[..., 2] == 1,
            boxes=np.array(boxes, float).reshape(-1, 4),
            ignore=np.array(ignore, float).reshape(-1, 4),
            intrinsics=Intrinsics(k[0][0], k[1][1], k[0][2], k[1][2]) if k else None,
            ids=[p.get('id', i) for i, p in enumerate(people)],
            sequence=image.get('sequence'),
            time_s=image.get('time_s', 0.0),
        )


def points(named: dict[str, list[float]] | None, size: int) -> Array:
    """``(K, size)``, by short names (``l_sho``). NaN where a keypoint is not named."""
    values_of = np.full((K, size), np.nan)
    for short, values in (named or {}).items():
        side, _, part = short.rpartition('_')
        part = ABBREVIATED.get(part, part)
        values_of[PANOPTIC19.index(f'{SIDES[side]}_{part}' if side else part)] = values[:size]
    return values_of


def average_precision(truths: list[Truth], found: list[People2D]) -> tuple[float, ...]:
    """AP, AP50, AP75 and AR of COCO, NaN where there is nobody to find.

    Where somebody else is counts as COCO's crowds do: who is found there is not false.
    """
    from pycocotools.coco import COCO as Annotations  # type: ignore[import-untyped]
    from pycocotools.cocoeval import COCOeval  # type: ignore[import-untyped]

    def annotations(entries: list[dict[str, Any]]) -> Any:
        coco = Annotations()
        coco.dataset = {
            'images': [{'id': i} for i in range(len(truths))],
            'categories': [{'id': 1, 'name': 'person'}],
            'annotations': [{'id': i + 1, 'category_id': 1, **e} for i, e in enumerate(entries)],
        }
        coco.createIndex()
        return coco

    true, ours = [], []
    for image, (truth, people) in enumerate(zip(truths, found, strict=True)):
        for xy, one_box in zip(truth.xy_px, truth.boxes, strict=True):
            true.append(_coco_entry(image, xy, one_box))
        nobody = np.full((K, 2), np.nan)
        true += [{**_coco_entry(image, nobody, b), 'iscrowd': 1} for b in truth.ignore]
        for xy, score in zip(people.xy_px, people.score.tolist(), strict=True):
            ours.append({**_coco_entry(image, xy, np.ones(4)), 'score': score})
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(annotations(true), annotations(ours), 'keypoints')
        evaluation.params.kpt_oks_sigmas = SIGMAS
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return tuple(float(s) if s >= 0 else float('nan') for s in evaluation.stats[[0, 1, 2, 5]])


def _coco_entry(image: int, xy_px: Array, one_box: Array) -> dict[str, Any]:
    known = np.isfinite(xy_px[COCO, :1])
    keypoints = np.hstack([np.where(known, xy_px[COCO], FAR_PX), 2 * known])
    return {
        'image_id': image,
        'keypoints': keypoints.ravel().tolist(),
        'num_keypoints': int(known.sum()),
        'bbox': one_box.tolist(),
        'area': float(AREA_OF_BOX * one_box[2] * one_box[3]),
        'iscrowd': 0,
    }


def right(labels: Labels, pairs: list[tuple[int, int]], found_px: Array) -> int:
    """Count the keypoints of COCO that are where they should be, of pairs of people."""
    true, ours = np.array(pairs, int).reshape(-1, 2).T
    apart_px = np.linalg.norm(labels.xy_px[true] - found_px[ours], axis=-1)[:, COCO]
    return int((apart_px <= PCK_SHARE * labels.boxes[true, 2:].max(axis=1, keepdims=True)).sum())


def row_2d(truths: list[Truth], found: list[People2D]) -> str:
    """Cells of the 2D table for some images."""
    people = seen = false = keypoints = near = 0
    for truth, ours in zip(truths, found, strict=True):
        matched = match(truth, ours.xy_px)
        people += len(truth.xy_px)
        seen += len(matched.found)
        false += len(matched.false)
        keypoints += int(np.isfinite(truth.xy_px[:, COCO, 0]).sum())
        near += right(truth, matched.pairs, ours.xy_px)
    figures = [f'{value:.3f}' for value in average_precision(truths, found)]
    pck = f'{near}/{keypoints} ({near / max(keypoints, 1):.2f})'
    return ' | '.join([str(len(truths)), f'{seen}/{people}', str(false), pck, *figures])


def print_table(truths: list[Truth], found: list[People2D]) -> None:
    """Print the 2D table."""
    print('| images of | images | found | false | PCK | AP | AP50 | AP75 | AR |')
    print('|---|---|---|---|---|---|---|---|---|')
    for title in dict.fromkeys([*(t.row for t in truths), 'all']):
        chosen = [i for i, t in enumerate(truths) if title in (t.row, 'all')]
        print(f'| {title} | {row_2d([truths[i] for i in chosen], [found[i] for i in chosen])} |')
