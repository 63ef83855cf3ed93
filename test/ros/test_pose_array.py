"""The bytes of a PoseArray3D, read back by the middleware."""

from dataclasses import replace

import numpy as np
import pytest
from rclpy.serialization import deserialize_message
from support.robot import header

from pose3d_ros.camera import IntrinsicsSource
from pose3d_ros.msg import PoseArray3D
from pose3d_ros.people import K, People2D, People3D, Source, TrackedPeople
from pose3d_ros.ros.messages.pose_array import pose_array_cdr


def tracked_people(number):
    """Return people with all numbers different and one keypoint unknown."""
    rng = np.random.default_rng(number)
    xy_px, xyz_m = rng.normal(size=(number, K, 2)), rng.normal(size=(number, K, 3))
    xy_px[:, 3], xyz_m[:, 3] = np.nan, np.nan
    people_2d = People2D(xy_px, rng.uniform(size=(number, K)), rng.uniform(size=number))
    source = rng.integers(0, 4, (number, K)).astype(np.uint8)
    people = People3D(
        people_2d, xyz_m, source, rng.normal(size=(number, 3, 3)), rng.uniform(size=(number, K))
    )
    state = rng.integers(0, 2, number).astype(np.uint8)
    return TrackedPeople(people, rng.integers(0, 2**31, number), state, rng.uniform(size=number))


# The frame's name comes first: where the numbers begin depends on its length.
@pytest.mark.parametrize('frame', ['c' * length for length in range(9)])
@pytest.mark.parametrize('number', [0, 1, 2, 5])
def test_every_field_is_read_back(number, frame):
    tracked = tracked_people(number)
    data = pose_array_cdr(tracked, header(12, 345, frame), IntrinsicsSource.GUESSED)
    message = deserialize_message(data, PoseArray3D)
    assert message.header == header(12, 345, frame)
    assert message.skeleton == 'panoptic19'
    assert message.intrinsics_source == PoseArray3D.GUESSED
    assert len(message.poses) == number
    people = tracked.people
    for i, pose in enumerate(message.poses):
        assert (pose.track_id, pose.state) == (tracked.track_id[i], tracked.state[i])
        assert pose.age == np.float32(tracked.age_s[i])
        assert pose.score == np.float32(people.people_2d.score[i])
        np.testing.assert_array_equal(pose.root_covariance, people.root_covariance_m2[i].ravel())
        for k, keypoint in enumerate(pose.keypoints):
            position = keypoint.position
            np.testing.assert_array_equal([position.x, position.y, position.z], people.xyz_m[i, k])
            xy_px = people.people_2d.xy_px[i, k].astype(np.float32)
            np.testing.assert_array_equal([keypoint.u, keypoint.v], xy_px)
            assert keypoint.score == np.float32(people.people_2d.scores[i, k])
            assert keypoint.source == people.source[i, k]
            np.testing.assert_equal(keypoint.position_stddev, np.float32(people.sd_m[i, k]))


@pytest.mark.parametrize(
    ('sources', 'scale'),
    [
        ([], PoseArray3D.ASSUMED_HEIGHT),
        ([Source.OBSERVED], PoseArray3D.ASSUMED_HEIGHT),
        ([Source.DEPTH, Source.OBSERVED], PoseArray3D.ASSUMED_HEIGHT),
        ([Source.DEPTH, Source.DEPTH], PoseArray3D.DEPTH),
    ],
)
def test_scale_source_depth_requires_all_people(sources, scale):
    tracked = tracked_people(len(sources))
    source = np.full((len(sources), K), Source.INFERRED, np.uint8)
    source[:, 0] = sources
    tracked = replace(tracked, people=replace(tracked.people, source=source))
    data = pose_array_cdr(tracked, header(), IntrinsicsSource.GUESSED)
    assert deserialize_message(data, PoseArray3D).scale_source == scale
