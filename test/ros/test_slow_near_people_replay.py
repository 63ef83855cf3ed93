"""slow_near_people on a recording with known truth: four figures, as Nav2 judges such nodes.

The recording (mcap) has the messages of a camera that sees people come, stand, and leave: tracked
and smoothed people with errors of a depth camera, missed detections and ghosts. Everything is
computed by the times in the recording, so a busy machine changes nothing.
"""

from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
from rclpy.serialization import deserialize_message, serialize_message
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from std_msgs.msg import Float64
from support import examples
from support.people import scene
from support.robot import header

from pose3d_ros.camera import IntrinsicsSource
from pose3d_ros.msg import PoseArray3D
from pose3d_ros.people import People2D, People3D
from pose3d_ros.ros.messages.pose_array import pose_array_cdr
from pose3d_ros.share import share
from pose3d_ros.tracking.smoothing import Smoother
from pose3d_ros.tracking.tracker import Tracker

example = examples.load('slow_near_people')

RATE_HZ = 15.0
# Time from an image to its message, s: least, and spread.
LATENCY_S, JITTER_S = 0.05, 0.03
# Errors: share of the distance that changes from image to image, probability that a person is
# missed, and mean time between false people, s.
DISTANCE_SD, MISSED, GHOST_EVERY_S = 0.02, 0.1, 15.0
VISITS = 8
STOP_M, SLOW_M = 1.0, 3.0
NOBODY_M = 1e3
# Longest time to stop and to resume, s.
RESUME_S = 0.6


def visit(rng):
    """The way of a person, (T, 3) m per image: comes, stands near, leaves behind a corner."""
    near_m, away_s = rng.uniform(0.6, 0.8), rng.uniform(3, 6)
    nobody = np.full((round(away_s * RATE_HZ), 3), np.nan)
    z = np.arange(5.5, near_m, -1.2 / RATE_HZ)
    stands = np.full(round(rng.uniform(2, 4) * RATE_HZ), near_m)
    z = np.concatenate([z, stands])
    x = rng.uniform(-0.4, 0.4) * z / 5.5
    return np.concatenate([nobody, np.stack([x, np.full(len(z), 0.2), z], axis=1)])


def people_at(places_m, rng):
    """People at places (N, 3) m as a depth camera measures them."""
    exact = scene(places_m)
    scale = 1 + rng.normal(0, DISTANCE_SD, (len(exact), 1, 1))
    covariance = np.zeros((len(exact), 3, 3))
    for i, place_m in enumerate(np.reshape(places_m, (-1, 3))):
        ray = place_m / np.linalg.norm(place_m)
        covariance[i] = (DISTANCE_SD * place_m[2]) ** 2 * np.outer(ray, ray) + 1e-4 * np.eye(3)
    flat = exact.people_2d
    xy_px = flat.xy_px + rng.normal(0, 1.5, flat.xy_px.shape)
    people_2d = People2D(xy_px, flat.scores, flat.score)
    return People3D(people_2d, exact.xyz_m * scale, exact.source, covariance)


def seen(place_m, rng):
    """People that are found in an image: perhaps not the person, perhaps a ghost."""
    found = [place_m] if np.isfinite(place_m[0]) and rng.random() > MISSED else []
    if rng.random() < 1 / (GHOST_EVERY_S * RATE_HZ):
        found.append(rng.uniform((-0.3, 0, 0.6), (0.3, 0.3, 1.6)))
    return people_at(np.reshape(found, (-1, 3)), rng)


def nearest_m(place_m):
    if np.isnan(place_m[0]):
        return NOBODY_M
    return float(np.linalg.norm(scene([place_m]).xyz_m[0], axis=1).min())


@pytest.fixture(scope='module')
def recording(tmp_path_factory):
    """A bag with `poses`, and `true_distance` at the time of each image."""
    path = tmp_path_factory.mktemp('recording') / 'visits'
    rng = np.random.default_rng(0)
    tracker, smoother = Tracker(), Smoother()
    store = get_typestore(Stores.ROS2_JAZZY)
    for file in share('msg/PoseArray3D.msg').parent.glob('*.msg'):
        store.register(get_types_from_msg(file.read_text(), f'pose3d_ros/msg/{file.stem}'))
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as bag:
        poses = bag.add_connection('/poses', 'pose3d_ros/msg/PoseArray3D', typestore=store)
        truth = bag.add_connection('/true_distance', 'std_msgs/msg/Float64', typestore=store)
        ways_m = [visit(rng) for _ in range(VISITS)] + [np.full((60, 3), np.nan)]
        for i, place_m in enumerate(np.concatenate(ways_m)):
            stamp_s = 1.0 + i / RATE_HZ
            tracked = smoother.smooth(tracker.update(seen(place_m, rng), stamp_s), stamp_s)
            stamp = header(int(stamp_s), int(stamp_s % 1 * 1e9))
            message = pose_array_cdr(tracked, stamp, IntrinsicsSource.CAMERA_INFO)
            arrival_s = stamp_s + LATENCY_S + rng.uniform(0, JITTER_S)
            exact = serialize_message(Float64(data=nearest_m(place_m)))
            bag.write(truth, round(stamp_s * 1e9), exact)
            bag.write(poses, round(arrival_s * 1e9), message)
    return path


class Figures(NamedTuple):
    """Times and shares of a replay.

    Parameters
    ----------
    to_stop_s
        Longest time from a person within STOP_M to a factor of 0, s.
    held
        Share of the time with a person within STOP_M in which the factor is 0.
    to_resume_s
        Median time from a person who leaves to a factor of 1, s. A ghost can prolong single ones.
    false_stops
        Share of the time without a person within SLOW_M, for RESUME_S or longer, with factor 0.
    """

    to_stop_s: float
    held: float
    to_resume_s: float
    false_stops: float


def replay(path, **changed):
    """Show a recording to the example, whose timer ticks at its own times."""
    p = {name: default for name, (default, _) in example.PARAMETERS.items()}
    p |= {'stop_distance': STOP_M, 'slow_distance': SLOW_M, **changed}
    limit = example.Limit(SimpleNamespace(**p))
    events, truth = [], []
    with AnyReader([path], default_typestore=get_typestore(Stores.ROS2_JAZZY)) as reader:
        for connection, recorded_ns, raw in reader.messages():
            time_s = recorded_ns * 1e-9
            if connection.topic == '/poses':
                events.append((time_s, deserialize_message(raw, PoseArray3D)))
            else:
                truth.append((time_s, deserialize_message(raw, Float64).data))
    ticks = np.arange(events[0][0], truth[-1][0], example.PERIOD_S)
    factors, waiting = [], iter([*events, (np.inf, None)])
    time_s, message = next(waiting)
    for tick_s in ticks:
        while time_s <= tick_s:
            limit.update(message, time_s)
            time_s, message = next(waiting)
        factors.append(limit.factor(tick_s, tick_s)[0])
    return figures(ticks, np.array(factors), *np.array(truth).T)


def figures(ticks, factors, true_s, distance_m):
    """Compare factors at ticks, s, with the true distances, m, at times, s."""
    now_m = distance_m[np.searchsorted(true_s, ticks, side='right') - 1]
    inside, nobody = now_m < STOP_M, now_m == NOBODY_M
    before = round(RESUME_S / example.PERIOD_S)
    clear = np.array(
        [(now_m[max(i - before, 0) : i + 1] > SLOW_M).all() for i in range(len(ticks))]
    )
    to_stop_s = [first(factors[i:] == 0) for i in starts(inside)]
    to_resume_s = [first(factors[i:] == 1) for i in starts(nobody) if i]
    assert len(to_stop_s) == len(to_resume_s) == VISITS
    return Figures(
        max(to_stop_s),
        float((factors[inside] == 0).mean()),
        float(np.median(to_resume_s)),
        float((factors[clear] == 0).mean()),
    )


def starts(flags):
    return np.flatnonzero(flags & ~np.concatenate([[False], flags[:-1]]))


def first(flags):
    return example.PERIOD_S * int(flags.argmax()) if flags.any() else np.inf


def test_four_figures(recording):
    found = replay(recording)
    print(found)
    assert found.to_stop_s <= RESUME_S
    assert found.held >= 0.98
    assert found.to_resume_s <= RESUME_S
    assert found.false_stops <= 0.05


def test_without_hold_people_who_are_missed_release_the_robot(recording):
    assert replay(recording, hold=0.0).held < 0.98


def test_the_figures_notice_a_node_that_stops_late_or_for_too_long(recording):
    assert replay(recording, stop_distance=0.1).to_stop_s > RESUME_S
    assert replay(recording, hold=1.5).to_resume_s > RESUME_S
    assert replay(recording, stop_distance=5.0, slow_distance=6.0).false_stops > 0.05


def test_the_figures_are_the_same_each_time(recording):
    assert replay(recording) == replay(recording)
