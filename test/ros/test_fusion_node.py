"""The fusion node over DDS: people of two cameras in a room, with stand-in transforms."""

import itertools
import re
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import rclpy
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import Transform, Vector3
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.serialization import deserialize_message
from rclpy.time import Time as RclpyTime
from support import room, tf2_stand_in
from support.robot import header
from visualization_msgs.msg import MarkerArray

from pose3d_ros import cli
from pose3d_ros.camera import CameraPose
from pose3d_ros.msg import Keypoint3D, PoseArray3D
from pose3d_ros.ros import fusion_node
from pose3d_ros.ros.fusion_node import FusionNode
from pose3d_ros.ros.fusion_parameters import FUSION_PARAMETERS
from pose3d_ros.ros.messages.people import intrinsics, tracked_people
from pose3d_ros.ros.messages.pose_array import pose_array_cdr
from pose3d_ros.ros.messages.transforms import quaternion_msg
from pose3d_ros.ros.parameters import ParameterError
from pose3d_ros.ros.qos import result_qos

PATIENCE_S = 10
CAMERAS = {'left': room.camera('left', 200, 0.15), 'right': room.camera('right', 290, -0.1)}
PEOPLE_M = room.standing((0.4, -0.3), (-0.8, 0.5))
UP = np.array([0.0, -1.0, 0.0])


class House:
    """A fusion node, and two pose nodes that this test stands in for."""

    def __init__(self, outputs=(PoseArray3D,), **parameters):
        parameters = {
            'cameras': list(CAMERAS), 'fused_frame': 'map', 'diagnostics_period': 0.05,
            **parameters,
        }  # fmt: skip
        overrides = [Parameter(name, value=value) for name, value in parameters.items()]
        self.fusion = FusionNode(parameter_overrides=overrides, namespace='/house')
        self.peer = rclpy.create_node('peer', namespace='/house')
        self.publishers = {
            name: self.peer.create_publisher(PoseArray3D, f'{name}/poses', result_qos())
            for name in CAMERAS
        }
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.fusion)
        self.executor.add_node(self.peer)
        self.received = {PoseArray3D: [], MarkerArray: []}
        self.statuses = {}
        for kind, topic in ((PoseArray3D, 'fused/poses'), (MarkerArray, 'fused/markers')):
            if kind in outputs:
                self.peer.create_subscription(kind, topic, self.received[kind].append, 100)
        self.peer.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 10)
        if outputs:
            self.spin_until(
                lambda: all(p.get_subscription_count() for p in self.publishers.values())
            )

    def _on_diagnostics(self, array):
        self.statuses = {s.name.rpartition(': ')[2]: s for s in array.status}

    def spin_until(self, condition):
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, 'timed out'
            self.executor.spin_once(timeout_sec=0.02)

    def set_transform(self, camera, second):
        place = CAMERAS[camera]
        x, y, z = place.origin_m.tolist()
        transform = Transform(
            translation=Vector3(x=x, y=y, z=z), rotation=quaternion_msg(place.rotation)
        )
        stamp = RclpyTime.from_msg(Time(sec=second)).nanoseconds
        self.fusion.transforms._buffer.transforms['map', camera, stamp] = transform

    def send(self, camera, second, transform=True, people_m=PEOPLE_M, pose=None):
        """Publish what a camera of a known pose or none sees; wait until the node has it."""
        if transform:
            self.set_transform(camera, second)
        result = room.seen(CAMERAS[camera], people_m, float(second))
        data = pose_array_cdr(result.tracked, header(second, frame=camera), room.LENS, pose)
        before = self.fusion.inputs[camera].received
        self.publishers[camera].publish(data)
        self.spin_until(lambda: self.fusion.inputs[camera].received > before)

    def close(self):
        self.executor.shutdown()
        self.fusion.destroy_node()
        self.peer.destroy_node()


@pytest.fixture
def house(monkeypatch):
    monkeypatch.setitem(sys.modules, 'tf2_ros', tf2_stand_in.module())
    made = []

    def make(*args, **parameters):
        made.append(House(*args, **parameters))
        return made[-1]

    rclpy.init()
    yield make
    for one in made:
        one.close()
    rclpy.shutdown()


def test_people_of_two_cameras_are_published_as_one_set(house):
    h = house((PoseArray3D, MarkerArray))
    for second in (1, 2):
        h.send('left', second)
        h.send('right', second)
    received = h.received[PoseArray3D]
    h.spin_until(lambda: len(received) == 2 and h.received[MarkerArray])
    message = received[-1]
    assert message.header == header(2, frame='map')
    assert message.scale_source == PoseArray3D.CAMERAS
    assert np.isnan(message.intrinsics).all()
    assert intrinsics(message) is None
    assert [pose.track_id for pose in message.poses] == [0, 1]
    assert {k.source for pose in message.poses for k in pose.keypoints} == {Keypoint3D.FUSED}
    found = tracked_people(message)
    np.testing.assert_allclose(found.people.xyz_m, PEOPLE_M, atol=1e-3)
    assert np.isnan(found.people.people_2d.xy_px).all()
    assert h.received[MarkerArray][-1].markers[0].header.frame_id == 'map'


def test_the_intrinsics_of_a_message_are_those_of_the_camera():
    result = room.seen(CAMERAS['left'], PEOPLE_M)
    data = pose_array_cdr(result.tracked, header(), room.LENS)
    assert intrinsics(deserialize_message(data, PoseArray3D)) == room.LENS


def test_without_a_transform_nothing_is_fused_and_log_and_diagnostics_say_so(house, capfd):
    h = house()
    for second in (1, 2, 3):
        h.send('left', second, transform=False)
        h.send('right', second, transform=False)
    h.spin_until(lambda: 'no transform' in h.statuses.get('right', DiagnosticStatus()).message)
    assert not h.received[PoseArray3D]
    assert h.statuses['left'].level == h.statuses['fusion'].level == DiagnosticStatus.ERROR
    assert "from 'left' to 'map'" in h.statuses['left'].message
    assert h.statuses['fusion'].message == 'fusing 0 of 2 cameras: nothing is fused'
    lines = capfd.readouterr().err
    for camera in CAMERAS:
        assert f'{camera}: poses are not fused: no transform' in lines
    # Afterwards it works.
    h.send('left', 4)
    h.send('right', 4)
    h.spin_until(lambda: h.received[PoseArray3D])
    h.spin_until(lambda: h.statuses['fusion'].level == DiagnosticStatus.OK)


def test_a_message_whose_transform_is_on_its_way_waits_and_no_other_camera_does(
    house, monkeypatch
):
    monkeypatch.setattr(fusion_node, 'WAIT_S', 2.0 * PATIENCE_S)
    h = house()
    h.set_transform('left', 1)
    h.send('left', 2, transform=False)
    h.send('right', 2)
    assert h.fusion.inputs['left'].waiting
    assert not h.received[PoseArray3D]
    h.set_transform('left', 2)
    h.spin_until(lambda: h.received[PoseArray3D])
    (message,) = h.received[PoseArray3D]
    assert message.scale_source == PoseArray3D.CAMERAS
    assert h.fusion.retry.is_canceled()
    # More messages come before the transform of the first.
    for second in (3, 4):
        h.send('left', second, transform=False)
    assert len(h.fusion.inputs['left'].waiting) == 2
    for second in (3, 4):
        h.set_transform('left', second)
    h.spin_until(lambda: not h.fusion.inputs['left'].waiting)
    assert h.fusion.inputs['left'].dropped == 0


def test_a_transform_that_does_not_come_is_given_up(house, monkeypatch):
    monkeypatch.setattr(fusion_node, 'WAIT_S', 0.05)
    h = house()
    h.set_transform('left', 1)
    h.send('left', 2, transform=False)
    h.spin_until(lambda: h.fusion.inputs['left'].dropped == 1)
    h.spin_until(lambda: 'no transform' in h.statuses.get('left', DiagnosticStatus()).message)
    assert h.fusion.retry.is_canceled()


def test_the_people_of_the_camera_that_is_left_are_published(house):
    h = house()
    h.send('left', 1)
    h.send('right', 1)
    for second in (2, 3, 4):
        h.send('left', second)
    h.spin_until(lambda: len(h.received[PoseArray3D]) == 4)
    last = h.received[PoseArray3D][-1]
    assert last.header == header(4, frame='map')
    assert [pose.track_id for pose in last.poses] == [0, 1]
    assert {k.source for pose in last.poses for k in pose.keypoints} == {Keypoint3D.OBSERVED}
    h.spin_until(lambda: 'behind' in h.statuses.get('right', DiagnosticStatus()).message)
    told = h.statuses['fusion'].message
    assert told == 'fusing 1 of 2 cameras: people are those of one camera'


@pytest.mark.parametrize(
    ('left', 'right', 'scale'),
    [
        (CameraPose(UP, 2.0), CameraPose(UP, 2.0), PoseArray3D.CAMERA_HEIGHT),
        (CameraPose(UP, 2.0), None, PoseArray3D.ASSUMED_HEIGHT),
        (None, CameraPose(UP, 2.0), PoseArray3D.CAMERA_HEIGHT),  # the left one sees nobody
    ],
)
def test_the_scale_of_people_of_one_camera_is_that_of_the_camera(house, left, right, scale):
    h = house()
    nobody, people = room.standing(), room.standing((0.4, -0.3))
    apart = np.add(people, (4.0, 0, 0))  # seen by one camera each
    h.send('left', 1, people_m=nobody if left is None else people, pose=left)
    h.send('right', 1, people_m=apart, pose=right)
    h.spin_until(lambda: h.received[PoseArray3D])
    message = h.received[PoseArray3D][-1]
    assert {k.source for pose in message.poses for k in pose.keypoints} == {Keypoint3D.OBSERVED}
    assert message.scale_source == scale


def test_a_silent_camera_is_an_error(house):
    h = house(stale_after=0.1)
    h.send('left', 1)
    h.spin_until(lambda: h.statuses.get('right') and h.statuses['right'].level != b'\0')
    assert 'no poses for' in h.statuses['right'].message
    assert '/house/right/poses' in h.statuses['right'].message


def test_a_camera_whose_clock_was_ahead_is_no_standard_once_it_is_gone(house):
    h = house(stale_after=0.5)
    seconds = itertools.count(1)

    def both_send():
        second = next(seconds)
        h.send('right', 4000 + second)
        h.send('left', second)
        return 'behind' in h.statuses.get('left', DiagnosticStatus()).message

    def left_sends():
        h.send('left', next(seconds))
        return h.statuses['left'].level == DiagnosticStatus.OK

    h.spin_until(both_send)
    h.spin_until(left_sends)
    assert h.received[PoseArray3D][-1].header.stamp.sec < 4000
    assert 'no poses for' in h.statuses['right'].message


def test_poses_in_another_frame_than_the_camera_are_refused(house):
    h = house()
    moved = room.standing((3.0, 4.0))
    result = room.seen(CAMERAS['left'], moved, 1.0)
    people = result.tracked.people
    people.xyz_m[:] = people.xyz_m @ result.rotation.T + result.origin_m
    h.set_transform('left', 1)
    h.publishers['left'].publish(
        pose_array_cdr(result.tracked, header(1, frame='left'), room.LENS)
    )
    h.spin_until(lambda: 'target_frame' in h.statuses.get('left', DiagnosticStatus()).message)


def test_without_subscribers_the_cameras_are_left_alone(house):
    h = house(())
    h.spin_until(lambda: h.statuses)
    assert h.statuses['fusion'].message == 'no subscribers'
    assert not any(p.get_subscription_count() for p in h.publishers.values())


def test_an_image_without_people_is_a_message_without_people(house):
    h = house()
    h.send('left', 1, people_m=room.standing())
    h.send('right', 1, people_m=room.standing())
    h.spin_until(lambda: h.received[PoseArray3D])
    assert h.received[PoseArray3D][0].poses == []


def test_the_page_lists_every_parameter_with_its_default():
    page = (Path(__file__).parents[2] / 'docs' / 'several_cameras.md').read_text()
    for name, parameter in FUSION_PARAMETERS.items():
        (row,) = re.findall(rf'^\| `{name}` \| (.*?) ?\| ', page, re.MULTILINE)
        if parameter.default not in ('', ('',)):
            assert row.strip('`').lower() == str(parameter.default).lower()


def test_help_and_misspelt_parameters(capsys):
    assert cli.main(['fuse', '--help']) == 0
    assert 'fused_frame (string; ' in capsys.readouterr().out
    assert cli.main(['fuse', '--ros-args', '-p', 'camera:=x']) == 2
    assert 'did you mean cameras?' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('parameters', 'problem'),
    [
        ({'cameras': ['left']}, "two or more different names, found ['left']"),
        ({'cameras': ['left', 'left']}, 'two or more different names'),
        ({'cameras': ['left', 'a b']}, "valid topic names, found 'a b'"),
        ({'fused_frame': ''}, 'fused_frame must be a TF frame with z up'),
        ({'max_age': 0.0}, 'max_age must be 0.01 s or more'),
        ({'track_memory': 0.0005}, 'track_memory must be 0.01 s or more'),
    ],
)
def test_parameters_that_cannot_be_used_are_refused(house, parameters, problem):
    with pytest.raises(ParameterError) as error:
        house((), **parameters)
    assert problem in str(error.value)
