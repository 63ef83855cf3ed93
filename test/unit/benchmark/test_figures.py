"""The figures of the documents: what is drawn, from numbers that are known."""

import cv2
import numpy as np
import pytest

from benchmark import figures
from benchmark.reach import AtDistance

pytest.importorskip('matplotlib', reason='needs matplotlib (the extra benchmark)')


def drawn(monkeypatch, draw, path, *arguments):
    """Draw a figure, check its file, and return its axes."""
    kept = []
    save = figures._save
    monkeypatch.setattr(
        figures, '_save', lambda figure, to: (kept.append(figure), save(figure, to))
    )
    draw(path, *arguments)
    assert cv2.imread(str(path)) is not None
    assert path.stat().st_size < 60_000
    return kept[0].axes[0]


def test_reach_is_the_share_at_each_distance(tmp_path, monkeypatch):
    found = {2: AtDistance(10, 9, 3.0), 8: AtDistance(10, 7, 5.0)}
    axes = drawn(monkeypatch, figures.draw_reach, tmp_path / 'new' / 'reach.png', {'one': found})
    np.testing.assert_allclose(axes.lines[0].get_xydata(), [(2, 0.9), (8, 0.7)])


def test_latency_is_the_ratio_to_the_first_network_with_one_person(tmp_path, monkeypatch):
    times = {
        ('a', 1): np.array([0.02, 0.04]), ('a', 5): np.array([0.02, 0.04]),
        ('b', 1): np.array([0.01, 0.02]), ('b', 5): np.array([0.06, 0.12]),
    }  # fmt: skip
    axes = drawn(monkeypatch, figures.draw_latency, tmp_path / 'latency.png', times)
    np.testing.assert_allclose([bar.get_width() for bar in axes.patches], [1, 0.5, 1, 3])


def test_errors_of_a_group_without_a_condition_have_no_bar(tmp_path, monkeypatch):
    errors = {'labelled': {'a': 70.0, 'b': 90.0}, 'detected': {'b': 100.0}}
    axes = drawn(monkeypatch, figures.draw_errors, tmp_path / 'errors.png', errors)
    heights = [bar.get_height() for bar in axes.patches]
    np.testing.assert_allclose(heights, [70, 90, np.nan, 100])
