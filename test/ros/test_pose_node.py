"""The pose node in this process, with real messages over real DDS."""

import time

import numpy as np
import pytest
from rclpy.qos import QoSReliabilityPolicy
from sensor_msgs.msg import Image
from support.robot import BLACK, GREY, TRUTH, camera_info, header, metres
from visualization_msgs.msg import Marker, MarkerArray

from pose3d_ros.msg import Keypoint3D, Pose3D, PoseArray3D
from pose3d_ros.ros.messages.images import image_msg
from synthetic.fixed_network import write_network
from synthetic.scene import CAMERA, outputs, people_m


def test_poses_have_the_header_of_the_image(robot):
    r = robot()
    r.calibrate(camera_info())
    message = r.poses_of(image_msg(GREY, header(12, 345, 'front_optical')))
    assert message.header == header(12, 345, 'front_optical')
    assert message.skeleton == 'panoptic19'
    assert message.intrinsics_source == PoseArray3D.CAMERA_INFO
    assert message.scale_source == PoseArray3D.ASSUMED_HEIGHT
    np.testing.assert_allclose(metres(message), TRUTH, atol=0.01)


def test_keypoints_by_their_constants(robot):
    r = robot()
    r.calibrate(camera_info())
    pose = min(r.poses_of(image_msg(GREY, header())).poses, key=lambda p: p.keypoints[0].u)
    wrist = pose.keypoints[Pose3D.LEFT_WRIST]
    assert wrist.source == Keypoint3D.OBSERVED
    assert 0.5 < wrist.score <= 1
    expected = CAMERA.project(TRUTH[0, Pose3D.LEFT_WRIST])
    np.testing.assert_allclose([wrist.u, wrist.v], expected, atol=0.1)
    pelvis = pose.keypoints[Pose3D.PELVIS]
    left, right = pose.keypoints[Pose3D.LEFT_HIP], pose.keypoints[Pose3D.RIGHT_HIP]
    assert pelvis.source == Keypoint3D.OBSERVED
    assert pelvis.score == min(left.score, right.score)
    assert pelvis.u == pytest.approx((left.u + right.u) / 2, abs=1e-3)
    assert pelvis.v == pytest.approx((left.v + right.v) / 2, abs=1e-3)
    assert pelvis.position.z == pytest.approx(3.0, abs=0.02)
    covariance = np.array(pose.root_covariance).reshape(3, 3)
    assert 0.1 < covariance[2, 2] ** 0.5 < 0.3
    assert pose.state == Pose3D.TENTATIVE
    assert pose.age == 0


def test_unknown_positions_are_nan(robot, tmp_path):
    """A person whose neck and legs are hidden: no cell says where the feet are."""
    hidden = [(0, 'neck')]
    hidden += [(0, f'{s}_{p}') for s in ('left', 'right') for p in ('hip', 'knee', 'ankle')]
    scene = outputs(people_m((0, 0.4, 2.5)), CAMERA, hidden=hidden)
    r = robot(model=write_network(tmp_path / 'half.xml', scene))
    r.calibrate(camera_info())
    (pose,) = r.poses_of(image_msg(GREY, header())).poses
    ankle = pose.keypoints[Pose3D.LEFT_ANKLE]
    assert (ankle.source, ankle.score) == (Keypoint3D.NONE, 0)
    assert np.isnan([ankle.position.x, ankle.position.y, ankle.position.z, ankle.u]).all()
    assert pose.keypoints[Pose3D.LEFT_WRIST].source == Keypoint3D.OBSERVED


def test_no_people_is_published(robot):
    r = robot()
    message = r.poses_of(image_msg(BLACK, header(3)))
    assert list(message.poses) == []
    assert message.header == header(3)


def test_ids_and_age_continue(robot):
    r = robot()
    r.calibrate(camera_info())
    ids = set()
    for i in range(10):
        message = r.poses_of(image_msg(GREY, header(i // 5, (i % 5) * 200_000_000)))
        ids.add(frozenset(pose.track_id for pose in message.poses))
    assert len(ids) == 1
    assert {pose.state for pose in message.poses} == {Pose3D.CONFIRMED}
    assert [pose.age for pose in message.poses] == pytest.approx([1.8, 1.8])


def test_newest_image_of_a_best_effort_camera(robot):
    """Images that arrive while one is worked on make way for the newest."""
    r = robot()
    for second in range(5):
        r.images.publish(image_msg(GREY, header(second)))
    time.sleep(0.2)
    r.spin_until(lambda: r.received[PoseArray3D])
    assert r.received[PoseArray3D][-1].header.stamp.sec == 4
    assert len(r.received[PoseArray3D]) == 1
    (endpoint,) = r.node.get_subscriptions_info_by_topic(r.images.topic_name)
    assert endpoint.qos_profile.reliability == QoSReliabilityPolicy.BEST_EFFORT


def test_qos_overrides(robot):
    override = {'qos_overrides./front/poses.publisher.reliability': 'best_effort'}
    r = robot((MarkerArray,), namespace='/front', **override)
    (endpoint,) = r.node.get_publishers_info_by_topic('/front/poses')
    assert endpoint.qos_profile.reliability == QoSReliabilityPolicy.BEST_EFFORT
    (endpoint,) = r.node.get_publishers_info_by_topic('/front/markers')
    assert endpoint.qos_profile.reliability == QoSReliabilityPolicy.RELIABLE


def test_markers_and_overlay(robot):
    r = robot((PoseArray3D, MarkerArray, Image))
    r.calibrate(camera_info())
    r.send(image_msg(GREY, header(7)))
    r.spin_until(lambda: r.received[MarkerArray] and r.received[Image])
    (markers,), (overlay,) = r.received[MarkerArray], r.received[Image]
    assert {m.header.frame_id for m in markers.markers} == {'camera_optical_frame'}
    named = [(m.ns, m.id) for m in markers.markers]
    assert {('', 0), ('limbs', 0), ('keypoints', 0)} < set(named)
    assert len(set(named)) == len(named)
    assert markers.markers[0].action == Marker.DELETEALL
    points = [(p.x, p.y, p.z) for m in markers.markers for p in m.points]
    assert np.isfinite(points).all()
    np.testing.assert_allclose(np.min(points, 0), TRUTH.min((0, 1)), atol=0.05)
    assert overlay.header == header(7)
    assert (overlay.encoding, overlay.width, overlay.height) == ('bgr8', 448, 256)
    drawn = np.frombuffer(overlay.data, np.uint8).reshape(GREY.shape)
    changed = np.argwhere((drawn != GREY).any(2))
    for u, v in CAMERA.project(TRUTH[:, Pose3D.LEFT_WRIST]):
        assert np.hypot(changed[:, 1] - u, changed[:, 0] - v).min() < 2
    r.send(image_msg(BLACK, header(8)))
    r.spin_until(lambda: len(r.received[MarkerArray]) == 2)
    assert [m.action for m in r.received[MarkerArray][1].markers] == [Marker.DELETEALL]


def test_two_nodes_in_one_process_share_nothing(robot):
    a, b = robot(), robot(focal_length=720.0)
    assert a.camera.pipeline.tracker is not b.camera.pipeline.tracker
