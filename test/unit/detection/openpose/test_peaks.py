"""Peaks of heatmaps whose truth is known by construction."""

import numpy as np
import pytest

from pose3d_ros.detection.openpose.peaks import MAX_PEAKS, find_peaks

HW = (32, 56)


def gaussian(xy, sigma=1.0, height=0.8):
    y, x = np.mgrid[: HW[0], : HW[1]] + 0.5
    d2 = (x - xy[0]) ** 2 + (y - xy[1]) ** 2
    return (height * np.exp(-d2 / (2 * sigma**2))).astype(np.float32)


def heatmaps(first):
    maps = np.zeros((18, *HW), np.float32)
    maps[0] = first
    return maps


@pytest.mark.parametrize('xy', [(20.5, 10.5), (20.3, 10.8), (20.0, 10.0), (20.0, 10.5)])
def test_position_and_height(xy):
    peaks = find_peaks(heatmaps(gaussian(xy)), 0.1)
    np.testing.assert_allclose(peaks.xy, [xy], atol=0.01)
    np.testing.assert_allclose(peaks.score, [0.8], atol=0.01)


def test_ties_give_one_peak():
    heatmaps = np.zeros((18, 8, 8), np.float32)
    heatmaps[0, 3, 3:5] = 0.8  # two equal cells side by side
    heatmaps[1, 3:5, 3:5] = 0.8  # four
    peaks = find_peaks(heatmaps, 0.1)
    assert list(peaks.channel) == [0, 1]
    np.testing.assert_allclose(peaks.xy, [[4.0, 3.5], [4.0, 4.0]], atol=1e-6)


@pytest.mark.parametrize('kind', [np.float16, 'bfloat16', 'int8'])
def test_near_ties_give_one_peak_after_any_rounding(kind):
    for xy in ((20.0, 10.0), (20.0, 10.5), (20.001, 9.999), (20.5, 10.002)):
        exact = gaussian(xy, sigma=1.3)
        if kind == 'bfloat16':
            rounded = (exact.view(np.uint32) & 0xFFFF0000).view(np.float32)
        elif kind == 'int8':
            rounded = (np.round(exact * 127) / 127).astype(np.float32)
        else:
            rounded = exact.astype(kind).astype(np.float32)
        peaks = find_peaks(heatmaps(rounded), 0.1)
        assert len(peaks.xy) == 1
        np.testing.assert_allclose(peaks.xy, [xy], atol=0.1)


def test_noise_is_bounded():
    noise = np.random.default_rng(0).random((18, 32, 56), np.float32)
    peaks = find_peaks(noise, 0.1)
    assert np.bincount(peaks.channel).max() == MAX_PEAKS
    # The strongest of each channel are kept.
    assert peaks.score[peaks.channel == 3].min() > 0.8


def test_a_slanted_ridge_is_one_peak():
    """Two cells that touch at a corner are both higher than their neighbours to the sides."""
    maps = heatmaps(np.zeros(HW, np.float32))
    maps[0, 10, 20], maps[0, 11, 21] = 0.80, 0.78
    maps[0, 10, 21] = maps[0, 11, 20] = 0.70
    peaks = find_peaks(maps, 0.1)
    assert len(peaks.score) == 1
    np.testing.assert_allclose(peaks.xy, [[21, 11]], atol=0.5)


def test_two_separate_peaks_are_kept():
    maps = heatmaps(np.maximum(gaussian((20.2, 10.2)), gaussian((21.9, 11.9))))
    assert len(find_peaks(maps, 0.1).score) == 2
