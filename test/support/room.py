"""People in a room who are seen by several cameras; what each camera reports, and the truth.

The room has z up. Every camera has errors of its own: pixels, the pose, and the distance, which is
wrong by the same share at all times, as that of a person of another height is.
"""

from typing import NamedTuple

import numpy as np

from pose3d_ros.camera import Intrinsics
from pose3d_ros.fusion.views import CameraPeople
from pose3d_ros.people import K, People2D, People3D, Source, TrackedPeople, TrackState
from pose3d_ros.skeleton import PANOPTIC19
from support.people import STANDING_M

LENS = Intrinsics(600, 600, 319.5, 239.5)
PELVIS = PANOPTIC19.index('pelvis')
# From x right, y down, z forward to z up.
UPRIGHT_M = STANDING_M @ np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]]) + (0, 0, 0.95)


class Camera(NamedTuple):
    """A camera 2 m above the floor, which looks at the middle of the room."""

    name: str
    origin_m: np.ndarray
    distance_error: float = 0.0

    @property
    def rotation(self):
        """Axes of the camera optical frame in the room, as columns."""
        forward = np.array([0.0, 0.0, 1.0]) - self.origin_m
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, (0, 0, 1.0))
        right /= np.linalg.norm(right)
        return np.stack([right, np.cross(forward, right), forward], axis=1)


def camera(name, angle_deg, distance_error=0.0, radius_m=4.5):
    """A camera on a circle around the middle of the room."""
    angle = np.deg2rad(angle_deg)
    place = np.array([radius_m * np.cos(angle), radius_m * np.sin(angle), 2.0])
    return Camera(name, place, distance_error)


def standing(*places_m, turn_rad=0.0):
    """True people ``(N, K, 3)`` m who stand at places (x, y) of the room."""
    c, s = np.cos(turn_rad), np.sin(turn_rad)
    turned = UPRIGHT_M @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]).T
    return np.array([turned + np.array([x, y, 0]) for x, y in places_m]).reshape(-1, K, 3)


def seen(camera, people_m, stamp_s=0.0, rng=None, **known):
    """What a camera reports of true people ``(N, K, 3)`` m.

    With rng, errors of 1.5 px and of 0.04 m along the ray in the pose. The distance is wrong by
    the share `distance_error`. `known` may have `ids`, `velocity_m_s` (3,) in the room, and
    `hidden`, keypoints that the camera does not detect.
    """
    n = len(people_m)
    camera_m = (people_m - camera.origin_m) @ camera.rotation
    xy_px = LENS.project(camera_m)
    scale = np.full((n, K, 1), 1 + camera.distance_error)
    if rng is not None:
        xy_px = xy_px + rng.normal(0, 1.5, xy_px.shape)
        depth_m = camera_m[..., 2:]
        scale = scale * (1 + rng.normal(0, 0.04, depth_m.shape) / depth_m)
    estimated_m = np.concatenate([LENS.unproject(xy_px), np.ones((n, K, 1))], axis=-1)
    estimated_m *= camera_m[..., 2:] * scale
    scores = np.full((n, K), 0.8)
    scores[:, list(known.get('hidden', ()))] = 0
    xy_px[scores == 0] = np.nan
    along_m = 0.1 * estimated_m[:, PELVIS]
    people = People3D(
        People2D(xy_px, scores, np.full(n, 0.8)),
        estimated_m,
        np.where(scores > 0, Source.OBSERVED, Source.INFERRED).astype(np.uint8),
        along_m[:, :, None] * along_m[:, None] + 0.03**2 * np.eye(3),
        np.full((n, K), 0.06),
    )
    velocity = np.asarray(known.get('velocity_m_s', (0, 0, 0)), float) @ camera.rotation
    tracked = TrackedPeople(
        people,
        np.array(known.get('ids', range(n)), np.int64),
        np.full(n, TrackState.CONFIRMED, np.uint8),
        np.full(n, 1.0),
        velocity_m_s=np.tile(velocity, (n, 1)),
        first_s=np.zeros(n),
    )
    return CameraPeople(camera.name, tracked, stamp_s, camera.rotation, camera.origin_m, LENS)


def place_errors_m(tracked, people_m):
    """Distance of each true person's pelvis from the nearest one found, ``(N,)`` m."""
    apart = people_m[:, None, PELVIS] - tracked.people.xyz_m[:, PELVIS]
    return np.linalg.norm(apart, axis=-1).min(axis=1)
