"""The site: `pip install -e '.[docs]' && sphinx-build docs build/site`."""

import sys
import xml.etree.ElementTree as ET
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import pose3d_ros  # noqa: E402

# autodoc lists what a module has; these names are imported on first use.
vars(pose3d_ros).update({name: getattr(pose3d_ros, name) for name in pose3d_ros.__all__})

project = 'pose3d_ros'
author = 'pose3d_ros maintainers'
release = version = ET.parse(ROOT / 'package.xml').findtext('version')
copyright = f'{author}, Apache-2.0'

extensions = ['myst_parser', 'sphinx.ext.autodoc', 'sphinx.ext.napoleon']
myst_heading_anchors = 4
suppress_warnings = ['myst.strikethrough']

autodoc_member_order = 'bysource'
autodoc_typehints = 'signature'
autodoc_typehints_format = 'short'
napoleon_google_docstring = False
napoleon_use_rtype = False

nitpicky = True
# Types of other libraries: their sites are not asked, so that the build needs no network.
nitpick_ignore_regex = [('py:.*', r'(numpy|np|NDArray|Array|openvino|pathlib|Path|collections).*')]

html_theme = 'furo'
html_title = f'pose3d_ros {release}'
html_static_path = ['_static']
html_css_files = ['site.css']
