"""Train the bundled image network from nothing: `python -m training.image --out FOLDER`.

Renders the pictures, trains on them and writes `demo_only.xml` and `.bin` into the folder. After
an interruption, the same command continues.
"""

from __future__ import annotations

import argparse
import multiprocessing
from pathlib import Path

from training.image import export, train
from training.render import dataset

# Rendered data: kind, number of shards, first seed. Other seeds are for evaluation.
PICTURES = (('stills', 60, 1), ('clips', 40, 500_000))


def draw(folder: Path, processes: int) -> None:
    """Render the missing shards of a folder in several processes."""
    context = multiprocessing.get_context('spawn')
    for kind, shards, seed in PICTURES:
        asked = [str(folder), '--kind', kind, '--shards', str(shards), '--seed', str(seed)]
        asked += ['--every', str(processes), '--start']
        started = [
            context.Process(target=dataset.main, args=([*asked, str(i)],))
            for i in range(processes)
        ]
        for process in started:
            process.start()
        for process in started:
            process.join()
        if any(process.exitcode for process in started):
            raise RuntimeError(f'could not draw the {kind} in {folder}; see above')


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--samples', type=int, default=240_000, help='crops in all')
    parser.add_argument('--processes', type=int, default=2, help='that draw')
    args = parser.parse_args()
    frames, run = args.out / 'frames', args.out / 'run'
    draw(frames, args.processes)
    train.main(['--frames', str(frames), '--out', str(run), '--samples', str(args.samples)])
    export.main([str(run / 'averaged.pt'), '--out', str(args.out / 'demo_only.xml')])


if __name__ == '__main__':
    main()
