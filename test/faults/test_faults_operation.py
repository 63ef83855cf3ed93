"""What operators, consumers and lifecycle managers do to a pose node, thousands of times."""

import random
import subprocess
import sys
import time

import numpy as np
import pytest
from lifecycle_msgs.msg import State
from rclpy.node import NodeNameNonExistentError
from rclpy.parameter import Parameter, parameter_value_to_python
from support.node_under_test import ACTIVATE, CLEANUP, CONFIGURE, DEACTIVATE, STATES
from support.robot import TRUTH, metres

from pose3d_ros.msg import PoseArray3D
from synthetic.fixed_network import write_network
from synthetic.scene import CAMERA, outputs, people_m

# Of memory, for a hundred rounds of whatever: a network that is kept takes 10 MB each time.
GROWTH_MB = 20
ROUND = (CONFIGURE, ACTIVATE, DEACTIVATE, CLEANUP)
SUBSCRIBER = """
import rclpy
from pose3d_ros.msg import PoseArray3D
rclpy.init()
node = rclpy.create_node('subscriber')
node.create_subscription(PoseArray3D, '{topic}', lambda _: print('heard', flush=True), 10)
rclpy.spin(node)
"""


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache of compiled networks that nobody has written into."""
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))


def restart(o):
    """Have the node load its network again."""
    for transition in (DEACTIVATE, CLEANUP, CONFIGURE, ACTIVATE):
        assert o.change(transition)


def test_a_model_that_is_replaced(outside, tmp_path, cache):
    """By one of the same layers: the one that runs stays, until the node is configured again."""
    model = write_network(tmp_path / 'model.xml', outputs(TRUTH, CAMERA))
    o = outside(model, smoothing='false', track_memory=0.1)
    o.calibrate()
    other = people_m((0.3, 0, 2.5))
    write_network(model, outputs(other, CAMERA))
    np.testing.assert_allclose(metres(o.answers()), TRUTH, atol=0.02)
    o.check_counts()
    restart(o)
    np.testing.assert_allclose(metres(o.answers()), other, atol=0.02)
    write_network(model, outputs(TRUTH, CAMERA))
    restart(o)
    np.testing.assert_allclose(metres(o.answers()), TRUTH, atol=0.02)


@pytest.mark.parametrize('fault', ['deleted', 'cut', 'noise', 'empty'])
def test_a_model_that_is_spoilt(outside, tmp_path, cache, fault):
    model = write_network(tmp_path / 'model.xml', outputs(TRUTH, CAMERA))
    files = {path: path.read_bytes() for path in (model, model.with_suffix('.bin'))}
    o = outside(model)
    for path, content in files.items():
        if fault == 'deleted':
            path.unlink()
        else:
            noise = np.random.default_rng(0).bytes(1000)
            path.write_bytes({'cut': content[:500], 'noise': noise, 'empty': b''}[fault])
    assert len(o.answers().poses) == 2
    o.check_counts()
    assert o.change(DEACTIVATE)
    assert o.change(CLEANUP)
    for _ in range(2):
        assert not o.change(CONFIGURE)
        assert o.state() == State.PRIMARY_STATE_UNCONFIGURED
    logged = o.process.log.read_text()
    assert str(model) in logged
    assert 'Traceback' not in logged
    for path, content in files.items():
        path.write_bytes(content)
    assert o.change(CONFIGURE)
    assert o.change(ACTIVATE)
    assert len(o.answers().poses) == 2


def test_a_subscriber_that_comes_and_goes(outside):
    o = outside()
    for number in range(100):
        if number == 20:
            before_mb = o.process.rss_mb()
        o.eye.listen_no_more()
        if number % 2:  # and at once, or when the node has heard of it
            o.spin_until(lambda: not o.heard())
        o.eye.listen([PoseArray3D])
        assert len(o.answers().poses) == 2
    assert o.process.rss_mb() - before_mb < GROWTH_MB
    answered = o.answered()
    assert len(set(answered)) == len(answered)
    assert o.counts()['bad images'] == 0


def test_a_killed_subscriber(outside, tmp_path):
    o, heard = outside(), tmp_path / 'heard'
    script = SUBSCRIBER.format(topic=f'{o.namespace}/poses')
    for _ in range(2):
        with heard.open('w') as file:
            subscriber = subprocess.Popen([sys.executable, '-c', script], stdout=file)
        try:
            o.spin_until(lambda: o.answers() and heard.read_text())
            for _ in range(10):
                o.send(o.stamped())
        finally:
            subscriber.kill()
            subscriber.wait()
        for _ in range(30):
            assert len(o.answers().poses) == 2
    o.check_counts()


# What may be set while the node runs, within its range; and what may not, or never.
VALID = {
    'smoothing': (True, False),
    'smoothing_beta': (0.0, 6.0, 50.0),
    'smoothing_min_cutoff': (0.1, 1.0, 10.0),
    'track_memory': (5.0, 10.0),
    'assumed_person_height': (1.79, 1.8, 1.81),
    'keypoint_threshold': (0.1, 0.11, 0.2),
    'min_keypoints': (2, 4, 6),
    'stale_after': (1.0, 2.0),
    'lazy': (True, False),
}
INVALID = {
    'smoothing': (1, 'yes', 0.0),
    'smoothing_beta': (-1.0, float('nan'), float('inf'), 6),
    'track_memory': (0.0, 1e9),
    'min_keypoints': (1, 19, 2**40),
    'keypoint_threshold': (0.0, 1.1, [0.1]),
    'model': ('other.xml', 3),
    'cameras': (['front'], ''),
    'image_transport': ('compressed', 'theora'),
    'no_such_parameter': (1, 'x'),
}


def test_a_storm_of_parameters(outside):
    """Requests follow one another without waiting, while images come; nobody loses the id."""
    o = outside()
    ids = {pose.track_id for pose in o.answers().poses}
    chosen, wanted = random.Random(0), {}
    for _ in range(60):
        futures = []
        for _ in range(10):
            valid = chosen.random() < 0.5
            name = chosen.choice(sorted(VALID if valid else INVALID))
            value = chosen.choice((VALID if valid else INVALID)[name])
            change = [Parameter(name, value=value)]
            futures.append((o.parameter_client.set_parameters(change), valid))
            wanted.update({name: value} if valid else {})
        assert {pose.track_id for pose in o.answers().poses} == ids
        for future, valid in futures:
            (result,) = o.wait_for(future).results
            assert result.successful == valid
            assert valid or result.reason
    found = o.wait_for(o.parameter_client.get_parameters(list(wanted))).values
    assert dict(zip(wanted, map(parameter_value_to_python, found), strict=True)) == wanted
    o.check_counts()


def held(o):
    """Names of the topics and services that the node has."""
    own = 'pose_node', o.namespace
    kinds = (
        o.node.get_publisher_names_and_types_by_node,
        o.node.get_subscriber_names_and_types_by_node,
        o.node.get_service_names_and_types_by_node,
    )
    try:
        return [sorted(name for name, _ in kind(*own)) for kind in kinds]
    except NodeNameNonExistentError:  # who answers a service need not be known by name yet
        return []


def held_at_last(o):
    """What `held` says once it says the same for half a second."""
    found = []

    def same():
        found.append(held(o))
        time.sleep(0.1)
        return found[-1] and found[-6:] == [found[-1]] * 6

    o.spin_until(same)
    return found[-1]


def test_a_hundred_rounds_of_transitions(outside, cache):
    o = outside(autostart='false', wait=False)
    assert o.state() == State.PRIMARY_STATE_UNCONFIGURED
    before = held_at_last(o)
    for number in range(100):
        for transition in ROUND:
            assert o.change(transition)
            assert o.state() == STATES[transition]
            if transition == ACTIVATE and number % 10 == 0:
                assert len(o.answers().poses) == 2
        if number == 30:
            before_mb, before_fd = o.process.rss_mb(), o.process.open_files()
    assert o.process.rss_mb() - before_mb < GROWTH_MB
    assert o.process.open_files() <= before_fd + 5
    o.spin_until(lambda: held(o) == before)
    assert o.change(CONFIGURE)
    assert o.change(ACTIVATE)
    assert len(o.answers().poses) == 2
