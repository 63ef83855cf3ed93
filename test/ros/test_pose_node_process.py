"""The pose node as a process: how it starts by itself, waits for a manager, and ends."""

import json
import os
import signal
import subprocess
import sys

import pytest
import rclpy
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState

from pose3d_ros.ros import pose_node
from pose3d_ros.ros.pose_node import main

PATIENCE_S = 30


@pytest.fixture
def process():
    """Start a pose node with the bundled network; ends it, if it has not ended."""
    started = []

    def start(*parameters):
        command = [sys.executable, '-m', 'pose3d_ros.cli', 'node', '--ros-args']
        for parameter in ('model:=demo_only', *parameters):
            command += ['-p', parameter]
        started.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for one in started:
        one.kill()
        one.communicate()


@pytest.fixture
def manager():
    rclpy.init()
    node = rclpy.create_node('manager')

    def call(kind, name, request):
        client = node.create_client(kind, f'/pose_node/{name}')
        assert client.wait_for_service(PATIENCE_S)
        future = client.call_async(request)
        rclpy.spin_until_future_complete(node, future, timeout_sec=PATIENCE_S)
        return future.result()

    yield call
    node.destroy_node()
    rclpy.shutdown()


def state(manager):
    return manager(GetState, 'get_state', GetState.Request()).current_state.id


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_lifecycle_manager_then_signal(process, manager, number):
    node = process('autostart:=false')
    assert state(manager) == State.PRIMARY_STATE_UNCONFIGURED
    for transition in (Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE):
        request = ChangeState.Request(transition=Transition(id=transition))
        assert manager(ChangeState, 'change_state', request).success
    assert state(manager) == State.PRIMARY_STATE_ACTIVE
    node.send_signal(number)
    _, logged = node.communicate(timeout=PATIENCE_S)
    assert node.returncode == 0
    assert 'stopped after 0 images' in logged


def test_autostart(process, manager):
    node = process()
    assert any(' on CPU' in line for line in node.stderr)
    assert state(manager) == State.PRIMARY_STATE_ACTIVE


def test_wrong_configuration_ends_the_process_with_one_line(capfd):
    assert main(['pose_node', '--ros-args', '-p', 'model:=/nowhere/model.xml']) == 1
    printed = ''.join(capfd.readouterr())
    assert '/nowhere/model.xml' in printed
    assert 'Traceback' not in printed
    assert not rclpy.ok()


def test_a_bug_ends_the_process_with_its_traceback(monkeypatch, capfd):
    def bug(*_):
        raise IndexError('a bug')

    monkeypatch.setattr(pose_node, 'load', bug)
    assert main(['pose_node']) == 1
    assert 'IndexError: a bug' in ''.join(capfd.readouterr())
    assert not rclpy.ok()


# A pose node with a bug in a callback; the arguments are those of the node.
BUG_WITH_TF = """
import sys
from support import tf2_stand_in
from pose3d_ros.ros.pose_node import PoseNode, main
sys.modules['tf2_ros'] = tf2_stand_in.module()
PoseNode._check_graph = lambda node: [][0]
sys.exit(main(sys.argv))
"""


def test_a_bug_ends_a_process_that_receives_tf():
    """The thread that receives TF must not keep it from ending."""
    command = [sys.executable, '-c', BUG_WITH_TF, '--ros-args']
    command += ['-p', 'model:=demo_only', '-p', 'target_frame:=base_link']
    env = {**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)}
    done = subprocess.run(
        command, capture_output=True, text=True, env=env, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 1
    assert 'IndexError' in done.stderr


@pytest.mark.parametrize('content', ['model: auto', 'pose_node: [1', '/**: {ros__parameters: 3}'])
def test_a_broken_parameter_file_ends_the_process_with_one_line(tmp_path, capfd, content):
    path = tmp_path / 'broken.yaml'
    path.write_text(content)
    assert main(['pose_node', '--ros-args', '--params-file', str(path)]) == 1
    logged = ''.join(capfd.readouterr())
    assert str(path) in logged
    assert 'Traceback' not in logged
    assert not rclpy.ok()


def as_launch_does(path, **parameters):
    """The arguments of a node that a launch file starts with parameters."""
    path.write_text(json.dumps({'/robot/pose_node': {'ros__parameters': parameters}}))
    remaps = ['-r', '__node:=pose_node', '-r', '__ns:=/robot']
    return ['pose_node', '--ros-args', *remaps, '--params-file', str(path)]


def test_a_misspelt_parameter_of_a_launch_file_ends_the_process_with_the_right_name(
    tmp_path, capfd
):
    assert main(as_launch_does(tmp_path / 'p.yaml', max_peopel=3)) == 1
    logged = ''.join(capfd.readouterr())
    assert "no parameter 'max_peopel'; did you mean max_people?" in logged
    assert 'Traceback' not in logged
    assert main(['pose_node', '--ros-args', '-p', 'devise:=CPU']) == 1
    assert 'did you mean device?' in ''.join(capfd.readouterr())


def test_parameters_that_ros_adds_are_accepted(tmp_path, capfd):
    own = {'use_sim_time': False, 'start_type_description_service': True}
    qos = {'qos_overrides': {'/image_raw': {'subscription': {'depth': 3}}}}
    arguments = as_launch_does(tmp_path / 'p.yaml', model='/nowhere/model.xml', **own, **qos)
    more = ['-p', 'qos_overrides./poses.publisher.depth:=3']
    assert main([*arguments, *more]) == 1
    logged = ''.join(capfd.readouterr())
    assert '/nowhere/model.xml' in logged
    assert 'no parameter' not in logged
