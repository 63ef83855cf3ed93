"""The command `pose3d`, as processes."""

import contextlib
import errno
import importlib.metadata
import itertools
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from unittest.mock import Mock

import cv2
import numpy as np
import openvino as ov
import pytest
import rclpy
from builtin_interfaces.msg import Time
from std_msgs.msg import Header

from pose3d_ros import cli
from pose3d_ros.demo import clip
from pose3d_ros.demo.child import Child, environment, start_line
from pose3d_ros.demo.listener import Listener
from pose3d_ros.demo.recorder import QUEUED, Recorder, Shown, side_by_side
from pose3d_ros.msg import Keypoint3D, Pose3D, PoseArray3D
from pose3d_ros.ros.messages.images import image_msg
from pose3d_ros.ros.messages.people import tracked_people
from pose3d_ros.sources.open_source import open_source
from pose3d_ros.sources.playback import frames
from pose3d_ros.visualisation.style import LEFT_RGB, RIGHT_RGB
from synthetic import test_card
from synthetic.test_card_network import network


def pose3d(*arguments, timeout_s=120):
    headless = ['--headless'] if arguments[0] == 'demo' else []
    command = [sys.executable, '-m', 'pose3d_ros.cli', *map(str, arguments), *headless]
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
    assert answered == 40
    assert 2 <= float(table['people per image'].split()[0]) <= 3
    assert table['device'] == 'CPU'
    (written,) = [path for path in tmp_path.glob('demo.*') if path.suffix != '.png']
    video = open_source(str(written))
    assert sum(1 for _ in frames(video)) == 40
    picture = cv2.imread(str(tmp_path / 'demo.png'))
    for rgb in (LEFT_RGB, RIGHT_RGB):
        bgr = np.round(255 * np.array(rgb[::-1]))
        on_the_image, beside_it = np.array_split(picture, [picture.shape[1] - 640], axis=1)
        for half in (on_the_image, beside_it):
            assert (np.abs(half.astype(float) - bgr).max(-1) < 30).sum() > 100


def test_the_demo_compares_the_bundled_clip_with_its_truth(tmp_path):
    """All of its images, however busy the machine; the numbers have a margin."""
    done = pose3d('demo', '--device', 'CPU', '--output', tmp_path)
    assert done.returncode == 0, done.stderr
    table = figures(done.stdout)
    found, people, false = map(int, re.findall(r'\d+', table['against the truth']))
    assert people == 585  # of all images
    assert found / people > 0.8
    assert found / (found + false) > 0.7
    bounds = {'2D error': (10, 'px'), '3D error': (130, 'mm'), 'distance error': (10, '%')}
    for name, (bound, unit) in bounds.items():
        number, found_unit = table[name].split()[:2]
        assert float(number) < bound
        assert found_unit == unit


def message(xy_px, number=0, score=1.0):
    """Return people at their pixels, in an image of the clip."""
    poses = [
        Pose3D(
            state=Pose3D.CONFIRMED,
            keypoints=[Keypoint3D(u=float(u), v=float(v), score=score) for u, v in person],
        )
        for person in xy_px
    ]
    return PoseArray3D(header=Header(stamp=Time(sec=number + 1)), poses=poses)


def test_the_picture_is_of_the_image_with_most_correct_people(tmp_path):
    people = clip.truth().xy_px[0]
    recorder = Recorder(tmp_path)
    for i, (grey, correct, score) in enumerate(
        ((60, 2, 1.0), (120, 3, 0.3), (180, 3, 0.6), (240, 3, 0.5))
    ):
        tracked = tracked_people(message(people, score=score))
        overlay = np.full((480, 640, 3), grey, np.uint8)
        recorder.add(Shown(overlay, tracked, float(i), correct))
    assert [path.name for path in recorder.close()][1] == 'demo.png'
    assert (cv2.imread(str(tmp_path / 'demo.png'))[:, :640] == 180).all()


def test_a_full_disk_does_not_keep_whoever_waits_for_room(tmp_path):
    """The video cannot be written: images are dropped, more of them than the queue holds."""
    recorder = Recorder(tmp_path)
    recorder.writer = Mock()
    recorder.writer.write.side_effect = OSError(errno.ENOSPC, 'No space left on device')
    recorder.writer.close.side_effect = recorder.writer.write.side_effect
    shown = Shown(np.zeros((480, 640, 3), np.uint8), tracked_people(PoseArray3D()), 0.0)
    adding = threading.Thread(
        target=lambda: [recorder.add(shown, wait=True) for _ in range(2 * QUEUED)], daemon=True
    )
    adding.start()
    adding.join(30)
    assert not adding.is_alive()
    assert [path.name for path in recorder.close()] == ['demo.png']
    assert 'No space left' in recorder.problem


def test_portrait_images_are_made_taller_rather_than_narrow():
    no_people = tracked_people(PoseArray3D())
    portrait = side_by_side(np.zeros((1920, 1080, 3), np.uint8), no_people, 4.0)
    assert portrait.shape[:2] == (720, 406 + 640) or portrait.shape[:2] == (720, 404 + 640)
    assert side_by_side(np.zeros((360, 640, 3), np.uint8), no_people, 4.0).shape[0] == 480


@pytest.fixture
def listener():
    """Return a function that makes a listener whose recorder notes what is correct."""
    rclpy.init()
    made = []

    def make(**options):
        recorder = Mock()
        recorder.correct, recorder.skipped = [], 0
        recorder.add = lambda shown, wait: recorder.correct.append((shown.correct, wait))
        made.append(Listener('/unit', recorder, clip.Score(clip.truth()), **options))
        return made[-1]

    yield make
    for node in made:
        node.destroy_node()
    rclpy.shutdown()


def receive(node, poses):
    node.on_poses(poses, {'received_timestamp': 0})
    node.on_overlay(image_msg(np.zeros((48, 64, 3), np.uint8), poses.header))


def test_people_of_a_file_are_compared_with_the_truth_of_their_image(listener):
    node, truth = listener(), clip.truth()
    for number in (0, 1, 2):
        people = truth.xy_px[number]
        false = people[:1] + 1000
        shown = [people, people[:2], np.concatenate([people, false])][number]
        receive(node, message(shown, number))
    assert node.recorder.correct == [(3, True), (2, True), (0, True)]
    assert node.judge(3)[0].startswith('against the truth   8 of 9 people found, 1 false')


def test_a_comparison_with_images_missing_is_not_made(listener):
    node = listener()
    receive(node, message(clip.truth().xy_px[0]))
    assert node.judge(2) == ['against the truth   unknown: no answer to 1 image']


def test_every_image_is_reported_as_done(listener):
    node, done = listener(), []
    node.done.publish = done.append
    poses = message(clip.truth().xy_px[0], 6)
    node.on_poses(poses, {'received_timestamp': 0})
    assert not done
    node.on_overlay(image_msg(np.zeros((48, 64, 3), np.uint8), poses.header))
    assert done == [poses.header]
    # Without an overlay, after a while, so that the camera goes on.
    late = message(clip.truth().xy_px[1], 7)
    node.on_poses(late, {'received_timestamp': 0})
    node.last_s -= 60
    node._report_without_overlay()
    assert done == [poses.header, late.header]
    assert node.recorder.skipped == 1


def test_live_images_are_skipped_rather_than_waited_for_and_that_is_said(listener):
    node = listener(live=True)
    receive(node, message(clip.truth().xy_px[0]))
    assert node.recorder.correct == [(0, False)]
    assert 'images sent         5, 4 skipped' in node.table(5, 'CPU')


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
    assert table['images answered'] == '5, 5 of them without people'


def test_a_real_video_with_a_real_network(shared, tmp_path):
    done = pose3d(
        'demo', '--input', shared / 'data/video/one-by-one-person-detection.mp4',
        '--model', shared / 'data/models/real2d_large_256x448.xml',
        '--seconds', 8, '--output', tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    table = figures(done.stdout)
    answered = int(table['images answered'].split(',')[0])
    assert 0 < answered == int(table['images sent'])
    assert (tmp_path / 'demo.png').is_file()


def test_help_lists_the_commands_and_unknown_options_are_refused():
    done = pose3d('--help')
    for command in ('demo', 'model', 'node', 'camera'):
        assert command in done.stdout
    refused = pose3d('demo', '--precison', 'f32')
    assert refused.returncode == 2
    assert 'did you mean --precision?' in refused.stderr
    assert pose3d('--version').stdout.strip() == importlib.metadata.version('pose3d_ros')


@pytest.mark.parametrize(
    ('command', 'parameter'),
    [('node', 'keypoint_threshold (float, 0.01 to 1; default'), ('camera', 'rate (float, 0 to')],
)
def test_help_of_a_node_lists_its_parameters(command, parameter):
    done = pose3d(command, '--help')
    assert done.returncode == 0
    assert parameter in done.stdout


def test_modules_in_the_current_folder_do_not_break_the_nodes(tmp_path):
    (tmp_path / 'queue.py').write_text("raise SystemExit('the wrong queue')")
    done = subprocess.run(
        start_line('camera', '--help'), cwd=tmp_path, env=environment(), capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_demo_its_nodes_and_its_page(tmp_path, number):
    command = [sys.executable, '-m', 'pose3d_ros.cli', 'demo', '--output', str(tmp_path)]
    # Of a session of its own, so that only the demo gets the signal.
    demo = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    for line in demo.stdout:  # until the first images have been sent
        if 'images answered' in line:
            break
    demo.send_signal(number)
    printed, _ = demo.communicate(timeout=60)
    assert demo.returncode == 0
    table = figures(printed)
    # Also the image that was being processed.
    assert table['images answered'].split(',')[0] == table['images sent']
    assert not running(demo.pid)


def running(pid):
    """Return the command lines of what runs in the namespace of a demo or a view."""
    lines = []
    for path in Path('/proc').glob('[0-9]*/cmdline'):
        with contextlib.suppress(OSError):  # it has ended
            lines.append(path.read_bytes())
    return [line for line in lines if re.search(rb'/pose3d_(demo|view)_%d\b' % pid, line)]


def test_a_node_that_is_killed_is_named(capfd):
    child = Child('camera', '/killed', {'source': 'clip'})
    child.process.kill()
    child.process.wait(timeout=30)
    assert child.end() == -signal.SIGKILL
    assert capfd.readouterr().err == 'pose3d camera was killed by SIGKILL\n'


@pytest.mark.skipif(sys.platform != 'linux', reason='the kernel signals the children')
@pytest.mark.parametrize('command', ['demo', 'view'])
def test_the_nodes_end_with_a_parent_that_is_killed(tmp_path, command):
    if command == 'view':
        pytest.importorskip('viser')
    line = [sys.executable, '-m', 'pose3d_ros.cli', command, '--input', 'clip']
    options = ['--output', str(tmp_path)] if command == 'demo' else ['--port', '8460']
    parent = subprocess.Popen(
        [*line, *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    with parent:
        for logged in parent.stderr:  # until the network is loaded and the camera runs
            if 'camera' in logged and 'clip' in logged:
                break
        assert running(parent.pid)
        parent.kill()
        parent.wait()
        deadline_s = time.monotonic() + 60
        while running(parent.pid):
            assert time.monotonic() < deadline_s
            time.sleep(0.2)


def test_a_view_of_an_input_that_does_not_exist_ends_with_one_error(test_card_xml):
    """Not with a page that waits for images, and a pose node that misses them."""
    pytest.importorskip('viser')
    done = pose3d('view', '--input', 'nofile', '--model', test_card_xml, '--port', '8470')
    assert done.returncode == 1
    (line,) = re.findall(r'.*\[(?:WARN|ERROR|FATAL)\].*', done.stderr)
    assert "there is no file or folder 'nofile'" in line


def test_a_demo_that_stops_early_has_an_answer_to_every_image(tmp_path):
    done = pose3d('demo', '--seconds', 1, '--device', 'CPU', '--output', tmp_path)
    assert done.returncode == 0, done.stderr
    table = figures(done.stdout)
    assert int(table['images sent']) > 0
    assert table['images answered'].split(',')[0] == table['images sent']
    assert 'against the truth' not in table


@pytest.mark.parametrize('seconds', ['-1', 'nan', 'soon'])
def test_a_duration_that_makes_no_sense_is_refused(seconds, capsys):
    with pytest.raises(SystemExit) as refused:
        cli.main(['demo', f'--seconds={seconds}'])
    assert refused.value.code == 2
    assert '--seconds' in capsys.readouterr().err


def test_an_output_folder_that_cannot_be_made_is_named_in_a_line(tmp_path):
    (tmp_path / 'README.md').write_text('')
    for arguments in (
        ['demo', '--output', tmp_path / 'README.md'],
        ['demo', '--output', tmp_path / 'README.md' / 'folder'],
    ):
        done = pose3d(*arguments)
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert str(tmp_path / 'README.md') in line


def interruptible():
    """Undo what a shell sets for programs in the background: they ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


# As a module in C does that was importing another one.
REPLACED = """
import os, signal
try:
    os.kill(os.getpid(), signal.SIGINT)
    signal.pause()
except KeyboardInterrupt:
    raise ImportError('could not import module datetime') from None
"""


@pytest.mark.parametrize('numpy', ['raise KeyboardInterrupt', REPLACED])
@pytest.mark.parametrize(
    ('command', 'status', 'says'),
    [('demo', 130, 'interrupted\n'), ('process', 130, 'interrupted\n'), ('node', 0, '')],
)
def test_ctrl_c_while_modules_are_imported_is_no_traceback(tmp_path, command, status, says, numpy):
    (tmp_path / 'numpy.py').write_text(numpy)
    done = subprocess.run(
        [sys.executable, '-m', 'pose3d_ros.cli', command],  # finds modules of the folder first
        cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60, check=False,
        preexec_fn=interruptible,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (status, says)


def test_ctrl_c_while_the_modules_of_an_installed_node_are_imported_is_no_traceback(tmp_path):
    """Of the program that `ros2 run` and launch files start."""
    program = Path(sys.prefix) / 'lib' / 'pose3d_ros' / 'pose_node'
    if not program.is_file():
        pytest.skip('needs an installation by pip')
    (tmp_path / 'numpy.py').write_text('raise KeyboardInterrupt')
    env = {**os.environ, 'PYTHONPATH': str(tmp_path)}
    done = subprocess.run(
        [sys.executable, program], env=env, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, '')


def test_a_missing_module_is_not_taken_for_an_interrupt(tmp_path):
    (tmp_path / 'numpy.py').write_text('raise ImportError("no module")')
    done = subprocess.run(
        [sys.executable, '-m', 'pose3d_ros.cli', 'process'],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert 'ImportError: no module' in done.stderr
