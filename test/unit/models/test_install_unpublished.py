"""Install networks whose publisher states no checksum: recorded at first, and held to."""

import dataclasses
import hashlib
import io
import json
import zipfile

import numpy as np
import openvino as ov
import pytest
from support import graphs
from support.archive_server import serve

from pose3d_ros.models import ModelError, catalogue, download, store
from pose3d_ros.models.catalogue import PublishedFile
from pose3d_ros.models.fetch import FileSource
from pose3d_ros.models.install import install
from pose3d_ros.network_spec import NetworkSpec, spec_path

THUNDER, YOLOX = (catalogue.find(name) for name in ('movenet-thunder', 'yolox-tiny'))


def keypoints(seed=0):
    return np.random.default_rng(seed).random((1, 1, 17, 3), np.float32)


def thunder(seed=0):
    """Return a SavedModel file with the contract of MoveNet for one person."""
    graph = graphs.graph_def(256, keypoints(seed))
    return graphs.saved_model(graph, {'input': 'image:0'}, {'output_0': 'out:0'})


def yolox(seed=0):
    boxes = np.random.default_rng(seed).random((1, 9, 5), np.float32)
    outputs = {'dets': boxes, 'labels': np.zeros((1, 9), np.float32)}
    return graphs.onnx(('input', ('N', 3, 416, 416)), outputs)


def zipped(files):
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w', zipfile.ZIP_DEFLATED) as out:
        for name, content in files.items():
            out.writestr(name, content)
    return file.getvalue()


@pytest.fixture
def server():
    with serve(zipped({'yolox/end2end.onnx': yolox(), 'yolox/detail.json': b'{}'})) as state:
        yield state


@pytest.fixture
def entry(server, monkeypatch):
    """Return the catalogue's entry of YOLOX with an archive at the test's server."""
    monkeypatch.setattr(download, 'PAUSE_S', 0.0)
    return dataclasses.replace(YOLOX, files={'f32': (PublishedFile((server.address,)),)})


def everything_in(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob('*') if p.is_file())


INSTALLED = sorted(
    ['checksums.json', 'yolox-tiny/record.json']
    + [f'yolox-tiny/yolox-tiny{end}' for end in ('.bin', '.spec.json', '.xml')]
)


def test_the_checksum_of_the_network_is_recorded_and_held_to(entry, server, tmp_path):
    path = install(entry, FileSource(), tmp_path)
    assert everything_in(tmp_path) == INSTALLED
    record = store.record_of(path)
    sha384 = hashlib.sha384(yolox()).hexdigest()
    assert (record.checked_against, record.sha384) == ('nothing', sha384)
    assert 'no checksum is published' in record.note
    assert 'later installations are held to it' in record.note
    assert (record.licence, record.version) == (entry.licence, entry.version)
    assert json.loads((tmp_path / 'checksums.json').read_text()) == {'yolox-tiny f32': sha384}

    # Another archive of the same network, as a server may pack it anew.
    server.content = zipped({'end2end.onnx': yolox()})
    again = store.record_of(install(entry, FileSource(), tmp_path))
    assert again.checked_against == 'first installation'
    assert 'agrees with the one of the first installation' in again.note

    server.content = zipped({'end2end.onnx': yolox(seed=1)})
    with pytest.raises(ModelError, match=rf'expected SHA-384 {sha384} \(recorded.*--unverified'):
        install(entry, FileSource(), tmp_path)
    assert store.record_of(path) == again
    assert everything_in(tmp_path) == INSTALLED

    trusted = store.record_of(install(entry, FileSource(unverified=True), tmp_path))
    assert trusted.sha384 == hashlib.sha384(yolox(seed=1)).hexdigest()
    assert store.record_of(install(entry, FileSource(), tmp_path)).checked_against == (
        'first installation'
    )


def test_removing_a_network_keeps_its_recorded_checksum(entry, server, tmp_path):
    install(entry, FileSource(), tmp_path)
    store.remove(tmp_path, 'yolox-tiny')
    server.content = zipped({'end2end.onnx': yolox(seed=1)})
    with pytest.raises(ModelError, match='recorded at the first installation'):
        install(entry, FileSource(), tmp_path)


def test_a_refused_network_records_nothing(entry, server, tmp_path):
    bad = graphs.onnx(('input', ('N', 3, 416, 416)), {'dets': np.ones((1, 9, 4))})
    for content in (zipped({'end2end.onnx': bad}), b'', b'PK', zipped({'a.txt': b''}), bad[:50]):
        server.content = content
        with pytest.raises(ModelError):
            install(entry, FileSource(), tmp_path)
    assert everything_in(tmp_path) == []


def test_a_stated_checksum_is_that_of_the_network(entry, tmp_path):
    sha384 = hashlib.sha384(yolox()).hexdigest()
    record = store.record_of(install(entry, FileSource(sha384=sha384.upper()), tmp_path))
    assert record.checked_against == 'stated'
    with pytest.raises(ModelError, match=r'expected SHA-384 0+ \(stated\)'):
        install(entry, FileSource(sha384='0' * 96), tmp_path)


def test_the_next_address_is_tried_from_its_beginning(entry, server, tmp_path):
    (file,) = entry.files['f32']
    addresses = ('http://127.0.0.1:9/x', *file.addresses)
    entry = dataclasses.replace(entry, files={'f32': (PublishedFile(addresses),)})
    assert store.record_of(install(entry, FileSource(), tmp_path)).source == server.address
    assert server.asked == [None]


def test_damaged_records_are_named(entry, tmp_path):
    for content in ('no json', '[]', '{"a": 1}'):
        (tmp_path / 'checksums.json').write_text(content)
        with pytest.raises(ModelError, match=r'checksums\.json'):
            install(entry, FileSource(), tmp_path)


def saved_model_folder(tmp_path):
    folder = tmp_path / 'movenet'
    folder.mkdir()
    (folder / 'saved_model.pb').write_bytes(thunder())
    return folder


def ir(tmp_path):
    model = graphs.constant_network(('input:0', (1, 256, 256, 3)), {'Identity:0': keypoints()})
    return graphs.ir(model, tmp_path)


@pytest.mark.parametrize('make', [saved_model_folder, ir])
def test_local_files_of_every_kind_are_installed_with_their_contract(tmp_path, make):
    path = install(THUNDER, FileSource(make(tmp_path)), tmp_path / 'models')
    assert store.resolve('movenet-thunder', tmp_path / 'models') == path
    found = ov.Core().compile_model(path, 'CPU')(np.ones((1, 256, 256, 3), np.float32))
    np.testing.assert_allclose(found['keypoints'], keypoints(), atol=1e-3)  # float16 weights
    spec = NetworkSpec.from_dict(json.loads(spec_path(path).read_text()))
    expected = dataclasses.replace(THUNDER.specs[0], licence='', source=spec.source)
    assert spec == expected


def test_a_local_ir_needs_its_weights(tmp_path):
    ir(tmp_path).with_suffix('.bin').unlink()
    with pytest.raises(ModelError, match=r'net\.bin beside it'):
        install(THUNDER, FileSource(tmp_path / 'net.xml'), tmp_path / 'models')


def test_the_licence_of_a_file_of_another_source_is_unknown(tmp_path):
    (tmp_path / 'net.onnx').write_bytes(yolox())
    path = install(YOLOX, FileSource(tmp_path / 'net.onnx'), tmp_path / 'models')
    assert store.record_of(path).licence == 'unknown'


def test_int8_of_networks_without_heatmaps_is_refused(tmp_path):
    with pytest.raises(ModelError, match='int8 of yolox-tiny cannot be judged'):
        install(YOLOX, FileSource(), tmp_path, precision='int8', quantise=lambda m: (m, ''))
    with pytest.raises(ModelError, match='precision must be one of'):
        install(THUNDER, FileSource(), tmp_path, precision='f32')


def test_the_published_bytes_of_the_default_network_agree_with_the_catalogue(shared, tmp_path):
    file = shared / 'data' / 'models' / 'human-pose-estimation-0001-int8'
    file /= 'human-pose-estimation-0001.xml'
    entry = catalogue.find(catalogue.DEFAULT_MODEL)
    path = install(entry, FileSource(file), tmp_path)
    assert path.stem == 'human-pose-estimation-0001-int8'
    assert store.resolve('auto', tmp_path) == path
    record = store.record_of(path)
    assert (record.checked_against, record.licence) == ('catalogue', 'Apache-2.0')
    assert record.precision == 'int8'
    shapes = {
        name: list(o.shape) for o in ov.Core().read_model(path).outputs for name in o.get_names()
    }
    assert shapes['heatmaps'] == [1, 19, 32, 57]
    assert shapes['pafs'] == [1, 38, 32, 57]


@pytest.mark.parametrize(
    ('name', 'file'),
    [
        ('movenet-multipose', 'movenet-multipose/movenet-multipose.xml'),
        ('movenet-thunder', 'movenet-thunder/movenet-singlepose-thunder.xml'),
        ('movenet-lightning', 'movenet-lightning/movenet-singlepose-lightning.xml'),
        ('rtmdet-nano', 'rtmdet-nano-person/rtmdet-nano-person.xml'),
    ],
)
def test_real_networks_keep_their_contract(shared, tmp_path, name, file):
    path = install(catalogue.find(name), FileSource(shared / 'data' / 'models' / file), tmp_path)
    names = {n for o in ov.Core().read_model(path).outputs for n in o.get_names()}
    spec = NetworkSpec.from_dict(json.loads(spec_path(path).read_text()))
    assert set(spec.outputs.values()) <= names
