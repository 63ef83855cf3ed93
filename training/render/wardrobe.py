"""Sample skin, hair and clothes by regions of the body, and their offset from the skin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.render.materials import MATERIAL, random_material
from training.render.regions import ARM, FOOT, HEAD, LEG, NECK, TORSO, Regions

# Skin from the darkest to the lightest, BGR as displayed, and its redness.
SKIN = np.array([[28, 40, 62], [62, 92, 140], [120, 160, 205], [185, 205, 235]]) / 255
HAIR = np.array([[18, 18, 22], [25, 35, 55], [40, 65, 105], [95, 150, 190], [175, 180, 185]]) / 255
LOOK = np.dtype(
    [
        ('skin', np.float32, 3), ('lips', np.float32, 3), ('hair', np.float32, 3),
        ('eyes', np.float32, 3), ('inner', np.float32, 3), ('sock', np.float32, 3),
        ('hair_front', np.float32), ('hair_back', np.float32), ('beard', np.float32),
        ('sleeve', np.float32), ('hem', np.float32), ('neckline', np.float32),
        ('leg', np.float32), ('waist', np.float32), ('shoe', np.float32), ('open', np.float32),
        ('folds', np.float32), ('seed', np.int32),
    ]
)  # fmt: skip


@dataclass(frozen=True)
class Outfit:
    """Appearance of a person.

    Parameters
    ----------
    look
        A LOOK.
    garments
        ``(3,)`` MATERIAL: upper and lower garment, shoes.
    upper_m, lower_m, hair_m
        How far the garments and the hair stand off the skin, m.
    """

    look: NDArray[np.void]
    garments: NDArray[np.void]
    upper_m: float
    lower_m: float
    hair_m: float


def sample_outfit(random: np.random.Generator, regions: Regions) -> Outfit:
    """Sample an outfit, from shorts and T-shirts to long coats, from long hair to none."""
    look = np.zeros((), LOOK)
    tone = random.uniform(0, len(SKIN) - 1)
    skin = np.array([np.interp(tone, range(len(SKIN)), SKIN[:, k]) for k in range(3)])
    look['skin'] = np.clip(skin * random.normal(1, 0.04, 3), 0, 1) ** 2
    look['lips'] = look['skin'] * [0.55, 0.5, 0.85]
    hair = HAIR[random.integers(len(HAIR))] * random.uniform(0.6, 1.1) * random.normal(1, 0.05, 3)
    look['hair'] = hair.clip(0, 1) ** 2
    if random.random() < 0.08:  # a cap or a scarf
        look['hair'] = random.uniform(0.02, 0.7, 3)
    look['eyes'] = random.uniform(0.01, 0.08)
    look['inner'] = random.uniform(0.02, 0.9) * random.uniform(0.8, 1, 3)
    look['sock'] = random.uniform(0.02, 0.8) * random.uniform(0.8, 1, 3)
    long_hair = random.random() < 0.45
    bald = random.random() < 0.1
    eye_z = regions.eye[2]
    look['hair_front'] = eye_z + (9 if bald else random.uniform(0.045, 0.075))
    look['hair_back'] = eye_z + (9 if bald else random.uniform(-0.22, -0.1) if long_hair
                                 else random.uniform(-0.09, 0.0))  # fmt: skip
    look['beard'] = (not long_hair) * (random.random() < 0.3) * random.uniform(0.3, 0.9)
    sleeves = (random.uniform(0.25, 0.8), random.uniform(0.8, 1.4), random.uniform(1.8, 2.05))
    look['sleeve'] = sleeves[random.choice(3, p=[0.4, 0.1, 0.5])]
    legs = (random.uniform(0.35, 0.9), random.uniform(1.2, 1.7), random.uniform(1.85, 2.05))
    look['leg'] = legs[random.choice(3, p=[0.22, 0.08, 0.7])]
    hip_z = 0.12  # of the template's hips
    look['waist'] = hip_z + random.uniform(0.05, 0.14)
    look['hem'] = hip_z + random.uniform(-0.25, 0.06)
    look['neckline'] = random.uniform(0.0, 0.11)
    look['shoe'] = random.choice([1.9, 1.85, 1.6], p=[0.6, 0.25, 0.15])
    look['open'] = random.choice([0, random.uniform(0.02, 0.07)], p=[0.7, 0.3])
    look['folds'] = random.uniform(0.1, 0.5)
    look['seed'] = random.integers(1 << 20)
    patterns = ('plain', 'plain', 'plain', 'bands', 'checks', 'uprights', 'blotches', 'dots')
    upper = random_material(random, patterns, 0.65, 0.09)
    lower = random_material(random, ('plain', 'plain', 'plain', 'blotches', 'checks'), 0.35, 0.08)
    shoes = random_material(random, ('plain',), 0.3)
    if random.random() < 0.06:  # a dress or an overall
        lower = upper
    coat = random.random() < 0.3
    return Outfit(
        look,
        np.array([upper, lower, shoes], MATERIAL),
        random.uniform(0.01, 0.035) if coat else random.uniform(0.003, 0.012),
        random.uniform(0.003, 0.03),
        random.uniform(0.01, 0.035) if long_hair else random.uniform(0.003, 0.02),
    )


def offsets_m(outfit: Outfit, regions: Regions) -> NDArray[np.float32]:
    """Return the offset of each vertex's surface from the skin, ``(V,)`` m, without steps."""
    look, place, part = outfit.look, regions.place, regions.part
    z, bones = place[:, 2], place[:, 3]

    def ramp(value: NDArray[np.float32], width: float) -> NDArray[np.float32]:
        return np.asarray(np.clip(value / width + 0.5, 0, 1), np.float32)

    offset = np.zeros(len(place), np.float32)
    torso, arm, leg = part == TORSO, part == ARM, part == LEG
    covered = ramp(z - look['hem'], 0.02) * (1 - ramp(z - regions.neck[2] + 0.02, 0.04))
    offset[torso] = (outfit.upper_m * covered)[torso]
    offset[arm] = (outfit.upper_m * (1 - ramp(bones - look['sleeve'], 0.1)))[arm]
    # Loose around the calf, less so at the top.
    loose = outfit.lower_m * (0.4 + 0.6 * np.clip(bones, 0, 2) / 2)
    offset[leg] = (loose * (1 - ramp(bones - look['leg'], 0.1)))[leg]
    offset[leg | torso] = np.maximum(offset, 0.002)[leg | torso]
    offset[part == FOOT] = 0.008
    head = np.isin(part, (HEAD, NECK))
    hair = ramp(z - hairline(look, place[:, 1], regions), 0.02)
    offset[head] = (outfit.hair_m * hair)[head]
    return offset


def hairline(
    look: NDArray[np.void], y: NDArray[np.float32], regions: Regions
) -> NDArray[np.float32]:
    """Return the height of the lower edge of the hair, from the face to the back of the head."""
    back = np.clip((y - regions.eye[1] - 0.035) / 0.05, 0, 1)
    front = float(look['hair_front'])
    return np.asarray(front + (float(look['hair_back']) - front) * back, np.float32)
