"""Truth: where the points that are made here really are."""

import numpy as np
import pytest

from pose3d_ros.skeleton import PANOPTIC19
from pose3d_ros.tracking import smoothing as one_euro

K = len(PANOPTIC19)
PELVIS = PANOPTIC19.index('pelvis')
NECK = PANOPTIC19.index('neck')
WRIST = PANOPTIC19.index('left_wrist')
MIN_CUTOFF_HZ, BETA = 1.0, 6.0  # the defaults


def figure():
    """(K, 3) m about the pelvis."""
    xyz_m = np.random.default_rng(3).normal(0, 0.4, (K, 3))
    xyz_m[PELVIS] = 0
    return xyz_m


def run(measured_m, rate_hz=30.0, min_cutoff_hz=MIN_CUTOFF_HZ, beta=BETA):
    """(T, K, 3) smoothed, one person, images at a steady rate."""
    state = one_euro.nothing_yet(1)
    smoothed_m = []
    for i, xyz_m in enumerate(measured_m):
        now_m, state = one_euro.smooth(state, xyz_m[None], 7.0 + i / rate_hz, min_cutoff_hz, beta)
        smoothed_m.append(now_m[0])
    return np.array(smoothed_m)


def walk(velocity_m_s, seconds=4.0, rate_hz=30.0, start_m=(0.0, 0.0, 5.0)):
    stamps_s = np.arange(0, seconds, 1 / rate_hz)
    return figure() + np.array(start_m) + stamps_s[:, None, None] * np.array(velocity_m_s)


def test_first_image_and_a_person_at_rest_are_as_measured():
    still = walk((0, 0, 0))
    np.testing.assert_allclose(run(still), still, atol=1e-12)


def test_step_is_the_low_pass_filter_of_the_paper():
    # alpha = 1 / (1 + tau / dt), tau = 1 / (2 pi fc), with beta 0
    before, after = walk((0, 0, 0), seconds=0.02), walk((0, 0, 0), seconds=0.02)
    after[:, WRIST, 0] += 0.3
    smoothed_m = run([before[0], after[0]], rate_hz=10, min_cutoff_hz=2.0, beta=0.0)
    alpha = 1 / (1 + 1 / (2 * np.pi * 2.0) / 0.1)
    assert smoothed_m[1, WRIST, 0] - before[0, WRIST, 0] == pytest.approx(0.3 * alpha)


def test_beta_makes_it_follow_as_the_paper_says():
    # Second sample: velocity = alpha(1 Hz) * 0.3 m / 0.1 s, cut-off = 2 + beta * velocity
    before, after = walk((0, 0, 0), seconds=0.02), walk((0, 0, 0), seconds=0.02)
    after[:, WRIST, 0] += 0.3
    smoothed_m = run([before[0], after[0]], rate_hz=10, min_cutoff_hz=2.0, beta=3.0)
    velocity = 3.0 / (1 + 1 / (2 * np.pi * 1.0) / 0.1)
    alpha = 1 / (1 + 1 / (2 * np.pi * (2.0 + 3.0 * velocity)) / 0.1)
    assert smoothed_m[1, WRIST, 0] - before[0, WRIST, 0] == pytest.approx(0.3 * alpha)


@pytest.mark.parametrize('velocity_m_s', [(1.2, 0, 0), (0, 0, -1.2), (0.8, 0, 0.8)])
@pytest.mark.parametrize('rate_hz', [10.0, 30.0, 60.0])
def test_walker_is_not_late_whatever_the_rate(velocity_m_s, rate_hz):
    # The published filter is 0.12 m late at 1.2 m/s. Halfway the person is in front of the camera.
    start_m = np.array((0, 0, 6)) - 2.0 * np.array(velocity_m_s)
    truth = walk(velocity_m_s, rate_hz=rate_hz, start_m=start_m)
    late_m = np.linalg.norm(run(truth, rate_hz) - truth, axis=-1)
    half = len(truth) // 2
    assert late_m[half:].max() < 0.065
    if velocity_m_s[2] == 0:
        assert late_m[half].max() < 0.03


def test_noise_at_rest_is_about_halved_in_all_directions():
    truth = walk((0, 0, 0), seconds=20, start_m=(0.5, 0, 3.5))
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 1, (len(truth), 1, 3)) * (0.015, 0.015, 0.13)
    pose_noise = rng.normal(0, 0.027, truth.shape)
    pose_noise[:, PELVIS] = 0
    error_m = (run(truth + noise + pose_noise) - truth)[30:]
    assert (error_m[:, PELVIS].std(axis=0) < np.array([0.009, 0.009, 0.075])).all()
    assert (error_m[:, WRIST] - error_m[:, PELVIS]).std() < 0.018


def test_noise_along_the_ray_does_not_open_the_filter_across_it():
    # A root seen 45 degrees to the side, whose distance alone is noisy.
    truth = walk((0, 0, 0), seconds=20, start_m=(3, 0, 3))
    ray = np.array([1, 0, 1]) / np.sqrt(2)
    noise = np.random.default_rng(0).normal(0, 0.13, (len(truth), 1, 1)) * ray
    error_m = (run(truth + noise) - truth)[:, PELVIS]
    across = error_m @ np.array([1, 0, -1]) / np.sqrt(2)
    assert np.abs(across).max() < 1e-9
    assert error_m.std() > 1e-3


def test_missing_keypoint_stays_missing_and_comes_back():
    truth = walk((0, 0, 0), seconds=2)
    measured = truth.copy()
    measured[10:40, WRIST] = np.nan
    measured[40:, WRIST, 1] += 0.5  # and is elsewhere a second later
    smoothed_m = run(measured)
    assert np.isnan(smoothed_m[10:40, WRIST]).all()
    others = np.arange(K) != WRIST
    np.testing.assert_allclose(smoothed_m[:, others], truth[:, others], atol=1e-12)
    late_m = measured[40, WRIST, 1] - smoothed_m[40, WRIST, 1]
    assert 0 <= late_m < 0.07  # one step over the whole second, not over one image


def test_keypoint_missing_from_the_start_is_as_measured_when_it_comes():
    measured = walk((0, 0, 0), seconds=1)
    measured[:5, WRIST] = np.nan
    np.testing.assert_allclose(run(measured)[5, WRIST], measured[5, WRIST], atol=1e-12)


def test_no_time_passed_changes_nothing():
    state = one_euro.nothing_yet(1)
    person = walk((0, 0, 0), seconds=0.02)[:1]
    _, state = one_euro.smooth(state, person, 1.0, MIN_CUTOFF_HZ, BETA)
    again_m, state = one_euro.smooth(state, person + 0.4, 1.0, MIN_CUTOFF_HZ, BETA)
    np.testing.assert_allclose(again_m, person)
    later_m, _ = one_euro.smooth(state, person + 0.4, 1.1, MIN_CUTOFF_HZ, BETA)
    assert np.isfinite(later_m).all()
    assert np.abs(later_m - person).max() <= 0.4


def test_root_that_vanishes_does_not_make_the_person_jump():
    truth = walk((1.0, 0, 0), seconds=3, start_m=(-1.5, 0, 4))
    measured = truth.copy()
    measured[30:60, PELVIS] = np.nan
    smoothed_m = run(measured)
    with_root = run(truth)
    others = np.arange(K) != PELVIS
    np.testing.assert_allclose(smoothed_m[:, others], with_root[:, others], atol=0.01)
    assert np.isnan(smoothed_m[30:60, PELVIS]).all()


def test_person_without_root_from_the_start_is_smoothed_and_does_not_jump_when_it_comes():
    truth = walk((1.0, 0, 0), seconds=3, start_m=(-1.5, 0, 4))
    measured = truth.copy()
    measured[:45, PELVIS] = np.nan
    error_m = np.linalg.norm(run(measured) - truth, axis=-1)
    assert np.isnan(error_m[:45, PELVIS]).all()
    assert np.nanmax(error_m) < 0.12
    assert np.nanmax(error_m[40:50]) < 0.06


def test_images_without_any_known_position_keep_the_state():
    truth = walk((0, 0, 0), seconds=1)
    measured = truth.copy()
    measured[10:20] = np.nan
    smoothed_m = run(measured)
    assert np.isnan(smoothed_m[10:20]).all()
    np.testing.assert_allclose(smoothed_m[20:], truth[20:], atol=1e-12)


def test_keypoints_none_of_which_was_known_before_start_anew():
    measured = walk((0, 0, 0), seconds=1)
    measured[:10, 10:] = np.nan
    measured[10:, :10] = np.nan
    np.testing.assert_allclose(run(measured), measured, atol=1e-12)


def test_people_do_not_mix_and_inputs_are_left_alone():
    near, far = walk((1, 0, 0)), walk((0, 0, 1), start_m=(2, 0, 9))
    alone_m = run(near)
    state = one_euro.nothing_yet(2)
    for i in range(len(near)):
        both_m = np.stack([near[i], far[i]])
        kept_m, kept = both_m.copy(), state.copy()
        smoothed_m, after = one_euro.smooth(state, both_m, 7.0 + i / 30, MIN_CUTOFF_HZ, BETA)
        np.testing.assert_array_equal(both_m, kept_m)
        assert state.tobytes() == kept.tobytes()
        np.testing.assert_allclose(smoothed_m[0], alone_m[i])
        state = after
