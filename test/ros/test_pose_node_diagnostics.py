"""Diagnostics of the pose node."""

import hashlib
import re
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from support.monitor import Monitor, values
from support.robot import GREY, camera_info, header

from pose3d_ros.camera import CameraPose, CameraPoseSource, IntrinsicsSource
from pose3d_ros.ros import image_statistics
from pose3d_ros.ros.diagnostics import _camera_pose_text, complaints
from pose3d_ros.ros.image_statistics import (
    RECENT_S,
    ImageStatistics,
    Outcome,
    RecentStatistics,
)
from pose3d_ros.ros.messages.images import image_msg
from pose3d_ros.ros.parameters import PoseParameters

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


def now(robot):
    return Header(frame_id='camera', stamp=robot.node.get_clock().now().to_msg())


@pytest.fixture
def quick(robot):
    """Make a robot whose node publishes diagnostics ten times a second."""

    def make(*args, **parameters):
        return robot(*args, diagnostics_period=0.1, max_latency=3600.0, **parameters)

    return make


def test_the_network_and_the_camera_are_described(quick, two_people_xml):
    r = quick()
    monitor = Monitor(r)
    r.calibrate(camera_info())
    for _ in range(3):
        r.poses_of(image_msg(GREY, now(r)))
    statuses = monitor.next()
    assert list(statuses) == ['network', 'camera']
    network, camera = statuses.values()
    assert (network.level, network.hardware_id) == (OK, 'CPU')
    weights = two_people_xml.with_suffix('.bin').read_bytes()
    digest = hashlib.sha256(two_people_xml.read_bytes() + weights).hexdigest()
    assert values(network) == {
        'model': str(two_people_xml), 'sha256': digest, 'device': 'CPU', 'input': '448x256',
        'inference errors': '0',
    }  # fmt: skip
    assert (camera.level, camera.message) == (OK, 'running')
    assert camera.hardware_id == r.images.topic_name
    found = values(camera)
    exact = {
        'state': 'running', 'images': '3', 'dropped images': '0', 'bad images': '0',
        'images without a transform': '0', 'calibration': 'CAMERA_INFO', 'late images': '0',
        'images lost to inference errors': '0', 'camera pose': 'NONE',
        'people beyond max_people': '0',
    }  # fmt: skip
    assert found.items() >= exact.items()
    numbers = {key: float(value) for key, value in found.items() if key not in exact}
    assert set(numbers) == {
        'input rate (Hz)', 'output rate (Hz)', 'latency mean (ms)', 'latency p95 (ms)',
        'inference mean (ms)', 'parse mean (ms)', 'time since last image (s)',
    }  # fmt: skip
    assert 0 < numbers['output rate (Hz)'] <= numbers['input rate (Hz)'] <= 3
    duration_ms = numbers['inference mean (ms)'] + numbers['parse mean (ms)']
    assert 0 < duration_ms <= numbers['latency mean (ms)'] <= numbers['latency p95 (ms)']


def test_every_camera_has_a_status(quick):
    r = quick(cameras=['front', 'rear'])
    monitor = Monitor(r)
    r.poses_of(image_msg(GREY, now(r)), camera=1)
    statuses = monitor.next()
    assert list(statuses) == ['network', 'front', 'rear']
    assert [values(statuses[name])['images'] for name in ('front', 'rear')] == ['0', '1']
    assert values(statuses['front'])['time since last image (s)'] == 'unknown'


def test_no_image_is_an_error_until_the_next_image(quick):
    r = quick(stale_after=1.5)
    monitor = Monitor(r)
    r.calibrate(camera_info())
    r.poses_of(image_msg(GREY, now(r)))
    monitor.until(OK, 'running')
    monitor.until(ERROR, 'no image for 1.')
    r.poses_of(image_msg(GREY, now(r)))
    monitor.until(OK, 'running')
    r.node.destroy_publisher(r.images)
    monitor.until(ERROR, f'no publisher on {r.camera.topics.image_topic}')


def test_bad_images_and_a_guessed_focal_length(quick, monkeypatch):
    # So that the first image counts however busy the machine is.
    monkeypatch.setattr(image_statistics, 'RECENT_S', 3600.0)
    r = quick()
    monitor = Monitor(r)
    r.poses_of(image_msg(GREY, now(r)))
    monitor.until(WARN, 'focal length guessed')
    r.images.publish(Image())
    status = monitor.until(WARN, '1 of the last 2 images could not be read')
    assert values(status)['bad images'] == '1'
    wrong = camera_info()
    wrong.k[0] = -1.0
    r.infos.publish(wrong)
    r.spin_until(lambda: r.camera.calibration.info)
    r.poses_of(image_msg(GREY, now(r)))
    status = monitor.until(WARN, 'CameraInfo is not used')
    assert values(status)['calibration'].startswith('GUESSED: CameraInfo is not used: focal')


def test_people_beyond_max_people_are_counted(quick):
    r = quick(max_people=2)
    monitor = Monitor(r)
    r.calibrate(camera_info())
    detect = r.pose_node.network.estimator.detector.detect
    cut = [3]
    r.pose_node.network.estimator.detector.detect = lambda *args: [
        replace(found, people_cut=cut[0]) for found in detect(*args)
    ]
    r.poses_of(image_msg(GREY, now(r)))
    status = monitor.until(WARN, '3 people beyond max_people (2)')
    assert values(status)['people beyond max_people'] == '3'
    cut[0] = 0
    r.poses_of(image_msg(GREY, now(r)))
    assert values(monitor.until(OK, 'running'))['people beyond max_people'] == '0'


def test_idle_node_is_ok_with_the_reason(quick):
    r = quick(stale_after=0.1)
    monitor = Monitor(r)
    monitor.until(ERROR, 'no image')
    r.pose_node.paused = True
    r.pose_node.cameras[0].set_enabled(False)
    assert values(monitor.until(OK, 'paused'))['state'] == 'paused'
    r.pose_node.paused = False
    r.cameras[0].unsubscribe()
    monitor.until(OK, 'no subscribers')
    r.pose_node.trigger_deactivate()
    monitor.until(OK, 'inactive')


def test_a_clock_that_stands_still_does_not_stop_the_diagnostics(quick):
    r = quick(use_sim_time=True)
    monitor = Monitor(r)
    r.poses_of(image_msg(GREY, header()))
    monitor.until(WARN, 'guessed')
    r.pose_node.set_parameters([Parameter('stale_after', value=0.1)])
    monitor.until(ERROR, 'no image')
    assert len({(a.header.stamp.sec, a.header.stamp.nanosec) for a in monitor.arrays}) == 1


def test_the_topic_can_be_remapped(quick):
    r = quick(remap=['/diagnostics:=/robot/health'])
    assert list(Monitor(r, '/robot/health').next()) == ['network', 'camera']


def test_dropped_images_are_unknown_without_sequence_numbers(quick):
    r = quick()
    statistics, arrived = r.camera.statistics, r.camera.statistics.record_arrival
    statistics.record_arrival = lambda info: arrived({**info, 'publication_sequence_number': None})
    r.poses_of(image_msg(GREY, now(r)))
    found = values(Monitor(r).next()['camera'])
    assert (found['dropped images'], found['input rate (Hz)']) == ('unknown', 'unknown')
    assert float(found['output rate (Hz)']) > 0


def test_waiting_image_is_not_bad():
    """The next diagnostics may be published meanwhile."""
    statistics = ImageStatistics()
    statistics.record_arrival({'publication_sequence_number': 1})
    recent = statistics.recent()
    assert (recent.images, recent.outcomes[Outcome.BAD]) == (1, 0)
    statistics.record(Outcome.BAD)
    statistics.record_arrival({'publication_sequence_number': 2})
    recent = statistics.recent()
    assert (recent.images, recent.outcomes[Outcome.BAD]) == (2, 1)


FINE = {
    'span_s': RECENT_S, 'images': 150, 'outcomes': Counter(), 'input_hz': 30.0, 'output_hz': 10.0,
    'latency_s': 0.1, 'latency_p95_s': 0.2, 'inference_s': 0.01, 'parse_s': 0.001,
}  # fmt: skip


@pytest.mark.parametrize(
    ('change', 'level', 'text'),
    [
        ({'output_hz': 0.5}, WARN, 'publishing 0.5 Hz, below min_rate 1 Hz'),
        ({'output_hz': 0.5, 'span_s': 3.0}, OK, ''),  # it has only just started
        ({'outcomes': Counter({Outcome.BAD: 1})}, WARN, '1 of the last 150'),
        (
            {'outcomes': Counter({Outcome.BAD: 150}), 'output_hz': 0.0},
            ERROR,
            '150 of the last 150',
        ),
        (
            {'outcomes': Counter({Outcome.NO_TRANSFORM: 1})},
            WARN,
            '1 of the last 150 images have no transform to ',
        ),
        ({'outcomes': Counter({Outcome.LATE: 2})}, WARN, '2 of .* arrived after a newer one'),
        ({'outcomes': Counter({Outcome.FAILED: 150}), 'output_hz': 0.0}, ERROR, 'network failed'),
        ({'unstamped': 150}, WARN, 'stamps of 150 of the last 150 images did not advance'),
        ({'publisher_changes': 7}, WARN, 'several nodes publish /image: /a and /b'),
        ({'publisher_changes': 1}, OK, ''),
        ({'latency_s': 0.7}, WARN, 'latency 0.7 s, above max_latency 0.5 s'),
        ({'latency_s': -1e9}, WARN, 'check use_sim_time'),
        ({'latency_s': float('nan')}, OK, ''),
    ],
)
def test_thresholds(change, level, text):
    topics = SimpleNamespace(image_topic='/image', publisher_names=lambda: '/a and /b')
    camera = SimpleNamespace(
        topics=topics,
        network=SimpleNamespace(error=''),
        statistics=ImageStatistics(),
        last_error='',
        intrinsics_source=IntrinsicsSource.CAMERA_INFO,
        depth=None,
        pipeline=SimpleNamespace(people_cut=0),
        camera_pose=SimpleNamespace(last_error=''),
    )
    found = list(complaints(camera, RecentStatistics(**FINE), PoseParameters()))
    assert found == []
    found = list(complaints(camera, RecentStatistics(**{**FINE, **change}), PoseParameters()))
    assert max((one for one, _ in found), default=OK) == level
    assert re.search(text, '; '.join(problem for _, problem in found))


@pytest.mark.parametrize(
    ('pose', 'source', 'text'),
    [
        (None, CameraPoseSource.NONE, 'NONE'),
        (
            CameraPose(np.array([0.0, -1.0, 0.0])),
            CameraPoseSource.GIVEN,
            'GIVEN: pitch 0 deg, roll 0 deg',
        ),
        (
            CameraPose(np.array([0.0, -0.8, -0.6]), 1.5, np.deg2rad(2.0), 0.1),
            CameraPoseSource.ESTIMATED,
            'ESTIMATED: pitch -37 deg, roll 0 deg (+- 2), height 1.50 m (+- 0.15)',
        ),
    ],
)
def test_the_pose_of_the_camera_is_reported(pose, source, text):
    pipeline = SimpleNamespace(camera_pose=pose, camera_pose_source=source)
    assert _camera_pose_text(pipeline) == text
