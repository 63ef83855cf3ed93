"""The tables of `benchmark.peers`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmark import golden
from benchmark.peer_runs import Costs
from benchmark.peer_score import Score, in_common
from pose3d_ros.people import People3D

Array = NDArray[np.float64]

IMAGES = (
    '| by | found | false | one person | mm | mm, same people | ms | CPU ms '
    '| CPU ms, one person | memory MB | start s |\n|---|---|---|---|---|---|---|---|---|---|---|'
)
CLIP = '| by | images with people | people in an image | ms | CPU ms |\n|---|---|---|---|---|'

RUNTIMES = '| network | ms | CPU ms | memory MB | start s |\n|---|---|---|---|---|'
PARSERS = (
    '| by | found | false | keypoints | wrong | mean cm | median cm | p95 cm |\n'
    '|---|---|---|---|---|---|---|---|'
)


def images(
    names: Sequence[str], scores: Sequence[Score], spent: Sequence[Costs], starts_s: Array
) -> Iterator[str]:
    """Yield the lines of the table of labelled images.

    Parameters
    ----------
    names, scores, spent
        Of each peer; ratios are to the first.
    starts_s
        ``(starts, peers)`` s.
    """
    same = in_common(scores)
    yield IMAGES
    for i, (name, one) in enumerate(zip(names, scores, strict=True)):
        cells = [
            f'{one.found}/{one.people}',
            str(one.false),
            f'{one.found_alone}/{len(one.alone)}',
            f'{_mm(one)} ({len(one.errors)})' if one.errors else '-',
            f'{_mm(one, same)} ({len(same)})' if one.errors else '-',
            *time_cells(spent[i], spent[0]),
            time_cells(spent[i].of(one.alone), spent[0].of(one.alone))[1],
            *resource_cells(spent, starts_s, i),
        ]
        yield f'| {name} | {" | ".join(cells)} |'


def clip(
    names: Sequence[str], found: Sequence[Sequence[People3D]], spent: Sequence[Costs]
) -> Iterator[str]:
    """Yield the lines of the table of a clip without labels."""
    yield CLIP
    for name, people, cost in zip(names, found, spent, strict=True):
        counts = np.array([len(p) for p in people])
        cells = [f'{(counts > 0).sum()}/{len(counts)}', f'{counts.mean():.2f}']
        yield f'| {name} | {" | ".join([*cells, *time_cells(cost, spent[0])])} |'


def runtimes(names: Sequence[str], spent: Sequence[Costs], starts_s: Array) -> Iterator[str]:
    """Yield the lines of one network in several runtimes; ratios are to the first."""
    for i, name in enumerate(names):
        cells = time_cells(spent[i], spent[0]) + resource_cells(spent, starts_s, i)
        yield f'| {name} | {" | ".join(cells)} |'


def parsers(ours: golden.Tally, published: golden.Tally) -> Iterator[str]:
    """Yield the lines of the table of the published parser and ours, on the same outputs."""
    yield PARSERS
    for name, one in {'ours': ours, 'published': published}.items():
        yield f'| {name} | {one.row()} |'


def time_cells(spent: Costs, reference: Costs) -> list[str]:
    """Return median ms, and mean CPU ms, of an image, with their ratios to the reference."""
    ms, cpu_ms = 1e3 * np.median(spent.seconds), 1e3 * spent.cpu_seconds.mean()
    cpu_ratio = spent.cpu_seconds.mean() / reference.cpu_seconds.mean()
    return [
        f'{ms:.0f} ({_ratio(spent.seconds, reference.seconds):.2f})',
        f'{cpu_ms:.0f} ({cpu_ratio:.2f})',
    ]


def resource_cells(spent: Sequence[Costs], starts_s: Array, i: int) -> list[str]:
    """Return peak memory, and the median time of a start, of peer `i`, with their ratios."""
    ratio = spent[i].peak_mb / spent[0].peak_mb
    return [
        f'{spent[i].peak_mb:.0f} ({ratio:.2f})',
        f'{np.median(starts_s[:, i]):.2f} ({_ratio(starts_s[:, i], starts_s[:, 0]):.2f})',
    ]


def _mm(one: Score, people: Sequence[tuple[int, int]] | None = None) -> str:
    relative, aligned = (one.mean_mm(name, people) for name in ('root_relative', 'procrustes'))
    return f'{relative:.0f} / {aligned:.0f}'


def _ratio(times_s: Array, reference_s: Array) -> float:
    """Return the median of the ratios of times that were measured in the same turn."""
    return float(np.median(times_s / reference_s))
