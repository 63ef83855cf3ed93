"""The focal length from people who walk over a floor."""

from dataclasses import replace

import numpy as np
import pytest
from support.walking_people import CAMERA, seen, stage, tracked

from pose3d_ros.camera_pose.focal_length import FocalLengthEstimator
from pose3d_ros.people import K


def watched(scene, factor, seconds=25):
    """An estimator that begins with a wrong guess."""
    guess = replace(CAMERA, fx=factor * CAMERA.fx, fy=factor * CAMERA.fy)
    estimator, rng = FocalLengthEstimator(guess), np.random.default_rng(0)
    for i in range(seconds * 5):
        estimator.update(i / 5, seen(scene, i / 5, rng))
    return estimator


def test_people_before_a_high_camera_tell_the_focal_length():
    scene = stage(number=8, pitch_deg=-25, height_m=4.0)
    found, sd = watched(scene, 0.5).estimate()
    # Bodies that slide in a fixed pose are not quite as high as those who walk.
    assert found.fx == pytest.approx(CAMERA.fx, rel=0.25)
    assert found.fy / found.fx == pytest.approx(1)
    assert (found.cx, found.cy) == (CAMERA.cx, CAMERA.cy)
    assert abs(np.log(found.fx / CAMERA.fx)) < 3 * sd
    assert sd < 0.15


def test_a_level_camera_does_not_tell_it():
    scene = stage(number=4, pitch_deg=0, height_m=1.0)
    _, sd = watched(scene, 0.6, seconds=15).estimate()
    high = stage(number=4, pitch_deg=-25, height_m=4.0)
    assert sd > 1.3 * watched(high, 0.6, seconds=15).estimate()[1]


def test_nothing_is_stated_without_people():
    estimator = FocalLengthEstimator(CAMERA)
    for stamp_s in range(20):
        estimator.update(float(stamp_s), tracked(np.zeros((0, K, 2))))
    assert estimator.estimate() is None
