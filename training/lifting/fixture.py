"""Bodies for the tests of the bundled network, which run where there is no body model.

python -m training.lifting.fixture test/unit/lifting_bodies.npz
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from training import activities
from training.bodies import BodyModel
from training.lifting.samples import stand

# Drawn as nothing in the training was.
SEED = 20_000
EACH = 40


def main(argv: list[str] | None = None) -> None:
    """Write bodies of each activity, named by it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('path', type=Path)
    path = parser.parse_args(argv).path
    rng = np.random.default_rng(SEED)
    model = BodyModel()
    arrays = {}
    for activity, _, off_m, _ in activities.ACTIVITIES:
        angles = activities.finished(rng, activity(rng, EACH))
        people = stand(rng, model.sample(rng, EACH), angles, np.full(EACH, off_m))
        name = activity.__name__.removeprefix('_')
        arrays[f'{name}_keypoints_m'] = people.keypoints_m.astype(np.float16)
        arrays[f'{name}_floor_m'] = people.floor_m.astype(np.float16)
        arrays[f'{name}_height_m'] = people.height_m.astype(np.float16)
    np.savez_compressed(path, **arrays)
    print(f'wrote {path}: {EACH} bodies each of {len(activities.ACTIVITIES)} activities')


if __name__ == '__main__':
    main()
