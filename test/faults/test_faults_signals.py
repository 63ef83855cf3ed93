"""The pose node ends when it is told to, in every state, and leaves nothing behind."""

import signal
from pathlib import Path

import pytest
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from std_srvs.srv import SetBool
from support.node_process import shared_memory_in_use
from support.node_under_test import ACTIVATE, CLEANUP, CONFIGURE, DEACTIVATE
from support.robot import TRUTH

from synthetic.fixed_network import write_network
from synthetic.scene import CAMERA, outputs

SIGNALS = pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
SHUTDOWN = Transition.TRANSITION_ACTIVE_SHUTDOWN
STATES = {
    'unconfigured': (),
    'inactive': (CONFIGURE,),
    'active': (CONFIGURE, ACTIVATE),
    'inactive again': (CONFIGURE, ACTIVATE, DEACTIVATE),
    'cleaned up': (CONFIGURE, ACTIVATE, DEACTIVATE, CLEANUP),
    'finalized': (CONFIGURE, ACTIVATE, SHUTDOWN),
}


@pytest.fixture(scope='session')
def long_xml(tmp_path_factory):
    """A network that takes long to compile."""
    path = tmp_path_factory.mktemp('network') / 'long.xml'
    return write_network(path, outputs(TRUTH, CAMERA), layers=200, channels=4)


def ends(o, number):
    """Send the signal, and see that the node ends well; its log."""
    assert o.process.children() == ''
    used = o.process.shared_memory()
    assert o.process.end(number) == 0
    assert used
    assert not [file for file in used - shared_memory_in_use() if Path(file).exists()]
    logged = o.process.log.read_text()
    assert 'Traceback' not in logged
    return logged


@SIGNALS
@pytest.mark.parametrize('state', STATES)
def test_in_a_state(outside, state, number):
    o = outside(autostart='false', wait=False)
    for transition in STATES[state]:
        assert o.change(transition)
    o.state()
    assert 'stopped' in ends(o, number)


@SIGNALS
def test_paused_and_started_again(outside, number):
    o = outside()
    client = o.node.create_client(SetBool, 'pose_node/pause')
    assert o.call(client, SetBool.Request(data=True)).success
    assert 'stopped' in ends(o, number)
    o.start()
    o.ready()


@SIGNALS
def test_during_an_inference(outside, slow_xml, number):
    o = outside(slow_xml)
    for _ in range(3):
        o.send(o.stamped())
    assert 'stopped: ' in ends(o, number)


@pytest.mark.parametrize('tenths', [0, 2, 4, 5, 6, 8, 12])
def test_while_it_starts(outside, long_xml, tenths):
    """Wherever it is: making the node, loading, compiling, activating."""
    o = outside(long_xml, wait=False)
    o.spin_until(lambda: o.process.heeds(signal.SIGTERM))
    o.spin(tenths / 10)
    assert o.process.end((signal.SIGINT, signal.SIGTERM)[tenths % 4 // 2]) == 0
    assert 'Traceback' not in o.process.log.read_text()


@SIGNALS
def test_while_a_manager_configures_it(outside, long_xml, number):
    o = outside(long_xml, wait=False, autostart='false')
    o.state()
    request = ChangeState.Request(transition=Transition(id=CONFIGURE))
    o.clients[ChangeState].call_async(request)
    o.spin(0.3)
    assert 'stopped' in ends(o, number)


def test_killed_and_started_again(outside):
    """What a killed node leaves in shared memory is not in the way of the next."""
    o = outside()
    for _ in range(2):
        for _ in range(10):
            o.send(o.stamped())
        o.process.kill()
        o.start()
        o.ready()
