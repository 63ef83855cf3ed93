"""The figures of the documents are drawn from the tables in them."""

from pathlib import Path

import pytest

from benchmark import figures

DOCS = Path(__file__).parents[3] / 'docs'


def test_a_table_is_found_by_its_columns(tmp_path):
    page = tmp_path / 'page.md'
    page.write_text(
        '| a | b |\n|---|---|\n| 1 | 2 |\n\ntext\n\n| a | c |\n|---|---|\n| 3 | `x` |\n'
    )
    assert figures.read_table(page, 'a') == [{'a': '1', 'b': '2'}]
    assert figures.read_table(page, 'a', 'c') == [{'a': '3', 'c': '`x`'}]
    with pytest.raises(ValueError, match='no table with the columns d'):
        figures.read_table(page, 'd')


def test_the_documents_have_the_tables():
    shares = figures.reach(DOCS)
    assert list(shares) == [1, 2, 3, 4, 6, 8, 10, 12]
    assert all(0 <= share <= 1 for share in shares.values())
    ratios = figures.latency(DOCS)
    assert next(iter(ratios.values()))[0] == 1.0
    assert len(ratios) > 3
    errors_mm = figures.errors(DOCS)
    assert set(errors_mm['labelled']) == set(figures.GROUPS)
    assert {'Panoptic', 'Pose2Sim'} <= set(errors_mm['detected'])


def test_all_figures_are_drawn_and_small(tmp_path):
    pytest.importorskip('matplotlib', reason='needs matplotlib (the extra benchmark)')
    for name in ('accuracy.md', 'which_network.md'):
        (tmp_path / name).write_bytes((DOCS / name).read_bytes())
    figures.main(['--docs', str(tmp_path)])
    drawn = sorted((tmp_path / 'images').iterdir())
    assert [path.name for path in drawn] == ['errors.png', 'latency.png', 'reach.png']
    assert all(path.stat().st_size < 60_000 for path in drawn)
