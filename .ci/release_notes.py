"""Print the section of CHANGELOG.rst for a version, after checking that all files name it.

python .ci/release_notes.py 1.0.0
"""

import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def release_notes(version: str, root: Path = ROOT) -> str:
    """Return the section of a version; ValueError where a file names another one or none."""
    declared = ET.parse(root / 'package.xml').findtext('version')
    if declared != version:
        raise ValueError(f'package.xml has version {declared}, expected {version}')
    citation = re.search(r'^version: (.*)$', (root / 'CITATION.cff').read_text(), re.MULTILINE)
    if citation is None or citation[1] != version:
        raise ValueError(f'CITATION.cff has no line "version: {version}"')
    section = re.search(
        rf'^{re.escape(version)} \(\d{{4}}-\d\d-\d\d\)\n-+\n(.*?)(?=^\S[^\n]*\n-+\n|\Z)',
        (root / 'CHANGELOG.rst').read_text(),
        re.DOTALL | re.MULTILINE,
    )
    if section is None:
        raise ValueError(f'CHANGELOG.rst has no section "{version} (YYYY-MM-DD)"')
    return section[1].strip()


if __name__ == '__main__':
    try:
        print(release_notes(sys.argv[1]))
    except ValueError as error:
        sys.exit(str(error))
