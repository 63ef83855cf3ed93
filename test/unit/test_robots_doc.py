"""The snippets of docs/robots.md have only parameters and fields that Nav2 declares.

Source of the names: nav2_collision_monitor/src, nav2_costmap_2d/plugins, branches jazzy, kilted
and main of August 2026; nav2_following/opennav_following/src/parameter_handler.cpp and
nav2_msgs/action/FollowObject.action of the same repository.
"""

import re
from pathlib import Path

import pytest
import yaml

DOCUMENT = Path(__file__).parents[2] / 'docs' / 'robots.md'
MONITOR = {'base_frame_id', 'polygons', 'observation_sources'}
POLYGON = {
    'type', 'radius', 'action_type', 'slowdown_ratio', 'min_points', 'sources_names', 'enabled',
    'visualize', 'polygon_pub_topic',
}  # fmt: skip
SOURCE = {
    'type', 'topic', 'enabled', 'source_timeout', 'min_height', 'max_height', 'min_range',
    'use_global_height',
}  # fmt: skip
LAYER = {
    'plugin', 'enabled', 'footprint_clearing_enabled', 'min_obstacle_height',
    'max_obstacle_height', 'combination_method', 'observation_sources',
}  # fmt: skip
OBSERVATION = {
    'topic', 'sensor_frame', 'observation_persistence', 'expected_update_rate', 'data_type',
    'min_obstacle_height', 'max_obstacle_height', 'inf_is_valid', 'marking', 'clearing',
    'obstacle_max_range', 'obstacle_min_range', 'raytrace_max_range', 'raytrace_min_range',
}  # fmt: skip
FOLLOWING = {
    'controller_frequency', 'detection_timeout', 'target_loss_hold_timeout',
    'rotate_to_object_timeout', 'static_object_timeout', 'linear_tolerance', 'angular_tolerance',
    'max_retries', 'base_frame', 'fixed_frame', 'desired_distance', 'skip_orientation',
    'search_by_rotating', 'search_angle', 'transform_tolerance', 'odom_topic', 'odom_duration',
    'filter_coef',
}  # fmt: skip
FOLLOW_OBJECT = {'pose_topic', 'tracked_frame', 'max_duration'}


@pytest.fixture(scope='module')
def snippets():
    found = {}
    for text in re.findall(r'```yaml\n(.*?)```', DOCUMENT.read_text(), re.DOTALL):
        found.update(yaml.safe_load(text))
    return found


def test_collision_monitor(snippets):
    p = snippets['collision_monitor']['ros__parameters']
    polygons, sources = p['polygons'], p['observation_sources']
    assert set(p) == MONITOR | set(polygons) | set(sources)
    for name in polygons:
        assert set(p[name]) <= POLYGON
        assert set(p[name]['sources_names']) <= set(sources)
    for name in sources:
        assert set(p[name]) <= SOURCE
    assert (p['people']['type'], p['people']['topic']) == ('pointcloud', 'people_cloud')


def test_costmap(snippets):
    p = snippets['local_costmap']['local_costmap']['ros__parameters']
    assert set(p) == {'plugins', *p['plugins']}
    layer = p['obstacle_layer']
    sources = layer['observation_sources'].split()
    assert set(layer) <= LAYER | set(sources)
    for name in sources:
        assert set(layer[name]) <= OBSERVATION
    assert layer['people']['topic'] == 'people_cloud'
    # The cloud has nothing behind people, so something else must clear their cells.
    assert any(layer[name]['clearing'] for name in sources if name != 'people')


def test_following_server(snippets):
    p = snippets['following_server']['ros__parameters']
    assert set(p) <= FOLLOWING


def test_goals_of_the_following_server():
    goals = re.findall(r"FollowObject '({.*})'", DOCUMENT.read_text())
    assert goals
    for goal in goals:
        assert set(yaml.safe_load(goal)) <= FOLLOW_OBJECT


def test_the_names_of_the_node_are_its_own():
    """Topics, launch arguments and programs in the document exist."""
    text = DOCUMENT.read_text()
    root = DOCUMENT.parents[1]
    for name in re.findall(r'\(\.\./examples/(\w+\.py)\)', text):
        assert (root / 'examples' / name).is_file()
        assert name in (root / 'CMakeLists.txt').read_text()
    launch_file = (root / 'launch' / 'depth_camera.launch.py').read_text()
    for name in ('driver_package', 'driver_launch', 'driver_arguments', 'camera_name'):
        assert f'`{name}' in text
        assert f"'{name}'" in launch_file
