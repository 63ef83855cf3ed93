"""Sample bodies over ages and builds, as joints, keypoints and meshes.

The body model is anny (arXiv 2511.03589; code Apache-2.0, data CC0) in a topology of its own,
never one of its SMPL-like ones. World frame: x to the left of a person who faces -y, z up, metres;
the root is the origin.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pose3d_ros.skeleton import PANOPTIC19

Array = NDArray[np.float32]

# Joints that poses rotate: name, parent, bone of the body model. Joints between them stay fixed.
_TRUNK = (
    ('pelvis', '', 'root'),
    ('lumbar', 'pelvis', 'spine05'),
    ('thorax', 'lumbar', 'spine03'),
    ('chest', 'thorax', 'spine01'),
    ('neck', 'chest', 'neck01'),
    ('head', 'neck', 'head'),
)
_SIDE = (
    ('{}_clavicle', 'chest', 'clavicle'),
    ('{}_shoulder', '{}_clavicle', 'upperarm01'),
    ('{}_elbow', '{}_shoulder', 'lowerarm01'),
    ('{}_wrist', '{}_elbow', 'wrist'),
    ('{}_hip', 'pelvis', 'upperleg01'),
    ('{}_knee', '{}_hip', 'lowerleg01'),
    ('{}_ankle', '{}_knee', 'foot'),
)
_RIG = _TRUNK + tuple(
    (joint.format(side), parent.format(side), f'{bone}.{side[0].upper()}')
    for side in ('left', 'right')
    for joint, parent, bone in _SIDE
)
JOINTS = tuple(name for name, _, _ in _RIG)
PARENTS = tuple(JOINTS.index(parent) if parent else -1 for _, parent, _ in _RIG)
# The joint with which each keypoint moves.
_MOVES_WITH = {
    'neck': 'chest', 'pelvis': 'pelvis', 'left_shoulder': 'left_clavicle',
    'right_shoulder': 'right_clavicle', 'left_hip': 'pelvis', 'right_hip': 'pelvis',
    **{f'{side}_{a}': f'{side}_{b}' for side in ('left', 'right')
       for a, b in (('elbow', 'shoulder'), ('wrist', 'elbow'), ('knee', 'hip'),
                    ('ankle', 'knee'))},
}  # fmt: skip
MOVES_WITH = tuple(JOINTS.index(_MOVES_WITH.get(name, 'head')) for name in PANOPTIC19.keypoints)

# Heights of adults, m: mean and standard deviation.
ADULT_HEIGHT_M, ADULT_HEIGHT_SD_M = 1.70, 0.09
CHILDREN = 0.1
# anny's ages: 0 is a baby, 1/3 a child, 2/3 a young adult, 1 an old one.
CHILD_AGES, ADULT_AGES = (0.1, 0.5), (0.55, 1.0)
EYE_RADIUS_M = 0.012
# From the outermost point of the ear to its centre, towards face and head, m.
EAR_M = (0.008, 0.015)
# Positions of keypoints differ between annotators and between networks, most at the hips, which
# are never visible: for each person, the same for both sides, factors of the width and offsets
# (back, up) in m for a person of 1.70 m; and the remaining standard deviation, m.
_WIDTHS = {'hip': (0.75, 1.3), 'shoulder': (0.78, 1.08)}
_OFFSETS_M = {
    'hip': ((-0.03, 0.03), (-0.08, 0.05)),
    'shoulder': ((-0.02, 0.02), (-0.03, 0.03)),
    'elbow': ((-0.015, 0.015), (-0.015, 0.015)),
    'wrist': ((-0.015, 0.015), (-0.015, 0.015)),
    'knee': ((-0.03, 0.02), (-0.03, 0.03)),
    'ankle': ((-0.02, 0.02), (-0.02, 0.04)),
    'eye': ((-0.01, 0.01), (-0.01, 0.01)),
    'ear': ((-0.02, 0.02), (-0.02, 0.02)),
}
KEYPOINT_SD_M = 0.004
# Standard deviations of bone lengths beyond those of the body model, and the joint at the end of
# each bone.
_BONES_SD = {
    'spine': 0.07, 'neck': 0.1, 'shoulders': 0.06, 'upper_arm': 0.06, 'forearm': 0.06,
    'thigh': 0.06, 'shank': 0.06, 'hips': 0.08, 'face': 0.08,
}  # fmt: skip
_BONE_OF = {
    'pelvis': 'spine', 'lumbar': 'spine', 'thorax': 'spine', 'chest': 'spine', 'neck': 'spine',
    'head': 'neck', 'clavicle': 'spine', 'shoulder': 'shoulders', 'elbow': 'upper_arm',
    'wrist': 'forearm', 'hip': 'hips', 'knee': 'thigh', 'ankle': 'shank',
}  # fmt: skip
BATCH = 256

_K = {name: i for i, name in enumerate(PANOPTIC19.keypoints)}


@dataclass(frozen=True)
class Shapes:
    """Shapes of n bodies, in the model's reference pose (arms half down).

    Parameters
    ----------
    phenotypes
        ``(n, 6)``, anny's, in the order of its `phenotype_labels`.
    scale
        ``(n,)``, by which the model's body is enlarged.
    height_m
        ``(n,)``, standing, from sole to crown.
    joints_m
        ``(n, J, 3)`` of ``JOINTS``.
    keypoints_m
        ``(n, K, 3)`` of ``PANOPTIC19``.
    """

    phenotypes: Array
    scale: Array
    height_m: Array
    joints_m: Array
    keypoints_m: Array

    def __len__(self) -> int:
        return len(self.scale)

    def take(self, indices: NDArray[np.intp]) -> Shapes:
        """Return some of the shapes, in that order."""
        return Shapes(*(getattr(self, name)[indices] for name in self.__dataclass_fields__))


class BodyModel:
    """The body model; loading takes a second, and a minute the first time on a machine.

    Parameters
    ----------
    topology
        ``'anny'``, its default, with 13718 vertices, or ``'notoes_collapse10pc'`` with 1229.
    """

    def __init__(self, topology: str = 'notoes_collapse10pc') -> None:
        # Imported here, so that poses and cameras can be used without it.
        import anny

        self.anny: Any = anny.Anny(topology=topology).to(torch.float32)
        self._bones = [self.anny.bone_labels.index(bone) for _, _, bone in _RIG]
        self.faces: NDArray[np.int64] = self.anny.faces.numpy().astype(np.int64)
        self._face_vertices = self._find_face()

    def sample(self, rng: np.random.Generator, n: int, annotated: bool = True) -> Shapes:
        """Sample people of all builds, a share of ``CHILDREN`` of them children.

        With `annotated`, keypoints lie where one annotator or another puts them, not on joints.
        """
        child = rng.random(n) < CHILDREN
        age = np.where(child, rng.uniform(*CHILD_AGES, n), rng.uniform(*ADULT_AGES, n))
        drawn = {
            'gender': rng.random(n),
            'age': age,
            'muscle': rng.beta(2, 2, n),
            'weight': rng.beta(2, 2, n),
            'height': np.clip(rng.normal(0.5, 0.08, n), 0.2, 0.8),
            'proportions': rng.random(n),
        }
        phenotypes = np.stack([drawn[k] for k in self.anny.phenotype_labels], axis=1)
        joints, keypoints, heights = self._reference(phenotypes)
        adult_m = np.clip(rng.normal(ADULT_HEIGHT_M, ADULT_HEIGHT_SD_M, n), 1.4, 2.05)
        scale = np.where(child, 1, adult_m / heights).astype(np.float32)
        by = scale[:, np.newaxis, np.newaxis]
        height_m = scale * heights
        keypoints = by * keypoints
        if annotated:
            keypoints = midpoints(_annotated(rng, keypoints, height_m))
        return Shapes(phenotypes.astype(np.float32), scale, height_m, by * joints, keypoints)

    def meshes(self, shapes: Shapes, rotations: NDArray[np.floating]) -> Array:
        """Return the vertices ``(n, V, 3)`` of bodies in poses, see `posed`."""
        n = len(shapes)
        transforms = torch.eye(4).repeat(n, self.anny.bone_count, 1, 1)
        transforms[:, self._bones, :3, :3] = torch.as_tensor(rotations, dtype=torch.float32)
        with torch.no_grad():
            out = self.anny(transforms, torch.from_numpy(shapes.phenotypes))
        vertices: Array = out['vertices'].numpy() * shapes.scale[:, np.newaxis, np.newaxis]
        return vertices

    def _reference(self, phenotypes: NDArray[np.floating]) -> tuple[Array, Array, Array]:
        """Return joints, keypoints and heights of shapes in the reference pose."""
        parts: list[tuple[Array, Array, Array]] = []
        for first in range(0, len(phenotypes), BATCH):
            some = torch.as_tensor(phenotypes[first : first + BATCH], dtype=torch.float32)
            with torch.no_grad():
                out = self.anny(phenotype_kwargs=some)
            bones = out['bone_poses'][..., :3, 3].numpy()
            vertices = out['vertices'].numpy()
            joints = bones[:, self._bones]
            parts.append((joints, self._keypoints(bones, joints, vertices), _extent_m(vertices)))
        return tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))  # type: ignore[return-value]

    def _keypoints(self, bones: Array, joints: Array, vertices: Array) -> Array:
        """Return keypoints in the reference pose: joints, and points on the skin of the face."""
        keypoints = np.zeros((len(joints), len(PANOPTIC19), 3), np.float32)
        for name in set(PANOPTIC19.keypoints) & set(JOINTS):
            keypoints[:, _K[name]] = joints[:, JOINTS.index(name)]
        for name, vertex in self._face_vertices.items():
            keypoints[:, _K[name]] = vertices[:, vertex]
        for side in ('left', 'right'):
            eye = bones[:, self.anny.bone_labels.index(f'eye.{side[0].upper()}')]
            keypoints[:, _K[f'{side}_eye']] = eye - (0, EYE_RADIUS_M, 0)
            towards_head = EAR_M[0] if side == 'right' else -EAR_M[0]
            keypoints[:, _K[f'{side}_ear']] += (towards_head, -EAR_M[1], 0)
        return midpoints(keypoints)

    def _find_face(self) -> dict[str, int]:
        """Return the vertices of the tip of the nose (foremost) and of the ears (outermost)."""
        with torch.no_grad():
            out = self.anny()
        vertices = out['vertices'][0].numpy()
        eye_m = out['bone_poses'][0, self.anny.bone_labels.index('eye.L'), :3, 3].numpy()
        x, y, z = (vertices - eye_m).T
        face = np.abs(z + 0.03) < 0.05
        middle = face & (np.abs(vertices[:, 0]) < 0.02)
        return {
            'nose': int(np.where(middle, y, np.inf).argmin()),
            'left_ear': int(np.where(face, x, -np.inf).argmax()),
            'right_ear': int(np.where(face, x, np.inf).argmin()),
        }


def _annotated(rng: np.random.Generator, keypoints_m: Array, height_m: Array) -> Array:
    """Move keypoints as an annotator with an individual convention places them."""
    n = len(height_m)
    size = height_m / ADULT_HEIGHT_M
    seen = keypoints_m + rng.normal(0, KEYPOINT_SD_M, keypoints_m.shape).astype(np.float32)
    for part, (back, up) in _OFFSETS_M.items():
        width = rng.uniform(*_WIDTHS.get(part, (1, 1)), n)
        back_m, up_m = size * rng.uniform(*back, n), size * rng.uniform(*up, n)
        for side in ('left', 'right'):
            k = _K[f'{side}_{part}']
            seen[:, k, 0] *= width
            seen[:, k, 1] += back_m
            seen[:, k, 2] += up_m
    return seen


def varied(rng: np.random.Generator, shapes: Shapes) -> Shapes:
    """Vary the lengths of bones beyond the body model, the same on both sides.

    For keypoints only: `BodyModel.meshes` does not use it.
    """
    n = len(shapes)
    drawn = {part: rng.normal(1, sd, n).clip(0.75, 1.25) for part, sd in _BONES_SD.items()}
    longer = np.stack([drawn[_BONE_OF[name.split('_')[-1]]] for name in JOINTS], axis=1)
    joints_m = np.zeros_like(shapes.joints_m)
    for j, parent in enumerate(PARENTS[1:], start=1):
        bone_m = shapes.joints_m[:, j] - shapes.joints_m[:, parent]
        joints_m[:, j] = joints_m[:, parent] + longer[:, j, np.newaxis] * bone_m
    at = [JOINTS.index(name if name in JOINTS else 'head') for name in PANOPTIC19.keypoints]
    offset_m = shapes.keypoints_m - shapes.joints_m[:, at]
    larger = np.where(np.array(at) == JOINTS.index('head'), drawn['face'][:, np.newaxis], 1)
    keypoints_m = joints_m[:, at] + larger[..., np.newaxis] * offset_m
    return replace(
        shapes,
        joints_m=joints_m,
        keypoints_m=midpoints(keypoints_m.astype(np.float32)),
    )


def posed(
    shapes: Shapes, rotations: NDArray[np.floating]
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return joints ``(n, J, 3)`` and keypoints ``(n, K, 3)`` in poses, m, the root at 0.

    Parameters
    ----------
    shapes
        Of n bodies.
    rotations
        ``(n, J, 3, 3)``, of each joint with all that hangs on it, in the axes of the world while
        the body is in the reference pose.
    """
    turned = np.array(rotations)
    joints_m = np.zeros_like(shapes.joints_m)
    for j, parent in enumerate(PARENTS[1:], start=1):
        turned[:, j] = turned[:, parent] @ turned[:, j]
        bone = (shapes.joints_m[:, j] - shapes.joints_m[:, parent])[..., np.newaxis]
        joints_m[:, j] = joints_m[:, parent] + (turned[:, parent] @ bone)[..., 0]
    moves_with = list(MOVES_WITH)
    offset = (shapes.keypoints_m - shapes.joints_m[:, moves_with])[..., np.newaxis]
    keypoints_m = joints_m[:, moves_with] + (turned[:, moves_with] @ offset)[..., 0]
    return joints_m, midpoints(keypoints_m)


def midpoints(keypoints_m: NDArray[np.floating]) -> NDArray[np.floating]:
    """Set the neck to the midpoint of the shoulders and the pelvis to that of the hips."""
    keypoints_m = keypoints_m.copy()
    for name, part in (('neck', 'shoulder'), ('pelvis', 'hip')):
        ends = PANOPTIC19.indices((f'left_{part}', f'right_{part}'))
        keypoints_m[:, _K[name]] = keypoints_m[:, ends].mean(1)
    return keypoints_m


def _extent_m(vertices: Array) -> Array:
    extent: Array = np.ptp(vertices[..., 2], axis=1)
    return extent
