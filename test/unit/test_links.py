"""Links between the documents lead to files and headings that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob('*.md'), *(ROOT / 'docs').rglob('*.md')])
CODE = re.compile(r'^```.*?^```|`[^`\n]*`', re.DOTALL | re.MULTILINE)
LINK = re.compile(r'\]\(([^)\s]+)\)')


def anchors(document):
    """Return the anchors of the headings, as GitHub makes them."""
    text = re.sub(r'^```.*?^```', '', document.read_text(), flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r'^#+ (.*)$', text, re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', title.lower()).replace(' ', '-') for title in titles}


@pytest.mark.parametrize('document', DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_local_links(document):
    for target in LINK.findall(CODE.sub('', document.read_text())):
        if '://' in target or target.startswith('mailto:'):
            continue
        name, _, anchor = target.partition('#')
        path = (document.parent / name) if name else document
        assert path.exists(), f'{target}: there is no such file'
        if anchor:
            assert anchor in anchors(path), f'{target}: there is no such heading'


def test_every_page_is_in_the_index():
    index = (ROOT / 'docs' / 'index.rst').read_text()
    for page in (ROOT / 'docs').rglob('*.md'):
        name = str(page.relative_to(ROOT / 'docs').with_suffix(''))
        assert re.search(rf'^   {name}$', index, re.MULTILINE) or name.startswith('decisions/0')
