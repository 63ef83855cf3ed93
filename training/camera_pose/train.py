"""Train the network that observes how the camera stands from one person.

python -m training.camera_pose.train [--out FOLDER] [--views N] [--seed N]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pose3d_ros.camera_pose.person_features import FEATURES
from training.bodies import BodyModel
from training.camera_pose.samples import draw
from training.lifting.samples import draw_people

WIDTH, LAYERS, OUTPUTS = 320, 3, 15
# Degrees of freedom of Student's t distribution.
NU = 5.0
SHAPES, POOL, CHUNK, BATCH = 10_000, 100_000, 16_384, 1024


def network() -> nn.Sequential:
    """Build the multilayer perceptron."""
    layers: list[nn.Module] = []
    width = FEATURES
    for _ in range(LAYERS):
        layers += [nn.Linear(width, WIDTH), nn.ReLU()]
        width = WIDTH
    return nn.Sequential(*layers, nn.Linear(width, OUTPUTS))


def residuals(out: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return whitened residuals ``(n, 4)`` and the log determinant of the whitening ``(n,)``."""
    mean = out[:, :3] + out.new_tensor([0.0, -1.0, 0.0])
    mean = mean / mean.norm(dim=1, keepdim=True).clamp_min(1e-3)
    x, y, z = mean.unbind(1)
    one = torch.ones_like(x)
    # Tangents at the mean: the image's x and z, turned with (0, -1, 0) to the mean.
    scale = 1 / (1 - y).clamp_min(1e-2)
    first = torch.stack([one - x * x * scale, x, -x * z * scale], 1)
    second = torch.stack([-x * z * scale, z, one - z * z * scale], 1)
    up = target[:, :3]
    across = 2 / (1 + (mean * up).sum(1)).clamp_min(0.1)
    r = torch.stack([
        across * (first * up).sum(1), across * (second * up).sum(1),
        target[:, 3] - out[:, 3] - 0.9, target[:, 4] - out[:, 4],
    ], 1)  # fmt: skip
    log_diagonal = (out[:, 5:9] + 2).clamp(-3, 6)
    lower = torch.diag_embed(log_diagonal.exp())
    rows, columns = torch.tril_indices(4, 4, -1)
    lower[:, rows, columns] = 5 * out[:, 9:15]
    # The prior of the climb multiplies the likelihood.
    information = lower.transpose(1, 2) @ lower
    weight = target[:, 6] ** -2
    information[:, 1, 1] = information[:, 1, 1] + weight
    pull = torch.zeros_like(r)
    pull[:, 1] = weight * (target[:, 5] - torch.asin(z.clamp(-0.999, 0.999)))
    factor = torch.linalg.cholesky(information)
    shift = torch.cholesky_solve(pull[..., None], factor)[..., 0]
    whitened = (factor.transpose(1, 2) @ (r - shift)[..., None])[..., 0]
    return whitened, factor.diagonal(dim1=1, dim2=2).log().sum(1)


def loss(out: Tensor, target: Tensor) -> Tensor:
    """Negative log likelihood of Student's t distribution in four dimensions."""
    r, log_determinant = residuals(out, target)
    return ((NU + 4) / 2 * torch.log1p(r.square().sum(1) / NU) - log_determinant).mean()


def main(argv: list[str] | None = None) -> None:
    """Train, and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', type=Path, default=Path('build/camera_pose/observer.npz'))
    parser.add_argument('--views', type=int, default=8_000_000)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--threads', type=int, default=1)
    args = parser.parse_args(argv)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    rng = np.random.default_rng(args.seed)
    shapes = BodyModel().sample(rng, SHAPES)
    pool = draw_people(rng, shapes, POOL)
    other = np.random.default_rng(99)
    validation = [torch.from_numpy(a) for a in draw(other, draw_people(other, shapes, 20_000))]
    net = network()
    steps = args.views // BATCH
    optimiser = torch.optim.AdamW(net.parameters(), 4e-3, weight_decay=0.01, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, 4e-3, total_steps=steps + 1, pct_start=0.05
    )
    step, start, sampling = 0, time.monotonic(), 0.0
    while step < steps:
        began = time.monotonic()
        if step and step % 1000 < CHUNK // BATCH:
            pool = draw_people(rng, shapes, POOL)
        chunk = [torch.from_numpy(a) for a in draw(rng, pool.take(rng.integers(0, POOL, CHUNK)))]
        sampling += time.monotonic() - began
        for first in range(0, len(chunk[0]) - BATCH + 1, BATCH):
            if step >= steps:
                break
            optimiser.zero_grad(set_to_none=True)
            value = loss(net(chunk[0][first : first + BATCH]), chunk[1][first : first + BATCH])
            value.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            step += 1
            if step % 250 == 0 or step == steps:
                report(net, validation, step, time.monotonic() - start, sampling)
                save(net, args.out)


@torch.no_grad()
def report(net: nn.Module, validation: list[Tensor], step: int, took_s: float, s: float) -> None:
    """Print how good it is by now."""
    out = net(validation[0])
    mean = out[:, :3] + out.new_tensor([0.0, -1.0, 0.0])
    cosine = nn.functional.cosine_similarity(mean, validation[1][:, :3])
    angle = torch.rad2deg(torch.arccos(cosine.clamp(-1, 1)))
    off = validation[1][:, 3:5] - out[:, 3:5]
    off[:, 0] -= 0.9
    print(
        f'{step} steps, {took_s:.0f} s (sampling {s:.0f}): '
        f'nll {loss(out, validation[1]):.3f}, up {angle.median():.2f} / {angle.mean():.2f} deg, '
        f'height {off[:, 0].abs().median():.3f} m, depth {100 * off[:, 1].abs().median():.1f} %',
        flush=True,
    )


def save(net: nn.Sequential, path: Path) -> None:
    """Write the weights in half precision."""
    arrays = {k: v.numpy().astype(np.float16) for k, v in net.state_dict().items()}
    np.savez(path, **arrays)


if __name__ == '__main__':
    main()
