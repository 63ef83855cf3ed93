"""Distortion coefficients as cameras, drivers and other programs state them."""

import re

import pytest

from pose3d_ros.lens_coefficients import read_distortion

D5 = (-0.05, 0.02, 0.0003, -0.0002, -0.004)
D8 = (0.4, -2.1, 0.0005, 0.0002, 1.2, 0.3, -1.9, 1.1)
FISHEYE = (-0.01, 0.04, -0.04, 0.008)


@pytest.mark.parametrize(
    ('model', 'd', 'expected', 'note'),
    [
        ('plumb_bob', D5, ('plumb_bob', D5), ''),
        ('plumb_bob', (*D5, 0, 0, 0), ('plumb_bob', D5), ''),  # Orbbec
        ('plumb_bob', D8, ('rational_polynomial', D8), ''),  # Azure Kinect
        ('plumb_bob', (*D5, *[0] * 9), ('plumb_bob', D5), ''),  # all that OpenCV has
        ('rational_polynomial', D5, ('plumb_bob', D5), ''),
        ('rational_polynomial', (*D8, *[0] * 6), ('rational_polynomial', D8), ''),
        ('rational_polynomial', D8[:6], ('rational_polynomial', (*D8[:6], 0, 0)), '6 dist.* as 8'),
        ('plumb_bob', (-0.05, 0.02), ('plumb_bob', (-0.05, 0.02, 0, 0)), '2 dist.* read as 4'),
        ('', D5, ('plumb_bob', D5), 'empty distortion model read as plumb_bob'),
        ('', D8, ('rational_polynomial', D8), 'read as rational_polynomial'),
        ('Plumb Bob', D5, ('plumb_bob', D5), ''),
        ('equidistant', FISHEYE, ('equidistant', FISHEYE), ''),
        ('equidistant', (*FISHEYE, 0), ('equidistant', FISHEYE), ''),  # RealSense T265
        ('fisheye', FISHEYE, ('equidistant', FISHEYE), "'fisheye' read as equidistant"),
        ('kannala_brandt4', FISHEYE, ('equidistant', FISHEYE), 'read as equidistant'),
        ('radtan', D5, ('plumb_bob', D5), ''),
        ('equi', FISHEYE, ('equidistant', FISHEYE), "'equi' read as equidistant"),
        ('Inverse Brown Conrady', [0] * 5, ('plumb_bob', ()), ''),
        ('nonsense', [], ('plumb_bob', ()), ''),
    ],
)
def test_distortion_is_read_as_opencv_does(model, d, expected, note):
    found_model, coefficients, found_note = read_distortion(model, d)
    assert (found_model, coefficients) == expected
    assert re.search(note, found_note) if note else found_note == ''
