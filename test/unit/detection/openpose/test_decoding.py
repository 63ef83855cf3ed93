"""Grouping and lifting on scenes whose truth is known by construction (synthetic/scene.py)."""

import cv2
import numpy as np
import pytest

from pose3d_ros.camera import Intrinsics
from pose3d_ros.detection.letterbox import Letterbox
from pose3d_ros.detection.openpose.channels import HEATMAP_CHANNELS
from pose3d_ros.detection.openpose.location_map_lifter import LocationMapLifter
from pose3d_ros.detection.openpose.outputs import Outputs
from pose3d_ros.geometry.placement import solve_translation
from pose3d_ros.people import Source
from pose3d_ros.skeleton import PANOPTIC19
from synthetic.recorded import people_from_outputs
from synthetic.scene import CAMERA, outputs, people_m

index = PANOPTIC19.index


def estimate(out, camera=CAMERA, letterbox=None, height_m=1.8):
    letterbox = letterbox or Letterbox(1.0)
    return people_from_outputs(out, letterbox, camera, LocationMapLifter(height_m))


def by_x(people):
    """Return the order of people from left to right, for comparison with the truth."""
    return np.argsort(np.nanmean(people.people_2d.xy_px[..., 0], axis=1))


def test_one_person_is_located():
    truth = people_m((0.4, 0.1, 3.0), turn_rad=0.5)
    found = estimate(outputs(truth, CAMERA))
    assert len(found) == 1
    seen = found.source[0] == Source.OBSERVED
    assert seen.all()
    wanted_px = CAMERA.project(truth)[0]
    hips = [index('left_hip'), index('right_hip')]
    wanted_px[index('pelvis')] = wanted_px[hips].mean(0)
    np.testing.assert_allclose(found.people_2d.xy_px[0], wanted_px, atol=0.05)
    np.testing.assert_allclose(found.xyz_m, truth, atol=0.01)


def test_left_and_right_of_the_face_are_not_exchanged():
    truth = people_m((0, 0, 3.0))
    found = estimate(outputs(truth, CAMERA))
    for part in ('eye', 'ear'):
        left, right = index(f'left_{part}'), index(f'right_{part}')
        # The left side of a person who faces the camera is on the right of the image.
        assert found.xyz_m[0, left, 0] > 0.02 > -0.02 > found.xyz_m[0, right, 0]
        assert found.people_2d.xy_px[0, left, 0] > found.people_2d.xy_px[0, right, 0]
    np.testing.assert_allclose(found.xyz_m, truth, atol=0.01)


@pytest.mark.parametrize(
    'camera',
    [
        Intrinsics(360, 360, 300, 100),
        Intrinsics(300, 400, 223.5, 127.5),
        Intrinsics(420, 360, 150, 160),
    ],
)
def test_optical_centre_and_both_focal_lengths_count(camera):
    truth = people_m((0, 0.1, 3.2))
    found = estimate(outputs(truth, camera), camera)
    np.testing.assert_allclose(found.xyz_m, truth, atol=0.02)


def test_scaled_image_with_a_margin():
    letterbox = Letterbox.fit((720, 960), (256, 448), 8)
    camera = Intrinsics(800, 800, 479.5, 359.5)
    truth = people_m((-0.3, 0, 3.5), (1.0, 0.2, 4.0))
    found = estimate(outputs(truth, camera, letterbox), camera, letterbox)
    order = by_x(found)
    np.testing.assert_allclose(found.xyz_m[order], truth, atol=0.02)
    np.testing.assert_allclose(
        found.people_2d.xy_px[order][:, 0], camera.project(truth)[:, 0], atol=0.1
    )


def test_size_follows_the_assumed_height():
    truth = people_m((0.4, 0.1, 3.0))
    found = estimate(outputs(truth, CAMERA), height_m=0.9)
    np.testing.assert_allclose(found.xyz_m, truth / 2, atol=0.01)


def test_no_people_give_empty_arrays():
    found = estimate(outputs(people_m(), CAMERA))
    assert found.xyz_m.shape == (0, 19, 3)
    assert found.people_2d.xy_px.shape == (0, 19, 2)
    assert found.source.shape == (0, 19)


def test_a_single_keypoint_is_no_person():
    truth = people_m((0, 0, 3.0))
    hidden = [(0, name) for name in HEATMAP_CHANNELS if name != 'left_wrist']
    assert len(estimate(outputs(truth, CAMERA, hidden=hidden))) == 0


def test_hidden_keypoints_are_inferred_and_not_detected():
    truth = people_m((0, 0, 2.5))
    legs = [f'{side}_{part}' for side in ('left', 'right') for part in ('knee', 'ankle')]
    found = estimate(outputs(truth, CAMERA, hidden=[(0, leg) for leg in legs]))
    for leg in legs:
        k = index(leg)
        assert found.source[0, k] == Source.INFERRED
        assert found.people_2d.scores[0, k] == 0
        assert np.isnan(found.people_2d.xy_px[0, k]).all()
    np.testing.assert_allclose(found.xyz_m, truth, atol=0.02)


def test_a_person_without_a_neck_is_kept():
    truth = people_m((0, 0, 2.6))
    found = estimate(outputs(truth, CAMERA, hidden=[(0, 'neck')]))
    assert len(found) == 1
    assert found.source[0, index('neck')] == Source.NONE
    for name in ('nose', 'left_ear', 'right_wrist'):
        assert found.source[0, index(name)] == Source.OBSERVED
        np.testing.assert_allclose(found.xyz_m[0, index(name)], truth[0, index(name)], atol=0.02)


def test_a_leg_alone_is_no_person():
    truth = people_m((0, 0, 2.6))
    leg = ('left_hip', 'left_knee', 'left_ankle')
    hidden = [(0, name) for name in HEATMAP_CHANNELS if name not in leg]
    assert len(estimate(outputs(truth, CAMERA, hidden=hidden))) == 0


def test_two_people_keep_their_own_limbs():
    truth = people_m((-0.35, 0, 3.0), (0.35, 0, 3.2))
    found = estimate(outputs(truth, CAMERA))
    assert len(found) == 2
    np.testing.assert_allclose(found.xyz_m[by_x(found)], truth, atol=0.03)


def test_twenty_people():
    positions = [(x, y, 9.0) for y in (-1.7, 1.2) for x in np.linspace(-5, 5, 10)]
    truth = people_m(*positions)
    found = estimate(outputs(truth, CAMERA, sigma=0.6))
    assert len(found) == 20
    pelvis_m, wanted_m = found.xyz_m[:, index('pelvis')], truth[:, index('pelvis')]
    nearest_m = np.linalg.norm(wanted_m[:, np.newaxis] - pelvis_m, axis=-1).min(1)
    assert nearest_m.max() < 0.3


def test_one_wrong_keypoint_does_not_move_the_person():
    truth = people_m((0.4, 0.1, 3.0))[0]
    relative = (truth - truth[index('pelvis')])[np.newaxis]
    rays = (truth[:, :2] / truth[:, 2:])[np.newaxis]
    wrong = rays.copy()
    wrong[0, index('left_wrist')] += 0.4
    right_m, _ = solve_translation(relative, rays, np.ones((1, 19)))
    np.testing.assert_allclose(right_m[0], truth[index('pelvis')], atol=1e-6)
    wrong_m, agreement = solve_translation(relative, wrong, np.ones((1, 19)))
    np.testing.assert_allclose(wrong_m, right_m, atol=0.01)
    assert agreement[0, index('left_wrist')] < 0.01 < 0.9 < agreement[0, index('nose')]


def test_a_person_without_a_solution_has_no_position():
    relative = np.zeros((2, 19, 3))
    rays = np.full((2, 19, 2), np.nan)
    rays[0, 0] = 0.1  # one keypoint only
    translation_m, agreement = solve_translation(relative, rays, np.ones((2, 19)))
    assert np.isnan(translation_m).all()
    assert not agreement[1].any()


def test_an_impossible_pose_is_in_front_of_the_camera():
    # Mirrored rays: nearer parts look smaller, which no camera sees.
    truth = people_m((0.4, 0.1, 1.5))[0]
    relative = (truth - truth[index('pelvis')])[np.newaxis]
    rays = -(truth[:, :2] / truth[:, 2:])[np.newaxis]
    translation_m, _ = solve_translation(relative, rays, np.ones((1, 19)))
    assert translation_m[0, 2] > 0.5


def test_same_input_same_output():
    out = outputs(people_m((-0.5, 0, 3), (0.5, 0, 3)), CAMERA)
    first, second = estimate(out), estimate(out)
    np.testing.assert_array_equal(first.xyz_m, second.xyz_m)
    np.testing.assert_array_equal(first.people_2d.scores, second.people_2d.scores)


def test_same_output_whatever_the_number_of_threads():
    positions = [(x, y, 9.0) for y in (-1.7, 1.2) for x in np.linspace(-5, 5, 10)]
    out = outputs(people_m(*positions), CAMERA, sigma=0.6)
    before = cv2.getNumThreads()
    found = []
    try:
        for threads in (1, 2, 4):
            cv2.setNumThreads(threads)
            found.append(estimate(out))
    finally:
        cv2.setNumThreads(before)
    for other in found[1:]:
        np.testing.assert_array_equal(other.xyz_m, found[0].xyz_m)
        np.testing.assert_array_equal(other.people_2d.xy_px, found[0].people_2d.xy_px)


@pytest.mark.parametrize(
    ('border', 'position'),
    [
        ('left', (-1.75, 0, 3.0)),
        ('right', (1.75, 0, 3.0)),
        ('top', (0, -0.5, 3.0)),
        ('bottom', (0, 0.8, 3.0)),
    ],
)
def test_a_person_cut_by_a_border(border, position):
    truth = people_m(position)
    found = estimate(outputs(truth, CAMERA))
    assert len(found) == 1
    x, y = CAMERA.project(truth)[0].T
    outside_px = np.maximum.reduce([-0.5 - x, x - 447.5, -0.5 - y, y - 255.5])
    inside = outside_px < 0
    assert 4 < inside.sum() < 19, border
    seen = found.source[0] == Source.OBSERVED
    # A peak up to two cells outside of the image still has a rim inside.
    assert not seen[outside_px > 16].any()
    assert seen[inside].sum() >= inside.sum() - 2  # the pelvis, and one keypoint on the border
    seen &= inside
    np.testing.assert_allclose(found.xyz_m[0, seen], truth[0, seen], atol=0.05)


def test_the_covariance_contains_the_spread_of_heights():
    """With exact readings, only the spread of heights is left, along the ray."""
    truth = people_m((0.8, 0.1, 2.8), (-0.6, 0.0, 5.6))
    found = estimate(outputs(truth, CAMERA))
    near, far = found.root_covariance_m2[by_x(found)[::-1]]
    for covariance in (near, far):
        np.testing.assert_allclose(covariance, covariance.T)
        assert (np.linalg.eigvalsh(covariance) > 0).all()
    distance_m = np.linalg.norm(truth[:, index('pelvis')], axis=1)
    along = [np.linalg.eigvalsh(c)[-1] ** 0.5 for c in (near, far)]
    np.testing.assert_allclose(along, 0.09 / 1.70 * distance_m, rtol=0.15)
    assert np.linalg.eigvalsh(near)[:2].max() ** 0.5 < 0.02


def test_keypoints_that_disagree_widen_the_covariance():
    people = people_m((0.2, 0.1, 3.0))
    sure = estimate(outputs(people, CAMERA)).root_covariance_m2[0]
    rng = np.random.default_rng(0)
    out = outputs(people, CAMERA)
    noisy = out.features + rng.normal(0, 0.05, out.features.shape).astype(np.float32)
    unsure = estimate(Outputs(out.heatmaps, out.pafs, noisy)).root_covariance_m2[0]
    assert unsure[2, 2] > 1.1 * sure[2, 2]
