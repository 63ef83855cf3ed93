"""What cameras do to a pose node, and that it answers again at once."""

import itertools
import time

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus
from hypothesis import given, settings
from hypothesis import strategies as st
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, RegionOfInterest
from support.node_under_test import PROFILE, nanoseconds
from support.robot import GREY, TRUTH, camera_info, metres

from pose3d_ros.demo import clip

OK, ERROR = DiagnosticStatus.OK, DiagnosticStatus.ERROR
ROI = ('x_offset', 'y_offset', 'width', 'height')


def test_a_camera_that_stops_and_returns(outside):
    o = outside(stale_after=0.5)
    o.calibrate()
    for _ in range(2):
        o.until_status(ERROR, 'no image for 0.')
        number = len(o.received)
        o.spin(0.5)
        assert len(o.received) == number  # silence says that there are no images
        assert len(o.answers().poses) == 2
        o.until_status(OK, 'running')
    o.check_counts()


def test_a_camera_of_five_times_the_rate_of_the_network(outside, slow_xml):
    """Nothing queues, so that no answer is of an old image, and what makes way is counted."""
    o = outside(slow_xml)
    period_s = inference_s(o) / 5
    ages = []
    for _ in range(100):
        o.send(o.stamped(GREY[::4, ::4]))
        number = len(o.received)
        o.spin(period_s)
        for message in o.received[number:]:
            # In images of the camera, which a busy machine slows down with the node.
            ages.append(len(o.sent) - 1 - o.sent.index(nanoseconds(message.header.stamp)))
    counts = o.check_counts()
    # Of 100, and about 80; a busy machine sends more slowly.
    assert counts['dropped images'] > 20
    assert counts['bad images'] == 0
    assert sorted(o.answered()) == o.answered()
    # No worse at the end than at the beginning, and no more than a few images.
    assert len(ages) >= 10
    assert np.median(ages[len(ages) // 2 :]) <= 15


def inference_s(o):
    """Seconds that an image takes, seen from outside: one after the other."""
    start_s = time.monotonic()
    for _ in range(10):
        o.settle()
    return (time.monotonic() - start_s) / 10


def test_size_and_encoding_change_mid_stream(outside):
    o = outside()
    # What fits into Fast DDS's shared memory without our profile.
    sizes = ((256, 448), (240, 320), (1, 1), (2, 600), (600, 2), (144, 256))
    encodings = ('bgr8', 'mono8', 'rgba8', 'bayer_rggb8', 'nv12', 'yuv422', 'rgb16')
    for (height, width), encoding in itertools.product(sizes, encodings):
        paired = encoding in ('nv12', 'yuv422', 'bayer_rggb8')
        bytes_ = {'bgr8': 3, 'rgba8': 4, 'yuv422': 2, 'rgb16': 6}.get(encoding, 1)
        height, width = (n + n % 2 if paired else n for n in (height, width))
        rows = height * 3 // 2 if encoding == 'nv12' else height

        def image(h=height, w=width, step=bytes_ * width, rows=rows, encoding=encoding):
            made = o.stamped(GREY[:1, :1])
            made.height, made.width, made.step, made.encoding = h, w, step, encoding
            made.data = bytes([128]) * (rows * step)
            return made

        assert o.answers(image)
    assert o.check_counts()['bad images'] == 0


def test_stamps_that_jump(outside):
    """Somebody is somebody else after a jump, since where people went meanwhile nobody knows."""
    o = outside()
    known = set()
    for start_s in (1000, 900, 10**6, 0, 2**31 - 2, 1, -50, -(2**31), 500):
        seen, tenths = [], itertools.count()

        def image(start_s=start_s, tenths=tenths):
            second, tenth = divmod(next(tenths), 10)
            made = o.stamped()
            made.header.stamp = Time(sec=start_s + second, nanosec=tenth * 10**8)
            return made

        for _ in range(3):
            poses = o.answers(image).poses
            seen.append({pose.track_id for pose in poses})
            assert np.isfinite([k.position.z for p in poses for k in p.keypoints]).all()
        assert seen == [seen[0]] * 3
        assert len(seen[0]) == 2
        assert not seen[0] & known
        known |= seen[0]
    o.check_counts()


def test_a_simulated_clock_that_jumps_and_stops(outside):
    o = outside(rules=['/clock:=clock'], use_sim_time='true', stale_after=0.5)
    clocks = o.node.create_publisher(Clock, 'clock', 1)
    o.spin_until(clocks.get_subscription_count)
    o.calibrate()
    for second in (100, 101, 50, 0, 2**31 - 1, 1):
        # Repeated, since nobody says that it came.
        for _ in range(3):
            clocks.publish(Clock(clock=Time(sec=second)))
            o.spin(0.05)
        assert len(o.answers().poses) == 2
    # Stopped: the diagnostics go on, and what they say of silence is of the machine's time.
    o.until_status(ERROR, 'no image for 0.')
    assert len(o.answers().poses) == 2
    o.check_counts()


numbers = st.one_of(
    st.floats(), st.sampled_from([0.0, 1.0, -1.0, 1e-300, 1e300, 224.0, 360.0]), st.floats(0, 1000)
)
sizes = st.one_of(st.sampled_from([0, 1, 256, 448, 896, 2**32 - 1]), st.integers(0, 2**32 - 1))


@st.composite
def camera_infos(draw):
    info = CameraInfo(width=draw(sizes), height=draw(sizes))
    if draw(st.booleans()):
        info = camera_info()
    info.distortion_model = draw(
        st.sampled_from(['', 'plumb_bob', 'rational_polynomial', 'equidistant', 'nonsense'])
    )
    info.d = draw(st.lists(numbers, max_size=15))
    for matrix in (info.k, info.p):
        if draw(st.booleans()):
            matrix[:] = draw(st.lists(numbers, min_size=len(matrix), max_size=len(matrix)))
    if draw(st.booleans()):
        info.binning_x, info.binning_y = draw(sizes), draw(sizes)
        info.roi = RegionOfInterest(**{name: draw(sizes) for name in ROI})
    return info


def test_absurd_camera_infos(outside):
    """Whatever the camera says of itself, its images are answered, and no position is infinite."""
    o = outside()

    @settings(PROFILE, max_examples=150)
    @given(camera_infos())
    def send(info):
        o.eye.infos.publish(info)
        message = o.answers()
        found = np.array([k.position.z for pose in message.poses for k in pose.keypoints])
        assert not np.isinf(found).any()

    send()
    o.calibrate()
    np.testing.assert_allclose(metres(o.answers()), TRUTH, atol=0.05)
    o.check_counts()


def test_a_killed_camera(outside):
    """As a process of its own, killed while it sends; another one takes its place."""
    o = outside(stale_after=0.5)
    for _ in range(2):
        camera = o.run('camera', source=clip.PATH, loop='true', rate=100.0)
        number = len(o.received) + 20
        o.spin_until(lambda number=number: len(o.received) > number)
        camera.kill()
        o.until_status(ERROR, 'no image for 0.')
        assert len(o.answers().poses) == 2
    stamps = o.answered()
    assert len(set(stamps)) == len(stamps)


def test_faults_of_one_camera_do_not_delay_the_other(outside):
    o = outside(cameras=['front', 'rear'])
    rear = o.eyes[1].images
    for number in range(100):
        rear.publish(Image(encoding='bgr8', width=number, height=9) if number % 2 else o.stamped())
        o.answers()
    o.node.destroy_publisher(rear)
    for _ in range(10):
        o.answers()
    assert o.check_counts()['bad images'] == 0
