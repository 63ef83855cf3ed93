"""Sampled camera poses, occlusion and detections of a figure whose truth is known."""

import numpy as np

from pose3d_ros.skeleton import PANOPTIC19
from training import cameras
from training.lifting import camera_pose, detector, occlusion

N = 4000
K = {name: i for i, name in enumerate(PANOPTIC19.keypoints)}
# A person of 1.70 m who faces the camera, arms half raised: x to the right of the image and y down
# from the pelvis, m.
FIGURE_M = {
    'neck': (0, -0.5), 'nose': (0, -0.7), 'pelvis': (0, 0), 'shoulder': (0.17, -0.5),
    'elbow': (0.4, -0.4), 'wrist': (0.6, -0.5), 'hip': (0.11, 0), 'knee': (0.12, 0.42),
    'ankle': (0.13, 0.84), 'eye': (0.03, -0.74), 'ear': (0.08, -0.72),
}  # fmt: skip


def figure_m(distance_m=4.0, n=1):
    """``(n, K, 3)`` in the camera optical frame; the person's left is on the image's right."""
    points = np.zeros((len(K), 3))
    for name, i in K.items():
        side, _, part = name.rpartition('_')
        x, y = FIGURE_M[part]
        points[i] = (-x if side == 'right' else x, y, distance_m)
        if part in ('nose', 'eye'):
            points[i, 2] -= 0.1
    return np.repeat(points[np.newaxis], n, axis=0)


def sampled_cameras(seed=0, n=N):
    rng = np.random.default_rng(seed)
    middle_m = np.zeros((n, 3))
    return cameras.sample(rng, middle_m, np.full(n, -0.9)), np.full(n, -0.9)


def angles_rad(a, b):
    return np.arccos(np.clip((a * b).sum(1), -1, 1))


def test_known_camera_poses_are_exact_or_off_by_a_degree_or_two():
    camera, floor_m = sampled_cameras()
    pose = camera_pose.draw(np.random.default_rng(1), camera, floor_m)
    known = np.isfinite(pose.up[:, 0]) & (pose.up_sd_rad == 0)
    error_rad = angles_rad(pose.up[known], camera.up[known])
    assert (error_rad < 1e-6).mean() > 0.3
    assert np.quantile(error_rad, 0.95) < np.deg2rad(3)


def test_errors_of_estimated_camera_poses_have_the_stated_size():
    camera, floor_m = sampled_cameras()
    pose = camera_pose.draw(np.random.default_rng(2), camera, floor_m)
    estimated = pose.up_sd_rad > 0
    assert 0.1 < estimated.mean() < 0.4
    # The sum of the squares of two coordinates over their stated standard deviation.
    squared = (angles_rad(pose.up, camera.up) / np.maximum(pose.up_sd_rad, 1e-9))[estimated] ** 2
    assert 1.0 < np.median(squared) < 2.0
    height_m = camera.position_m[:, 2] - floor_m
    share = np.log(pose.height / height_m)[estimated] / pose.height_sd[estimated]
    assert 0.4 < np.median(np.abs(share)) < 1.0


def test_an_estimated_pose_keeps_the_floor_where_people_stand(monkeypatch):
    """The error of the height is that of the tilt, so the person's foot stays on the floor."""
    monkeypatch.setattr(camera_pose, 'HEIGHT_SD', (1e-6, 1e-5))
    monkeypatch.setattr(camera_pose, 'OTHERS_LOG_SD', 0.0)
    camera, floor_m = sampled_cameras()
    pose = camera_pose.draw(np.random.default_rng(3), camera, floor_m)
    foot_m = camera.see(np.stack([np.zeros(N), np.zeros(N), floor_m], axis=1)[:, np.newaxis])[:, 0]
    below_m = -(foot_m * pose.up).sum(1)
    estimated = pose.up_sd_rad > 0
    assert np.median(np.abs(below_m / pose.height - 1)[estimated]) < 0.01
    true_m = (camera.position_m[:, 2] - floor_m)[estimated]
    assert np.median(np.abs(pose.height[estimated] / true_m - 1)) > 0.02


def test_unknown_camera_poses_are_nan():
    camera, floor_m = sampled_cameras()
    pose = camera_pose.draw(np.random.default_rng(4), camera, floor_m)
    unknown = np.isnan(pose.up[:, 0])
    assert 0.3 < unknown.mean() < 0.6
    assert np.isnan(pose.height[unknown]).all()
    np.testing.assert_allclose(np.linalg.norm(pose.up[~unknown], axis=1), 1)


def test_a_hand_behind_the_back_is_occluded():
    person_m = figure_m()
    wrist = K['left_wrist']
    person_m[0, wrist] = (0.05, -0.2, 4.2)
    assert occlusion.self_occluded(person_m)[0, wrist]
    person_m[0, wrist, 2] = 3.8
    assert not occlusion.self_occluded(person_m).any()


def test_the_far_knee_is_occluded_from_the_side():
    person_m = figure_m()
    person_m[0, K['left_knee']] = (0, 0.42, 4.15)
    person_m[0, K['right_knee']] = (0.02, 0.42, 3.95)
    hidden = occlusion.self_occluded(person_m)[0]
    assert hidden[K['left_knee']]
    assert not hidden[K['right_knee']]


def test_the_face_is_hidden_from_behind():
    person_m = figure_m()
    assert not occlusion.turned_away(person_m)[0, K['nose']]
    person_m[..., 2] = 8 - person_m[..., 2]  # facing away
    assert occlusion.turned_away(person_m)[0, [K['nose'], K['left_eye']]].all()


def errors_by_network_m(rng, n=N):
    """Return errors, m, and scores of keypoints detected by networks."""
    person_m = figure_m(n=n)
    tangents = np.full((n, 2), 0.6)
    rays, scores = detector.by_network(rng, person_m, tangents)
    errors_m = np.linalg.norm(rays - person_m[..., :2] / person_m[..., 2:], axis=-1) * 4.0
    return np.where(scores > 0, errors_m, np.nan), scores


def test_keypoints_with_lower_scores_have_larger_errors():
    errors_m, scores = errors_by_network_m(np.random.default_rng(5))
    low, high = (errors_m[(scores > a) & (scores <= b)] for a, b in ((0, 0.5), (0.8, 0.99)))
    assert np.nanmedian(low) > 1.5 * np.nanmedian(high)


def test_networks_find_people_smaller_than_they_are():
    rays = detector.shrunk(np.random.default_rng(6), figure_m(n=N)[..., :2] / 4.0)
    shank = np.linalg.norm(rays[:, K['left_ankle']] - rays[:, K['left_knee']], axis=-1)
    true = 0.42 / 4.0
    assert 0.95 * true < shank.mean() < 0.99 * true
    # Shares of limbs are independent.
    other = np.linalg.norm(rays[:, K['right_ankle']] - rays[:, K['right_knee']], axis=-1)
    assert np.corrcoef(shank, other)[0, 1] < 0.9


def test_labels_have_small_errors_and_scores_of_1():
    person_m = figure_m(n=N)
    rays, scores = detector.by_hand(np.random.default_rng(7), person_m)
    errors_m = np.linalg.norm(rays - person_m[..., :2] / person_m[..., 2:], axis=-1) * 4.0
    assert np.median(errors_m) < 0.01
    assert set(np.unique(scores)) <= {0.0, 1.0}
