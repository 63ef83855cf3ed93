"""Time that each output of the node takes, compared with tracking and smoothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from std_msgs.msg import Header

from benchmark.robots_ids import CLOTHES, PLACES_M, draw, people_at
from pose3d_ros.camera import IntrinsicsSource
from pose3d_ros.gestures import pointing
from pose3d_ros.ros.follow import floor_pose
from pose3d_ros.ros.messages.detections import detection_array
from pose3d_ros.ros.messages.markers import marker_array
from pose3d_ros.ros.messages.people_cloud import people_cloud
from pose3d_ros.ros.messages.pose_array import pose_array_cdr
from pose3d_ros.ros.messages.transforms import Floor, PeopleInFrame
from pose3d_ros.ros.optional_messages import MissingPackageError, import_messages
from pose3d_ros.tracking import appearance
from pose3d_ros.tracking.smoothing import Smoother
from pose3d_ros.tracking.tracker import Tracker

RATE_HZ, WARM_UP = 15, 10
FIVE_M = np.concatenate([PLACES_M, [(0.0, 0.0, 7.0)]])
UP = np.array([0.0, -1.0, 0.0])


def print_table(rounds: int) -> None:
    """Print the median of each output, ms, and its ratio to tracking with smoothing."""
    times = measure(rounds)
    base = times['track and smooth']
    print('| output | ms | ratio to tracking |')
    print('|---|---|---|')
    for name, seconds in times.items():
        ratio = np.median(seconds / base)
        print(f'| {name} | {1e3 * np.median(seconds):.2f} | {ratio:.2f} |')


def measure(rounds: int) -> dict[str, np.ndarray]:
    """Return the time of each output in each round, s. They take turns."""
    times: dict[str, list[float]] = {}
    for i, calls in enumerate(_rounds(WARM_UP + rounds)):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if i >= WARM_UP:
                times.setdefault(name, []).append(time.perf_counter() - start)
    return {name: np.array(seconds) for name, seconds in times.items()}


def _rounds(number: int) -> Iterator[dict[str, Callable[[], Any]]]:
    """Yield the outputs of an image of five people as functions."""
    rng = np.random.default_rng(0)
    tracker, smoother = Tracker(), Smoother()
    bgr = draw(people_at(FIVE_M, rng).people_2d, [*CLOTHES, CLOTHES[0]], rng)
    try:
        vision = import_messages('vision_msgs', 'detections')
    except MissingPackageError:
        vision = None
    for i in range(number):
        people, stamp_s = people_at(FIVE_M, rng), i / RATE_HZ
        colours = appearance.describe(bgr, people.people_2d)

        def track(
            people: Any = people, stamp_s: float = stamp_s, colours: Any = colours
        ) -> PeopleInFrame:
            tracked = smoother.smooth(tracker.update(people, stamp_s, colours, UP), stamp_s)
            return PeopleInFrame(tracked, Header(), UP, Floor(UP, -1.0))

        yield {
            'track and smooth': track,
            'colours of clothes': partial(appearance.describe, bgr, people.people_2d),
            **_outputs(track(), vision),
        }


def _outputs(people: PeopleInFrame, vision: Any) -> dict[str, Callable[[], Any]]:
    tracked = people.tracked
    outputs: dict[str, Callable[[], Any]] = {
        'poses': lambda: pose_array_cdr(tracked, people.header, IntrinsicsSource.CAMERA_INFO),
        'markers': lambda: marker_array(people),
        'people_cloud': lambda: people_cloud(people),
        '~/target': lambda: floor_pose(people, 0),
        'who points': lambda: pointing(tracked.people, UP),
    }
    if vision:
        outputs['detections'] = lambda: detection_array(vision, people)
    return outputs
