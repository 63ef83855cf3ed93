"""The pose node with different calibrations, encodings, transports and invalid images."""

import re

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage, Image
from support.robot import GREY, TRUTH, camera_info, header, metres

from pose3d_ros.camera import Intrinsics
from pose3d_ros.msg import PoseArray3D
from pose3d_ros.ros.image_statistics import Outcome
from pose3d_ros.ros.messages.camera_info import camera_info_msg
from pose3d_ros.ros.messages.images import image_msg
from synthetic.scene import CAMERA


def test_order_of_focal_length_sources(robot):
    """CameraInfo precedes the parameter, the parameter precedes the guess; each is flagged."""
    guess = robot()
    message = guess.poses_of(image_msg(GREY, header()))
    assert message.intrinsics_source == PoseArray3D.GUESSED
    # 0.8 x 448 px is a little shorter than the true 360 px.
    assert metres(message)[..., 2].mean() == pytest.approx(TRUTH[..., 2].mean(), rel=0.02)

    with_focal_length = robot(focal_length=720.0, smoothing=False)
    message = with_focal_length.poses_of(image_msg(GREY, header()))
    assert message.intrinsics_source == PoseArray3D.PARAMETER
    assert metres(message)[..., 2].mean() == pytest.approx(2 * TRUTH[..., 2].mean(), rel=0.05)

    with_focal_length.calibrate(camera_info())
    message = with_focal_length.poses_of(image_msg(GREY, header(1)))
    assert message.intrinsics_source == PoseArray3D.CAMERA_INFO
    np.testing.assert_allclose(metres(message), TRUTH, atol=0.02)


def test_unusable_camera_info_is_not_used(robot):
    r = robot()
    zeros = camera_info_msg(None, 448, 256, header())
    other_size = camera_info_msg(CAMERA, 640, 480, header())
    absurd = camera_info()
    absurd.k[0] = float('nan')
    for info in (zeros, other_size):
        r.calibrate(info)
        message = r.poses_of(image_msg(GREY, header()))
        assert message.intrinsics_source == PoseArray3D.GUESSED
        assert len(message.poses) == 2
    r.infos.publish(absurd)
    r.spin_until(lambda: np.isnan(r.camera.calibration.info.k[0]))
    assert r.poses_of(image_msg(GREY, header())).intrinsics_source == PoseArray3D.GUESSED


@pytest.mark.parametrize('encoding', ['rgb8', 'bgra8', 'rgba8', 'mono8', 'yuv422_yuy2', 'rgb16'])
def test_other_encodings(robot, encoding):
    r = robot()
    r.calibrate(camera_info())
    bytes_per_pixel = {'mono8': 1, 'rgb8': 3, 'rgb16': 6, 'yuv422_yuy2': 2}.get(encoding, 4)
    image = Image(header=header(), height=256, width=448, encoding=encoding)
    image.step = 448 * bytes_per_pixel + 16  # rows may be longer than their pixels
    image.data = bytes([128]) * (256 * image.step)
    np.testing.assert_allclose(metres(r.poses_of(image)), TRUTH, atol=0.01)


def jpeg(bgr, stamped):
    data = cv2.imencode('.jpg', bgr)[1].tobytes()
    return CompressedImage(header=stamped, format='bgr8; jpeg compressed bgr8', data=data)


def test_one_remapping_serves_raw_and_compressed_images(robot):
    raw = robot(image='/front/image')
    assert raw.images.topic_name == '/front/image'
    raw.calibrate(camera_info())
    np.testing.assert_allclose(metres(raw.poses_of(image_msg(GREY, header()))), TRUTH, atol=0.01)
    r = robot(image='/rear/image', image_transport='compressed')
    assert r.images.topic_name == '/rear/image/compressed'
    r.calibrate(camera_info())
    message = r.poses_of(jpeg(GREY, header(12, 345, 'rear_optical')))
    assert message.header == header(12, 345, 'rear_optical')
    np.testing.assert_allclose(metres(message), TRUTH, atol=0.01)


@pytest.mark.parametrize('part', [0, 0.5])
def test_truncated_compressed_images_are_counted_and_dropped(robot, part, capfd):
    r = robot(image_transport='compressed')
    image = jpeg(GREY, header())
    image.data = bytes(image.data)[: int(part * len(image.data))]
    r.send(image)
    assert (r.camera.statistics.images, r.camera.statistics.outcomes[Outcome.BAD]) == (1, 1)
    assert r.received[PoseArray3D] == []
    assert re.search(f'WARN.*1 of 1.*found {len(image.data)} bytes', capfd.readouterr().err)
    assert len(r.poses_of(jpeg(GREY, header(1))).poses) == 2


def test_rectified_images_have_p(robot):
    """With K and the distortion instead of P the positions would differ."""
    info = camera_info()
    info.k[0], info.k[4], info.d = 500.0, 500.0, [-0.3, 0.1, 0.0, 0.0, 0.0]
    right, wrong = robot(rectified=True), robot()
    for r in (right, wrong):
        r.calibrate(info)
        message = r.poses_of(image_msg(GREY, header()))
        assert message.intrinsics_source == PoseArray3D.CAMERA_INFO
        assert np.allclose(metres(message), TRUTH, atol=0.02) == (r is right)


def test_the_camera_info_of_a_larger_image_is_scaled(robot):
    camera = Intrinsics(2 * CAMERA.fx, 2 * CAMERA.fy, 2 * CAMERA.cx + 0.5, 2 * CAMERA.cy + 0.5)
    r = robot()
    r.calibrate(camera_info_msg(camera, 2 * 448, 2 * 256, header()))
    message = r.poses_of(image_msg(GREY, header()))
    assert message.intrinsics_source == PoseArray3D.CAMERA_INFO
    np.testing.assert_allclose(metres(message), TRUTH, atol=0.01)


def test_incompatible_qos_is_reported_with_the_remedy(robot, capfd):
    """A reliable subscription does not match the best-effort publishers of drivers."""
    override = 'qos_overrides./front/image_raw.subscription.reliability'
    r = robot(namespace='/front', **{override: 'reliable'}, await_camera=False)
    logged = ''

    def warned():
        nonlocal logged
        logged += capfd.readouterr().err
        return 'a publisher offers' in logged  # rclpy itself warns on the side of the publisher

    r.spin_until(warned)
    assert re.search(
        rf'WARN.* /front/image_raw: a publisher offers an incompatible RELIABILITY.*{override} to '
        'best_effort',
        logged,
    )
    assert r.images.get_subscription_count() == 0


def invalid(**fields):
    image = image_msg(GREY, header())
    for name, value in fields.items():
        setattr(image, name, value)
    return image


@pytest.mark.parametrize(
    ('image', 'text'),
    [
        (invalid(encoding='plasma'), "encoding must be .* found 'plasma'"),
        (invalid(encoding=''), "found ''"),
        (invalid(encoding='32FC1', step=4 * 448, data=bytes(4 * 448 * 256)), "found '32FC1'"),
        (invalid(height=0), 'pixels, found 448x0'),
        (invalid(data=b''), 'found 0'),
        (invalid(data=bytes(100)), '344064 bytes, found 100'),
        (invalid(step=100), 'step must be at least 3 x width = 1344 for bgr8, found 100'),
        (invalid(width=4_000_000, height=4_000_000), '1 to 100000000 pixels'),
    ],
)
def test_a_bad_image_is_counted_and_dropped(robot, image, text, capfd):
    r = robot()
    r.send(image)
    assert (r.camera.statistics.images, r.camera.statistics.outcomes[Outcome.BAD]) == (1, 1)
    assert r.received[PoseArray3D] == []
    logged = capfd.readouterr().err
    assert re.search(f'WARN.*1 of 1.*{text}', logged)
    assert len(r.poses_of(image_msg(GREY, header(1))).poses) == 2
