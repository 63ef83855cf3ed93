"""The measurement of fused people, on people whose errors are known."""

import numpy as np
import pytest
from support import room

from benchmark.fusion import Pose, alone, fitted, fused
from benchmark.fusion_errors import Errors
from pose3d_ros.people import Source

CAMERAS = [room.camera('a', 0, 0.1), room.camera('b', 90, -0.1)]
PEOPLE_M = room.standing((0.2, 0.1), (-0.9, 0.6))
TRUTH_M = dict(enumerate(PEOPLE_M))


def in_camera(camera):
    return {i: (xyz_m - camera.origin_m) @ camera.rotation for i, xyz_m in TRUTH_M.items()}


def errors_of(people):
    errors = Errors()
    for stamp_s, tracked in people:
        errors.add(tracked.people.xyz_m, tracked.people.source, TRUTH_M, stamp_s)
    return errors


def test_the_pose_of_a_camera_is_fitted_to_labels():
    incomplete = in_camera(CAMERAS[0])
    incomplete[0][3] = np.nan
    found = fitted([incomplete], [TRUTH_M])
    np.testing.assert_allclose(found.rotation, CAMERAS[0].rotation, atol=1e-9)
    np.testing.assert_allclose(found.origin_m, CAMERAS[0].origin_m, atol=1e-9)
    np.testing.assert_allclose(
        Pose(*found).apply(in_camera(CAMERAS[0])[1]), PEOPLE_M[1], atol=1e-9
    )


def test_errors_are_those_that_were_made():
    errors = Errors()
    moved_m = PEOPLE_M + np.array([0.3, 0, 0])
    moved_m[0, 5] += (0, 0, 0.19)
    errors.add(moved_m[::-1], np.full((2, 19), Source.OBSERVED, np.uint8), TRUTH_M, 0.0)
    cells = errors.row('x').split(' | ')
    assert cells[:4] == ['| x', '2', '0', '5 / 0']  # 190 mm of 36 keypoints; the root is left out
    assert cells[-1] == '30.0 / 30.0 |'
    other = Errors()
    other.add(PEOPLE_M, np.full((2, 19), Source.OBSERVED, np.uint8), TRUTH_M, 0.0)
    assert errors.apart_m(other, 0.0) == pytest.approx([0.3, 0.3])


def test_people_who_are_not_found_are_missed():
    errors = Errors()
    errors.add(PEOPLE_M[:1] + np.array([1.5, 0, 0]), np.zeros((1, 19), np.uint8), TRUTH_M, 0.0)
    assert errors.missed == 2


def test_two_cameras_are_fused_and_one_camera_has_its_own_error():
    results = [room.seen(one, PEOPLE_M, 0.1 * i) for i in range(3) for one in CAMERAS]
    both = errors_of(fused(results))
    assert max(np.linalg.norm(e) for e in both.root_m.values()) < 1e-3
    assert np.all(both.fused)
    own = errors_of(alone(results[::2]))
    assert min(np.linalg.norm(e) for e in own.root_m.values()) > 0.3
