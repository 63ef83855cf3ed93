"""What is known of how a camera stands."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import CameraPose

Array = NDArray[np.float64]


@dataclass(frozen=True)
class CameraPoseEstimate:
    """How a camera stands, with its uncertainty.

    Parameters
    ----------
    up
        ``(3,)`` unit vector against gravity, in the camera optical frame.
    height_m
        Of the camera above the floor on which people are, m.
    covariance
        ``(3, 3)`` of roll and pitch, rad, and of the height, m. Roll turns the image about the
        optical axis, pitch raises the view.
    seconds
        Time from the first to the last image that it was made of, s.
    people
        Number of tracks that it was made of.
    """

    up: Array
    height_m: float
    covariance: Array
    seconds: float
    people: int

    @property
    def up_sd_rad(self) -> float:
        """Standard deviation of the direction of up, the root of the sum over both axes, rad."""
        cosine2 = 1 - self.up[2] ** 2
        return float(np.sqrt(cosine2 * self.covariance[0, 0] + self.covariance[1, 1]))

    @property
    def height_sd(self) -> float:
        """Standard deviation of the height as a share of it."""
        return float(np.sqrt(self.covariance[2, 2]) / self.height_m)

    @cached_property
    def pose(self) -> CameraPose:
        """The pose with its standard deviations; that of `up` there is per axis."""
        per_axis_rad = self.up_sd_rad / np.sqrt(2)
        return CameraPose(self.up, self.height_m, per_axis_rad, self.height_sd)
