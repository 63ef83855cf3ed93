"""Actions of operators, subscribers and lifecycle managers, repeated many times."""

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

# Allowed growth of memory in a hundred rounds, MB; a leaked network takes 10 MB each time.
GROWTH_MB = 20
ROUND = (CONFIGURE, ACTIVATE, DEACTIVATE, CLEANUP)
SUBSCRIBER = """
import rclpy
from pose3d_ros.msg import PoseArray3D
rclpy.init()
node = rclpy.create_node('subscriber')
node.create_subscription(PoseArray3D, '{topic}', lambda _: print('received', flush=True), 10)
rclpy.spin(node)
"""


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of compiled networks."""
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))


def restart(node):
    """Make the node load its network again."""
    for transition in (DEACTIVATE, CLEANUP, CONFIGURE, ACTIVATE):
        assert node.change(transition)


def test_a_model_that_is_replaced(start_node, tmp_path, cache):
    """A model with the same layers replaces the file; it is used after the next configuration."""
    model = write_network(tmp_path / 'model.xml', outputs(TRUTH, CAMERA))
    node = start_node(model, smoothing='false', track_memory=0.1)
    node.calibrate()
    other = people_m((0.3, 0, 2.5))
    write_network(model, outputs(other, CAMERA))
    np.testing.assert_allclose(metres(node.await_poses()), TRUTH, atol=0.02)
    node.check_counts()
    restart(node)
    np.testing.assert_allclose(metres(node.await_poses()), other, atol=0.02)
    write_network(model, outputs(TRUTH, CAMERA))
    restart(node)
    np.testing.assert_allclose(metres(node.await_poses()), TRUTH, atol=0.02)


@pytest.mark.parametrize('fault', ['deleted', 'cut', 'noise', 'empty'])
def test_a_model_that_is_spoilt(start_node, tmp_path, cache, fault):
    model = write_network(tmp_path / 'model.xml', outputs(TRUTH, CAMERA))
    files = {path: path.read_bytes() for path in (model, model.with_suffix('.bin'))}
    node = start_node(model)
    for path, content in files.items():
        if fault == 'deleted':
            path.unlink()
        else:
            noise = np.random.default_rng(0).bytes(1000)
            path.write_bytes({'cut': content[:500], 'noise': noise, 'empty': b''}[fault])
    assert len(node.await_poses().poses) == 2
    node.check_counts()
    assert node.change(DEACTIVATE)
    assert node.change(CLEANUP)
    for _ in range(2):
        assert not node.change(CONFIGURE)
        assert node.state() == State.PRIMARY_STATE_UNCONFIGURED
    logged = node.process.log.read_text()
    assert str(model) in logged
    assert 'Traceback' not in logged
    for path, content in files.items():
        path.write_bytes(content)
    assert node.change(CONFIGURE)
    assert node.change(ACTIVATE)
    assert len(node.await_poses().poses) == 2


def test_a_subscriber_that_comes_and_goes(start_node):
    node = start_node()
    for number in range(100):
        if number == 20:
            before_mb = node.process.rss_mb()
        node.camera.unsubscribe()
        if number % 2:  # in half of the cases after the node has noticed
            node.spin_until(lambda: not node.subscribed())
        node.camera.subscribe([PoseArray3D])
        assert len(node.await_poses().poses) == 2
    assert node.process.rss_mb() - before_mb < GROWTH_MB
    processed = node.processed_stamps()
    assert len(set(processed)) == len(processed)
    assert node.counts()['bad images'] == 0


def test_a_killed_subscriber(start_node, tmp_path):
    node, output = start_node(), tmp_path / 'output'
    script = SUBSCRIBER.format(topic=f'{node.namespace}/poses')
    for _ in range(2):
        with output.open('w') as file:
            subscriber = subprocess.Popen([sys.executable, '-c', script], stdout=file)
        try:
            node.spin_until(lambda: node.await_poses() and output.read_text())
            for _ in range(10):
                node.send(node.image_now())
        finally:
            subscriber.kill()
            subscriber.wait()
        for _ in range(30):
            assert len(node.await_poses().poses) == 2
    node.check_counts()


# Values that may be set while the node is active, and values that are refused.
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
    'smoothing_beta': (-1.0, float('nan'), float('inf'), '6'),
    'track_memory': (0.0, 1e9),
    'min_keypoints': (1, 19, 2**40),
    'keypoint_threshold': (0.0, 1.1, [0.1]),
    'model': ('other.xml', 3),
    'cameras': (['front'], ''),
    'image_transport': ('compressed', 'theora'),
    'no_such_parameter': (1, 'x'),
}


def test_a_storm_of_parameters(start_node):
    """Requests are sent without waiting while images are processed; ids are kept."""
    node = start_node()
    ids = {pose.track_id for pose in node.await_poses().poses}
    chosen, expected = random.Random(0), {}
    for _ in range(60):
        futures = []
        for _ in range(10):
            valid = chosen.random() < 0.5
            name = chosen.choice(sorted(VALID if valid else INVALID))
            value = chosen.choice((VALID if valid else INVALID)[name])
            change = [Parameter(name, value=value)]
            futures.append((node.parameter_client.set_parameters(change), valid))
            expected.update({name: value} if valid else {})
        assert {pose.track_id for pose in node.await_poses().poses} == ids
        for future, valid in futures:
            (result,) = node.wait_for(future).results
            assert result.successful == valid
            assert valid or result.reason
    found = node.wait_for(node.parameter_client.get_parameters(list(expected))).values
    assert dict(zip(expected, map(parameter_value_to_python, found), strict=True)) == expected
    node.check_counts()


def interfaces(node):
    """Return the names of the topics and services of the node."""
    own = 'pose_node', node.namespace
    kinds = (
        node.peer.get_publisher_names_and_types_by_node,
        node.peer.get_subscriber_names_and_types_by_node,
        node.peer.get_service_names_and_types_by_node,
    )
    try:
        return [sorted(name for name, _ in kind(*own)) for kind in kinds]
    except NodeNameNonExistentError:  # a node that responds need not be in the graph yet
        return []


def settled_interfaces(node):
    """Return the result of `interfaces` after it has been constant for half a second."""
    found = []

    def same():
        found.append(interfaces(node))
        time.sleep(0.1)
        return found[-1] and found[-6:] == [found[-1]] * 6

    node.spin_until(same)
    return found[-1]


def test_a_hundred_rounds_of_transitions(start_node, cache):
    node = start_node(autostart='false', wait=False)
    assert node.state() == State.PRIMARY_STATE_UNCONFIGURED
    before = settled_interfaces(node)
    for number in range(100):
        for transition in ROUND:
            assert node.change(transition)
            assert node.state() == STATES[transition]
            if transition == ACTIVATE and number % 10 == 0:
                assert len(node.await_poses().poses) == 2
        if number == 30:
            before_mb, before_fd = node.process.rss_mb(), node.process.open_files()
    assert node.process.rss_mb() - before_mb < GROWTH_MB
    assert node.process.open_files() <= before_fd + 5
    node.spin_until(lambda: interfaces(node) == before)
    assert node.change(CONFIGURE)
    assert node.change(ACTIVATE)
    assert len(node.await_poses().poses) == 2
