"""Parameters of the pose node: declared once, with type, default, range and description."""

from __future__ import annotations

import math
from dataclasses import Field, dataclass, field, fields
from typing import Any

from rclpy.exceptions import InvalidTopicNameException
from rclpy.validate_topic_name import validate_topic_name


class ParameterError(ValueError):
    """Values of parameters that contradict each other; the text names what was found."""


def _parameter(
    default: Any, description: str, low: float = 0, high: float = 0, **metadata: Any
) -> Any:
    """Declare a parameter: a field with what ROS and the documents need to know.

    The range is [low, high] where `high` is above `low`. Other metadata are `choices`, a tuple of
    the allowed values; `live`: it applies from the next image on; `group`, its heading in the
    generated documents.
    """
    known = {'text': description, 'low': low, 'high': high, 'choices': (), 'live': False}
    return field(default=default, metadata={**known, **metadata})


@dataclass(frozen=True)
class PoseParameters:
    """Parameters of the pose node. Those that are not live are read when it is configured."""

    autostart: bool = _parameter(
        True,
        'Configure and activate the node when its process starts. false: wait for a lifecycle '
        'manager.',
        group='Node',
    )
    cameras: tuple[str, ...] = _parameter(
        ('',),
        'Names of the cameras. The topics of each are below its name: [front, rear] subscribes to '
        "front/image_raw, publishes front/poses and so on. ['']: one camera with relative topics "
        'such as image_raw.',
        group='Node',
    )
    lazy: bool = _parameter(
        True,
        'Subscribe to a camera only while one of its outputs has a subscriber.',
        live=True,
        group='Node',
    )
    model: str = _parameter(
        'auto',
        'Network: path of an .xml (OpenVINO), .onnx or .tflite file or of the folder of a '
        'SavedModel, a name that `pose3d model list` shows, a pair "DETECTOR + NETWORK" of these, '
        "or 'auto' for the installed one (human-pose-estimation-0001 in INT8 before others). "
        "'demo_only' is the bundled one, which works on the bundled clip only.",
        group='Network',
    )
    spec: str = _parameter(
        '',
        'Path of the JSON file that states the contract of the model: its family, outputs, '
        "normalisation, keypoints. '': NAME.spec.json beside the model file, or what its inputs "
        'and outputs show.',
        group='Network',
    )
    device: str = _parameter(
        'AUTO',
        'OpenVINO device: CPU, GPU, NPU, AUTO, or a list such as AUTO:GPU,CPU, which needs a GPU.',
        group='Network',
    )
    precision: str = _parameter(
        'auto',
        "Arithmetic of the network: f32, f16, bf16, or 'auto' for the fastest of the device.",
        group='Network',
    )
    input_height: int = _parameter(
        0,
        'Height of the network input, px, a multiple of 8 (of some models 32). People at a '
        'greater distance need more; computing time grows with the area. 0: 320 (more for '
        'portrait images) where the model takes any size, else the size of the model file.',
        0,
        4096,
        group='Network',
    )
    input_width: int = _parameter(
        0,
        'Width of the network input, px, a multiple like the height; needs input_height. 0: '
        'follows from the aspect of the images where the model takes any size.',
        0,
        4096,
        group='Network',
    )
    input_mean: float = _parameter(
        0.0,
        'Mean that is subtracted from every pixel, for a model that does not normalise its input. '
        'With 0 and an input_scale of 1 the model file decides.',
        0.0,
        255.0,
        group='Network',
    )
    input_scale: float = _parameter(
        1.0,
        'Divisor of every pixel after input_mean is subtracted.',
        0.001,
        1000.0,
        group='Network',
    )
    stride: int = _parameter(
        0,
        'Input pixels per output cell that the model must have. 0: any.',
        0,
        64,
        group='Network',
    )
    detector_interval: int = _parameter(
        1,
        'With a pair of networks: run the person detector on every n-th image only. In between, '
        'people are looked for where they are expected.',
        1,
        30,
        group='Network',
    )
    max_people: int = _parameter(
        20,
        'With a pair of networks: largest number of people for an image; the largest come first.',
        1,
        100,
        group='Network',
    )
    image_transport: str = _parameter(
        'raw',
        'Transport of the images: raw, sensor_msgs/Image on image_raw, or compressed, '
        'sensor_msgs/CompressedImage on image_raw/compressed. Remappings of image_raw apply to '
        'both.',
        choices=('raw', 'compressed'),
        group='Camera',
    )
    rectified: bool = _parameter(
        False,
        "The images are rectified: CameraInfo's P applies, without distortion.",
        group='Camera',
    )
    focal_length: float = _parameter(
        0.0,
        'Focal length, px, of a camera without a calibrated CameraInfo. 0: unknown; 0.8 image '
        'widths are assumed, and the message says GUESSED.',
        0.0,
        100000.0,
        group='Camera',
    )
    image_rotation: str = _parameter(
        'auto',
        'Clockwise rotation, degrees, that turns the images of a camera mounted on its side or '
        "upside down upright for the network: 0, 90, 180 or 270, or 'auto', by gravity_frame, "
        'camera_up or imu. Keypoints, overlay and poses stay those of the image as received.',
        choices=('auto', '0', '90', '180', '270'),
        live=True,
        group='Camera',
    )
    depth: bool = _parameter(
        False,
        'Measure distances with depth images registered to the camera, on '
        'depth_registered/image_rect and depth_registered/camera_info.',
        group='3D',
    )
    depth_tolerance: float = _parameter(
        0.01,
        'Largest difference between the stamps of an image and its depth image, s.',
        0.0,
        1.0,
        live=True,
        group='3D',
    )
    lifting: str = _parameter(
        'network',
        "How 3D poses are estimated: 'network' by the bundled lifting network from the 2D "
        "keypoints of any model; 'location_maps' from the location maps of "
        'human-pose-estimation-3d-0001 (a model without them is refused).',
        choices=('network', 'location_maps'),
        group='3D',
    )
    assumed_person_height: float = _parameter(
        0.0,
        'Assumed height of all people, m. Distances scale with it, except those of people '
        'measured by depth. 0: 1.7 for the lifting network, 1.8 for location maps.',
        0.0,
        2.5,
        live=True,
        group='3D',
    )
    camera_pose_from_people: bool = _parameter(
        True,
        'Estimate attitude and height of the camera from the people that it sees, where neither '
        'gravity_frame nor camera_up and camera_height state them and the focal length is known. '
        'With camera_up or imu alone, the height is estimated.',
        live=True,
        group='3D',
    )
    camera_pose_memory: bool = _parameter(
        True,
        'Keep the estimated pose of a camera at rest in the cache folder of the user, from where '
        'the next start has it at once. It is dropped if the people seen then contradict it. Set '
        'it to false for cameras that move.',
        group='3D',
    )
    gravity_frame: str = _parameter(
        '',
        'TF frame with its z axis up and its origin on the floor, such as base_footprint, from '
        'which attitude and height of the camera are taken. Alternatively set camera_up or imu, '
        'and camera_height.',
        group='3D',
    )
    camera_up: tuple[float, ...] = _parameter(
        (0.0, 0.0, 0.0),
        'Direction against gravity in the camera optical frame, of any length, as an '
        'accelerometer at rest measures it: [0.0, -1.0, 0.0] for a level camera, '
        '[0.0, -cos p, -sin p] for one that is pitched down by p. Zeros: unknown.',
        group='3D',
    )
    imu: bool = _parameter(
        False,
        'Take the attitude of the camera from gravity, by the sensor_msgs/Imu on imu, while it '
        'is at rest. TF must have the transform from the frame of the IMU to that of the images, '
        'unless they are the same.',
        group='3D',
    )
    camera_height: float = _parameter(
        0.0,
        'Height of the camera above the floor, m; needs camera_up or imu. 0: unknown.',
        0.0,
        100.0,
        group='3D',
    )
    target_frame: str = _parameter(
        '',
        'TF frame of poses and markers, by the transform at the stamp of the image; if there is '
        "none, nothing is published. '': the frame of the image.",
        group='Output',
    )
    publish_body_tf: bool = _parameter(
        False,
        'Broadcast a TF frame body_ID for every confirmed person, as REP 155 defines it: origin '
        'between the hips, x forward, z towards the head.',
        group='Output',
    )
    publish_target_tf: bool = _parameter(
        False,
        'Broadcast a TF frame target for the person chosen by ~/follow, while visible: on the '
        'floor, z up, x where the body faces. The cameras are processed all the time then.',
        group='Output',
    )
    hri: bool = _parameter(
        False,
        'Publish confirmed people as REP 155 (ROS4HRI) defines: /humans/bodies/tracked, and roi '
        'and skeleton2d of each body. Needs hri_msgs.',
        group='Output',
    )
    detections: bool = _parameter(
        False,
        'Publish people as vision_msgs/Detection3DArray on detections, while there is a '
        'subscriber. Needs vision_msgs.',
        group='Output',
    )
    keypoint_threshold: float = _parameter(
        0.1, 'Least score of a keypoint.', 0.01, 1.0, live=True, group='Detection'
    )
    limb_threshold: float = _parameter(
        0.05,
        'Least strength of the part affinity field along a limb.',
        0.0,
        1.0,
        live=True,
        group='Detection',
    )
    person_threshold: float = _parameter(
        0.0,
        'Least score of a person. 0: that of the family of the model, 0.25 for pairs of networks, '
        '0.3 for all others.',
        0.0,
        1.0,
        live=True,
        group='Detection',
    )
    min_keypoints: int = _parameter(
        4, 'Least number of detected keypoints of a person.', 2, 18, live=True, group='Detection'
    )
    smoothing: bool = _parameter(
        True,
        'Smooth 3D positions over time (one-euro filter).',
        live=True,
        group='Tracking',
    )
    smoothing_min_cutoff: float = _parameter(
        1.0,
        'Cut-off frequency for a person who stands still, Hz. Lower: smoother, with more lag.',
        0.1,
        10.0,
        live=True,
        group='Tracking',
    )
    smoothing_beta: float = _parameter(
        6.0,
        'Increase of the cut-off frequency with speed, Hz per m/s. Higher: less lag.',
        0.0,
        50.0,
        live=True,
        group='Tracking',
    )
    track_memory: float = _parameter(
        1.0,
        'How long a person who is not detected keeps the id, s. This holds across a pause, too. '
        'Below 2.5 images per second it is longer: until two images came without the person.',
        0.1,
        10.0,
        live=True,
        group='Tracking',
    )
    appearance_memory: float = _parameter(
        60.0,
        'How long the colours of the clothes of a person who left are remembered, s, by which the '
        'person gets the id back. They are kept in memory only. 0: never.',
        0.0,
        600.0,
        live=True,
        group='Tracking',
    )
    diagnostics_period: float = _parameter(
        1.0, 'Period of the messages on /diagnostics, s.', 0.1, 60.0, group='Diagnostics'
    )
    stale_after: float = _parameter(
        2.0,
        'Diagnostics report ERROR when no image has arrived for this long, s.',
        0.1,
        600.0,
        live=True,
        group='Diagnostics',
    )
    min_rate: float = _parameter(
        1.0,
        'Diagnostics report WARN when poses are published at a lower rate, Hz.',
        0.0,
        1000.0,
        live=True,
        group='Diagnostics',
    )
    max_latency: float = _parameter(
        0.5,
        "Diagnostics report WARN when the mean time from an image's stamp to its poses is longer, "
        's.',
        0.001,
        3600.0,
        live=True,
        group='Diagnostics',
    )


FIELDS: dict[str, Field[Any]] = {f.name: f for f in fields(PoseParameters)}


def check_together(p: PoseParameters) -> None:
    """Raise ParameterError if values contradict each other."""
    if p.input_width and not p.input_height:
        raise ParameterError(
            f'input_width needs input_height, found {p.input_width} and {p.input_height}'
        )
    if not p.cameras or len(set(p.cameras)) < len(p.cameras):
        raise ParameterError(
            f'cameras must be one or more different names, found {list(p.cameras)}'
        )
    if len(p.camera_up) != 3 or not all(map(math.isfinite, p.camera_up)):
        raise ParameterError(f'camera_up must be three numbers, found {list(p.camera_up)}')
    if p.camera_height and not (any(p.camera_up) or p.imu):
        raise ParameterError(
            f'camera_height needs camera_up or imu, found {p.camera_height} without them'
        )
    if bool(p.gravity_frame) + any(p.camera_up) + p.imu > 1:
        raise ParameterError(
            'only one of gravity_frame, camera_up and imu may be set, found '
            f'{p.gravity_frame!r}, {list(p.camera_up)} and {p.imu}'
        )
    for camera in filter(None, p.cameras):
        try:
            validate_topic_name(camera)
        except InvalidTopicNameException as error:
            raise ParameterError(f'cameras must be valid topic names, found {camera!r}') from error
