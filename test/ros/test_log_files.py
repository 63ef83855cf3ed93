"""A node starts where log files cannot be written."""

import os
import signal
import subprocess
import sys
import time

import pytest

from pose3d_ros.ros.log_files import log_arguments, log_folder

WITHOUT_FILES = ['--ros-args', '--disable-external-lib-logs']


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for name in ('ROS_LOG_DIR', 'ROS_HOME', 'HOME'):
        monkeypatch.delenv(name, raising=False)


def test_the_folder_is_the_one_of_rcl_logging(monkeypatch, tmp_path):
    assert log_folder() is None
    for name, value, folder in (
        ('HOME', '/home/a', '/home/a/.ros/log'),
        ('ROS_HOME', '/ros', '/ros/log'),
        ('ROS_LOG_DIR', '/log', '/log'),
    ):
        monkeypatch.setenv(name, value)
        assert str(log_folder()) == folder


def test_arguments_stay_as_they_are_where_files_can_be_written(monkeypatch, tmp_path):
    monkeypatch.setenv('ROS_LOG_DIR', str(tmp_path / 'new'))
    assert log_arguments(['node', '--ros-args']) == ['node', '--ros-args']
    assert log_arguments(None) == sys.argv


def test_without_a_place_log_files_are_disabled(monkeypatch, tmp_path, capsys):
    assert log_arguments(['node']) == ['node', *WITHOUT_FILES]
    (tmp_path / 'file').write_text('')
    monkeypatch.setenv('ROS_LOG_DIR', str(tmp_path / 'file'))
    assert log_arguments(['node']) == ['node', *WITHOUT_FILES]
    assert capsys.readouterr().err.count('ROS_LOG_DIR') == 2


def test_the_node_starts_without_a_home(tmp_path):
    """The folder of log files and the cache are below a file, so that neither can be made."""
    (tmp_path / 'file').write_text('')
    env = {**os.environ, 'HOME': str(tmp_path / 'file')}
    env.pop('XDG_CACHE_HOME', None)
    command = [sys.executable, '-m', 'pose3d_ros.cli', 'node', '--ros-args']
    command += ['-r', '__ns:=/without_home', '-p', 'model:=demo_only', '-p', 'device:=CPU']
    with (tmp_path / 'log').open('w') as log:
        process = subprocess.Popen(command, env=env, stderr=log, stdout=log)
    try:
        deadline_s = time.monotonic() + 60
        while 'image_raw' not in (text := (tmp_path / 'log').read_text()):
            assert process.poll() is None, text
            assert time.monotonic() < deadline_s, text
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
    assert (tmp_path / 'log').read_text().count('compiled networks are not cached') == 1


@pytest.mark.parametrize('command', ['demo', 'view'])
def test_demo_and_view_start_without_a_home(tmp_path, command):
    if command == 'view':
        pytest.importorskip('viser')
    (tmp_path / 'file').write_text('')
    env = {**os.environ, 'HOME': str(tmp_path / 'file')}
    options = ['--output', str(tmp_path), '--headless', '--seconds', '0.5']
    with subprocess.Popen(
        [sys.executable, '-m', 'pose3d_ros.cli', command, *(options if command == 'demo' else [])],
        env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            if command == 'view':
                assert any('shows people' in line for line in process.stdout)
                process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=120)
        finally:
            process.kill()
    assert process.returncode == 0, errors
    assert 'log files are not written' in errors
    assert 'Traceback' not in errors
