"""Nodes as processes of their own."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pose3d_ros

# Longest time that a node may take to end, s; then it is killed.
END_S = 5.0
# `python -m` and `python -c` look for modules in the current folder first, where a queue.py would
# break them.
START = (
    'import sys; sys.path = [path for path in sys.path if path]; '
    'from pose3d_ros.demo.parent import end_with; end_with({parent}); '
    'from pose3d_ros.cli import main; sys.exit(main())'
)


class Child:
    """A node in a process of its own, whose log is passed on to the terminal.

    Parameters
    ----------
    command
        'node' or 'camera'.
    namespace
        Of the node.
    parameters
        Of the node, by name.
    """

    def __init__(self, command: str, namespace: str, parameters: dict[str, object]) -> None:
        self.command = command
        line = start_line(command, '--ros-args', '-r', f'__ns:={namespace}')
        for name, value in parameters.items():
            # JSON is YAML: a string stays a string, whatever is in it.
            line += ['-p', f'{name}:={json.dumps(value)}']
        # In a session of its own: Ctrl-C must not end the nodes before the listener is done.
        self.process = subprocess.Popen(
            line,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env=environment(),
        )
        self.log: list[str] = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def logged(self, pattern: re.Pattern[str]) -> str | None:
        """Return what the pattern's group matches in the log. None: nothing."""
        return next((m[1] for line in self.log if (m := pattern.search(line))), None)

    def ended(self) -> bool:
        """Return whether the process has ended."""
        return self.process.poll() is not None

    def interrupt(self) -> None:
        """Ask the process to end, and do not wait for it."""
        if not self.ended():
            self.process.send_signal(signal.SIGINT)

    def end(self) -> int:
        """End the process if it has not ended, and return its exit status."""
        killed = self.ended() and self.process.returncode < 0
        end(self.process)
        self.reader.join(END_S)
        if killed:  # it could not log why
            number = signal.Signals(-self.process.returncode).name
            print(f'pose3d {self.command} was killed by {number}', file=sys.stderr)
        return self.process.returncode

    def _read(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.log.append(line)
            # A terminal that was closed is no reason to stop reading: the node would block.
            with contextlib.suppress(OSError):
                print(line, end='', file=sys.stderr)


class Page:
    """`pose3d view` in a process of its own, which prints its address; none without viser.

    Parameters
    ----------
    namespace
        Of the nodes to show.
    """

    def __init__(self, namespace: str) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        if importlib.util.find_spec('viser') is None:
            print("to look at it in a browser: pip install 'viser>=1.1,<2'", flush=True)
            return
        line = start_line('view', '--namespace', namespace)
        self.process = subprocess.Popen(line, start_new_session=True, env=environment())

    def end(self) -> None:
        """End the process."""
        if self.process:
            end(self.process)


def start_line(*arguments: str) -> list[str]:
    """Return the command line of a child that ends with this process."""
    return [sys.executable, '-c', START.format(parent=os.getpid()), *arguments]


def environment() -> dict[str, str]:
    """Return the environment in which a child finds this package, whatever its folder."""
    package = str(Path(pose3d_ros.__file__).resolve().parents[1])
    paths = [package, *filter(None, [os.environ.get('PYTHONPATH')])]
    return {**os.environ, 'PYTHONPATH': os.pathsep.join(paths)}


def end(process: subprocess.Popen[Any]) -> None:
    """End a process by SIGINT, and by force if that takes too long."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
