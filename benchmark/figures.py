"""Figures of the documents. Needs matplotlib, which is imported only when one is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.latency_of_networks import PEOPLE, Times
from benchmark.reach import REACH_SHARE, AtDistance

SIZE_INCH = (6.4, 3.2)
DOTS_PER_INCH = 110


def draw_reach(path: Path, networks: Mapping[str, Mapping[int, AtDistance]]) -> None:
    """Draw the share of people found over the distance, m, a line for each network."""
    figure, axes = _axes('distance, m', 'share of people found')
    for name, found in networks.items():
        axes.plot(list(found), [at.share for at in found.values()], marker='o', label=name)
    axes.axhline(REACH_SHARE, color='grey', linestyle=':')
    axes.set_ylim(0, 1.04)
    axes.legend(fontsize='small', loc='lower left')
    _save(figure, path)


def draw_latency(path: Path, times: Times) -> None:
    """Draw the time of each network as ratio to the first one with one person."""
    names = list(dict.fromkeys(name for name, _ in times))
    figure, axes = _axes(f'time, ratio to {names[0]} with one person', '')
    for k, number in enumerate(PEOPLE):
        ratios = [np.median(times[name, number] / times[names[0], PEOPLE[0]]) for name in names]
        label = f'{number} people' if number > 1 else 'one person'
        axes.barh(np.arange(len(names)) + 0.4 * k, ratios, 0.38, label=label)
    axes.set_yticks(np.arange(len(names)) + 0.2, [name.replace(' + ', ' +\n') for name in names])
    axes.tick_params(axis='y', labelsize='small')
    axes.invert_yaxis()
    axes.legend(fontsize='small')
    _save(figure, path)


def draw_errors(path: Path, errors_mm: Mapping[str, Mapping[str, float]]) -> None:
    """Draw the mean 3D error, mm, of each group of people, a bar for each condition."""
    groups = list(dict.fromkeys(group for row in errors_mm.values() for group in row))
    figure, axes = _axes('', 'MPJPE, mm')
    width = 0.8 / len(errors_mm)
    for k, (condition, row) in enumerate(errors_mm.items()):
        heights = [row.get(group, np.nan) for group in groups]
        axes.bar(np.arange(len(groups)) + width * k, heights, 0.94 * width, label=condition)
    axes.set_xticks(np.arange(len(groups)) + width * (len(errors_mm) - 1) / 2, groups)
    axes.legend(fontsize='small')
    _save(figure, path)


def _axes(x_label: str, y_label: str) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE_INCH, dpi=DOTS_PER_INCH, layout='constrained')
    axes = figure.add_subplot()
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    return figure, axes


def _save(figure: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={'Software': None})
    print(f'written: {path}')
