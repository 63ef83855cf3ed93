"""People with known 2D and 3D keypoints, and the conditions under which they are lifted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import CameraPose, Intrinsics
from pose3d_ros.evaluation.annotations import (
    LabelledImage,
    intrinsics_from_matrix,
    keypoints_by_name,
    read_images,
)
from pose3d_ros.people import K, People2D, People3D
from pose3d_ros.skeleton import PANOPTIC19

Array = NDArray[np.float64]

PELVIS = PANOPTIC19.index('pelvis')
BELOW_DESK = np.array([k.endswith(('hip', 'knee', 'ankle')) for k in PANOPTIC19.keypoints])
# Title of the table row, by the beginning of an image's name.
GROUPS = {
    'h36m': 'Human3.6M',
    'mpi_inf_3dhp': 'MPI-INF-3DHP',
    'panoptic': 'Panoptic',
    'pose2sim': 'Pose2Sim',
}
# From the calibration published with the recordings of Pose2Sim (Calib_qualisys.toml; its z axis
# points up and is 0 at the floor).
POSE2SIM_CAMERAS = {
    'pose2sim_cam01': CameraPose(np.array([0.2144, -0.8987, -0.3826]), 1.897),
    'pose2sim_cam02': CameraPose(np.array([-0.0430, -0.9489, -0.3126]), 1.691),
}


@dataclass(frozen=True)
class Scene:
    """N people in one camera at one time.

    Parameters
    ----------
    group
        Title of the table rows that it counts in.
    people
        As labelled, hidden keypoints included, with scores of 1 and without the pelvis, which 2D
        networks do not detect.
    visible
        ``(N, K)``, keypoints that are visible, or confirmed, in this view.
    xyz_m
        ``(N, K, 3)`` m in the camera optical frame. NaN: unknown.
    intrinsics
        Of the camera.
    camera_pose
        Attitude and height of the camera; None: unknown.
    image
        The labels of the image; None where there is no image.
    """

    group: str
    people: People2D
    visible: NDArray[np.bool_]
    xyz_m: Array
    intrinsics: Intrinsics
    camera_pose: CameraPose | None
    image: LabelledImage | None = None


class StudioCamera(NamedTuple):
    """A camera of CMU's studio: ``x_camera = rotation @ x_studio + translation_m``, y is down."""

    intrinsics: Intrinsics
    size: tuple[int, int]
    rotation: Array
    translation_m: Array

    def pose(self) -> CameraPose:
        """Return attitude and height; the studio's floor is at 0."""
        height_m = (self.rotation.T @ self.translation_m)[1]
        return CameraPose(-self.rotation[:, 1], float(height_m))


def read_scenes(folder: Path) -> list[Scene]:
    """Read all scenes with 3D truth in a folder: motion capture first, then images.

    The same studio's cameras recorded the motion capture and the images of Panoptic. Triangulating
    the people of these images puts the cameras within 0.3 degrees and 12 mm of the motion
    capture's calibration, so its camera poses hold for both.
    """
    scenes: list[Scene] = []
    poses = dict(POSE2SIM_CAMERAS)
    for file in sorted((folder / 'sequences_3d').glob('*.json')):
        recording = json.loads(file.read_text())
        cameras = {c['name']: _studio_camera(c) for c in recording['cameras']}
        poses |= {name: camera.pose() for name, camera in cameras.items()}
        for frame in recording['frames']:
            named = [person['keypoints_3d_world_cm'] for person in frame['people']]
            people_m = np.array([keypoints_by_name(p, 3) for p in named]).reshape(-1, K, 3) / 100
            scenes += [_scene_in_camera(people_m, camera) for camera in cameras.values()]
    for image in read_images(folder):
        if image.intrinsics is None or not np.isfinite(image.xyz_m).any():
            continue
        name = image.path.name
        group = next((g for start, g in GROUPS.items() if name.startswith(start)), image.group)
        pose = next((v for key, v in poses.items() if f'_{key}_' in f'_{name}'), None)
        people = people_from_labels(image.xy_px)
        scenes.append(
            Scene(group, people, image.visible, image.xyz_m, image.intrinsics, pose, image)
        )
    return scenes


def _studio_camera(camera: dict[str, Any]) -> StudioCamera:
    return StudioCamera(
        intrinsics_from_matrix(camera['K']),
        (camera['width'], camera['height']),
        np.array(camera['R']),
        np.array(camera['t_cm']) / 100,
    )


def _scene_in_camera(people_m: Array, camera: StudioCamera) -> Scene:
    """Project people into one camera, without its lens; keypoints outside the image are NaN."""
    xyz_m = people_m @ camera.rotation.T + camera.translation_m
    xy_px = camera.intrinsics.project(xyz_m)
    inside = (xyz_m[..., 2] > 0) & ((xy_px >= 0) & (xy_px < camera.size)).all(-1)
    people = people_from_labels(np.where(inside[..., np.newaxis], xy_px, np.nan))
    return Scene('motion capture', people, inside, xyz_m, camera.intrinsics, camera.pose())


def people_from_labels(xy_px: Array) -> People2D:
    """Make people of labels ``(N, K, 2)`` with scores of 1; the pelvis is removed.

    NaN: not labelled.
    """
    xy_px = xy_px.copy()
    xy_px[:, PELVIS] = np.nan
    labelled = np.isfinite(xy_px[..., 0])
    return People2D(xy_px, labelled.astype(float), np.ones(len(xy_px)))


def size_px(people: People2D) -> Array:
    """Return the longer side of each person's bounding box, ``(N,)``."""
    known = people.detected[..., np.newaxis]
    low = np.where(known, people.xy_px, np.inf).min(axis=1)
    high = np.where(known, people.xy_px, -np.inf).max(axis=1)
    return np.asarray(np.maximum(high - low, 0).max(axis=1))


def keep_keypoints(people: People2D, kept: NDArray[np.bool_]) -> People2D:
    """Return people with the keypoints ``(N, K)`` only; the others become NaN with score 0."""
    xy_px = np.where(kept[..., np.newaxis], people.xy_px, np.nan)
    return replace(people, xy_px=xy_px, scores=np.where(kept, people.scores, 0))


def as_labelled(scene: Scene, rng: np.random.Generator) -> People2D:
    """Return all labelled keypoints."""
    return scene.people


def visible_only(scene: Scene, rng: np.random.Generator) -> People2D:
    """Remove keypoints that are hidden or not confirmed in this view."""
    return keep_keypoints(scene.people, scene.visible)


def upper_body(scene: Scene, rng: np.random.Generator) -> People2D:
    """Remove hips and legs, as a desk hides them."""
    return keep_keypoints(scene.people, np.broadcast_to(~BELOW_DESK, scene.visible.shape))


def add_noise(share: float) -> Degrade:
    """Return a function that adds normal noise to x and y.

    Its standard deviation is `share` of the person's size.
    """

    def degrade(scene: Scene, rng: np.random.Generator) -> People2D:
        xy_px = scene.people.xy_px
        sd_px = share * size_px(scene.people)[:, np.newaxis, np.newaxis]
        return replace(scene.people, xy_px=xy_px + sd_px * rng.normal(size=xy_px.shape))

    return degrade


def remove_at_random(share: float) -> Degrade:
    """Return a function that removes each keypoint with probability `share`."""

    def degrade(scene: Scene, rng: np.random.Generator) -> People2D:
        return keep_keypoints(scene.people, rng.random(scene.visible.shape) >= share)

    return degrade


# Lifts the 2D people of a scene; the camera pose is None where it must not be used.
Lift = Callable[[Scene, People2D, CameraPose | None], People3D]
Degrade = Callable[[Scene, np.random.Generator], People2D]


class Condition(NamedTuple):
    """How keypoints are degraded before lifting, and whether the camera's pose is known."""

    title: str
    degrade: Degrade
    with_camera_pose: bool = False


CONDITIONS = (
    Condition('labelled', as_labelled),
    Condition('labelled, camera pose known', as_labelled, with_camera_pose=True),
    Condition('labelled, visible alone', visible_only),
    Condition('labelled, upper body alone', upper_body),
    Condition('labelled, upper body alone, camera pose known', upper_body, with_camera_pose=True),
    Condition('2 % noise', add_noise(0.02)),
    Condition('5 % noise', add_noise(0.05)),
    Condition('30 % missing', remove_at_random(0.3)),
)


def degraded(
    scenes: list[Scene], condition: Condition, seed: int
) -> Iterator[tuple[Scene, People2D]]:
    """Yield scenes with their degraded people; the noise depends on the seed and scene only."""
    for i, scene in enumerate(scenes):
        if scene.camera_pose is not None or not condition.with_camera_pose:
            yield scene, condition.degrade(scene, np.random.default_rng((seed, i)))
