"""The pose node ends on SIGINT and SIGTERM, in every state, and leaves nothing behind."""

import signal
import time
from pathlib import Path

import numpy as np
import pytest
import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from std_srvs.srv import SetBool
from support.node_process import shared_memory_in_use
from support.node_under_test import ACTIVATE, CLEANUP, CONFIGURE, DEACTIVATE, NodeUnderTest
from support.robot import GREY, TRUTH

from synthetic.fixed_network import write_network
from synthetic.scene import CAMERA, outputs

SIGNALS = pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
# Runs a pose node whose device is lost for good.
LOST_DEVICE = Path(__file__).parents[1] / 'support' / 'lost_device.py'
SHUTDOWN = Transition.TRANSITION_ACTIVE_SHUTDOWN
STATES = {
    'unconfigured': (),
    'inactive': (CONFIGURE,),
    'active': (CONFIGURE, ACTIVATE),
    'inactive again': (CONFIGURE, ACTIVATE, DEACTIVATE),
    'cleaned up': (CONFIGURE, ACTIVATE, DEACTIVATE, CLEANUP),
    'finalized': (CONFIGURE, ACTIVATE, SHUTDOWN),
}

# Time until launch files start a node again, s.
RESPAWN_DELAY_S = 2.0


@pytest.fixture(scope='session')
def long_xml(tmp_path_factory):
    """A network with a long compilation time."""
    path = tmp_path_factory.mktemp('network') / 'long.xml'
    return write_network(path, outputs(TRUTH, CAMERA), layers=200, channels=4)


def ends(node, number):
    """Send the signal, check that the node exits with 0, and return its log."""
    assert node.process.children() == ''
    used = node.process.shared_memory()
    assert node.process.end(number) == 0
    assert used
    assert not [file for file in used - shared_memory_in_use() if Path(file).exists()]
    logged = node.process.log.read_text()
    assert 'Traceback' not in logged
    return logged


@SIGNALS
@pytest.mark.parametrize('state', STATES)
def test_in_a_state(start_node, state, number):
    node = start_node(autostart='false', wait=False)
    for transition in STATES[state]:
        assert node.change(transition)
    node.state()
    assert 'stopped' in ends(node, number)


@SIGNALS
def test_paused_and_started_again(start_node, number):
    node = start_node()
    client = node.peer.create_client(SetBool, 'pose_node/pause')
    assert node.call(client, SetBool.Request(data=True)).success
    assert 'stopped' in ends(node, number)
    node.start()
    node.ready()


@SIGNALS
def test_during_an_inference(start_node, slow_xml, number):
    node = start_node(slow_xml)
    for _ in range(3):
        node.send(node.image_now())
    assert 'stopped after ' in ends(node, number)


@SIGNALS
def test_after_its_device_was_lost(start_node, number):
    """Networks that were loaded in vain are released without damage to signal handling."""
    node = start_node(command=LOST_DEVICE, lifting='network', wait=False)
    node.spin_until(node.subscribed)

    def given_up():
        node.send(node.image_now())
        return 'cannot be used on any device' in node.process.log.read_text()

    node.spin_until(given_up)
    assert 'stopped after ' in ends(node, number)


@pytest.mark.parametrize('tenths', [0, 2, 4, 5, 6, 8, 12])
def test_while_it_starts(start_node, long_xml, tenths):
    """At different times of construction, loading, compilation and activation."""
    node = start_node(long_xml, wait=False)
    node.spin_until(lambda: node.process.catches(signal.SIGTERM))
    node.spin(tenths / 10)
    assert node.process.end((signal.SIGINT, signal.SIGTERM)[tenths % 4 // 2]) == 0
    assert 'Traceback' not in node.process.log.read_text()


@SIGNALS
def test_while_a_manager_configures_it(start_node, long_xml, number):
    node = start_node(long_xml, wait=False, autostart='false')
    node.state()
    request = ChangeState.Request(transition=Transition(id=CONFIGURE))
    node.clients[ChangeState].call_async(request)
    node.spin(0.3)
    assert 'stopped' in ends(node, number)


def kill_and_start_again(node):
    small = np.ascontiguousarray(GREY[::4, ::4])
    node.good_image = lambda: node.image_now(small)
    node.ready()
    for _ in range(2):
        for _ in range(10):
            node.send(node.good_image())
        node.process.kill()
        time.sleep(RESPAWN_DELAY_S)
        del node.received[:]
        node.start()
        node.await_poses(at_most=100)


def test_killed_and_started_again(two_people_xml, tmp_path):
    """A killed node does not disturb the next one, if need be once the camera is started again.

    In some runs Fast DDS delivers the next node no image by shared memory, for as long as the
    camera is the same participant (docs/limits.md): then the camera is another participant.
    """
    for attempt in range(3):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        rclpy.init()
        node = NodeUnderTest(two_people_xml, folder)
        try:
            kill_and_start_again(node)
        except AssertionError:
            if attempt == 2:
                raise
        else:
            break
        finally:
            node.close()
            rclpy.shutdown()
