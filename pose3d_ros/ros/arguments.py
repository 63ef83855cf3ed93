"""Command lines of the nodes: checked before ROS, which ignores what it does not know."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from pose3d_ros.wording import did_you_mean

# Parameters that every node of rclpy has, and the start of those for QoS.
EVERY_NODE = ('use_sim_time', 'start_type_description_service')
QOS_PREFIX = 'qos_overrides.'
# Flags after --ros-args by the number of their values.
FLAGS = {
    '-p': 1, '--param': 1, '-r': 1, '--remap': 1, '--params-file': 1, '--log-level': 1,
    '--log-config-file': 1, '-e': 1, '--enclave': 1, '--log-file-name': 1,
    '--enable-rosout-logs': 0, '--disable-rosout-logs': 0, '--enable-stdout-logs': 0,
    '--disable-stdout-logs': 0, '--enable-external-lib-logs': 0,
    '--disable-external-lib-logs': 0,
}  # fmt: skip


class ArgumentError(ValueError):
    """A command line that a node would misread; one line with the remedy."""


class Described(NamedTuple):
    """A parameter as `--help` shows it."""

    name: str
    default: Any
    text: str
    span: str = ''  # its range or its choices


def check(arguments: list[str], node: str, known: Iterable[str]) -> None:
    """Refuse what a node would ignore: unknown arguments, misspelt parameters, broken files.

    Parameters
    ----------
    arguments
        Behind the name of the program.
    node
        Name of the node, for files of parameters; where it is remapped, its other name counts.
    known
        Names of its parameters.

    Raises
    ------
    ArgumentError
        With the nearest right name, if there is one.
    """
    names = [*known, *EVERY_NODE]
    flags = list(_flags(arguments))
    namespace = '/'
    for flag, value in flags:
        if flag in ('-r', '--remap'):
            source, _, target = value.partition(':=')
            node = target if source.rpartition(':')[2] == '__node' else node
            namespace = target if source.rpartition(':')[2] == '__ns' else namespace
    node = f'{namespace.rstrip("/")}/{node}'
    for flag, value in flags:
        if flag in ('-p', '--param'):
            name, assigned, _ = value.partition(':=')
            if not assigned:
                raise ArgumentError(f'{flag} {value}: expected {flag} NAME:=VALUE')
            _check_name(name.rpartition(':')[2], names, f'{flag} {value}')
        elif flag == '--params-file':
            _check_file(Path(value), node, names)


def help_text(node: str, parameters: Iterable[Described]) -> str:
    """Return what `pose3d node --help` prints: every parameter with type, range and default."""
    parts = [
        f'Run {node}. Its parameters and topics are set as for every ROS node:\n\n'
        '  --ros-args -p NAME:=VALUE -r FROM:=TO --params-file FILE\n\nParameters:\n'
    ]
    for one in parameters:
        kind = type(one.default).__name__.replace('str', 'string').replace('tuple', 'list')
        span = f', {one.span}' if one.span else ''
        default = list(one.default) if isinstance(one.default, tuple) else one.default
        parts.append(f'  {one.name} ({kind}{span}; default {default!r})')
        indent = ' ' * 6
        parts.append(textwrap.fill(one.text, 95, initial_indent=indent, subsequent_indent=indent))
    return '\n'.join(parts) + '\n'


def _flags(arguments: list[str]) -> Iterator[tuple[str, str]]:
    """Return the flags after --ros-args, up to --, with their values."""
    rest = list(arguments)
    ros = False
    while rest:
        flag = rest.pop(0)
        if flag in ('--ros-args', '--'):
            ros = flag == '--ros-args'
        elif not ros:
            hint = ': ROS arguments follow --ros-args' if flag in FLAGS or ':=' in flag else ''
            raise ArgumentError(
                f'unknown argument {flag}{hint}{did_you_mean(["--ros-args"], flag)}'
            )
        elif flag not in FLAGS:
            hint = f'; did you mean -p {flag} or -r {flag}?' if ':=' in flag else ''
            raise ArgumentError(f'unknown ROS argument {flag}{hint or did_you_mean(FLAGS, flag)}')
        elif not FLAGS[flag]:
            yield flag, ''
        elif rest:
            yield flag, rest.pop(0)
        else:
            raise ArgumentError(f'{flag} needs a value')


def _check_name(name: str, names: list[str], where: str) -> None:
    if name not in names and not name.startswith(QOS_PREFIX):
        raise ArgumentError(f'{where}: there is no parameter {name!r}{did_you_mean(names, name)}')


def _check_file(path: Path, node: str, names: list[str]) -> None:
    """Refuse a file that cannot be read, or that has parameters of this node but misses it.

    Names are checked of sections with the node's own name only: `/**` may be for other nodes.
    """
    where, name = f'--params-file {path}', node.rpartition('/')[2]
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ArgumentError(f'{where} cannot be read: {" ".join(str(error).split())}') from error
    expected = f'expected `{node}:` or `/**:`, and below it `ros__parameters:`'
    if not isinstance(content, dict):
        raise ArgumentError(f'{where} holds no parameters: {expected}')
    try:
        sections = list(_sections(content, name))
    except ArgumentError as error:
        raise ArgumentError(f'{where}: {error}; {expected}') from error
    own = [(key, parameters) for key, parameters in sections if key.rpartition('/')[2] == name]
    for _, parameters in own:
        for parameter in parameters:
            if parameter != QOS_PREFIX.rstrip('.'):
                _check_name(str(parameter), names, where)
    if own and not any(_is_for(key, node) for key, _ in sections):
        raise ArgumentError(f'{where}: {own[0][0]} is not this node, which is {node}; {expected}')


def _sections(content: dict[Any, Any], name: str, above: str = '') -> Iterator[tuple[str, Any]]:
    """Return the parameters of each node by its full name; namespaces may be nested keys."""
    for key, value in content.items():
        full = f'{above}/{str(key).strip("/")}'
        if not isinstance(value, dict):
            raise ArgumentError(f'{full[1:]} is a value')
        if isinstance(value.get('ros__parameters'), dict):
            yield full, value['ros__parameters']
        elif full.rpartition('/')[2] == name:
            raise ArgumentError(f'{full[1:]} has no ros__parameters')
        else:
            yield from _sections(value, name, full)


def _is_for(key: str, node: str) -> bool:
    """Return whether a key, with * for a part of a name and ** for several, means a node."""
    parts = re.split(r'(/?\*\*|\*)', key)
    patterns = {'*': '[^/]+', '**': '.*', '/**': '(/.*)?'}
    pattern = ''.join(patterns.get(part, re.escape(part)) for part in parts)
    return re.fullmatch(pattern, node) is not None
