"""Heatmaps -> candidates for keypoints, to a fraction of a cell.

Nothing is up-sampled: a heatmap is made of Gaussians, so a parabola through the logarithms of a
cell and its neighbours has its vertex at the keypoint (docs/decisions/0002-grouping.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Peaks of one keypoint, strongest first; more would be noise. Bounds the time that pure noise can
# cost.
MAX_PEAKS = 64
# Peaks of one keypoint nearer to each other than this, in cells, are one.
SAME_PEAK = 0.5


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
    keep = np.flatnonzero((score >= threshold) & ~_doubles(cells, xy, score, w + 2))
    strongest = np.lexsort((-score[keep], channel[keep]))
    keep = keep[strongest]
    first_of_channel = np.searchsorted(channel[keep], channel[keep])
    keep = keep[np.arange(len(keep)) - first_of_channel < MAX_PEAKS]
    return Peaks(channel[keep], xy[keep].astype(np.float32), score[keep])


def _doubles(
    cells: NDArray[np.intp], xy: NDArray[np.float32], score: NDArray[np.float32], row: int
) -> NDArray[np.bool_]:
    """Tell which peaks are another, higher one again: two cells that touch at a corner.

    A slanted ridge has two such maxima, and both are refined to one place. `row`: cells in a row.
    """
    doubles = np.zeros(len(cells), bool)
    if not len(cells):
        return doubles
    peak_of = np.full(cells.max() + row + 2, -1)
    peak_of[cells] = np.arange(len(cells))
    for corner in (row - 1, row + 1):
        below = peak_of[cells + corner]
        first = np.flatnonzero(below >= 0)
        second = below[first]
        same = ((xy[first] - xy[second]) ** 2).sum(1) < SAME_PEAK**2
        lower = np.where(score[first] < score[second], first, second)
        doubles[lower[same]] = True
    return doubles


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
