"""The files of config/, read as ROS, RViz, Foxglove and Fast DDS read them."""

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import yaml

CONFIG = Path(__file__).parents[2] / 'config'

# Properties of rviz_default_plugins; RViz silently ignores unknown ones.
COMMON = {'Class', 'Name', 'Enabled', 'Value'}
PROPERTIES = {
    'Grid': {'Reference Frame', 'Plane', 'Plane Cell Count', 'Cell Size', 'Color', 'Alpha',
             'Offset'},
    'Axes': {'Reference Frame', 'Length', 'Radius'},
    'MarkerArray': {'Topic'},
    'Image': {'Topic'},
    'Orbit': {'Target Frame', 'Distance', 'Yaw', 'Pitch', 'Focal Point', 'Near Clip Distance'},
}  # fmt: skip
TOPIC = {'Value', 'Depth', 'History Policy', 'Reliability Policy', 'Durability Policy'}


@pytest.fixture(scope='module')
def rviz():
    return yaml.safe_load((CONFIG / 'pose3d.rviz').read_text())['Visualization Manager']


@pytest.fixture(scope='module')
def parameters():
    content = yaml.safe_load((CONFIG / 'pose3d.yaml').read_text())
    assert list(content) == ['/**']  # any namespace and node name
    return content['/**']['ros__parameters']


def kind(item):
    plugin, name = item['Class'].split('/')
    assert plugin == 'rviz_default_plugins'
    return name


def uprightness(view, up):
    """Return how a person appears on the screen whose up is given in the fixed frame.

    1: upright, 0: lying, -1: upside down. RViz's Orbit view looks from focal point + distance *
    (cos yaw cos pitch, sin yaw cos pitch, sin pitch), and its own up is the fixed frame's z.
    """
    yaw, pitch = view['Yaw'], view['Pitch']
    back = np.array([np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), np.sin(pitch)])
    right = np.cross((0, 0, 1), back)
    up_on_screen = np.cross(back, right / np.linalg.norm(right))
    seen = up - np.dot(up, back) * back
    return up_on_screen @ seen / np.linalg.norm(seen)


def test_rviz_displays(rviz):
    shown = [(kind(d), d['Topic']['Value'] if 'Topic' in d else None) for d in rviz['Displays']]
    assert shown == [
        ('Grid', None), ('Grid', None), ('Axes', None),
        ('MarkerArray', '/markers'), ('Image', '/overlay'), ('Image', '/image_raw'),
    ]  # fmt: skip
    assert len({d['Name'] for d in rviz['Displays']}) == len(shown)


def test_rviz_knows_every_property(rviz):
    for item in (*rviz['Displays'], rviz['Views']['Current'], *rviz['Views']['Saved']):
        assert set(item) - COMMON == PROPERTIES[kind(item)], item['Name']
        assert item.get('Value') in (None, item.get('Enabled'), 'Orbit (rviz_default_plugins)')
        for vector in ('Offset', 'Focal Point'):
            assert set(item.get(vector, 'XYZ')) == set('XYZ')
        if 'Color' in item:
            assert re.fullmatch(r'\d+; \d+; \d+', item['Color'])


def test_rviz_receives_a_best_effort_camera(rviz):
    topics = {d['Topic']['Value']: d['Topic'] for d in rviz['Displays'] if 'Topic' in d}
    for topic in topics.values():
        assert set(topic) == TOPIC
        assert topic['Durability Policy'] == 'Volatile'
        assert topic['History Policy'] == 'Keep Last'
    reliability = {name: topic['Reliability Policy'] for name, topic in topics.items()}
    assert reliability == {
        '/markers': 'Reliable', '/overlay': 'Best Effort', '/image_raw': 'Best Effort',
    }  # fmt: skip


def test_rviz_shows_people_upright_in_the_optical_frame(rviz):
    assert rviz['Global Options']['Fixed Frame'] == 'camera_optical_frame'
    assert all(
        item.get('Reference Frame', '<Fixed Frame>') == '<Fixed Frame>'
        for item in rviz['Displays']
    )
    view = rviz['Views']['Current']
    assert uprightness(view, np.array([0, -1, 0])) == pytest.approx(1, abs=1e-6)
    assert view['Focal Point']['Z'] > 0  # in front of the camera
    floor, other = rviz['Displays'][:2]
    assert floor['Enabled']
    assert floor['Plane'] == 'XZ'  # y is down
    assert floor['Offset']['Y'] > 0
    assert not other['Enabled']


def test_saved_views_show_people_upright(rviz):
    first, *others = rviz['Views']['Saved']
    current = rviz['Views']['Current']
    assert {name: current[name] for name in first if name != 'Name'}.items() <= first.items()
    for view in others:  # in a frame with z up, x forward
        assert uprightness(view, np.array([0, 0, 1])) == pytest.approx(1, abs=1e-6)
        assert view['Focal Point']['X'] > 0


def test_rviz_says_which_docks_are_hidden():
    window = yaml.safe_load((CONFIG / 'pose3d.rviz').read_text())['Window Geometry']
    assert {'Hide Left Dock', 'Hide Right Dock'} <= set(window)  # RViz does not initialise them


@pytest.fixture(scope='module')
def foxglove():
    return json.loads((CONFIG / 'foxglove_layout.json').read_text())


def panels(layout):
    """Return the panels of a layout, from the first on."""
    if isinstance(layout, str):
        return [layout]
    assert layout['direction'] in ('row', 'column')
    return [*panels(layout['first']), *panels(layout['second'])]


def test_foxglove_shows_every_panel_once(foxglove):
    assert panels(foxglove['layout']) == list(foxglove['configById'])
    kinds = [name.split('!')[0] for name in foxglove['configById']]
    assert kinds == ['3D', 'Image', 'DiagnosticSummary']


def test_foxglove_shows_the_topics_of_the_node(foxglove):
    """As they are without a namespace."""
    scene, image, diagnostics = foxglove['configById'].values()
    folder = CONFIG.parent / 'pose3d_ros' / 'ros'
    source = ''.join(path.read_text() for path in folder.glob('*.py'))
    topics = [name for name, settings in scene['topics'].items() if settings['visible']]
    assert topics == ['/markers', '/people_cloud']
    for topic in (*topics, image['imageMode']['imageTopic'], diagnostics['topicToRender']):
        assert topic.count('/') == 1
        assert re.search(rf"'/?{topic[1:]}'", source), topic


def test_foxglove_shows_people_upright_in_the_optical_frame(foxglove):
    """Its 3D panel looks from spherical coordinates about z, which is its up, at the target.

    phi is the angle from z, and -thetaOffset the angle from -y about z.
    """
    view = foxglove['configById']['3D!people']['cameraState']
    phi, theta = np.radians([view['phi'], -view['thetaOffset']])
    back = np.array([np.sin(phi) * np.sin(theta), -np.sin(phi) * np.cos(theta), np.cos(phi)])
    right = np.cross((0, 0, 1), back)
    up_on_screen = np.cross(back, right / np.linalg.norm(right))
    people_up = np.array([0, -1, 0])
    seen = people_up - np.dot(people_up, back) * back
    assert up_on_screen @ seen / np.linalg.norm(seen) > 0.95
    assert view['targetOffset'][2] > 0  # in front of the camera
    eye = np.array(view['targetOffset']) + view['distance'] * back
    assert eye[2] < 0  # behind the camera
    assert eye[1] < 0  # above it


def test_fastdds_segment_holds_two_full_hd_images():
    tree = ET.parse(CONFIG / 'fastdds_shm.xml').getroot()
    for element in tree.iter():
        element.tag = element.tag.split('}')[-1]
    transports = {t.findtext('transport_id'): t for t in tree.iter('transport_descriptor')}
    participant = tree.find('profiles/participant')
    assert participant.get('is_default_profile') == 'true'
    used = [e.text for e in participant.iterfind('rtps/userTransports/transport_id')]
    assert sorted(transports[name].findtext('type') for name in used) == ['SHM', 'UDPv4']
    assert participant.findtext('rtps/useBuiltinTransports') == 'false'
    shared_memory = next(t for t in transports.values() if t.findtext('type') == 'SHM')
    segment, message = (int(shared_memory.findtext(x)) for x in ('segment_size', 'maxMessageSize'))
    image = 1920 * 1080 * 3
    assert image < message < segment
    assert 2 * image < segment
    assert 3 * segment < 64e6  # what Docker gives a container


def test_generated_documents_are_up_to_date():
    """``python -m pose3d_ros.ros.parameter_docs`` writes both files."""
    docs = pytest.importorskip('pose3d_ros.ros.parameter_docs', exc_type=ImportError)
    assert (CONFIG / 'pose3d.yaml').read_text() == docs.config_yaml()
    assert (CONFIG.parent / 'docs' / 'parameters.md').read_text() == docs.parameters_md()


def test_parameters_are_those_of_pose_node(parameters):
    ros = pytest.importorskip('pose3d_ros.ros.parameters', exc_type=ImportError)
    declared = {field.name: field.default for field in fields(ros.PoseParameters)}
    declared = {n: list(v) if isinstance(v, tuple) else v for n, v in declared.items()}
    assert parameters == declared
    assert [type(v) for v in parameters.values()] == [type(v) for v in declared.values()]
