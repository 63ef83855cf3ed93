"""The counting of `training.evaluate`: scenes whose truth is known, seen by a perfect network."""

import numpy as np
import pytest
from scene import CAMERA, people_m

from pose3d_ros.clip import COVERED, OUTSIDE, VISIBLE
from pose3d_ros.estimation.grouping import Thresholds
from pose3d_ros.estimation.lifting_network import LiftingNetwork
from pose3d_ros.estimation.network import Network
from pose3d_ros.people import People2D, People3D
from training.evaluate import Counts, Line, count, labelled
from training.render.dataset import Example, write_shard

TRUE_M = people_m((-0.5, 0.1, 3.0), (0.6, 0, 3.5))
TRUE_PX = CAMERA.project(TRUE_M)


def found(xy_px, xyz_m):
    n = len(xy_px)
    people = People2D(np.array(xy_px, float), np.ones((n, 19)), np.ones(n))
    return People3D(people, xyz_m, np.zeros((n, 19), np.uint8), np.zeros((n, 3, 3)))


def truth(seen=None):
    return labelled(TRUE_PX, TRUE_M, np.full((2, 19), VISIBLE) if seen is None else seen)


def test_everybody_is_found_by_a_perfect_network(two_people_xml, tmp_path):
    line = Line(Network(two_people_xml, 'CPU'), LiftingNetwork(), Thresholds())
    people = line.people(np.full((256, 448, 3), 200, np.uint8), CAMERA)
    counts = count(truth(), people)
    assert (counts.people, counts.found, counts.false) == (2, 2, 0)
    assert counts.right == counts.keypoints == counts.shown == 2 * 17
    assert len(counts.errors) == 2


def test_metres_are_compared_person_by_person():
    off = TRUE_M[::-1] + np.array([0, 0, 0.7])
    counts = count(truth(), found(TRUE_PX[::-1], off))
    assert np.nanmax([e.root_relative for e in counts.errors]) == pytest.approx(0, abs=1e-9)
    # The distance is along the ray.
    assert counts.away == pytest.approx([0.7 / 3.0, 0.7 / 3.5], rel=0.05)


def test_nobody_and_somebody_else():
    counts = count(truth(), found(np.zeros((0, 19, 2)), np.zeros((0, 19, 3))))
    assert (counts.people, counts.found, counts.false, counts.right) == (2, 0, 0, 0)
    counts = count(truth(), found(TRUE_PX[:1] + 150, TRUE_M[:1]))
    assert (counts.found, counts.false) == (0, 1)
    assert counts.shown == 17


def test_people_who_are_mostly_hidden_are_neither_missed_nor_false():
    seen = np.full((2, 19), VISIBLE, np.uint8)
    seen[1, 3:] = COVERED
    counts = count(truth(seen), found(TRUE_PX, TRUE_M))
    assert (counts.people, counts.found, counts.false) == (1, 1, 0)


def test_keypoints_that_are_not_labelled_are_not_wrong():
    seen = np.full((2, 19), VISIBLE, np.uint8)
    seen[:, 8] = OUTSIDE
    counts = count(truth(seen), found(TRUE_PX, TRUE_M))
    assert counts.right == counts.keypoints == counts.shown == 2 * 16


def test_counts_add_up_to_a_row():
    total = Counts()
    for _ in range(3):
        total += count(truth(), found(TRUE_PX[:1], TRUE_M[:1]))
    row = total.row('three')
    assert '| 3 | 3/6 | 0 | 0.500 | 1.000 | 0.500 | 1.000 | 0 | 0 | 0.000 |' in row


def test_it_reads_frames(two_people_xml, tmp_path, capsys, monkeypatch):
    from training import evaluate

    bgr = np.full((256, 448, 3), 200, np.uint8)
    seen = np.full((2, 19), VISIBLE, np.uint8)
    one = Example(bgr, TRUE_PX.astype(np.float32), TRUE_M.astype(np.float32), seen, CAMERA)
    write_shard(tmp_path / '000001.npz', iter([one, one]))
    arguments = ['evaluate', str(two_people_xml), '--frames', str(tmp_path)]
    monkeypatch.setattr('sys.argv', arguments)
    evaluate.main()
    assert f'| {tmp_path.name} | 2 | 4/4 | 0 | 1.000 | 1.000 |' in capsys.readouterr().out
