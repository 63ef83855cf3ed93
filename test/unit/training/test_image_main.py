"""The one command that draws, trains and exports: what an early end leaves, and goes on from."""

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
    """Stands in for the work: notes what was asked for, and fails where it is told to."""

    def __init__(self):
        self.noted, self.fails = [], None

    def note(self, *asked):
        if self.fails in asked:
            raise KeyboardInterrupt
        self.noted.append(' '.join(asked))

    def taken(self):
        """What was done since the last call."""
        noted, self.noted = self.noted, []
        return noted


class Process:
    """Stands in for a process, and works in this one."""

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


def test_it_draws_trains_and_exports(steps, tmp_path):
    command.main()
    assert steps.taken() == DRAWN + after_drawing(tmp_path)


def test_a_picture_that_cannot_be_drawn_ends_it_and_is_drawn_by_the_next_run(steps, tmp_path):
    steps.fails = '51'
    with pytest.raises(RuntimeError, match='could not draw the clips in '):
        command.main()
    assert steps.taken() == DRAWN[:-1]
    steps.fails = None
    command.main()
    assert steps.taken() == ['draw clips 51', *after_drawing(tmp_path)]


def test_interrupted_while_it_trains_it_trains_on_without_drawing(steps, tmp_path):
    steps.fails = 'train'
    with pytest.raises(KeyboardInterrupt):
        command.main()
    assert steps.taken() == DRAWN
    steps.fails = None
    command.main()
    # Into the same folder, where its checkpoint is.
    assert steps.taken() == after_drawing(tmp_path)
