"""Map vertices and faces to regions of the body; all shapes share one template."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from training.bodies import BodyModel

TORSO, ARM, HAND, LEG, FOOT, NECK, HEAD, EYE = range(8)
_PARTS = {
    'upperarm': ARM, 'lowerarm': ARM, 'wrist': HAND, 'finger': HAND, 'metacarpal': HAND,
    'upperleg': LEG, 'lowerleg': LEG, 'foot': FOOT, 'toe': FOOT, 'neck': NECK, 'eye': EYE,
    'pelvis': TORSO, 'root': TORSO, 'spine': TORSO, 'breast': TORSO, 'clavicle': TORSO,
    'shoulder': TORSO,
}  # fmt: skip


@dataclass(frozen=True)
class Regions:
    """Region and position on the body of each vertex and face.

    Parameters
    ----------
    place
        ``(V, 5)`` float32: x, y, z of the template, m (to the left, to the back, up); how far down
        the arm (0 shoulder, 1 elbow, 2 wrist) or the leg (0 hip, 1 knee, 2 ankle); the same again
        in m.
    part
        ``(V,)`` int32, TORSO to EYE.
    face_part
        ``(F,)`` int32.
    faces
        ``(F, 3)`` int32, counter-clockwise seen from outside.
    eye, mouth, neck
        ``(3,)`` m, of the template: the left eye, the mouth, the hollow of the throat.
    """

    place: NDArray[np.float32]
    part: NDArray[np.int32]
    face_part: NDArray[np.int32]
    faces: NDArray[np.int32]
    eye: NDArray[np.float64]
    mouth: NDArray[np.float64]
    neck: NDArray[np.float64]

    @classmethod
    def of(cls, model: BodyModel) -> Regions:
        """Derive the regions from the bones that move each vertex."""
        anny = model.anny
        bones = anny.template_bone_heads.numpy().astype(np.float64)
        xyz = anny.template_vertices.numpy().astype(np.float64)
        names = list(anny.bone_labels)

        def bone(name: str) -> NDArray[np.float64]:
            return np.asarray(bones[names.index(name)])

        of_bone = [
            next((part for start, part in _PARTS.items() if name.startswith(start)), HEAD)
            for name in names
        ]
        heaviest = anny.vertex_bone_weights.numpy().argmax(1)[:, np.newaxis]
        strongest = np.take_along_axis(anny.vertex_bone_indices.numpy(), heaviest, 1)[:, 0]
        part = np.array(of_bone, np.int32)[strongest]
        place = np.zeros((len(xyz), 5), np.float32)
        place[:, :3] = xyz
        mirrored = np.abs(xyz[:, :1]) * [1, 0, 0] + xyz * [0, 1, 1]
        for parts, chain in (
            ((ARM, HAND), ('upperarm01.L', 'lowerarm01.L', 'wrist.L')),
            ((LEG, FOOT), ('upperleg01.L', 'lowerleg01.L', 'foot.L')),
        ):
            rows = np.isin(part, parts)
            place[rows, 3:] = _along(mirrored[rows], np.array([bone(name) for name in chain]))
        faces = np.asarray(model.faces, np.int32)
        if faces.shape[1] == 4:
            faces = np.concatenate([faces[:, [0, 1, 2]], faces[:, [0, 2, 3]]])
        eye = bone('eye.L')
        face = (part == HEAD) & (np.abs(xyz[:, 0]) < 0.01)
        mouth_z = eye[2] - 0.065
        near = face & (np.abs(xyz[:, 2] - mouth_z) < 0.01)
        mouth = np.array([0, xyz[near, 1].min(), mouth_z])
        neck = bone('neck01')
        return cls(place, part, np.sort(part[faces], axis=1)[:, 1], faces, eye, mouth, neck)


def _along(xyz: NDArray[np.float64], chain: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the position along a chain of three joints, in bones and in m, ``(n, 2)``."""
    bone = np.diff(chain, axis=0)
    length = np.linalg.norm(bone, axis=1)
    upper, lower = (((xyz - chain[i]) @ bone[i]) / length[i] ** 2 for i in (0, 1))
    # Past the middle joint if the lower bone determines it.
    bones = np.where(lower > 0, 1 + lower, np.minimum(upper, 1))
    metres = np.minimum(bones, 1) * length[0] + np.maximum(bones - 1, 0) * length[1]
    return np.stack([bones, metres], axis=1)


def vertex_normals(
    vertices_m: NDArray[np.floating], faces: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Return unit normals ``(V, 3)``: the area-weighted mean of the adjacent faces."""
    return np.asarray(_vertex_normals(np.ascontiguousarray(vertices_m, np.float64), faces))


@numba.njit(cache=True, fastmath=True)
def _vertex_normals(xyz, faces):
    normals = np.zeros_like(xyz)
    for f in range(len(faces)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        px, py, pz = xyz[b, 0] - xyz[a, 0], xyz[b, 1] - xyz[a, 1], xyz[b, 2] - xyz[a, 2]
        qx, qy, qz = xyz[c, 0] - xyz[a, 0], xyz[c, 1] - xyz[a, 1], xyz[c, 2] - xyz[a, 2]
        nx, ny, nz = py * qz - pz * qy, pz * qx - px * qz, px * qy - py * qx
        for v in (a, b, c):
            normals[v, 0] += nx
            normals[v, 1] += ny
            normals[v, 2] += nz
    for v in range(len(normals)):
        n = normals[v]
        length = np.sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]) + 1e-12
        normals[v] = n / length
    return normals
