"""Run without ROS's log files where they cannot be written: in containers, HOME may be missing."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_WITHOUT_FILES = ['--ros-args', '--disable-external-lib-logs']


def log_arguments(args: list[str] | None) -> list[str]:
    """Return the arguments for ``rclpy.init``, with log files disabled if there is no place.

    ``rclpy.init`` fails if the folder of log files cannot be created. The console and the topic
    /rosout have the log in any case.

    Parameters
    ----------
    args
        Command line arguments. None: those of the process.
    """
    args = sys.argv if args is None else args
    if _writable(log_folder()):
        return args
    print('log files are not written: set ROS_LOG_DIR to a folder that can be', file=sys.stderr)
    return [*args, *_WITHOUT_FILES]


def log_folder() -> Path | None:
    """Return the folder of ROS's log files, as rcl_logging chooses it; None: no HOME."""
    if stated := os.environ.get('ROS_LOG_DIR'):
        return Path(stated)
    if ros_home := os.environ.get('ROS_HOME'):
        return Path(ros_home) / 'log'
    home = os.environ.get('HOME')  # unlike Python, ROS does not ask the system for the user's home
    return Path(home) / '.ros' / 'log' if home else None


def _writable(folder: Path | None) -> bool:
    if folder is None:
        return False
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)
