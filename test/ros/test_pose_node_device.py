"""The pose node when the device of the network fails."""

import itertools

import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from support.monitor import Monitor, values
from support.robot import GREY, camera_info, header

from pose3d_ros.inference import InferenceError
from pose3d_ros.models import ModelError
from pose3d_ros.ros import image_statistics, pose_node, shared_network
from pose3d_ros.ros.image_statistics import Outcome
from pose3d_ros.ros.messages.images import image_msg

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


class Device:
    """Counts how often the network is loaded; makes its inference fail."""

    def __init__(self, monkeypatch):
        self.loaded, self.fails, self.load = [], False, pose_node.load
        monkeypatch.setattr(pose_node, 'load', self.load_and_fail)
        monkeypatch.setattr(shared_network, 'FIRST_WAIT_S', 0.01)
        self.works_on = {'CPU'}

    def load_and_fail(self, p, device):
        self.loaded.append(device)
        if device not in self.works_on:
            raise ModelError(f'{device} is gone')
        estimator = self.load(p, 'CPU')
        detect = estimator.detector.detect

        def detect_or_fail(*args):
            if self.fails:
                raise InferenceError('device lost')
            return detect(*args)

        estimator.detector.detect = detect_or_fail
        return estimator


@pytest.fixture
def device(monkeypatch):
    return Device(monkeypatch)


@pytest.fixture
def failing(robot, device, monkeypatch):
    """Start a node, let its device fail at the second image; its robot, monitor and seconds."""

    # So that the first images count however busy the machine is.
    monkeypatch.setattr(image_statistics, 'RECENT_S', 3600.0)

    def make(**parameters):
        r = robot(diagnostics_period=0.1, max_latency=3600.0, stale_after=600.0, **parameters)
        monitor, seconds = Monitor(r), itertools.count(1)
        r.calibrate(camera_info())
        r.poses_of(image_msg(GREY, header(next(seconds))))
        device.fails = True
        r.send(image_msg(GREY, header(next(seconds))))
        return r, monitor, seconds

    return make


def test_the_network_is_loaded_again(failing, device):
    r, monitor, seconds = failing()
    status = monitor.until(ERROR, 'device lost', 'network')
    monitor.until(ERROR, 'device lost')
    assert int(values(status)['inference errors']) >= 1
    r.send(image_msg(GREY, header(next(seconds))))
    assert r.camera.statistics.outcomes[Outcome.FAILED] == 2
    status = monitor.until(ERROR, '2 of the last 3 images were not processed, because the network')
    assert values(status)['images lost to inference errors'] == '2'
    loaded = len(device.loaded)
    r.spin_until(lambda: len(device.loaded) > loaded + 2)
    device.fails = False
    r.spin_until(lambda: not r.pose_node.network.error)
    assert len(r.poses_of(image_msg(GREY, header(next(seconds)))).poses) == 2
    monitor.until(OK, ' on CPU', 'network')


def test_the_fallback_device_is_used(failing, device):
    device.works_on = {'GPU.9', 'CPU'}
    r, monitor, seconds = failing(device='GPU.9')
    device.works_on, device.fails = {'CPU'}, False
    r.spin_until(lambda: not r.pose_node.network.error)
    assert device.loaded[-2:] == ['GPU.9', 'CPU']
    assert len(r.poses_of(image_msg(GREY, header(next(seconds)))).poses) == 2
    monitor.until(WARN, 'on CPU instead of GPU.9, which failed', 'network')


def test_waits_grow(failing, device):
    r, _, _ = failing()
    network = r.pose_node.network
    waits = []
    for _ in range(4):
        loaded = len(device.loaded)
        r.spin_until(lambda loaded=loaded: len(device.loaded) > loaded)
        waits.append(network._wait_s)
    assert all(b == 2 * a for a, b in itertools.pairwise(waits))


def test_live_parameters_apply_to_the_new_network(failing, device):
    from rclpy.parameter import Parameter

    r, _, _ = failing()
    r.pose_node.set_parameters([Parameter('keypoint_threshold', value=0.3)])
    device.fails = False
    r.spin_until(lambda: not r.pose_node.network.error)
    assert r.pose_node.network.estimator.detector.thresholds.keypoint == 0.3


def test_cleanup_stops_loading(failing, device):
    r, _, _ = failing()
    r.pose_node.trigger_deactivate()
    r.pose_node.trigger_cleanup()
    loaded = len(device.loaded)
    deadline = r.now_s() + 0.3
    r.spin_until(lambda: r.now_s() > deadline)
    assert len(device.loaded) == loaded
