"""People whose keypoints are known in the image and in space, and how well they may be seen."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark import accuracy_2d
from pose3d_ros.camera import CameraPose, Intrinsics
from pose3d_ros.people import K, People2D, People3D
from pose3d_ros.skeleton import PANOPTIC19

Array = NDArray[np.float64]

PELVIS = PANOPTIC19.index('pelvis')
BELOW_DESK = np.array([k.endswith(('hip', 'knee', 'ankle')) for k in PANOPTIC19.keypoints])
# Title of the row, by the beginning of an image's group.
GROUPS = {
    'h36m': 'Human3.6M',
    'mpi_inf_3dhp': 'MPI-INF-3DHP',
    'panoptic': 'Panoptic',
    'pose2sim': 'Pose2Sim',
}
# Of the calibration published with the recordings of Pose2Sim (Calib_qualisys.toml; z is up, and
# 0 where the people stand).
POSE2SIM_VIEWS = {
    'pose2sim_cam01': CameraPose(np.array([0.2144, -0.8987, -0.3826]), 1.897),
    'pose2sim_cam02': CameraPose(np.array([-0.0430, -0.9489, -0.3126]), 1.691),
}


@dataclass(frozen=True)
class Scene:
    """What one camera sees at one time, N people.

    Parameters
    ----------
    group
        Title of the rows that it counts in.
    people
        As labelled, hidden keypoints too, with scores of 1 and without the pelvis, which no 2D
        network gives.
    visible
        ``(N, K)``, which keypoints can be seen, or are confirmed, in this very view.
    xyz_m
        ``(N, K, 3)`` m in the camera optical frame. NaN: not known.
    intrinsics
        Of the camera.
    view
        How the camera stands; None where that is not known.
    image
        The labels of the image; None where there is no image.
    """

    group: str
    people: People2D
    visible: NDArray[np.bool_]
    xyz_m: Array
    intrinsics: Intrinsics
    view: CameraPose | None
    image: accuracy_2d.Truth | None = None


class StudioCamera(NamedTuple):
    """A camera of CMU's studio: ``x_camera = rotation @ x_studio + translation_m``, y is down."""

    intrinsics: Intrinsics
    size: tuple[int, int]
    rotation: Array
    translation_m: Array

    def view(self) -> CameraPose:
        """How it stands; the studio's floor is at 0."""
        height_m = (self.rotation.T @ self.translation_m)[1]
        return CameraPose(-self.rotation[:, 1], float(height_m))


def read(folder: Path) -> list[Scene]:
    """Everything in a folder that has a truth in space: motion capture first, then images.

    The same studio's cameras took the motion capture and the images of Panoptic: where people of
    one image are in the others puts the cameras within 0.3 degrees and 12 mm of where the motion
    capture's calibration has them, so its up and its heights hold for both.
    """
    scenes: list[Scene] = []
    views = dict(POSE2SIM_VIEWS)
    for file in sorted((folder / 'sequences_3d').glob('*.json')):
        recording = json.loads(file.read_text())
        cameras = {c['name']: _studio_camera(c) for c in recording['cameras']}
        views |= {name: camera.view() for name, camera in cameras.items()}
        for frame in recording['frames']:
            named = [person['keypoints_3d_world_cm'] for person in frame['people']]
            people_m = np.array([accuracy_2d.points(p, 3) for p in named]).reshape(-1, K, 3) / 100
            scenes += [_seen(people_m, camera) for camera in cameras.values()]
    for image in accuracy_2d.read(folder):
        if image.intrinsics is None or not np.isfinite(image.xyz_m).any():
            continue
        name = image.path.name
        group = next((g for start, g in GROUPS.items() if name.startswith(start)), image.row)
        view = next((v for key, v in views.items() if f'_{key}_' in f'_{name}'), None)
        people = seen_as(image.xy_px)
        scenes.append(
            Scene(group, people, image.visible, image.xyz_m, image.intrinsics, view, image)
        )
    return scenes


def _studio_camera(camera: dict[str, Any]) -> StudioCamera:
    k = camera['K']
    return StudioCamera(
        Intrinsics(k[0][0], k[1][1], k[0][2], k[1][2]),
        (camera['width'], camera['height']),
        np.array(camera['R']),
        np.array(camera['t_cm']) / 100,
    )


def _seen(people_m: Array, camera: StudioCamera) -> Scene:
    """People as one camera sees them, its lens left out, those of their keypoints in the image."""
    xyz_m = people_m @ camera.rotation.T + camera.translation_m
    xy_px = camera.intrinsics.project(xyz_m)
    inside = (xyz_m[..., 2] > 0) & ((xy_px >= 0) & (xy_px < camera.size)).all(-1)
    people = seen_as(np.where(inside[..., np.newaxis], xy_px, np.nan))
    return Scene('motion capture', people, inside, xyz_m, camera.intrinsics, camera.view())


def seen_as(xy_px: Array) -> People2D:
    """Make people of labels ``(N, K, 2)``, NaN: not labelled; sure of what they have."""
    xy_px = xy_px.copy()
    xy_px[:, PELVIS] = np.nan
    seen = np.isfinite(xy_px[..., 0])
    return People2D(xy_px, seen.astype(float), np.ones(len(xy_px)))


def size_px(people: People2D) -> Array:
    """Size of each person, ``(N,)``: the longer side of the box of the keypoints."""
    known = people.detected[..., np.newaxis]
    low = np.where(known, people.xy_px, np.inf).min(axis=1)
    high = np.where(known, people.xy_px, -np.inf).max(axis=1)
    return np.asarray(np.maximum(high - low, 0).max(axis=1))


def only(people: People2D, kept: NDArray[np.bool_]) -> People2D:
    """People with some of their keypoints, ``(N, K)``."""
    xy_px = np.where(kept[..., np.newaxis], people.xy_px, np.nan)
    return replace(people, xy_px=xy_px, scores=np.where(kept, people.scores, 0))


def as_labelled(scene: Scene, rng: np.random.Generator) -> People2D:
    """Give them as they are."""
    return scene.people


def visible_alone(scene: Scene, rng: np.random.Generator) -> People2D:
    """Leave out what is hidden, or not confirmed in this view."""
    return only(scene.people, scene.visible)


def upper_body(scene: Scene, rng: np.random.Generator) -> People2D:
    """Leave out hips and legs, as a desk does."""
    return only(scene.people, np.broadcast_to(~BELOW_DESK, scene.visible.shape))


def noisy(share: float) -> Degrade:
    """Keypoints off by normal noise, in x and in y, of that share of the person's size."""

    def degrade(scene: Scene, rng: np.random.Generator) -> People2D:
        xy_px = scene.people.xy_px
        sd_px = share * size_px(scene.people)[:, np.newaxis, np.newaxis]
        return replace(scene.people, xy_px=xy_px + sd_px * rng.normal(size=xy_px.shape))

    return degrade


def thinned(share: float) -> Degrade:
    """Each keypoint is missing with that probability."""

    def degrade(scene: Scene, rng: np.random.Generator) -> People2D:
        return only(scene.people, rng.random(scene.visible.shape) >= share)

    return degrade


# From what is seen of a scene, and how its camera stands if that may be used.
Lift = Callable[[Scene, People2D, CameraPose | None], People3D]
Degrade = Callable[[Scene, np.random.Generator], People2D]


class Condition(NamedTuple):
    """How labelled people are shown to whatever lifts them, and whether the camera's pose is."""

    title: str
    degrade: Degrade
    with_view: bool = False


CONDITIONS = (
    Condition('labelled', as_labelled),
    Condition('labelled, camera pose known', as_labelled, with_view=True),
    Condition('labelled, visible alone', visible_alone),
    Condition('labelled, upper body alone', upper_body),
    Condition('2 % noise', noisy(0.02)),
    Condition('5 % noise', noisy(0.05)),
    Condition('30 % missing', thinned(0.3)),
)


def shown(
    scenes: list[Scene], condition: Condition, seed: int
) -> Iterator[tuple[Scene, People2D]]:
    """Scenes and what is seen of their people; the same for a seed, whoever asks."""
    for i, scene in enumerate(scenes):
        if scene.view is not None or not condition.with_view:
            yield scene, condition.degrade(scene, np.random.default_rng((seed, i)))
