"""Parameters of the pose node: declared once, with type, default, range and description."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterValueException
from rclpy.node import Node


def _parameter(
    default: Any,
    description: str,
    low: float = 0,
    high: float = 0,
    choices: tuple[str, ...] = (),
) -> Any:
    """Make a field with what ROS needs to know; a range where `high` is above `low`."""
    metadata = {'text': description, 'low': low, 'high': high, 'choices': choices}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class PoseParameters:
    """What can be set of the pose node. They are read once, at start."""

    model: str = _parameter(
        'auto',
        'Network: path of an OpenVINO .xml or .onnx, a name that `pose3d model list` shows, or '
        "'auto' for the installed human-pose-estimation-3d-0001; 'test_card' for the "
        "package's own, which sees nothing but its test card.",
    )
    device: str = _parameter(
        'AUTO', 'OpenVINO device: CPU, GPU, NPU, AUTO, or a list such as AUTO:GPU,CPU.'
    )
    precision: str = _parameter(
        'auto', "What the device computes in: f32, f16, bf16, or 'auto' for what it is fastest at."
    )
    input_height: int = _parameter(
        0,
        'Height of the network input, px; people further away need more, and time grows with the '
        "area. A multiple of 32; 0: the model's own size.",
        0,
        4096,
    )
    input_width: int = _parameter(
        0, "Width of the network input, px. A multiple of 32; 0: the model's own size.", 0, 4096
    )
    input_mean: float = _parameter(
        0.0,
        'Taken off every pixel, for a model without normalisation inside. 0, with an '
        'input_scale of 1: what the model itself tells.',
        0.0,
        255.0,
    )
    input_scale: float = _parameter(
        1.0, 'Then divides every pixel, for models without normalisation inside.', 0.001, 1000.0
    )
    stride: int = _parameter(
        0,
        'Input pixels per output cell that the model must have; 0: whatever it has.',
        0,
        64,
    )
    image_transport: str = _parameter(
        'raw',
        'How images come: raw, as sensor_msgs/Image on image_raw, or compressed, as '
        'sensor_msgs/CompressedImage on image_raw/compressed, below whatever name image_raw is '
        'remapped to.',
        choices=('raw', 'compressed'),
    )
    rectified: bool = _parameter(
        False, "The images are rectified: CameraInfo's P holds for them, and no distortion."
    )
    focal_length: float = _parameter(
        0.0,
        'Focal length, px, of a camera without calibrated CameraInfo; 0: unknown, taken to be 0.8 '
        'image widths, and flagged in the message as GUESSED.',
        0.0,
        100000.0,
    )
    assumed_person_height: float = _parameter(
        1.8, 'Height of everybody, m: distances scale with it.', 0.3, 2.5
    )
    keypoint_threshold: float = _parameter(0.1, 'Least score of a keypoint.', 0.01, 1.0)
    limb_threshold: float = _parameter(
        0.05, 'Least strength of the part affinity field along a limb.', 0.0, 1.0
    )
    person_threshold: float = _parameter(0.1, 'Least score of a person.', 0.0, 1.0)
    min_keypoints: int = _parameter(4, 'Least number of seen keypoints of a person.', 2, 18)
    smoothing: bool = _parameter(True, 'Smooth 3D positions over time (one-euro filter).')
    smoothing_min_cutoff: float = _parameter(
        1.0,
        'Cut-off, Hz, of somebody who stands still: lower is smoother, and later.',
        0.1,
        10.0,
    )
    smoothing_beta: float = _parameter(
        6.0, 'Growth of the cut-off with speed, Hz per m/s: higher is sooner.', 0.0, 50.0
    )
    track_memory: float = _parameter(
        1.0, 'How long, s, somebody who is not seen keeps the id.', 0.1, 10.0
    )


def declare(node: Node) -> PoseParameters:
    """Declare all parameters and read their values.

    Raises
    ------
    rclpy.exceptions.ParameterException
        If a value is of another type, out of its range, or none of the choices.
    """
    values = {}
    for f in fields(PoseParameters):
        descriptor = ParameterDescriptor(description=f.metadata['text'], read_only=True)
        low, high = f.metadata['low'], f.metadata['high']
        if high > low and isinstance(f.default, float):
            descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
        elif high > low:
            descriptor.integer_range = [IntegerRange(from_value=low, to_value=high, step=1)]
        choices = f.metadata['choices']
        if choices:
            descriptor.additional_constraints = f'one of: {", ".join(choices)}'
        value = node.declare_parameter(f.name, f.default, descriptor).value
        if choices and value not in choices:
            raise InvalidParameterValueException(
                f.name, value, f'it must be {descriptor.additional_constraints}'
            )
        values[f.name] = value
    return PoseParameters(**values)
