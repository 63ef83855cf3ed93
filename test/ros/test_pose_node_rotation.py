"""The pose node with cameras that are mounted on their side or upside down."""

import numpy as np
import pytest
from rclpy.parameter import Parameter
from support.robot import GREY, TRUTH, header, metres

from pose3d_ros.images import CameraImage
from pose3d_ros.msg import PoseArray3D
from pose3d_ros.ros.messages.camera_info import camera_info_msg
from pose3d_ros.ros.messages.images import image_msg
from pose3d_ros.rotation import ROTATIONS, Rotation
from synthetic.scene import CAMERA

UPS = {90: (-1.0, 0.0, 0.0), 180: (0.0, 1.0, 0.0), 270: (1.0, 0.0, 0.0)}
WIDTH, HEIGHT = 448, 256


def mounted(degrees):
    """The image and CameraInfo of a camera whose image must be turned by `degrees`, and TRUTH.

    Turned, it is the image in which the network detects the people of TRUTH.
    """
    back = Rotation((360 - degrees) % 360, WIDTH, HEIGHT)
    image, _ = back.turn(CameraImage(GREY, CAMERA), None)
    height, width = image.bgr.shape[:2]
    info = camera_info_msg(image.intrinsics, width, height, header())
    return image_msg(image.bgr, header(1)), info, TRUTH @ back._matrix().T


@pytest.mark.parametrize('degrees', ROTATIONS)
@pytest.mark.parametrize('by', ['image_rotation', 'integer', 'camera_up'])
def test_poses_are_in_the_frame_of_the_image_as_received(robot, degrees, by):
    parameters = {
        'image_rotation': {'image_rotation': str(degrees)},
        'integer': {'image_rotation': degrees},  # as `-p image_rotation:=90` sets it
        'camera_up': {'camera_up': list(UPS[degrees])},
    }[by]
    r = robot(**parameters)
    image, info, truth = mounted(degrees)
    r.calibrate(info)
    message = r.poses_of(image)
    assert message.header == image.header
    assert message.intrinsics_source == PoseArray3D.CAMERA_INFO
    np.testing.assert_allclose(metres(message), np.array(sorted(truth.tolist())), atol=0.02)
    keypoint = message.poses[0].keypoints[0]
    position = [keypoint.position.x, keypoint.position.y, keypoint.position.z]
    camera = r.camera.calibration.intrinsics(image.width, image.height)[0]
    np.testing.assert_allclose([keypoint.u, keypoint.v], camera.project(position), atol=2)


def test_image_rotation_is_live(robot):
    r = robot(smoothing=False)
    image, info, truth = mounted(180)
    r.calibrate(info)
    for value in (180, '180'):
        result = r.pose_node.set_parameters([Parameter('image_rotation', value=value)])
        assert result[0].successful
    np.testing.assert_allclose(
        metres(r.poses_of(image)), np.array(sorted(truth.tolist())), atol=0.02
    )
    (refused,) = r.pose_node.set_parameters([Parameter('image_rotation', value=45)])
    assert 'must be one of: auto, 0, 90, 180, 270, found 45' in refused.reason


def test_people_who_do_not_appear_upright_are_reported_once(robot, capfd):
    r = robot()
    r.camera.mounting.update = lambda people_2d, degrees: 270
    for second in range(1, 4):
        r.poses_of(image_msg(GREY, header(second)))
    logged = capfd.readouterr().err
    assert logged.count('set the parameter image_rotation to 270') == 1
