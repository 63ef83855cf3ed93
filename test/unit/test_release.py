"""What a release needs: one version everywhere, and notes for it."""

import re
import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / '.ci' / 'release_notes.py'
CHANGELOG = """\
^^^^
Head
^^^^

1.2.0 (2030-01-31)
------------------
* New.
* Also new,
  in two lines.

1.1.0 (2029-01-31)
------------------
* Old.
"""


@pytest.fixture
def notes(tmp_path):
    """Return a function that makes the notes of a version, in a folder of its own."""
    if not SCRIPT.exists():
        pytest.skip('the source distribution has no .ci')
    (tmp_path / 'package.xml').write_text('<package><version>1.2.0</version></package>')
    (tmp_path / 'CITATION.cff').write_text('title: x\nversion: 1.2.0\n')
    (tmp_path / 'CHANGELOG.rst').write_text(CHANGELOG)
    release_notes = runpy.run_path(str(SCRIPT))['release_notes']
    return lambda version: release_notes(version, tmp_path)


def test_the_notes_are_the_section_of_the_version(notes):
    assert notes('1.2.0') == '* New.\n* Also new,\n  in two lines.'


@pytest.mark.parametrize(
    ('file', 'text'),
    [
        ('package.xml', '<package><version>1.1.0</version></package>'),
        ('CITATION.cff', 'title: x\n'),
        ('CHANGELOG.rst', CHANGELOG.replace('1.2.0 (2030-01-31)', 'Forthcoming')),
    ],
)
def test_a_file_with_another_version_is_named(notes, tmp_path, file, text):
    (tmp_path / file).write_text(text)
    with pytest.raises(ValueError, match=file):
        notes('1.2.0')


def test_the_files_agree_on_the_version():
    if not SCRIPT.exists():
        pytest.skip('the source distribution has no .ci')
    root = SCRIPT.parents[1]
    version = re.search('<version>(.*)</version>', (root / 'package.xml').read_text())[1]
    assert runpy.run_path(str(SCRIPT))['release_notes'](version)
