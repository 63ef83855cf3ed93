"""A node of the package as a process, observed through /proc."""

import contextlib
import re
import subprocess
import sys
from pathlib import Path

# Timeout, s; the machine may be busy.
PATIENCE_S = 60


class Process:
    """A node as a process, with its log in a file; command: of pose3d, or the path of a script."""

    def __init__(self, command, log, namespace, rules=(), **parameters):
        run = [command] if isinstance(command, Path) else ['-m', 'pose3d_ros.cli', command]
        line = [sys.executable, *run, '--ros-args']
        line += ['-r', f'__ns:={namespace}', *(word for rule in rules for word in ('-r', rule))]
        for name, value in parameters.items():
            line += ['-p', f'{name}:={value}']
        self.log = Path(log)
        with self.log.open('w') as file:
            self.popen = subprocess.Popen(line, stderr=file)
        self.pid = self.popen.pid

    def proc(self, name):
        return Path(f'/proc/{self.pid}/{name}').read_text()

    def rss_mb(self):
        return int(re.search(r'VmRSS:\s+(\d+)', self.proc('status'))[1]) / 1024

    def catches(self, number):
        """Return whether the process has a handler for a signal."""
        caught = int(re.search(r'SigCgt:\s+(\w+)', self.proc('status'))[1], 16)
        return bool(caught & 1 << number - 1)

    def shared_memory(self):
        return shared_memory(self.proc('maps'))

    def open_files(self):
        return len(list(Path(f'/proc/{self.pid}/fd').iterdir()))

    def children(self):
        return self.proc(f'task/{self.pid}/children')

    def ended(self):
        return self.popen.poll() is not None

    def end(self, number):
        """Send a signal and wait; return the exit status."""
        self.popen.send_signal(number)
        try:
            return self.popen.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self):
        self.popen.kill()
        self.popen.wait()


def shared_memory(maps):
    """Return Fast DDS's segments in /proc/PID/maps, without its ports, which it never removes."""
    return set(re.findall(r'/dev/shm/fast\w+_[0-9a-f]{16}', maps))


def shared_memory_in_use():
    """Return the segments of all running processes."""
    found = set()
    for maps in Path('/proc').glob('[0-9]*/maps'):
        with contextlib.suppress(OSError):  # of another user, or ended
            found |= shared_memory(maps.read_text())
    return found
