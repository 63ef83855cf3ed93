"""Contracts of networks as JSON: what is written is read, and what is wrong is named."""

import json
from dataclasses import replace

import pytest

from pose3d_ros import PoseEstimator
from pose3d_ros.detection.open_detector import FAMILIES, find_spec
from pose3d_ros.models import ModelError
from pose3d_ros.network_graph import SPEC_RT_INFO, Graph
from pose3d_ros.network_spec import NetworkSpec, read_spec, spec_path, write_spec
from synthetic import contract_networks
from synthetic.fixed_network import write_network
from synthetic.scene import CAMERA, outputs, people_m

SCENE = outputs(people_m((0.4, 0.1, 3.0)), CAMERA)
EVERYTHING = NetworkSpec(
    'one_stage', 'coco17', {'rows': 'output0'}, decoder='x', layout='NHWC', colour='rgb',
    mean=(1.0, 2.0, 3.0), scale=(58.4, 57.1, 57.4), input_hw=(256, 192), resizable=False,
    size_multiple=32, size_input='sizes', fit='top_left', padding=114, coordinates='share',
    order='yx', row=('box', 'score', 'keypoints'), box='centre', nms_iou=0.65, crop_margin=1.1,
    licence='MIT', source='example.org',
)  # fmt: skip
SMALLEST = {'family': 'openpose', 'keypoint_set': 'openpose18', 'outputs': {'pafs': 'a'}}


@pytest.mark.parametrize('spec', [EVERYTHING, NetworkSpec(**SMALLEST)])
def test_a_contract_is_read_as_it_was_written(spec, tmp_path):
    write_spec(spec, tmp_path / 'x.spec.json')
    assert read_spec(tmp_path / 'x.spec.json') == spec


def test_defaults_are_not_written():
    assert NetworkSpec(**SMALLEST).to_dict() == SMALLEST


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'colour': 'grey'}, r"colour must be one of bgr, rgb, found 'grey'"),
        ({'color': 'rgb'}, r"unknown field 'color'; did you mean colour\?"),
        ({'xyz': 1}, r"unknown field 'xyz'; known are family, "),
        ({'mean': [1, 2]}, r'mean must be three numbers from 0 to 255, found \[1, 2\]'),
        ({'mean': [1, 2, True]}, r'mean must be three numbers'),
        ({'scale': [0, 1, 1]}, r'scale must be three numbers from 0\.001'),
        ({'scale': [float('nan'), 1, 1]}, r'scale must be three numbers'),
        ({'input_hw': [256]}, r'input_hw must be null or height and width'),
        ({'input_hw': [256, 1e9]}, r'input_hw must be .* px, found \[256, 1000000000'),
        ({'resizable': 'yes'}, r"resizable must be true or false, found 'yes'"),
        ({'size_multiple': 0}, r'size_multiple must be an integer from 1 to 256, found 0'),
        ({'padding': 300}, r'padding must be an integer from 0 to 255, found 300'),
        ({'row': ['score', 'keypoints', 'score']}, r'row must be a list of different'),
        ({'row': ['score', 'box']}, r"row must contain 'keypoints'"),
        ({'outputs': {}}, r'outputs must be an object of meaning: name of an output, found {}'),
        ({'outputs': ['a']}, r'outputs must be an object'),
        ({'family': ''}, r'family must be a text that is not empty'),
        ({'nms_iou': 2}, r'nms_iou must be null or a number from 0 to 1, found 2'),
        ({'crop_margin': 0.5}, r'crop_margin must be a number from 1 to 4, found 0\.5'),
    ],
)
def test_a_wrong_field_is_named(changes, message, tmp_path):
    path = tmp_path / 'x.spec.json'
    path.write_text(json.dumps({**SMALLEST, **changes}))
    with pytest.raises(ModelError, match=rf'x\.spec\.json: {message}'):
        read_spec(path)


@pytest.mark.parametrize('name', SMALLEST)
def test_a_missing_field_is_named(name, tmp_path):
    values = {key: value for key, value in SMALLEST.items() if key != name}
    with pytest.raises(ModelError, match=f'the field {name} is missing'):
        NetworkSpec.from_dict(values)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'{', r'x\.spec\.json is no JSON'),
        (b'[]', r'expected an object with the fields of a NetworkSpec, found \[\]'),
        (b'\xff\xfe\x00', r'cannot be read: it is no text in UTF-8'),
    ],
)
def test_a_file_that_is_no_contract_is_named(content, message, tmp_path):
    (tmp_path / 'x.spec.json').write_bytes(content)
    with pytest.raises(ModelError, match=message):
        read_spec(tmp_path / 'x.spec.json')


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match=r'nowhere\.json cannot be read: No such file'):
        read_spec(tmp_path / 'nowhere.json')


def test_a_contract_beside_the_file_comes_before_that_in_the_graph(tmp_path):
    model = contract_networks.transposed_rows((64, 64))
    stated = replace(EVERYTHING, source='in the graph')
    model.set_rt_info(json.dumps(stated.to_dict()), SPEC_RT_INFO)
    assert find_spec(Graph(model)) == stated
    path = write_network(tmp_path / 'net.xml', SCENE)
    inferred = find_spec(Graph(path))
    assert (inferred.family, inferred.source) == ('openpose', '')
    beside = replace(inferred, source='beside the file')
    write_spec(beside, spec_path(path))
    assert find_spec(Graph(path)) == beside
    assert find_spec(Graph(path), EVERYTHING) == EVERYTHING


def test_the_installed_size_is_kept(tmp_path):
    """A contract with a size comes before the aspect of the images, and the user before it."""
    path = write_network(tmp_path / 'net.xml', SCENE)
    spec = replace(find_spec(Graph(path)), input_hw=(256, 448))
    assert PoseEstimator(path, 'CPU', spec=spec).detector.input_hw == (256, 448)
    with pytest.raises(ModelError, match='one input size, 448x256, found 512x256'):
        PoseEstimator(path, 'CPU', spec=spec, input_hw=(256, 512))


def test_a_network_of_no_family_is_refused_with_what_each_family_expects():
    with pytest.raises(ModelError) as refused:
        find_spec(Graph(contract_networks.transposed_rows((64, 64))))
    assert 'output0 (1, 56, 14) f32' in str(refused.value)
    for name, family in FAMILIES.items():
        assert f'{name}: {family.expected}' in str(refused.value)
    assert '\n' not in str(refused.value)
