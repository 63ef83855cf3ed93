"""examples/pose3d.ipynb, run as it stands."""

import re
from pathlib import Path

import pytest

from pose3d_ros.sources.open_source import open_source

nbclient = pytest.importorskip('nbclient', reason="needs pip install '.[notebook]'")
pytest.importorskip('ipykernel', reason="needs pip install '.[notebook]'")
nbformat = pytest.importorskip('nbformat', reason="needs pip install '.[notebook]'")

NOTEBOOK = Path(__file__).parents[2] / 'examples' / 'pose3d.ipynb'


def test_the_notebook_finds_people_and_shows_them(tmp_path):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    resources = {'metadata': {'path': str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=300, resources=resources).execute()
    outputs = [one for cell in notebook.cells for one in cell.get('outputs', [])]
    printed = ''.join(one.get('text', '') for one in outputs)
    assert int(re.search(r'(\d+) people in an image', printed)[1]) >= 2
    assert int(re.search(r'(\d+) people in the last image', printed)[1]) >= 2
    assert [one for one in outputs if 'image/jpeg' in one.get('data', {})]
    (video,) = tmp_path.glob('people.*')
    assert sum(1 for _ in open_source(str(video))) == 60


def test_the_notebook_is_kept_without_outputs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        assert not cell.get('outputs')
        assert cell.get('execution_count') is None
