"""Recordings through a pipeline: resumable, with progress, into files."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from pose3d_ros.estimator import PoseEstimator
from pose3d_ros.offline.fingerprint import source_state
from pose3d_ros.offline.journal import Journal
from pose3d_ros.offline.recording import Processed, Recording, Taken
from pose3d_ros.offline.writers import Writer
from pose3d_ros.people import People3D
from pose3d_ros.pipeline import Found2D, Pipeline
from pose3d_ros.sources.video import Losses
from pose3d_ros.wording import counted

# A finished recording has this file, with what it was made from and how.
RECORD = 'process.json'
# Ending of the folder of a recording that is not finished.
PARTIAL = '.partial'
PROGRESS_S = 1.0
# Threads that find people. One more than processors, because a thread that waits for a request of
# the network leaves its processor to the others; and a bound of the images kept in memory.
THREADS = min((os.cpu_count() or 1) + 1, 16)

MakeWriters = Callable[[Recording, Path], list[Writer]]


@dataclass
class Outcome:
    """What became of the recordings.

    Parameters
    ----------
    done, skipped
        Recordings processed, and found already done.
    images
        Processed in this run.
    problems
        A line for each that failed or was damaged.
    """

    done: int = 0
    skipped: int = 0
    images: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, other: Outcome) -> None:
        """Add the outcome of other recordings."""
        self.done += other.done
        self.skipped += other.skipped
        self.images += other.images
        self.problems += other.problems

    def __str__(self) -> str:
        skipped = f', {self.skipped} already done' if self.skipped else ''
        problems = f', {len(self.problems)} failed or damaged' if self.problems else ''
        done = f'{counted(self.done, "recording")}, {counted(self.images, "image")}'
        return f'{done}{skipped}{problems}'


def process(
    recording: Recording,
    estimator: PoseEstimator,
    out: Path,
    make_writers: MakeWriters,
    settings: dict[str, Any],
    outcome: Outcome,
) -> None:
    """Process a recording into the folder `out`/NAME, all of it or nothing.

    An interrupted one goes on where it was: the people found so far are read back instead of
    being searched again, so that the files are the same as those of a run without interruption.

    Parameters
    ----------
    recording
        What to process.
    estimator
        Shared by all recordings; ids and smoothing begin anew with each.
    out
        Folder of all results.
    make_writers
        Make the writers of a recording in a folder.
    settings
        What the results depend on; with others, a recording is processed again.
    outcome
        Is updated.
    """
    folder = out / recording.name
    made_from = {
        'source': recording.source,
        'source_state': source_state(Path(recording.source).expanduser()),
        'topic': recording.topic,
        **settings,
    }
    before = _read(folder / RECORD)
    if before.get('made_from') == made_from:
        outcome.skipped += 1
        _report(recording.source, Losses(**before.get('losses', {})), outcome)
        return
    partial = out / (recording.name + PARTIAL)
    with _alone(partial):
        if _read(partial / RECORD).get('made_from') != made_from:
            _empty(partial)
            (partial / RECORD).write_text(json.dumps({'made_from': made_from}))
        before_this = outcome.images
        _write_all(recording, estimator, partial, make_writers, outcome)
        count = outcome.images - before_this
        _report(recording.source, recording.losses, outcome)
        result = {'made_from': made_from, 'images': count, 'losses': vars(recording.losses)}
        (partial / RECORD).write_text(json.dumps(result, indent=2) + '\n')
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    outcome.done += 1


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Make a folder and lock it, until the end or the death of this process.

    Two processes that write the same files, as of a job that was started twice, would mix them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    number = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OSError(f'another process is working on it, in {folder}') from None
        except OSError:  # a file system without locks
            pass
        yield
    finally:
        os.close(number)


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _write_all(
    recording: Recording,
    estimator: PoseEstimator,
    folder: Path,
    make_writers: MakeWriters,
    outcome: Outcome,
) -> None:
    """Process every image, write it and count it in the outcome, also if it is interrupted."""
    writers = make_writers(recording, folder)
    progress = Progress(recording.name, recording.count)
    count = 0
    try:
        for processed in _processed(recording, estimator, folder):
            for writer in writers:
                writer.write(processed)
            count += 1
            outcome.images += 1
            progress.show(count)
    finally:
        for writer in writers:
            writer.close()
        progress.end()
    (folder / Journal.NAME).unlink()


def _processed(
    recording: Recording, estimator: PoseEstimator, folder: Path
) -> Iterator[Processed]:
    pipeline = Pipeline(estimator)
    with Journal(folder) as journal:
        for number, (taken, known, found) in enumerate(_in_flight(recording, pipeline, journal)):
            observation, people = taken.observation, known
            if people is None:
                if found is None:
                    people = pipeline.estimate(observation)
                else:
                    people = pipeline.lift(observation, found.result())
                journal.write(people)
            tracked = pipeline.follow(observation, people)
            yield Processed(
                number, taken, tracked, pipeline.camera_pose, pipeline.camera_pose_source
            )


def _in_flight(recording: Recording, pipeline: Pipeline, journal: Journal) -> Iterator[InFlight]:
    """Yield images in their order, while people are being found in those that follow."""
    estimator = pipeline.estimator
    # A detector that looks where people are expected needs the results of the image before.
    ahead = (
        2 * THREADS if estimator.throughput and estimator.detector.detector_interval == 1 else 0
    )
    waiting: deque[InFlight] = deque()
    pool = ThreadPoolExecutor(THREADS, 'detect')
    try:
        for taken in recording.images():
            known = journal.read()
            found = None
            if ahead and known is None:
                found = pool.submit(pipeline.detect, taken.observation)
            waiting.append(InFlight(taken, known, found))
            if len(waiting) > ahead:
                yield waiting.popleft()
        yield from waiting
    finally:
        pool.shutdown(cancel_futures=True)


class InFlight(NamedTuple):
    """An image, and what is known of its people.

    Parameters
    ----------
    taken
        The image.
    known
        The people, from the journal. None: they are to be found.
    found
        The people in 2D, once a thread has found them. None: no thread looks for them.
    """

    taken: Taken
    known: People3D | None
    found: Future[Found2D] | None


def _report(source: str, losses: Losses, outcome: Outcome) -> None:
    if losses:
        outcome.problems.append(f'{source} is damaged: {losses}')


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


class Progress:
    """Shows how far a recording is, at which rate, and how long it will take.

    Parameters
    ----------
    name, count
        Of the recording.
    stream
        A terminal gets a bar, anything else a line now and then.
    """

    def __init__(self, name: str, count: int | None, stream: TextIO = sys.stderr) -> None:
        self.name, self.count, self.stream = name, count, stream
        self.terminal = stream.isatty()
        self.start_s = self.shown_s = time.monotonic()

    def show(self, done: int) -> None:
        """Show that so many images are done, if it is time to."""
        now_s = time.monotonic()
        if now_s - self.shown_s >= (PROGRESS_S if self.terminal else 10 * PROGRESS_S):
            self.shown_s = now_s
            end = '' if self.terminal else '\n'
            start = '\r\x1b[K' if self.terminal else ''
            print(f'{start}{self.line(done, now_s)}', end=end, file=self.stream, flush=True)

    def line(self, done: int, now_s: float) -> str:
        """Return the state in a line."""
        rate_hz = done / max(now_s - self.start_s, 1e-6)
        if not self.count:
            return f'{self.name}: {counted(done, "image")}, {rate_hz:.1f} Hz'
        share = min(done / self.count, 1.0)
        bar = ('#' * round(20 * share)).ljust(20, '.')
        left_s = round((self.count - done) / rate_hz) if done < self.count else 0
        return (
            f'{self.name}: [{bar}] {done} of {counted(self.count, "image")}, {rate_hz:.1f} Hz, '
            f'{left_s // 60}:{left_s % 60:02d} left'
        )

    def end(self) -> None:
        """Remove the bar."""
        if self.terminal:
            print('\r\x1b[K', end='', file=self.stream, flush=True)
