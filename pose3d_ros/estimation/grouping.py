"""Heatmaps and part affinity fields -> people as pixels.

Bottom-up grouping as in OpenPose (Cao et al., arXiv 1812.08008) and Lightweight OpenPose (Osokin,
arXiv 1811.12004): peaks of the heatmaps are keypoints, the part affinity field along the line
between two of them says whether they belong together. Two things differ
(docs/decisions/0002-grouping.md): nothing is up-sampled, peaks are refined by a parabola and
fields are interpolated where they are needed; and connections of all limbs are taken together,
best first, so that a person needs no neck.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pose3d_ros.estimation.letterbox import Letterbox
from pose3d_ros.people import K, People2D
from pose3d_ros.skeleton import HEATMAP_CHANNELS, PAF_CHANNELS, PANOPTIC19

# Samples of the field along a limb, both ends among them (arXiv 1812.08008 takes 10).
SAMPLES = 10
# Share of the samples that must lie in the field.
MIN_SAMPLES_IN_FIELD = 0.8
# Peaks of one keypoint, strongest first; more would be noise. Bounds the time that pure noise can
# cost.
MAX_PEAKS = 64
# cv2.remap takes fewer than 32767 rows.
REMAP_ROWS = 32_000

KEYPOINT_OF_CHANNEL = PANOPTIC19.indices(HEATMAP_CHANNELS)
NECK = HEATMAP_CHANNELS.index('neck')
# (L, 2) heatmap channels of both ends of each limb.
LIMB_CHANNELS = np.array([[HEATMAP_CHANNELS.index(end) for end in limb] for limb in PAF_CHANNELS])


@dataclass(frozen=True)
class Thresholds:
    """When evidence is enough.

    Parameters
    ----------
    keypoint
        Least height of a peak, [0, 1].
    limb
        Least strength of a field along a limb, [0, 1], at a sample that is to count.
    min_keypoints
        Least number of keypoints of a person; one more of a person whose neck is not seen, because
        three keypoints without a neck are mostly a leg of somebody else.
    person
        Least score of a person, [0, 1].
    """

    keypoint: float = 0.1
    limb: float = 0.05
    min_keypoints: int = 3
    person: float = 0.1


@dataclass(frozen=True)
class Peaks:
    """Candidates for keypoints: P of them, those of one channel together, channels in order.

    Parameters
    ----------
    channel
        ``(P,)`` int, index into ``skeleton.HEATMAP_CHANNELS``.
    xy
        ``(P, 2)`` float32, grid edge coordinates.
    score
        ``(P,)`` float32 in (0, 1].
    """

    channel: NDArray[np.intp]
    xy: NDArray[np.float32]
    score: NDArray[np.float32]


@dataclass(frozen=True)
class Connections:
    """Pairs of peaks that a field says belong together: C of them.

    Parameters
    ----------
    first, second
        ``(C,)`` int, indices of peaks.
    score
        ``(C,)`` float in (0, 1], mean strength of the field, less for limbs longer than half the
        image.
    """

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    score: NDArray[np.float64]


def group(
    heatmaps: NDArray[np.float32],
    pafs: NDArray[np.float32],
    letterbox: Letterbox,
    thresholds: Thresholds,
) -> People2D:
    """Find the people.

    Parameters
    ----------
    heatmaps
        ``(19, h, w)``, see ``network.Outputs``.
    pafs
        ``(38, h, w)``, likewise.
    letterbox
        How the image lies in the network's input.
    thresholds
        When evidence is enough.

    Returns
    -------
    People2D
        In order of their scores, best first.
    """
    peaks = find_peaks(heatmaps[: len(HEATMAP_CHANNELS)], thresholds.keypoint)
    groups = assemble(peaks, connect(peaks, pafs, thresholds.limb))
    people = [(score, m) for m, score in groups if _is_person(peaks.channel[m], score, thresholds)]
    people.sort(key=lambda person: -person[0])
    xy = np.full((len(people), K, 2), np.nan)
    scores = np.zeros((len(people), K))
    for i, (_, members) in enumerate(people):
        keypoints = KEYPOINT_OF_CHANNEL[peaks.channel[members]]
        xy[i, keypoints] = peaks.xy[members]
        scores[i, keypoints] = peaks.score[members]
    return People2D(letterbox.to_image(xy), scores, np.array([score for score, _ in people]))


def find_peaks(heatmaps: NDArray[np.float32], threshold: float) -> Peaks:
    """Local maxima of ``(C, h, w)`` heatmaps, refined to a fraction of a cell.

    A cell is a maximum if no neighbour above, below, left or right is higher; of two that tie the
    left or upper one is taken. Heatmaps are Gaussians, so the parabola through the logarithms of a
    cell and its neighbours has its vertex at the keypoint.
    """
    channels, h, w = heatmaps.shape
    padded = np.full((channels, h + 2, w + 2), -np.inf, np.float32)
    padded[:, 1:-1, 1:-1] = heatmaps
    flat = padded.reshape(-1)
    # A Gaussian half a cell away from the nearest centres, both ways, reaches 0.7 of its height
    # there.
    cells = np.flatnonzero(flat >= 0.7 * threshold)
    around = np.array([-(w + 2), -1, 1, w + 2])
    centre, neighbours = flat[cells], flat[cells[:, np.newaxis] + around]
    higher = (neighbours[:, :2] >= centre[:, np.newaxis]).any(1)
    is_peak = ~(higher | (neighbours[:, 2:] > centre[:, np.newaxis]).any(1))
    cells, centre, neighbours = cells[is_peak], centre[is_peak], neighbours[is_peak]
    offset, score = _vertex(centre, neighbours)
    channel, rest = np.divmod(cells, (h + 2) * (w + 2))
    y, x = np.divmod(rest, w + 2)
    # The padding has shifted cells by one; their centres are half a cell from their edges.
    xy = np.stack([x, y], axis=1) - np.float32(0.5) + offset
    keep = np.flatnonzero(score >= threshold)
    strongest = np.lexsort((-score[keep], channel[keep]))
    keep = keep[strongest]
    first_of_channel = np.searchsorted(channel[keep], channel[keep])
    keep = keep[np.arange(len(keep)) - first_of_channel < MAX_PEAKS]
    return Peaks(channel[keep], xy[keep].astype(np.float32), score[keep])


def _vertex(
    centre: NDArray[np.float32], neighbours: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Offsets ``(P, 2)`` in cells and heights ``(P,)``; neighbours are up, left, right, down."""
    # Ripples below zero have no logarithm; a hundredth of the peak stands for nothing.
    inside = np.isfinite(neighbours)
    floor = 0.01 * centre[:, np.newaxis]
    log = np.log(np.maximum(np.where(inside, neighbours, floor), floor))
    middle = np.log(centre)
    up, left, right, down = log.T
    slope = np.stack([right - left, down - up], axis=1) / 2
    curvature = np.stack([2 * middle - left - right, 2 * middle - up - down], axis=1)
    # At the image's border one neighbour is unknown, and on a plateau there is no vertex: stay at
    # the centre.
    known = np.stack([inside[:, 1] & inside[:, 2], inside[:, 0] & inside[:, 3]], axis=1)
    known &= curvature > 1e-6
    offset = np.clip(np.where(known, slope / np.where(known, curvature, 1), 0), -0.5, 0.5)
    height = np.exp(middle + (slope * offset - curvature * offset**2 / 2).sum(1))
    return offset, np.minimum(height, 1)


def connect(peaks: Peaks, pafs: NDArray[np.float32], threshold: float) -> Connections:
    """Score every pair of peaks that could be a limb, and keep those that the field supports."""
    limb, first, second = _pairs(peaks)
    vector = peaks.xy[second] - peaks.xy[first]
    length = np.hypot(vector[:, 0], vector[:, 1])
    apart = length > 0
    limb, first, second, length = limb[apart], first[apart], second[apart], length[apart]
    unit = vector[apart] / length[:, np.newaxis]
    along = _field_along(pafs, limb, peaks.xy[first], vector[apart], unit)
    in_field = along > threshold
    count = in_field.sum(1)
    score = np.where(in_field, along, 0).sum(1, dtype=np.float64) / np.maximum(count, 1)
    # Longer than half the image is unlikely (the published implementations' penalty).
    score = np.minimum(score + np.minimum(pafs.shape[1] / 2 / length - 1, 0), 1)
    keep = (count >= MIN_SAMPLES_IN_FIELD * SAMPLES) & (score > 0)
    return Connections(first[keep], second[keep], score[keep])


def _pairs(peaks: Peaks) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """All pairs of peaks at the ends of one limb: limb, first and second peak, ``(T,)`` each."""
    number = np.bincount(peaks.channel, minlength=len(HEATMAP_CHANNELS))
    start = np.cumsum(number) - number
    of_first, of_second = number[LIMB_CHANNELS].T
    sizes = of_first * of_second
    limb = np.repeat(np.arange(len(sizes)), sizes)
    place = np.arange(len(limb)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    first = start[LIMB_CHANNELS[limb, 0]] + place // of_second[limb]
    second = start[LIMB_CHANNELS[limb, 1]] + place % of_second[limb]
    return limb, first, second


def _field_along(
    pafs: NDArray[np.float32],
    limb: NDArray[np.intp],
    origin: NDArray[np.float32],
    vector: NDArray[np.float32],
    unit: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Component of each limb's field along the limb, at SAMPLES points of it: ``(T, SAMPLES)``."""
    h, w = pafs.shape[1:]
    fraction = np.linspace(0, 1, SAMPLES, dtype=np.float32)
    # Cell centres are at half cells; all limbs' fields lie below each other in one tall image.
    xs = origin[:, :1] + vector[:, :1] * fraction - np.float32(0.5)
    ys = origin[:, 1:] + vector[:, 1:] * fraction - np.float32(0.5)
    ys = np.clip(ys, 0, h - 1) + (limb * h).astype(np.float32)[:, np.newaxis]
    along = np.zeros((len(limb), SAMPLES), np.float32)
    for axis in range(2):
        tall = np.ascontiguousarray(pafs[axis::2]).reshape(-1, w)
        for start in range(0, len(limb), REMAP_ROWS):
            rows = slice(start, start + REMAP_ROWS)
            field = cv2.remap(
                tall, xs[rows], ys[rows], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
            along[rows] += field * unit[rows, axis : axis + 1]
    return along


def assemble(peaks: Peaks, connections: Connections) -> list[tuple[list[int], float]]:
    """Join peaks along connections, best connection first, never two of the same keypoint.

    Returns
    -------
    list of (list of int, float)
        Indices of the peaks of each group, and the mean score of its peaks and connections.
    """
    members = [[i] for i in range(len(peaks.score))]
    owner = list(range(len(members)))
    has = [1 << channel for channel in peaks.channel.tolist()]  # bit per keypoint
    total = peaks.score.tolist()
    order = np.argsort(-connections.score, kind='stable')
    for first, second, score in zip(
        connections.first[order].tolist(),
        connections.second[order].tolist(),
        connections.score[order].tolist(),
        strict=True,
    ):
        a, b = owner[first], owner[second]
        if a == b or has[a] & has[b]:
            continue
        for peak in members[b]:
            owner[peak] = a
        members[a] += members[b]
        members[b] = []
        has[a] |= has[b]
        total[a] += total[b] + score
    # A tree of n peaks has n - 1 connections.
    return [(m, total[i] / (2 * len(m) - 1)) for i, m in enumerate(members) if m]


def _is_person(channels: NDArray[np.intp], score: float, thresholds: Thresholds) -> bool:
    without_neck = NECK not in channels
    return len(channels) >= thresholds.min_keypoints + without_neck and score >= thresholds.person
