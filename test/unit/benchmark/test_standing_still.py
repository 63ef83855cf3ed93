"""Who counts as standing still, and how steady the distance is, of known tracks."""

import numpy as np
import pytest

from benchmark.standing_still import Seen, Window, row, still

RATE_HZ, SIZE_PX = 10.0, 200.0


def track(seconds, moved_px=0.0, range_sd=0.0):
    """A person whose trunk moves to and fro, and whose distance alternates about 4 m."""
    seen = []
    for i in range(round(seconds * RATE_HZ)):
        side = (-1) ** i
        x_px = 100.0 + side * moved_px
        trunk_px = np.array([(x_px, 50.0), (x_px, 120.0)])
        range_m = 4 * (1 + side * range_sd), 4 * (1 + side * range_sd / 2)
        seen.append(Seen(i / RATE_HZ, trunk_px, SIZE_PX, range_m))
    return seen


def test_the_standard_deviation_of_a_person_who_stands_still():
    (window,) = still({7: track(2.0, moved_px=2.0, range_sd=0.04)}, RATE_HZ)
    assert (window.start_s, window.track_id) == (0, 7)
    assert window.lifted == pytest.approx(0.04)
    assert window.smoothed == pytest.approx(0.02)


def test_people_who_move_or_are_seen_for_a_short_time_are_left_out():
    still_one, mover, passer = track(4.0), track(4.0, moved_px=10.0), track(1.0)
    windows = list(still({1: still_one, 2: mover, 3: passer}, RATE_HZ))
    assert [(w.start_s, w.track_id) for w in windows] == [(0, 1), (1, 1), (2, 1)]


def test_rows():
    windows = [Window(0, 1, 0.05, 0.02), Window(0, 2, 0.03, 0.04), Window(1, 2, 0.01, 0.01)]
    assert row('clip', windows) == '| clip | 3 | 3.0 / 5.0 | 2.0 / 4.0 | 2/3 |'
    assert row('empty', []) == '| empty | 0 | - | - | - |'
