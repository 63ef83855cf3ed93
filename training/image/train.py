"""Train the image network, with checkpoints from which training continues.

    python -m training.image.train --frames FRAMES --out RUN --samples 250000

The run's folder holds the last checkpoint, from which the same command continues, and a log. An
accelerator is used if there is one; set `--batch` and `--workers` then.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from training.image.crops import Crops
from training.image.network import HEATMAPS, ImageNetwork

WARM_UP = 0.02
WEIGHT_DECAY = 0.01
LARGEST_GRADIENT = 1.0
CHECKPOINT_EVERY_S = 180.0
LOG_EVERY = 50
# Fields are two thirds of the channels.
PAF_SHARE = 0.5


@dataclass
class Run:
    """Contents of a checkpoint.

    Parameters
    ----------
    network, averaged
        As trained, and its exponential moving average, which is what is used.
    optimiser
        Of the former.
    samples
        Crops seen so far.
    """

    network: ImageNetwork
    averaged: ImageNetwork
    optimiser: torch.optim.Optimizer
    samples: int = 0

    @classmethod
    def start(cls, device: torch.device, rate: float) -> Run:
        """Create a new state, or one to load into."""
        network = ImageNetwork().to(device, memory_format=torch.channels_last)
        averaged = ImageNetwork().to(device, memory_format=torch.channels_last)
        averaged.load_state_dict(network.state_dict())
        decay = [p for p in network.parameters() if p.ndim > 1]
        other = [p for p in network.parameters() if p.ndim <= 1]
        groups = [{'params': decay}, {'params': other, 'weight_decay': 0.0}]
        optimiser = torch.optim.AdamW(groups, rate, weight_decay=WEIGHT_DECAY)
        return cls(network, averaged, optimiser)

    def save(self, path: Path) -> None:
        """Write the checkpoint atomically, and the averaged network, which is small, beside it."""
        states = {name: getattr(self, name).state_dict() for name in _STATES}
        small = {'averaged': states['averaged'], 'samples': self.samples}
        for file, what in ((path, {**states, **small}), (path.with_name('averaged.pt'), small)):
            new = file.with_suffix('.new')
            torch.save(what, new)
            os.replace(new, file)

    def load(self, path: Path, device: torch.device) -> None:
        """Continue from a checkpoint."""
        found = torch.load(path, map_location=device, weights_only=True)
        for name in _STATES:
            getattr(self, name).load_state_dict(found[name])
        self.samples = found['samples']

    def average(self, decay: float) -> None:
        """Update the averaged network."""
        with torch.no_grad():
            theirs = self.network.state_dict()
            for name, value in self.averaged.state_dict().items():
                if value.is_floating_point():
                    value.lerp_(theirs[name], 1 - decay)
                else:
                    value.copy_(theirs[name])


_STATES = ('network', 'averaged', 'optimiser')


def loss(answers: tuple[Tensor, ...], maps: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted squared errors of all stages per crop and cell: heatmaps, fields."""
    maps, weights = maps.float(), weights.float()
    total = maps.new_zeros(())
    for answer in answers:
        error = weights * (answer.float() - maps) ** 2
        total = (
            total
            + error[:, :HEATMAPS].sum(1).mean()
            + PAF_SHARE * error[:, HEATMAPS:].sum(1).mean()
        )
    return total


def rate_at(share: float, rate: float) -> float:
    """Return the learning rate at a share of the training: a short ramp, then half a cosine."""
    if share < WARM_UP:
        return rate * share / WARM_UP + 1e-8
    share = min((share - WARM_UP) / (1 - WARM_UP), 1.0)
    return rate * (0.002 + 0.998 * 0.5 * (1 + float(torch.cos(torch.tensor(share * torch.pi)))))


def step(run: Run, batch: list[Tensor], device: torch.device, rate: float) -> float:
    """Take one step; return the loss before it."""
    image, maps, weights = (t.to(device, non_blocking=True) for t in batch)
    image = image.float().contiguous(memory_format=torch.channels_last)
    for group in run.optimiser.param_groups:
        group['lr'] = rate
    with torch.autocast(device.type, torch.bfloat16):
        answers = run.network(image)
    value = loss(answers, maps, weights)
    run.optimiser.zero_grad(set_to_none=True)
    value.backward()
    torch.nn.utils.clip_grad_norm_(run.network.parameters(), LARGEST_GRADIENT)
    run.optimiser.step()
    run.samples += len(image)
    # In the beginning the average must not be dominated by the initial weights.
    steps = run.samples / len(image)
    run.average(min(0.999, (1 + steps) / (10 + steps)))
    return float(value.detach())


def train(args: argparse.Namespace) -> Run:
    """Train, or continue, until all samples were used or the time is over."""
    device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    torch.manual_seed(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)
    run, checkpoint = Run.start(device, args.rate), args.out / 'checkpoint.pt'
    if checkpoint.exists():
        run.load(checkpoint, device)
    # After continuing, samples have another order than before.
    crops = Crops(args.frames, (args.size, args.size), args.seed + run.samples, args.only)
    loader = iter(
        DataLoader(crops, args.batch, num_workers=args.workers, pin_memory=device.type == 'cuda')
    )
    began = saved = time.monotonic()
    first, recent = run.samples, 0.0
    run.network.train()
    for number, batch in enumerate(loader, start=1):
        rate = rate_at(run.samples / args.samples, args.rate)
        value = step(run, batch, device, rate)
        recent = value if number == 1 else 0.98 * recent + 0.02 * value
        now = time.monotonic()
        done = run.samples >= args.samples or now - began > args.minutes * 60
        if number % LOG_EVERY == 0 or done:
            entry = {'samples': run.samples, 'loss': round(recent, 5), 'rate': round(rate, 7),
                     'per_s': round((run.samples - first) / (now - began), 1)}  # fmt: skip
            _log(args.out / 'log.jsonl', entry)
        if now - saved > CHECKPOINT_EVERY_S or done:
            run.save(checkpoint)
            saved = now
        if done:
            break
    return run


def _log(path: Path, entry: dict[str, Any]) -> None:
    with path.open('a') as file:
        file.write(json.dumps(entry) + '\n')
    print(entry, flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--frames', type=Path, required=True, help='folder of shards')
    parser.add_argument('--out', type=Path, required=True, help="the run's folder")
    parser.add_argument('--samples', type=int, default=250_000, help='crops in all')
    parser.add_argument(
        '--minutes', type=float, default=1e9, help='stop after that, to go on later'
    )
    parser.add_argument('--only', type=int, help='train on so many frames alone')
    parser.add_argument('--size', type=int, default=192, help='of the crops, px')
    parser.add_argument('--batch', type=int, default=16)
    parser.add_argument('--rate', type=float, default=2e-3)
    parser.add_argument('--workers', type=int, default=0, help='processes that make crops')
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--seed', type=int, default=1)
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    train(args)


if __name__ == '__main__':
    main()
