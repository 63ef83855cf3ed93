"""Counts of people, keypoints and errors on scenes with known truth."""

import numpy as np
import pytest

from pose3d_ros.demo import clip
from pose3d_ros.demo.clip import COVERED, OUTSIDE, VISIBLE
from pose3d_ros.estimator import PoseEstimator
from pose3d_ros.evaluation.counts import Counts, count
from pose3d_ros.evaluation.oks import select_labels
from pose3d_ros.people import People2D, People3D
from synthetic.scene import CAMERA, people_m

TRUE_M = people_m((-0.5, 0.1, 3.0), (0.6, 0, 3.5))
TRUE_PX = CAMERA.project(TRUE_M)
SEEN = np.full((2, 19), VISIBLE, np.uint8)


def detected(xy_px, xyz_m):
    n = len(xy_px)
    people = People2D(np.array(xy_px, float), np.ones((n, 19)), np.ones(n))
    return People3D(people, xyz_m, np.zeros((n, 19), np.uint8), np.zeros((n, 3, 3)))


def counted(people, seen=SEEN):
    labels, rows = select_labels(TRUE_PX, seen > COVERED)
    return count(labels, TRUE_M[rows], people)


def test_a_perfect_network_finds_all_people(two_people_xml):
    estimator = PoseEstimator(two_people_xml, 'CPU')
    people = estimator.estimate(np.full((256, 448, 3), 200, np.uint8), CAMERA)
    counts = counted(people)
    assert (counts.people, counts.found, counts.false) == (2, 2, 0)
    assert counts.correct == counts.keypoints == counts.detected == 2 * 17
    assert len(counts.errors) == 2


def test_3d_errors_are_those_of_matched_people():
    off = TRUE_M[::-1] + np.array([0, 0, 0.7])
    counts = counted(detected(TRUE_PX[::-1], off))
    assert np.nanmax([e.root_relative for e in counts.errors]) == pytest.approx(0, abs=1e-9)
    # The distance is along the ray.
    assert [e.root_distance_share for e in counts.errors] == pytest.approx(
        [0.7 / 3.0, 0.7 / 3.5], rel=0.05
    )


def test_no_people_and_false_people():
    counts = counted(detected(np.zeros((0, 19, 2)), np.zeros((0, 19, 3))))
    assert (counts.people, counts.found, counts.false, counts.correct) == (2, 0, 0, 0)
    counts = counted(detected(TRUE_PX[:1] + 150, TRUE_M[:1]))
    assert (counts.found, counts.false) == (0, 1)
    assert counts.detected == 17


def test_mostly_hidden_people_are_neither_missed_nor_false():
    seen = SEEN.copy()
    seen[1, 3:] = COVERED
    counts = counted(detected(TRUE_PX, TRUE_M), seen)
    assert (counts.people, counts.found, counts.false) == (1, 1, 0)


def test_detections_of_unlabelled_keypoints_are_not_wrong():
    seen = SEEN.copy()
    seen[:, 8] = OUTSIDE
    counts = counted(detected(TRUE_PX, TRUE_M), seen)
    assert counts.correct == counts.keypoints == counts.detected == 2 * 16


def test_the_demo_gives_the_same_counts():
    true, random = clip.truth(), np.random.default_rng(1)
    score, counts = clip.Score(true), Counts()
    for t in range(0, 200, 20):
        # Some are too far from the truth, and one is no person.
        off_px = random.uniform(0, 40, (3, 1, 2))
        xy_px = np.concatenate([true.xy_px[t] + off_px, true.xy_px[t, :1] - 400])
        people = detected(xy_px, random.normal(true.xyz_m[t, [0, 1, 2, 0]], 0.1))
        score.add(t, people.people_2d.xy_px, people.xyz_m)
        labels, rows = true.labels(t)
        counts += count(labels, true.xyz_m[t, rows], people)
    assert 0 < score.found < score.people
    assert score.false > 10
    assert (score.people, score.found, score.false) == (counts.people, counts.found, counts.false)
    np.testing.assert_allclose(score.errors_m, [e.root_relative for e in counts.errors], rtol=1e-5)


def test_counts_add_up_to_a_row():
    total = Counts()
    for _ in range(3):
        total += counted(detected(TRUE_PX[:1], TRUE_M[:1]))
    row = total.row('three')
    assert '| 3 | 3/6 | 0 | 0.500 | 1.000 | 0.500 | 1.000 | 0 | 0 | 0.000 |' in row
