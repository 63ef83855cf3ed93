"""Convert recorded motion to poses of the body model.

    python -m training.recordings FOLDER [--out recordings.npz]

FOLDER holds BVH files with the joints of one of the two usual conversions of the CMU Graphics Lab
Motion Capture Database. The result is for `python -m training.lifting --recordings`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from training import bodies, poses
from training.poses import ANGLES, LIMITS

Array = NDArray[np.float64]
Rng = np.random.Generator
T = TypeVar('T')

# Time between two poses. Neighbours in a recording are alike.
INTERVAL_S = 0.1
# Joints and their names in BVH files: for Poser and Daz, and for MotionBuilder.
NAMES = {
    'left_hip': ('lThigh', 'LeftUpLeg'),
    'left_knee': ('lShin', 'LeftLeg'),
    'left_ankle': ('lFoot', 'LeftFoot'),
    'left_shoulder': ('lShldr', 'LeftArm'),
    'left_elbow': ('lForeArm', 'LeftForeArm'),
    'left_wrist': ('lHand', 'LeftHand'),
    'right_hip': ('rThigh', 'RightUpLeg'),
    'right_knee': ('rShin', 'RightLeg'),
    'right_ankle': ('rFoot', 'RightFoot'),
    'right_shoulder': ('rShldr', 'RightArm'),
    'right_elbow': ('rForeArm', 'RightForeArm'),
    'right_wrist': ('rHand', 'RightHand'),
    'head': ('head', 'Head'),
}
# Weights of the directions, see `directions`: of trunk, hips, shoulders, neck and limbs.
WEIGHTS = np.array([1.5, 1, 1, 0.3] + 8 * [1.0])[:, np.newaxis]
# Angles that directions determine badly, or not at all: mean and standard deviation, degrees.
PRIOR = {
    'pitch': (4, 15), 'spine_flexion': (8, 20), 'spine_lateral': (0, 20), 'spine_twist': (0, 25),
    'neck_flexion': (0, 25), 'neck_lateral': (0, 20), 'neck_twist': (0, 10),
    'clavicle_raised': (3, 12), 'clavicle_forward': (3, 12), 'arm_plane': (40, 60),
    'arm_twist': (20, 40), 'hip_twist': (5, 20), 'ankle_flexion': (0, 5),
}  # fmt: skip
OTHER_PRIOR = (0, 60)
# Weight of a standard deviation of an angle against an error of a direction of 1 rad.
PRIOR_WEIGHT = 0.06
# Bent limbs to begin with: the angles of straight ones do not determine each other.
START = {'knee_flexion': 30, 'hip_flexion': 20, 'elbow_flexion': 40, 'arm_raised': 40}
ITERATIONS, STEP_DEG, AT_ONCE = 25, 0.5, 2000
# Poses with a limb further off than this are left out.
MAX_ERROR_DEG = 20.0


@dataclass(frozen=True)
class Recordings:
    """Recorded poses.

    Parameters
    ----------
    angles
        ``(n, A)`` of `training.poses.ANGLES`, degrees.
    recording
        ``(n,)``, number of the recording of each, from 0.
    """

    angles: Array
    recording: NDArray[np.intp]

    def sample(self, rng: Rng, n: int) -> Array:
        """Sample poses ``(n, A)``, each recording as often as any other, half of them mirrored."""
        _, first, count = np.unique(self.recording, return_index=True, return_counts=True)
        chosen = rng.integers(0, len(first), n)
        angles = self.angles[first[chosen] + rng.integers(0, count[chosen])]
        mirror = rng.random(n) < 0.5
        angles[mirror] = poses.mirrored(angles[mirror])
        return angles

    def save(self, path: Path) -> None:
        """Write a file for `load`."""
        np.savez_compressed(
            path, angles=self.angles.astype(np.float32), recording=self.recording, names=ANGLES
        )

    @classmethod
    def load(cls, path: Path) -> Recordings:
        """Read what `save` wrote."""
        with np.load(path) as arrays:
            if tuple(arrays['names']) != ANGLES:
                raise ValueError(f'{path} has other angles; convert the recordings again')
            return cls(arrays['angles'].astype(float), arrays['recording'])


def read_bvh(path: Path) -> dict[str, Array]:
    """Read the positions of joints in a BVH file, one pose every ``INTERVAL_S``.

    The first pose, in which conversions put the skeleton's reference pose, is left out.

    Returns
    -------
    dict
        By the names of ``NAMES``, ``(n, 3)`` in the axes of `training.bodies` (z up) and the
        file's unit of length.

    Raises
    ------
    ValueError
        If the file cannot be read, or a joint is missing.
    """
    try:
        joints, parents, offsets, channels, interval_s, values = _parse(path.read_text())
    except (ValueError, IndexError) as e:
        raise ValueError(f'{path} is not a BVH file that can be read: {e}') from e
    every = max(round(INTERVAL_S / interval_s), 1)
    values = values[every::every]
    turned = np.empty((len(values), len(joints), 3, 3))
    places = np.zeros((len(values), len(joints), 3))
    column = 0
    for j, parent in enumerate(parents):
        turn = np.broadcast_to(np.eye(3), (len(values), 3, 3))
        for channel in channels[j]:
            if channel.endswith('rotation'):
                angle = np.deg2rad(values[:, column])
                turn = turn @ poses.about('XYZ'.index(channel[0]), angle)
            column += 1
        if parent < 0:
            turned[:, j] = turn
        else:
            turned[:, j] = turned[:, parent] @ turn
            places[:, j] = places[:, parent] + turned[:, parent] @ offsets[j]
    # BVH has y up and people who face z.
    places = np.stack([places[..., 0], -places[..., 2], places[..., 1]], axis=-1)
    found = {}
    for ours, theirs in NAMES.items():
        at = [joints.index(name) for name in theirs if name in joints]
        if not at:
            raise ValueError(f'{path} has no joint {" or ".join(theirs)}; it has {joints}')
        found[ours] = places[:, at[0]]
    return found


def _parse(
    text: str,
) -> tuple[list[str], list[int], list[Array], list[list[str]], float, Array]:
    """Return names, parents, offsets and channels of joints, the interval in s and the values."""
    hierarchy, motion = text.split('MOTION')
    joints: list[str] = []
    parents: list[int] = []
    offsets: list[Array] = []
    channels: list[list[str]] = []
    open_joints: list[int] = []
    for line in hierarchy.splitlines():
        match line.split():
            case ['ROOT' | 'JOINT' | 'End', name, *_]:
                joints.append(name)
                parents.append(open_joints[-1] if open_joints else -1)
                offsets.append(np.zeros(3))
                channels.append([])
            case ['{']:
                open_joints.append(len(joints) - 1)
            case ['}']:
                open_joints.pop()
            case ['OFFSET', *offset]:
                offsets[-1] = np.array(offset, float)
            case ['CHANNELS', _, *names]:
                channels[-1] = names
    _, interval, *rows = motion.strip().splitlines()
    values = np.array([row.split() for row in rows if row.strip()], float)
    if values.ndim != 2 or values.shape[1] != sum(map(len, channels)):
        raise ValueError(f'{sum(map(len, channels))} values are expected for each time')
    interval_s = float(interval.split()[-1])
    if interval_s <= 0:
        raise ValueError(f'the frame time is {interval_s:g} s')
    return joints, parents, offsets, channels, interval_s, values


def directions(at: Callable[[str], NDArray[np.floating]]) -> Array:
    """Return the directions ``(n, 12, 3)`` of trunk, hips, shoulders, neck and limbs.

    `at` gives the positions ``(n, 3)`` of the joints of ``NAMES``.
    """
    shoulders = (at('left_shoulder') + at('right_shoulder')) / 2
    lines = [
        shoulders - (at('left_hip') + at('right_hip')) / 2,
        at('left_hip') - at('right_hip'),
        at('left_shoulder') - at('right_shoulder'),
        at('head') - shoulders,
    ]
    for side in ('left', 'right'):
        for limb in (('hip', 'knee', 'ankle'), ('shoulder', 'elbow', 'wrist')):
            first, middle, last = (at(f'{side}_{joint}') for joint in limb)
            lines += [middle - first, last - middle]
    wanted = np.stack(lines, axis=1)
    return np.asarray(wanted / np.linalg.norm(wanted, axis=-1, keepdims=True))


class Fit:
    """Find the angles at which the limbs of an average body have given directions.

    Levenberg and Marquardt's method, with differences for derivatives, for many poses at once.

    Parameters
    ----------
    shapes
        Of some bodies; the angles are found for the average of the adults.
    """

    def __init__(self, shapes: bodies.Shapes) -> None:
        adults = shapes.height_m > 1.5
        self.body = replace(
            shapes.take(np.zeros(1, np.intp)),
            joints_m=shapes.joints_m[adults].mean(0, keepdims=True),
            keypoints_m=shapes.keypoints_m[adults].mean(0, keepdims=True),
        )
        self.mean, self.sd = np.array([_of(PRIOR, name, OTHER_PRIOR) for name in ANGLES]).T

    def directions(self, parameters: Array) -> Array:
        """Return the directions at angles and yaw ``(n, A + 1)``, degrees, see `directions`."""
        rotations = poses.rotations(parameters[:, :-1], np.deg2rad(parameters[:, -1]))
        joints_m, _ = bodies.posed(self.body.take(np.zeros(len(parameters), np.intp)), rotations)
        return directions(lambda name: joints_m[:, bodies.JOINTS.index(name)])

    def _residuals(self, parameters: Array, wanted: Array) -> Array:
        off = WEIGHTS * (self.directions(parameters) - wanted)
        unusual = PRIOR_WEIGHT * (parameters[:, :-1] - self.mean) / self.sd
        return np.concatenate([off.reshape(len(off), -1), unusual], axis=1)

    def __call__(self, wanted: Array) -> tuple[Array, Array]:
        """Return angles ``(n, A)``, degrees, and the largest error of a limb ``(n,)``, degrees."""
        parts = [self._some(wanted[i : i + AT_ONCE]) for i in range(0, len(wanted), AT_ONCE)]
        angles, error_deg = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        return angles, error_deg

    def _some(self, wanted: Array) -> tuple[Array, Array]:
        n, size = len(wanted), len(ANGLES) + 1
        limits = np.vstack([LIMITS, [-np.inf, np.inf]]).T
        x = np.empty((n, size))
        x[:, :-1] = [_of(START, name, mean) for name, mean in zip(ANGLES, self.mean, strict=True)]
        x[:, -1] = np.rad2deg(np.arctan2(wanted[:, 1, 1], wanted[:, 1, 0]))
        residuals, damping = self._residuals(x, wanted), np.full(n, 1e-2)
        for _ in range(ITERATIONS):
            slope = np.empty((n, residuals.shape[1], size))
            for i in range(size):
                moved = x.copy()
                moved[:, i] += STEP_DEG
                slope[:, :, i] = (self._residuals(moved, wanted) - residuals) / STEP_DEG
            transposed = slope.transpose(0, 2, 1)
            normal = transposed @ slope
            diagonal = np.einsum('nii->ni', normal)
            diagonal *= 1 + damping[:, np.newaxis]
            change = np.linalg.solve(normal, transposed @ residuals[..., np.newaxis])[..., 0]
            tried = np.clip(x - change, *limits)
            after = self._residuals(tried, wanted)
            better = (after**2).sum(1) < (residuals**2).sum(1)
            x[better], residuals[better] = tried[better], after[better]
            damping = np.where(better, 0.3 * damping, 5 * damping).clip(1e-6, 1e4)
        cosine = (self.directions(x) * wanted).sum(-1)[:, 4:].min(1)
        return x[:, :-1], np.rad2deg(np.arccos(np.clip(cosine, -1, 1)))


def _of(table: Mapping[str, T], name: str, default: T) -> T:
    """Look up an angle, those of sides without the side."""
    return table.get(name.removeprefix('left_').removeprefix('right_'), default)


def convert(paths: list[Path], shapes: bodies.Shapes) -> tuple[Recordings, int]:
    """Convert BVH files, a recording each. Returns the number of poses left out as well.

    Raises
    ------
    ValueError
        If a file cannot be used, see `read_bvh`, or there is no pose after the first of each.
    """
    wanted, number = [], []
    for i, path in enumerate(paths):
        joints = read_bvh(path)
        wanted.append(directions(joints.__getitem__))
        number.append(np.full(len(wanted[-1]), i))
    if not sum(map(len, number)):
        raise ValueError('no recording has a pose after its first')
    angles, error_deg = Fit(shapes)(np.concatenate(wanted))
    good = error_deg < MAX_ERROR_DEG
    return Recordings(angles[good], np.concatenate(number)[good]), int((~good).sum())


def main(argv: list[str] | None = None) -> None:
    """Convert, and write the poses."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder', type=Path, help='folder of BVH files, searched with those in it')
    parser.add_argument('--out', type=Path, default=Path('recordings.npz'), help='file')
    arguments = parser.parse_args(argv)
    paths = sorted(arguments.folder.rglob('*.bvh'))
    if not paths:
        parser.error(f'{arguments.folder} has no .bvh files')
    shapes = bodies.BodyModel().sample(np.random.default_rng(0), 200)
    try:
        recordings, left_out = convert(paths, shapes)
    except ValueError as e:
        parser.error(str(e))
    recordings.save(arguments.out)
    print(
        f'wrote {arguments.out}: {len(recordings.angles)} poses of {len(paths)} recordings; '
        f'{left_out} poses could not be reached within {MAX_ERROR_DEG:.0f} degrees'
    )


if __name__ == '__main__':
    main()
