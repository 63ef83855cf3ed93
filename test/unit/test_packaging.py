"""The dependencies for pip in setup.py beside those for rosdep in package.xml and the README."""

import ast
import re
import xml.etree.ElementTree as ET
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Distribution of PyPI -> rosdep key, where the names differ by more than `python3-`.
KEYS = {'opencv-python-headless': 'python3-opencv', 'pyyaml': 'python3-yaml'}


def setup_argument(name):
    for node in ast.walk(ast.parse((ROOT / 'setup.py').read_text())):
        if isinstance(node, ast.keyword) and node.arg == name:
            return ast.literal_eval(node.value)
    raise AssertionError(f'setup.py has no {name}')


def distribution(requirement):
    return re.match(r'[\w-]+', requirement)[0]


def package_xml():
    """Return the keys of package.xml, the packages without one, and its comments."""
    text = (ROOT / 'package.xml').read_text()
    keys = {e.text for e in ET.fromstring(text) if e.tag.endswith('depend')}
    comments = ' '.join(re.findall(r'<!--(.*?)-->', text, re.DOTALL))
    return keys, re.search(r'pip install ([\w ]+)', comments)[1].split(), comments


def test_every_pip_dependency_has_its_rosdep_key_or_says_that_there_is_none():
    keys, without_key, comments = package_xml()
    for name in map(distribution, setup_argument('install_requires')):
        key = name.removeprefix('ros-').replace('-', '_')
        if not name.startswith('ros-'):
            key = KEYS.get(name, f'python3-{name}')
        named = name in without_key or re.search(rf'\b{name}\b(?!-)', comments)
        assert key in keys or named, name
        assert not (key in keys and name in without_key), name


def test_the_commands_for_ros_install_what_rosdep_cannot():
    _, without_key, _ = package_xml()
    for path in ('README.md', '.github/workflows/ci.yml'):
        lines = re.findall(r'^ *pip install (.*)$', (ROOT / path).read_text(), re.MULTILINE)
        assert any(set(without_key) <= set(line.split()) for line in lines), path


def test_extras_are_named_with_packages_that_the_sources_import():
    extras = setup_argument('extras_require')
    sources = [
        path.read_text()
        for folder in ('pose3d_ros', 'benchmark', 'test')
        for path in (ROOT / folder).rglob('*.py')
    ]
    for extra in ('test', 'viewer', 'ray', 'int8', 'benchmark'):
        for name in map(distribution, extras[extra]):
            imported = re.compile(rf'^\s*(import|from) {name}\b|import_module\(.{name}', re.M)
            assert any(imported.search(text) for text in sources), f'{extra}: {name}'


def test_messages_name_the_requirements_of_the_extras():
    """There is no release on PyPI, so messages name the packages, as setup.py does."""
    sources = [*(ROOT / 'pose3d_ros').rglob('*.py'), ROOT / 'README.md']
    texts = [path.read_text() for path in sources]
    named = {name for text in texts for name in re.findall(r"pip install '(\w[^'{]*)'", text)}
    assert {name.partition('>')[0] for name in named} == {'viser', 'nncf', 'ray'}
    assert all(f"['{name}']" in (ROOT / 'setup.py').read_text() for name in named)
