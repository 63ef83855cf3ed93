"""Sample poses for the baselines of `benchmark.lifting`.

    python -m training.baseline_poses [--out benchmark/lifting_poses.npz]

The baselines thereby know the same distribution of poses as the lifting network.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.skeleton import PANOPTIC19
from training import activities, bodies, poses

Array = NDArray[np.float64]

ROOT = PANOPTIC19.index(PANOPTIC19.root)
# Number of poses; the file has 180 kB.
NUMBER = 1600


def sample_poses(number: int, seed: int) -> Array:
    """Sample root-relative poses ``(P, K, 3)``, m, in the frame of a level camera.

    Keypoints are the joints of the body model, without annotators' offsets.
    """
    rng = np.random.default_rng(seed)
    shapes = bodies.BodyModel().sample(rng, number, annotated=False)
    _, keypoints_m = bodies.posed(shapes, poses.rotations(activities.sample(rng, number)))
    x, y, z = np.moveaxis(keypoints_m - keypoints_m[:, [ROOT]], -1, 0)
    return np.stack([x, -z, y], axis=-1)


def main(argv: list[str] | None = None) -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path('benchmark/lifting_poses.npz')
    parser.add_argument('--out', type=Path, default=default, help='(default: %(default)s)')
    args = parser.parse_args(argv)
    np.savez_compressed(args.out, xyz_m=sample_poses(NUMBER, seed=0).astype(np.float16))


if __name__ == '__main__':
    main()
