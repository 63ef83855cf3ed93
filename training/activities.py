"""Sample poses of activities: standing, walking, running, sitting and so on.

Each activity gives ``(n, A)`` of `training.poses.ANGLES`, degrees, before limits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.poses import ANGLES, INDEX, LIMITS, Array, within_limits
from training.recordings import Recordings

Rng = np.random.Generator


def sample(rng: Rng, n: int) -> Array:
    """Sample poses ``(n, A)`` of ``ANGLES`` from all activities, with independent arms."""
    return draw(rng, n)[0]


def draw(rng: Rng, n: int, recordings: Recordings | None = None) -> tuple[Array, Array]:
    """Sample poses, and the distance of the weight from the feet, ``(n,)`` m. NaN: not on feet.

    With `recordings`, most poses of the activities that occur in them are recorded ones.
    """
    angles = np.zeros((n, len(ANGLES)))
    what = rng.choice(len(ACTIVITIES), n, p=_shares(ACTIVITIES))
    off_m, recorded = np.array([row[2:] for row in ACTIVITIES])[what].T
    for i, (activity, *_) in enumerate(ACTIVITIES):
        rows = np.flatnonzero(what == i)
        angles[rows] = activity(rng, len(rows))
    if recordings:
        rows = np.flatnonzero(rng.random(n) < recorded)
        angles[rows] = recordings.sample(rng, len(rows))
        angles[rows] += RECORDED_SD * rng.standard_normal((len(rows), len(ANGLES)))
        off_m[rows] = np.nan  # they are balanced already, or moving
    return finished(rng, angles), off_m


def finished(rng: Rng, angles: Array) -> Array:
    """Add independent motion of head and shoulders to poses, and apply the limits."""
    angles, n = angles.copy(), len(angles)
    for name, sd in (('neck_flexion', 12), ('neck_lateral', 7), ('neck_twist', 25)):
        angles[:, INDEX[name]] += rng.normal(0, sd, n)
    for side in ('left', 'right'):
        for name, sd in (('clavicle_raised', 4), ('clavicle_forward', 5), ('ankle_flexion', 8)):
            angles[:, INDEX[f'{side}_{name}']] += rng.normal(0, sd, n)
    return within_limits(angles)


def _set(rng: Rng, angles: Array, drawn: dict[str, tuple[float, float]]) -> None:
    """Sample angles from normal distributions, mean and standard deviation."""
    for name, (mean, sd) in drawn.items():
        angles[:, INDEX[name]] = rng.normal(mean, sd, len(angles))


def _set_sides(rng: Rng, angles: Array, drawn: dict[str, tuple[float, float]]) -> None:
    """Sample angles of both sides, which share half of their variance."""
    for name, (mean, sd) in drawn.items():
        both = rng.normal(0, sd * 0.7, len(angles))
        for side in ('left', 'right'):
            own = rng.normal(mean, sd * 0.7, len(angles))
            angles[:, INDEX[f'{side}_{name}']] = both + own


def _upright(rng: Rng, n: int) -> Array:
    """Sample trunk and arms of an upright person; the legs stay straight."""
    angles = np.zeros((n, len(ANGLES)))
    trunk = {'pitch': (2, 7), 'roll': (0, 5), 'spine_flexion': (5, 11)}
    _set(rng, angles, {**trunk, 'spine_lateral': (0, 7), 'spine_twist': (0, 12)})
    _arms(rng, angles)
    return angles


def _standing(rng: Rng, n: int) -> Array:
    angles = _upright(rng, n)
    legs = {'hip_flexion': (3, 6), 'hip_abduction': (3, 6), 'hip_twist': (6, 10)}
    _set_sides(rng, angles, {**legs, 'knee_flexion': (6, 6)})
    # Half of them rest on one leg.
    rows, side = np.flatnonzero(rng.random(n) < 0.5), _sides(rng, n)
    bent = rng.gamma(2, 10, n)
    _add(angles, rows, side, 'knee_flexion', bent)
    _add(angles, rows, side, 'hip_flexion', 0.6 * bent)
    _add(angles, rows, side, 'hip_abduction', rng.normal(5, 8, n))
    return angles


def _walking(rng: Rng, n: int) -> Array:
    angles = _upright(rng, n)
    stride = rng.uniform(0.5, 1.4, n)
    _stride(rng, angles, 25 * stride, 55 * stride, lean=rng.normal(3, 4, n))
    return angles


def _running(rng: Rng, n: int) -> Array:
    angles = _upright(rng, n)
    speed = rng.uniform(0.7, 1.3, n)
    _stride(rng, angles, 42 * speed, 95 * speed, lean=rng.normal(12, 6, n))
    return angles


def _stride(rng: Rng, angles: Array, hip: Array, knee: Array, lean: Array) -> None:
    """Sample an instant of a stride: legs swing in opposition, most arms opposite to the legs."""
    n = len(angles)
    phase, swings = rng.uniform(0, 2 * np.pi, n), rng.random(n) < 0.6
    arm, elbow = (
        rng.normal(22, 8, n) * hip / 25,
        np.clip(hip * 1.6 + rng.normal(-20, 15, n), 5, 110),
    )
    angles[:, INDEX['pitch']] = lean
    angles[:, INDEX['spine_twist']] += 8 * np.sin(phase)
    for side, at in (('left', phase), ('right', phase + np.pi)):
        angles[:, INDEX[f'{side}_hip_flexion']] = (
            hip * np.sin(at) + 0.2 * hip + rng.normal(0, 4, n)
        )
        # The knee bends most while the leg swings forward.
        swing = np.maximum(np.cos(at - 0.3), 0) ** 2
        angles[:, INDEX[f'{side}_knee_flexion']] = 6 + knee * swing + np.abs(rng.normal(0, 6, n))
        angles[:, INDEX[f'{side}_hip_abduction']] = rng.normal(1, 4, n)
        angles[:, INDEX[f'{side}_hip_twist']] = rng.normal(4, 8, n)
        flexion = -arm * np.sin(at) + rng.normal(0, 5, n)
        swung = {
            'arm_raised': np.abs(flexion) + 4,
            'arm_plane': np.where(flexion > 0, 80, -70) + rng.normal(0, 8, n),
            'arm_twist': rng.normal(20, 12, n),
            'elbow_flexion': elbow + rng.normal(0, 8, n),
        }
        for name, values in swung.items():
            k = INDEX[f'{side}_{name}']
            angles[:, k] = np.where(swings, values, angles[:, k])


def _sitting(rng: Rng, n: int) -> Array:
    angles = _upright(rng, n)
    _set(rng, angles, {'pitch': (3, 18), 'spine_flexion': (18, 16), 'roll': (0, 6)})
    legs = {'hip_flexion': (82, 14), 'hip_abduction': (7, 11), 'hip_twist': (5, 12)}
    _set_sides(rng, angles, {**legs, 'knee_flexion': (82, 20)})
    # Some stretch their legs, some cross them.
    stretched = np.flatnonzero(rng.random(n) < 0.15)
    for side in ('left', 'right'):
        angles[stretched, INDEX[f'{side}_knee_flexion']] *= 0.35
    crossed, sides = np.flatnonzero(rng.random(n) < 0.15), _sides(rng, n)
    _add(angles, crossed, sides, 'hip_abduction', rng.normal(-14, 5, n))
    _add(angles, crossed, sides, 'hip_flexion', rng.normal(15, 6, n))
    ankle, turned = np.flatnonzero(rng.random(n) < 0.1), rng.normal(35, 6, n)
    _add(angles, ankle, sides, 'hip_twist', turned)
    _add(angles, ankle, sides, 'hip_abduction', 0.7 * turned)
    _add(angles, ankle, sides, 'knee_flexion', rng.normal(25, 10, n))
    return angles


def _crouching(rng: Rng, n: int) -> Array:
    angles = _upright(rng, n)
    deep = rng.uniform(0.2, 1, n)
    _set(rng, angles, {'spine_flexion': (22, 14)})
    angles[:, INDEX['pitch']] = rng.normal(25, 14, n) * np.sin(np.pi * deep)
    _set_sides(rng, angles, {'hip_abduction': (12, 12), 'hip_twist': (10, 14)})
    for side in ('left', 'right'):
        angles[:, INDEX[f'{side}_hip_flexion']] = 120 * deep + rng.normal(0, 10, n)
        angles[:, INDEX[f'{side}_knee_flexion']] = 138 * deep + rng.normal(0, 10, n)
    # Half of them kneel on one knee or on both.
    kneels = rng.random(n)
    _sides(rng, n)  # drawn for the sake of the sequence of random numbers only
    for s, kneeling in (('left', kneels < 0.3), ('right', (kneels < 0.15) | (kneels > 0.85))):
        rows = np.flatnonzero(kneeling)
        angles[rows, INDEX[f'{s}_hip_flexion']] = rng.normal(15, 25, len(rows))
        angles[rows, INDEX[f'{s}_knee_flexion']] = rng.normal(100, 20, len(rows))
    angles[kneels < 0.3, INDEX['pitch']] = rng.normal(8, 10, int((kneels < 0.3).sum()))
    return angles


def _bending(rng: Rng, n: int) -> Array:
    angles = _standing(rng, n)
    deep = rng.uniform(0.15, 1, n)
    angles[:, INDEX['pitch']] = 65 * deep + rng.normal(0, 8, n)
    angles[:, INDEX['spine_flexion']] = 55 * deep * rng.uniform(0.3, 1.3, n)
    knee = rng.gamma(2, 15, n) * deep
    for side in ('left', 'right'):
        angles[:, INDEX[f'{side}_hip_flexion']] += angles[:, INDEX['pitch']] + 0.5 * knee
        angles[:, INDEX[f'{side}_knee_flexion']] += knee
    # Arms hang down from a bent trunk, or work in front of it.
    hang = np.flatnonzero(rng.random(n) < 0.6)
    for side in ('left', 'right'):
        total = angles[hang, INDEX['pitch']] + angles[hang, INDEX['spine_flexion']]
        angles[hang, INDEX[f'{side}_arm_raised']] = total * rng.uniform(0.6, 1.3, len(hang))
        angles[hang, INDEX[f'{side}_arm_plane']] = rng.normal(80, 15, len(hang))
    return angles


def _moving(rng: Rng, n: int) -> Array:
    """Sample lunges, kicks, climbing, dancing: independent legs."""
    angles = _upright(rng, n)
    _set(rng, angles, {'pitch': (10, 20), 'roll': (0, 18), 'spine_flexion': (10, 18),
                       'spine_lateral': (0, 14), 'spine_twist': (0, 20)})  # fmt: skip
    for side in ('left', 'right'):
        _set(rng, angles, {f'{side}_hip_flexion': (28, 36), f'{side}_hip_abduction': (10, 18),
                           f'{side}_hip_twist': (5, 18)})  # fmt: skip
        angles[:, INDEX[f'{side}_knee_flexion']] = rng.gamma(1.5, 28, n)
    return angles


def _lying(rng: Rng, n: int) -> Array:
    angles = _moving(rng, n)
    legs = {'hip_flexion': (15, 28), 'hip_abduction': (7, 11), 'hip_twist': (5, 15)}
    _set_sides(rng, angles, {**legs, 'knee_flexion': (30, 35)})
    on = rng.choice(3, n, p=(0.5, 0.2, 0.3))  # back, belly, side
    angles[:, INDEX['pitch']] = np.where(on == 1, 90, -90) + rng.normal(0, 12, n)
    # About the body's own axis, which is horizontal.
    side = np.where(_sides(rng, n), 90, -90)
    angles[:, INDEX['roll']] = np.where(on == 2, side, 0) + rng.normal(0, 15, n)
    angles[:, INDEX['spine_flexion']] = rng.normal(5, 14, n)
    return angles


def _anything(rng: Rng, n: int) -> Array:
    """Sample any angles that joints allow, most of them rare in practice."""
    middle, half = LIMITS.mean(1), np.ptp(LIMITS, axis=1) / 2
    angles = middle + half * rng.uniform(-0.85, 0.85, (n, len(ANGLES)))
    _set(rng, angles, {'pitch': (10, 35), 'roll': (0, 25)})
    return angles


def _arms(rng: Rng, angles: Array) -> None:
    """Sample arms: most people do the same with both."""
    n = len(angles)
    left, other = (rng.choice(len(ARMS), n, p=_shares(ARMS)) for _ in range(2))
    both = rng.normal(0, 0.7, (n, 4))
    kinds = {'left': left, 'right': np.where(rng.random(n) < 0.6, left, other)}
    for side, kind in kinds.items():
        draw = both + rng.normal(0, 0.7, (n, 4))
        mean, sd = np.array([k for k, _ in ARMS])[kind].transpose(1, 0, 2)
        first = INDEX[f'{side}_arm_raised']
        angles[:, first : first + 4] = mean + sd * draw
    # Some are in any position.
    for side in ('left', 'right'):
        rows = np.flatnonzero(rng.random(n) < 0.15)
        first = INDEX[f'{side}_arm_raised']
        angles[rows, first : first + 4] = rng.uniform(
            LIMITS[first : first + 4, 0], LIMITS[first : first + 4, 1], (len(rows), 4)
        )


def _sides(rng: Rng, n: int) -> NDArray[np.bool_]:
    return rng.random(n) < 0.5


def _add(
    angles: Array, rows: NDArray[np.intp], left: NDArray[np.bool_], name: str, values: Array
) -> None:
    """Add to an angle of one side of some people."""
    columns = np.where(left, INDEX[f'left_{name}'], INDEX[f'right_{name}'])
    angles[rows, columns[rows]] += values[rows]


# Mean and standard deviation of elevation, plane, internal twist and elbow flexion of an arm; and
# the share of arms that do it.
ARMS = (
    (((9, 15, 15, 14), (6, 50, 20, 10)), 0.25),  # hangs
    (((25, 40, 35, 65), (12, 40, 22, 22)), 0.15),  # hand at hip, belly or in the lap
    (((30, 75, 25, 95), (14, 22, 28, 20)), 0.15),  # holds something in front
    (((72, 78, 20, 35), (22, 25, 28, 28)), 0.13),  # reaches to the front
    (((40, 90, 70, 100), (8, 14, 12, 14)), 0.06),  # crossed
    (((50, 65, 20, 132), (20, 28, 28, 12)), 0.08),  # hand at the face
    (((78, 12, 0, 30), (20, 18, 35, 35)), 0.07),  # to the side
    (((148, 50, 10, 35), (20, 40, 30, 32)), 0.08),  # up
    (((20, -50, 55, 70), (10, 18, 20, 25)), 0.03),  # behind the back
)  # fmt: skip
# Each with the share of people, the distance of the weight from the feet, m, and the share of them
# that recordings replace. (Few recordings are of people who only stand.)
ACTIVITIES: tuple[tuple[Callable[[Rng, int], Array], float, float, float], ...] = (
    (_standing, 0.31, 0.03, 0.5),
    (_walking, 0.19, 0.08, 0.9),
    (_running, 0.04, np.nan, 0.9),
    (_sitting, 0.22, np.nan, 0),
    (_crouching, 0.06, 0.05, 0),
    (_bending, 0.06, 0.04, 0),
    (_moving, 0.06, 0.07, 0.9),
    (_lying, 0.04, np.nan, 0),
    (_anything, 0.02, np.nan, 0),
)
# Standard deviations of what is added to the angles of recorded poses, degrees.
RECORDED_SD = np.full(len(ANGLES), 4.0)
RECORDED_SD[[INDEX['pitch'], INDEX['roll']]] = 2.5
RECORDED_SD[[i for name, i in INDEX.items() if 'arm_' in name or 'elbow' in name]] = 8.0


def _shares(table: tuple[tuple[Any, ...], ...]) -> Array:
    shares = np.array([share for _, share, *_ in table])
    return shares / shares.sum()
