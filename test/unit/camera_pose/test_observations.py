"""What people tell of the camera: bodies whose up and floor are known."""

import numpy as np
import pytest
from support.walking_people import axes, bodies

from pose3d_ros.camera_pose.observations import MIN_KEYPOINTS, Observer
from pose3d_ros.people import K
from pose3d_ros.skeleton import PANOPTIC19

HEIGHT_M = 1.6


@pytest.fixture(scope='module')
def observer():
    return Observer()


def shown(activity, pitch_deg=-12.0, height_m=HEIGHT_M, distance_m=4.0, aside_m=0.0):
    """Rays and positions of bodies, each turned another way, and the true up."""
    bodies_m, _ = bodies(activity, 30)
    yaw = np.linspace(0, 2 * np.pi, len(bodies_m), endpoint=False)[:, None]
    x, y, z = np.moveaxis(bodies_m, -1, 0)
    world = np.stack([np.cos(yaw) * x - np.sin(yaw) * y + aside_m,
                      np.sin(yaw) * x + np.cos(yaw) * y + distance_m, z - height_m],
                     axis=-1)  # fmt: skip
    turn = axes(pitch_deg)
    xyz_m = world @ turn.T
    return xyz_m[..., :2] / xyz_m[..., 2:], xyz_m, turn[:, 2]


def scores(number):
    found = np.ones((number, K))
    found[:, PANOPTIC19.index('pelvis')] = 0
    return found


def up_errors_deg(seen, up):
    return np.degrees(np.arccos(np.clip(seen.up @ up, -1, 1)))


@pytest.mark.parametrize('pitch_deg', [0.0, -25.0, -60.0])
def test_standing_people_tell_which_way_is_up(observer, pitch_deg):
    height_m = 0.9 + 4 * np.sin(np.deg2rad(-pitch_deg))
    distance_m = 4 * np.cos(np.deg2rad(pitch_deg))
    rays, _, up = shown('standing', pitch_deg, height_m, distance_m)
    seen = observer.observe(rays, scores(len(rays)), 1.7)
    assert np.median(up_errors_deg(seen, up)) < 9
    np.testing.assert_allclose(np.linalg.norm(seen.up, axis=1), 1)


def test_people_tell_how_far_off_and_how_high_above_the_floor_they_are(observer):
    rays, xyz_m, up = shown('standing')
    seen = observer.observe(rays, scores(len(rays)), 1.7)
    root_m = xyz_m[:, PANOPTIC19.index('pelvis')]
    depth_m = (root_m * seen.axis).sum(1)
    height_m = HEIGHT_M + depth_m * (seen.axis @ up)
    assert np.median(np.abs(seen.depth_m / depth_m - 1)) < 0.08
    assert np.median(np.abs(seen.height_m - height_m)) < 0.12
    scaled = observer.observe(rays, scores(len(rays)), 3.4)
    np.testing.assert_allclose(scaled.depth_m, 2 * seen.depth_m)
    np.testing.assert_allclose(scaled.covariance[:, 2, 2], 4 * seen.covariance[:, 2, 2])


@pytest.mark.parametrize('activity', ['standing', 'sitting', 'bending'])
def test_errors_are_as_large_as_stated(observer, activity):
    rays, _, up = shown(activity)
    seen = observer.observe(rays, scores(len(rays)), 1.7)
    inward = 2 * (seen.inward @ up) / (1 + seen.up @ up)
    assert np.sqrt(np.mean(inward**2 / seen.covariance[:, 1, 1])) < 2
    np.testing.assert_array_less(0, np.linalg.eigvalsh(seen.covariance))


def test_people_in_odd_poses_are_less_certain_than_standing_ones(observer):
    standing, others = (
        observer.observe(rays, scores(len(rays)), 1.7)
        for rays, *_ in (shown('standing'), shown('anything'))
    )
    assert np.median(others.covariance[:, 1, 1]) > 1.5 * np.median(standing.covariance[:, 1, 1])


def test_a_turned_camera_sees_up_turned(observer):
    rays, _, _ = shown('standing')
    ahead = observer.observe(rays, scores(len(rays)), 1.7)
    c, s = np.cos(0.4), np.sin(0.4)
    pan = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    points = np.concatenate([rays, np.ones_like(rays[..., :1])], axis=-1) @ pan.T
    aside = observer.observe(points[..., :2] / points[..., 2:], scores(len(rays)), 1.7)
    angles = np.degrees(np.arccos(np.clip((aside.up * (ahead.up @ pan.T)).sum(1), -1, 1)))
    assert np.median(angles) < 5
    np.testing.assert_allclose(aside.axis, ahead.axis @ pan.T, atol=1e-6)


def test_people_stand_straight_or_not(observer):
    straight = {}
    for activity in ('standing', 'sitting', 'bending'):
        rays, *_ = shown(activity)
        straight[activity] = observer.observe(rays, scores(len(rays)), 1.7).straight.mean()
    assert straight['standing'] > 0.7
    assert straight['sitting'] < 0.15
    assert straight['bending'] < 0.5


def test_missing_keypoints_are_survived(observer):
    rays, *_ = shown('standing')
    rays, found = rays.copy(), scores(len(rays))
    ankle = PANOPTIC19.index('left_ankle')
    rays[0] = np.nan
    rays[1, ankle] = np.nan
    found[2, MIN_KEYPOINTS - 1 :] = 0
    seen = observer.observe(rays, found, 1.7)
    assert not seen.enough[0]
    assert seen.enough[1]
    assert not seen.enough[2]
    assert not seen.straight[:2].any()
    for array in seen:
        assert np.isfinite(array).all()


def test_no_people_are_no_observations(observer):
    seen = observer.observe(np.zeros((0, K, 2)), np.zeros((0, K)), 1.7)
    assert len(seen.enough) == 0
    assert seen.covariance.shape == (0, 4, 4)


def test_weights_of_other_sizes_are_refused(tmp_path):
    path = tmp_path / 'other.npz'
    np.savez(path, **{'0.weight': np.zeros((15, 9)), '0.bias': np.zeros(15)})
    with pytest.raises(ValueError, match='layers from 73 to 15'):
        Observer(path)
