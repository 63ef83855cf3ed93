"""The network that all cameras of a node share, loaded again when its device fails."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from pose3d_ros.camera import Intrinsics
from pose3d_ros.estimator import PoseEstimator
from pose3d_ros.images import CameraImage
from pose3d_ros.inference import InferenceError
from pose3d_ros.models import ModelError
from pose3d_ros.network_graph import renew_devices

# First and longest wait before the network is loaded again, s; it doubles with every failure.
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
# How long a network must work for its failures to be forgotten, s.
FORGET_AFTER_S = 60.0
# Device that every computer has.
FALLBACK = 'CPU'
# Size of the image that a network must process before it is used again, px.
PROBE_PX = 64


class SharedNetwork:
    """A pose estimator that is replaced after an inference error.

    After an error the network is loaded again, first on its device, then on the CPU, with growing
    waits in between.

    Parameters
    ----------
    node
        Node of the timer and the log.
    load
        Loads the network for a device; raises ModelError.
    device
        The device that the user asked for.

    Raises
    ------
    ModelError
        If the network cannot be loaded.
    """

    def __init__(self, node: Node, load: Callable[[str], PoseEstimator], device: str) -> None:
        self._node, self._load, self.wanted_device = node, load, device
        self.estimator = load(device)
        # Why it cannot be used now, or ''.
        self.error = ''
        # Number of errors, and whether the fallback device is used.
        self.failures = 0
        self.is_fallback = False
        self._wait_s = FIRST_WAIT_S
        self._restored_s = time.monotonic()
        self._timer: Any = None

    def report(self, error: InferenceError) -> None:
        """Report that an inference has failed: the network will be loaded again."""
        self.failures += 1
        if time.monotonic() - self._restored_s > FORGET_AFTER_S:
            self._wait_s = FIRST_WAIT_S
        self._fail(f'inference failed on {self.estimator.detector.device}: {error}')

    def destroy(self) -> None:
        """Stop loading."""
        if self._timer:
            self._node.destroy_timer(self._timer)
        self._timer = None

    def _fail(self, text: str) -> None:
        self.error = text
        self._node.get_logger().error(
            f'{text}. The network is loaded again in {self._wait_s:g} s; until then images are '
            'counted and not processed'
        )
        self.destroy()
        # By the steady clock: a simulated clock may stand still.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = self._node.create_timer(self._wait_s, self._restore, clock=steady)
        self._wait_s = min(2 * self._wait_s, LONGEST_WAIT_S)

    def _restore(self) -> None:
        self.destroy()
        errors = []
        renew_devices()
        for device in dict.fromkeys((self.wanted_device, FALLBACK)):
            try:
                estimator = self._load(device)
                _probe(estimator)
            except (ModelError, InferenceError) as error:
                errors.append(f'{device}: {error}')
                continue
            self.estimator, self.error = estimator, ''
            self.is_fallback = device != self.wanted_device
            self._restored_s = time.monotonic()
            self._node.get_logger().warning(
                f'the network runs again, on {estimator.detector.device}'
            )
            return
        self._fail(f'the network cannot be used on any device: {"; ".join(errors)}')


def _probe(estimator: PoseEstimator) -> None:
    """Process a black image; InferenceError if that fails."""
    bgr = np.zeros((PROBE_PX, PROBE_PX, 3), np.uint8)
    estimator.detect([CameraImage(bgr, Intrinsics.guess(PROBE_PX, PROBE_PX))])
