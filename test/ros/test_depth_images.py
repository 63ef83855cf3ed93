"""Depth images as drivers send them: known metres, and garbage."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sensor_msgs.msg import Image
from support.robot import depth_msg

from pose3d_ros.ros.depth_stream import DEPTH_ENCODINGS, depth_array
from pose3d_ros.ros.messages.images import ImageError

METRES = np.array([[0.5, 1.25, 3.0], [65.535, 0.001, 2.0]], np.float32)


@pytest.mark.parametrize('encoding', DEPTH_ENCODINGS)
@pytest.mark.parametrize('big', [False, True])
@pytest.mark.parametrize('padding', [0, 3])
def test_metres(encoding, big, padding):
    found_m = depth_array(depth_msg(METRES, encoding, big, padding))
    assert found_m.dtype == np.float32
    np.testing.assert_allclose(found_m, METRES, rtol=1e-6)


def test_invalid_depth_is_nan():
    zeros = depth_array(depth_msg(np.array([[0, 1]], np.float32)))
    np.testing.assert_array_equal(zeros, [[np.nan, 1]])
    odd = np.array([[0, -1, np.inf, -np.inf, np.nan, 2]], np.float32)
    found_m = depth_array(depth_msg(odd, '32FC1'))
    np.testing.assert_array_equal(found_m, [[np.nan] * 5 + [2]])


@pytest.mark.parametrize(
    ('fields', 'named'),
    [
        ({'step': 5}, 'at least 6'),
        ({'data': b'\x01\x02'}, 'found 6 and 2'),
        ({'width': 0}, '0x2'),
        ({'height': 4_000_000_000, 'width': 4_000_000_000}, 'pixels'),
    ],
)
def test_unreadable_message_is_refused(fields, named):
    with pytest.raises(ImageError, match=named):
        depth_array(depth_msg(METRES, **fields))


@pytest.mark.parametrize('encoding', ['mono8', 'bgr8', '64FC1', ''])
def test_other_encodings_are_refused(encoding):
    image = depth_msg(METRES)
    image.encoding = encoding
    with pytest.raises(ImageError, match=f'16UC1, mono16, 32FC1, found {encoding!r}'):
        depth_array(image)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    encoding=st.sampled_from([*DEPTH_ENCODINGS, 'bgr8', 'mono8', '']),
    height=st.integers(0, 9),
    width=st.integers(0, 9),
    step=st.integers(0, 60),
    big=st.integers(0, 255),
    data=st.binary(max_size=400),
)
def test_garbage_is_read_or_refused(encoding, height, width, step, big, data):
    image = Image(encoding=encoding, height=height, width=width, step=step, is_bigendian=big)
    image.data = data
    try:
        depth_m = depth_array(image)
    except ImageError:
        return
    assert depth_m.shape == (height, width)
    assert not (depth_m <= 0).any()
    assert not np.isinf(depth_m).any()
