"""The example people_msgs_bridge, with the package where it is installed, else a stand-in."""

import importlib.util
import math
import sys
from types import SimpleNamespace

import pytest
from geometry_msgs.msg import Point, Vector3
from support import examples
from support.robot import header

from pose3d_ros.msg import Pose3D, PoseArray3D


def stand_in():
    """The fields of people_msgs/People and Person, as their definitions state them."""

    def people(header):
        return SimpleNamespace(header=header, people=[])

    def person(name, position, reliability):
        assert isinstance(reliability, float)
        return SimpleNamespace(
            name=name, position=position, velocity=Point(), reliability=reliability
        )

    return SimpleNamespace(People=people, Person=person)


@pytest.fixture
def example(monkeypatch):
    if importlib.util.find_spec('people_msgs') is None:
        monkeypatch.setitem(sys.modules, 'people_msgs', SimpleNamespace(msg=stand_in()))
        monkeypatch.setitem(sys.modules, 'people_msgs.msg', stand_in())
    return examples.load('people_msgs_bridge')


def pose(track_id, place_m, state=Pose3D.CONFIRMED, velocity=(0.5, 0, -1.0)):
    keypoints = [examples.keypoint() for _ in range(19)]
    keypoints[Pose3D.PELVIS] = examples.keypoint(place_m)
    vector = Vector3(**dict(zip('xyz', map(float, velocity), strict=True)))
    return Pose3D(track_id=track_id, score=0.75, state=state, keypoints=keypoints, velocity=vector)


def test_confirmed_people_with_a_known_place(example):
    unknown = (math.nan,) * 3
    message = PoseArray3D(
        header=header(7),
        poses=[
            pose(3, (1, 0, 4)),
            pose(4, (2, 0, 4), state=Pose3D.TENTATIVE),
            pose(5, unknown),
            pose(6, (0, 0, 5), velocity=unknown),
        ],
    )
    made = example.people(message)
    assert made.header == header(7)
    first, second = made.people
    assert (first.name, second.name) == ('3', '6')
    assert (first.position.x, first.position.z, first.reliability) == (1, 4, 0.75)
    assert (first.velocity.x, first.velocity.z) == (0.5, -1.0)
    assert second.velocity == Point()


def test_without_people_msgs_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, 'people_msgs', None)
    with pytest.raises(SystemExit, match=r'apt install .*people-msgs'):
        examples.load('people_msgs_bridge')
