"""The pose node as a managed node: transitions, retries, what is left behind."""

import gc
import re
import weakref

import pytest
import rclpy
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image
from support.robot import GREY, camera_info, header
from visualization_msgs.msg import MarkerArray

from pose3d_ros.msg import PoseArray3D
from pose3d_ros.ros import pose_node
from pose3d_ros.ros.messages.images import image_msg
from pose3d_ros.ros.parameters import ParameterError

ROUNDS = 20
ROUND = (
    (Transition.TRANSITION_CONFIGURE, State.PRIMARY_STATE_INACTIVE),
    (Transition.TRANSITION_ACTIVATE, State.PRIMARY_STATE_ACTIVE),
    (Transition.TRANSITION_DEACTIVATE, State.PRIMARY_STATE_INACTIVE),
    (Transition.TRANSITION_CLEANUP, State.PRIMARY_STATE_UNCONFIGURED),
)


class Manager:
    """Calls the node's lifecycle services, as `ros2 lifecycle set` does."""

    def __init__(self, robot):
        self.robot = robot
        self.clients = {
            kind: robot.node.create_client(kind, f'pose_node/{name}')
            for kind, name in ((ChangeState, 'change_state'), (GetState, 'get_state'))
        }

    def call(self, request_type, request):
        client = self.clients[request_type]
        self.robot.spin_until(client.service_is_ready)
        future = client.call_async(request)
        self.robot.spin_until(future.done)
        return future.result()

    def change(self, transition):
        request = ChangeState.Request(transition=Transition(id=transition))
        return self.call(ChangeState, request).success

    def state(self):
        return self.call(GetState, GetState.Request()).current_state.id


def topics(node):
    """What the node has on the graph, beside what every managed node has."""
    own = node.get_name(), node.get_namespace()
    kinds = (
        node.get_publisher_names_and_types_by_node,
        node.get_subscriber_names_and_types_by_node,
    )
    return [sorted(name for name, _ in kind(*own)) for kind in kinds]


def test_repeated_transitions_leak_nothing(robot):
    r = robot((PoseArray3D, MarkerArray, Image), activate=False)
    manager = Manager(r)
    before = topics(r.pose_node)
    networks = []
    for number in range(ROUNDS):
        for transition, state in ROUND:
            assert manager.change(transition)
            assert manager.state() == state
            if state == State.PRIMARY_STATE_ACTIVE:
                networks.append(weakref.ref(r.pose_node.network.estimator.detector))
                r.spin_until(r.images.get_subscription_count)
                assert len(r.poses_of(image_msg(GREY, header(number))).poses) == 2
        assert topics(r.pose_node) == before
    gc.collect()
    assert [network() for network in networks] == [None] * ROUNDS
    r.spin_until(lambda: not r.images.get_subscription_count())
    assert len(r.received[PoseArray3D]) == ROUNDS


def test_inactive_node_has_no_subscriptions(robot):
    r = robot()
    manager = Manager(r)
    r.calibrate(camera_info())
    assert manager.change(Transition.TRANSITION_DEACTIVATE)
    r.spin_until(lambda: not r.images.get_subscription_count())
    assert manager.change(Transition.TRANSITION_ACTIVATE)
    r.spin_until(r.images.get_subscription_count)
    message = r.poses_of(image_msg(GREY, header()))
    assert message.intrinsics_source == PoseArray3D.CAMERA_INFO


@pytest.mark.parametrize(
    ('parameters', 'says'),
    [
        ({'model': '/nowhere/model.xml'}, '/nowhere/model.xml'),
        ({'device': 'TPU'}, "device 'TPU'"),
        ({'stride': 4}, 'stride is 4'),
        ({'input_width': 448}, 'input_width needs input_height, found 448 and 0'),
        ({'cameras': ['front', 'front']}, r"different names, found \['front', 'front'\]"),
        ({'cameras': ['front', 'no name']}, "valid topic names, found 'no name'"),
    ],
)
def test_wrong_configuration_is_reported_and_can_be_corrected(
    robot, two_people_xml, parameters, says, capfd
):
    r = robot(activate=False)
    wrong = [Parameter(name, value=value) for name, value in parameters.items()]
    assert r.pose_node.set_parameters_atomically(wrong).successful
    right = {'device': 'CPU', 'stride': 0, 'input_width': 0, 'cameras': ['']}
    before, manager = topics(r.pose_node), Manager(r)
    capfd.readouterr()
    assert not manager.change(Transition.TRANSITION_CONFIGURE)
    assert manager.state() == State.PRIMARY_STATE_UNCONFIGURED
    assert topics(r.pose_node) == before
    logged = capfd.readouterr().err
    assert re.search(rf'ERROR.*{says}', logged)
    assert len(logged.strip().splitlines()) == 1
    right = {**right, 'model': str(two_people_xml)}
    changes = [Parameter(name, value=right[name]) for name in parameters]
    assert r.pose_node.set_parameters_atomically(changes).successful
    assert manager.change(Transition.TRANSITION_CONFIGURE)
    assert manager.change(Transition.TRANSITION_ACTIVATE)
    r.spin_until(lambda: r.images.get_subscription_count())
    assert len(r.poses_of(image_msg(GREY, header())).poses) == 2


@pytest.mark.parametrize('parameters', [{'image_transport': 'theora'}, {'stride': 65}])
def test_invalid_value_raises_at_construction(robot, parameters):
    with pytest.raises(rclpy.exceptions.ParameterException, match=next(iter(parameters))):
        robot(activate=False, **parameters)


@pytest.mark.parametrize('where', ['load', 'Clock'])  # first, and when all else is made
def test_unexpected_exception_is_logged_and_the_node_can_be_configured_again(
    robot, monkeypatch, capfd, where
):
    r = robot(activate=False)
    before, manager = topics(r.pose_node), Manager(r)
    with monkeypatch.context() as patched:
        patched.setattr(pose_node, where, fails(IndexError('a bug')))
        assert not manager.change(Transition.TRANSITION_CONFIGURE)
    logged = capfd.readouterr().err
    assert 'Traceback' in logged
    assert 'IndexError: a bug' in logged
    assert manager.state() == State.PRIMARY_STATE_UNCONFIGURED
    assert topics(r.pose_node) == before
    assert manager.change(Transition.TRANSITION_CONFIGURE)


def test_partial_configuration_leaks_nothing(robot, monkeypatch):
    r = robot(activate=False)
    before, manager = topics(r.pose_node), Manager(r)
    monkeypatch.setattr(pose_node, 'Clock', fails(ParameterError('late')))
    assert not manager.change(Transition.TRANSITION_CONFIGURE)
    assert manager.state() == State.PRIMARY_STATE_UNCONFIGURED
    assert topics(r.pose_node) == before


def fails(error):
    def fail(*_, **__):
        raise error

    return fail


@pytest.mark.parametrize('steps', [0, 1, 2])
def test_shutdown_releases_everything(robot, steps):
    r = robot(activate=False)
    before, manager = topics(r.pose_node), Manager(r)
    for transition, _ in ROUND[:steps]:
        assert manager.change(transition)
    shutdown = (
        Transition.TRANSITION_UNCONFIGURED_SHUTDOWN,
        Transition.TRANSITION_INACTIVE_SHUTDOWN,
        Transition.TRANSITION_ACTIVE_SHUTDOWN,
    )
    assert manager.change(shutdown[steps])
    assert manager.state() == State.PRIMARY_STATE_FINALIZED
    assert r.pose_node.network is None
    assert topics(r.pose_node) == before
