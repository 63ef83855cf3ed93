"""Draw the figures of the documents from the tables in them, so that both say the same.

    python -m benchmark.figures [--docs FOLDER]

Run it after a table has changed. The documents name the commands that print the tables. Needs
matplotlib.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[1] / 'docs'
SIZE_INCH = (6.4, 3.0)
DOTS_PER_INCH = 110
# Rows of the lifting table in the figure, and the groups of people, of which there are enough.
CONDITIONS = (
    'labelled',
    'labelled, camera pose known',
    'detected',
    'detected, camera pose known',
)
GROUPS = ('motion capture', 'Panoptic', 'Pose2Sim')
# Shares of people found above this count as reached, as in benchmark.reach.
REACH_SHARE = 0.7

# The cells of a table by the title of its columns, row by row.
Rows = list[dict[str, str]]


def read_table(document: Path, *columns: str) -> Rows:
    """Return the first table of a document that has all of these columns.

    Raises
    ------
    ValueError
        If there is none.
    """
    for table in re.findall(r'(?:^\|.*\n)+', document.read_text(), re.MULTILINE):
        head, _, *body = [
            [cell.strip() for cell in line.strip('|').split('|')] for line in table.splitlines()
        ]
        if set(columns) <= set(head):
            return [dict(zip(head, row, strict=False)) for row in body]
    raise ValueError(f'{document} has no table with the columns {", ".join(columns)}')


def reach(docs: Path) -> dict[int, float]:
    """Return the share of people found at each distance, m."""
    rows = read_table(docs / 'accuracy.md', 'distance, m')
    (shares,) = (row for row in rows if row['distance, m'] == 'share found')
    return {int(m): float(share) for m, share in shares.items() if m.isdigit()}


def latency(docs: Path) -> dict[str, tuple[float, float]]:
    """Return the time of each network with one and with five people, as ratios."""
    columns = ('ms, 1 person', 'ms, 5 people')
    rows = read_table(docs / 'which_network.md', 'network', *columns)
    return {row['network']: (_ratio(row[columns[0]]), _ratio(row[columns[1]])) for row in rows}


def errors(docs: Path) -> dict[str, dict[str, float]]:
    """Return the MPJPE of the lifting network, mm, of each group by condition."""
    found: dict[str, dict[str, float]] = {condition: {} for condition in CONDITIONS}
    for row in read_table(docs / 'accuracy.md', 'keypoints', 'by', 'MPJPE'):
        condition, group = row['keypoints'], row['people of']
        if row['by'] == 'network' and condition in found and group in GROUPS:
            found[condition][group] = float(row['MPJPE'])
    return found


def draw_reach(path: Path, shares: dict[int, float]) -> None:
    """Draw the share of people found over the distance."""
    figure, axes = _axes('distance, m', 'share of people found')
    axes.plot(list(shares), list(shares.values()), marker='o')
    axes.axhline(REACH_SHARE, color='grey', linestyle=':')
    axes.set_ylim(0, 1.04)
    _save(figure, path)


def draw_latency(path: Path, ratios: dict[str, tuple[float, float]]) -> None:
    """Draw the time of each network with one and with five people."""
    figure, axes = _axes(f'time, ratio to {next(iter(ratios))} with one person', '')
    for k, label in enumerate(('one person', 'five people')):
        widths = [pair[k] for pair in ratios.values()]
        axes.barh([i + 0.4 * k for i in range(len(ratios))], widths, 0.38, label=label)
    names = [name.replace(' + ', ' +\n') for name in ratios]
    axes.set_yticks([i + 0.2 for i in range(len(ratios))], names, fontsize='small')
    axes.invert_yaxis()
    axes.legend(fontsize='small')
    _save(figure, path)


def draw_errors(path: Path, errors_mm: dict[str, dict[str, float]]) -> None:
    """Draw the error of each group, a bar for each condition; none where it is not known."""
    figure, axes = _axes('', 'MPJPE, mm')
    width = 0.8 / len(errors_mm)
    for k, (condition, row) in enumerate(errors_mm.items()):
        heights = [row.get(group, float('nan')) for group in GROUPS]
        at = [i + width * k for i in range(len(GROUPS))]
        axes.bar(at, heights, 0.94 * width, label=condition)
    axes.set_xticks([i + 0.4 - width / 2 for i in range(len(GROUPS))], GROUPS)
    figure.legend(fontsize='small', loc='outside upper center', ncols=2)
    _save(figure, path)


def _ratio(cell: str) -> float:
    """Return the number in brackets."""
    return float(cell.partition('(')[2].rstrip(')'))


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


def main(argv: list[str] | None = None) -> None:
    """Draw all figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--docs', type=Path, default=DOCS, help='(default: %(default)s)')
    docs = parser.parse_args(argv).docs
    draw_reach(docs / 'images' / 'reach.png', reach(docs))
    draw_latency(docs / 'images' / 'latency.png', latency(docs))
    draw_errors(docs / 'images' / 'errors.png', errors(docs))


if __name__ == '__main__':
    main()
