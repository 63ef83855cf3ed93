"""The lifting network in the pose node, and how it knows how the camera stands."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from support.robot import GREY, camera_info, header, metres

from pose3d_ros.camera import CameraPose
from pose3d_ros.detection.letterbox import Letterbox
from pose3d_ros.lifting.lifting_network import LiftingNetwork
from pose3d_ros.msg import PoseArray3D
from pose3d_ros.ros.messages.images import image_msg
from pose3d_ros.ros.pose_node import FAILURE
from synthetic.fixed_network import write_network
from synthetic.recorded import people_from_outputs
from synthetic.scene import CAMERA, outputs, people_m

LEVEL = np.array([0.0, -1.0, 0.0])
HEIGHT_M = 1.2


def expected(height_m=1.7, view=None):
    """What the library makes of what the network of `robot` sees."""
    scene = outputs(people_m((-0.5, 0.1, 3.0), (0.6, 0, 3.5)), CAMERA)
    lifter = LiftingNetwork(assumed_person_height_m=height_m)
    return people_from_outputs(scene, Letterbox(1.0), CAMERA, lifter, view)


def in_order(people):
    return np.argsort(people.xyz_m[:, 0, 0])


def poses(r):
    r.calibrate(camera_info())
    return r.poses_of(image_msg(GREY, header(1)))


@pytest.mark.parametrize(
    ('parameters', 'view', 'scale_source'),
    [
        ({}, None, PoseArray3D.ASSUMED_HEIGHT),
        ({'camera_up': [0.0, -9.81, 0.0]}, CameraPose(LEVEL), PoseArray3D.ASSUMED_HEIGHT),
        (
            {'camera_up': [0.0, -9.81, 0.0], 'camera_height': HEIGHT_M},
            CameraPose(LEVEL, HEIGHT_M),
            PoseArray3D.CAMERA_HEIGHT,
        ),
    ],
)
def test_lifting_parameters(robot, parameters, view, scale_source):
    message = poses(robot(lifting='network', **parameters))
    assert message.scale_source == scale_source
    people = expected(view=view)
    order = in_order(people)
    np.testing.assert_allclose(metres(message), people.xyz_m[order], atol=1e-3)
    message.poses.sort(key=lambda pose: pose.keypoints[0].position.x)
    stddev = [[k.position_stddev for k in pose.keypoints] for pose in message.poses]
    np.testing.assert_allclose(stddev, people.sd_m[order], rtol=1e-2)


def test_these_parameters_make_a_difference():
    """Or else the test above would say nothing."""
    roots = [
        expected(view=view).xyz_m
        for view in (None, CameraPose(LEVEL), CameraPose(LEVEL, HEIGHT_M))
    ]
    assert all(np.abs(a - b).max() > 0.02 for a, b in itertools.pairwise(roots))


def test_the_assumed_height_scales_people(robot):
    message = poses(robot(lifting='network', assumed_person_height=1.0))
    people = expected(1.0)
    np.testing.assert_allclose(metres(message), people.xyz_m[in_order(people)], atol=1e-3)


def test_by_tf_at_the_stamp_of_the_image(robot, set_transform):
    """The camera is at z = 1.2 m of base_link, and level."""
    r = robot(lifting='network', gravity_frame='base_link', smoothing=False)
    r.calibrate(camera_info())
    set_transform(r, 1)
    known = r.poses_of(image_msg(GREY, header(1)))
    people = expected(view=CameraPose(LEVEL, HEIGHT_M))
    assert known.scale_source == PoseArray3D.CAMERA_HEIGHT
    assert known.header.frame_id == 'camera_optical_frame'
    np.testing.assert_allclose(metres(known), people.xyz_m[in_order(people)], atol=1e-3)


def test_lifting_without_a_transform(robot, set_transform):
    r = robot(lifting='network', gravity_frame='base_link', smoothing=False)
    r.calibrate(camera_info())
    unknown = r.poses_of(image_msg(GREY, header(5)))
    assert unknown.scale_source == PoseArray3D.ASSUMED_HEIGHT
    people = expected()
    np.testing.assert_allclose(metres(unknown), people.xyz_m[in_order(people)], atol=1e-3)
    assert 'camera attitude and height unknown: no transform' in r.camera.camera_pose.last_error


def test_location_maps_have_no_stddev(robot):
    message = poses(robot())
    assert np.isnan([k.position_stddev for p in message.poses for k in p.keypoints]).all()


@pytest.mark.parametrize(
    ('parameters', 'says'),
    [
        ({'camera_up': [0.0, 1.0]}, 'camera_up must be three numbers'),
        ({'camera_height': 1.0}, 'camera_height needs camera_up'),
        ({'camera_up': [0.0, -1.0, 0.0], 'gravity_frame': 'odom'}, 'may be set'),
    ],
)
def test_contradictory_parameters_are_refused(robot, capfd, parameters, says):
    r = robot(activate=False, **parameters)
    assert r.pose_node.trigger_configure() == FAILURE
    assert says in ''.join(capfd.readouterr())


def test_a_network_without_location_maps_is_lifted_by_the_network_alone(robot, tmp_path, capfd):
    scene = outputs(people_m((-0.5, 0.1, 3.0), (0.6, 0, 3.5)), CAMERA)
    path = write_network(tmp_path / 'only2d.xml', replace(scene, features=None))
    r = robot(activate=False, model=path)
    assert r.pose_node.trigger_configure() == FAILURE
    assert 'only2d.xml has' in ''.join(capfd.readouterr())
    people = expected()
    message = poses(robot(model=path, lifting='network'))
    np.testing.assert_allclose(metres(message), people.xyz_m[in_order(people)], atol=1e-3)
