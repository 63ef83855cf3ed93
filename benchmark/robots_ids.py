"""Ids of people who were out of view: real ones of a labelled video, and drawn ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmark import accuracy_ids
from benchmark.accuracy_ids import TrackedImage
from pose3d_ros.camera import Intrinsics
from pose3d_ros.estimator import PoseEstimator
from pose3d_ros.people import K, People2D, People3D, Source
from pose3d_ros.skeleton import PANOPTIC19
from pose3d_ros.tracking import appearance
from pose3d_ros.tracking.tracker import Tracker
from synthetic.scene import people_m

Array = NDArray[np.float64]

NETWORK = 'models/human-pose-estimation-0001-int8/human-pose-estimation-0001.xml'
INPUT_HW = (576, 768)
# Absences: number, range, s, and how long people are seen before and after, s.
TRIALS, AWAY_S, SEEN_S = 40, (1.5, 40.0), 3.0
CAMERA, SIZE_WH, RATE_HZ = Intrinsics(1000, 1000, 639.5, 359.5), (1280, 720), 10
# Colours of clothes, (B, G, R) of the upper body and of the legs.
CLOTHES = (
    ((40, 40, 200), (160, 60, 30)), ((60, 160, 50), (110, 110, 110)),
    ((40, 200, 220), (30, 30, 30)), ((230, 230, 230), (50, 40, 170)),
)  # fmt: skip
PLACES_M = np.array([(-2.1, 0.0, 5.0), (-0.7, 0.0, 6.0), (0.7, 0.0, 5.0), (2.1, 0.0, 6.0)])
LEGS = ('knee', 'ankle')


def print_table(data: Path | None) -> None:
    """Print ids of people who come back and, with data, of the whole video."""
    print('| people | came back | old id | new id | id of another person |')
    print('|---|---|---|---|---|')
    print(_row('drawn', drawn(doubles=False)))
    print(_row('drawn doubles', drawn(doubles=True)))
    if data is None:
        return
    estimator = PoseEstimator(data / NETWORK, 'CPU', input_hw=INPUT_HW, precision='f32')
    videos = list(accuracy_ids.in_videos(data / 'video', estimator, every=1))
    for name, images in videos:
        print(_row(name, in_video(images)))
    for title, confirmed in (('all', False), ('confirmed', True)):
        print(f'\n{title} people of the video, one image in N:\n')
        print('| video | N | MOTA | IDF1 | switches | fragmentations | missed | false | ids |')
        print('|---|---|---|---|---|---|---|---|---|')
        for name, images in videos:
            for every in (1, 2, 8):
                cells = _metrics(images[::every], confirmed)
                print(f'| {name} | {every} | {" | ".join(cells)} |')


def _row(title: str, found: Counter[str]) -> str:
    return f'| {title} | {found.total()} | {found["old"]} | {found["new"]} | {found["another"]} |'


def _metrics(images: Sequence[TrackedImage], confirmed: bool) -> list[str]:
    tracker, counted, ids = Tracker(), [], []
    for image in images:
        tracked = tracker.update(image.people, image.time_s, image.colours)
        counts = image.counts & ((tracked.state == 1) | (not confirmed))
        counted.append(replace(image, counts=counts))
        ids.append(tracked.track_id.tolist())
    return accuracy_ids.metrics(counted, ids)


def in_video(images: Sequence[TrackedImage]) -> Counter[str]:
    """Hide labelled people of a video for a while; count the ids with which they come back."""
    rng, found = np.random.default_rng(0), Counter[str]()
    seen_s: dict[int, list[float]] = {}
    for image in images:
        for person in image.true_ids:
            seen_s.setdefault(person, []).append(image.time_s)
    long = [p for p, times in seen_s.items() if times[-1] - times[0] > 2 * SEEN_S + AWAY_S[0]]
    for _ in range(3 * TRIALS):
        person = int(rng.choice(long))
        first_s, last_s = seen_s[person][0] + SEEN_S, seen_s[person][-1] - SEEN_S
        away_s = rng.uniform(AWAY_S[0], min(AWAY_S[1], last_s - first_s))
        start_s = rng.uniform(first_s, last_s - away_s)
        if outcome := _hide(images, person, start_s, start_s + away_s):
            found[outcome] += 1
        if found.total() == TRIALS:
            break
    return found


def _hide(images: Sequence[TrackedImage], person: int, start_s: float, end_s: float) -> str | None:
    """Hide a person from one time to another; return 'old', 'new' or 'another'.

    None: the person is not seen for SEEN_S with one id before, or not after.
    """
    tracker = Tracker()
    before, after, others = Counter[int](), Counter[int](), set[int]()
    for image in images:
        if not start_s - 2 * SEEN_S <= image.time_s <= end_s + SEEN_S:
            continue
        mine = np.zeros(len(image.people), bool)
        if person in image.true_ids:
            mine = np.isfinite(image.distance[image.true_ids.index(person)])
        hidden = start_s < image.time_s < end_s
        shown = ~mine if hidden else np.ones(len(mine), bool)
        colours = None if image.colours is None else image.colours[shown]
        ids = tracker.update(_some(image.people, shown), image.time_s, colours).track_id
        mine = mine[shown]
        if image.time_s <= start_s:
            others |= set(ids[~mine].tolist())
        if mine.sum() == 1 and start_s - SEEN_S < image.time_s <= start_s:
            before[int(ids[mine][0])] += 1
        elif mine.sum() == 1 and image.time_s >= end_s:
            after[int(ids[mine][0])] += 1
    if len(before) != 1 or before.total() < 5 * SEEN_S or after.total() < 5 * SEEN_S:
        return None
    (old,), (now, _) = before, after.most_common(1)[0]
    return 'old' if now == old else 'another' if now in others else 'new'


def _some(people: People3D, which: NDArray[np.bool_]) -> People3D:
    """Return some of the people."""
    flat = people.people_2d
    return People3D(
        People2D(flat.xy_px[which], flat.scores[which], flat.score[which]),
        people.xyz_m[which],
        people.source[which],
        people.root_covariance_m2[which],
    )


def drawn(doubles: bool) -> Counter[str]:
    """Count the ids with which drawn people come back, in four rooms at a time.

    Parameters
    ----------
    doubles
        All wear the same clothes, as in a class with a uniform, and those who return are others,
        elsewhere in the room. An old id would be that of another person.
    """
    rng, found = np.random.default_rng(0), Counter[str]()
    while found.total() < TRIALS:
        tracker, clothes = Tracker(), [CLOTHES[0]] * 4 if doubles else list(CLOTHES)
        first = _show(tracker, 0.0, PLACES_M, clothes, rng)
        stamp_s = 1.0 + rng.uniform(*AWAY_S)
        tracker.update(people_at(PLACES_M[:0], rng), stamp_s)
        order, places = rng.permutation(4), PLACES_M[rng.permutation(4)]
        places = places + rng.uniform(-0.2, 0.2, (4, 3))
        back = _show(tracker, stamp_s, places, [clothes[i] for i in order], rng)
        for who, now in zip(order.tolist(), back, strict=True):
            old = now == first[who] and not doubles
            found['old' if old else 'another' if now in first else 'new'] += 1
    return found


def _show(
    tracker: Tracker,
    start_s: float,
    places_m: Array,
    clothes: Sequence[tuple[tuple[int, int, int], tuple[int, int, int]]],
    rng: np.random.Generator,
) -> list[int]:
    """Show people in their clothes for a second; return the ids in the last image."""
    for i in range(RATE_HZ):
        people = people_at(places_m, rng)
        bgr = draw(people.people_2d, clothes, rng)
        colours = appearance.describe(bgr, people.people_2d)
        ids = tracker.update(people, start_s + i / RATE_HZ, colours).track_id
    return [int(i) for i in ids]


def people_at(places_m: Array, rng: np.random.Generator) -> People3D:
    """Return people who stand at places ``(N, 3)`` m, with errors of detection."""
    n = len(places_m)
    exact_m = people_m(*places_m.tolist()) if n else np.zeros((0, K, 3))
    xy_px = CAMERA.project(exact_m) + rng.normal(0, 3, (n, K, 2))
    xyz_m = exact_m * (1 + rng.normal(0, 0.05, (n, 1, 1)))
    people_2d = People2D(xy_px, np.full((n, K), 0.7), np.full(n, 0.8))
    observed = np.full((n, K), Source.OBSERVED, np.uint8)
    return People3D(people_2d, xyz_m, observed, np.full((n, 3, 3), np.nan))


def draw(
    people: People2D,
    clothes: Sequence[tuple[tuple[int, int, int], tuple[int, int, int]]],
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Draw people in their clothes before a grey wall, in light of a random colour."""
    bgr = np.full((*SIZE_WH[::-1], 3), 128, np.uint8)
    for xy_px, (shirt, trousers) in zip(people.xy_px, clothes, strict=True):
        for a, b in PANOPTIC19.limbs:
            start, end = (
                np.rint(xy_px[PANOPTIC19.index(name)]).astype(int).tolist() for name in (a, b)
            )
            colour = trousers if b.split('_')[-1] in LEGS else shirt
            cv2.line(bgr, start, end, colour, 30)
    light = rng.uniform(0.8, 1.1, 3)
    noise = rng.normal(0, 6, (*SIZE_WH[::-1], 1))
    return np.asarray((bgr * light + noise).clip(0, 255), np.uint8)
