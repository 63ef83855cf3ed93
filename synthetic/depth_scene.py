"""Synthetic depth images of bodies made of spheres, and the faults of real depth sensors.

A body is the skeleton with spheres swept along its limbs, with a radius at every joint. Joints lie
inside the body, as people's do. Depth is found by ray casting; faults are then added one by one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import Intrinsics
from pose3d_ros.detection.letterbox import Letterbox
from pose3d_ros.images import DepthImage
from pose3d_ros.people import People3D
from pose3d_ros.skeleton import PANOPTIC19
from synthetic import test_card
from synthetic.recorded import people_from_outputs
from synthetic.scene import PELVIS, draw_outputs

Array = NDArray[np.float64]

IMAGE_HW = (480, 640)
NETWORK_HW = (256, 448)
CAMERA = Intrinsics(525, 525, 319.5, 239.5)
FIGURE_HEIGHT_M = 1.8
ASSUMED_PERSON_HEIGHT_M = 1.8
# Standard deviation of the network's errors across the view, m, for a body of 1.8 m.
NETWORK_SD_ACROSS_M = 0.01

# Radii of a body of 1.8 m, m: realistic, but deliberately not those that the package assumes; and
# the pairs of keypoints between which spheres are swept.
RADII_M = {
    'neck': 0.065, 'pelvis': 0.115, 'head': 0.06, 'shoulder': 0.062, 'elbow': 0.043,
    'wrist': 0.028, 'hip': 0.098, 'knee': 0.06, 'ankle': 0.037,
}  # fmt: skip
SWEEPS = [('neck', 'pelvis'), ('neck', 'head')]
SWEEPS += [(f'left_{part}', f'right_{part}') for part in ('shoulder', 'hip')]
SWEEPS += [
    (f'{side}_{a}', f'{side}_{b}')
    for side in ('left', 'right')
    for a, b in (
        ('shoulder', 'hip'),
        ('shoulder', 'elbow'),
        ('elbow', 'wrist'),
        ('hip', 'knee'),
        ('knee', 'ankle'),
    )
]
# The head is a sphere with the face on it, m from its centre; `fatness` does not change it.
HEAD_RADIUS_M = 0.095
HEAD_FROM_NECK_M = (0.0, -0.24, -0.02)
FACE_M = {
    'nose': (0.0, 0.02, -0.11), 'left_eye': (0.032, -0.02, -0.082),
    'right_eye': (-0.032, -0.02, -0.082), 'left_ear': (0.09, 0.0, 0.01),
    'right_ear': (-0.09, 0.0, 0.01),
}  # fmt: skip
# Joints that random poses rotate, the keypoints that rotate with them, and the largest angle, rad.
TURNS = tuple(
    (f'{side}_{joint}', tuple(f'{side}_{part}' for part in distal), rad)
    for side in ('left', 'right')
    for joint, distal, rad in (
        ('shoulder', ('elbow', 'wrist'), 1.0),
        ('elbow', ('wrist',), 1.0),
        ('hip', ('knee', 'ankle'), 0.4),
        ('knee', ('ankle',), 0.4),
    )
)
WALL_BEHIND_M = 1.2
# Steps in depth that cast a shadow, m; larger than the noise.
SHADOW_STEP_M = 0.2
# Height of the ankles above the floor, m.
SOLE_M = 0.08
# A surface this far in front of a keypoint belongs to another part of the body, m.
PART_THICKNESS_M = 0.14


def figure_m(rng: np.random.Generator | None = None, turn_rad: float = 0.0) -> Array:
    """Return a person 1.8 m tall, ``(K, 3)`` m from the pelvis; in a random pose with `rng`."""
    xyz_m = test_card.figure_m()
    index = PANOPTIC19.index
    for name, offset in FACE_M.items():
        xyz_m[index(name)] = xyz_m[index('neck')] + HEAD_FROM_NECK_M + np.array(offset)
    if rng is not None:
        for joint, distal, rad in TURNS:
            rotation, _ = cv2.Rodrigues(rng.uniform(-rad, rad, 3))
            rows, centre = PANOPTIC19.indices(distal), xyz_m[index(joint)]
            xyz_m[rows] = (xyz_m[rows] - centre) @ rotation.T + centre
    rotation, _ = cv2.Rodrigues(np.array([0.0, turn_rad, 0.0]))
    return np.asarray(xyz_m @ rotation.T)


def person_m(figure: Array, height_m: float, position_m: tuple[float, float, float]) -> Array:
    """Scale a figure to a height and put its pelvis at a position, camera optical frame."""
    return np.asarray(figure * (height_m / FIGURE_HEIGHT_M) + np.array(position_m))


def spheres_m(xyz_m: Array, height_m: float, fatness: float = 1.0) -> Array:
    """Return a body as spheres ``(M, 4)``: centre and radius, m."""
    scale = height_m / FIGURE_HEIGHT_M
    at = dict(zip(PANOPTIC19.keypoints, xyz_m, strict=True))
    # The head follows its face, however the body is turned.
    at['head'] = (at['left_ear'] + at['right_ear']) / 2
    parts = [np.array([[*at['head'], HEAD_RADIUS_M * scale], [*at['nose'], 0.01 * scale]])]
    for limb in SWEEPS:
        ends = np.array([[*at[name], RADII_M[name.split('_')[-1]]] for name in limb])
        ends[:, 3] *= scale * fatness
        number = 2 + int(np.linalg.norm(ends[1, :3] - ends[0, :3]) / (0.3 * ends[:, 3].min()))
        t = np.linspace(0, 1, number)[:, np.newaxis]
        parts.append(ends[0] * (1 - t) + ends[1] * t)
    return np.concatenate(parts)


def cast(spheres: Array, intrinsics: Intrinsics, hw: tuple[int, int]) -> NDArray[np.float32]:
    """Cast rays at spheres: ``(H, W)`` m along the optical axis, inf where nothing is hit."""
    depth_m = np.full(hw, np.inf, np.float32)
    for x, y, z, radius in spheres:
        u, v = intrinsics.project(np.array([x, y, z]))
        reach_x, reach_y = 1.2 * radius / z * np.array([intrinsics.fx, intrinsics.fy]) + 2
        rows = slice(max(int(v - reach_y), 0), max(int(v + reach_y) + 1, 0))
        columns = slice(max(int(u - reach_x), 0), max(int(u + reach_x) + 1, 0))
        row, column = np.mgrid[rows, columns][:, : hw[0], : hw[1]]
        inside = (row < hw[0]) & (column < hw[1])
        row, column = row[inside], column[inside]
        rx = (column - intrinsics.cx) / intrinsics.fx
        ry = (row - intrinsics.cy) / intrinsics.fy
        # |t (rx, ry, 1) - centre| = radius; t is the depth.
        square, along = rx**2 + ry**2 + 1, rx * x + ry * y + z
        under = along**2 - square * (x**2 + y**2 + z**2 - radius**2)
        with np.errstate(invalid='ignore'):
            t = (along - np.sqrt(under)) / square
        depth_m[row, column] = np.fmin(depth_m[row, column], t)
    return depth_m


def room(people_m: Array, intrinsics: Intrinsics, hw: tuple[int, int]) -> NDArray[np.float32]:
    """Return the depth ``(H, W)`` m of a wall behind the people and a floor under their feet."""
    row = np.arange(hw[0])[:, np.newaxis]
    floor_m = people_m[..., 1].max() + SOLE_M
    with np.errstate(divide='ignore'):
        depth_m = floor_m / np.maximum((row - intrinsics.cy) / intrinsics.fy, 0)
    wall_m = people_m[..., 2].max() + WALL_BEHIND_M
    return np.broadcast_to(np.minimum(depth_m, wall_m), hw).astype(np.float32)


def half(intrinsics: Intrinsics) -> Intrinsics:
    """Return the same camera with half the pixels each way."""
    return replace(
        intrinsics,
        fx=intrinsics.fx / 2,
        fy=intrinsics.fy / 2,
        cx=(intrinsics.cx + 0.5) / 2 - 0.5,
        cy=(intrinsics.cy + 0.5) / 2 - 0.5,
    )


def depth_image(
    people_m: Array,
    heights_m: list[float],
    fatness: float = 1.0,
    intrinsics: Intrinsics = CAMERA,
    hw: tuple[int, int] = IMAGE_HW,
) -> DepthImage:
    """Return the depth image of people in a room, from a perfect registered sensor."""
    depth_m = room(people_m, intrinsics, hw)
    for xyz_m, height_m in zip(people_m, heights_m, strict=True):
        bodies = cast(spheres_m(xyz_m, height_m, fatness), intrinsics, hw)
        depth_m = np.fmin(depth_m, bodies)
    return DepthImage(quantised(depth_m), intrinsics)


def quantised(depth_m: NDArray[np.float32]) -> NDArray[np.float32]:
    """Round to whole millimetres, as sensors send them."""
    return (np.round(depth_m * 1000) / 1000).astype(np.float32)


def edges(depth_m: NDArray[np.float32], step_m: float = 0.05) -> NDArray[np.bool_]:
    """Return the pixels next to a step in depth."""
    kernel = np.ones((3, 3), np.uint8)
    return np.asarray(cv2.dilate(depth_m, kernel) - cv2.erode(depth_m, kernel) > step_m)


def with_noise(depth: DepthImage, rng: np.random.Generator) -> DepthImage:
    """Add the Kinect's noise, which grows with the distance squared (Nguyen, 3DIMPVT 2012)."""
    z = depth.depth_m
    sd_m = 0.0012 + 0.0019 * (z - 0.4) ** 2
    noisy = z + rng.normal(0, 1, z.shape).astype(np.float32) * sd_m
    return replace(depth, depth_m=quantised(noisy))


def with_holes(depth: DepthImage, rng: np.random.Generator) -> DepthImage:
    """Remove a fifth of the pixels, discs, and the shadow beside every edge."""
    hw = depth.depth_m.shape
    holes = (rng.random(hw) < 0.2).astype(np.uint8)
    for _ in range(60):
        x, y = int(rng.integers(hw[1])), int(rng.integers(hw[0]))
        cv2.circle(holes, (x, y), int(rng.uniform(0.005, 0.02) * hw[1]), 1, cv2.FILLED)
    steps = edges(depth.depth_m, SHADOW_STEP_M).astype(np.uint8)
    shadow = cv2.dilate(steps, np.ones((1, 1 + hw[1] // 160), np.uint8), anchor=(0, 0))
    return replace(
        depth, depth_m=np.where((holes > 0) | (shadow > 0), np.float32('nan'), depth.depth_m)
    )


def with_flying_edges(depth: DepthImage, rng: np.random.Generator) -> DepthImage:
    """Mix front and back at edges, and shift the registration by 1 px."""
    z = depth.depth_m
    kernel = np.ones((3, 3), np.uint8)
    near, far = cv2.erode(z, kernel), cv2.dilate(z, kernel)
    mixed = near + rng.random(z.shape).astype(np.float32) * (far - near)
    flying = np.where(edges(z), mixed, z)
    return replace(depth, depth_m=quantised(np.roll(flying, 1, axis=1)))


def with_board(depth: DepthImage, person: Array, in_front_m: float = 0.5) -> DepthImage:
    """Add the edge of a table, 8 cm thick, in front of the hips."""
    _, y, z = person[PANOPTIC19.index('pelvis')]
    at_m = z - in_front_m
    ends_px = [depth.intrinsics.project(np.array([0, y + dy, at_m]))[1] for dy in (-0.04, 0.04)]
    depth_m = depth.depth_m.copy()
    rows = slice(*(int(v) for v in ends_px))
    depth_m[rows] = np.fmin(depth_m[rows], np.float32(at_m))
    return replace(depth, depth_m=depth_m)


def estimated_without_depth(
    people_m: Array,
    heights_m: list[float],
    rng: np.random.Generator,
    along_m: float = 0.05,
    hidden: Iterable[tuple[int, str]] = (),
    mirrored: bool = False,
) -> People3D:
    """Estimate people as the package does without depth, with an assumed height of 1.8 m.

    Parameters
    ----------
    people_m, heights_m
        ``(N, K, 3)`` m in the camera optical frame, and the true heights, m.
    rng
        Of the network's errors: ``NETWORK_SD_ACROSS_M`` across the view.
    along_m
        Standard deviation of the network's errors along the view, m, for a body of 1.8 m.
    hidden
        (person, keypoint) that the network does not detect.
    mirrored
        Whether the network exchanges towards and away from the camera in every forearm and lower
        leg, which look the same.
    """
    letterbox = Letterbox.fit(IMAGE_HW, NETWORK_HW, 8)
    scale = np.array(heights_m)[:, np.newaxis, np.newaxis] / FIGURE_HEIGHT_M
    sd_m = (NETWORK_SD_ACROSS_M, NETWORK_SD_ACROSS_M, along_m)
    off_m = rng.normal(0, 1, people_m.shape) * sd_m * scale
    if mirrored:
        for inner, outer in (('elbow', 'wrist'), ('knee', 'ankle')):
            a, b = (
                people_m[:, PANOPTIC19.indices((f'left_{name}', f'right_{name}')), 2]
                for name in (inner, outer)
            )
            rows = PANOPTIC19.indices((f'left_{outer}', f'right_{outer}'))
            off_m[:, rows, 2] += 2 * (a - b)
    predicted_m = people_m + off_m
    relative = (predicted_m - predicted_m[:, [PELVIS]]) / np.reshape(heights_m, (-1, 1, 1))
    grid_xy = letterbox.to_grid(CAMERA.project(predicted_m))
    out = draw_outputs(grid_xy, relative, predicted_m[:, PELVIS, 2], hidden)
    return people_from_outputs(out, letterbox, CAMERA)


def self_occluded(
    people_m: Array, heights_m: list[float], fatness: float
) -> list[tuple[int, str]]:
    """Return the (person, keypoint) that the person's own body hides.

    Keypoints hidden by others are not among them: networks often do estimate keypoints behind a
    table or another person, and the depth there is that of the occluder.
    """
    found = []
    for i, (xyz_m, height_m) in enumerate(zip(people_m, heights_m, strict=True)):
        depth_m = cast(spheres_m(xyz_m, height_m, fatness), CAMERA, IMAGE_HW)
        x, y = np.rint(CAMERA.project(xyz_m)).astype(int).T
        inside = (x >= 0) & (x < IMAGE_HW[1]) & (y >= 0) & (y < IMAGE_HW[0])
        for k in np.flatnonzero(inside).tolist():
            if depth_m[y[k], x[k]] < xyz_m[k, 2] - PART_THICKNESS_M * fatness:
                found.append((i, PANOPTIC19.keypoints[k]))
    return found
