"""What is remembered of observations and of people's heights."""

import numpy as np
import pytest

from pose3d_ros.camera_pose.history import (
    INTERVAL_S,
    MAX_OBSERVATIONS,
    PER_TRACK,
    History,
)
from pose3d_ros.camera_pose.observations import Observations
from pose3d_ros.camera_pose.person_height import MAX_AGE_S as HEIGHT_AGE_S
from pose3d_ros.camera_pose.person_height import PersonHeights


def people(x, straight=True):
    """Observations of people at places in the image, half as high as they are far apart."""
    x = np.asarray(x, float)
    n = len(x)
    foot = np.stack([x, np.full(n, 0.3), np.ones(n)], axis=1)
    neck = np.stack([x, np.full(n, -0.2)], axis=1)
    vectors = np.tile([0.0, 0.0, 1.0], (n, 1))
    return Observations(
        vectors, vectors, vectors, vectors, np.tile(np.eye(4), (n, 1, 1)), x, x, foot, neck,
        np.full(n, straight), np.ones(n, bool),
    )  # fmt: skip


def filled(places, straight=True, step_s=0.5):
    """A history of one track at places, one after another."""
    history = History()
    for i, x in enumerate(places):
        history.add(i * step_s, np.array([7]), people([x], straight))
    return history


def test_observations_of_a_track_are_due_at_intervals():
    history = filled([0.0])
    tracks = np.array([7, 8])
    assert history.due(0.9 * INTERVAL_S, tracks).tolist() == [False, True]
    assert history.due(1.1 * INTERVAL_S, tracks).tolist() == [True, True]


def test_people_who_move_on_walk():
    assert filled(0.1 * np.arange(8)).walks.all()
    assert not filled(np.zeros(8)).walks.any()
    assert not filled(0.1 * np.arange(8), straight=False).walks.any()


def test_a_single_jump_is_not_walking():
    assert not filled([0, 0.4]).walks.any()


def test_walking_is_remembered_when_others_are_forgotten():
    history = filled(np.r_[0.1 * np.arange(6), np.full(30, 0.5)])
    assert history.walks.any()
    assert len(history) <= PER_TRACK + 1


def test_memory_is_bounded():
    history = History()
    for i in range(60):
        history.add(0.5 * i, np.arange(20), people(np.zeros(20)))
    assert len(history) <= MAX_OBSERVATIONS
    assert history.stamp_s.min() > 20


def test_an_empty_scene_is_no_reason_to_forget():
    history = filled(np.zeros(3))
    history.add(1000.0, np.array([9]), people([0.0]))
    assert history.stamp_s.tolist() == [0.0, 0.5, 1.0, 1000.0]


def test_observations_of_one_track_count_less_each():
    evidence, tracks = filled(np.zeros(8)).evidence(1.3)
    assert tracks.tolist() == [7]
    assert (evidence.weight < 1 / 4).all()
    assert evidence.weight.sum() > 1
    walking, _ = filled(0.1 * np.arange(8)).evidence(1.3)
    assert walking.weight.sum() > 1.5 * evidence.weight.sum()


def test_others_of_walking_tracks_do_not_count():
    history = History()
    for i in range(8):
        history.add(0.5 * i, np.arange(3), people(0.1 * i * np.ones(3)))
    history.add(4.0, np.arange(3), people(np.zeros(3), straight=False))
    evidence, _ = history.evidence(1.3)
    np.testing.assert_array_equal(evidence.weight > 0, history.walks)
    assert (~history.walks).sum() == 3


def test_stamps_move_with_the_clock():
    history = filled(np.zeros(3))
    history.shift(-100.0)
    assert history.stamp_s.tolist() == [-100.0, -99.5, -99.0]
    assert history.due(-98.9, np.array([7])).tolist() == [False]


def test_heights_are_those_assumed_until_they_are_known():
    heights = PersonHeights(1.6)
    height_m, sd_m = heights.get(np.array([3]))
    assert height_m.tolist() == [1.6]
    heights.update(0.0, np.array([3]), np.array([np.log(0.75)]), np.array([0.04]))
    known_m, known_sd_m = heights.get(np.array([3, 4]))
    assert known_m[0] == pytest.approx(1.2)
    assert known_m[1] == 1.6
    assert known_sd_m[0] == pytest.approx(1.2 * np.hypot(0.04, 0.03))
    assert known_sd_m[1] == sd_m[0]


def test_heights_of_people_who_are_gone_are_forgotten():
    heights = PersonHeights(1.7)
    heights.update(0.0, np.array([1]), np.array([-0.3]), np.array([0.05]))
    heights.update(HEIGHT_AGE_S + 1, np.array([2]), np.array([0.1]), np.array([0.05]))
    assert heights.get(np.array([1]))[0].tolist() == [1.7]
