"""Calibration files as tools write them."""

import pytest

from pose3d_ros.lens_coefficients import read_distortion
from pose3d_ros.sources.calibration import CalibrationError, read_calibration

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
    intrinsics, *size, _ = read_calibration(str(path))
    assert (intrinsics.fx, intrinsics.fy, intrinsics.cx, intrinsics.cy) == (600, 610, 321, 239)
    assert (intrinsics.model, intrinsics.distortion) == ('plumb_bob', (0.1, -0.2, 0.003, 0.004))
    assert size == [640, 480]


def test_distortion_is_read_as_that_of_a_camera_info(tmp_path):
    path = tmp_path / 'camera.yaml'
    path.write_text(YAML.replace('0.004, 0]', '0.004, 0, 7]').replace('plumb_bob', 'radtan'))
    found = read_calibration(str(path))
    numbers = (0.1, -0.2, 0.003, 0.004, 0, 7)
    model, distortion, note = read_distortion('radtan', numbers)
    assert (found.intrinsics.model, found.intrinsics.distortion) == (model, distortion)
    assert (model, distortion) == ('rational_polynomial', (*numbers, 0, 0))
    assert found.note == note == '6 distortion coefficients read as 8 of rational_polynomial'


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
        (YAML.replace('0.003, 0.004, 0]', '0.003]'), 'coefficients, found 3'),
        (YAML.replace('plumb_bob', 'spline'), "distortion model 'spline' is unknown"),
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
