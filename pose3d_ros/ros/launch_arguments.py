"""Checks of launch arguments, which fail before any process is started."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path

import yaml
from ament_index_python.packages import (
    PackageNotFoundError,
    get_package_prefix,
    get_package_share_directory,
)

BOOLEANS = ('true', 'false', '1', '0')


class LaunchArgumentError(ValueError):
    """A launch argument that cannot be used; the text names it and the value."""


def check_arguments(arguments: Mapping[str, str], kinds: Mapping[str, type]) -> None:
    """Check that arguments which are not empty can be converted to their types.

    Parameters
    ----------
    arguments
        Value of each launch argument. Missing ones are not checked.
    kinds
        Type of each argument to check: bool, int, float or str.

    Raises
    ------
    LaunchArgumentError
        If one cannot be converted.
    """
    for name, kind in kinds.items():
        value = arguments.get(name, '')
        if value and not _is_a(value, kind):
            expected = {bool: 'true or false', int: 'an integer', float: 'a number'}[kind]
            raise LaunchArgumentError(
                f'launch argument {name} must be {expected}, found {value!r}'
            )


def check_executable(package: str, executable: str, argument: str) -> None:
    """Check that a program which an argument asks for is installed.

    Raises
    ------
    LaunchArgumentError
        If it is not.
    """
    try:
        path = Path(get_package_prefix(package)) / 'lib' / package / executable
        found = path.is_file()
    except PackageNotFoundError:
        found = False
    if not found:
        apt = package.replace('_', '-')
        raise LaunchArgumentError(
            f'launch argument {argument} needs {executable} of the package {package}, which is '
            f'not installed: sudo apt install ros-$ROS_DISTRO-{apt}'
        )


def launch_file(package: str, file: str, argument: str) -> str:
    """Return the path of a launch file of a package which an argument asks for.

    Raises
    ------
    LaunchArgumentError
        If the package is not installed, or has no such file; the text names those that it has.
    """
    try:
        folder = Path(get_package_share_directory(package)) / 'launch'
    except PackageNotFoundError as error:
        apt = package.replace('_', '-')
        raise LaunchArgumentError(
            f'launch argument {argument} needs the package {package}, which is not installed: '
            f'sudo apt install ros-$ROS_DISTRO-{apt}, or build it from source'
        ) from error
    if not (folder / file).is_file():
        found = ', '.join(sorted(path.name for path in folder.glob('*launch*'))) or 'none'
        raise LaunchArgumentError(
            f'launch argument {argument} needs {file} of the package {package}, found: {found}'
        )
    return str(folder / file)


def read_pairs(text: str, argument: str) -> dict[str, str]:
    """Return launch arguments written as on the command line, NAME:=VALUE separated by spaces.

    Raises
    ------
    LaunchArgumentError
        If a part has no := between a name and a value.
    """
    pairs = [part.partition(':=') for part in text.split()]
    for name, sign, _ in pairs:
        if not (name and sign):
            raise LaunchArgumentError(
                f'launch argument {argument} must be NAME:=VALUE ..., found {text!r}'
            )
    return {name: value for name, _, value in pairs}


def read_names(text: str, argument: str) -> list[str]:
    """Read a list of names such as ``[front, rear]``.

    Raises
    ------
    LaunchArgumentError
        If it is none.
    """
    try:
        names = yaml.safe_load(text)
    except yaml.YAMLError:
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise LaunchArgumentError(
            f'launch argument {argument} must be a list of names such as [front, rear], found '
            f'{text!r}'
        )
    return names


def check_module(module: str, argument: str, requirement: str) -> None:
    """Check that a Python module which an argument asks for is installed.

    Raises
    ------
    LaunchArgumentError
        If it is not; the text names the requirement that pip installs.
    """
    if importlib.util.find_spec(module) is None:
        raise LaunchArgumentError(
            f'launch argument {argument} needs the Python module {module}, which is not '
            f"installed: pip install '{requirement}'"
        )


def is_true(value: str) -> bool:
    """Return the value of a boolean launch argument."""
    return value.lower() in ('true', '1')


def _is_a(value: str, kind: type) -> bool:
    if kind is bool:
        return value.lower() in BOOLEANS
    try:
        kind(value)
    except ValueError:
        return False
    return True
