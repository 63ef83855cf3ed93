"""The parameters of a pose node in ROS: declare and read them, refuse changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import Field
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter

from pose3d_ros.ros import doubles
from pose3d_ros.ros.parameters import FIELDS, PoseParameters
from pose3d_ros.wording import did_you_mean

# Parameters that rclpy declares itself.
BUILT_IN = {'use_sim_time', 'start_type_description_service'}
WHILE_UNCONFIGURED = 'can be set while the node is unconfigured'
DOUBLES = {name for name, f in FIELDS.items() if doubles.is_double(f.default)}


def declare(node: Node) -> None:
    """Declare all parameters; warn of given ones that do not exist.

    The node must have been constructed with `automatically_declare_parameters_from_overrides`,
    which is how rclpy lists the given parameters.

    Raises
    ------
    rclpy.exceptions.ParameterException
        If a value is of another type, out of its range, or none of the choices.
    """
    given = set(node.get_parameters_by_prefix('')) - BUILT_IN
    for name in sorted(given):
        node.undeclare_parameter(name)
        if name not in FIELDS and not name.startswith('qos_overrides.'):
            node.get_logger().warning(
                f'parameter {name} does not exist and is ignored{did_you_mean(FIELDS, name)}'
            )
    for name, f in FIELDS.items():
        doubles.declare(node, name, f.default, descriptor(f))


def descriptor(f: Field[Any]) -> ParameterDescriptor:
    """Return the descriptor that `ros2 param describe` shows."""
    low, high, choices = (f.metadata[key] for key in ('low', 'high', 'choices'))
    constraints = [f'one of: {", ".join(choices)}'] if choices else []
    constraints += [] if f.metadata['live'] else [WHILE_UNCONFIGURED]
    made = ParameterDescriptor(
        description=f.metadata['text'],
        additional_constraints='; '.join(constraints),
        dynamic_typing=_is_numeric_choice(f),
    )
    if high > low and isinstance(f.default, float):
        made.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    elif high > low:
        made.integer_range = [IntegerRange(from_value=low, to_value=high, step=1)]
    return made


def refusal(changes: Iterable[Parameter[Any]], configured: PoseParameters | None) -> str:
    """Return why changes are refused, or ''. ROS itself checks types and ranges.

    Parameters
    ----------
    changes
        Requested values.
    configured
        Values that the node runs with. None: it is unconfigured, and every parameter may change.
    """
    for change in changes:
        if change.name not in FIELDS:
            continue
        metadata = FIELDS[change.name].metadata
        if metadata['choices'] and str(change.value) not in metadata['choices']:
            return (
                f'{change.name} must be one of: {", ".join(metadata["choices"])}, '
                f'found {change.value!r}'
            )
        if configured is None or metadata['live']:
            continue
        # Setting the present value is no change, so that a dump of all parameters can be loaded.
        value = change.value
        if _read(value, FIELDS[change.name]) != getattr(configured, change.name):
            return f'{change.name}: {WHILE_UNCONFIGURED}: deactivate and clean up first'
    return ''


def read(node: Node) -> PoseParameters:
    """Return the present values."""
    return PoseParameters(**{n: _read(node.get_parameter(n).value, f) for n, f in FIELDS.items()})


def _read(value: Any, f: Field[Any]) -> Any:
    """Return a value of a parameter in the type of its field."""
    if _is_numeric_choice(f):
        return str(value)
    return value if isinstance(value, (bool, int, float, str)) else tuple(value)


def _is_numeric_choice(f: Field[Any]) -> bool:
    """Return whether choices look like numbers: YAML and `-p NAME:=90` make integers of them."""
    return any(choice.isdigit() for choice in f.metadata['choices'])
