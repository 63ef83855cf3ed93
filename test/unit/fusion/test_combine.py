"""One person from several views, and the combination of Gaussians."""

import numpy as np
import pytest
from support import room

from pose3d_ros.fusion.combine import combine
from pose3d_ros.fusion.gaussians import intersection, product
from pose3d_ros.fusion.views import views
from pose3d_ros.people import K, Source
from pose3d_ros.skeleton import PANOPTIC19

TRUE_M = room.standing((0.5, -0.3))
LEFT, RIGHT = room.camera('left', 200, 0.15), room.camera('right', 280, -0.1)
WRIST = PANOPTIC19.index('left_wrist')


def test_rays_of_two_cameras_find_the_true_place_whatever_distances_the_cameras_assumed():
    found = combine(views([room.seen(LEFT, TRUE_M), room.seen(RIGHT, TRUE_M)], 0.0))
    np.testing.assert_allclose(found.xyz_m, TRUE_M[0], atol=1e-3)
    assert (found.source == Source.FUSED).all()
    assert np.sqrt(np.trace(found.root_covariance_m2) / 3) < 0.05


def test_three_cameras_are_as_exact():
    cameras = [LEFT, RIGHT, room.camera('third', 30, 0.3)]
    found = combine(views([room.seen(one, TRUE_M) for one in cameras], 0.0))
    np.testing.assert_allclose(found.xyz_m, TRUE_M[0], atol=1e-3)


def test_a_keypoint_that_one_camera_sees_gets_the_corrected_distance():
    results = [room.seen(LEFT, TRUE_M), room.seen(RIGHT, TRUE_M, hidden=[WRIST])]
    found = combine(views(results, 0.0))
    assert found.source[WRIST] == Source.OBSERVED
    assert np.linalg.norm(found.xyz_m[WRIST] - TRUE_M[0, WRIST]) < 0.02
    # Each camera alone is off by its own distance error.
    alone_m = results[0].tracked.people.xyz_m[0, WRIST] @ LEFT.rotation.T + LEFT.origin_m
    assert np.linalg.norm(alone_m - TRUE_M[0, WRIST]) > 0.5


def test_without_a_baseline_the_distances_are_intersected_between_those_of_the_cameras():
    near = room.Camera('near', LEFT.origin_m + 0.01, -0.1)
    seen = views([room.seen(LEFT, TRUE_M), room.seen(near, TRUE_M)], 0.0)
    found = combine(seen)
    assert not (found.source == Source.FUSED).any()
    distance_m = np.linalg.norm(found.xyz_m[room.PELVIS] - LEFT.origin_m)
    own_m = np.linalg.norm(seen.xyz_m[:, room.PELVIS] - LEFT.origin_m, axis=-1)
    assert own_m.min() < distance_m < own_m.max()
    # Covariance intersection is not more certain than the better of the two.
    least_m2 = np.linalg.eigvalsh(seen.root_covariance_m2)[:, -1].min()
    assert np.linalg.eigvalsh(found.root_covariance_m2)[-1] >= 0.9 * least_m2


def test_a_keypoint_whose_rays_do_not_meet_is_not_triangulated():
    wrong = TRUE_M.copy()
    wrong[0, WRIST, 2] += 0.6  # another thing was detected
    found = combine(views([room.seen(LEFT, TRUE_M), room.seen(RIGHT, wrong)], 0.0))
    assert found.source[WRIST] == Source.OBSERVED
    others = np.delete(np.arange(K), WRIST)
    np.testing.assert_allclose(found.xyz_m[others], TRUE_M[0, others], atol=1e-3)


def test_one_view_is_left_as_it_is():
    result = room.seen(LEFT, TRUE_M)
    found = combine(views([result], 0.0))
    own_m = result.tracked.people.xyz_m[0] @ LEFT.rotation.T + LEFT.origin_m
    np.testing.assert_allclose(found.xyz_m, own_m, atol=1e-9)


@pytest.mark.parametrize('combined', [product, intersection])
def test_the_more_certain_estimate_counts_more_and_unknown_ones_do_not(combined):
    mean = np.array([[[0.0, 0, 0], [1, 2, 3]], [[1.0, 0, 0], [np.nan] * 3]])
    covariance = np.array([[np.eye(3) * 0.01] * 2, [np.eye(3), np.full((3, 3), np.nan)]])
    used = np.isfinite(mean[..., 0])
    found, spread = combined(mean, covariance, used if combined is intersection else used * 1.0)
    assert 0 < found[0, 0] < 0.05
    np.testing.assert_allclose(found[1], [1, 2, 3])
    np.testing.assert_allclose(spread[1], 0.01 * np.eye(3))
    nothing, _ = combined(
        mean, covariance, np.zeros_like(used) * (1 if combined is product else False)
    )
    assert np.isnan(nothing).all()


def test_an_intersection_of_equal_estimates_is_not_more_certain():
    mean, covariance = np.zeros((2, 1, 3)), np.tile(np.eye(3), (2, 1, 1, 1))
    _, spread = intersection(mean, covariance, np.ones((2, 1), bool))
    np.testing.assert_allclose(spread[0], np.eye(3))
    _, spread = product(mean, covariance, np.ones((2, 1)))
    np.testing.assert_allclose(spread[0], np.eye(3) / 2)


@pytest.mark.parametrize('mistaken', [0, 1])
def test_of_rays_that_contradict_the_one_nearer_to_where_the_person_is_expected_counts(mistaken):
    wrong = TRUE_M.copy()
    wrong[0, WRIST, 2] += 0.6
    people_m = [TRUE_M, TRUE_M]
    people_m[mistaken] = wrong
    seen = views([room.seen(LEFT, people_m[0]), room.seen(RIGHT, people_m[1])], 0.0)
    expected_m = TRUE_M[0] + 0.05
    found_m = combine(seen, expected_m).xyz_m[WRIST]
    assert np.linalg.norm(found_m - TRUE_M[0, WRIST]) < 0.02
    assert np.linalg.norm(combine(seen).xyz_m[WRIST] - TRUE_M[0, WRIST]) > 0.2
