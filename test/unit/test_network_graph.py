"""Files that are no network, or damaged, are named."""

import pytest

from pose3d_ros.models import ModelError
from pose3d_ros.network_graph import Graph
from synthetic.fixed_network import write_network
from synthetic.scene import CAMERA, outputs, people_m


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match=r'nowhere\.xml does not exist'):
        Graph(tmp_path / 'nowhere.xml')


def test_a_folder_that_is_no_saved_model_is_named(tmp_path):
    with pytest.raises(ModelError, match=r'is no TensorFlow SavedModel: it contains no saved_mod'):
        Graph(tmp_path)


@pytest.mark.parametrize('content', [b'', b'this is no network'])
@pytest.mark.parametrize('name', ['model.tflite', 'model/saved_model.pb'])
def test_a_corrupt_tensorflow_file_is_named_in_one_line(tmp_path, name, content):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    model = path if path.suffix == '.tflite' else path.parent
    with pytest.raises(ModelError, match=rf'{model.name} cannot be read') as refused:
        Graph(model)
    assert '\n' not in str(refused.value)


@pytest.mark.parametrize('name', ['model.xml', 'model.onnx'])
def test_a_corrupt_file_is_named(tmp_path, name):
    path = tmp_path / name
    path.write_text('this is no network')
    with pytest.raises(ModelError, match=f'{name} cannot be read'):
        Graph(path)


def test_a_corrupt_weights_file_is_named(tmp_path):
    path = write_network(tmp_path / 'model.xml', outputs(people_m((0.4, 0.1, 3.0)), CAMERA))
    path.with_suffix('.bin').write_bytes(b'short')
    with pytest.raises(ModelError, match=r'model\.xml cannot be read'):
        Graph(path)


def test_another_kind_of_file_is_refused(tmp_path):
    path = tmp_path / 'model.pth'
    path.write_text('')
    with pytest.raises(ModelError, match=r'model\.pth is neither an OpenVINO'):
        Graph(path)
