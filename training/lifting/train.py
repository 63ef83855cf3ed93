"""Train the lifting network on sampled bodies and export it.

    python -m training.lifting [--out FOLDER] [--recordings FILE] [--start WEIGHTS] [--seed N]

The model card (docs/models/lifting.md) has the commands for the bundled model, and its accuracy.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.bodies import BodyModel, Shapes
from training.lifting import samples
from training.lifting.export import export
from training.lifting.model import Lifter
from training.recordings import Recordings

# Fewer detected keypoints than this do not determine a pose.
MIN_KEYPOINTS = 3
VALIDATION_SEED, VALIDATION = 99, 10_000
# Weights of the absolute error of positions and of the likelihood of the distance.
ERROR_WEIGHT, DISTANCE_WEIGHT = 10.0, 0.3
WEIGHT_DECAY, EMA, MAX_GRADIENT = 0.01, 0.999, 1.0
WARM_UP = 0.05
REPORT_STEPS, KEEP_STEPS = 1000, 1000


@dataclass(frozen=True)
class Recipe:
    """Sizes and rates of the training.

    Parameters
    ----------
    views
        Number of views in all.
    shapes
        Number of body shapes.
    pool
        Number of bodies in poses, which are sampled anew after five views each.
    chunk, batch
        Number of views sampled at once, and in a step.
    learning_rate
        Largest learning rate.
    seed
        Seed of all samples and of the initial weights.
    """

    views: int = 7_000_000
    shapes: int = 20_000
    pool: int = 200_000
    chunk: int = 8192
    batch: int = 512
    learning_rate: float = 4e-3
    seed: int = 0


def loss(out: tuple[Tensor, Tensor, Tensor], target: Tensor, log_distance: Tensor) -> Tensor:
    """Compute the loss: mean errors and the negative log likelihoods of the errors.

    Errors of positions have a Laplace distribution in three dimensions, d / b + 3 log b; those of
    the logarithm of the root's distance one in one dimension.
    """
    xyz, log_scale, person = out
    error = ((xyz - target).square().sum(-1) + 1e-8).sqrt()
    log_scale = log_scale.clamp(-6, 1)
    likely = error * torch.exp(-log_scale) + 3 * log_scale
    far_scale = person[:, 1].clamp(-5, 2)
    far = (person[:, 0] - log_distance).abs() * torch.exp(-far_scale) + far_scale
    return ERROR_WEIGHT * error.mean() + likely.mean() + DISTANCE_WEIGHT * far.mean()


def draw(rng: np.random.Generator, people: samples.People) -> list[Tensor]:
    """Sample views of people: features, targets and logarithms of distances."""
    views = samples.draw_views(rng, people)
    arrays = samples.features_and_targets(views)
    enough = np.isfinite(views.rays[..., 0]).sum(1) >= MIN_KEYPOINTS
    return [torch.from_numpy(array[enough]) for array in arrays]


def batches(
    rng: np.random.Generator, shapes: Shapes, recipe: Recipe, recordings: Recordings | None
) -> Iterator[list[Tensor]]:
    """Sample batches of views without end."""
    pool, drawn = samples.draw_people(rng, shapes, recipe.pool, recordings), 0
    while True:
        if drawn > 5 * recipe.pool:
            pool, drawn = samples.draw_people(rng, shapes, recipe.pool, recordings), 0
        chunk = draw(rng, pool.take(rng.integers(0, recipe.pool, recipe.chunk)))
        drawn += len(chunk[0])
        for first in range(0, len(chunk[0]) - recipe.batch + 1, recipe.batch):
            yield [tensor[first : first + recipe.batch] for tensor in chunk]


def train(
    recipe: Recipe, out: Path, start: Path | None = None, recordings: Recordings | None = None
) -> Lifter:
    """Train a lifter; its weights are saved in a folder meanwhile.

    Parameters
    ----------
    recipe
        Sizes and rates.
    out
        Folder for the weights.
    start
        Weights of an earlier training to begin with. None: random ones.
    recordings
        Recorded poses, for most of the people. None: all poses are sampled.
    """
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(recipe.seed)
    rng = np.random.default_rng(recipe.seed)
    shapes = BodyModel().sample(rng, recipe.shapes)
    other_rng = np.random.default_rng(VALIDATION_SEED)
    validation = draw(other_rng, samples.draw_people(other_rng, shapes, VALIDATION, recordings))
    lifter = Lifter()
    if start:
        lifter.load_state_dict(torch.load(start, weights_only=True))
    # The result is the exponential moving average of the weights.
    mean = copy.deepcopy(lifter)
    optimiser = torch.optim.AdamW(
        lifter.parameters(), recipe.learning_rate, weight_decay=WEIGHT_DECAY, fused=True
    )
    steps = recipe.views // recipe.batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.learning_rate, total_steps=steps + 1, pct_start=WARM_UP
    )
    start_s = time.monotonic()
    for step, batch in zip(
        range(1, steps + 1), batches(rng, shapes, recipe, recordings), strict=False
    ):
        optimiser.zero_grad(set_to_none=True)
        # Takes half the time on CPUs with bfloat16.
        with torch.autocast('cpu', torch.bfloat16):
            found = lifter(batch[0])
        loss(found, batch[1], batch[2]).backward()
        torch.nn.utils.clip_grad_norm_(lifter.parameters(), MAX_GRADIENT)
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            decay = min(EMA, (step + 1) / (step + 10))
            torch._foreach_lerp_(list(mean.parameters()), list(lifter.parameters()), 1 - decay)
        if step % REPORT_STEPS == 0 or step == steps:
            error_mm = 1000 * error_m(mean, validation)
            views = step * recipe.batch / 1e6
            print(f'{views:.2f} M views, {time.monotonic() - start_s:.0f} s: {error_mm:.1f} mm')
        if step % KEEP_STEPS == 0 or step == steps:
            torch.save(mean.state_dict(), out / 'weights.pt')
    return mean


@torch.no_grad()
def error_m(lifter: Lifter, views: list[Tensor]) -> float:
    """Return the mean error of positions relative to the root, m."""
    distance = torch.linalg.vector_norm(lifter(views[0])[0] - views[1], dim=-1)
    return float(distance.mean())


def main(argv: list[str] | None = None) -> None:
    """Train, and write lifting.xml and lifting.bin."""
    default = Recipe()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--out', type=Path, default=Path('build/lifting'), help='folder')
    parser.add_argument('--start', type=Path, metavar='WEIGHTS', help='weights.pt to begin with')
    parser.add_argument(
        '--recordings', type=Path, metavar='FILE', help='recorded poses of training.recordings'
    )
    parser.add_argument('--views', type=int, default=default.views)
    parser.add_argument('--learning-rate', type=float, default=default.learning_rate)
    parser.add_argument('--seed', type=int, default=default.seed)
    parser.add_argument('--threads', type=int, default=2)
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    recipe = Recipe(
        views=arguments.views, learning_rate=arguments.learning_rate, seed=arguments.seed
    )
    recordings = Recordings.load(arguments.recordings) if arguments.recordings else None
    lifter = train(recipe, arguments.out, arguments.start, recordings)
    export(lifter, arguments.out / 'lifting.xml')
    print(f'wrote {arguments.out / "lifting.xml"} and .bin')
