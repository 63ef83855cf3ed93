"""Velocity, heading and distance over time. Truth: how the people here move and stand."""

from dataclasses import replace

import numpy as np
import pytest
from support.people import LEFT, STANDING_M, scene

from pose3d_ros.skeleton import PANOPTIC19
from pose3d_ros.tracking import range_filter
from pose3d_ros.tracking.heading import observe
from pose3d_ros.tracking.smoothing import Smoother
from pose3d_ros.tracking.tracker import Tracker

ROOT = PANOPTIC19.index('pelvis')
DISTANCE_SD = 0.1  # share of the distance that is stated
CHANGING_SD = 0.05  # and that differs from image to image


def person(place_m, rng=None, turned_rad=0.0):
    """A person who is seen with the errors above, and turned to the own left by an angle."""
    c, s = np.cos(turned_rad), np.sin(turned_rad)
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    people = scene([place_m])
    xyz_m = STANDING_M @ turn.T + place_m
    ray = np.asarray(place_m) / np.linalg.norm(place_m)
    sd_m = DISTANCE_SD * np.linalg.norm(place_m)
    covariance = sd_m**2 * np.outer(ray, ray) + 0.03**2 * np.eye(3)
    if rng is not None:
        xyz_m = xyz_m + rng.normal(0, CHANGING_SD) * np.asarray(place_m)
    return replace(
        people,
        xyz_m=xyz_m[np.newaxis],
        root_covariance_m2=covariance[np.newaxis],
        sd_m=np.full((1, len(PANOPTIC19)), 0.05),
    )


def walk(velocity_m_s, start_m, seconds=4.0, rate_hz=15, rng=None):
    """Yield the stamp, the true place and the person of each image."""
    for i in range(round(seconds * rate_hz)):
        place_m = np.asarray(start_m) + np.asarray(velocity_m_s) * i / rate_hz
        yield i / rate_hz, place_m, person(place_m, rng)


@pytest.mark.parametrize(
    ('velocity_m_s', 'start_m'),
    [((1.2, 0, 0), (-2, 0, 5)), ((0, 0, -1.2), (0, 0, 9)), ((0, 0, -1.0), (3, 0, 9)),
     ((0.7, 0, 0.7), (-1, 0, 4)), ((0, 0, 0), (1, 0, 5))],
)  # fmt: skip
def test_velocity_of_a_walker(velocity_m_s, start_m):
    tracker = Tracker()
    for stamp_s, _, people in walk(velocity_m_s, start_m):
        tracked = tracker.update(people, stamp_s)
    error = tracked.velocity_m_s[0] - velocity_m_s
    assert np.linalg.norm(error) < 0.3
    covariance = tracked.velocity_covariance[0]
    assert (np.linalg.eigvalsh(covariance) > 0).all()
    assert error @ np.linalg.solve(covariance, error) < 6.25  # 90 %


def test_velocity_covers_the_truth_in_noise():
    rng = np.random.default_rng(0)
    inside, errors = [], []
    for velocity_m_s in ((0.8, 0, 0), (0, 0, -0.8), (0, 0, 0)):
        for _ in range(5):
            tracker = Tracker()
            for stamp_s, _, people in walk(velocity_m_s, (0, 0, 7), rng=rng):
                tracked = tracker.update(people, stamp_s)
                if stamp_s > 1:
                    error = tracked.velocity_m_s[0] - velocity_m_s
                    weighed = np.linalg.solve(tracked.velocity_covariance[0], error)
                    inside.append(error @ weighed < 6.25)
                    errors.append(np.linalg.norm(error))
    assert np.mean(inside) > 0.85
    assert np.median(errors) < 0.25


def test_velocity_of_a_person_without_3d_is_unknown():
    people = scene([LEFT])
    people.xyz_m[:] = np.nan
    tracked = Tracker().update(people, 0.0)
    assert np.isnan(tracked.velocity_m_s).all()
    assert np.isnan(tracked.heading).all()
    assert np.isnan(tracked.heading_sd_rad).all()


@pytest.mark.parametrize('turned_deg', [0, 60, 90, 180, -120])
def test_heading_is_where_the_body_faces(turned_deg):
    # STANDING_M has the own left at x > 0 in the image: it faces the camera.
    turned = np.deg2rad(turned_deg)
    heading, variance = observe(person((0.5, 0, 4), turned_rad=turned))
    np.testing.assert_allclose(heading[0], [-np.sin(turned), 0, -np.cos(turned)], atol=1e-6)
    assert 0 < variance[0] < np.deg2rad(40) ** 2


def test_heading_is_horizontal_for_a_tilted_camera():
    up = np.array([0.0, -np.cos(0.6), -np.sin(0.6)])
    heading, _ = observe(person((0, 0, 4)), up)
    assert heading[0] @ up == pytest.approx(0, abs=1e-9)
    assert np.linalg.norm(heading[0]) == pytest.approx(1)
    assert heading[0, 2] < -0.5


def test_heading_follows_a_turn_and_rests_in_noise():
    rng = np.random.default_rng(0)
    tracker, errors_rad = Tracker(), []
    for i in range(90):
        turned = 0.0 if i < 45 else np.pi / 2
        people = person((0, 0, 4), turned_rad=turned)
        people.xyz_m[:] += rng.normal(0, 0.05, people.xyz_m.shape)
        tracked = tracker.update(people, i / 15)
        true = np.array([-np.sin(turned), 0, -np.cos(turned)])
        errors_rad.append(np.arccos(np.clip(true @ tracked.heading[0], -1, 1)))
    assert np.max(errors_rad[15:45]) < np.deg2rad(20)
    assert np.max(errors_rad[65:]) < np.deg2rad(25)


def test_distance_of_a_person_at_rest_stays_within_three_per_cent():
    rng = np.random.default_rng(0)
    tracker, smoother, ranges_m = Tracker(), Smoother(), []
    for stamp_s, _, people in walk((0, 0, 0), (1, 0, 5), seconds=20, rng=rng):
        smoothed = smoother.smooth(tracker.update(people, stamp_s), stamp_s)
        ranges_m.append(np.linalg.norm(smoothed.people.xyz_m[0, ROOT]))
    assert np.std(ranges_m[15:]) < 0.03 * np.sqrt(26)


@pytest.mark.parametrize('velocity_m_s', [(0, 0, -1.2), (1.2, 0, 0)])
def test_a_walker_is_hardly_late(velocity_m_s):
    tracker, smoother = Tracker(), Smoother()
    for stamp_s, place_m, people in walk(velocity_m_s, (-2, 0, 9)):
        smoothed = smoother.smooth(tracker.update(people, stamp_s), stamp_s)
        late_m = np.linalg.norm(smoothed.people.xyz_m[0, ROOT] - place_m)
    assert late_m < 0.1


def test_a_doubtful_distance_moves_a_person_less():
    state = range_filter.nothing_yet(2)
    for i in range(10):
        state = range_filter.follow(state, np.full(2, 4.0), np.full(2, 0.1), i / 10)
    after = range_filter.follow(state, np.full(2, 5.0), np.array([0.1, 2.0]), 1.0)
    moved_m = after['range_m'] - 4.0
    assert 0 < moved_m[1] < moved_m[0] / 3 < 0.3
    unknown = range_filter.follow(state, np.full(2, np.nan), np.ones(2), 1.0)
    assert unknown.tobytes() == state.tobytes()
