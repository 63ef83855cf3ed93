"""Faults of cameras, after each of which the pose node recovers at once."""

import itertools

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus
from hypothesis import given, settings
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import Image
from support.node_under_test import PROFILE
from support.robot import GREY, TRUTH, metres
from support.strategies import camera_infos

from pose3d_ros.demo import clip

OK, ERROR = DiagnosticStatus.OK, DiagnosticStatus.ERROR


def test_a_camera_that_stops_and_returns(start_node):
    node = start_node(stale_after=0.5)
    node.calibrate()
    for _ in range(2):
        node.until_status(ERROR, 'no image for 0.')
        number = len(node.received)
        node.spin(0.5)
        assert len(node.received) == number  # nothing is published without images
        assert len(node.await_poses().poses) == 2
        node.until_status(OK, 'running')
    node.check_counts()


def test_camera_faster_than_the_network(start_node, slow_xml):
    """Images are processed in order, and those that are dropped are counted."""
    node = start_node(slow_xml)
    for _ in range(100):
        node.send(node.image_now(GREY[::4, ::4]))
        node.spin(0.01)
    assert node.check_counts()['bad images'] == 0
    assert sorted(node.processed_stamps()) == node.processed_stamps()


def test_size_and_encoding_change_mid_stream(start_node):
    node = start_node()
    # Sizes that fit into Fast DDS's shared memory without the project's profile.
    sizes = ((256, 448), (240, 320), (1, 1), (2, 600), (600, 2), (144, 256))
    encodings = ('bgr8', 'mono8', 'rgba8', 'bayer_rggb8', 'nv12', 'yuv422', 'rgb16')
    for (height, width), encoding in itertools.product(sizes, encodings):
        paired = encoding in ('nv12', 'yuv422', 'bayer_rggb8')
        bytes_ = {'bgr8': 3, 'rgba8': 4, 'yuv422': 2, 'rgb16': 6}.get(encoding, 1)
        height, width = (n + n % 2 if paired else n for n in (height, width))
        rows = height * 3 // 2 if encoding == 'nv12' else height

        def image(h=height, w=width, step=bytes_ * width, rows=rows, encoding=encoding):
            made = node.image_now(GREY[:1, :1])
            made.height, made.width, made.step, made.encoding = h, w, step, encoding
            made.data = bytes([128]) * (rows * step)
            return made

        assert node.await_poses(image)
    assert node.check_counts()['bad images'] == 0


def test_stamps_that_jump(start_node):
    """A jump of the stamps starts new tracks: where people went meanwhile is unknown."""
    node = start_node()
    known = set()
    for start_s in (1000, 900, 10**6, 3, 2**31 - 2, 1, -50, -(2**31), 500):
        seen, tenths = [], itertools.count()

        def image(start_s=start_s, tenths=tenths):
            second, tenth = divmod(next(tenths), 10)
            made = node.image_now()
            made.header.stamp = Time(sec=start_s + second, nanosec=tenth * 10**8)
            return made

        for _ in range(3):
            poses = node.await_poses(image).poses
            seen.append({pose.track_id for pose in poses})
            assert np.isfinite([k.position.z for p in poses for k in p.keypoints]).all()
        assert seen == [seen[0]] * 3
        assert len(seen[0]) == 2
        assert not seen[0] & known
        known |= seen[0]
    node.check_counts()


def test_a_simulated_clock_that_jumps_and_stops(start_node):
    node = start_node(rules=['/clock:=clock'], use_sim_time='true', stale_after=0.5)
    clocks = node.peer.create_publisher(Clock, 'clock', 1)
    node.spin_until(clocks.get_subscription_count)
    node.calibrate()
    for second in (100, 101, 50, 0, 2**31 - 1, 1):
        # Repeated, because the node does not acknowledge it.
        for _ in range(3):
            clocks.publish(Clock(clock=Time(sec=second)))
            node.spin(0.05)
        assert len(node.await_poses().poses) == 2
    # Diagnostics continue while it is stopped, and measure silence by the steady clock.
    node.until_status(ERROR, 'no image for 0.')
    assert len(node.await_poses().poses) == 2
    node.check_counts()


def test_absurd_camera_infos(start_node):
    """Images are processed with any CameraInfo, and no position is infinite."""
    node = start_node()

    @settings(PROFILE, max_examples=150)
    @given(camera_infos())
    def send(info):
        node.camera.infos.publish(info)
        message = node.await_poses()
        found = np.array([k.position.z for pose in message.poses for k in pose.keypoints])
        assert not np.isinf(found).any()

    send()
    node.calibrate()
    np.testing.assert_allclose(metres(node.await_poses()), TRUTH, atol=0.05)
    node.check_counts()


def test_a_killed_camera(start_node):
    """A camera process is killed while it sends; another one replaces it."""
    node = start_node(stale_after=0.5)
    for _ in range(2):
        camera = node.run('camera', source=clip.PATH, loop='true', rate=100.0)
        number = len(node.received) + 20
        node.spin_until(lambda number=number: len(node.received) > number)
        camera.kill()
        node.until_status(ERROR, 'no image for 0.')
        assert len(node.await_poses().poses) == 2
    stamps = node.processed_stamps()
    assert len(set(stamps)) == len(stamps)


def test_faults_of_one_camera_do_not_delay_the_other(start_node):
    node = start_node(cameras=['front', 'rear'])
    rear = node.cameras[1].images
    for number in range(100):
        rear.publish(
            Image(encoding='bgr8', width=number, height=9) if number % 2 else node.image_now()
        )
        node.await_poses()
    node.peer.destroy_publisher(rear)
    for _ in range(10):
        node.await_poses()
    assert node.check_counts()['bad images'] == 0
