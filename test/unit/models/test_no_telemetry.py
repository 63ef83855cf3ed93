"""Nothing looks up a host, connects to one, or writes outside the folders that it was given."""

import os
import subprocess
import sys
import textwrap
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import cv2
import pytest

from synthetic import test_card

ROOT = Path(__file__).parents[3]

# In every Python process, children too: note and refuse what would leave the machine.
WATCHER = textwrap.dedent("""
    import os, sys

    REFUSED = {'socket.getaddrinfo', 'socket.gethostbyname', 'socket.gethostbyaddr'}

    def note(what):
        with open(os.environ['WATCHER_NOTES'], 'a') as file:
            file.write(what + chr(10))
        raise PermissionError('refused by the test: ' + what)

    def watch(event, args):
        if event in REFUSED:
            note(f'{event} {args[0]}')
        elif event == 'socket.connect' and isinstance(args[1], tuple):
            if args[1][0] not in ('127.0.0.1', '::1'):
                note(f'{event} {args[1][0]}')

    sys.addaudithook(watch)
""")


@pytest.fixture
def watched(tmp_path):
    """Run a command of Python; what it looked up, and the files it wrote outside its folders."""
    folders = {name: tmp_path / name for name in ('home', 'cache', 'log', 'temp', 'watcher')}
    for folder in folders.values():
        folder.mkdir()
    (folders['watcher'] / 'sitecustomize.py').write_text(WATCHER)
    notes = tmp_path / 'notes'
    env = {
        **{k: v for k, v in os.environ.items() if 'proxy' not in k.lower() and k != 'CI'},
        'HOME': str(folders['home']),
        'XDG_CACHE_HOME': str(folders['cache']),
        'ROS_LOG_DIR': str(folders['log']),
        'TMPDIR': str(folders['temp']),
        'WATCHER_NOTES': str(notes),
        'PYTHONPATH': os.pathsep.join([str(folders['watcher']), str(ROOT), *sys.path]),
        'PYTHONDONTWRITEBYTECODE': '1',
    }
    env.pop('POSE3D_MODELS', None)

    def run(*args, timeout_s=120, **more):
        done = subprocess.run(
            [sys.executable, *map(str, args)], env={**env, **more}, cwd=tmp_path,
            capture_output=True, text=True, timeout=timeout_s, check=False,
        )  # fmt: skip
        looked_up = notes.read_text().splitlines() if notes.exists() else []
        outside = [folders['home'], folders['temp']]
        written = [str(p) for folder in outside for p in folder.rglob('*') if p.is_file()]
        return done, looked_up, written

    return run


def test_the_test_sees_a_look_up_and_a_file(watched):
    code = textwrap.dedent("""
        import contextlib, pathlib, socket, subprocess, sys
        with contextlib.suppress(OSError):
            socket.getaddrinfo('example.invalid', 80)
        child = "import socket; socket.create_connection(('192.0.2.1', 9), 0.1)"
        subprocess.run([sys.executable, '-c', child], stderr=subprocess.DEVNULL)
        (pathlib.Path.home() / 'file').write_text('x')
    """)
    done, looked_up, written = watched('-c', code)
    assert done.returncode == 0, done.stderr
    assert looked_up == ['socket.getaddrinfo example.invalid', 'socket.getaddrinfo 192.0.2.1']
    assert [Path(p).name for p in written] == ['file']


def check_silent(outcome):
    done, looked_up, written = outcome
    assert done.returncode == 0, done.stderr
    assert (looked_up, written) == ([], [])


LIBRARY = """
import sys, time
import numpy as np
from pose3d_ros import Intrinsics, PoseEstimator
from pose3d_ros.models.folders import compiled_folder
from pose3d_ros.models.store import resolve
estimator = PoseEstimator(resolve('demo_only'), 'CPU', cache_dir=compiled_folder())
people = estimator.estimate(np.zeros((256, 448, 3), np.uint8), Intrinsics.guess(448, 256))
assert len(people) == 0
import openvino.tools.ovc
time.sleep(1)  # telemetry runs in the background
"""


def test_the_library_stays_on_the_machine(watched):
    check_silent(watched('-c', LIBRARY))


def test_nncf_stays_on_the_machine(watched):
    pytest.importorskip('nncf')
    code = """
import pose3d_ros.models.quantise as q, numpy as np, openvino as ov, time
from pose3d_ros.models.store import BUNDLED
model = ov.Core().read_model(BUNDLED['demo_only'])
q.quantise(model, [np.zeros((1, 3, 256, 448), np.float32)] * 2)
time.sleep(1)
"""
    check_silent(watched('-c', code, timeout_s=300))


def test_the_installer_with_a_local_file_stays_on_the_machine(watched, tmp_path):
    from support import checkpoint_files as files

    (tmp_path / 'net.pth').write_bytes(files.zipped(files.random_tensors()))
    name = 'human-pose-estimation-3d-0001'
    cli = ('-m', 'pose3d_ros.cli', 'model')
    check_silent(
        watched(*cli, 'install', name, '--from-file', tmp_path / 'net.pth', '--unverified')
    )
    for command in (['list'], ['info'], ['remove', name]):
        check_silent(watched(*cli, *command))


def test_telemetry_can_be_asked_for(watched):
    try:
        distribution('openvino-telemetry')
    except PackageNotFoundError:
        pytest.skip('needs openvino-telemetry')
    code = 'import pose3d_ros, sys; import openvino_telemetry'
    assert watched('-c', code, POSE3D_TELEMETRY='1')[0].returncode == 0
    assert watched('-c', code)[0].returncode != 0


def test_node_camera_and_demo_stay_on_the_machine(watched, tmp_path):
    pytest.importorskip('rclpy')
    folder = tmp_path / 'images'
    folder.mkdir()
    for i in range(30):
        cv2.imwrite(str(folder / f'{i}.png'), test_card.image(i))
    args = ('--input', folder, '--model', 'demo_only', '--rate', '10', '--device', 'CPU')
    check_silent(watched('-m', 'pose3d_ros.cli', 'demo', *args, '--output', tmp_path / 'demo'))
