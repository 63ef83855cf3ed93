"""Sample people in several poses each, for the synthetic scenes of benchmark.camera_pose.

python -m training.camera_pose.tracks benchmark/camera_pose_people.npz
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training import activities, poses
from training.bodies import BodyModel, Shapes, varied
from training.lifting.samples import stand

# Drawn as nothing in the training was.
SEED = 31_000
PEOPLE, CHILDREN, POSES = 32, 16, 16
# Heights of children and of adults, m.
CHILD_M, ADULT_M = (0.95, 1.45), (1.45, 2.1)
# By how much angles of people who keep their pose change, standard deviation, degrees.
RESTLESS_DEG = 4.0
_BY_NAME = {a.__name__.removeprefix('_'): (a, off_m) for a, _, off_m, _ in activities.ACTIVITIES}


def draw(
    rng: np.random.Generator, shapes: Shapes, activity: str
) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
    """Keypoints ``(P, F, K, 3)`` above the floor, m, and heights ``(P,)`` m.

    The root is above the origin. People who walk or move have a new pose each time, others keep
    theirs.
    """
    sample, off_m = _BY_NAME[activity]
    number = len(shapes)
    if activity in ('walking', 'moving'):
        angles = sample(rng, number * POSES).reshape(number, POSES, -1)
        # Neck and shoulders change slowly.
        angles = activities.finished(rng, angles.reshape(number * POSES, -1))
    else:
        base = activities.finished(rng, sample(rng, number))
        angles = base[:, np.newaxis] + rng.normal(0, RESTLESS_DEG, (number, POSES, base.shape[1]))
        angles = poses.within_limits(angles.reshape(number * POSES, -1))
    repeated = shapes.take(np.repeat(np.arange(number), POSES))
    people = stand(rng, repeated, angles, np.full(len(angles), off_m))
    keypoints_m = people.keypoints_m.reshape(number, POSES, -1, 3).copy()
    keypoints_m[..., 2] -= people.floor_m.reshape(number, POSES, 1)
    return keypoints_m.astype(np.float16), shapes.height_m.astype(np.float16)


def main(argv: list[str] | None = None) -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('path', type=Path)
    path = parser.parse_args(argv).path
    rng = np.random.default_rng(SEED)
    shapes = varied(rng, BodyModel().sample(rng, 3000))
    adults, children = (
        np.flatnonzero((shapes.height_m > low) & (shapes.height_m < high))
        for low, high in (ADULT_M, CHILD_M)
    )
    arrays = {}
    for activity in ('walking', 'standing', 'sitting', 'moving'):
        some = shapes.take(rng.choice(adults, PEOPLE, replace=False))
        arrays[f'{activity}_xyz_m'], arrays[f'{activity}_height_m'] = draw(rng, some, activity)
    some = shapes.take(rng.choice(children, CHILDREN, replace=False))
    arrays['child_xyz_m'], arrays['child_height_m'] = draw(rng, some, 'walking')
    np.savez_compressed(path, allow_pickle=False, **arrays)
    for name, array in arrays.items():
        print(name, array.shape)


if __name__ == '__main__':
    main()
