"""Faults of depth sensors: images are processed with or without depth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
from support.node_under_test import PROFILE, RECOVERY_IMAGES
from support.robot import GREY, TRUTH, depth_msg

from pose3d_ros.msg import Keypoint3D
from synthetic.depth_scene import depth_image
from synthetic.scene import CAMERA

# Half the size, so that both images fit into Fast DDS's shared memory without the profile.
BGR = GREY[::2, ::2]
DEPTH_M = depth_image(TRUTH, [1.8, 1.8], intrinsics=CAMERA, hw=GREY.shape[:2]).depth_m[::2, ::2]


class Sensor:
    """Publishes depth images with the images of a pose node's camera."""

    def __init__(self, node):
        self.node = node
        topic = 'depth_registered/image_rect'
        self.images = node.peer.create_publisher(Image, topic, qos_profile_sensor_data)
        node.spin_until(self.images.get_subscription_count)
        node.calibrate()

    def send(self, depth, image):
        depth.header = image.header
        self.images.publish(depth)

    def poses(self, depth=None, before=True):
        """Return the poses of an image whose depth is sent before or after it, or not at all."""

        def image():
            made = self.node.image_now(BGR)
            if depth and before:
                self.send(depth, made)
            return made

        late = depth and not before
        return self.node.await_poses(
            image, then=(lambda made: self.send(depth, made)) if late else None
        )

    def measures(self, **when):
        """Check that people are measured by depth within a second."""
        made = [self.poses(depth_msg(DEPTH_M), **when) for _ in range(RECOVERY_IMAGES)]
        assert any(
            k.source == Keypoint3D.DEPTH for m in made for p in m.poses for k in p.keypoints
        )


@pytest.fixture
def sensor(start_node):
    return Sensor(start_node(depth='true'))


@pytest.mark.parametrize('before', [True, False])
def test_a_sensor_that_stops_and_returns(sensor, before):
    for _ in range(3):
        sensor.measures(before=before)
        for _ in range(5):
            message = sensor.poses()
            assert len(message.poses) == 2
            assert {k.source for p in message.poses for k in p.keypoints} & {Keypoint3D.OBSERVED}
    sensor.node.check_counts()


def test_unrelated_depth_images(sensor):
    """Depth images without an image are dropped."""
    for _ in range(500):
        depth = depth_msg(DEPTH_M)
        sensor.send(depth, sensor.node.image_now(BGR))
    sensor.measures()
    sensor.node.check_counts()


@st.composite
def depths(draw):
    """A depth image that may be invalid in different ways."""
    height, width = draw(st.sampled_from([DEPTH_M.shape, (1, 1), (64, 112), (3, 200)]))
    chosen = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = chosen.choice([0.0, 1e-4, 0.5, 2.9, 3.2, 60.0], (height, width))
    depth = depth_msg(values, draw(st.sampled_from(['16UC1', '32FC1'])))
    fault = draw(st.sampled_from(['none', 'noise', 'cut', 'size', 'encoding']))
    if fault == 'noise':  # NaN, infinite, negative
        depth.data = chosen.bytes(len(depth.data))
    if fault == 'cut':
        depth.data = depth.data[: draw(st.integers(0, len(depth.data) - 1))]
    if fault == 'size':
        depth.height, depth.width = draw(st.sampled_from([(0, 5), (2**32 - 1, 2), (9, 9)]))
    if fault == 'encoding':
        depth.encoding = draw(st.sampled_from(['', 'bgr8', 'mono16', '64FC1', '32FC2']))
    return depth


def test_garbage_depth(sensor):
    @settings(PROFILE, max_examples=200)
    @given(depths(), st.booleans())
    def send(depth, before):
        message = sensor.poses(depth, before)
        assert len(message.poses) == 2
        z_m = np.array([k.position.z for p in message.poses for k in p.keypoints])
        assert np.isfinite(z_m).any()
        assert not np.isinf(z_m).any()

    send()
    sensor.measures()
    assert sensor.node.check_counts()['bad images'] == 0
