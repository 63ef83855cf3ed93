"""Parameters of the pose node, through its services."""

import itertools

import numpy as np
import pytest
import yaml
from rcl_interfaces.msg import ParameterType
from rclpy.parameter import Parameter, parameter_value_to_python
from rclpy.parameter_client import AsyncParameterClient
from support.robot import GREY, TRUTH, camera_info, header, metres

from pose3d_ros.ros.messages.images import image_msg
from pose3d_ros.ros.node_parameters import WHILE_UNCONFIGURED
from pose3d_ros.ros.parameters import FIELDS
from pose3d_ros.ros.pose_node import SUCCESS, PoseNode

LIVE = {
    'appearance_memory', 'assumed_person_height', 'camera_pose_from_people', 'depth_tolerance',
    'image_rotation', 'keypoint_threshold', 'lazy', 'limb_threshold', 'max_latency',
    'min_keypoints', 'min_rate', 'person_threshold', 'smoothing', 'smoothing_beta',
    'smoothing_min_cutoff', 'stale_after', 'track_memory',
}  # fmt: skip


class Client:
    """Sets and gets parameters as `ros2 param` does."""

    def __init__(self, robot):
        self.robot = robot
        self.client = AsyncParameterClient(robot.node, 'pose_node')
        robot.spin_until(self.client.services_are_ready)

    def call(self, future):
        self.robot.spin_until(future.done)
        return future.result()

    def set(self, **values):
        changes = [Parameter(name, value=value) for name, value in values.items()]
        return self.call(self.client.set_parameters_atomically(changes)).result

    def all(self):
        names = self.call(self.client.list_parameters()).result.names
        found = self.call(self.client.get_parameters(names)).values
        return dict(zip(names, map(parameter_value_to_python, found), strict=True))

    def describe(self, names):
        return self.call(self.client.describe_parameters(names)).descriptors


# Values other than the default, where `other` would be invalid.
OTHERS = {'keypoint_threshold': 0.2, 'image_rotation': '90'}


def other(value):
    """Another value of the same type, within every range."""
    if isinstance(value, bool):
        return not value
    kinds = {int: lambda v: v + 1, float: lambda v: v + 0.1, str: lambda v: v + 'x'}
    return kinds.get(type(value), lambda v: [*v, 'x' if '' in v else 1.0])(value)


def test_every_parameter_is_described(robot):
    r = robot()
    described = Client(r).describe(list(FIELDS))
    assert [d.name for d in described] == list(FIELDS)
    for d in described:
        assert len(d.description) > 20
        assert not d.read_only
        assert (WHILE_UNCONFIGURED in d.additional_constraints) == (d.name not in LIVE)
        numeric = d.type in (ParameterType.PARAMETER_INTEGER, ParameterType.PARAMETER_DOUBLE)
        assert bool(d.integer_range or d.floating_point_range) == numeric


def test_parameters_that_are_not_live_are_refused(robot):
    r = robot()
    client = Client(r)
    before = client.all()
    for name in FIELDS:
        value = OTHERS.get(name) or other(before[name])
        result = client.set(**{name: value})
        assert result.successful == (name in LIVE), name
        if name not in LIVE:
            assert result.reason.startswith(
                f'{name} must be one of'
                if FIELDS[name].metadata['choices']
                else f'{name}: {WHILE_UNCONFIGURED}'
            )
            assert client.set(**{name: before[name]}).successful
            assert client.all()[name] == before[name]
    r.pose_node.trigger_deactivate()
    assert not client.set(model='other.xml').successful
    r.pose_node.trigger_cleanup()
    assert client.set(model='other.xml').successful


@pytest.mark.parametrize(
    'change',
    [
        {'assumed_person_height': 3.0},
        {'assumed_person_height': float('nan')},
        {'min_keypoints': 1},
        {'smoothing': 1},
        {'keypoint_threshold': '0.2'},
        {'track_memory': float('inf')},
        {'input_width': 32, 'input_height': 32},
    ],
)
def test_changes_are_atomic(robot, change):
    client = Client(robot())
    before = client.all()
    result = client.set(limb_threshold=0.2, **change)
    assert not result.successful
    assert result.reason
    unchanged = client.all()
    assert unchanged == before


def test_changes_apply_to_the_next_image_and_keep_ids(robot):
    r = robot()
    client = Client(r)
    r.calibrate(camera_info())
    nanoseconds = itertools.count(0, 200_000_000)

    def see():
        return r.poses_of(image_msg(GREY, header(*divmod(next(nanoseconds), 10**9))))

    def change(**values):
        assert client.set(**values).successful

    ids = [pose.track_id for pose in see().poses]
    change(assumed_person_height=1.7)
    late = see()
    assert abs(metres(late) - TRUTH * 1.7 / 1.8).max() > 0.03  # smoothed
    change(smoothing=False)
    message = see()
    np.testing.assert_allclose(metres(message), TRUTH * 1.7 / 1.8, atol=0.01)
    assert [pose.track_id for pose in message.poses] == ids
    change(person_threshold=1.0)
    assert list(see().poses) == []
    change(person_threshold=0.0)  # that of the family
    assert [pose.track_id for pose in see().poses] == ids


def test_memory_can_be_made_longer(robot):
    r = robot()
    client = Client(r)

    def ids(second, nanosec=0):
        message = r.poses_of(image_msg(GREY, header(second, nanosec)))
        return {pose.track_id for pose in message.poses}

    for i in range(4):  # at 10 Hz: at low rates the memory is longer
        first = ids(0, i * 10**8)
    assert client.set(track_memory=5.0).successful
    assert ids(4) == first
    assert client.set(track_memory=1.0).successful
    assert not ids(8) & first


def test_parameter_dump_can_be_loaded(robot, tmp_path):
    """As `ros2 param dump` writes it, and `--params-file` reads it."""
    r = robot(
        smoothing=False, assumed_person_height=1.7, cameras=['front', 'rear'], device='CPU',
        **{'qos_overrides./x/front/markers.publisher.reliability': 'best_effort'},
        namespace='/x',
    )  # fmt: skip
    dumped = Client(r).all()
    nested = {}
    for name, value in dumped.items():
        *path, last = name.split('.')
        branch = nested
        for part in path:
            branch = branch.setdefault(part, {})
        branch[last] = value
    file = tmp_path / 'dump.yaml'
    file.write_text(yaml.safe_dump({'/x/pose_node': {'ros__parameters': nested}}))
    assert dumped['cameras'] == ['front', 'rear']
    node = PoseNode(namespace='/x', cli_args=['--ros-args', '--params-file', str(file)])
    assert {name: node.get_parameter(name).value for name in FIELDS} == {
        name: dumped[name] for name in FIELDS
    }
    assert node.trigger_configure() == SUCCESS == node.trigger_activate()
    for (
        name,
        value,
    ) in dumped.items():  # subscriptions are created with the first subscriber of the results
        if '.subscription.' not in name:
            assert node.get_parameter(name).value == value
    node.destroy_node()


def test_integers_are_accepted_for_doubles(robot):
    """As `-p focal_length:=600` and `ros2 param set` give them."""
    r = robot(focal_length=600, camera_up=[0, -1, 0], activate=False)
    client = Client(r)
    given = client.all()
    assert (given['focal_length'], list(given['camera_up'])) == (600.0, [0.0, -1.0, 0.0])
    assert client.set(stale_after=3).successful
    assert client.all()['stale_after'] == 3.0
    result = client.set(stale_after=601)
    assert not result.successful
    assert '600.0' in result.reason
    (described,) = client.describe(['focal_length'])
    assert described.type == ParameterType.PARAMETER_DOUBLE
    assert not described.dynamic_typing
    assert not client.set(min_keypoints=5.0).successful


def test_misspelt_parameters_are_named(robot, capfd):
    override = {'qos_overrides./x/poses.publisher.depth': 3}
    robot(focal_lenght=600.0, unrelated='x', activate=False, **override)
    logged = capfd.readouterr().err
    assert 'parameter focal_lenght does not exist and is ignored; did you mean focal_length?' in (
        logged
    )
    assert 'parameter unrelated does not exist and is ignored\n' in logged
    assert logged.count('does not exist') == 2
