"""The camera node in this process, with a subscriber; the grey of an image is its number."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from pose3d_ros.camera import Intrinsics
from pose3d_ros.ros import camera_node
from pose3d_ros.ros.camera_node import CameraNode, DamagedSource
from pose3d_ros.ros.messages.camera_info import camera_info_msg
from pose3d_ros.ros.messages.images import image_msg
from pose3d_ros.ros.process import Stop
from pose3d_ros.sources.calibration import CalibrationError, mirrored
from pose3d_ros.sources.video import Frame, Losses, Video, VideoError

VALUES = [*range(10, 91, 10)]
RELIABLE = {
    f'qos_overrides./{topic}.publisher.{policy}': value
    for topic in ('image_raw', 'camera_info')
    for policy, value in (('reliability', 'reliable'), ('depth', 100))
}
CALIBRATION = """
image_width: 48
image_height: 32
camera_name: made_up
camera_matrix: {rows: 3, cols: 3, data: [40.0, 0.0, 25.0, 0.0, 41.0, 14.0, 0.0, 0.0, 1.0]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0.1, -0.2, 0.003, 0.004, 0]}
"""


@pytest.fixture
def folder(tmp_path):
    """Nine images of 48 x 32, grey 10, 20 .. 90, with a white left column."""
    images = tmp_path / 'images'
    images.mkdir()
    for value in VALUES:
        bgr = np.full((32, 48, 3), value, np.uint8)
        bgr[:, 0] = 255
        cv2.imwrite(str(images / f'{value}.png'), bgr)
    return images


@pytest.fixture
def context():
    context = rclpy.Context()
    rclpy.init(context=context)
    yield context
    context.try_shutdown()


def overrides(parameters):
    return [Parameter(name, value=value) for name, value in parameters.items()]


def camera(context, namespace='', **parameters):
    return CameraNode(
        context=context,
        namespace=namespace,
        parameter_overrides=overrides({'wait_for_subscribers': 1, 'rate': 100.0, **parameters}),
    )


def play(context, *, images=None, **parameters):
    """Run a camera to its end, or to a number of images; what a reliable subscriber received."""
    received = SimpleNamespace(images=[], infos=[])
    listener = Node('listener', context=context)
    qos = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)
    listener.create_subscription(CameraInfo, 'camera_info', received.infos.append, qos)
    listener.create_subscription(Image, 'image_raw', received.images.append, qos)
    node = camera(context, **RELIABLE, **parameters)
    errors, stop = [], Stop()

    def run():
        try:
            node.run(stop)
        except Exception as error:
            errors.append(error)

    player = threading.Thread(target=run, daemon=True)
    player.start()
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(listener)
    for _ in range(500):
        executor.spin_once(timeout_sec=0.05)
        enough = images or node.published
        complete = min(len(received.images), len(received.infos)) >= enough
        if errors or (complete and (images or not player.is_alive())):
            break
    if images:
        stop.set()
    player.join(timeout=10)
    received.player_ended, received.node = not player.is_alive(), node
    if errors:
        raise errors[0]
    return received


def greys(images):
    return [
        np.frombuffer(m.data, np.uint8).reshape(m.height, m.width, 3)[0, 20, 0] for m in images
    ]


def stamps(messages):
    return [m.header.stamp.sec * 10**9 + m.header.stamp.nanosec for m in messages]


def test_every_image_arrives_in_order_with_its_camera_info_and_the_node_ends(context, folder):
    received = play(context, source=str(folder), frame_id='front')
    assert received.player_ended
    assert greys(received.images) == VALUES
    assert stamps(received.images) == stamps(received.infos)
    assert (np.diff(stamps(received.images)) > 0).all()
    first, info = received.images[0], received.infos[0]
    assert (first.encoding, first.width, first.height, first.step) == ('bgr8', 48, 32, 144)
    assert {m.header.frame_id for m in received.images + received.infos} == {'front'}
    assert (info.width, info.height) == (48, 32)
    assert not info.k.any()  # uncalibrated
    assert received.node.summary().startswith('9 images published')


def test_skip_and_mirror(context, folder):
    received = play(context, source=str(folder), skip=6, mirror=True)
    assert greys(received.images) == VALUES[6:]
    image = np.frombuffer(received.images[0].data, np.uint8).reshape(32, 48, 3)
    assert (image[:, -1] == 255).all()
    assert (image[:, 0] == 70).all()


def test_loop_goes_on_until_stopped(context, folder):
    received = play(context, source=str(folder), loop=True, images=20)
    assert greys(received.images)[:20] == (3 * VALUES)[:20]
    assert received.player_ended


def test_unreadable_images_are_counted_and_the_end_says_so(context, folder):
    (folder / '35.png').write_bytes(b'no image')
    with pytest.raises(DamagedSource, match='1 damaged packet or file skipped'):
        play(context, source=str(folder))


def test_a_focal_length_makes_camera_info_with_the_optical_centre_in_the_middle(context, folder):
    [info, *_] = play(context, source=str(folder), focal_length=40.0).infos
    np.testing.assert_array_equal(info.k, [40, 0, 23.5, 0, 40, 15.5, 0, 0, 1])
    np.testing.assert_array_equal(np.reshape(info.p, (3, 4))[:, :3], np.reshape(info.k, (3, 3)))
    np.testing.assert_array_equal(info.r, np.eye(3).ravel())


def test_a_calibration_file_wins_and_is_mirrored_with_the_image(context, folder, tmp_path):
    path = tmp_path / 'camera.yaml'
    path.write_text(CALIBRATION)
    options = {'source': str(folder), 'calibration_file': str(path), 'focal_length': 99.0}
    [info, *_] = play(context, **options, mirror=True).infos
    np.testing.assert_array_equal(info.k, [40, 0, 47 - 25, 0, 41, 14, 0, 0, 1])
    np.testing.assert_array_equal(info.d, [0.1, -0.2, 0.003, -0.004, 0])
    assert info.distortion_model == 'plumb_bob'


def test_a_calibration_for_another_size_is_refused(context, folder, tmp_path):
    path = tmp_path / 'camera.yaml'
    path.write_text(CALIBRATION.replace('48', '640'))
    with pytest.raises(CalibrationError, match=r'640x32.*48x32'):
        play(context, source=str(folder), calibration_file=str(path))


@pytest.mark.parametrize(
    ('model', 'n'),
    [
        ('plumb_bob', 5),
        ('rational_polynomial', 8),
        ('rational_polynomial', 14),
        ('equidistant', 4),
    ],
)
def test_mirrored_intrinsics_project_to_the_mirrored_image(model, n):
    """What the camera sees at u is seen, with x negated, at width - 1 - u by the mirrored one."""
    rng = np.random.default_rng(3)
    intrinsics = Intrinsics(500, 510, 330, 235, tuple(rng.uniform(0.01, 0.05, n)), model)
    points = rng.uniform((-0.4, -0.3, 1), (0.4, 0.3, 2), (20, 3))

    def project(camera, xyz):
        matrix = np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1.0]])
        fisheye = camera.model == 'equidistant'
        project_points = cv2.fisheye.projectPoints if fisheye else cv2.projectPoints
        zero, d = np.zeros(3), np.array(camera.distortion)
        if fisheye:
            xyz = xyz[:, None]
        return project_points(xyz, zero, zero, matrix, d)[0].reshape(-1, 2)

    seen = project(intrinsics, points)
    in_mirror = project(mirrored(intrinsics, 640), points * (-1, 1, 1))
    np.testing.assert_allclose(in_mirror, (639, 0) + seen * (-1, 1), atol=1e-6)


def test_it_publishes_with_the_qos_of_camera_drivers(context, folder):
    """Best effort, also beside a camera that was made reliable."""
    reliable = {name.replace('./', './strict/'): value for name, value in RELIABLE.items()}
    nodes = [
        camera(context, 'strict', source=str(folder), **reliable),
        camera(context, 'usual', source=str(folder)),
    ]
    for namespace, expected in (
        ('strict', ReliabilityPolicy.RELIABLE),
        ('usual', ReliabilityPolicy.BEST_EFFORT),
    ):
        for topic in ('image_raw', 'camera_info'):
            for _ in range(100):
                offered = nodes[0].get_publishers_info_by_topic(f'/{namespace}/{topic}')
                if offered:
                    break
                time.sleep(0.05)
            assert [o.qos_profile.reliability for o in offered] == [expected]


def test_it_starts_without_subscribers_after_the_timeout(context, folder):
    node = camera(context, source=str(folder), wait_timeout=0.0)
    node.run(Stop())
    assert node.published == 9


def test_a_source_that_does_not_open_is_refused_by_name(context, tmp_path):
    with pytest.raises(VideoError, match='nowhere'):
        camera(context, source=str(tmp_path / 'nowhere.mp4'))


def test_the_webcam_may_be_given_as_a_number(context, monkeypatch):
    opened = []
    monkeypatch.setattr(camera_node, 'open_source', lambda source, warn: opened.append(source))
    camera(context, source=0)
    assert opened == ['0']


@pytest.mark.parametrize(
    ('arguments', 'code', 'said'),
    [
        (['source:={folder}', 'rate:=100.0'], 0, '9 images published'),
        (['source:={folder}', 'rate:=100'], 0, '9 images published'),
        (['source:={folder}/nowhere.mp4'], 1, 'nowhere.mp4'),
        (['source:={folder}', 'skip:=50'], 1, 'no image after the first 50'),
        (['source:={folder}', 'rate:=-1.0'], 1, 'rate'),
        (['source:={folder}', 'ratte:=1.0'], 1, 'did you mean rate?'),
        (['source:={folder}', 'calibration_file:=missing.yaml'], 1, 'missing.yaml'),
    ],
)
def test_the_exit_code_says_whether_the_source_worked(arguments, code, said, folder, capfd):
    ros_arguments = [a for text in arguments for a in ('-p', text.format(folder=folder))]
    assert camera_node.main(['camera_node', '--ros-args', *ros_arguments]) == code
    written = ''.join(capfd.readouterr())
    assert said in written
    assert 'Traceback' not in written
    assert not rclpy.ok()


def live_source(passes):
    """A live source that gives one image a pass for so many passes and then does not open."""
    left = [passes]

    def one_pass():
        if not left[0]:
            raise VideoError('front does not open')
        left[0] -= 1
        yield Frame(0.0, np.full((32, 48, 3), 90, np.uint8))
        raise VideoError('front ended')

    return Video('front', 30.0, None, True, one_pass, Losses())


def test_a_live_source_that_ends_is_opened_again_and_then_given_up(context, monkeypatch):
    monkeypatch.setattr(camera_node, 'open_source', lambda source, warn: live_source(2))
    node = camera(context, source='rtsp://front', wait_timeout=0.0, reconnect_timeout=1.0)
    with pytest.raises(VideoError, match='front does not open; given up: no image for 1 s'):
        node.run(Stop())
    assert node.published == 2
    assert node.video.losses.reconnections >= 2
    assert 'reconnections' in node.summary()


def test_diagnostics_show_a_lost_live_source(context, monkeypatch):
    monkeypatch.setattr(camera_node, 'open_source', lambda source, warn: live_source(1))
    node = camera(context, source='rtsp://front', wait_timeout=0.0, reconnect_timeout=0.0)
    statuses = []
    monkeypatch.setattr(node.diagnostics, 'publish', lambda array: statuses.extend(array.status))
    node._diagnose()
    with pytest.raises(VideoError):
        node.run(Stop())
    node._warn('front ended; opened again in 1 s')
    node._diagnose()
    levels = [status.level for status in statuses]
    assert (levels[0], levels[-1]) == (DiagnosticStatus.OK, DiagnosticStatus.ERROR)
    assert statuses[-1].message.startswith('front ended')
    assert {value.key for value in statuses[-1].values} == {
        'published', 'damaged', 'missing', 'reconnections',
    }  # fmt: skip


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_node_cleanly(number, folder):
    """Sent twice while it publishes as fast as it can: one Ctrl-C may come as several signals."""
    run = 'import sys; from pose3d_ros.ros.camera_node import main; sys.exit(main())'
    parameters = [f'source:={folder}', 'rate:=1000.0', 'loop:=true']
    arguments = ['--ros-args', *(a for text in parameters for a in ('-p', text))]
    paths = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get('PYTHONPATH')])]
    process = subprocess.Popen(
        [sys.executable, '-c', run, *arguments],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(paths)},
    )
    try:
        assert 'images at' in process.stderr.readline()
        process.send_signal(number)
        process.send_signal(number)
        _, written = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 0, written
    assert 'stopped' in written
    assert 'Traceback' not in written


def test_messages_hold_the_pixels_and_the_intrinsics():
    rng = np.random.default_rng(5)
    bgr = rng.integers(0, 256, (4, 7, 3), np.uint8)[:, ::-1]  # not contiguous
    header = Header(frame_id='front')
    message = image_msg(bgr, header)
    np.testing.assert_array_equal(np.frombuffer(message.data, np.uint8).reshape(4, 7, 3), bgr)
    assert (message.header, message.step, message.is_bigendian) == (header, 21, 0)
    with pytest.raises(ValueError, match='uint8'):
        image_msg(bgr[..., 0], header)
    intrinsics = Intrinsics(1.0, 2.0, 3.0, 4.0, (0.1, 0.2, 0.3, 0.4), 'equidistant')
    info = camera_info_msg(intrinsics, 7, 4, header)
    np.testing.assert_array_equal(info.k, [1, 0, 3, 0, 2, 4, 0, 0, 1])
    assert (info.distortion_model, list(info.d)) == ('equidistant', [0.1, 0.2, 0.3, 0.4])
    assert (info.width, info.height) == (7, 4)
    assert not camera_info_msg(None, 7, 4, header).k.any()
