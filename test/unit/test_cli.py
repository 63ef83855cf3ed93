"""The command `pose3d` among other commands of a shell."""

import os
import subprocess
import sys

import pytest

from pose3d_ros.cli import UNREAD, parser


@pytest.mark.parametrize('arguments', [['model', 'info', 'demo_only'], ['model', 'list']])
def test_output_that_is_not_read_ends_the_command_silently(arguments):
    """As in `pose3d model info | head -1`, once head has ended."""
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, '-m', 'pose3d_ros.cli', *arguments]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (UNREAD, '')


def test_little_is_imported_before_ctrl_c_is_handled():
    code = 'import sys, pose3d_ros.cli; print(*sys.modules)'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert not {'numpy', 'rclpy', 'openvino', 'difflib', 'email'} & set(done.stdout.split())


@pytest.mark.parametrize('port', ['80800', '0', '-1'])
def test_a_port_that_does_not_exist_is_refused(port, capsys):
    with pytest.raises(SystemExit):
        parser().parse_args(['view', '--port', port])
    assert f'must be from 1 to 65535, found {port}' in capsys.readouterr().err
