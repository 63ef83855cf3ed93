"""What depth sensors do to a pose node: images are answered with whatever depth there is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import Image
from support.node_under_test import AT_ONCE, PROFILE
from support.robot import GREY, TRUTH, depth_msg

from pose3d_ros.msg import Keypoint3D
from synthetic.depth_scene import depth_image
from synthetic.scene import CAMERA

# Of half the size, so that both images fit into Fast DDS's shared memory without our profile.
BGR = GREY[::2, ::2]
DEPTH_M = depth_image(TRUTH, [1.8, 1.8], intrinsics=CAMERA, hw=GREY.shape[:2]).depth_m[::2, ::2]


class Sensor:
    """Sends depth images along with the images of a pose node's camera."""

    def __init__(self, o):
        self.o = o
        topic = 'depth_registered/image_rect'
        self.images = o.node.create_publisher(Image, topic, qos_profile_sensor_data)
        o.spin_until(self.images.get_subscription_count)
        o.calibrate()

    def send(self, depth, image):
        depth.header = image.header
        self.images.publish(depth)

    def answer(self, depth=None, before=True):
        """Have an image answered whose depth comes before it, behind it, or not at all."""

        def image():
            made = self.o.stamped(BGR)
            if depth and before:
                self.send(depth, made)
            return made

        late = depth and not before
        return self.o.answers(image, then=(lambda made: self.send(depth, made)) if late else None)

    def measures(self, **when):
        """Check that people are measured again at once."""
        made = [self.answer(depth_msg(DEPTH_M), **when) for _ in range(AT_ONCE)]
        assert any(
            k.source == Keypoint3D.DEPTH for m in made for p in m.poses for k in p.keypoints
        )


@pytest.fixture
def sensor(outside):
    return Sensor(outside(depth='true'))


@pytest.mark.parametrize('before', [True, False])
def test_a_sensor_that_stops_and_returns(sensor, before):
    for _ in range(3):
        sensor.measures(before=before)
        for _ in range(5):
            message = sensor.answer()
            assert len(message.poses) == 2
            assert {k.source for p in message.poses for k in p.keypoints} & {Keypoint3D.OBSERVED}
    sensor.o.check_counts()


def test_a_sensor_that_sends_whatever_comes(sensor):
    """More depth images than images, of no image: they give way."""
    for _ in range(500):
        depth = depth_msg(DEPTH_M)
        sensor.send(depth, sensor.o.stamped(BGR))
    sensor.measures()
    sensor.o.check_counts()


@st.composite
def depths(draw):
    """A depth image of which one thing or another may be wrong, or only odd."""
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
        message = sensor.answer(depth, before)
        assert len(message.poses) == 2
        z_m = np.array([k.position.z for p in message.poses for k in p.keypoints])
        assert np.isfinite(z_m).any()
        assert not np.isinf(z_m).any()

    send()
    sensor.measures()
    assert sensor.o.check_counts()['bad images'] == 0
