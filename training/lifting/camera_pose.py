"""Sample camera poses as the lifting network gets them: unknown, known, or estimated with errors.

An estimate from the people in view keeps the floor where they stand: the errors of tilt and height
are correlated. The attitude may also be known without the height, as from an inertial sensor.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.lifting.person_view import CameraPoses
from training.cameras import Cameras

Array = NDArray[np.floating]
Rng = np.random.Generator

# Shares of views: unknown pose; attitude known; attitude and height known; attitude known and
# height estimated; both estimated.
UNKNOWN, ATTITUDE, KNOWN, HEIGHT_ESTIMATED, ESTIMATED = range(5)
SHARES = (0.36, 0.06, 0.28, 0.05, 0.25)
# Standard deviations, rad and m, of half of the known poses, which are stated as 0; the others are
# exact.
KNOWN_SD_RAD, KNOWN_SD_M = np.deg2rad(1.0), 0.02
# Ranges of the standard deviations of estimates: of the attitude, rad; of the height, as a share,
# apart from the effect of the tilt.
UP_SD_RAD, HEIGHT_SD = (np.deg2rad(0.7), np.deg2rad(8.0)), (0.02, 0.2)
# Largest effect of the standard deviation of the tilt on the height, as a share: estimators reject
# more, as the prior of the height is narrower.
MAX_TILT_SHARE = 0.3
# Standard deviation of the log of the ratio of true and stated standard deviations.
STATED_SD_LOG_SD = 0.3
# Standard deviation of the log of the ratio of the distance of the people that the pose was
# estimated from and the distance of this person.
OTHERS_LOG_SD = 0.4
MIN_HEIGHT_M = 0.05


def draw(rng: Rng, camera: Cameras, floor_m: Array) -> CameraPoses:
    """Sample the attitudes and heights that are known of n cameras.

    Parameters
    ----------
    rng
        Random numbers.
    camera
        The true poses.
    floor_m
        ``(n,)``, height z of the floor under each person, whose root is at the origin.
    """
    n = len(floor_m)
    kind = rng.choice(len(SHARES), n, p=SHARES)
    up, height_m = camera.up, camera.position_m[:, 2] - floor_m
    # Horizontal position of the people that the pose is estimated from, relative to the camera, m.
    ahead = -camera.position_m * (1.0, 1.0, 0.0) * np.exp(rng.normal(0, OTHERS_LOG_SD, (n, 1)))
    slope = np.linalg.norm(ahead, axis=1) / np.maximum(height_m, MIN_HEIGHT_M)
    up_sd, own_sd = (
        np.exp(rng.uniform(np.log(low), np.log(high), n)) for low, high in (UP_SD_RAD, HEIGHT_SD)
    )
    up_sd = np.where(kind == ESTIMATED, np.minimum(up_sd, MAX_TILT_SHARE / slope), 0)
    own_sd = np.where(kind >= HEIGHT_ESTIMATED, own_sd, 0)
    inexact = (kind < HEIGHT_ESTIMATED) & (rng.random(n) < 0.5)
    error_sd = np.where(inexact, KNOWN_SD_RAD, up_sd * _true_over_stated(rng, n))
    estimated_up = up + error_sd[:, np.newaxis] * rng.normal(size=(n, 3))
    estimated_up /= np.linalg.norm(estimated_up, axis=1, keepdims=True)
    # The height for which the point `ahead` on the floor stays on the floor with the wrong tilt.
    ahead_in_camera = (ahead[:, np.newaxis] @ camera.axes.transpose(0, 2, 1))[:, 0]
    rise_m = (ahead_in_camera * estimated_up).sum(1)
    with_tilt = (up * estimated_up).sum(1) - rise_m / np.maximum(height_m, MIN_HEIGHT_M)
    tilt_share = np.where(kind == ESTIMATED, np.clip(with_tilt, 0.4, 2.5), 1)
    share = tilt_share * np.exp(own_sd * _true_over_stated(rng, n) * rng.normal(size=n))
    found_m = share * height_m + inexact * rng.normal(0, KNOWN_SD_M, n)
    return CameraPoses(
        np.where((kind == UNKNOWN)[:, np.newaxis], np.nan, estimated_up),
        np.where(kind <= ATTITUDE, np.nan, np.maximum(found_m, MIN_HEIGHT_M)),
        up_sd,
        np.hypot(own_sd, up_sd * slope),
    )


def _true_over_stated(rng: Rng, n: int) -> Array:
    """Sample the ratio of true and stated standard deviations."""
    return np.exp(rng.normal(0, STATED_SD_LOG_SD, n))
