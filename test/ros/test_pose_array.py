"""The bytes of a PoseArray3D, read back by the middleware."""

from dataclasses import replace

import numpy as np
import pytest
from rclpy.serialization import deserialize_message
from support.robot import header

from pose3d_ros.camera import CameraPose, CameraPoseSource, IntrinsicsSource
from pose3d_ros.msg import CameraPose as CameraPoseMsg
from pose3d_ros.msg import PoseArray3D
from pose3d_ros.people import K, People2D, People3D, Source, TrackedPeople
from pose3d_ros.ros.messages.images import seconds
from pose3d_ros.ros.messages.people import camera_pose
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
    return TrackedPeople(
        people,
        rng.integers(0, 2**31, number),
        state,
        rng.uniform(size=number),
        velocity_m_s=rng.normal(size=(number, 3)),
        velocity_covariance=rng.normal(size=(number, 3, 3)),
        heading=rng.normal(size=(number, 3)),
        heading_sd_rad=rng.uniform(size=number),
        first_s=rng.uniform(1, 1e6, number),
        height_m=rng.uniform(size=number),
        height_sd_m=rng.uniform(size=number),
    )


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
        v, h = pose.velocity, pose.heading
        np.testing.assert_array_equal([v.x, v.y, v.z], tracked.velocity_m_s[i])
        np.testing.assert_array_equal(
            pose.velocity_covariance, tracked.velocity_covariance[i].ravel()
        )
        np.testing.assert_array_equal([h.x, h.y, h.z], tracked.heading[i])
        assert pose.heading_stddev == np.float32(tracked.heading_sd_rad[i])
        assert (pose.height, pose.height_stddev) == (
            np.float32(tracked.height_m[i]),
            np.float32(tracked.height_sd_m[i]),
        )
        assert seconds(pose.first_seen) == pytest.approx(tracked.first_s[i], abs=1e-6)
    assert message.keypoint_set == people.people_2d.keypoint_set


def test_what_tracking_does_not_know_is_nan():
    tracked = tracked_people(1)
    unknown = TrackedPeople(tracked.people, tracked.track_id, tracked.state, tracked.age_s)
    data = pose_array_cdr(unknown, header(), IntrinsicsSource.GUESSED)
    (pose,) = deserialize_message(data, PoseArray3D).poses
    numbers = [pose.velocity.x, pose.heading.z, pose.heading_stddev, pose.height]
    assert np.isnan([*numbers, *pose.velocity_covariance]).all()
    assert seconds(pose.first_seen) == 0


@pytest.mark.parametrize('number', [0, 1, 2])
def test_the_pose_of_the_camera_is_read_back(number):
    pose = CameraPose(np.array([0.0, -0.8, -0.6]), 1.5, 0.05, 0.1)
    data = pose_array_cdr(
        tracked_people(number),
        header(),
        IntrinsicsSource.GUESSED,
        pose,
        CameraPoseSource.ESTIMATED,
    )
    found = deserialize_message(data, PoseArray3D).camera_pose
    assert found.source == CameraPoseMsg.ESTIMATED
    np.testing.assert_allclose(found.up, pose.up, rtol=1e-6)
    np.testing.assert_allclose(
        [found.up_stddev, found.height, found.height_stddev], [0.05, 1.5, 0.15], rtol=1e-6
    )


def test_an_unknown_pose_of_the_camera_has_no_numbers():
    data = pose_array_cdr(tracked_people(1), header(), IntrinsicsSource.GUESSED)
    found = deserialize_message(data, PoseArray3D).camera_pose
    assert found.source == CameraPoseMsg.NONE
    assert np.isnan([*found.up, found.up_stddev, found.height, found.height_stddev]).all()


@pytest.mark.parametrize(
    ('sources', 'scale'),
    [
        ([], PoseArray3D.ASSUMED_HEIGHT),
        ([Source.OBSERVED], PoseArray3D.ASSUMED_HEIGHT),
        ([Source.DEPTH, Source.OBSERVED], PoseArray3D.ASSUMED_HEIGHT),
        ([Source.DEPTH, Source.DEPTH], PoseArray3D.DEPTH),
        ([Source.DEPTH, Source.FUSED], PoseArray3D.CAMERAS),
        ([Source.OBSERVED, Source.FUSED], PoseArray3D.ASSUMED_HEIGHT),
    ],
)
def test_scale_source_depth_requires_all_people(sources, scale):
    tracked = tracked_people(len(sources))
    source = np.full((len(sources), K), Source.INFERRED, np.uint8)
    source[:, 0] = sources
    tracked = replace(tracked, people=replace(tracked.people, source=source))
    data = pose_array_cdr(tracked, header(), IntrinsicsSource.GUESSED)
    assert deserialize_message(data, PoseArray3D).scale_source == scale


@pytest.mark.parametrize('source', list(CameraPoseSource))
@pytest.mark.parametrize('height_m', [1.2, np.nan])
def test_the_pose_of_the_camera_is_read_back_unless_it_is_unknown(source, height_m):
    given = CameraPose(np.array([0.0, -0.8, -0.6]), height_m)
    pose = None if source == CameraPoseSource.NONE else given
    data = pose_array_cdr(
        tracked_people(1), header(), IntrinsicsSource.GUESSED, camera_pose=pose,
        camera_pose_source=source,
    )  # fmt: skip
    found = camera_pose(deserialize_message(data, PoseArray3D))
    assert (found is None) == (pose is None)
    if found is not None:
        np.testing.assert_allclose(found.up, given.up, atol=1e-6)
        np.testing.assert_allclose(found.height_m, height_m, atol=1e-6)
