"""Truth of rendered scenes: visibility and positions, and motions without jumps."""

import numpy as np
import pytest

pytest.importorskip('numba', reason='needs numba (training/requirements.txt)')
pytest.importorskip('torch', reason='needs PyTorch (training/requirements.txt)')

from pose3d_ros.camera import Intrinsics
from pose3d_ros.demo.clip import COVERED, OUTSIDE, TURNED_AWAY, VISIBLE
from pose3d_ros.skeleton import PANOPTIC19
from training.poses import INDEX, LIMITS
from training.render.motion import RATE_HZ, Motion
from training.render.raster import Surfaces, View, draw_mesh
from training.render.room import FIRST_SOLID, Room
from training.render.scene import Person, Scene, look_at, truth

SIZE_HW = (100, 120)
QUAD = np.array([[0, 1, 2], [0, 2, 3]])
# Looks along y, one metre high.
VIEW = View(
    Intrinsics(100, 100, 59.5, 49.5),
    look_at(np.array([0, 0, 1.0]), np.array([0, 5, 1.0])),
    np.array([0, 0, 1.0]),
    SIZE_HW,
)


def wall(x, y):
    """Return a square of one metre across the view."""
    return np.array([[x - 0.5, y, 0.5], [x + 0.5, y, 0.5], [x + 0.5, y, 1.5], [x - 0.5, y, 1.5]])


def seen_of(keypoints):
    """Return the visibility of keypoints of a person who is a wall at 3 m, half of it covered."""
    xyz = np.tile([0.3, 3.05, 1.0], (19, 1))
    for name, place in keypoints.items():
        xyz[PANOPTIC19.index(name)] = place
    person = Person(np.zeros((1, 3)), xyz, None)
    scene = Scene(Room(np.ones(3)), [person], *np.zeros((3, 3)), VIEW)
    surfaces = Surfaces.empty(SIZE_HW)
    draw_mesh(surfaces, VIEW, wall(0, 3), QUAD, 0, two_sided=True)
    draw_mesh(surfaces, VIEW, wall(-0.5, 2), QUAD, FIRST_SOLID, two_sided=True)
    xyz_m, xy_px, seen = truth(scene, surfaces)
    return {name: seen[0, PANOPTIC19.index(name)] for name in keypoints}, xyz_m, xy_px


def test_visibility_of_keypoints():
    seen, _, _ = seen_of(
        {
            'nose': (0.3, 3.01, 1.2),
            'left_wrist': (0.3, 3.6, 1.2),  # behind the own body
            'right_wrist': (-0.3, 3.05, 1.2),  # behind something
            'left_ankle': (0.3, 3.05, 3.5),  # above the image
            'right_ankle': (0.3, -3.0, 1.0),  # behind the camera
            'left_ear': (0.8, 3.0, 1.0),  # beside the own outline
        }
    )
    assert seen == {
        'nose': VISIBLE, 'left_wrist': TURNED_AWAY, 'right_wrist': COVERED,
        'left_ankle': OUTSIDE, 'right_ankle': OUTSIDE, 'left_ear': VISIBLE,
    }  # fmt: skip


def test_keypoints_are_in_the_camera_optical_frame():
    _, xyz_m, xy_px = seen_of({'nose': (0.3, 4.0, 1.2)})
    nose = PANOPTIC19.index('nose')
    np.testing.assert_allclose(xyz_m[0, nose], (0.3, -0.2, 4.0), atol=1e-12)
    np.testing.assert_allclose(xy_px[0, nose], (59.5 + 7.5, 49.5 - 5), atol=1e-9)


def test_a_scene_without_people():
    scene = Scene(Room(np.ones(3)), [], *np.zeros((3, 3)), VIEW)
    xyz_m, xy_px, seen = truth(scene, Surfaces.empty(SIZE_HW))
    assert xyz_m.shape == (0, 19, 3)
    assert xy_px.shape == (0, 19, 2)
    assert seen.shape == (0, 19)


MOTION = Motion(
    path=[(0, 0, 0), (1, 0, 0), (5, 4, 0), (6, 4, 0)],
    facing=[(0, 0.3), (6, -0.4)],
    gestures=[(2, {}), (3, {'left_arm_raised': 120.0}), (4, {'left_arm_raised': 120.0}), (5, {})],
)


def test_motions_follow_their_path_without_jumps():
    times = np.arange(0, 6, 1 / RATE_HZ)
    angles, xy, yaw = MOTION.at(times)
    np.testing.assert_allclose(xy[[0, -1]], [[0, 0], [4, 0]], atol=0.01)
    assert yaw[0] == pytest.approx(0.3, abs=0.05)
    # On their way they look where they go: along x.
    assert yaw[300] == pytest.approx(np.pi / 2, abs=0.02)
    assert angles[350, INDEX['left_arm_raised']] == pytest.approx(120, abs=1)
    assert (angles >= LIMITS[:, 0]).all()
    assert (angles <= LIMITS[:, 1]).all()
    # The plane of an arm that hangs may turn fast.
    others = [i for name, i in INDEX.items() if not name.endswith('arm_plane')]
    assert np.abs(np.diff(angles[:, others], axis=0)).max() * RATE_HZ < 400  # degrees/s
    assert np.linalg.norm(np.diff(xy, 2, axis=0), axis=1).max() * RATE_HZ**2 < 4  # m/s2


def test_legs_swing_in_opposition_while_walking_and_rest_while_standing():
    angles, _, _ = MOTION.at(np.arange(0, 6, 0.01))
    left, right = (angles[:, INDEX[f'{side}_hip_flexion']] for side in ('left', 'right'))
    walking, standing = slice(200, 400), slice(0, 60)
    assert np.corrcoef(left[walking], right[walking])[0, 1] < -0.95
    assert np.ptp(left[walking]) > 30
    assert np.ptp(left[standing]) < 1


def test_a_part_of_a_motion_equals_the_same_part_of_the_whole():
    whole, part = np.arange(0, 6, 0.05), np.arange(0, 3, 0.1)
    for a, b in zip(MOTION.at(whole), MOTION.at(part), strict=True):
        np.testing.assert_allclose(a[: 2 * len(part) : 2], b, atol=1e-9)
