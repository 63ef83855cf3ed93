"""Colour people pixel by pixel: clothes, skin and hair by the place on the body."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from training.render.materials import blend, noise
from training.render.raster import Surfaces
from training.render.regions import ARM, EYE, FOOT, HEAD, LEG, NECK, TORSO, Regions
from training.render.wardrobe import Outfit

# Codes of what covers a place: one of the three garments, or a plain colour.
UPPER, LOWER, SHOES, SKIN, LIPS, HAIR, PUPIL, WHITE, INNER, SOCK, BEARD = range(11)
# Sizes on the template's face, m.
_BROW, _EYELID, _PUPIL, _LIPS = (0.018, 0.0045), (0.013, 0.006), 0.006, (0.022, 0.008)


def colour_person(
    colour: NDArray[np.float32],
    surfaces: Surfaces,
    owner: int,
    regions: Regions,
    outfit: Outfit,
    normals: NDArray[np.floating],
) -> None:
    """Write colours, and normals into the surfaces, of the pixels of one person.

    Parameters
    ----------
    colour
        ``(H, W, 3)``, written.
    surfaces
        The nearest surface of each pixel.
    owner
        Code of the person's pixels.
    regions, outfit
        Of the body.
    normals
        ``(V, 3)`` of its vertices, world.
    """
    _colour(
        (colour, surfaces.normal),
        (surfaces.owner, surfaces.material, surfaces.place),
        owner,
        (regions.faces, regions.face_part, regions.place, normals),
        (regions.eye, regions.mouth, regions.neck),
        (outfit.look, outfit.garments, _palette(outfit.look)),
    )


def _palette(look: NDArray[np.void]) -> NDArray[np.float32]:
    """Return the plain colours, BGR, in the order above; those of garments are not used."""
    colours = np.zeros((BEARD + 1, 3), np.float32)
    for code, name in (
        (SKIN, 'skin'), (LIPS, 'lips'), (HAIR, 'hair'), (PUPIL, 'eyes'), (INNER, 'inner'),
        (SOCK, 'sock'),
    ):  # fmt: skip
        colours[code] = look[name]
    colours[WHITE] = 0.6
    colours[BEARD] = (1 - look['beard']) * look['skin'] + look['beard'] * look['hair']
    return colours


@numba.njit(cache=True, fastmath=True)
def _colour(written, seen, owner, body, marks, clothing):
    colour, normal = written
    owners, face, weight = seen
    faces, parts, place, normals = body
    look, garments, palette = clothing
    h, w = owners.shape
    at, n = np.empty(5), np.empty(3)
    for y in range(h):
        for x in range(w):
            if owners[y, x] != owner:
                continue
            f = face[y, x]
            _interpolate(at, faces[f], weight[y, x], place)
            _interpolate(n, faces[f], weight[y, x], normals)
            code = _covers(parts[f], at, look, marks)
            if code <= SHOES:
                _cloth(colour[y, x], n, garments[code], parts[f], at, look)
            else:
                bright = 1.0
                if code == HAIR:
                    bright = 0.8 + 0.5 * noise(90 * at[0], 25 * at[1], 12 * at[2], look.seed)
                for k in range(3):
                    colour[y, x, k] = palette[code, k] * bright
            length = np.sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]) + 1e-9
            for k in range(3):
                normal[y, x, k] = n[k] / length


@numba.njit(cache=True, fastmath=True)
def _interpolate(value, corners, weights, of_vertices):
    """Write the weighted mean of the vertices of one face."""
    value[:] = 0
    for corner in range(3):
        for k in range(len(value)):
            value[k] += weights[corner] * of_vertices[corners[corner], k]


@numba.njit(cache=True, fastmath=True)
def _cloth(colour, n, m, part, at, look):
    """Colour a garment; its folds are light and dark, and tilt the surface."""
    # Patterns follow arms and legs.
    along = -at[4] if part in (ARM, LEG) else at[2]
    share, bright = blend(m, at[0], 0.3 * at[1], along)
    fold = look.folds * (noise(14 * at[0], 14 * at[1], 9 * at[2], look.seed) - 0.5)
    for k in range(3):
        colour[k] = bright * (1 + fold) * (m.first[k] * (1 - share) + m.second[k] * share)
    n[0] += fold
    n[2] += 0.5 * fold


@numba.njit(cache=True, fastmath=True)
def _covers(part, at, look, marks):
    """Return the code of what covers a place."""
    eye, mouth, neck = marks
    if part == EYE:
        off = (abs(at[0]) - eye[0]) ** 2 + (at[2] - eye[2]) ** 2
        return PUPIL if off < _PUPIL * _PUPIL else WHITE
    if part in (HEAD, NECK):
        return _head(part, at, look, eye, mouth, neck)
    if part == TORSO:
        return _torso(at, look, neck)
    if part == ARM:
        return UPPER if at[3] < look.sleeve else SKIN
    if part in (LEG, FOOT):
        return _leg(part, at, look)
    return SKIN


@numba.njit(cache=True, fastmath=True)
def _head(part, at, look, eye, mouth, neck):
    x, y, z = abs(at[0]), at[1], at[2]
    back = min(1.0, max(0.0, (y - eye[1] - 0.035) / 0.05))
    line = look.hair_front + (look.hair_back - look.hair_front) * back
    if z > line + 0.01 * (noise(60 * at[0], 60 * y, 60 * z, look.seed) - 0.5):
        return HAIR
    if part == NECK:
        collar = z < neck[2] + 0.02 - look.neckline and look.open == 0
        return UPPER if collar else SKIN
    front = y < eye[1] + 0.01
    if front and ((x - eye[0]) / _BROW[0]) ** 2 + ((z - eye[2] - 0.017) / _BROW[1]) ** 2 < 1:
        return HAIR
    if front and ((x - eye[0]) / _EYELID[0]) ** 2 + ((z - eye[2]) / _EYELID[1]) ** 2 < 1:
        return PUPIL
    if y < mouth[1] + 0.02 and (x / _LIPS[0]) ** 2 + ((z - mouth[2]) / _LIPS[1]) ** 2 < 1:
        return LIPS
    chin = z < mouth[2] + 0.02 and y < eye[1] + 0.07 and (x > 0.01 or z < mouth[2])
    return BEARD if chin and look.beard > 0 else SKIN


@numba.njit(cache=True, fastmath=True)
def _torso(at, look, neck):
    x, y, z = abs(at[0]), at[1], at[2]
    throat = (x / 0.9) ** 2 + (z - neck[2]) ** 2
    if z > neck[2] - 0.2 and throat < (0.05 + look.neckline) ** 2 and y < neck[1] + 0.03:
        return SKIN
    if z <= look.hem:
        return LOWER
    return INNER if look.open > 0 and x < look.open and y < neck[1] else UPPER


@numba.njit(cache=True, fastmath=True)
def _leg(part, at, look):
    bones = at[3]
    if part == FOOT or bones > look.shoe:
        return SHOES
    if bones < look.leg:
        # A long upper garment covers the thighs.
        return UPPER if at[2] > look.hem else LOWER
    return SOCK if bones > 1.72 else SKIN
