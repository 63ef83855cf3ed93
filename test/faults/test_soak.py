"""The soak benchmark in a short run: the counts of all images must add up under faults."""

import os
import re
import subprocess
import sys
from pathlib import Path


def test_a_short_soak_with_faults():
    """Rates, latencies and memory depend on the load of the machine and are not asserted."""
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
    counts = re.search(r'(\w+)  counts: (\d+) sent, (\d+) processed', done.stdout)
    assert counts, done.stdout + done.stderr
    assert counts[1] == 'good', done.stdout
    assert int(counts[3]) > 0
