"""Images that are none, made by hypothesis: the node answers what is good, and counts the rest."""

import struct

import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CompressedImage, Image
from support.node_under_test import PROFILE, nanoseconds

BATCH = 25
# Bytes of a pixel.
ENCODINGS = {
    'bgr8': 3, 'rgb8': 3, 'bgra8': 4, 'rgba8': 4, 'mono8': 1, '8UC1': 1, '8UC3': 3, '8UC4': 4,
    'rgb16': 6, 'mono16': 2, 'bayer_rggb8': 1, 'bayer_gbrg16': 2, 'uyvy': 2, 'yuv422_yuy2': 2,
    'nv12': 1, 'nv21': 1,
}  # fmt: skip
OTHERS = (
    '', '8UC2', '8UC5', '8UC0', '8UC', '16UC1', '16SC3', '32FC1', '32FC3', '32SC2', '64FC4',
    '8UC99999', '16UC65', 'nv24', 'yuv444', 'yuv42216', 'uyvy16', '816', '16', 'bayer_16',
    'jpeg', 'MONO8', 'bgr8 ', 'bgr8\x00', 'bgr8' * 1000,
)  # fmt: skip
FORMATS = (
    'jpeg', 'png', 'bgr8; jpeg compressed bgr8', 'rgb8; png compressed rgb8',
    'bayer_rggb8; png compressed', 'bayer_x; png compressed', '; ; compressed',
)  # fmt: skip
uint32 = st.one_of(
    st.integers(0, 70), st.sampled_from([2**16, 2**31, 2**32 - 1]), st.integers(0, 2**32 - 1)
)
few = st.integers(1, 40)


def noise(number, seed=0):
    return np.random.default_rng(seed).bytes(number)


@st.composite
def images(draw):
    """An image, and whether it must be answered; None: whatever the node thinks."""
    encoding = draw(st.sampled_from(sorted(ENCODINGS)))
    # Even, which half of the encodings must be.
    height, width = 2 * draw(few), 2 * draw(few)
    step = ENCODINGS[encoding] * width + draw(st.sampled_from([0, 0, 1, 64]))
    rows = height * 3 // 2 if encoding.startswith('nv') else height
    image = Image(height=height, width=width, step=step, encoding=encoding)
    image.data = noise(rows * step, draw(st.integers(0, 2**32 - 1)))
    image.is_bigendian = draw(st.integers(0, 255))
    image.header.frame_id = draw(st.text(max_size=20))
    fault = draw(st.sampled_from(['none', 'data', 'step', 'encoding', 'size', 'all']))
    if fault == 'data':
        image.data = image.data[: draw(st.integers(0, rows * step - 1))]
    if fault == 'step':
        image.step = draw(st.integers(0, ENCODINGS[encoding] * width - 1))
    if fault in ('encoding', 'all'):
        image.encoding = draw(st.one_of(st.sampled_from(OTHERS), st.text(max_size=12)))
    if fault in ('size', 'all'):
        image.height, image.width = draw(uint32), draw(uint32)
    if fault == 'all':
        image.step = draw(uint32)
        image.data = noise(draw(st.integers(0, 5000)))
    return image, {'none': True, 'data': False, 'step': False}.get(fault)


FILES = {
    ending: cv2.imencode(ending, np.frombuffer(noise(40 * 60 * 3), np.uint8).reshape(40, 60, 3))[1]
    for ending in ('.jpg', '.png', '.webp', '.bmp', '.tiff', '.ppm')
}


@st.composite
def files(draw):
    """Likewise a compressed image."""
    ending = draw(st.sampled_from(sorted(FILES)))
    data = bytearray(FILES[ending].tobytes())
    image = CompressedImage()
    image.header.frame_id = draw(st.text(max_size=20))
    image.format = draw(st.one_of(st.sampled_from(FORMATS), st.text(max_size=20)))
    fault = draw(st.sampled_from(['none', 'cut', 'changed', 'noise', 'claim']))
    good = True if fault == 'none' and not image.format.startswith('bayer') else None
    if fault == 'cut':
        del data[draw(st.integers(0, len(data) - 3)) :]
        good = False if ending == '.jpg' else None
    if fault == 'changed':
        for _ in range(draw(st.integers(1, 10))):
            data[draw(st.integers(0, min(len(data), 700) - 1))] = draw(st.integers(0, 255))
    if fault == 'claim' and ending == '.jpg':  # to be larger than memory is
        at = data.index(b'\xff\xc0') + 5
        data[at : at + 4] = struct.pack('>HH', 65_000, draw(st.integers(20_000, 65_000)))
        good = False
    if fault == 'noise':
        data[draw(st.integers(0, 12)) :] = noise(draw(st.integers(0, 3000)))
    image.data = bytes(data)
    return image, good


@st.composite
def wires(draw):
    """The bytes of an image as they travel, spoilt: no sender of ROS would write them."""
    image = Image(height=8, width=8, step=24, encoding='bgr8', data=bytes(192))
    data = bytearray(serialize_message(image))
    for _ in range(draw(st.integers(0, 4))):
        # Behind the stamp, which tells the answers apart.
        data[draw(st.integers(12, 70))] = draw(st.integers(0, 255))
    del data[draw(st.integers(12, len(data))) :]
    return data


def send_all(outside, messages, examples, **parameters):
    """Send every batch and, behind it, a good image; check what was answered, and the counts."""
    o = outside(**parameters)
    number = 0

    @settings(PROFILE, max_examples=examples)
    @given(st.lists(messages, min_size=BATCH, max_size=BATCH))
    def send(batch):
        nonlocal number
        expected = {}
        for image, good in batch:
            image.header.stamp = o.node.get_clock().now().to_msg()
            expected[nanoseconds(image.header.stamp)] = good
            o.send(image)
            number += 1
        if parameters.get('queue'):
            o.settle()
            found = set(o.answered())
            for stamp, good in expected.items():
                assert good in (None, stamp in found)
        o.answers()

    send()
    counts = o.check_counts()
    assert number >= BATCH * examples
    return counts


def test_garbage(outside):
    counts = send_all(outside, images(), 50, queue=100)
    assert counts['dropped images'] == 0
    assert counts['bad images'] > 500


def test_garbage_files(outside):
    counts = send_all(outside, files(), 30, queue=100, image_transport='compressed')
    assert counts['dropped images'] == 0
    assert counts['bad images'] > 200


def test_garbage_faster_than_it_is_read(outside):
    counts = send_all(outside, images(), 20)
    assert counts['dropped images'] > 0


def test_garbage_on_the_wire(outside):
    """What cannot be read as a message is dropped by the middleware, and counted as that."""
    o = outside(queue=100)

    @settings(PROFILE, max_examples=10)
    @given(st.lists(wires(), min_size=BATCH, max_size=BATCH))
    def send(batch):
        for data in batch:
            stamp = o.node.get_clock().now().to_msg()
            data[4:12] = struct.pack('<iI', stamp.sec, stamp.nanosec)
            o.sent.append(nanoseconds(stamp))
            o.eye.images.publish(bytes(data))
        o.settle()
        o.answers()

    send()
    assert o.check_counts()['dropped images'] > 50
