"""The site: `pip install -e '.[docs]' && sphinx-build docs build/site`."""

import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

project = 'pose3d_ros'
author = 'pose3d_ros maintainers'
copyright = author  # noqa: A001
if (ROOT / 'package.xml').exists():  # rosdoc2 runs a copy of this file, and knows the version
    release = version = ET.parse(ROOT / 'package.xml').findtext('version')

extensions = ['myst_parser', 'sphinx.ext.autodoc', 'sphinx.ext.napoleon']
exclude_patterns = []
myst_heading_anchors = 4

try:
    import pose3d_ros

    # autodoc lists what a module has; these names are imported on first use.
    vars(pose3d_ros).update({name: getattr(pose3d_ros, name) for name in pose3d_ros.__all__})
except ImportError:  # rosdoc2, where openvino is not installed
    exclude_patterns.append('reference.md')
autodoc_member_order = 'bysource'
autodoc_typehints_format = 'short'
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_attr_annotations = False

nitpicky = True
nitpick_ignore_regex = [
    # Types of other libraries: their sites are not asked, so that the build needs no network.
    (
        'py:.*',
        r'(numpy|np|u?int\d+|float\d+|floating|NDArray|Array|openvino|pathlib|Path|os|collections).*',
    ),
    # Not public.
    ('py:.*', r'LocationMaps|pose3d_ros\.rotation\.Rotation'),
]

html_theme = 'furo'
html_title = project
html_static_path = ['_static']
html_css_files = ['site.css']


ARRAY = re.compile(
    r'~?numpy\.ndarray\[tuple\[~?(?:typing\.)?Any, \.\.\.\], '
    r'~?numpy\.dtype\[~?(?:numpy\.)?(\w+)\]\]'
)


def short_arrays(*event):
    """Return a signature with the types of arrays as the sources write them."""
    return tuple(ARRAY.sub(r'NDArray[\1]', text) if text else text for text in event[-2:])


def setup(app):
    """Connect what Sphinx calls."""
    app.connect('autodoc-process-signature', short_arrays)
