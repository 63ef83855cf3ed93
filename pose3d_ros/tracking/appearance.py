"""Colours of people's clothes, for recognising a person after an absence.

A person is described by one histogram of colours for each part of the body. Pixels are taken along
the limbs between detected keypoints. Colours are those of CIE L*a*b* after the image was divided
by its own mean colour (grey world), so that another exposure or colour of the light changes them
little.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pose3d_ros.people import People2D
from pose3d_ros.skeleton import PANOPTIC19

Array = NDArray[np.float64]

# Limbs of each part. Left and right are one part, because networks may exchange them and clothes
# are mostly symmetric.
_LIMBS: tuple[tuple[tuple[str, str], ...], ...] = (
    (('left_shoulder', 'left_hip'), ('right_shoulder', 'right_hip'), ('neck', 'pelvis')),
    (('left_shoulder', 'left_elbow'), ('right_shoulder', 'right_elbow')),
    (('left_elbow', 'left_wrist'), ('right_elbow', 'right_wrist')),
    (('left_hip', 'left_knee'), ('right_hip', 'right_knee')),
    (('left_knee', 'left_ankle'), ('right_knee', 'right_ankle')),
)
PARTS = len(_LIMBS)
# Positions of samples along a limb, share of its length, and across it, share of the length of the
# person's longest limb. The ends are left out: other colours begin there.
ALONG = np.linspace(0.15, 0.85, 7)
ACROSS = np.linspace(-0.09, 0.09, 3)
# Number of bins of L*, and of each of a* and b* from -CHROMA to CHROMA.
LIGHT_BINS, CHROMA_BINS = 5, 7
CHROMA = 25.0
BINS = LIGHT_BINS + CHROMA_BINS**2
# Value, 0 to 255, of the image's mean colour after normalisation.
MEAN_LEVEL = 115.0
# Largest number of rows and columns of the image that its mean colour is taken of.
MEAN_SAMPLES = 64
# Least number of samples that describe a part.
MIN_SAMPLES = 9
# Least weight of the newest histogram in a mean over time.
GAIN = 0.15
# Share of a person's box that another one covers, above which the colours may be those of the
# other person, and are not learned.
OVERLAP = 0.1

# Keypoints ``(2, L)`` at both ends of each limb; positions ``(S,)`` of the samples along and
# across a limb; the part of each sample of a person.
_ENDS = np.array([PANOPTIC19.indices(limb) for limbs in _LIMBS for limb in limbs]).T
_GRID = [grid.reshape(-1) for grid in np.meshgrid(ALONG, ACROSS)]
_PART = np.repeat(np.arange(PARTS), [len(limbs) * len(ALONG) * len(ACROSS) for limbs in _LIMBS])


def describe(bgr: NDArray[np.uint8], people: People2D) -> Array:
    """Compute the colours of each person.

    Parameters
    ----------
    bgr
        ``(H, W, 3)`` uint8.
    people
        The N people of the image.

    Returns
    -------
    histograms
        ``(N, PARTS, BINS)``: the square root of each part's histogram of lightness and of
        chromaticity, each of which sums to 1/2. NaN: the part is not seen.
    """
    n = len(people)
    histograms = np.full((n, PARTS, BINS), np.nan)
    if not n:
        return histograms
    xy = _samples(people.xy_px)
    height, width = bgr.shape[:2]
    x, y = np.rint(np.where(np.isfinite(xy), xy, -1)).astype(np.intp)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    person, sample = np.nonzero(inside)
    pixels = bgr.reshape(-1, 3).take((y * width + x)[inside], axis=0)
    light, chroma = _bins(pixels, _mean_colour(bgr))
    cell = person * PARTS + _PART[sample]
    counts = np.bincount(cell, minlength=n * PARTS).reshape(n, PARTS, 1)
    total = np.bincount(cell * BINS + light, minlength=n * PARTS * BINS)
    total += np.bincount(cell * BINS + LIGHT_BINS + chroma, minlength=n * PARTS * BINS)
    shares = total.reshape(n, PARTS, BINS) / np.maximum(2 * counts, 1)
    return np.where(counts >= MIN_SAMPLES, np.sqrt(shares), np.nan)


def distances(a: Array, b: Array) -> tuple[Array, NDArray[np.int64]]:
    """Compare people by their colours: the mean of the parts' squared Hellinger distances.

    Parameters
    ----------
    a, b
        ``(A, PARTS, BINS)`` and ``(B, PARTS, BINS)``, as returned by `describe`, or means of such
        over time.

    Returns
    -------
    distance, parts
        ``(A, B)`` in [0, 1], NaN where no part is seen in both, and the number of parts that are.
    """
    known_a, known_b = (np.where(np.isnan(c), 0.0, c) for c in (a, b))
    alike = np.einsum('apk,bpk->abp', known_a, known_b)
    seen = np.isfinite(a[:, np.newaxis, :, 0]) & np.isfinite(b[:, :, 0])
    parts = seen.sum(axis=-1)
    apart = np.where(seen, 1 - alike, 0.0).sum(axis=-1)
    return np.where(parts > 0, apart / np.maximum(parts, 1), np.nan), parts


def learnable(colours: Array, people: People2D) -> Array:
    """Return the colours ``(N, PARTS, BINS)`` of people whom no other one overlaps, else NaN."""
    xy_px = people.xy_px
    known = np.isfinite(xy_px)
    low = np.where(known, xy_px, np.inf).min(axis=1, initial=np.inf)
    high = np.where(known, xy_px, -np.inf).max(axis=1, initial=-np.inf)
    common = np.minimum(high[:, np.newaxis], high) - np.maximum(low[:, np.newaxis], low)
    common, size = np.maximum(common, 0.0), np.maximum(high - low, 1.0)
    share = common[..., 0] * common[..., 1] / (size[:, 0] * size[:, 1])[:, np.newaxis]
    np.fill_diagonal(share, 0.0)
    overlapped = share.max(axis=1, initial=0.0) > OVERLAP
    return np.where(overlapped[:, np.newaxis, np.newaxis], np.nan, colours)


def update_mean(mean: Array, colours: Array, images: NDArray[np.int64]) -> Array:
    """Return the mean colours of people over time after one more image.

    Parameters
    ----------
    mean, colours
        ``(N, PARTS, BINS)``: until now, and in the image. NaN: unknown.
    images
        ``(N,)``, number of images of each person with this one.
    """
    gain = np.maximum(1 / np.maximum(images, 1), GAIN)[:, np.newaxis, np.newaxis]
    before = np.where(np.isnan(mean), colours, mean)
    return np.asarray(np.where(np.isnan(colours), before, before + gain * (colours - before)))


def _samples(xy_px: Array) -> Array:
    """Return the positions of samples ``(2, N, S)`` px, NaN where unknown."""
    xy = xy_px.transpose(2, 0, 1)  # numpy is slow along short last axes
    start = xy.take(_ENDS[0], axis=2)
    limb = xy.take(_ENDS[1], axis=2) - start
    length = np.sqrt(limb[0] ** 2 + limb[1] ** 2)
    longest = np.fmax.reduce(length, axis=1, initial=0.0)[:, np.newaxis]
    aside = np.array([-limb[1], limb[0]]) / np.maximum(length, 1.0) * longest
    samples = (
        start[..., np.newaxis]
        + _GRID[0] * limb[..., np.newaxis]
        + _GRID[1] * aside[..., np.newaxis]
    )
    return np.asarray(samples.reshape(2, len(xy_px), -1))


def _mean_colour(bgr: NDArray[np.uint8]) -> Array:
    """Return the image's mean colour ``(3,)``, at least 1."""
    step = [max(1, size // MEAN_SAMPLES) for size in bgr.shape[:2]]
    some = np.ascontiguousarray(bgr[:: step[0], :: step[1]])
    # Faster than numpy's mean over two axes.
    mean = np.array(cv2.sumElems(some)[:3]) / (some.shape[0] * some.shape[1])
    return np.asarray(np.maximum(mean, 1.0))


def _bins(pixels: NDArray[np.uint8], mean: Array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the bins of lightness and of chromaticity of pixels ``(S, 3)``."""
    balanced = np.minimum(pixels * (MEAN_LEVEL / mean), 255).astype(np.uint8)
    lab = np.zeros((len(pixels), 3), np.uint8)
    if len(pixels):  # as one row: rows have a cost
        lab = np.asarray(cv2.cvtColor(balanced[np.newaxis], cv2.COLOR_BGR2Lab))[0]
    # OpenCV has L* from 0 to 255, and 128 for an a* or b* of 0.
    light = lab[:, 0].astype(np.intp) * LIGHT_BINS // 256
    chroma = (lab[:, 1:] - (128 - CHROMA)) * (CHROMA_BINS / (2 * CHROMA))
    a, b = np.clip(chroma, 0, CHROMA_BINS - 1).astype(np.intp).T
    return light, a * CHROMA_BINS + b
