"""Memory of `pose3d process` over a long video, and its files after an interruption.

    python -m benchmark.long_video [--minutes 30] [--rate 15] [--model auto] [--input-size 128 224]

The bundled clip is repeated into a video of that many minutes and processed into all
files in one go; then once more, interrupted by SIGINT in the middle and started again. Prints
memory and images done of all three processes, and a verdict with reasons: the private memory
(resident, neither file-backed nor shared) must not grow, and the files of both runs must be the
same, byte for byte. The exit status is 1 if not. The files need 25 kB for each image, twice.
"""

import argparse
import hashlib
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmark.soak import memory_mb
from benchmark.soak_verdict import slope
from pose3d_ros.demo.clip import PATH as CLIP
from pose3d_ros.sources.open_source import open_source
from pose3d_ros.sources.playback import frames
from pose3d_ros.visualisation.video_writer import VideoWriter

# Memory is read this often, s, and judged after this share of the images: caches fill before.
EVERY_S, WARM_UP_SHARE = 2.0, 0.2
# Largest growth of a fit over a process, MB. A leak of 100 bytes an image exceeds it in 30 minutes
# of video.
GROWTH_MB = 5.0
# Rows of the table for each process.
SHOWN = 10
# Samples of a fit, which compares all pairs of them.
FITTED = 300
DONE = re.compile(r'(\d+) of \d+ images')


class Sample(NamedTuple):
    """A process at a time."""

    at_s: float
    rss_mb: float
    private_mb: float
    images: int  # as last shown


def write_loop(stem: Path, minutes: float, rate_hz: float) -> tuple[Path, int]:
    """Repeat the bundled clip; return the video and the number of its images."""
    images = [bgr for _, bgr in frames(open_source(str(CLIP)))]
    count = round(60 * minutes * rate_hz)
    video = VideoWriter(stem)
    for i in range(count):
        video.write(images[i % len(images)], i / rate_hz)
    video.close()
    return video.path, count


def run(command: list[str], log: Path, stop_at: float = np.inf) -> tuple[list[Sample], int]:
    """Run a command, send it SIGINT after `stop_at` images; return samples and exit status."""
    samples = []
    with log.open('w') as stream:
        # A command in the background of a shell ignores SIGINT, and so would its children.
        process = subprocess.Popen(
            command,
            stdout=stream,
            stderr=stream,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        start_s = time.monotonic()
        while process.poll() is None:
            done = DONE.findall(log.read_text())
            images = int(done[-1]) if done else 0
            if images >= stop_at:
                process.send_signal(signal.SIGINT)
                process.wait()
                break
            try:
                memory = memory_mb(process.pid)
            except (OSError, KeyError):  # it has ended
                break
            samples.append(Sample(time.monotonic() - start_s, *memory, images))
            time.sleep(EVERY_S)
        return samples, process.wait()


def print_samples(name: str, samples: list[Sample]) -> None:
    """Print rows at even distances."""
    for i in np.linspace(0, len(samples) - 1, min(SHOWN, len(samples))).round().astype(int):
        s = samples[i]
        print(
            f'| {name} | {s.at_s:.0f} | {s.images} | {s.rss_mb:.1f} | {s.private_mb:.1f} |',
            flush=True,
        )


def memory_verdict(name: str, samples: list[Sample], first: int) -> tuple[bool, str]:
    """Judge the growth of memory after the warm-up, which begins with image `first`."""
    start = first + WARM_UP_SHARE * (samples[-1].images - first)
    judged = [s for s in samples if s.images > start]
    if len(judged) < 6:
        return True, f'memory, {name}: not judged, the run is too short'
    judged = judged[:: -(-len(judged) // FITTED)]
    at_s, private_mb = (
        np.array([getattr(s, key) for s in judged]) for key in ('at_s', 'private_mb')
    )
    growth_mb = slope(at_s, private_mb) * (at_s[-1] - at_s[0])
    return growth_mb <= GROWTH_MB, (
        f'memory, {name}: median {np.median(private_mb):.1f} MB, {growth_mb:+.2f} MB in '
        f'{at_s[-1] - at_s[0]:.0f} s, limit {GROWTH_MB:.1f} MB'
    )


def checksums(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file."""
    found = {}
    for path in sorted(folder.iterdir()):
        with path.open('rb') as file:
            digest = hashlib.sha256()
            while block := file.read(1 << 20):
                digest.update(block)
        found[path.name] = digest.hexdigest()
    return found


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--minutes', type=float, default=30.0)
    parser.add_argument('--rate', type=float, default=15.0, help='of the video, Hz')
    parser.add_argument('--model', default='auto', help='network; default: as `pose3d process`')
    parser.add_argument('--input-size', type=int, nargs=2, default=(128, 224))
    parser.add_argument('--folder', type=Path, help='of its files; default: the temporary folder')
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        video, count = write_loop(folder / 'loop', arguments.minutes, arguments.rate)
        print('| process | s | images | RSS MB | private |\n|---|---|---|---|---|')
        command = [sys.executable, '-m', 'pose3d_ros.cli', 'process', str(video)]
        command += ['--model', arguments.model, '--out']
        size = ['--input-size', *map(str, arguments.input_size)]
        found = []
        for run_name, out, stop_at, expected in (
            ('whole', 'whole', np.inf, 0),
            ('interrupted', 'parts', count / 2, 130),
            ('resumed', 'parts', np.inf, 0),
        ):
            log = folder / f'{run_name}.log'
            samples, status = run([*command, str(folder / out), *size], log, stop_at)
            if status != expected:
                print(f'{run_name}: exit status {status}, expected {expected}\n{log.read_text()}')
                return 1
            print_samples(run_name, samples)
            # The network starts only where the images of the interrupted process end.
            first = round(count / 2) if run_name == 'resumed' else 0
            found.append(memory_verdict(run_name, samples, first))
        whole, parts = (checksums(folder / out / video.name) for out in ('whole', 'parts'))
        different = sorted(name for name in {*whole, *parts} if whole.get(name) != parts.get(name))
        text = f'{len(whole)}, of which other ones after the interruption: {different or "none"}'
        found.append((not different, f'files: {text}'))
        with (folder / 'whole' / video.name / 'poses.jsonl').open() as file:
            lines = sum(1 for _ in file)
        found.append((lines == count, f'images: {lines} lines of {count}'))
    for good, text in found:
        print('good' if good else 'BAD ', text)
    return int(not all(good for good, _ in found))


if __name__ == '__main__':
    sys.exit(main())
