"""What a soak concludes, from samples made here."""

from dataclasses import replace

import numpy as np
import pytest

from benchmark.soak_verdict import Sample, row, slope, verdicts

GOOD = Sample(0.0, 190.0, 77.0, 5.0, 7.0, 0.2, 0, 0, 0, 0, 0, 0)
RNG = np.random.default_rng(0)


def samples(minutes=10, leak_mb_s=0.0, slower_ms_s=0.0, **last):
    """One every 30 s, with noise and a warm-up of 20 MB and 50 ms."""
    made = []
    for at_s in np.arange(30.0, 60 * minutes + 1, 30):
        noise, sent = RNG.normal(0, 0.2), int(30 * at_s)
        warm = at_s <= 30
        made.append(
            replace(
                GOOD,
                at_s=float(at_s),
                own_mb=77 + noise + leak_mb_s * at_s - 20 * warm,
                p50_ms=5 + noise + slower_ms_s * at_s + 50 * warm,
                sent=sent, images=sent - 7, dropped=7, bad=5, answered=sent - 12,
            )
        )  # fmt: skip
    made[-1] = replace(made[-1], **last)
    return made


def well(made):
    return {text.partition(':')[0]: good for good, text in verdicts(made)}


def test_a_node_that_stays_as_it_was_is_well():
    assert well(samples()) == {'counts': True, 'memory': True, 'latency': True}


def test_one_interval_that_was_disturbed_is_no_trend():
    made = samples()
    made[9] = replace(made[9], own_mb=200.0, p50_ms=900.0)
    assert all(well(made).values())


@pytest.mark.parametrize('minutes', [5, 10, 60])
def test_a_leak_of_a_kilobyte_each_image_is_found(minutes):
    assert well(samples(minutes, leak_mb_s=30e-3))['memory'] is False


def test_more_memory_each_hour_is_found_in_hours():
    made = samples(240, leak_mb_s=2 / 3600)
    assert well(made) == {'counts': True, 'memory': False, 'latency': True}


def test_growing_latency_is_found():
    made = samples(slower_ms_s=0.01)
    assert well(made) == {'counts': True, 'memory': True, 'latency': False}


@pytest.mark.parametrize(
    'change', [{'twice': 1}, {'dropped': 8}, {'bad': 4}, {'answered': 17987}, {'images': 17994}]
)
def test_an_image_that_is_counted_wrongly_is_found(change):
    assert well(samples())['counts']
    assert not well(samples(**change))['counts']


def test_nothing_answered_is_not_well():
    nothing = replace(GOOD, at_s=30.0, p50_ms=float('nan'))
    assert not well([nothing])['counts']
    assert not well([])['counts']
    assert '| - |' in row(nothing)


def test_a_short_soak_judges_counts_alone():
    (counts, _), (_, says) = verdicts(samples(1))
    assert counts
    assert 'not judged' in says


def test_slope():
    x = np.arange(10.0)
    assert slope(x, 3 * x + 1) == pytest.approx(3)
    y = 3 * x
    y[4] = 1000
    assert slope(x, y) == pytest.approx(3)
