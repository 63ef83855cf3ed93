"""Command lines of nodes: what ROS would ignore is refused, with the nearest right name."""

import pytest

from pose3d_ros.ros.arguments import ArgumentError, Described, check, help_text

KNOWN = ('source', 'rate', 'frame_id')


@pytest.mark.parametrize(
    ('line', 'problem'),
    [
        ('-p rate:=3', 'ROS arguments follow --ros-args'),
        ('source:=0', 'ROS arguments follow --ros-args'),
        ('--ros-arg -p rate:=3', 'did you mean --ros-args?'),
        ('--ros-args -p ratte:=3', "no parameter 'ratte'; did you mean rate?"),
        ('--ros-args -p camera_node:sorce:=3', 'did you mean source?'),
        ('--ros-args -p rate', 'expected -p NAME:=VALUE'),
        ('--ros-args rate:=3', 'did you mean -p rate:=3 or -r rate:=3?'),
        ('--ros-args --param-file a', 'did you mean --param'),
        ('--ros-args -p', '-p needs a value'),
        ('--ros-args -- rate', 'unknown argument rate'),
        ('--ros-args --params-file /nowhere.yaml', 'nowhere.yaml cannot be read'),
    ],
)
def test_what_ros_ignores_is_refused(line, problem):
    with pytest.raises(ArgumentError) as error:
        check(line.split(), 'camera_node', KNOWN)
    assert problem in str(error.value)
    assert '\n' not in str(error.value)


@pytest.mark.parametrize(
    'line',
    [
        '',
        '--ros-args',
        '--ros-args -p rate:=3 -r __ns:=/a --log-level debug',
        '--ros-args -p use_sim_time:=true --disable-rosout-logs --',
        '--ros-args -p qos_overrides./image_raw.publisher.depth:=3 -p camera_node:rate:=3',
    ],
)
def test_what_ros_understands_is_accepted(line):
    check(line.split(), 'camera_node', KNOWN)


@pytest.mark.parametrize(
    ('text', 'problem'),
    [
        ('camera_node: {ros__parameters: {ratte: 3}}', 'did you mean rate?'),
        ('/front/camera_node: {ros__parameters: {ratte: 3}}', 'did you mean rate?'),
        ('front: {camera_node: {ros__parameters: {ratte: 3}}}', 'did you mean rate?'),
        ('/a/camera_node: {ros__parameters: {rate: 3}}', 'which is /camera_node; expected'),
        ('camera_node: {rate: 3}', 'camera_node has no ros__parameters'),
        ('rate: 3', 'rate is a value'),
        ('a: [', 'cannot be read'),
        ('', 'holds no parameters'),
    ],
)
def test_files_of_parameters_that_are_not_are_named(tmp_path, text, problem):
    path = tmp_path / 'a.yaml'
    path.write_text(text)
    with pytest.raises(ArgumentError) as error:
        check(['--ros-args', '--params-file', str(path)], 'camera_node', KNOWN)
    assert problem in str(error.value)
    assert '\n' not in str(error.value)


def test_files_may_hold_parameters_of_other_nodes(tmp_path):
    path = tmp_path / 'a.yaml'
    path.write_text(
        '/**: {ros__parameters: {other: 3, rate: 4}}\nrobot: {other: {ros__parameters: {a: 1}}}'
    )
    check(['--ros-args', '--params-file', str(path)], 'camera_node', KNOWN)


def test_help_shows_types_ranges_and_defaults():
    text = help_text('camera_node', [Described('rate', 0.5, 'Images per second', '0 to 1000')])
    assert 'rate (float, 0 to 1000; default 0.5)\n      Images per second' in text


def test_files_are_those_of_a_node_with_another_name(tmp_path):
    path = tmp_path / 'a.yaml'
    path.write_text('front: {ros__parameters: {ratte: 3}}')
    line = ['--ros-args', '--params-file', str(path)]
    check(line, 'camera_node', KNOWN)
    with pytest.raises(ArgumentError, match='did you mean rate'):
        check([*line, '-r', '__node:=front'], 'camera_node', KNOWN)


@pytest.mark.parametrize(
    ('key', 'applies'),
    [
        ('/front/camera_node', True),
        ('/**/camera_node', True),
        ('/*/camera_node', True),
        ('camera_node', False),
        ('/rear/camera_node', False),
        ('/*/*/camera_node', False),
    ],
)
def test_files_for_a_node_in_another_namespace_are_refused(tmp_path, key, applies):
    path = tmp_path / 'a.yaml'
    path.write_text(f'{key}: {{ros__parameters: {{rate: 3}}}}')
    line = ['--ros-args', '--params-file', str(path), '-r', '__ns:=/front']
    if applies:
        check(line, 'camera_node', KNOWN)
    else:
        with pytest.raises(ArgumentError, match='not this node, which is /front/camera_node; exp'):
            check(line, 'camera_node', KNOWN)
