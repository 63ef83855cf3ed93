"""What an estimate states."""

import numpy as np
import pytest

from pose3d_ros.camera_pose.estimate import CameraPoseEstimate


def test_the_pose_has_the_uncertainty_of_the_estimate():
    covariance = np.diag([0.03, 0.04, 0.15]) ** 2
    up = np.array([0.0, -1.0, 0.0])
    pose = CameraPoseEstimate(up, 1.5, covariance, 10.0, 3).pose
    np.testing.assert_array_equal(pose.up, up)
    assert pose.height_m == 1.5
    # Roll and pitch are the rotations about the two axes across up.
    assert pose.up_sd_rad == pytest.approx(np.sqrt((0.03**2 + 0.04**2) / 2))
    assert pose.height_sd == pytest.approx(0.1)
