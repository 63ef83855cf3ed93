"""Grouping of keypoint candidates into people by part affinity fields.

Bottom-up grouping as in OpenPose (Cao et al., arXiv 1812.08008) and Lightweight OpenPose (Osokin,
arXiv 1811.12004): peaks of the heatmaps are keypoint candidates, and the part affinity field
along the line between two of them scores whether they form a limb. There are three differences
(docs/decisions/0002-grouping.md): fields are interpolated instead of up-sampled; the connections
of all limbs are sorted together, so that a person needs no neck; and where the network has
location maps, a connection whose ends disagree about the location of its second keypoint scores
less.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pose3d_ros.detection.detector import Thresholds
from pose3d_ros.detection.letterbox import Letterbox
from pose3d_ros.detection.openpose.channels import HEATMAP_CHANNELS, PAF_CHANNELS
from pose3d_ros.detection.openpose.location_maps import disagreement
from pose3d_ros.detection.openpose.outputs import Outputs
from pose3d_ros.detection.openpose.peaks import Peaks, find_peaks
from pose3d_ros.people import K, People2D
from pose3d_ros.skeleton import PANOPTIC19

# Number of samples of the field along a limb, including both ends (10 in arXiv 1812.08008), and
# largest number of them that may be below the threshold.
SAMPLES = 10
MAX_OUTSIDE = 2
FRACTION = np.linspace(0, 1, SAMPLES, dtype=np.float32)
# Samples that are evaluated first, to reject most pairs early.
COARSE_SAMPLES = [2, 4, 5, 7]
# Score that a connection loses per body height of disagreement between its ends. On recorded
# outputs, 0, 0.5 and 1 assign 189, 154 and 143 keypoints to the wrong person, and give 16, 16 and
# 18 false people.
DISAGREEMENT_COST = 0.5
# Largest number of candidates for the second end of a limb; the nearest are taken. With more
# people than that, computing time grows linearly with their number.
MAX_CANDIDATES = 16
# Number of pairs of peaks that are evaluated at a time, chosen to fit the processor's cache.
PAIRS_PER_BLOCK = 4096

KEYPOINT_OF_CHANNEL = PANOPTIC19.indices(HEATMAP_CHANNELS)
# (L, 2) heatmap channels of both ends of each limb.
LIMB_CHANNELS = np.array([[HEATMAP_CHANNELS.index(end) for end in limb] for limb in PAF_CHANNELS])


@dataclass(frozen=True)
class Connections:
    """C pairs of peaks that are supported by the part affinity field of their limb.

    Parameters
    ----------
    first, second
        ``(C,)`` int, indices of peaks.
    score
        ``(C,)`` float in (0, 1], mean strength of the field, reduced for limbs longer than half
        the height of the image and for ends that disagree in the location maps.
    """

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    score: NDArray[np.float64]


def group(outputs: Outputs, letterbox: Letterbox, thresholds: Thresholds) -> People2D:
    """Find the keypoints of one image and group them.

    Parameters
    ----------
    outputs
        Of the network. Location maps are optional.
    letterbox
        How the image lies in the network's input.
    thresholds
        How much evidence is needed.

    Returns
    -------
    People2D
        All groups, including single keypoints.
    """
    peaks = find_peaks(outputs.heatmaps[: len(HEATMAP_CHANNELS)], thresholds.keypoint)
    connections = connect(peaks, outputs.pafs, outputs.features, thresholds.limb)
    owner, score = assemble(peaks, connections)
    xy = np.full((len(score), K, 2), np.nan)
    scores = np.zeros((len(score), K))
    keypoint = KEYPOINT_OF_CHANNEL[peaks.channel]
    xy[owner, keypoint] = peaks.xy
    scores[owner, keypoint] = peaks.score
    return People2D(letterbox.to_image(xy), scores, score)


def keep_people(groups: People2D, thresholds: Thresholds) -> People2D:
    """Select the groups with enough evidence for a person, highest score first."""
    enough = groups.detected.sum(1) >= thresholds.min_keypoints
    rows = np.flatnonzero(enough & (groups.score >= thresholds.least_person()))
    return groups.take(rows[np.argsort(-groups.score[rows], kind='stable')])


def connect(
    peaks: Peaks,
    pafs: NDArray[np.float32],
    features: NDArray[np.float32] | None,
    threshold: float,
) -> Connections:
    """Score all pairs of peaks that can form a limb; keep those that the field supports.

    Parameters
    ----------
    peaks
        Of all channels.
    pafs, features
        Outputs of the network, see ``outputs.Outputs``. `features` None: no location maps.
    threshold
        Least component of the field along the limb at a sample.
    """
    limb, first, second = _pairs(peaks)
    xy = np.ascontiguousarray(peaks.xy.T)
    start, end = xy.take(first, axis=1), xy.take(second, axis=1)
    # Most pairs join two people, which a few samples show.
    few = _fields_along(pafs, limb, start, end, FRACTION[COARSE_SAMPLES])
    possible = np.flatnonzero(np.count_nonzero(few <= threshold, axis=0) <= MAX_OUTSIDE)
    limb, first, second = limb[possible], first[possible], second[possible]
    start, end = start.take(possible, axis=1), end.take(possible, axis=1)
    along = _fields_along(pafs, limb, start, end, FRACTION)
    in_field = along > threshold
    count = np.count_nonzero(in_field, axis=0)
    score = (along * in_field).sum(0, dtype=np.float64) / np.maximum(count, 1)
    # Penalty of the published implementations for limbs longer than half the image's height.
    length = np.sqrt(((end - start) ** 2).sum(0))
    score = np.minimum(score - np.maximum(1 - pafs.shape[1] / 2 / np.maximum(length, 1), 0), 1)
    if features is not None:
        score -= DISAGREEMENT_COST * disagreement(features, limb, start.T, end.T)
    keep = (count >= SAMPLES - MAX_OUTSIDE) & (score > 0)
    return Connections(first[keep], second[keep], score[keep])


def _pairs(peaks: Peaks) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return the pairs of peaks that can form a limb: limb, first and second, ``(T,)`` each."""
    number = np.bincount(peaks.channel, minlength=len(HEATMAP_CHANNELS))
    start = np.cumsum(number) - number
    of_first, of_second = number[LIMB_CHANNELS].T
    few = of_second <= MAX_CANDIDATES
    sizes = np.where(few, of_first * of_second, 0)
    limb = np.repeat(np.arange(len(sizes)), sizes)
    place = np.arange(len(limb)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    first = start[LIMB_CHANNELS[limb, 0]] + place // of_second[limb]
    second = start[LIMB_CHANNELS[limb, 1]] + place % of_second[limb]
    pairs = [(limb, first, second)]
    for many in np.flatnonzero(~few):
        a, b = start[LIMB_CHANNELS[many]]
        near = _near(peaks.xy[a : a + of_first[many]], peaks.xy[b : b + of_second[many]])
        pairs.append((np.full(len(near[0]), many), a + near[0], b + near[1]))
    limb, first, second = (np.concatenate(column) for column in zip(*pairs, strict=True))
    return limb, first, second


def _near(
    first_xy: NDArray[np.float32], second_xy: NDArray[np.float32]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the pairs of each first point with its MAX_CANDIDATES nearest second points."""
    vector = second_xy - first_xy[:, np.newaxis]
    square = vector[..., 0] ** 2 + vector[..., 1] ** 2
    farthest = np.partition(square, MAX_CANDIDATES - 1, axis=1)[
        :, MAX_CANDIDATES - 1 : MAX_CANDIDATES
    ]
    first, second = np.nonzero(square <= farthest)
    return first, second


def _fields_along(
    pafs: NDArray[np.float32],
    limb: NDArray[np.intp],
    start: NDArray[np.float32],
    end: NDArray[np.float32],
    fraction: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Sample the component of the field along limbs at S fractions of them: ``(S, T)``.

    `start`, `end`: ``(2, T)``, grid edge coordinates.
    """
    along = np.empty((len(fraction), len(limb)), np.float32)
    for begin in range(0, len(limb), PAIRS_PER_BLOCK):
        some = slice(begin, begin + PAIRS_PER_BLOCK)
        along[:, some] = _field_along(
            pafs, limb[some], start[:, some], end[:, some], fraction[:, np.newaxis]
        )
    return along


def _field_along(
    pafs: NDArray[np.float32],
    limb: NDArray[np.intp],
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    fraction: NDArray[np.float32],
) -> NDArray[np.float32]:
    _, h, w = pafs.shape
    x, y = first - np.float32(0.5)  # cell centres are at half cells
    vx, vy = second - first
    length = np.maximum(np.hypot(vx, vy), np.float32(1e-6))
    xs = x + vx * fraction
    # All channels are one image, stacked vertically, so that one remap samples all limbs.
    ys = np.minimum(np.maximum(y + vy * fraction, 0), h - 1) + (2 * h * limb).astype(np.float32)
    tall = pafs.reshape(-1, w)
    fx, fy = (
        cv2.remap(tall, xs, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for down in (ys, ys + h)
    )
    return np.asarray((fx * vx + fy * vy) / length, np.float32)


def assemble(
    peaks: Peaks, connections: Connections
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Group peaks along connections, best connection first.

    A connection is ignored if both groups have a peak of the same keypoint.

    Returns
    -------
    group
        ``(P,)``, the group of each peak.
    score
        ``(G,)``, the mean score of each group's peaks and connections.
    """
    members = [[i] for i in range(len(peaks.score))]
    owner = list(range(len(members)))
    has = [1 << channel for channel in peaks.channel.tolist()]  # one bit per keypoint
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
        has[a] |= has[b]
        total[a] += total[b] + score
    groups = sorted(set(owner))
    row = {first: i for i, first in enumerate(groups)}
    # A tree of n peaks has n - 1 connections.
    mean = [total[first] / (2 * len(members[first]) - 1) for first in groups]
    return np.array([row[a] for a in owner], np.intp), np.array(mean, np.float64)
