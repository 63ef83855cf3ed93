"""Networks in every published format are read, and held to their contract."""

import numpy as np
import openvino as ov
import pytest
from support import graphs

from pose3d_ros.models import ModelError
from pose3d_ros.models.catalogue import find
from pose3d_ros.models.conversion.published_graph import fit_spec, read_graph, select

KEYPOINTS = np.arange(51, dtype=np.float32).reshape(1, 1, 17, 3)
THUNDER = find('movenet-thunder').specs
RTMO = find('rtmo-t').specs
RTMDET = find('rtmdet-nano').specs


def rtmo_outputs(people=2, keypoints=17):
    return {'dets': np.ones((1, people, 5)), 'keypoints': np.ones((1, people, keypoints, 3))}


@pytest.mark.parametrize(
    ('files', 'names'),
    [
        ({'a/end2end.onnx': b'1', 'a/detail.json': b''}, ['network.onnx']),
        ({'4.tflite': b'1'}, ['network.tflite']),
        ({'x/net.xml': b'1', 'x/net.bin': b'2', 'other.bin': b''}, ['network.xml', 'network.bin']),
        (
            {
                'm/saved_model.pb': b'1',
                'm/variables/variables.index': b'2',
                'm/assets/labels.txt': b'',
                'variables/other': b'',
            },
            ['saved_model.pb', 'variables/variables.index'],
        ),
    ],
)
def test_the_files_of_the_network_are_selected(files, names):
    selected = select(files)
    assert list(selected) == names
    assert [selected[name] for name in names] == [b'1', b'2'][: len(names)]


def test_one_network_of_several_is_selected_by_its_path():
    files = {f'cpu/{name}/end2end.onnx': name.encode() for name in ('rtmdet-nano', 'rtmpose-m')}
    assert select(files, 'rtmdet-nano/end2end.onnx') == {'network.onnx': b'rtmdet-nano'}
    for member in ('', 'other.onnx'):
        with pytest.raises(ModelError, match='expected one network'):
            select(files, member)


@pytest.mark.parametrize('files', [{}, {'README.md': b''}, {'net.bin': b'', 'net.pth': b''}])
def test_files_without_a_network_are_named(files):
    with pytest.raises(ModelError, match=r'expected one network \(\.onnx, \.tflite, .*found'):
        select(files)


def test_an_ir_needs_its_weights():
    with pytest.raises(ModelError, match=r'a/net\.bin beside it'):
        select({'a/net.xml': b''})


def run(model):
    """Return the outputs by name for a grey image of the network's size."""
    (port,) = model.inputs
    shape = [1 if n.is_dynamic else n.get_length() for n in port.partial_shape]
    found = ov.Core().compile_model(model, 'CPU')(np.full(shape, 128, np.float32))
    return {name: found[name] for o in model.outputs for name in o.get_names()}


def test_onnx_saved_model_and_ir_are_read(tmp_path):
    onnx = graphs.onnx(('input', ('N', 3, 64, 64)), {'out': KEYPOINTS})
    saved = graphs.saved_model(
        graphs.graph_def(64, KEYPOINTS), {'input': 'image:0'}, {'out': 'out:0'}
    )
    xml = graphs.ir(
        graphs.constant_network(('input', (1, 3, 64, 64)), {'out': KEYPOINTS}), tmp_path
    )
    for network in (
        {'network.onnx': onnx},
        {'saved_model.pb': saved},
        {'network.xml': xml.read_bytes(), 'network.bin': xml.with_suffix('.bin').read_bytes()},
    ):
        model = read_graph(network, tmp_path / 'scratch')
        np.testing.assert_array_equal(run(model)['out'], KEYPOINTS)
    assert not list((tmp_path / 'scratch').iterdir())


def test_a_tensorflow_lite_file_is_read_whole_and_refused_in_part(shared, tmp_path):
    name = 'mobilenet_v2_pose_dm14_368_432_weight_quant.tflite'
    data = (shared / 'data' / 'models' / 'original' / name).read_bytes()
    model = read_graph({'network.tflite': data}, tmp_path)
    assert list(model.outputs[0].shape) == [1, 46, 54, 57]
    for size in (0, 8, 100, len(data) // 2, len(data) - 1):
        with pytest.raises(ModelError, match=r'cannot read network\.tflite'):
            read_graph({'network.tflite': data[:size]}, tmp_path)
    with pytest.raises(ModelError, match=r'keypoints \[\?,1,17,3\]; found .*57'):
        fit_spec(model, THUNDER)


@pytest.mark.parametrize(
    'name', ['network.onnx', 'network.tflite', 'network.xml', 'saved_model.pb']
)
def test_a_file_that_is_no_network_is_refused_in_one_line(tmp_path, name):
    for content in (b'', b'no network', bytes(1000)):
        with pytest.raises(ModelError, match='cannot read') as error:
            read_graph({name: content, 'network.bin': b''}, tmp_path)
        assert '\n' not in str(error.value)
        assert str(tmp_path) not in str(error.value)


def test_the_only_output_gets_the_name_of_the_contract():
    model = graphs.constant_network(
        ('x', (1, 256, 256, 3)), {'StatefulPartitionedCall:0': KEYPOINTS}
    )
    spec = fit_spec(model, THUNDER)
    assert spec.outputs == {'keypoints': 'keypoints'}
    np.testing.assert_array_equal(run(model)['keypoints'], KEYPOINTS)


def test_outputs_are_found_by_name_in_any_order():
    outputs = dict(reversed(rtmo_outputs().items()))
    model = graphs.constant_network(('input', (1, 3, 416, 416)), outputs)
    assert fit_spec(model, RTMO) == RTMO[0]
    assert run(model)['dets'].shape == (1, 2, 5)


@pytest.mark.parametrize(
    ('image', 'outputs', 'specs'),
    [
        ((1, 256, 256, 3), {'people': np.ones((1, 6, 56))}, THUNDER),
        ((1, 3, 256, 256), {'keypoints': KEYPOINTS}, THUNDER),
        ((1, 256, 256, 4), {'keypoints': KEYPOINTS}, THUNDER),
        ((1, 3, 416, 416), rtmo_outputs(keypoints=26), RTMO),
        ((1, 3, 416, 416), {'a': np.ones((1, 2, 5)), 'b': np.ones((1, 2, 17, 3))}, RTMO),
        ((1, 3, 416, 416), {'dets': np.ones((1, 2, 5))}, RTMO),
        ((1, 3, 416, 416), rtmo_outputs() | {'more': np.ones((1, 2))}, RTMO),
        ((1, 3, 416), {'keypoints': KEYPOINTS}, THUNDER),
    ],
)
def test_another_network_is_refused_with_what_was_expected(image, outputs, specs):
    if len(image) == 3:
        model = graphs.constant_network(('input', (*image, 1, 1)), outputs)
    else:
        model = graphs.constant_network(('input', image), outputs)
    with pytest.raises(ModelError, match=r'not this network: expected an image.*; found input'):
        fit_spec(model, specs)


def test_a_detector_is_read_with_boxes_or_with_grids():
    image = ('input', (1, 3, 320, 320))
    rows = graphs.constant_network(
        image, {'dets': np.ones((1, 100, 5)), 'labels': np.zeros((1, 100))}
    )
    assert fit_spec(rows, RTMDET).decoder == 'rows'
    grids = {str(n): np.ones((1, n, n, 5)) for n in (40, 20, 10)}
    spec = fit_spec(graphs.constant_network(image, grids), RTMDET)
    assert spec.decoder == 'rtmdet_grids'
    assert list(spec.outputs) == ['boxes0', 'boxes1', 'boxes2']
