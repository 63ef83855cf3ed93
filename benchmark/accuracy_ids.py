"""Ids of people over time against labels, beside those of a matcher without memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark import accuracy_2d
from pose3d_ros.camera import Intrinsics
from pose3d_ros.estimator import PoseEstimator
from pose3d_ros.evaluation import oks
from pose3d_ros.people import People3D
from pose3d_ros.sources.open_source import open_source
from pose3d_ros.sources.playback import frames
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
class Image:
    """One image of a sequence: N true people and M found.

    Parameters
    ----------
    time_s
        When it was taken.
    true_ids
        Who the N are.
    people
        Who was found.
    apart
        ``(N, M)`` 0 to 1. NaN: these two cannot be one person.
    counts
        ``(M,)``, false for who is found where others than the N are.
    """

    time_s: float
    true_ids: list[int]
    people: People3D
    apart: Array
    counts: NDArray[np.bool_]


class FrameToFrame:
    """The baseline: whoever looks most like somebody of the image before, and nothing else.

    By object keypoint similarity over the keypoints seen in both; who is missed once is new.
    """

    def __init__(self) -> None:
        self._xy_px = np.zeros((0, 0, 2))
        self._ids: list[int] = []
        self._next_id = 0

    def update(self, people: People3D) -> list[int]:
        """Give each person an id."""
        xy_px = people.people_2d.xy_px
        ids = [-1] * len(people)
        if self._ids and ids:
            boxes = np.array([oks.box(xy) for xy in self._xy_px])
            areas_px2 = oks.AREA_OF_BOX * boxes[:, 2:].prod(axis=1)
            alike = oks.similarities(self._xy_px, areas_px2, xy_px)
            common = np.isfinite(alike).sum(axis=-1)
            similarity = np.nansum(alike, axis=-1) / np.maximum(common, 1)
            for i, j in oks.pairs(similarity):
                if similarity[i, j] >= oks.FOUND_OKS:
                    ids[j] = self._ids[i]
        for j, found in enumerate(ids):
            if found < 0:
                ids[j] = self._next_id
                self._next_id += 1
        self._xy_px, self._ids = xy_px, ids
        return ids


def in_sequences(
    truths: list[accuracy_2d.Truth], found: list[People3D]
) -> Iterator[tuple[str, list[Image]]]:
    """Sequences of labelled images; by object keypoint similarity."""
    for name in dict.fromkeys(t.sequence for t in truths if t.sequence):
        images = []
        for truth, people in zip(truths, found, strict=True):
            if truth.sequence != name:
                continue
            xy_px = people.people_2d.xy_px
            alike = oks.oks(truth, xy_px)
            apart = np.where(alike >= oks.FOUND_OKS, 1 - alike, np.nan)
            counts = np.asarray(np.isfinite(apart).any(axis=0) | ~oks.ignored(truth, xy_px))
            images.append(Image(truth.time_s, truth.ids, people, apart, counts))
        yield name, sorted(images, key=lambda image: image.time_s)


def in_videos(
    folder: Path, estimator: PoseEstimator, every: int
) -> Iterator[tuple[str, list[Image]]]:
    """Every Nth image of videos with boxes of people, NAME_gt_mot15.txt."""
    for labels in sorted(folder.glob('*_gt_mot15.txt')):
        name = labels.name.removesuffix('_gt_mot15.txt')
        rows = np.loadtxt(labels, delimiter=',', usecols=range(7), ndmin=2)
        rows = rows[rows[:, 6] > 0]
        source = next(p for p in folder.glob(f'{name}.*') if p != labels)
        images = []
        for i, (time_s, bgr) in enumerate(frames(open_source(str(source)))):
            if i % every:
                continue
            camera = Intrinsics.guess(bgr.shape[1], bgr.shape[0])
            people = estimator.estimate(bgr, camera)
            now = rows[rows[:, 0] == i + 1]
            apart = apart_in_boxes(now[:, 2:6], people.people_2d.xy_px)
            everybody = np.ones(len(people), bool)
            images.append(Image(time_s, now[:, 1].astype(int).tolist(), people, apart, everybody))
        yield name, images


def apart_in_boxes(boxes: Array, xy_px: Array) -> Array:
    """How far people ``(M, K, 2)`` are from the middle of boxes ``(N, 4)``: ``(N, M)``.

    0 in the middle, 1 at the edge, NaN outside. Not by how much boxes overlap: keypoints end at
    eyes and ankles, and often only half of somebody is seen, so the box of the right person would
    often overlap too little.
    """
    offset_px = oks.centres(xy_px) - (boxes[:, :2] + boxes[:, 2:] / 2)[:, None]
    apart = np.abs(offset_px / (boxes[:, 2:] / 2)[:, None]).max(axis=-1)
    return np.where(apart <= 1, apart, np.nan)


def print_table(sequences: Iterator[tuple[str, list[Image]]]) -> None:
    """Print what motmetrics says of both trackers."""
    print(
        '| sequence | images | people | tracker | MOTA | IDF1 | switches | fragmentations |',
        end='',
    )
    print(' missed | false | ids given |')
    print('|---|---|---|---|---|---|---|---|---|---|---|')
    for name, images in sequences:
        people = len({i for image in images for i in image.true_ids})
        for title, ids in (('ours', _ours(images)), ('frame to frame', _baseline(images))):
            print(f'| {name} | {len(images)} | {people} | {title} | ', end='')
            print(' | '.join(figures(images, ids)), '|')


def _ours(images: list[Image]) -> list[list[int]]:
    tracker = Tracker()
    return [tracker.update(image.people, image.time_s).track_id.tolist() for image in images]


def _baseline(images: list[Image]) -> list[list[int]]:
    tracker = FrameToFrame()
    return [tracker.update(image.people) for image in images]


def figures(images: list[Image], found_ids: list[list[int]]) -> list[str]:
    """Cells of the table: METRICS, and how many ids were given."""
    import motmetrics  # type: ignore[import-untyped]

    accumulator: Any = motmetrics.MOTAccumulator(auto_id=True)
    given = set()
    for image, all_ids in zip(images, found_ids, strict=True):
        ids = np.array(all_ids, int)[image.counts]
        given |= set(ids.tolist())
        accumulator.update(image.true_ids, ids.tolist(), image.apart[:, image.counts])
    table = motmetrics.metrics.create().compute(accumulator, metrics=METRICS, name='all')
    mota, idf1, *counts = (table[metric].iloc[0] for metric in METRICS)
    return [f'{mota:.3f}', f'{idf1:.3f}', *(str(int(count)) for count in counts), str(len(given))]
