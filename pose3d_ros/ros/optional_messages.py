"""Message packages that only a parameter needs, and that PyPI does not have."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class MissingPackageError(Exception):
    """A message package that a parameter needs is not installed; the text says how to get it."""


def import_messages(package: str, parameter: str) -> Any:
    """Import the messages of an optional package.

    Raises
    ------
    MissingPackageError
        If it cannot be imported.
    """
    try:
        return import_module(f'{package}.msg')
    except ImportError as error:
        apt = package.replace('_', '-')
        raise MissingPackageError(
            f'the parameter {parameter} needs {package}, which cannot be imported ({error}): '
            f'apt install ros-$ROS_DISTRO-{apt}, or, where the distribution does not have it, '
            'build it from source'
        ) from error
