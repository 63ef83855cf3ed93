"""The direction of up, from the accelerometer of an IMU that is fixed to the camera."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Imu
from std_msgs.msg import Header

from pose3d_ros.ros.messages.images import seconds
from pose3d_ros.ros.messages.transforms import rotation
from pose3d_ros.ros.transforms import FrameError, Transforms

Array = NDArray[np.float64]

# Standard gravity, m/s2, and how much the measurement of a camera at rest may differ from it.
GRAVITY, GRAVITY_TOLERANCE = 9.81, 0.5
# Largest angle between a measurement and the mean of a camera at rest, as a cosine.
LEAST_COSINE = np.cos(np.deg2rad(5))
# Time constant of the mean, s. The camera must have been at rest for as long.
REST_S = 0.5
# Largest difference between the stamps of an image and of the last measurement at rest, s.
MAX_AGE_S = 0.5


class ImuUp:
    """Direction of up of one camera, while it is at rest.

    An accelerometer at rest measures the acceleration against gravity (REP 145); its low-passed
    measurement is up. Measurements of another magnitude are left out. After one that points more
    than 5 degrees away from the mean, as of a camera that was turned, the mean starts anew. An
    acceleration of the robot that lasts longer than ``REST_S``, or turns up by less than that,
    cannot be told from gravity.

    Parameters
    ----------
    topic
        Of the messages, for the texts of errors.
    transforms
        For an IMU whose frame is not that of the images.
    """

    def __init__(self, topic: str, transforms: Transforms) -> None:
        self._topic, self._transforms = topic, transforms
        # Frame and mean acceleration, m/s2, of the camera at rest.
        self._frame = ''
        self._mean: Array = np.full(3, np.nan)
        # Stamps of the first and the last measurement at rest, s.
        self._first_s = self._last_s = -np.inf

    def on_imu(self, message: Imu) -> None:
        """Take a measurement into account, if it has the magnitude of gravity."""
        a = message.linear_acceleration
        measured = np.array([a.x, a.y, a.z])
        missing = message.linear_acceleration_covariance[0] == -1
        # NaN is not within the tolerance either.
        if missing or not abs(np.linalg.norm(measured) - GRAVITY) < GRAVITY_TOLERANCE:
            return
        stamp_s = seconds(message.header.stamp)
        if message.header.frame_id == self._frame and self._continues(measured, stamp_s):
            share = 1 - np.exp((self._last_s - stamp_s) / REST_S)
            self._mean = self._mean + share * (measured - self._mean)
        else:
            self._frame, self._mean, self._first_s = message.header.frame_id, measured, stamp_s
        self._last_s = stamp_s

    def at(self, header: Header) -> Array:
        """Return up, a unit vector ``(3,)`` in the frame of an image, when it was taken.

        Raises
        ------
        FrameError
            If the camera was not at rest, no measurement is near, or there is no transform.
        """
        if not abs(seconds(header.stamp) - self._last_s) < MAX_AGE_S:
            raise FrameError(
                f'{self._topic} has no measurement of a camera at rest within {MAX_AGE_S} s of '
                f'the stamp of the image, {seconds(header.stamp):.3f}; '
                + (f'the last is of {self._last_s:.3f}' if self._frame else 'none was received')
            )
        if self._last_s - self._first_s < REST_S:
            raise FrameError(f'the camera has not been at rest for {REST_S} s, by {self._topic}')
        up: Array = self._mean / np.linalg.norm(self._mean)
        if self._frame != header.frame_id:
            found = self._transforms.find(header.frame_id, self._frame, header.stamp)
            up = rotation(found.rotation) @ up
        return up

    def _continues(self, measured: Array, stamp_s: float) -> bool:
        """Return whether the camera has been at rest from the last measurement to this one."""
        product = np.linalg.norm(measured) * np.linalg.norm(self._mean)
        aligned = measured @ self._mean > LEAST_COSINE * product
        return bool(aligned and 0 <= stamp_s - self._last_s < MAX_AGE_S)
