"""Due times of images, by clocks made here."""

import numpy as np
import pytest

from pose3d_ros.sources.pacing import Pacer
from pose3d_ros.sources.video import Frame, Video


def endless(*, live, rate_hz=10.0):
    return Video(
        'endless',
        rate_hz,
        None,
        live,
        lambda: (Frame(0.0, np.zeros((4, 4, 3), np.uint8)) for _ in ()),
    )


def test_pacing_does_not_drift():
    """Each wait ends 3 ms late; the thousandth image is due as if none had."""
    pacer, now_s = Pacer(endless(live=False)), 50.0
    shown_s = []
    for i in range(1001):
        now_s += pacer.wait_s(i / 10, now_s) + 0.003
        shown_s.append(now_s)
    assert shown_s[-1] - shown_s[0] == pytest.approx(100.0)


def test_falling_behind_is_not_made_up_for_by_a_burst():
    pacer = Pacer(endless(live=False))
    assert pacer.wait_s(0.0, 7.0) == 0.0
    assert pacer.wait_s(0.1, 7.05) == pytest.approx(0.05)
    assert pacer.wait_s(0.2, 9.0) == 0.0  # 1.8 s late
    assert pacer.wait_s(0.3, 9.0) == pytest.approx(0.1)
    assert pacer.wait_s(0.4, 9.23) == 0.0  # 0.03 s late: that can be caught up with
    assert pacer.wait_s(0.5, 9.23) == pytest.approx(0.07)


def test_another_rate_replaces_the_times_of_the_video():
    pacer = Pacer(endless(live=False), rate_hz=4.0)
    assert [pacer.wait_s(t, 0.0) for t in (0.0, 0.1, 0.7)] == [0.0, 0.25, 0.5]


def test_live_images_are_passed_on_or_left_out_but_never_held_back():
    """30 Hz with jitter: all of them, or every third at 10 Hz."""
    rng = np.random.default_rng(1)
    arrivals_s = np.arange(300) / 30 + rng.uniform(-0.005, 0.005, 300)
    own = Pacer(endless(live=True, rate_hz=30.0))
    assert {own.wait_s(0.0, t) for t in arrivals_s} == {0.0}
    third = Pacer(endless(live=True, rate_hz=30.0), rate_hz=10.0)
    waits = [third.wait_s(0.0, t) for t in arrivals_s]
    assert waits == [0.0, None, None] * 100
