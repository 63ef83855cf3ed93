"""The soak command, shortly: the counts must agree to the image, with faults and two cameras."""

import os
import re
import subprocess
import sys
from pathlib import Path


def test_a_short_soak_with_faults():
    command = [sys.executable, '-m', 'benchmark.soak', '--minutes', '0.15', '--faults']
    done = subprocess.run(
        [*command, '--cameras', '2', '--rate', '20'],
        cwd=Path(__file__).parents[2],
        env={**os.environ, 'PYTHONUNBUFFERED': '1'},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r'well  counts: (\d+) sent, (\d+) answered.* (\d+) of them bad', done.stdout)
    sent, answered, bad = map(int, found.groups())
    assert sent > 200
    assert answered > 50
    assert bad > 0
