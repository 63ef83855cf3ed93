"""The camera node in this process, heard by a subscriber; an image's grey says which it is."""

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
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from pose3d_ros.camera import Intrinsics
from pose3d_ros.ros import camera_node
from pose3d_ros.ros.camera_node import CalibrationError, CameraNode, mirrored, read_calibration
from pose3d_ros.ros.messages.camera_info import camera_info_msg
from pose3d_ros.ros.messages.images import image_msg
from pose3d_ros.ros.process import Stop
from pose3d_ros.sources.video import VideoError

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
    """Run a camera to its end, or to so many images, and give what a reliable subscriber heard."""
    heard = SimpleNamespace(images=[], infos=[])
    listener = Node('listener', context=context)
    qos = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)
    listener.create_subscription(CameraInfo, 'camera_info', heard.infos.append, qos)
    listener.create_subscription(Image, 'image_raw', heard.images.append, qos)
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
        complete = min(len(heard.images), len(heard.infos)) >= enough
        if errors or (complete and (images or not player.is_alive())):
            break
    if images:
        stop.set()
    player.join(timeout=10)
    heard.player_ended, heard.node = not player.is_alive(), node
    if errors:
        raise errors[0]
    return heard


def greys(images):
    return [
        np.frombuffer(m.data, np.uint8).reshape(m.height, m.width, 3)[0, 20, 0] for m in images
    ]


def stamps(messages):
    return [m.header.stamp.sec * 10**9 + m.header.stamp.nanosec for m in messages]


def test_every_image_arrives_in_order_with_its_camera_info_and_the_node_ends(context, folder):
    heard = play(context, source=str(folder), frame_id='front')
    assert heard.player_ended
    assert greys(heard.images) == VALUES
    assert stamps(heard.images) == stamps(heard.infos)
    assert (np.diff(stamps(heard.images)) > 0).all()
    first, info = heard.images[0], heard.infos[0]
    assert (first.encoding, first.width, first.height, first.step) == ('bgr8', 48, 32, 144)
    assert {m.header.frame_id for m in heard.images + heard.infos} == {'front'}
    assert (info.width, info.height) == (48, 32)
    assert not info.k.any()  # uncalibrated
    assert heard.node.summary().startswith('9 images published')


def test_skip_and_mirror(context, folder):
    heard = play(context, source=str(folder), skip=6, mirror=True)
    assert greys(heard.images) == VALUES[6:]
    image = np.frombuffer(heard.images[0].data, np.uint8).reshape(32, 48, 3)
    assert (image[:, -1] == 255).all()
    assert (image[:, 0] == 70).all()


def test_loop_goes_on_until_it_is_told_to_stop(context, folder):
    heard = play(context, source=str(folder), loop=True, images=20)
    assert greys(heard.images)[:20] == (3 * VALUES)[:20]
    assert heard.player_ended


def test_unreadable_images_are_counted(context, folder):
    (folder / '35.png').write_bytes(b'no image')
    heard = play(context, source=str(folder))
    assert greys(heard.images) == VALUES
    assert heard.node.summary().endswith('1 could not be read')


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


def test_a_calibration_file_that_cannot_be_used_is_named(tmp_path):
    path = tmp_path / 'camera.yaml'
    for text, problem in (
        (CALIBRATION.replace('camera_matrix', 'matrix'), "has no 'camera_matrix'"),
        (CALIBRATION.replace('0.004, 0]', '0.004, 0, 7]'), 'distortion must be one of'),
        (CALIBRATION.replace('40.0', '0.0'), 'focal lengths must be positive'),
        (CALIBRATION.replace('0.0, 1.0]', '1.0]'), '9 numbers, found 8'),
        ('no yaml: [', 'is not as camera_calibration'),
        ('', 'found no names'),
    ):
        path.write_text(text)
        with pytest.raises(CalibrationError, match=f'camera.yaml.*{problem}'):
            read_calibration(str(path))
    with pytest.raises(CalibrationError, match='missing'):
        read_calibration(str(tmp_path / 'missing.yaml'))


def test_it_offers_what_camera_drivers_offer(context, folder):
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


def test_it_begins_without_subscribers_when_the_time_is_over(context, folder):
    node = camera(context, source=str(folder), wait_timeout=0.0)
    node.run(Stop())
    assert node.published == 9


def test_a_source_that_does_not_open_is_refused_by_name(context, tmp_path):
    with pytest.raises(VideoError, match='nowhere'):
        camera(context, source=str(tmp_path / 'nowhere.mp4'))


def test_the_webcam_may_be_given_as_a_number(context, monkeypatch):
    opened = []
    monkeypatch.setattr(camera_node, 'open_video', lambda source, warn: opened.append(source))
    camera(context, source=0)
    assert opened == ['0']


@pytest.mark.parametrize(
    ('arguments', 'code', 'said'),
    [
        (['source:={folder}', 'rate:=100.0'], 0, '9 images published'),
        (['source:={folder}/nowhere.mp4'], 1, 'nowhere.mp4'),
        (['source:={folder}', 'skip:=50'], 1, 'no image after the first 50'),
        (['source:={folder}', 'rate:=-1.0'], 1, 'rate'),
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
