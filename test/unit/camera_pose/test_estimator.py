"""How a camera stands, from people who walk over a floor."""

from dataclasses import replace

import numpy as np
import pytest
from support.walking_people import CAMERA, Stage, axes, seen, stage, tracked, up_error_deg, watch

from pose3d_ros.camera import CameraPose, Intrinsics
from pose3d_ros.camera_pose.estimate import CameraPoseEstimate
from pose3d_ros.camera_pose.estimator import CameraPoseEstimator
from pose3d_ros.people import K


@pytest.mark.parametrize(('pitch_deg', 'roll_deg', 'height_m'),
                         [(-20, 0, 3.0), (-5, 4, 1.5), (-35, -6, 4.5)])  # fmt: skip
def test_walking_people_tell_up_and_height(pitch_deg, roll_deg, height_m):
    scene = stage(pitch_deg=pitch_deg, roll_deg=roll_deg, height_m=height_m)
    estimate = watch(CameraPoseEstimator(), scene, 12).estimate()
    assert up_error_deg(estimate, scene.pose) < 4
    assert estimate.height_m == pytest.approx(height_m, rel=0.15)
    assert estimate.people == 6
    assert estimate.seconds > 10


def test_the_error_is_within_the_stated_uncertainty():
    errors = []
    for seed in range(1, 9):
        scene = stage(seed=seed, pitch_deg=-10 - 3 * seed, height_m=1.2 + 0.4 * seed)
        estimate = watch(CameraPoseEstimator(), scene, 6, seed=seed).estimate()
        errors.append([
            np.radians(up_error_deg(estimate, scene.pose)) / estimate.up_sd_rad,
            abs(estimate.height_m / scene.pose.height_m - 1) / estimate.height_sd,
        ])  # fmt: skip
    assert (np.array(errors) < 3.5).all()
    assert np.sqrt(np.mean(np.square(errors))) < 1.5


def test_nothing_is_stated_without_people():
    estimator = CameraPoseEstimator()
    assert estimator.estimate() is None
    for stamp_s in range(20):
        estimator.update(float(stamp_s), tracked(np.zeros((0, K, 2))), CAMERA)
    assert estimator.estimate() is None


def test_tentative_people_do_not_count():
    estimator, scene = CameraPoseEstimator(), stage()
    rng = np.random.default_rng(0)
    for i in range(30):
        people = seen(scene, i / 5, rng)
        people = replace(people, state=np.zeros_like(people.state))
        estimator.update(i / 5, people, CAMERA)
    assert estimator.estimate() is None


def test_people_with_few_keypoints_do_not_count():
    estimator, scene = CameraPoseEstimator(), stage()
    rng = np.random.default_rng(0)
    scores = np.zeros((6, K))
    scores[:, :7] = 1
    for i in range(30):
        xy_px = seen(scene, i / 5, rng).people.people_2d.xy_px
        estimator.update(i / 5, tracked(xy_px, scores=scores), CAMERA)
    assert estimator.estimate() is None


def test_uncertainty_falls_with_time_and_people():
    scene = stage()
    first = watch(CameraPoseEstimator(), scene, 1).estimate()
    later = watch(CameraPoseEstimator(), scene, 12).estimate()
    alone = watch(CameraPoseEstimator(), stage(number=1), 1).estimate()
    assert later.up_sd_rad < 0.8 * first.up_sd_rad
    assert later.height_sd < 0.8 * first.height_sd
    assert alone is None or alone.up_sd_rad > first.up_sd_rad


def test_a_camera_that_is_moved_is_noticed():
    before = stage(pitch_deg=-15)
    after = before._replace(axes=axes(-27), pose=CameraPose(axes(-27)[:, 2], 3.0))
    estimator = watch(CameraPoseEstimator(), before, 20)
    assert estimator.moves == 0
    watch(estimator, after, 16, start_s=20)
    assert estimator.moves >= 1
    assert up_error_deg(estimator.estimate(), after.pose) < 6


def test_a_camera_at_rest_is_not_taken_for_moved():
    for seed in range(3):
        estimator = watch(CameraPoseEstimator(), stage(seed=seed), 30, seed=seed)
        assert estimator.moves == 0


def test_an_empty_room_costs_nothing_of_what_is_known():
    estimator = watch(CameraPoseEstimator(), stage(), 12)
    before = estimator.estimate()
    sitting = stage(number=1, activity='sitting')
    after = watch(estimator, sitting, 5, start_s=600).estimate()
    assert after.up_sd_rad < 1.1 * before.up_sd_rad
    assert up_error_deg(after, stage().pose) < 4
    assert estimator.moves == 0


def test_another_camera_starts_anew():
    estimator = watch(CameraPoseEstimator(), stage(), 5)
    other = Intrinsics(500, 500, 319.5, 239.5)
    estimator.update(5.0, tracked(np.zeros((0, K, 2))), other)
    assert estimator.estimate() is None


def test_a_recording_that_starts_again_keeps_the_estimate():
    estimator = watch(CameraPoseEstimator(), stage(), 10)
    before = estimator.estimate()
    watch(estimator, stage(), 3, start_s=0.0)
    after = estimator.estimate()
    assert up_error_deg(after, stage().pose) < 4
    assert after.up_sd_rad < 1.2 * before.up_sd_rad


def test_an_estimate_is_made_again_whenever_something_has_changed():
    estimator = CameraPoseEstimator(restored=restored(-40, 1.5))
    scene, rng, moves = stage(), np.random.default_rng(0), 0
    for i in range(130):
        stamp_s = i / 11 if i < 100 else i / 11 - 3  # a recording that starts again
        known = CameraPose(axes(-20 + i % 7)[:, 2]) if i >= 115 else None
        estimator.update(stamp_s, seen(scene, stamp_s, rng), CAMERA, known)
        found, made_now = estimator.estimate(), estimator._certain()
        assert (found is None) == (made_now is None)
        if found is not None:
            np.testing.assert_array_equal(found.covariance, made_now.covariance)
            np.testing.assert_array_equal(found.up, made_now.up)
            assert (found.seconds, found.people) == (made_now.seconds, made_now.people)
        moves = max(moves, estimator.moves)
    assert moves  # the restored estimate was dropped


def test_a_stamp_must_be_finite():
    with pytest.raises(ValueError, match='finite'):
        CameraPoseEstimator().update(float('nan'), tracked(np.zeros((0, K, 2))), CAMERA)


def test_people_are_not_written_into():
    people = seen(stage(), 0.0, np.random.default_rng(0))
    arrays = people.people.people_2d.xy_px, people.people.people_2d.scores, people.track_id
    before = [array.copy() for array in arrays]
    CameraPoseEstimator().update(0.0, people, CAMERA)
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_where_up_is_known_only_the_height_is_estimated():
    estimator = CameraPoseEstimator()
    rng = np.random.default_rng(0)
    start = stage(height_m=2.0)
    for i in range(60):
        # The camera nods and rolls all the time.
        turn = axes(-20 + 12 * np.sin(i), 10 * np.cos(i))
        scene: Stage = start._replace(axes=turn, pose=CameraPose(turn[:, 2], 2.0))
        people = seen(scene, i / 5, rng)
        estimator.update(i / 5, people, CAMERA, CameraPose(turn[:, 2]), np.deg2rad(0.5))
    estimate = estimator.estimate()
    assert up_error_deg(estimate, scene.pose) < 1.5
    assert estimate.height_m == pytest.approx(2.0, rel=0.08)
    assert estimator.moves == 0


def test_where_the_pose_is_known_heights_of_people_are_estimated():
    scene = stage()
    small = scene.bodies_m.copy()
    small[2] *= 0.75
    scene = scene._replace(bodies_m=small)
    estimator = watch(CameraPoseEstimator(), scene, 6, known=scene.pose)
    assert up_error_deg(estimator.estimate(), scene.pose) < 1.5
    assert estimator.estimate().height_m == pytest.approx(3.0, abs=0.06)
    height_m, _ = estimator.heights.get(np.arange(6))
    others = np.delete(height_m / scene.height_m, 2)
    assert np.abs(others - 1).max() < 0.12
    assert height_m[2] / scene.height_m[2] == pytest.approx(0.75, abs=0.1)


def restored(pitch_deg, height_m):
    covariance = np.diag([np.deg2rad(1) ** 2, np.deg2rad(1.5) ** 2, (0.05 * height_m) ** 2])
    return CameraPoseEstimate(axes(pitch_deg)[:, 2], height_m, covariance, 60.0, 7)


def test_an_earlier_estimate_holds_from_the_start():
    estimator = CameraPoseEstimator(restored=restored(-20, 3.0))
    assert estimator.estimate().height_m == 3.0
    scene = stage(number=1)
    estimate = watch(estimator, scene, 3).estimate()
    assert up_error_deg(estimate, scene.pose) < 2.5
    assert estimate.height_m == pytest.approx(3.0, rel=0.08)
    assert estimator.moves == 0


def test_an_earlier_estimate_that_people_contradict_is_dropped():
    estimator = CameraPoseEstimator(restored=restored(-40, 1.5))
    scene = stage()
    estimate = watch(estimator, scene, 14).estimate()
    assert estimator.moves == 1
    assert up_error_deg(estimate, scene.pose) < 4


def test_a_child_among_adults_is_found_to_be_small():
    scene = stage()
    small = scene.bodies_m.copy()
    small[0] *= 0.7
    scene = scene._replace(bodies_m=small)
    estimator = watch(CameraPoseEstimator(), scene, 12)
    height_m, sd_m = estimator.heights.get(np.arange(7))
    assert height_m[0] < 0.8 * height_m[1:6].mean()
    assert height_m[0] / 1.7 == pytest.approx(0.7 * scene.height_m[0] / 1.7, abs=0.12)
    assert (sd_m[:6] < sd_m[6]).all()
    assert height_m[6] == 1.7  # never seen
