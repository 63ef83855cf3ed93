"""Samples of a soak test, as lines of a table, and the verdict."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# The beginning is not judged: caches fill and the allocator grows. Share of the run, and least s.
WARM_UP_SHARE, WARM_UP_S = 0.2, 30.0
# Least duration and number of samples for a trend.
JUDGED_S, JUDGED_SAMPLES = 60.0, 6
# Largest growth of a fit from the warm-up to the end: MB of memory, ms or share of latency. A leak
# of 1 kB for each of 30 images per second exceeds the first in 2.5 minutes.
GROWTH_MB, GROWTH_MS, GROWTH_SHARE = 4.0, 1.0, 0.2


@dataclass(frozen=True)
class Sample:
    """The node at the end of an interval.

    Parameters
    ----------
    at_s
        Time since the start, s.
    rss_mb, private_mb
        Resident memory, and the part that is neither file-backed nor shared, MB.
    p50_ms, p95_ms
        Latency from an image's stamp to receiving its poses. NaN: none received.
    cpu
        CPU load as a share of one core.
    sent, processed, duplicates
        Since the first processed image: images sent up to the last processed one, messages
        received, and those of them for an image that had one before.
    images, dropped, bad
        The node's counts on /diagnostics.
    """

    at_s: float
    rss_mb: float
    private_mb: float
    p50_ms: float
    p95_ms: float
    cpu: float
    sent: int
    processed: int
    duplicates: int
    images: int
    dropped: int
    bad: int


COLUMNS = 's', 'RSS MB', 'private', 'p50 ms', 'p95 ms', 'CPU'
COUNTS = 'sent', 'processed', 'images', 'dropped', 'bad'
HEAD = f'| {" | ".join(COLUMNS + COUNTS)} |\n|{"---|" * len(COLUMNS + COUNTS)}'


def row(s: Sample) -> str:
    """Return a line of the table."""
    p50, p95 = ('-' if np.isnan(ms) else f'{ms:.1f}' for ms in (s.p50_ms, s.p95_ms))
    cells = f'{s.at_s:.0f} | {s.rss_mb:.1f} | {s.private_mb:.1f} | {p50} | {p95}'
    counts = f'{s.sent} | {s.processed} | {s.images} | {s.dropped} | {s.bad}'
    return f'| {cells} | {100 * s.cpu:.0f} % | {counts} |'


def slope(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Estimate a slope robustly: the median slope of all pairs (Theil-Sen).

    Sen, Estimates of the regression coefficient based on Kendall's tau, 1968.
    """
    slopes = [(y[j] - y[i]) / (x[j] - x[i]) for i, j in itertools.combinations(range(len(x)), 2)]
    return float(np.median(slopes))


def verdicts(samples: list[Sample]) -> list[tuple[bool, str]]:
    """Judge memory, latency and counts; return whether each is good, and the reason."""
    found = [counts(samples[-1])] if samples else [(False, 'counts: no samples')]
    warm_s = samples[-1].at_s * WARM_UP_SHARE if samples else 0.0
    judged = [s for s in samples if s.at_s >= max(warm_s, WARM_UP_S) and np.isfinite(s.p50_ms)]
    span_s = judged[-1].at_s - judged[0].at_s if judged else 0.0
    if span_s < JUDGED_S or len(judged) < JUDGED_SAMPLES:
        return [*found, (True, 'memory and latency: not judged, the run is too short')]
    at_s = np.array([s.at_s for s in judged])
    for name, unit, values, most in (
        ('memory', 'MB', np.array([s.private_mb for s in judged]), GROWTH_MB),
        ('latency', 'ms', np.array([s.p50_ms for s in judged]), GROWTH_MS),
    ):
        per_s = slope(at_s, values)
        if name == 'latency':
            most = max(most, GROWTH_SHARE * float(np.median(values)))
        text = (
            f'{name}: median {np.median(values):.1f} {unit}, trend {3600 * per_s:+.2f} {unit}/h; '
            f'{per_s * span_s:+.2f} {unit} in {span_s:.0f} s, limit {most:.1f} {unit}'
        )
        found.append((per_s * span_s <= most, text))
    return found


def counts(last: Sample) -> tuple[bool, str]:
    """Judge whether every image sent is counted exactly once."""
    good = last.sent == last.images + last.dropped and last.images == last.processed + last.bad
    return good and not last.duplicates and last.sent > 0, (
        f'counts: {last.sent} sent, {last.processed} processed ({last.duplicates} duplicates); by '
        f'the node {last.images} received, {last.bad} of them bad, and {last.dropped} dropped'
    )
