"""The command that renders, trains and exports, and its continuation after an interruption."""

import multiprocessing
import sys
from unittest.mock import Mock

import cv2
import pytest

pytest.importorskip('numba', reason='needs numba (training/requirements.txt)')
torch = pytest.importorskip('torch', reason='needs PyTorch (training/requirements.txt)')

from training.image import __main__ as command
from training.image import export, train
from training.render import dataset

DRAWN = ['draw stills 1', 'draw stills 2', 'draw clips 50', 'draw clips 51']


class Steps:
    """Replaces the work: records the calls, and fails where it is told to."""

    def __init__(self):
        self.noted, self.fails = [], None

    def note(self, *asked):
        if self.fails in asked:
            raise KeyboardInterrupt
        self.noted.append(' '.join(asked))

    def taken(self):
        """Return the calls since the last time."""
        noted, self.noted = self.noted, []
        return noted


class Process:
    """Replaces a process, and works in this one."""

    def __init__(self, target, args):
        self.target, self.args, self.exitcode = target, args, None

    def start(self):
        try:
            self.target(*self.args)
            self.exitcode = 0
        except KeyboardInterrupt:
            self.exitcode = 1

    def join(self):
        pass


@pytest.fixture
def steps(tmp_path, monkeypatch):
    made = Steps()
    # What a process that draws sets for itself is not to be set here.
    monkeypatch.setattr(torch, 'set_num_threads', lambda number: None)
    monkeypatch.setattr(cv2, 'setNumThreads', lambda number: None)
    monkeypatch.setattr(multiprocessing, 'get_context', lambda _: Mock(Process=Process))
    monkeypatch.setattr(
        dataset, 'render', lambda seed, _, kind: made.note('draw', kind, str(seed))
    )
    monkeypatch.setattr(dataset, 'write_shard', lambda path, examples: path.touch())
    monkeypatch.setattr(train, 'main', lambda arguments: made.note('train', *arguments))
    monkeypatch.setattr(export, 'main', lambda arguments: made.note('export', *arguments))
    monkeypatch.setattr(command, 'PICTURES', (('stills', 2, 1), ('clips', 2, 50)))
    monkeypatch.setattr(sys, 'argv', ['image', '--out', str(tmp_path), '--samples', '9'])
    return made


def after_drawing(folder):
    run = folder / 'run'
    return [
        f'train --frames {folder / "frames"} --out {run} --samples 9',
        f'export {run / "averaged.pt"} --out {folder / "demo_only.xml"}',
    ]


def test_the_command_renders_trains_and_exports(steps, tmp_path):
    command.main()
    assert steps.taken() == DRAWN + after_drawing(tmp_path)


def test_a_rendering_error_ends_the_command_and_the_next_run_renders_the_rest(steps, tmp_path):
    steps.fails = '51'
    with pytest.raises(RuntimeError, match='could not draw the clips in '):
        command.main()
    assert steps.taken() == DRAWN[:-1]
    steps.fails = None
    command.main()
    assert steps.taken() == ['draw clips 51', *after_drawing(tmp_path)]


def test_interrupted_training_continues_without_rendering(steps, tmp_path):
    steps.fails = 'train'
    with pytest.raises(KeyboardInterrupt):
        command.main()
    assert steps.taken() == DRAWN
    steps.fails = None
    command.main()
    # Into the same folder, where its checkpoint is.
    assert steps.taken() == after_drawing(tmp_path)
