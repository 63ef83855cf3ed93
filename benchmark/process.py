"""Rate of `pose3d process` in throughput mode relative to latency mode.

    python -m benchmark.process [--input VIDEO] [--model auto] [--rounds 7] [--write FORMATS]

The modes alternate, so that other load on the machine affects both alike: compare the ratio, which
is the median of those of the rounds. Each round reads the whole video and writes the files; the
networks are loaded before. Prints images per second too.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from pose3d_ros.demo.clip import PATH as CLIP
from pose3d_ros.offline import command
from pose3d_ros.offline.process import Outcome
from pose3d_ros.offline.recording import named
from pose3d_ros.offline.worker import BagFormat, Worker

NO_BAGS = BagFormat(lambda *_: [], lambda *_: [])  # type: ignore[arg-type]


def load(mode: str, out: Path, arguments: argparse.Namespace) -> Worker:
    """Load the network for a mode."""
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    line = [str(arguments.input), '--out', str(out), '--mode', mode, '--model', arguments.model]
    return Worker(parser.parse_args([*line, '--write', arguments.write]), NO_BAGS, '')


def rate_hz(worker: Worker, source: str) -> float:
    """Process a video and return the rate."""
    shutil.rmtree(worker.out, ignore_errors=True)
    worker.out.mkdir()
    outcome = Outcome()
    (one,) = named([source])
    start_s = time.perf_counter()
    worker.process(one, outcome)
    rate = outcome.images / (time.perf_counter() - start_s)
    if outcome.problems:
        raise SystemExit('; '.join(outcome.problems))
    return rate


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--input', type=Path, default=CLIP, help='default: the bundled clip')
    parser.add_argument('--model', default='auto')
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument('--write', default='jsonl,csv,trc', help='default: %(default)s')
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        workers = {mode: load(mode, Path(folder) / mode, arguments) for mode in command.MODES}
        rates: dict[str, list[float]] = {mode: [] for mode in workers}
        for turn in range(1 + arguments.rounds):
            # The order changes, too: the first of a round may find the caches colder.
            for mode in command.MODES[:: -1 if turn % 2 else 1]:
                rate = rate_hz(workers[mode], str(arguments.input))
                if turn:  # the first is for warming up
                    rates[mode].append(rate)
    for mode, found in rates.items():
        print(f'{mode}: {np.median(found):.1f} Hz ({min(found):.1f} to {max(found):.1f})')
    ratios = np.array(rates['throughput']) / np.array(rates['latency'])
    print(f'ratio: {np.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f})')


if __name__ == '__main__':
    main()
