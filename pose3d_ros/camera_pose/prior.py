"""What is known of cameras and people before any person is seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera_pose.person_height import SIZE_SD
from pose3d_ros.camera_pose.residuals import BIAS_ACROSS, HEIGHT, PITCH, ROLL, SHARED
from pose3d_ros.camera_pose.solver import Prior

Array = NDArray[np.float64]

# Roll and pitch, rad; height, m, whose logarithm has the standard deviation.
ROLL_SD, PITCH_MEAN, PITCH_SD = np.deg2rad(12), np.deg2rad(-10), np.deg2rad(35)
HEIGHT_M, LOG_HEIGHT_SD = 1.4, 0.85
# Biases that all observed directions of up share, across and inward, rad. Inward, detections of
# human-pose-estimation-0001 are off by -4 to -10 degrees in three data sets, as if seen from less
# far above; hand labels by -7 to 2, sampled people by 1 to 9: no mean suits all.
BIAS_MEAN = (0.0, np.deg2rad(-3))
BIAS_SD = (np.deg2rad(3), np.deg2rad(7))
# Poses that are given are not more certain than this: up, rad; height, m.
LEAST_UP_SD_RAD, KNOWN_HEIGHT_SD_M = 1e-3, 0.03
# Start of the search where there is no earlier solution: pitch, rad, and height, m.
START = (-0.6, 2.4)


def usual_prior(tracks: int) -> Prior:
    """Return the prior of cameras of which nothing is known, and of the sizes of people."""
    mean, information = np.zeros(SHARED), np.zeros((SHARED, SHARED))
    mean[PITCH] = PITCH_MEAN
    information[ROLL, ROLL], information[PITCH, PITCH] = ROLL_SD**-2, PITCH_SD**-2
    mean[BIAS_ACROSS:] = BIAS_MEAN
    for i, sd in enumerate(BIAS_SD):
        information[BIAS_ACROSS + i, BIAS_ACROSS + i] = sd**-2
    return Prior(mean, information, float(np.log(HEIGHT_M)), LOG_HEIGHT_SD,
                 np.zeros(tracks), np.full(tracks, SIZE_SD))  # fmt: skip


def levelled_prior(tracks: int, up_sd_rad: float, height_m: float) -> Prior:
    """Return the prior where up is known to be (0, -1, 0), and the height unless it is NaN."""
    prior = usual_prior(tracks)
    mean, information = prior.mean.copy(), prior.information.copy()
    mean[PITCH] = 0
    information[[ROLL, PITCH], [ROLL, PITCH]] = max(up_sd_rad, LEAST_UP_SD_RAD) ** -2
    if np.isfinite(height_m):
        mean[HEIGHT], information[HEIGHT, HEIGHT] = height_m, KNOWN_HEIGHT_SD_M**-2
    return prior._replace(mean=mean, information=information)


def with_known(prior: Prior, known: Array, covariance: Array) -> Prior:
    """Multiply a prior with a normal distribution of roll, pitch and height.

    Parameters
    ----------
    prior
        Without any information on the height but that of its logarithm.
    known, covariance
        Mean ``(3,)``, rad, rad, m, and covariance ``(3, 3)``.
    """
    added, mean = np.zeros((SHARED, SHARED)), np.zeros(SHARED)
    added[: HEIGHT + 1, : HEIGHT + 1] = np.linalg.inv(covariance)
    mean[: HEIGHT + 1] = known
    total = prior.information + added
    total_mean = np.linalg.solve(total, prior.information @ prior.mean + added @ mean)
    return prior._replace(mean=np.asarray(total_mean, np.float64), information=total)


def start(tracks: int) -> Array:
    """Return the state ``(SHARED + tracks,)`` where the search starts."""
    state = np.zeros(SHARED + tracks)
    state[[PITCH, HEIGHT]] = START
    return state
