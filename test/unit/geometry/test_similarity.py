"""Similarity fits against known similarity transforms."""

import cv2
import numpy as np

from pose3d_ros.geometry.similarity import fit_similarity
from synthetic.scene import figure_m


def moved(pose, scale=1.0, yaw_rad=0.0, shift_m=(0, 0, 0)):
    rotation, _ = cv2.Rodrigues(np.array([0.0, yaw_rad, 0.0]))
    return scale * pose @ rotation.T + np.array(shift_m)


def test_a_known_similarity_is_recovered():
    pose = figure_m()[np.newaxis]
    truth = moved(pose, 1.04, 0.05, (0.3, -0.2, 3.0))
    found, agreement = fit_similarity(pose, truth, np.array([1.04]))
    np.testing.assert_allclose(found.apply(pose), truth, atol=0.005)
    assert agreement.min() > 0.9


def test_wrong_measurements_get_no_weight():
    pose = figure_m()[np.newaxis]
    truth = moved(pose, shift_m=(0, 0, 3.0))
    measured = truth.copy()
    measured[0, [4, 8, 17]] += (0, 0, 1.2)
    found, agreement = fit_similarity(pose, measured, np.ones(1))
    np.testing.assert_allclose(found.apply(pose), truth, atol=0.01)
    assert not agreement[0, [4, 8, 17]].any()


def test_measurements_of_the_face_alone_hardly_rotate_or_scale():
    """Noise of 2 cm on five keypoints within 20 cm would turn them by tens of degrees."""
    pose = figure_m()[np.newaxis]
    measured = np.full_like(pose, np.nan)
    face = [1, 15, 16, 17, 18]
    noise = np.random.default_rng(3).normal(0, 0.02, (5, 3))
    measured[0, face] = moved(pose, 1.0, 0, (0, 0, 3.0))[0, face] + noise
    found, _ = fit_similarity(pose, measured, np.ones(1))
    assert abs(found.scale[0] - 1) < 0.02
    assert np.arccos((np.trace(found.rotation[0]) - 1) / 2) < 0.15
