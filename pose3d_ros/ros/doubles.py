"""Integers that are given for doubles: YAML and `-p NAME:=600` make integers of whole numbers."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter


def declare(node: Node, name: str, default: Any, descriptor: ParameterDescriptor) -> None:
    """Declare a parameter; for a double, or several of them, integers may be given.

    Raises
    ------
    rclpy.exceptions.ParameterException
        If the given value is of another type, or out of its range.
    """
    if is_double(default):
        # Any type is accepted, to read what was given.
        given = node.declare_parameter(name, default, ParameterDescriptor(dynamic_typing=True))
        node.undeclare_parameter(name)
        made = _as_double(given)
        if made is not given:
            node.declare_parameter(name, made.value, descriptor, ignore_override=True)
            return
    node.declare_parameter(name, default, descriptor)


def is_double(default: Any) -> bool:
    """Return whether a parameter with this default is a double, or several of them."""
    numbers = default if isinstance(default, tuple) else (default,)
    return all(isinstance(number, float) for number in numbers)


def as_doubles(changes: Iterable[Parameter[Any]], names: Container[str]) -> list[Parameter[Any]]:
    """Return changes of parameters, with doubles for the integers of those with these names."""
    return [_as_double(change) if change.name in names else change for change in changes]


def _as_double(parameter: Parameter[Any]) -> Parameter[Any]:
    """Return the same parameter unless it is an integer, or several."""
    kinds = Parameter.Type
    if parameter.type_ == kinds.INTEGER:
        return Parameter(parameter.name, kinds.DOUBLE, float(parameter.value))
    if parameter.type_ == kinds.INTEGER_ARRAY:
        numbers = [float(number) for number in parameter.value]
        return Parameter(parameter.name, kinds.DOUBLE_ARRAY, numbers)
    return parameter
