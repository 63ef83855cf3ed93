"""Track ids against labels, compared with a frame-to-frame matcher without memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import Intrinsics
from pose3d_ros.estimator import PoseEstimator
from pose3d_ros.evaluation import oks
from pose3d_ros.evaluation.annotations import LabelledImage
from pose3d_ros.people import People3D
from pose3d_ros.sources.open_source import open_source
from pose3d_ros.sources.playback import frames
from pose3d_ros.tracking.appearance import describe
from pose3d_ros.tracking.tracker import Tracker

Array = NDArray[np.float64]

METRICS = (
    'mota',
    'idf1',
    'num_switches',
    'num_fragmentations',
    'num_misses',
    'num_false_positives',
)


@dataclass(frozen=True)
class TrackedImage:
    """One image of a sequence with N labelled and M detected people.

    Parameters
    ----------
    time_s
        Time of the image.
    true_ids
        Ids of the labelled people.
    people
        The detected people.
    distance
        ``(N, M)`` in [0, 1]. NaN: the two cannot be the same person.
    counts
        ``(M,)``, false for detections in an ignored region.
    colours
        ``(M, PARTS, BINS)``, see ``appearance.describe``. None: unknown.
    """

    time_s: float
    true_ids: list[int]
    people: People3D
    distance: Array
    counts: NDArray[np.bool_]
    colours: Array | None = None


class FrameToFrameMatcher:
    """Baseline: give each person the id of the most similar person in the previous image.

    Similarity is OKS over the keypoints detected in both images. A person missed once gets a new
    id.
    """

    def __init__(self) -> None:
        self._xy_px = np.zeros((0, 0, 2))
        self._ids: list[int] = []
        self._next_id = 0

    def update(self, people: People3D) -> list[int]:
        """Return an id for each person of the next image."""
        xy_px = people.people_2d.xy_px
        ids = [-1] * len(people)
        if self._ids and ids:
            boxes = oks.bounding_boxes(self._xy_px)
            areas_px2 = oks.AREA_OF_BOX * boxes[:, 2:].prod(axis=1)
            of_keypoints = oks.keypoint_similarity(self._xy_px, areas_px2, xy_px)
            common = np.isfinite(of_keypoints).sum(axis=-1)
            similarity = np.nansum(of_keypoints, axis=-1) / np.maximum(common, 1)
            for i, j in oks.greedy_pairs(similarity):
                if similarity[i, j] >= oks.FOUND_OKS:
                    ids[j] = self._ids[i]
        for j, matched in enumerate(ids):
            if matched < 0:
                ids[j] = self._next_id
                self._next_id += 1
        self._xy_px, self._ids = xy_px, ids
        return ids


def in_sequences(
    images: Sequence[LabelledImage], detected: Sequence[People3D]
) -> Iterator[tuple[str, list[TrackedImage]]]:
    """Yield each sequence of labelled images, with distances by OKS."""
    for name in dict.fromkeys(image.sequence for image in images if image.sequence):
        sequence = []
        for image, people in zip(images, detected, strict=True):
            if image.sequence != name:
                continue
            xy_px = people.people_2d.xy_px
            similarity = oks.oks(image, xy_px)
            distance = np.where(similarity >= oks.FOUND_OKS, 1 - similarity, np.nan)
            near = np.asarray(np.isfinite(distance).any(axis=0))
            counts = near | ~oks.in_ignored_region(image, xy_px)
            sequence.append(TrackedImage(image.time_s, image.ids, people, distance, counts))
        yield name, sorted(sequence, key=lambda one: one.time_s)


def in_videos(
    folder: Path, estimator: PoseEstimator, every: int
) -> Iterator[tuple[str, list[TrackedImage]]]:
    """Yield every Nth image of videos with boxes of people, NAME_gt_mot15.txt."""
    for labels in sorted(folder.glob('*_gt_mot15.txt')):
        name = labels.name.removesuffix('_gt_mot15.txt')
        rows = np.loadtxt(labels, delimiter=',', usecols=range(7), ndmin=2)
        rows = rows[rows[:, 6] > 0]
        source = next(p for p in folder.glob(f'{name}.*') if p != labels)
        images = []
        for i, (time_s, bgr) in enumerate(frames(open_source(str(source)))):
            if i % every:
                continue
            intrinsics = Intrinsics.guess(bgr.shape[1], bgr.shape[0])
            people = estimator.estimate(bgr, intrinsics)
            now = rows[rows[:, 0] == i + 1]
            distance = distance_in_boxes(now[:, 2:6], people.people_2d.xy_px)
            counts = np.ones(len(people), bool)
            true_ids = now[:, 1].astype(int).tolist()
            colours = describe(bgr, people.people_2d)
            images.append(TrackedImage(time_s, true_ids, people, distance, counts, colours))
        yield name, images


def distance_in_boxes(boxes: Array, xy_px: Array) -> Array:
    """Return the distance of people ``(M, K, 2)`` from the centres of boxes ``(N, 4)``, (N, M).

    0 in the centre, 1 at the edge, NaN outside. The overlap of boxes is no measure here: keypoints
    end at eyes and ankles, and often only half of a person is detected, so the box of the right
    person would often overlap too little.
    """
    offset_px = oks.box_centres(xy_px) - (boxes[:, :2] + boxes[:, 2:] / 2)[:, None]
    distance = np.abs(offset_px / (boxes[:, 2:] / 2)[:, None]).max(axis=-1)
    return np.where(distance <= 1, distance, np.nan)


def print_table(sequences: Iterator[tuple[str, list[TrackedImage]]]) -> None:
    """Print the metrics of both trackers, by py-motmetrics."""
    print(
        '| sequence | images | people | tracker | MOTA | IDF1 | switches | fragmentations |',
        end='',
    )
    print(' missed | false | ids assigned |')
    print('|---|---|---|---|---|---|---|---|---|---|---|')
    for name, images in sequences:
        people = len({i for image in images for i in image.true_ids})
        for title, ids in (('ours', _track(images)), ('frame to frame', _baseline(images))):
            print(f'| {name} | {len(images)} | {people} | {title} | ', end='')
            print(' | '.join(metrics(images, ids)), '|')


def _track(images: list[TrackedImage]) -> list[list[int]]:
    tracker = Tracker()
    return [
        tracker.update(image.people, image.time_s, image.colours).track_id.tolist()
        for image in images
    ]


def _baseline(images: list[TrackedImage]) -> list[list[int]]:
    tracker = FrameToFrameMatcher()
    return [tracker.update(image.people) for image in images]


def metrics(images: list[TrackedImage], found_ids: list[list[int]]) -> list[str]:
    """Return cells of the table: METRICS, and the number of ids assigned."""
    import motmetrics

    accumulator: Any = motmetrics.MOTAccumulator(auto_id=True)
    assigned: set[int] = set()
    for image, all_ids in zip(images, found_ids, strict=True):
        ids = np.array(all_ids, int)[image.counts]
        assigned |= set(ids.tolist())
        accumulator.update(image.true_ids, ids.tolist(), image.distance[:, image.counts])
    table = motmetrics.metrics.create().compute(accumulator, metrics=METRICS, name='all')
    mota, idf1, *counts = (table[metric].iloc[0] for metric in METRICS)
    return [
        f'{mota:.3f}',
        f'{idf1:.3f}',
        *(str(int(count)) for count in counts),
        str(len(assigned)),
    ]
