"""Verdicts of the soak test on synthetic samples."""

from dataclasses import replace

import numpy as np
import pytest

from benchmark.soak_verdict import Sample, row, slope, verdicts

GOOD = Sample(0.0, 190.0, 77.0, 5.0, 7.0, 0.2, 0, 0, 0, 0, 0, 0)
RNG = np.random.default_rng(0)


def samples(minutes=10, leak_mb_s=0.0, slower_ms_s=0.0, **last):
    """Make a sample every 30 s, with noise and a warm-up of 20 MB and 50 ms."""
    made = []
    for at_s in np.arange(30.0, 60 * minutes + 1, 30):
        noise, sent = RNG.normal(0, 0.2), int(30 * at_s)
        warm = at_s <= 30
        made.append(
            replace(
                GOOD,
                at_s=float(at_s),
                private_mb=77 + noise + leak_mb_s * at_s - 20 * warm,
                p50_ms=5 + noise + slower_ms_s * at_s + 50 * warm,
                sent=sent, images=sent - 7, dropped=7, bad=5, processed=sent - 12,
            )
        )  # fmt: skip
    made[-1] = replace(made[-1], **last)
    return made


def good_by_name(made):
    return {text.partition(':')[0]: good for good, text in verdicts(made)}


def test_a_node_without_growth_is_good():
    assert good_by_name(samples()) == {'counts': True, 'memory': True, 'latency': True}


def test_one_disturbed_interval_is_no_trend():
    made = samples()
    made[9] = replace(made[9], private_mb=200.0, p50_ms=900.0)
    assert all(good_by_name(made).values())


@pytest.mark.parametrize('minutes', [5, 10, 60])
def test_a_leak_of_a_kilobyte_for_each_image_is_detected(minutes):
    assert good_by_name(samples(minutes, leak_mb_s=30e-3))['memory'] is False


def test_a_slow_leak_is_detected_in_hours():
    made = samples(240, leak_mb_s=2 / 3600)
    assert good_by_name(made) == {'counts': True, 'memory': False, 'latency': True}


def test_growing_latency_is_detected():
    made = samples(slower_ms_s=0.01)
    assert good_by_name(made) == {'counts': True, 'memory': True, 'latency': False}


@pytest.mark.parametrize(
    'change',
    [{'duplicates': 1}, {'dropped': 8}, {'bad': 4}, {'processed': 17987}, {'images': 17994}],
)
def test_a_wrong_count_of_one_image_is_detected(change):
    assert good_by_name(samples())['counts']
    assert not good_by_name(samples(**change))['counts']


def test_a_run_without_processed_images_fails():
    nothing = replace(GOOD, at_s=30.0, p50_ms=float('nan'))
    assert not good_by_name([nothing])['counts']
    assert not good_by_name([])['counts']
    assert '| - |' in row(nothing)


def test_a_short_run_judges_counts_only():
    (counts, _), (_, text) = verdicts(samples(1))
    assert counts
    assert 'not judged' in text


def test_the_slope_ignores_an_outlier():
    x = np.arange(10.0)
    assert slope(x, 3 * x + 1) == pytest.approx(3)
    y = 3 * x
    y[4] = 1000
    assert slope(x, y) == pytest.approx(3)
