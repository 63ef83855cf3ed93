"""The snippets of docs/robots.md have only parameters that Nav2 declares.

Source of the names: nav2_collision_monitor/src and nav2_costmap_2d/plugins, branches jazzy,
kilted and main of August 2026.
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
