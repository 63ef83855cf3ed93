"""Errors of 3D poses against errors that are known by construction."""

import numpy as np
import pytest

from pose3d_ros.evaluation.pose_errors import ROOT, pose_errors
from pose3d_ros.people import K
from pose3d_ros.skeleton import PANOPTIC19
from synthetic.scene import figure_m, people_m

RNG = np.random.default_rng(5)
FIGURE_M = np.add(RNG.normal(0, 0.4, (K, 3)), (0, 0, 4))


def test_errors_of_a_translation_by_ten_centimetres():
    true_m = FIGURE_M.copy()
    true_m[5] = np.nan  # 18 keypoints are left
    errors = pose_errors(true_m, np.add(FIGURE_M, (0.06, 0.08, 0)))
    assert errors.mpjpe == pytest.approx(0.1)
    assert errors.root_relative == pytest.approx(0, abs=1e-12)
    assert errors.procrustes == pytest.approx(0, abs=1e-12)
    assert errors.frobenius_by_number == pytest.approx(0.1 / np.sqrt(18))
    assert round(100 * errors.frobenius_by_number, 2) == 2.36


def test_the_root_counts_in_mpjpe_and_distance_but_not_in_the_root_relative_error():
    found_m = FIGURE_M.copy()
    found_m[ROOT] *= 1.1
    errors = pose_errors(FIGURE_M, found_m)
    shift_m = 0.1 * np.linalg.norm(FIGURE_M[ROOT])
    assert errors.root_distance == pytest.approx(shift_m)
    assert errors.root_relative == pytest.approx(shift_m)
    assert errors.mpjpe == pytest.approx(shift_m / K)


def test_procrustes_removes_rotation_scale_and_translation_but_no_reflection():
    rotation, _ = np.linalg.qr(RNG.normal(size=(3, 3)))
    rotation *= np.linalg.det(rotation)
    moved = 1.3 * FIGURE_M @ rotation.T + (1, 2, 3)
    assert pose_errors(FIGURE_M, moved).procrustes == pytest.approx(0, abs=1e-9)
    mirrored = FIGURE_M * (-1, 1, 1)
    assert pose_errors(FIGURE_M, mirrored).procrustes > 0.05


def test_errors_of_unknown_positions_are_nan():
    nothing = np.full((K, 3), np.nan)
    assert np.isnan(pose_errors(FIGURE_M, nothing)).all()


def test_errors_of_a_person_a_tenth_too_small_and_too_near():
    (true_m,) = people_m((0.3, 0.2, 4.0))
    errors = pose_errors(true_m, 0.9 * true_m)
    reach_m = np.linalg.norm(np.delete(figure_m(), ROOT, axis=0), axis=1).mean()
    assert errors.root_relative == pytest.approx(0.1 * reach_m)
    assert errors.visible == pytest.approx(0.1 * reach_m)
    assert errors.scaled == pytest.approx(0, abs=1e-12)
    assert errors.procrustes == pytest.approx(0, abs=1e-12)
    assert errors.root_distance_share == pytest.approx(0.1)


def test_procrustes_removes_a_rotation_and_one_scale_does_not():
    (true_m,) = people_m((0, 0, 4.0))
    (rotated_m,) = people_m((0, 0, 4.0), turn_rad=0.5)
    errors = pose_errors(true_m, rotated_m)
    assert errors.procrustes == pytest.approx(0, abs=1e-12)
    assert min(errors.scaled, errors.root_relative) > 0.05


def test_hidden_keypoints_count_except_in_the_visible_error():
    (true_m,) = people_m((0, 0, 4.0))
    found_m = true_m.copy()
    wrist = PANOPTIC19.index('left_wrist')
    found_m[wrist] += (0, 0.18, 0)
    errors = pose_errors(true_m, found_m, np.arange(K) != wrist)
    assert errors.root_relative == pytest.approx(0.01)
    assert errors.visible == pytest.approx(0, abs=1e-12)
