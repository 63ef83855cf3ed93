"""Detection of keypoint candidates in heatmaps, with sub-cell accuracy.

Heatmaps are not up-sampled: they consist of Gaussians, so a parabola fitted to the logarithms of
a cell and its neighbours has its vertex at the keypoint (docs/decisions/0002-grouping.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Largest number of peaks per keypoint; the strongest are kept. Bounds the computing time on noise.
MAX_PEAKS = 64
# Least distance between two peaks of one keypoint, cells.
MIN_PEAK_DISTANCE = 0.5
# Share of its height that a Gaussian of the heatmaps has at the nearest cell centre, if the peak
# is half a cell away from it along both axes.
MIN_HEIGHT_AT_CENTRE = 0.7


@dataclass(frozen=True)
class Peaks:
    """P keypoint candidates, sorted by channel and then by score, highest first.

    Parameters
    ----------
    channel
        ``(P,)`` int, index into ``channels.HEATMAP_CHANNELS``.
    xy
        ``(P, 2)`` float32, grid edge coordinates.
    score
        ``(P,)`` float32 in (0, 1].
    """

    channel: NDArray[np.intp]
    xy: NDArray[np.float32]
    score: NDArray[np.float32]


def find_peaks(heatmaps: NDArray[np.float32], threshold: float) -> Peaks:
    """Find the local maxima of heatmaps and refine their positions.

    A cell is a maximum if none of its four neighbours is higher; of two equal neighbours, the
    left or upper one is the maximum.

    Parameters
    ----------
    heatmaps
        ``(C, h, w)``, without the background.
    threshold
        Least height of a refined peak.
    """
    channels, h, w = heatmaps.shape
    padded = np.full((channels, h + 2, w + 2), -np.inf, np.float32)
    padded[:, 1:-1, 1:-1] = heatmaps
    flat = padded.reshape(-1)
    cells = np.flatnonzero(flat >= MIN_HEIGHT_AT_CENTRE * threshold)
    around = np.array([-(w + 2), -1, 1, w + 2])[:, np.newaxis]
    centre, neighbours = flat[cells], flat[cells + around]
    up, left, right, down = neighbours
    is_peak = ~((up >= centre) | (left >= centre) | (right > centre) | (down > centre))
    cells, centre = cells[is_peak], centre[is_peak]
    neighbours = neighbours.compress(is_peak, axis=1)
    offset, score = _vertex(centre, neighbours)
    channel, rest = np.divmod(cells, (h + 2) * (w + 2))
    y, x = np.divmod(rest, w + 2)
    # The padding adds one cell, and a cell's centre is half a cell from its edge.
    xy = np.array([x, y]) - np.float32(0.5) + offset
    keep = np.flatnonzero((score >= threshold) & ~_duplicates(cells, xy, score, w + 2))
    strongest = np.lexsort((-score[keep], channel[keep]))
    keep = keep[strongest]
    first_of_channel = np.searchsorted(channel[keep], channel[keep])
    keep = keep[np.arange(len(keep)) - first_of_channel < MAX_PEAKS]
    return Peaks(channel[keep], xy[:, keep].T.astype(np.float32, order='C'), score[keep])


def _duplicates(
    cells: NDArray[np.intp], xy: NDArray[np.float32], score: NDArray[np.float32], row: int
) -> NDArray[np.bool_]:
    """Mark the lower of two peaks whose cells touch at a corner and whose positions coincide.

    A diagonal ridge has two such maxima. `cells`: ascending. `xy`: ``(2, P)``. `row`: number of
    cells in a row.
    """
    duplicates = np.zeros(len(cells), bool)
    if not len(cells):
        return duplicates
    for corner in (row - 1, row + 1):
        below = np.minimum(np.searchsorted(cells, cells + corner), len(cells) - 1)
        first = np.flatnonzero(cells[below] == cells + corner)
        second = below[first]
        same = ((xy[:, first] - xy[:, second]) ** 2).sum(0) < MIN_PEAK_DISTANCE**2
        lower = np.where(score[first] < score[second], first, second)
        duplicates[lower[same]] = True
    return duplicates


def _vertex(
    centre: NDArray[np.float32], neighbours: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fit a parabola to the logarithms of each peak's cell and its neighbours.

    Parameters
    ----------
    centre
        ``(P,)``, height of each cell.
    neighbours
        ``(4, P)``, heights above, left, right and below. -inf: outside the heatmap.

    Returns
    -------
    offset
        ``(2, P)``, x and y of the vertex from the centre of the cell, cells.
    height
        ``(P,)`` of the vertex, at most 1.
    """
    # Values of zero and below have no logarithm; they are replaced by 1 % of the peak.
    inside = np.isfinite(neighbours)
    floor = 0.01 * centre
    log = np.log(np.maximum(np.where(inside, neighbours, floor), floor))
    middle = np.log(centre)
    up, left, right, down = log
    slope = np.array([right - left, down - up]) / 2
    curvature = np.array([2 * middle - left - right, 2 * middle - up - down])
    # There is no vertex at the border, where a neighbour is missing, or on a plateau.
    known = np.array([inside[1] & inside[2], inside[0] & inside[3]])
    known &= curvature > 1e-6
    offset = np.clip(np.where(known, slope / np.where(known, curvature, 1), 0), -0.5, 0.5)
    height = np.exp(middle + (slope * offset - curvature * offset**2 / 2).sum(0))
    return offset, np.minimum(height, 1)
