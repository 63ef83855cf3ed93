"""People in images against labels: average precision, PCK, people found and false people."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.evaluation.oks import (
    AREA_OF_BOX,
    COCO,
    SIGMAS,
    Labels,
    count_correct_keypoints,
    match,
)
from pose3d_ros.people import K, People2D

Array = NDArray[np.float64]

# Coordinate that stands for a keypoint that was not detected: COCO's evaluation has no NaN.
FAR_PX = -1e5
# Title of the table row, by the beginning of an image's group; other groups have their own row.
ROWS = {
    'coco': 'coco',
    'mpii': 'mpii, crowdpose, aic, mhp', 'crowdpose': 'mpii, crowdpose, aic, mhp',
    'aic': 'mpii, crowdpose, aic, mhp', 'mhp': 'mpii, crowdpose, aic, mhp',
    'h36m': 'h36m, 3dhp', 'mpi_inf_3dhp': 'h36m, 3dhp',
    'ochuman': 'hard: ochuman, posetrack18', 'posetrack18': 'hard: ochuman, posetrack18',
    'panoptic': 'panoptic', 'pose2sim': 'pose2sim',
}  # fmt: skip


class Counts(NamedTuple):
    """People and keypoints of some images.

    Parameters
    ----------
    people, found, false
        Labelled people, those found, and detections that are no person.
    keypoints, correct
        Labelled keypoints of COCO, and those correct by PCK.
    """

    people: int
    found: int
    false: int
    keypoints: int
    correct: int


def row_title(group: str) -> str:
    """Return the title of the row in which an image of `group` counts."""
    return next((title for start, title in ROWS.items() if group.startswith(start)), group)


def average_precision(labels: Sequence[Labels], detected: Sequence[People2D]) -> tuple[float, ...]:
    """Compute COCO's AP, AP50, AP75 and AR; NaN where no people are labelled.

    Ignored regions are COCO's crowds: a detection in one of them is not false.
    """
    from pycocotools.coco import COCO as Annotations
    from pycocotools.cocoeval import COCOeval

    def annotations(entries: list[dict[str, Any]]) -> Any:
        coco = Annotations()
        coco.dataset = {
            'images': [{'id': i} for i in range(len(labels))],
            'categories': [{'id': 1, 'name': 'person'}],
            'annotations': [{'id': i + 1, 'category_id': 1, **e} for i, e in enumerate(entries)],
        }
        coco.createIndex()
        return coco

    true, results = [], []
    unlabelled = np.full((K, 2), np.nan)
    for image, (truth, people) in enumerate(zip(labels, detected, strict=True)):
        for xy, box in zip(truth.xy_px, truth.boxes, strict=True):
            true.append(_coco_entry(image, xy, box))
        true += [{**_coco_entry(image, unlabelled, b), 'iscrowd': 1} for b in truth.ignore]
        for xy, score in zip(people.xy_px, people.score.tolist(), strict=True):
            results.append({**_coco_entry(image, xy, np.ones(4)), 'score': score})
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(annotations(true), annotations(results), 'keypoints')
        evaluation.params.kpt_oks_sigmas = SIGMAS
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return tuple(float(s) if s >= 0 else float('nan') for s in evaluation.stats[[0, 1, 2, 5]])


def _coco_entry(image: int, xy_px: Array, box: Array) -> dict[str, Any]:
    known = np.isfinite(xy_px[COCO, :1])
    keypoints = np.hstack([np.where(known, xy_px[COCO], FAR_PX), 2 * known])
    return {
        'image_id': image,
        'keypoints': keypoints.ravel().tolist(),
        'num_keypoints': int(known.sum()),
        'bbox': box.tolist(),
        'area': float(AREA_OF_BOX * box[2] * box[3]),
        'iscrowd': 0,
    }


def count(labels: Sequence[Labels], detected: Sequence[People2D]) -> Counts:
    """Count people and keypoints over some images."""
    total = np.zeros(len(Counts._fields), int)
    for truth, people in zip(labels, detected, strict=True):
        matched = match(truth, people.xy_px)
        total += (
            len(truth.xy_px),
            len(matched.found),
            len(matched.false),
            int(np.isfinite(truth.xy_px[:, COCO, 0]).sum()),
            count_correct_keypoints(truth, matched.pairs, people.xy_px),
        )
    return Counts(*total.tolist())


def table_row(labels: Sequence[Labels], detected: Sequence[People2D]) -> str:
    """Return the cells of the 2D table for some images."""
    c = count(labels, detected)
    pck = f'{c.correct}/{c.keypoints} ({c.correct / max(c.keypoints, 1):.2f})'
    precision = [f'{value:.3f}' for value in average_precision(labels, detected)]
    return ' | '.join([str(len(labels)), f'{c.found}/{c.people}', str(c.false), pck, *precision])


def print_table(
    groups: Sequence[str], labels: Sequence[Labels], detected: Sequence[People2D]
) -> None:
    """Print the 2D table: a row for each kind of images, by their groups, and one for all."""
    print('| images of | images | found | false | PCK | AP | AP50 | AP75 | AR |')
    print('|---|---|---|---|---|---|---|---|---|')
    titles = [row_title(group) for group in groups]
    for title in dict.fromkeys([*titles, 'all']):
        rows = [i for i, t in enumerate(titles) if title in (t, 'all')]
        print(f'| {title} | {table_row([labels[i] for i in rows], [detected[i] for i in rows])} |')
