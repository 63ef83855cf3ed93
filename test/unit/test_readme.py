"""The commands of the README: their options and extras exist."""

import re
import shlex
from pathlib import Path

import pytest

from pose3d_ros.cli import NODES, parser

ROOT = Path(__file__).parents[2]
README = (ROOT / 'README.md').read_text()
SHELL = re.findall(r'^```sh\n(.*?)^```', README, re.DOTALL | re.MULTILINE)
COMMANDS = re.findall(r'\.venv/bin/pose3d (.*?)(?: && .*)?$', '\n'.join(SHELL), re.MULTILINE)


@pytest.mark.parametrize('command', COMMANDS)
def test_every_command_is_understood(command):
    words = shlex.split(command, comments=True)
    if words[0] not in NODES:  # nodes take the arguments of ROS
        parser().parse_args(words)


def test_every_extra_exists():
    declared = re.search(
        r'extras_require=\{(.*?)\n    \}', (ROOT / 'setup.py').read_text(), re.DOTALL
    )
    extras = set(re.findall(r"^        '(\w+)': \[", declared[1], re.MULTILINE))
    named = [name for text in re.findall(r"'\.\[([\w,]+)\]'", README) for name in text.split(',')]
    assert set(named) <= extras


def test_the_first_command_installs_what_the_page_of_the_demo_needs():
    assert SHELL[0].index("'.[viewer]'") < SHELL[0].index('pose3d demo')
