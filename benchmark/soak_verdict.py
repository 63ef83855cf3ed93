"""What a soak has shown: samples of it, as lines of a table, and the verdict."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# The first part is not judged: caches fill, and the allocator finds its size.
WARM_UP_SHARE, WARM_UP_S = 0.2, 30.0
# Less than this is no trend.
JUDGED_S, JUDGED_SAMPLES = 60.0, 6
# What a fit may grow by from the warm-up to the end. A leak of 1 kB for each of 30 images a second
# exceeds the first in 2.5 minutes.
GROWTH_MB, GROWTH_MS, GROWTH_SHARE = 4.0, 1.0, 0.2


@dataclass(frozen=True)
class Sample:
    """The node at the end of an interval.

    Parameters
    ----------
    at_s
        When, s from the start.
    rss_mb, own_mb
        Resident memory, and what of it is neither of files nor shared with others, MB.
    p50_ms, p95_ms
        From an image's stamp to hearing its poses, in the interval. NaN: none came.
    cpu
        Share of one core that the interval took.
    sent, answered, twice
        Since the first answer: images up to the last that was answered, answers, and those
        of them that were answered before.
    images, dropped, bad
        What the node says on /diagnostics.
    """

    at_s: float
    rss_mb: float
    own_mb: float
    p50_ms: float
    p95_ms: float
    cpu: float
    sent: int
    answered: int
    twice: int
    images: int
    dropped: int
    bad: int


HEAD = (
    '| s | RSS MB | own MB | p50 ms | p95 ms | CPU | sent | answered | images | dropped | bad |\n'
    '|---|---|---|---|---|---|---|---|---|---|---|'
)


def row(s: Sample) -> str:
    """Lay out a line of the table."""
    p50, p95 = ('-' if np.isnan(ms) else f'{ms:.1f}' for ms in (s.p50_ms, s.p95_ms))
    cells = f'{s.at_s:.0f} | {s.rss_mb:.1f} | {s.own_mb:.1f} | {p50} | {p95}'
    counts = f'{s.sent} | {s.answered} | {s.images} | {s.dropped} | {s.bad}'
    return f'| {cells} | {100 * s.cpu:.0f} % | {counts} |'


def slope(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Fit a slope that some outliers do not move: the median of those of all pairs (Theil, Sen).

    Sen, Estimates of the regression coefficient based on Kendall's tau, 1968.
    """
    slopes = [(y[j] - y[i]) / (x[j] - x[i]) for i, j in itertools.combinations(range(len(x)), 2)]
    return float(np.median(slopes))


def verdicts(samples: list[Sample]) -> list[tuple[bool, str]]:
    """Judge memory, latency and counts: whether each is well, and why."""
    found = [counts(samples[-1])] if samples else [(False, 'counts: nothing was measured')]
    warm_s = samples[-1].at_s * WARM_UP_SHARE if samples else 0.0
    judged = [s for s in samples if s.at_s >= max(warm_s, WARM_UP_S) and np.isfinite(s.p50_ms)]
    span_s = judged[-1].at_s - judged[0].at_s if judged else 0.0
    if span_s < JUDGED_S or len(judged) < JUDGED_SAMPLES:
        return [*found, (True, 'memory and latency: not judged, too short')]
    at_s = np.array([s.at_s for s in judged])
    for name, unit, values, most in (
        ('memory', 'MB', np.array([s.own_mb for s in judged]), GROWTH_MB),
        ('latency', 'ms', np.array([s.p50_ms for s in judged]), GROWTH_MS),
    ):
        per_s = slope(at_s, values)
        if name == 'latency':
            most = max(most, GROWTH_SHARE * float(np.median(values)))
        text = (
            f'{name}: {np.median(values):.1f} {unit}, {3600 * per_s:+.2f} {unit} an hour: '
            f'{per_s * span_s:+.2f} {unit} in these {span_s:.0f} s, {most:.1f} are allowed'
        )
        found.append((per_s * span_s <= most, text))
    return found


def counts(last: Sample) -> tuple[bool, str]:
    """Judge whether every image that was sent is counted, once."""
    well = last.sent == last.images + last.dropped and last.images == last.answered + last.bad
    return well and not last.twice and last.sent > 0, (
        f'counts: {last.sent} sent, {last.answered} answered ({last.twice} of them twice); the '
        f'node says {last.images} came, {last.bad} of them bad, and {last.dropped} dropped'
    )
