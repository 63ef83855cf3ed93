"""Least squares for a camera's pose, from observations made by construction."""

import numpy as np
import pytest

from pose3d_ros.camera_pose.observations import Observations
from pose3d_ros.camera_pose.prior import start, usual_prior, with_known
from pose3d_ros.camera_pose.residuals import (
    ANKLES_M,
    HEIGHT,
    NECK_M,
    PITCH,
    ROLL,
    SHARED,
    Evidence,
    plane_sd_m,
    residuals,
    up_vectors,
)
from pose3d_ros.camera_pose.solver import solve

TRUE = np.array([0.06, -0.35, 2.6])  # roll, pitch, height


def true_up():
    theta = np.zeros((1, SHARED))
    theta[0, :3] = TRUE
    return up_vectors(theta)[0][0]


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def observations(rng, number, sd=(0.05, 0.1, 0.08, 0.06), size=None):
    """People 4 to 10 m before the camera `TRUE`, off by normal noise of those deviations."""
    up = true_up()
    size = np.zeros(number) if size is None else size
    rays = np.stack([rng.uniform(-0.4, 0.4, number), rng.uniform(-0.1, 0.3, number),
                     np.ones(number)], axis=-1)  # fmt: skip
    # Feet where the rays meet the plane of ankles.
    foot = rays + 0.0
    foot[:, 1] += 0.12
    scale = (TRUE[2] - ANKLES_M) / -(foot @ up)
    feet_m = foot * scale[:, None]
    necks_m = feet_m + NECK_M * np.exp(size)[:, None] * up
    middle_m = (feet_m + necks_m) / 2
    axis = unit(middle_m)
    depth_m = np.linalg.norm(middle_m, axis=1)
    height_m = TRUE[2] + middle_m @ up
    off = rng.normal(size=(number, 4)) * sd
    # Of any person the tangents at up are up to the turn about it.
    across = unit(np.cross(np.cross(up, [0, 0, 1.0]), up))
    first = np.tile(unit(np.cross(up, across)), (number, 1))
    second = np.tile(across, (number, 1))
    seen = unit(up - off[:, :1] * first - off[:, 1:2] * second)
    first = unit(first - (first * seen).sum(1, keepdims=True) * seen)
    second = np.cross(first, seen) * np.sign((np.cross(first, seen) * second).sum(1))[:, None]
    shrunk = np.exp(-size)
    return Observations(
        axis, seen, first, second, np.tile(np.diag(np.square(sd)), (number, 1, 1)),
        shrunk * height_m + off[:, 2], shrunk * depth_m * np.exp(off[:, 3]),
        foot, necks_m[:, :2] / necks_m[:, 2:], np.ones(number, bool), np.ones(number, bool),
    )  # fmt: skip


def evidence(seen, track=None, walks=False):
    number = len(seen.straight)
    track = np.arange(number) if track is None else track
    return Evidence(seen, track, np.full(number, walks), np.ones(number))


def solved(given, tracks=None, prior=None):
    tracks = tracks or int(given.track.max()) + 1
    prior = prior or usual_prior(tracks)
    return solve(given, prior, start(tracks)[np.newaxis], 30)


def up_error_deg(theta):
    return np.degrees(np.arccos(np.clip(up_vectors(theta[np.newaxis])[0][0] @ true_up(), -1, 1)))


@pytest.mark.parametrize('walks', [False, True])
def test_the_jacobian_is_the_derivative(walks):
    rng = np.random.default_rng(0)
    given = evidence(observations(rng, 6), track=rng.integers(0, 3, 6), walks=walks)
    theta = np.tile(start(3), (2, 1))
    theta[:, :3] = [[0.1, -0.3, 2.0], [-0.05, -0.5, 3.0]]
    theta[:, SHARED:] = 0.05
    sd_m = plane_sd_m(theta, given)
    r, jacobian = residuals(theta, given, sd_m)
    for column in range(theta.shape[1]):
        more, less = theta.copy(), theta.copy()
        more[:, column] += 1e-6
        less[:, column] -= 1e-6
        found = (residuals(more, given, sd_m)[0] - residuals(less, given, sd_m)[0]) / 2e-6
        wanted = jacobian[..., min(column, SHARED)]
        if column >= SHARED:
            wanted = np.where((given.track == column - SHARED)[:, None], wanted, 0)
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
    assert np.abs(r).max() > 0.1


@pytest.mark.parametrize('walks', [False, True])
def test_people_without_noise_tell_the_pose(walks):
    seen = observations(np.random.default_rng(1), 30, sd=np.full(4, 1e-4))
    seen = seen._replace(covariance=seen.covariance * 1e4)
    found = solved(evidence(seen, walks=walks))
    assert up_error_deg(found.theta) < 0.7
    assert found.theta[HEIGHT] == pytest.approx(TRUE[2], rel=0.03)


def test_the_covariance_is_that_of_the_errors():
    squared = []
    for seed in range(60):
        found = solved(evidence(observations(np.random.default_rng(seed), 12)))
        off = found.theta[:3] - TRUE
        squared.append(off @ np.linalg.solve(found.covariance[:3, :3], off))
    # Priors on biases and sizes, which are zero here, are on the safe side: less than 3.
    assert 0.4 < np.mean(squared) < 3.5


def test_one_wrong_person_moves_the_pose_little():
    rng = np.random.default_rng(2)
    seen = observations(rng, 10)
    right = solved(evidence(seen)).theta
    up = seen.up.copy()
    up[0] = unit(up[0] + 1.5 * seen.inward[0])
    wrong = seen._replace(up=up, inward=seen.inward.copy(), height_m=seen.height_m.copy())
    wrong.height_m[0] += 1.5
    inward = wrong.inward - (wrong.inward * up).sum(1, keepdims=True) * up
    found = solved(evidence(wrong._replace(inward=unit(inward)))).theta
    assert np.degrees(np.abs(found[[ROLL, PITCH]] - right[[ROLL, PITCH]])).max() < 2.5
    assert found[HEIGHT] == pytest.approx(right[HEIGHT], rel=0.1)


def test_walking_people_overrule_a_bias_of_directions():
    rng = np.random.default_rng(3)
    seen = observations(rng, 40, sd=(0.02, 0.02, 0.05, 0.05))
    up = unit(seen.up + np.tan(np.deg2rad(25)) * seen.inward)
    inward = unit(seen.inward - (seen.inward * up).sum(1, keepdims=True) * up)
    seen = seen._replace(up=up, inward=inward)
    standing, walking = (solved(evidence(seen, walks=w)).theta for w in (False, True))
    assert up_error_deg(standing) > 2.5
    assert up_error_deg(walking) < 1


def test_sizes_of_people_are_found_where_the_floor_is_known():
    track = np.arange(40) % 4
    size = np.where(track == 0, np.log(0.7), 0)
    seen = observations(np.random.default_rng(4), 40, sd=(0.05, 0.1, 0.02, 0.02), size=size)
    known = with_known(usual_prior(4), TRUE, np.diag(np.square([0.01, 0.01, 0.05])))
    found = solved(evidence(seen, track), prior=known)
    assert np.exp(found.theta[SHARED]) == pytest.approx(0.7, abs=0.1)
    assert np.abs(found.theta[SHARED + 1 :]).max() < 0.15
    assert (found.size_sd < 0.12).all()


def test_the_better_of_two_starts_is_taken():
    given = evidence(observations(np.random.default_rng(5), 10))
    good, bad = start(10), start(10)
    bad[:3] = [2.5, 1.2, 0.2]
    alone = solve(given, usual_prior(10), good[np.newaxis], 30)
    both = solve(given, usual_prior(10), np.stack([bad, good]), 30)
    assert both.cost <= alone.cost + 1e-6
    np.testing.assert_allclose(both.theta[:3], alone.theta[:3], atol=0.02)
