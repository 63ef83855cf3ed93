"""Depth images whose truth is known by construction: bodies of spheres, seen by a depth sensor.

A body is the skeleton with flesh: spheres swept along its limbs, each with a radius at every
joint. Joints lie inside the flesh, as people's do. What the sensor sees is cast ray by ray; what
is wrong with real sensors is then done to it, one fault at a time.
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
from synthetic.scene import outputs

Array = NDArray[np.float64]

IMAGE_HW = (480, 640)
NETWORK_HW = (256, 448)
CAMERA = Intrinsics(525, 525, 319.5, 239.5)
FIGURE_HEIGHT_M = 1.8
ASSUMED_PERSON_HEIGHT_M = 1.8

# Radii of a body of 1.8 m, m, of the size of people but not the numbers that the package assumes;
# and between what flesh is swept.
RADII_M = {
    'neck': 0.065, 'pelvis': 0.115, 'head': 0.06, 'shoulder': 0.062, 'elbow': 0.043,
    'wrist': 0.028, 'hip': 0.098, 'knee': 0.06, 'ankle': 0.037,
}  # fmt: skip
FLESH = [('neck', 'pelvis'), ('neck', 'head')]
FLESH += [(f'left_{part}', f'right_{part}') for part in ('shoulder', 'hip')]
FLESH += [
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
# The head is a ball with the face on it: m from its centre, and not fatter with the body.
HEAD_RADIUS_M = 0.095
HEAD_FROM_NECK_M = (0.0, -0.24, -0.02)
FACE_M = {
    'nose': (0.0, 0.02, -0.11), 'left_eye': (0.032, -0.02, -0.082),
    'right_eye': (-0.032, -0.02, -0.082), 'left_ear': (0.09, 0.0, 0.01),
    'right_ear': (-0.09, 0.0, 0.01),
}  # fmt: skip
# Joints about which a pose turns, with what is beyond, and by how many rad at most.
TURNS = tuple(
    (f'{side}_{joint}', tuple(f'{side}_{part}' for part in beyond), rad)
    for side in ('left', 'right')
    for joint, beyond, rad in (
        ('shoulder', ('elbow', 'wrist'), 1.0),
        ('elbow', ('wrist',), 1.0),
        ('hip', ('knee', 'ankle'), 0.4),
        ('knee', ('ankle',), 0.4),
    )
)
WALL_BEHIND_M = 1.2
# Jumps in depth that cast a shadow, m; more than noise makes.
SHADOW_STEP_M = 0.2
SOLE_M = 0.08
# More in front of a keypoint than any part is thick is another part.
OWN_FLESH_M = 0.14


def figure_m(rng: np.random.Generator | None = None, turn_rad: float = 0.0) -> Array:
    """Give a person 1.8 m tall, (19, 3) m from the pelvis; in a pose of its own with `rng`."""
    xyz_m = test_card.figure_m()
    index = PANOPTIC19.index
    for name, offset in FACE_M.items():
        xyz_m[index(name)] = xyz_m[index('neck')] + HEAD_FROM_NECK_M + np.array(offset)
    for joint, beyond, rad in TURNS if rng is not None else ():
        rotation, _ = cv2.Rodrigues(rng.uniform(-rad, rad, 3))
        rows, centre = PANOPTIC19.indices(beyond), xyz_m[index(joint)]
        xyz_m[rows] = (xyz_m[rows] - centre) @ rotation.T + centre
    rotation, _ = cv2.Rodrigues(np.array([0.0, turn_rad, 0.0]))
    return np.asarray(xyz_m @ rotation.T)


def person_m(figure: Array, height_m: float, position_m: tuple[float, float, float]) -> Array:
    """Put the figure somewhere with its pelvis, at a height: (19, 3) m, camera optical frame."""
    return figure * (height_m / FIGURE_HEIGHT_M) + np.array(position_m)


def spheres_m(xyz_m: Array, height_m: float, fatness: float = 1.0) -> Array:
    """Give a body as spheres, (M, 4): centre and radius, m."""
    scale = height_m / FIGURE_HEIGHT_M
    at = dict(zip(PANOPTIC19.keypoints, xyz_m, strict=True))
    # The head is where its face is, however the body is turned.
    at['head'] = (at['left_ear'] + at['right_ear']) / 2
    parts = [np.array([[*at['head'], HEAD_RADIUS_M * scale], [*at['nose'], 0.01 * scale]])]
    for limb in FLESH:
        ends = np.array([[*at[name], RADII_M[name.split('_')[-1]]] for name in limb])
        ends[:, 3] *= scale * fatness
        number = 2 + int(np.linalg.norm(ends[1, :3] - ends[0, :3]) / (0.3 * ends[:, 3].min()))
        t = np.linspace(0, 1, number)[:, np.newaxis]
        parts.append(ends[0] * (1 - t) + ends[1] * t)
    return np.concatenate(parts)


def cast(spheres: Array, intrinsics: Intrinsics, hw: tuple[int, int]) -> NDArray[np.float32]:
    """See spheres as a perfect sensor does: (H, W) m along the optical axis, inf: nothing."""
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
    """See a wall behind the people and the floor under the lowest foot: (H, W) m."""
    row = np.arange(hw[0])[:, np.newaxis]
    floor_m = people_m[..., 1].max() + SOLE_M
    with np.errstate(divide='ignore'):
        depth_m = floor_m / np.maximum((row - intrinsics.cy) / intrinsics.fy, 0)
    wall_m = people_m[..., 2].max() + WALL_BEHIND_M
    return np.broadcast_to(np.minimum(depth_m, wall_m), hw).astype(np.float32)


def half(intrinsics: Intrinsics) -> Intrinsics:
    """Give the same camera with half the pixels each way."""
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
    """See people in a room as a perfect registered sensor does."""
    depth_m = room(people_m, intrinsics, hw)
    for xyz_m, height_m in zip(people_m, heights_m, strict=True):
        bodies = cast(spheres_m(xyz_m, height_m, fatness), intrinsics, hw)
        depth_m = np.fmin(depth_m, bodies)
    return DepthImage(quantised(depth_m), intrinsics)


def quantised(depth_m: NDArray[np.float32]) -> NDArray[np.float32]:
    """Whole millimetres, as sensors send them."""
    return (np.round(depth_m * 1000) / 1000).astype(np.float32)


def edges(depth_m: NDArray[np.float32], step_m: float = 0.05) -> NDArray[np.bool_]:
    """Pixels next to which the depth jumps."""
    kernel = np.ones((3, 3), np.uint8)
    return np.asarray(cv2.dilate(depth_m, kernel) - cv2.erode(depth_m, kernel) > step_m)


def with_noise(depth: DepthImage, rng: np.random.Generator) -> DepthImage:
    """Noise that grows with the distance squared: Nguyen et al., 3DIMPVT 2012, of the Kinect."""
    z = depth.depth_m
    sd_m = 0.0012 + 0.0019 * (z - 0.4) ** 2
    noisy = z + rng.normal(0, 1, z.shape).astype(np.float32) * sd_m
    return replace(depth, depth_m=quantised(noisy))


def with_holes(depth: DepthImage, rng: np.random.Generator) -> DepthImage:
    """Take away a fifth of the pixels, blots, and the shadow beside every edge."""
    hw = depth.depth_m.shape
    holes = (rng.random(hw) < 0.2).astype(np.uint8)
    for _ in range(60):
        x, y = int(rng.integers(hw[1])), int(rng.integers(hw[0]))
        cv2.circle(holes, (x, y), int(rng.uniform(0.005, 0.02) * hw[1]), 1, cv2.FILLED)
    shadow = edges(depth.depth_m, SHADOW_STEP_M).astype(np.uint8)
    holes |= cv2.dilate(shadow, np.ones((1, 1 + hw[1] // 160), np.uint8), anchor=(0, 0))
    return replace(depth, depth_m=np.where(holes > 0, np.float32('nan'), depth.depth_m))


def with_flying_edges(depth: DepthImage, rng: np.random.Generator) -> DepthImage:
    """Pixels at edges float between front and back, and all of it is registered 1 px off."""
    z = depth.depth_m
    kernel = np.ones((3, 3), np.uint8)
    near, far = cv2.erode(z, kernel), cv2.dilate(z, kernel)
    mixed = near + rng.random(z.shape).astype(np.float32) * (far - near)
    flying = np.where(edges(z), mixed, z)
    return replace(depth, depth_m=quantised(np.roll(flying, 1, axis=1)))


def with_board(depth: DepthImage, person: Array, in_front_m: float = 0.5) -> DepthImage:
    """Put the edge of a table, 8 cm thick, in front of the hips."""
    _, y, z = person[PANOPTIC19.index('pelvis')]
    at_m = z - in_front_m
    ends_px = [depth.intrinsics.project(np.array([0, y + dy, at_m]))[1] for dy in (-0.04, 0.04)]
    depth_m = depth.depth_m.copy()
    rows = slice(*(int(v) for v in ends_px))
    depth_m[rows] = np.fmin(depth_m[rows], np.float32(at_m))
    return replace(depth, depth_m=depth_m)


def believed(
    people_m: Array,
    heights_m: list[float],
    rng: np.random.Generator,
    across_m: float = 0.01,
    along_m: float = 0.05,
    hidden: Iterable[tuple[int, str]] = (),
    mirrored: bool = False,
) -> People3D:
    """People as the package sees them without depth, everybody taken to be 1.8 m tall.

    The network is off by so much at every keypoint, standard deviations across and along the
    view of a body of 1.8 m. `mirrored`: it takes towards the camera for away from it in every
    forearm and lower leg, which look the same.
    """
    letterbox = Letterbox.fit(IMAGE_HW, NETWORK_HW, 8)
    scale = np.array(heights_m)[:, np.newaxis, np.newaxis] / FIGURE_HEIGHT_M
    off_m = rng.normal(0, 1, people_m.shape) * (across_m, across_m, along_m) * scale
    if mirrored:
        for inner, outer in (('elbow', 'wrist'), ('knee', 'ankle')):
            a, b = (
                people_m[:, PANOPTIC19.indices((f'left_{name}', f'right_{name}')), 2]
                for name in (inner, outer)
            )
            rows = PANOPTIC19.indices((f'left_{outer}', f'right_{outer}'))
            off_m[:, rows, 2] += 2 * (a - b)
    out = outputs(people_m + off_m, CAMERA, letterbox, hidden, body_heights_m=heights_m)
    return people_from_outputs(out, letterbox, CAMERA)


def covered(people_m: Array, heights_m: list[float], fatness: float) -> list[tuple[int, str]]:
    """(person, keypoint) of what the person's own body hides; what others hide is still seen.

    Networks do guess keypoints behind a table or somebody else, and the depth is then of that.
    """
    found = []
    for i, (xyz_m, height_m) in enumerate(zip(people_m, heights_m, strict=True)):
        depth_m = cast(spheres_m(xyz_m, height_m, fatness), CAMERA, IMAGE_HW)
        x, y = np.rint(CAMERA.project(xyz_m)).astype(int).T
        inside = (x >= 0) & (x < IMAGE_HW[1]) & (y >= 0) & (y < IMAGE_HW[0])
        for k in np.flatnonzero(inside):
            if depth_m[y[k], x[k]] < xyz_m[k, 2] - OWN_FLESH_M * fatness:
                found.append((i, PANOPTIC19.keypoints[k]))
    return found
