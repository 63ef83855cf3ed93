"""The command `pose3d`, as processes."""

import itertools
import re
import signal
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import cv2
import numpy as np
import openvino as ov
import pytest
import rclpy
from builtin_interfaces.msg import Time
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from pose3d_ros.demo import clip
from pose3d_ros.demo.demo import Listener
from pose3d_ros.demo.recorder import Recorder
from pose3d_ros.msg import Keypoint3D, Pose3D, PoseArray3D
from pose3d_ros.ros.messages.images import image_msg
from pose3d_ros.visualisation.overlay import LEFT_RGB, RIGHT_RGB
from synthetic import test_card
from synthetic.test_card_network import network


def pose3d(*arguments, timeout_s=120):
    command = [sys.executable, '-m', 'pose3d_ros.cli', *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)


def figures(printed):
    """The table's rows: what each is called, and its text."""
    rows = [line.partition('  ') for line in printed.splitlines() if '  ' in line]
    return {name: text.strip() for name, _, text in rows}


@pytest.fixture(scope='module')
def test_card_xml(tmp_path_factory):
    """A file of the network that reads the test card, and sees nothing else."""
    path = tmp_path_factory.mktemp('network') / 'test_card.xml'
    ov.save_model(network(), path)
    return path


def test_the_demo_shows_the_people_of_the_test_card(tmp_path, test_card_xml):
    folder = tmp_path / 'images'
    folder.mkdir()
    for i, (_, bgr) in enumerate(itertools.islice(test_card.clip(), 0, 120, 3)):
        cv2.imwrite(str(folder / f'{i}.png'), bgr)
    done = pose3d(
        'demo', '--input', folder, '--model', test_card_xml, '--rate', 10,
        '--focal-length', test_card.FOCAL_LENGTH_PX, '--device', 'CPU', '--output', tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    table = figures(done.stdout)
    answered = int(table['images answered'].split(',')[0])
    assert int(table['images sent']) == 40
    assert 40 >= answered >= 20
    assert 2 <= float(table['people per image'].split()[0]) <= 3
    assert table['device'] == 'CPU'
    video = cv2.VideoCapture(str(tmp_path / 'demo.mp4'))
    assert answered - 3 <= video.get(cv2.CAP_PROP_FRAME_COUNT) <= answered
    assert video.get(cv2.CAP_PROP_FPS) == pytest.approx(10, abs=1)
    picture = cv2.imread(str(tmp_path / 'demo.png'))
    assert picture.shape[0] == 480
    for rgb in (LEFT_RGB, RIGHT_RGB):
        bgr = np.round(255 * np.array(rgb[::-1]))
        on_the_image, beside_it = np.array_split(picture, [840], axis=1)
        for half in (on_the_image, beside_it):
            assert (np.abs(half.astype(float) - bgr).max(-1) < 30).sum() > 100


def test_the_demo_compares_the_bundled_clip_with_its_truth(tmp_path):
    """Slower than it was drawn, for busy machines; the numbers have a margin."""
    done = pose3d('demo', '--rate', 10, '--device', 'CPU', '--output', tmp_path)
    assert done.returncode == 0, done.stderr
    table = figures(done.stdout)
    found, people, false = map(int, re.findall(r'\d+', table['against the truth']))
    assert people >= 500  # of 585, should images make way for newer ones
    assert found / people > 0.8
    assert found / (found + false) > 0.7
    assert float(table['error, seen 2D'].split()[0]) < 10
    off_mm, off_percent = re.findall(r'[\d.]+ (?:mm|%)', table['error, 3D'])
    assert float(off_mm.split()[0]) < 130
    assert float(off_percent.split()[0]) < 10


def message(xy_px, number=0, score=1.0):
    """People at their pixels, in an image of the clip."""
    poses = [
        Pose3D(
            state=Pose3D.CONFIRMED,
            keypoints=[Keypoint3D(u=float(u), v=float(v), score=score) for u, v in person],
        )
        for person in xy_px
    ]
    return PoseArray3D(header=Header(stamp=Time(sec=number + 1)), poses=poses)


def test_the_picture_is_of_the_image_that_is_most_clear(tmp_path):
    people = clip.truth().xy_px[0]
    recorder = Recorder(tmp_path)
    for grey, clear, score in ((60, 2, 1.0), (120, 3, 0.3), (180, 3, 0.6), (240, 3, 0.5)):
        recorder.add(np.full((480, 640, 3), grey, np.uint8), message(people, score=score), clear)
    recorder.close()
    assert (cv2.imread(str(tmp_path / 'demo.png'))[:, :640] == 180).all()


def test_an_image_is_clear_if_all_who_are_found_are_somebody():
    truth = clip.truth()
    recorder, clears = Mock(), []
    recorder.add = lambda overlay, poses, clear: clears.append(clear)
    rclpy.init()
    listener = Listener('/clear', recorder, clip.Score(truth))
    grey = np.zeros((48, 64, 3), np.uint8)
    try:
        for number in (0, 1, 2):
            people = truth.xy_px[number]
            false = people[:1] + 1000
            poses = message([people, people[:2], np.concatenate([people, false])][number], number)
            listener.on_info(CameraInfo(header=poses.header))
            listener.on_poses(poses, {'received_timestamp': 0})
            listener.on_overlay(image_msg(grey, poses.header))
        # Of an image that was not announced nothing is known.
        late = message(truth.xy_px[3], 3)
        listener.on_poses(late, {'received_timestamp': 0})
        listener.on_overlay(image_msg(grey, late.header))
    finally:
        listener.destroy_node()
        rclpy.shutdown()
    assert clears == [3, 2, 0, 0]


def test_images_that_were_answered_before_one_was_announced_count():
    truth = clip.truth()
    recorder, clears = Mock(), []
    recorder.add = lambda overlay, poses, clear: clears.append(clear)
    rclpy.init()
    listener = Listener('/late', recorder, clip.Score(truth))
    grey = np.zeros((48, 64, 3), np.uint8)
    try:
        for number in range(61):
            poses = message(truth.xy_px[number], number)
            if number == 60:
                listener.on_info(CameraInfo(header=poses.header))
            listener.on_poses(poses, {'received_timestamp': 0})
            listener.on_overlay(image_msg(grey, poses.header))
    finally:
        listener.destroy_node()
        rclpy.shutdown()
    assert clears == [0] * 60 + [3]


@pytest.mark.parametrize(
    ('arguments', 'says'),
    [
        (['--model', '/nowhere/net.xml'], '/nowhere/net.xml'),
        (['--device', 'TPU'], "device 'TPU' cannot run"),
        (['--input', '/nowhere/video.mp4', '--model', 'demo_only'], '/nowhere/video.mp4'),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path, arguments, says):
    done = pose3d('demo', '--output', tmp_path, *arguments)
    assert done.returncode == 1
    assert says in done.stderr
    assert 'Traceback' not in done.stderr


def test_a_folder_of_pictures_without_people(tmp_path, test_card_xml):
    """Every image is processed."""
    for i in range(5):
        cv2.imwrite(str(tmp_path / f'{i}.png'), np.full((120, 160, 3), 30 * i, np.uint8))
    done = pose3d('demo', '--input', tmp_path, '--model', test_card_xml, '--rate', 5,
                  '--output', tmp_path / 'out')  # fmt: skip
    assert done.returncode == 0, done.stderr
    table = figures(done.stdout)
    assert table['images sent'] == '5'
    assert table['images answered'] == '5, 5 of them with nobody'


def test_a_real_video_with_a_real_network(shared, tmp_path):
    done = pose3d(
        'demo', '--input', shared / 'data/video/one-by-one-person-detection.mp4',
        '--model', shared / 'data/models/real2d_large_256x448.xml',
        '--seconds', 8, '--output', tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answered = int(figures(done.stdout)['images answered'].split(',')[0])
    assert answered > 40
    assert (tmp_path / 'demo.png').is_file()


def test_commands_explain_themselves():
    done = pose3d('--help')
    for command in ('demo', 'model', 'node', 'camera'):
        assert command in done.stdout
    assert pose3d('demo', '--nonsense').returncode == 2


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_demo_and_both_nodes(tmp_path, number):
    command = [sys.executable, '-m', 'pose3d_ros.cli', 'demo', '--output', str(tmp_path)]
    # Of a session of its own, so that only the demo gets the signal.
    demo = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    for line in demo.stdout:  # until the first images have been sent
        if 'images sent' in line:
            break
    demo.send_signal(number)
    printed, _ = demo.communicate(timeout=30)
    assert demo.returncode == 0
    assert 'images answered' in printed
    named = f'__ns:=/pose3d_demo_{demo.pid}'
    running = [path.read_bytes() for path in Path('/proc').glob('[0-9]*/cmdline') if path.exists()]
    assert not any(named.encode() in line for line in running)
