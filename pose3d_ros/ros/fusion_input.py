"""One camera of the fusion node: its messages as they arrive, and what is wrong with them."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

import numpy as np

from pose3d_ros.camera import IntrinsicsSource
from pose3d_ros.msg import PoseArray3D

# Period of a repeated line in the log, s.
LOG_S = 5.0


class Input:
    """The people of one camera as they arrive.

    Parameters
    ----------
    name
        Of the camera.
    logger
        Of the camera: a line that is not repeated for a while must not hide that of another one.
    """

    def __init__(self, name: str, logger: Any) -> None:
        self.name, self.logger = name, logger
        self.subscription: Any = None
        self.start()
        # Messages whose transforms are on their way, and until when each waits, s.
        self.waiting: deque[tuple[PoseArray3D, float]] = deque()
        self.received = self.dropped = 0
        # Why the last message is not fused, or ''.
        self.error = ''
        self.stamp_s = -np.inf
        self.intrinsics_source = IntrinsicsSource.GUESSED
        # Whether the scale of its people is an assumed height; where it sees nobody, it is not.
        self.assumes_height = False

    def start(self) -> None:
        """Begin to wait for messages."""
        self.last_s = time.monotonic()

    def drop(self, error: str) -> None:
        """Count a message that is not fused, and say why."""
        self.error = error
        self.dropped += 1
        self.logger.warning(
            f'{self.name}: poses are not fused: {error}', throttle_duration_sec=LOG_S
        )

    def silence_s(self) -> float:
        """Return the time since the last message, s."""
        return time.monotonic() - self.last_s

    def complaint(self, newest_s: float, p: dict[str, Any]) -> str:
        """Return why the camera is not fused at present, or ''."""
        silence_s = self.silence_s()
        if silence_s > p['stale_after']:
            return f'no poses for {silence_s:.1f} s on {self.subscription.topic_name}'
        if not self.error and self.received and newest_s - self.stamp_s > p['max_age']:
            return (
                f'stamps are {newest_s - self.stamp_s:.2f} s behind those of another camera, more '
                f'than max_age ({p["max_age"]:g} s)'
            )
        return self.error
