"""The launch files, with programs in place of the nodes that record how they were started."""

import importlib.util
import itertools
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

launch = pytest.importorskip('launch', reason='needs launch of ROS 2')
pytest.importorskip('launch_ros', reason='needs launch_ros of ROS 2')
from launch import LaunchDescription, LaunchService  # noqa: E402
from launch.actions import IncludeLaunchDescription  # noqa: E402
from launch.launch_description_sources import PythonLaunchDescriptionSource  # noqa: E402

ROOT = Path(__file__).parents[2]
DEPTH_TOPICS = ('depth_registered/image_rect', 'depth_registered/camera_info')
FILES = ('pose3d', 'camera', 'usb_camera', 'depth_camera')
PROGRAMS = {
    'pose3d_ros': ('pose_node', 'camera_node', 'fusion_node', 'pose3d'),
    'rviz2': ('rviz2',),
    'tf2_ros': ('static_transform_publisher',),
    'usb_cam': ('usb_cam_node_exe',),
    'v4l2_camera': ('v4l2_camera_node',),
}
# -S and -I: no .pth file and no environment of ours.
RECORDER = """#!{python} -IS
import json, os, sys
paths = [b for a, b in zip(sys.argv, sys.argv[1:]) if a == '--params-file']
params = [open(path).read() for path in paths]
record = {{'argv': sys.argv, 'env': dict(os.environ), 'params': params}}
with open('{folder}/' + str(os.getpid()), 'w') as file:
    json.dump(record, file)
"""
# Stands in for the launch file of a driver: declares some arguments as the real ones do, and
# passes their values to a program.
DRIVER_LAUNCH = """
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

DEFAULTS = {defaults!r}

def generate_launch_description():
    values = {{name: LaunchConfiguration(name) for name in DEFAULTS}}
    node = Node(package={package!r}, executable='driver', name='driver', namespace='/',
                parameters=[values])
    return LaunchDescription([
        *(DeclareLaunchArgument(name, default_value=value) for name, value in DEFAULTS.items()),
        node,
    ])
"""
# Camera -> package, launch file, and those of its arguments with their defaults that matter here.
DRIVERS = {
    'realsense': ('realsense2_camera', 'rs_launch.py',
                  {'camera_name': 'camera', 'camera_namespace': 'camera', 'serial_no': 'any',
                   'align_depth.enable': 'false', 'enable_sync': 'false', 'publish_tf': 'true'}),
    'orbbec': ('orbbec_camera', 'gemini_330_series.launch.py',
               {'camera_name': 'camera', 'depth_registration': 'false', 'publish_tf': 'true',
                'enable_frame_sync': 'false', 'log_level': 'none'}),
    'oak': ('depthai_ros_driver', 'camera.launch.py',
            {'name': 'oak', 'namespace': 'its_own', 'params_file': 'camera.yaml',
             'rectify_rgb': 'true'}),
    'zed': ('zed_wrapper', 'zed_camera.launch.py',
            {'camera_name': 'none', 'camera_model': 'none', 'publish_tf': 'true',
             'namespace': 'its_own', 'serial_number': '0'}),
}  # fmt: skip
FASTDDS = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE')


class ParametersLoader(yaml.SafeLoader):
    """Loads files of launch_ros, in which lists have the tag of a Python tuple."""


ParametersLoader.add_constructor(
    'tag:yaml.org,2002:python/tuple', lambda loader, node: loader.construct_sequence(node)
)


class Started:
    """How a program was started."""

    def __init__(self, record):
        argv = record['argv']
        pairs = list(itertools.pairwise(argv))
        rules = dict(b.split(':=') for a, b in pairs if a == '-r')
        self.program = Path(argv[0]).name
        self.argv, self.env = argv, record['env']
        self.name = f'{rules.pop("__ns", "").rstrip("/")}/{rules.pop("__node", self.program)}'
        self.remappings = rules
        self.params_files = [b for a, b in pairs if a == '--params-file']
        self.files = [yaml.load(text, ParametersLoader) for text in record['params']]

    @property
    def given(self):
        """Parameters that come from launch arguments, not from params_file."""
        merged = {}
        for path, content in zip(self.params_files, self.files, strict=True):
            if not path.endswith('.yaml'):
                merged.update(content[self.name]['ros__parameters'])
        return merged

    def option(self, name):
        return self.argv[self.argv.index(name) + 1]


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Run launch files with their arguments; return what they started by node name."""
    records = tmp_path / 'records'
    records.mkdir()
    prefix = tmp_path / 'prefix'
    index = prefix / 'share/ament_index/resource_index/packages'
    index.mkdir(parents=True)
    for package, programs in PROGRAMS.items():
        (index / package).touch()
        for program in programs:
            path = prefix / 'lib' / package / program
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(RECORDER.format(python=sys.executable, folder=records))
            path.chmod(0o755)
    for package, file, defaults in DRIVERS.values():
        (index / package).touch()
        for path, text in (
            (prefix / 'share' / package / 'launch' / file,
             DRIVER_LAUNCH.format(package=package, defaults=defaults)),
            (prefix / 'lib' / package / 'driver',
             RECORDER.format(python=sys.executable, folder=records)),
        ):  # fmt: skip
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            path.chmod(0o755)
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(prefix))
    monkeypatch.setenv('ROS_LOG_DIR', str(tmp_path / 'log'))
    for variable in (*FASTDDS, 'ROS_DISTRO'):
        monkeypatch.delenv(variable, raising=False)

    def run(*includes, status=0, missing=()):
        for program in missing:
            (prefix / 'lib' / program).unlink()
        service = LaunchService(noninteractive=True)
        actions = [include(file, **arguments) for file, arguments in includes]
        service.include_launch_description(LaunchDescription(actions))
        assert service.run() == status
        nodes = [Started(json.loads(path.read_text())) for path in records.iterdir()]
        assert len({node.name for node in nodes}) == len(nodes)
        return {node.name: node for node in nodes}

    return run


def source(file):
    return PythonLaunchDescriptionSource(str(ROOT / 'launch' / f'{file}.launch.py'))


def include(file, **arguments):
    return IncludeLaunchDescription(source(file), launch_arguments=arguments.items())


@pytest.mark.parametrize('file', FILES)
def test_every_argument_is_described_and_has_a_default(file):
    description = source(file).get_launch_description(launch.LaunchContext())
    arguments = description.get_launch_arguments()
    assert {'namespace', 'params_file', 'model', 'rviz', 'viewer'} <= {a.name for a in arguments}
    for argument in arguments:
        assert argument.default_value is not None, argument.name
        assert argument.description not in ('', 'no description given'), argument.name


@pytest.mark.parametrize(
    ('file', 'names'),
    [
        ('pose3d', {'/pose_node'}),
        ('camera', {'/pose_node', '/camera_node'}),
        ('usb_camera', {'/pose_node', '/camera'}),
        ('depth_camera', {'/pose_node', '/driver'}),
    ],
)
def test_starts_without_arguments_and_without_rviz(start, file, names):
    nodes = start((file, {}))
    assert set(nodes) == names
    node = nodes['/pose_node']
    assert node.params_files[0] == str(ROOT / 'config/pose3d.yaml')
    topics = ('image_raw', 'camera_info', *DEPTH_TOPICS)
    if file != 'depth_camera':  # which has a test of its own
        assert len(node.params_files) == 1
        assert node.remappings == {topic: topic for topic in topics}
    assert node.option('--log-level') == 'info'


def test_arguments_override_the_parameter_file(start):
    given = {
        'model': '/a b/net.xml', 'device': 'CPU', 'precision': 'f32', 'focal_length': '600',
        'assumed_person_height': '1.7', 'keypoint_threshold': '0.2', 'smoothing': 'false',
        'image_transport': 'compressed', 'rectified': 'true', 'depth': 'true',
    }  # fmt: skip
    node = start(('pose3d', given))['/pose_node']
    assert node.given == {
        'model': '/a b/net.xml', 'device': 'CPU', 'precision': 'f32', 'focal_length': 600.0,
        'assumed_person_height': 1.7, 'keypoint_threshold': 0.2, 'smoothing': False,
        'image_transport': 'compressed', 'rectified': True, 'depth': True,
    }  # fmt: skip
    assert isinstance(node.given['focal_length'], float)
    assert node.params_files[0] == str(ROOT / 'config/pose3d.yaml')
    assert set(node.given) <= set(node.files[0]['/**']['ros__parameters'])


def test_another_parameter_file(start, tmp_path):
    path = tmp_path / 'mine.yaml'
    path.write_text('{/**: {ros__parameters: {model: mine}}}')
    assert start(('pose3d', {'params_file': str(path)}))['/pose_node'].params_files == [str(path)]


def test_two_cameras_are_two_includes(start):
    nodes = start(
        ('camera', {'namespace': 'left', 'source': 'a.mp4'}),
        ('camera', {'namespace': 'right', 'source': 'b.mp4'}),
    )
    assert set(nodes) == {
        '/left/pose_node', '/left/camera_node', '/right/pose_node', '/right/camera_node'
    }  # fmt: skip
    assert nodes['/left/camera_node'].given['source'] == 'a.mp4'
    assert nodes['/right/camera_node'].given['source'] == 'b.mp4'


def test_fusion_of_several_cameras(start):
    given = {'fuse': 'true', 'fuse_cameras': '[left, /robot2/front]', 'fused_frame': 'map'}
    node = start(('pose3d', {'namespace': 'here', **given}))['/here/fusion_node']
    assert node.given == {'cameras': ['left', '/robot2/front'], 'fused_frame': 'map'}
    assert node.params_files[0] == str(ROOT / 'config/pose3d.yaml')


def test_fusion_takes_the_cameras_of_the_parameter_file(start):
    node = start(('pose3d', {'fuse': 'true'}))['/fusion_node']
    assert node.given == {}
    assert 'cameras' in node.files[0]['/**']['ros__parameters']


def test_camera_and_pose_node_meet_on_the_topics_given(start):
    topics = {'image_topic': '/front/image', 'camera_info_topic': 'info'}
    nodes = start(('camera', {'namespace': 'here', **topics}))
    for node in nodes.values():
        given = {n: to for n, to in node.remappings.items() if n not in DEPTH_TOPICS}
        assert given == {'image_raw': '/front/image', 'camera_info': 'info'}


def test_a_depth_sensor_of_any_name(start):
    given = {'depth_topic': '/camera/aligned_depth_to_color/image_raw', 'depth_info_topic': 'info'}
    node = start(('pose3d', {**given, 'depth': 'true'}))['/pose_node']
    assert [node.remappings[topic] for topic in DEPTH_TOPICS] == list(given.values())


def test_camera_node_parameters(start):
    node = start(('camera', {'source': '0', 'rate': '15', 'focal_length': '500'}))['/camera_node']
    expected = {
        'source': '0', 'rate': 15.0, 'loop': False, 'mirror': False, 'skip': 0,
        'wait_for_subscribers': 1, 'frame_id': 'camera_optical_frame', 'focal_length': 500.0,
    }  # fmt: skip
    assert node.given.items() >= expected.items()


def test_camera_node_has_the_parameters_that_it_is_given(start):
    module = pytest.importorskip('pose3d_ros.ros.camera_parameters', exc_type=ImportError)
    declared = {name: parameter.default for name, parameter in module.PARAMETERS.items()}
    everything = {'focal_length': '1', 'calibration_file': 'a.yaml'}
    for name, value in start(('camera', everything))['/camera_node'].given.items():
        assert type(value) is type(declared[name]), name


@pytest.mark.parametrize(
    ('driver', 'parameters'),
    [
        (
            'usb_cam',
            {'image_width': 1280, 'image_height': 720, 'framerate': 15.0, 'frame_id': 'optical'},
        ),
        (
            'v4l2_camera',
            {'image_size': [1280, 720], 'time_per_frame': [1, 15], 'camera_frame_id': 'optical'},
        ),
    ],
)
def test_usb_drivers_get_their_own_names_for_the_same_arguments(start, driver, parameters):
    arguments = {
        'driver': driver, 'video_device': '/dev/video2', 'pixel_format': 'x', 'framerate': '15',
        'image_width': '1280', 'image_height': '720', 'frame_id': 'optical', 'namespace': 'usb',
    }  # fmt: skip
    node = start(('usb_camera', arguments))['/usb/camera']
    assert node.program in PROGRAMS[driver]
    assert node.given == {'video_device': '/dev/video2', 'pixel_format': 'x', **parameters}


@pytest.mark.parametrize('file', FILES)
@pytest.mark.parametrize(('distro', 'variable'), [('kilted', 0), ('', 0), ('jazzy', 1)])
def test_every_node_gets_the_fastdds_profile(start, monkeypatch, file, distro, variable):
    monkeypatch.setenv('ROS_DISTRO', distro)
    for node in start((file, {})).values():
        set_ones = {name: node.env[name] for name in FASTDDS if name in node.env}
        assert set_ones == {FASTDDS[variable]: str(ROOT / 'config/fastdds_shm.xml')}


@pytest.mark.parametrize('file', FILES)
@pytest.mark.parametrize('variable', FASTDDS)
def test_a_fastdds_profile_of_the_environment_wins(start, monkeypatch, file, variable):
    monkeypatch.setenv(variable, '/mine.xml')
    for node in start((file, {})).values():
        assert {node.env[name] for name in FASTDDS if name in node.env} == {'/mine.xml'}


@pytest.mark.parametrize('file', FILES)
def test_an_empty_fastdds_profile_sets_none(start, file):
    for node in start((file, {'fastdds_profile': ''})).values():
        assert not set(FASTDDS) & set(node.env)


def test_the_launch_leaves_its_own_environment_alone(start):
    start(('camera', {}))
    assert not set(FASTDDS) & set(os.environ)


def test_rviz_shows_the_namespace_it_is_started_in(start):
    arguments = {
        'rviz': 'true',
        'namespace': 'left',
        'image_topic': '/a/image',
        'frame_id': 'optical',
    }
    node = start(('pose3d', arguments))['/left/rviz2']
    assert node.option('-d') == str(ROOT / 'config/pose3d.rviz')
    assert node.option('-f') == 'optical'
    config = yaml.safe_load(Path(node.option('-d')).read_text())
    displays = config['Visualization Manager']['Displays']
    assert set(node.remappings) == {d['Topic']['Value'] for d in displays if 'Topic' in d}
    assert node.remappings == {
        '/image_raw': '/a/image', '/markers': 'markers', '/overlay': 'overlay'
    }  # fmt: skip


@pytest.mark.parametrize('file', FILES)
@pytest.mark.parametrize(('namespace', 'shown'), [('', '/'), ('left', '/left'), ('/a/b', '/a/b')])
def test_the_viewer_shows_the_namespace_it_is_started_in(
    start, monkeypatch, file, namespace, shown
):
    install_viser(monkeypatch, True)
    arguments = {'viewer': 'true', 'namespace': namespace, 'viewer_port': '8090'}
    viewer = start((file, arguments))['/pose3d']
    assert viewer.argv[1:] == ['view', '--namespace', shown, '--port', '8090']
    assert viewer.env[FASTDDS[0]] == str(ROOT / 'config/fastdds_shm.xml')


def test_the_viewer_is_not_started_unless_it_can_run(start, monkeypatch, caplog):
    install_viser(monkeypatch, False)
    assert start(('camera', {'viewer': 'true'}), status=1) == {}
    assert "pip install 'viser>=1.1,<2'" in caplog.text


def install_viser(monkeypatch, installed):
    """Make launch files find viser, or not."""
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        'find_spec',
        lambda name, *rest: installed or None if name == 'viser' else find(name, *rest),
    )


def test_transform_turns_the_optical_frame_upright(start):
    arguments = {'publish_tf': 'true', 'link_frame': 'head', 'frame_id': 'optical'}
    node = start(('camera', arguments))['/camera_tf']
    assert (node.option('--frame-id'), node.option('--child-frame-id')) == ('head', 'optical')
    x, y, z, w = (float(node.option(f'--q{axis}')) for axis in 'xyzw')
    rotation = np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ])  # fmt: skip
    forward, left, up = np.eye(3)
    np.testing.assert_allclose(rotation @ (0, 0, 1), forward, atol=1e-12)
    np.testing.assert_allclose(rotation @ (1, 0, 0), -left, atol=1e-12)
    np.testing.assert_allclose(rotation @ (0, 1, 0), -up, atol=1e-12)


@pytest.mark.parametrize(
    ('file', 'arguments', 'missing', 'text'),
    [
        (
            'pose3d',
            {'rviz': 'true'},
            'rviz2/rviz2',
            'argument rviz needs rviz2 of the package rviz2',
        ),
        (
            'camera',
            {'publish_tf': 'true'},
            'tf2_ros/static_transform_publisher',
            'sudo apt install ros-$ROS_DISTRO-tf2-ros',
        ),
        ('usb_camera', {}, 'usb_cam/usb_cam_node_exe', 'argument driver needs usb_cam_node_exe'),
        (
            'usb_camera',
            {'driver': 'v4l2_camera'},
            'v4l2_camera/v4l2_camera_node',
            'which is not installed',
        ),
        ('pose3d', {'focal_length': 'abc'}, '', "focal_length must be a number, found 'abc'"),
        ('camera', {'focal_length': 'abc'}, '', "focal_length must be a number, found 'abc'"),
        ('camera', {'skip': '1.5'}, '', "skip must be an integer, found '1.5'"),
        ('camera', {'loop': 'maybe'}, '', "loop must be true or false, found 'maybe'"),
        (
            'usb_camera',
            {'image_width': 'wide'},
            '',
            "image_width must be an integer, found 'wide'",
        ),
        (
            'depth_camera',
            {'camera': 'oak', 'driver_package': 'depthai_ros_driver_v3'},
            '',
            'needs the package depthai_ros_driver_v3, which is not installed',
        ),
        (
            'depth_camera',
            {'camera': 'orbbec', 'driver_launch': 'femto.launch.py'},
            '',
            'found: gemini_330_series.launch.py',
        ),
        ('depth_camera', {'driver_arguments': 'serial_no 7'}, '', "found 'serial_no 7'"),
        ('depth_camera', {'publish_tf': 'True'}, '', 'publish_tf must be false'),
        ('pose3d', {'fuse_cameras': 'left'}, '', 'must be a list of names such as [front, rear]'),
        ('pose3d', {'respawn': 'often'}, '', "respawn must be true or false, found 'often'"),
        (
            'pose3d',
            {'params_file': '/no/file'},
            '',
            "params_file must be a file, found '/no/file'",
        ),
    ],
)
def test_a_launch_that_fails_starts_nothing(start, caplog, file, arguments, missing, text):
    nodes = start((file, arguments), status=1, missing=[missing] if missing else [])
    assert nodes == {}
    assert text in caplog.text


def test_camera_info_is_beside_the_images(start):
    nodes = start(('camera', {'image_topic': '/front/image', 'namespace': 'ns'}))
    for node in nodes.values():
        assert node.remappings['camera_info'] == '/front/camera_info'
    assert nodes['/ns/pose_node'].remappings[DEPTH_TOPICS[1]] == DEPTH_TOPICS[1]


@pytest.mark.parametrize(
    ('camera', 'images', 'depth_images', 'rectified', 'given'),
    [
        (
            'realsense', '/top/top/color/', '/top/top/aligned_depth_to_color/', False,
            {'camera_name': 'top', 'camera_namespace': 'top', 'align_depth.enable': True,
             'enable_sync': True, 'publish_tf': True, 'serial_no': 'any'},
        ),
        (
            'orbbec', '/top/color/', '/top/depth/', False,
            {'camera_name': 'top', 'depth_registration': True, 'enable_frame_sync': True,
             'publish_tf': True, 'log_level': 'none'},
        ),
        (
            'oak', '/top/rgb/', '/top/stereo/', False,
            {'name': 'top', 'rectify_rgb': False, 'namespace': 'its_own',
             'params_file': 'camera.yaml'},
        ),
        (
            'zed', '/top/zed_node/rgb/color/rect/', '/top/zed_node/depth/', True,
            {'camera_name': 'top', 'camera_model': 'zed2i', 'publish_tf': False,
             'namespace': 'its_own', 'serial_number': 0},
        ),
    ],
)  # fmt: skip
def test_depth_cameras_with_their_drivers(start, camera, images, depth_images, rectified, given):
    """The driver gets what registers its depth, and none of the arguments of the same names."""
    arguments = {'camera': camera, 'camera_name': 'top', 'namespace': 'here'}
    nodes = start(('depth_camera', arguments))
    assert set(nodes) == {'/here/pose_node', '/driver'}
    assert nodes['/driver'].given == given
    node = nodes['/here/pose_node']
    assert node.given == {'depth': True, 'rectified': rectified}
    found = {topic: to.rpartition('/')[0] + '/' for topic, to in node.remappings.items()}
    assert found == {
        'image_raw': images, 'camera_info': images, **dict.fromkeys(DEPTH_TOPICS, depth_images)
    }  # fmt: skip
    for topic in ('camera_info', DEPTH_TOPICS[1]):
        assert node.remappings[topic].endswith('/camera_info')


def test_what_is_given_to_a_depth_camera_wins(start):
    arguments = {
        'camera': 'zed', 'depth': 'false', 'image_topic': '/mine',
        'driver_arguments': 'camera_model:=zedx serial_number:=7',
    }  # fmt: skip
    nodes = start(('depth_camera', arguments))
    assert nodes['/driver'].given['camera_model'] == 'zedx'
    assert nodes['/driver'].given['serial_number'] == 7
    node = nodes['/pose_node']
    assert node.given['depth'] is False
    assert node.remappings['image_raw'] == '/mine'


def test_launch_arguments_are_described_as_the_parameters(start):
    parameters = pytest.importorskip('pose3d_ros.ros.parameters', exc_type=ImportError)
    description = source('pose3d').get_launch_description(launch.LaunchContext())
    found = {a.name: a.description for a in description.get_launch_arguments()}
    shared = set(found) & set(parameters.FIELDS)
    assert len(shared) > 10
    for name in shared:
        assert parameters.FIELDS[name].metadata['text'] in found[name]
