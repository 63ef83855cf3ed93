"""Parameters of the pose node: declared once, with type, default, range and description."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import Field, dataclass, field, fields
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidTopicNameException
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.validate_topic_name import validate_topic_name

WHILE_UNCONFIGURED = 'can be set while the node is unconfigured'


class ParameterError(ValueError):
    """Parameters that cannot be used together; says what was expected and what was found."""


def _parameter(
    default: Any,
    description: str,
    low: float = 0,
    high: float = 0,
    choices: tuple[str, ...] = (),
    live: bool = False,
) -> Any:
    """Make a field with what ROS needs to know.

    There is a range where `high` is above `low`; `live`: holds from the next image on.
    """
    metadata = {'text': description, 'low': low, 'high': high, 'choices': choices, 'live': live}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class PoseParameters:
    """What can be set of the pose node; what is not live is read when it is configured."""

    autostart: bool = _parameter(
        True,
        'Configure and activate the node when its process starts; false: wait for a lifecycle '
        'manager.',
    )
    cameras: tuple[str, ...] = _parameter(
        ('',),
        'Cameras, each with topics below its name: [front, rear] has front/image_raw, '
        "front/poses and so on. ['']: one camera, with relative topics such as image_raw.",
    )
    lazy: bool = _parameter(
        True,
        'Subscribe to a camera only while somebody subscribes to what is made of its images.',
        live=True,
    )
    model: str = _parameter(
        'auto',
        'Network: path of an OpenVINO .xml or .onnx, a name that `pose3d model list` shows, or '
        "'auto' for the installed one (human-pose-estimation-3d-0001 before others); 'demo_only' "
        'for the bundled one, which is for the bundled clip.',
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
    depth: bool = _parameter(
        False,
        'Measure people by depth images registered to the camera: depth_registered/image_rect and '
        'depth_registered/camera_info.',
    )
    depth_tolerance: float = _parameter(
        0.01,
        'By how many seconds the stamp of a depth image may differ from that of the image.',
        0.0,
        1.0,
        live=True,
    )
    lifting: str = _parameter(
        'network',
        'How keypoints become metres: by the bundled lifting network, of whatever 2D network they '
        'are, or by location_maps, which human-pose-estimation-3d-0001 has beside them: a network '
        'without them is refused then.',
        choices=('network', 'location_maps'),
    )
    assumed_person_height: float = _parameter(
        0.0,
        'Height of everybody, m: distances scale with it, but for people measured by depth. 0: '
        '1.7 for the lifting network, 1.8 for location maps.',
        0.0,
        2.5,
        live=True,
    )
    gravity_frame: str = _parameter(
        '',
        'TF frame whose z axis points up and whose origin is on the floor, such as '
        'base_footprint: with it the lifting network knows how the camera stands. Or else '
        'camera_up and camera_height.',
    )
    camera_up: tuple[float, ...] = _parameter(
        (0.0, 0.0, 0.0),
        'What is up, in the camera optical frame, of any length, as an accelerometer at rest '
        'measures it: [0.0, -1.0, 0.0] for a level camera, [0.0, -cos p, -sin p] for one that '
        'looks down by p. Zeros: unknown.',
    )
    camera_height: float = _parameter(
        0.0,
        'Height of the camera above the floor, m, for the lifting network; only with camera_up. '
        '0: unknown.',
        0.0,
        100.0,
    )
    target_frame: str = _parameter(
        '',
        'TF frame of poses and markers, by the transform at the stamp of the image; without one, '
        "nothing is published. '': the frame of the image.",
    )
    publish_body_tf: bool = _parameter(
        False,
        'Send a frame body_ID of every confirmed person to /tf, as REP 155 defines it: between '
        'the hips, x out of the body, z to the head.',
    )
    hri: bool = _parameter(
        False,
        'Publish confirmed people as REP 155 (ROS4HRI) has them: /humans/bodies/tracked, and roi '
        'and skeleton2d of each body.',
    )
    keypoint_threshold: float = _parameter(0.1, 'Least score of a keypoint.', 0.01, 1.0, live=True)
    limb_threshold: float = _parameter(
        0.05,
        'Least strength of the part affinity field along a limb.',
        0.0,
        1.0,
        live=True,
    )
    person_threshold: float = _parameter(0.1, 'Least score of a person.', 0.0, 1.0, live=True)
    min_keypoints: int = _parameter(
        4, 'Least number of seen keypoints of a person.', 2, 18, live=True
    )
    smoothing: bool = _parameter(
        True, 'Smooth 3D positions over time (one-euro filter).', live=True
    )
    smoothing_min_cutoff: float = _parameter(
        1.0,
        'Cut-off, Hz, of somebody who stands still: lower is smoother, and later.',
        0.1,
        10.0,
        live=True,
    )
    smoothing_beta: float = _parameter(
        6.0,
        'Growth of the cut-off with speed, Hz per m/s: higher is sooner.',
        0.0,
        50.0,
        live=True,
    )
    track_memory: float = _parameter(
        1.0,
        'How long, s, somebody who is not seen keeps the id.',
        0.1,
        10.0,
        live=True,
    )
    diagnostics_period: float = _parameter(
        1.0, 'Seconds from one message on /diagnostics to the next.', 0.1, 60.0
    )
    stale_after: float = _parameter(
        2.0, 'Diagnostics: ERROR after so many seconds without an image.', 0.1, 600.0, live=True
    )
    min_rate: float = _parameter(
        1.0, 'Diagnostics: WARN at fewer answered images per second.', 0.0, 1000.0, live=True
    )
    max_latency: float = _parameter(
        0.5,
        "Diagnostics: WARN if poses come more seconds than these after their image's stamp.",
        0.001,
        3600.0,
        live=True,
    )


FIELDS: dict[str, Field[Any]] = {f.name: f for f in fields(PoseParameters)}


def declare(node: Node) -> None:
    """Declare all parameters.

    Raises
    ------
    rclpy.exceptions.ParameterException
        If a value is of another type, out of its range, or none of the choices.
    """
    for name, f in FIELDS.items():
        node.declare_parameter(name, f.default, descriptor(f))


def descriptor(f: Field[Any]) -> ParameterDescriptor:
    """Describe a parameter as `ros2 param describe` shows it."""
    low, high, choices = (f.metadata[key] for key in ('low', 'high', 'choices'))
    constraints = [f'one of: {", ".join(choices)}'] if choices else []
    constraints += [] if f.metadata['live'] else [WHILE_UNCONFIGURED]
    made = ParameterDescriptor(
        description=f.metadata['text'], additional_constraints='; '.join(constraints)
    )
    if high > low and isinstance(f.default, float):
        made.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    elif high > low:
        made.integer_range = [IntegerRange(from_value=low, to_value=high, step=1)]
    return made


def refusal(changes: Iterable[Parameter[Any]], configured: PoseParameters | None) -> str:
    """Say why some of the changes must not be, or ''. ROS itself checks types and ranges.

    `configured`: what the node runs with; None: it is unconfigured, and everything may change.
    """
    for change in changes:
        if change.name not in FIELDS:
            continue
        metadata = FIELDS[change.name].metadata
        if metadata['choices'] and change.value not in metadata['choices']:
            return (
                f'{change.name} must be one of: {", ".join(metadata["choices"])}, '
                f'found {change.value!r}'
            )
        if configured is None or metadata['live']:
            continue
        # To set what is set already is no change: a file of all parameters can be loaded.
        value = change.value
        if _frozen(value) != getattr(configured, change.name):
            return f'{change.name}: {WHILE_UNCONFIGURED}: deactivate it, clean it up, set it'
    return ''


def read(node: Node) -> PoseParameters:
    """Read what is set now."""
    return PoseParameters(**{n: _frozen(node.get_parameter(n).value) for n in FIELDS})


def _frozen(value: Any) -> Any:
    """Turn lists and arrays, as ROS gives them, into tuples."""
    return value if isinstance(value, (bool, int, float, str)) else tuple(value)


def check_together(p: PoseParameters) -> None:
    """ParameterError where values that are allowed by themselves do not go together."""
    if bool(p.input_height) != bool(p.input_width):
        raise ParameterError(
            'input_height and input_width go together: both 0 or both set, '
            f'found {p.input_height} and {p.input_width}'
        )
    if not p.cameras or len(set(p.cameras)) < len(p.cameras):
        raise ParameterError(
            f'cameras must be at least one, each another, found {list(p.cameras)}'
        )
    if len(p.camera_up) != 3 or not all(map(math.isfinite, p.camera_up)):
        raise ParameterError(f'camera_up must be three numbers, found {list(p.camera_up)}')
    if p.camera_height and not any(p.camera_up):
        raise ParameterError(f'camera_height needs camera_up, found {p.camera_height} and zeros')
    if p.gravity_frame and any(p.camera_up):
        raise ParameterError(
            'gravity_frame and camera_up say the same: set one, found '
            f'{p.gravity_frame!r} and {list(p.camera_up)}'
        )
    for camera in filter(None, p.cameras):
        try:
            validate_topic_name(camera)
        except InvalidTopicNameException as error:
            raise ParameterError(f'cameras must be names of topics, found {camera!r}') from error
