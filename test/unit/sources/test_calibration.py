"""Calibration files as tools write them."""

import pytest

from pose3d_ros.sources.calibration import CalibrationError, distortion_of, read_calibration

YAML = """\
image_width: 640
image_height: 480
camera_name: made_up
camera_matrix: {rows: 3, cols: 3, data: [600.0, 0, 321, 0, 610, 239, 0, 0, 1]}
distortion_model: plumb_bob
distortion_coefficients: {rows: 1, cols: 5, data: [0.1, -0.2, 0.003, 0.004, 0]}
"""
INI = """\
# oST version 5.0 parameters

[image]

width
640

height
480

[made_up]

camera matrix
600.0 0 321
0 610 239
0 0 1

distortion
0.1 -0.2 0.003 0.004 0

rectification
1 0 0
0 1 0
0 0 1
"""
OPENCV = YAML.replace('matrix: {', 'matrix: !!opencv-matrix {')


@pytest.mark.parametrize(
    'text',
    [
        YAML,
        INI,
        '\ufeff' + YAML,
        YAML.replace('\n', '\r\n'),
        YAML.replace('distortion_model: plumb_bob\n', ''),
        '%YAML:1.0\n---\n' + OPENCV,
    ],
    ids=['yaml', 'ini', 'byte order mark', 'windows', 'before 2020', 'opencv'],
)
def test_every_format_gives_the_same(tmp_path, text):
    path = tmp_path / 'camera'
    path.write_text(text, newline='')
    intrinsics, *size = read_calibration(str(path))
    assert (intrinsics.fx, intrinsics.fy, intrinsics.cx, intrinsics.cy) == (600, 610, 321, 239)
    assert (intrinsics.model, intrinsics.distortion) == (
        'plumb_bob', (0.1, -0.2, 0.003, 0.004, 0),
    )  # fmt: skip
    assert size == [640, 480]


@pytest.mark.parametrize(
    ('model', 'numbers', 'expected'),
    [
        ('plumb_bob', (0.1,) * 5, ('plumb_bob', 5)),
        ('plumb_bob', (0.1,) * 8, ('rational_polynomial', 8)),
        ('plumb_bob', (0.1,) * 14, ('rational_polynomial', 14)),
        ('rational_polynomial', (0.1,) * 5, ('plumb_bob', 5)),
        ('equidistant', (0.1, 0, 0, 0, 0), ('equidistant', 4)),
        ('fisheye', (0.1,) * 4, ('equidistant', 4)),
        ('', (0.1,) * 5, ('plumb_bob', 5)),
        ('equidistant', (0.0,) * 4, ('plumb_bob', 0)),
    ],
)
def test_the_number_of_coefficients_tells_the_model(model, numbers, expected):
    name, coefficients = distortion_of(model, numbers)
    assert (name, len(coefficients)) == expected
    assert coefficients == numbers[: len(coefficients)]


def test_addresses_of_packages_and_of_ros_home(tmp_path, monkeypatch):
    path = tmp_path / 'share' / 'my_robot' / 'config' / 'front.yaml'
    path.parent.mkdir(parents=True)
    path.write_text(YAML)
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(tmp_path))
    monkeypatch.setenv('ROS_HOME', str(path.parent))
    for address in (
        'package://my_robot/config/front.yaml', f'file://{path}', '${ROS_HOME}/${NAME}.yaml',
    ):  # fmt: skip
        assert read_calibration(address, 'front').width == 640
    with pytest.raises(CalibrationError, match="no package 'other'"):
        read_calibration('package://other/a.yaml')


@pytest.mark.parametrize(
    ('text', 'problem'),
    [
        (YAML.replace('camera_matrix', 'matrix'), "has no 'camera_matrix'"),
        (YAML.replace('0.004, 0]', '0.004, 0, 7]'), 'distortion must be one of'),
        (YAML.replace('plumb_bob', 'spline'), "distortion_model must be .*'spline'"),
        (YAML.replace('600.0', '0.0'), 'focal lengths must be positive'),
        (YAML.replace('600.0', '.nan'), 'must be finite'),
        (YAML.replace('0, 0, 1]', '1]'), '9 numbers, found 7'),
        (YAML.replace('640', '0'), 'must be positive, found 0x480'),
        ('no yaml: [', 'is not as camera_calibration'),
        (INI.replace('distortion', 'other'), "has no 'distortion'"),
        ('', 'found no names'),
    ],
)
def test_what_cannot_be_used_is_named_in_one_line(tmp_path, text, problem):
    path = tmp_path / 'camera.yaml'
    path.write_text(text)
    with pytest.raises(CalibrationError, match=f'camera.yaml.*{problem}') as error:
        read_calibration(str(path))
    assert '\n' not in str(error.value)


def test_files_that_are_missing_are_named(tmp_path):
    for address in (f'{tmp_path}/missing.yaml', str(tmp_path), 'https://host/a.yaml'):
        with pytest.raises(CalibrationError, match=r'missing|directory|https'):
            read_calibration(address)
