"""Where installed networks are, and how one is found."""

import dataclasses
import hashlib

import pytest

from pose3d_ros.models import ModelError, store
from pose3d_ros.models.catalogue import CATALOGUE, DEFAULT_MODEL
from pose3d_ros.models.store import Record, installed, put, remove, resolve

RECORD = Record(
    name=DEFAULT_MODEL, version='1', licence='Apache-2.0', precision='f32', source='here',
    sha384='ab', checked_against='nothing', converter='test',
    installed='2026-01-01T00:00:00+00:00',
)  # fmt: skip
NAME_3D = 'human-pose-estimation-3d-0001'


def write(xml):
    xml.write_text('<net/>')
    xml.with_suffix('.bin').write_bytes(b'')


def put_named(folder, name, precision='f32'):
    return put(folder, dataclasses.replace(RECORD, name=name, precision=precision), write)


def without_checksum(record):
    return dataclasses.replace(record, network_sha256='')


def test_a_network_is_put_found_with_its_record_and_removed(tmp_path):
    folder = tmp_path / 'not' / 'there' / 'yet'
    path = put(folder, RECORD, write)
    assert installed(folder) == {DEFAULT_MODEL: path}
    record = store.record_of(path)
    assert without_checksum(record) == RECORD
    assert record.network_sha256 == store.checksum(str(path))
    assert resolve(DEFAULT_MODEL, folder) == resolve('auto', folder) == resolve(str(path)) == path
    remove(folder, DEFAULT_MODEL)
    assert not list(folder.iterdir())


def test_auto_prefers_int8_of_the_default_network(tmp_path):
    for precision in ('f16', 'f32', 'int8'):
        put_named(tmp_path, DEFAULT_MODEL, precision)
        name = store.installed_name(DEFAULT_MODEL, precision)
        assert resolve('auto', tmp_path).stem == name
        assert resolve(DEFAULT_MODEL, tmp_path).stem == name
    assert resolve(f'{DEFAULT_MODEL}-f32', tmp_path).stem == DEFAULT_MODEL
    assert resolve(f'{DEFAULT_MODEL}-f16', tmp_path).stem == f'{DEFAULT_MODEL}-f16'


def test_other_networks_are_preferred_as_they_are_published(tmp_path):
    for precision in ('int8', 'f16', 'f32'):
        put_named(tmp_path, NAME_3D, precision)
        assert resolve(NAME_3D, tmp_path).stem == store.installed_name(NAME_3D, precision)
    path = put_named(tmp_path, 'movenet-thunder', 'f16')
    assert resolve('movenet-thunder', tmp_path) == path


def test_auto_takes_the_installed_network_that_is_first_in_the_catalogue(tmp_path):
    for entry in reversed(CATALOGUE):
        put_named(tmp_path, entry.name)
        if entry.finds_people:
            assert resolve('auto', tmp_path).stem == entry.name


@pytest.mark.parametrize('name', ['rtmdet-nano', 'movenet-thunder'])
def test_auto_never_takes_one_of_a_pair(tmp_path, name):
    path = put_named(tmp_path, name)
    with pytest.raises(ModelError, match='not installed'):
        resolve('auto', tmp_path)
    assert resolve(name, tmp_path) == path


def test_auto_never_takes_another_network(tmp_path):
    put_named(tmp_path, 'another')
    with pytest.raises(ModelError, match=rf'pose3d model install {DEFAULT_MODEL}$'):
        resolve('auto', tmp_path)
    assert resolve('another', tmp_path).stem == 'another'


def test_a_pair_is_a_detector_and_a_network_on_crops(tmp_path):
    detector, network = (put_named(tmp_path, n) for n in ('rtmdet-nano', 'movenet-thunder'))
    assert resolve('rtmdet-nano + movenet-thunder', tmp_path) == (detector, network)
    assert resolve(f'rtmdet-nano + {network}', tmp_path) == (detector, network)
    with pytest.raises(ModelError, match='pose3d model install rtmpose-s'):
        resolve('rtmdet-nano + rtmpose-s', tmp_path)
    with pytest.raises(ModelError, match=r'DETECTOR . NETWORK.*found 3'):
        resolve('rtmdet-nano + movenet-thunder + rtmpose-s', tmp_path)


def test_a_plus_sign_in_a_path_makes_no_pair(tmp_path):
    (tmp_path / 'a+b.onnx').write_bytes(b'')
    assert resolve(str(tmp_path / 'a+b.onnx'), tmp_path) == tmp_path / 'a+b.onnx'


def test_a_failing_write_keeps_the_network_that_was_installed(tmp_path):
    path = put(tmp_path, RECORD, write)

    def broken(xml):
        xml.write_text('half')
        raise OSError('disk full')

    with pytest.raises(OSError, match='disk full'):
        put(tmp_path, dataclasses.replace(RECORD, version='2'), broken)
    assert path.read_text() == '<net/>'
    assert without_checksum(store.record_of(path)) == RECORD
    assert [p.name for p in tmp_path.iterdir()] == [DEFAULT_MODEL]


def test_putting_again_replaces(tmp_path):
    put(tmp_path, RECORD, write)
    newer = dataclasses.replace(RECORD, version='2')
    path = put(tmp_path, newer, write)
    assert without_checksum(store.record_of(path)) == newer
    assert [p.name for p in tmp_path.iterdir()] == [DEFAULT_MODEL]


@pytest.mark.parametrize('suffix', ['.xml', '.bin'])
def test_an_installed_network_that_is_damaged_is_refused(tmp_path, suffix):
    path = put_named(tmp_path, DEFAULT_MODEL, 'int8')
    path.with_suffix(suffix).write_bytes(b'damaged')
    message = rf'have changed.*pose3d model install {DEFAULT_MODEL} --precision int8'
    for name in ('auto', DEFAULT_MODEL, path.stem):
        with pytest.raises(ModelError, match=message):
            resolve(name, tmp_path)


def test_a_network_of_an_earlier_version_has_no_checksum_to_compare(tmp_path):
    path = put(tmp_path, RECORD, write)
    record = path.parent / 'record.json'
    record.write_text(record.read_text().replace(store.record_of(path).network_sha256, ''))
    path.write_text('<changed/>')
    assert resolve('auto', tmp_path) == path


def test_half_of_a_network_is_not_installed(tmp_path):
    put(tmp_path, RECORD, lambda xml: xml.write_text('<net/>') and write(xml))
    (tmp_path / DEFAULT_MODEL / f'{DEFAULT_MODEL}.bin').unlink()
    assert installed(tmp_path) == {}
    assert installed(tmp_path / 'no') == {}


@pytest.mark.parametrize('name', ['..', '/', '.', '', 'nothing', '../x'])
def test_only_installed_networks_are_removed(tmp_path, name):
    put(tmp_path / 'models', RECORD, write)
    (tmp_path / 'x').mkdir()
    with pytest.raises(ModelError, match=f'installed: {DEFAULT_MODEL}'):
        remove(tmp_path / 'models', name)
    assert (tmp_path / 'x').is_dir()


@pytest.mark.parametrize(
    ('model', 'message'),
    [
        ('auto', f'pose3d model install {DEFAULT_MODEL}'),
        (DEFAULT_MODEL, f'pose3d model install {DEFAULT_MODEL}'),
        (NAME_3D, f'pose3d model install {NAME_3D}'),
        ('', 'model must be auto'),
        ('other-network', 'model must be auto'),
        ('movenet-multipos', r'did you mean movenet-multipose\?'),
        ('net.bin', 'model must be auto'),
        ('.', 'model must be auto'),
        ('none.xml', r'none\.xml does not exist'),
        ('folder/none', 'folder/none does not exist'),
        ('none.tflite', r'none\.tflite does not exist'),
        ('lonely.xml', r'lonely\.bin beside it'),
    ],
)
def test_a_missing_model_is_named_with_what_to_do(tmp_path, monkeypatch, model, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'lonely.xml').write_text('<net/>')
    with pytest.raises(ModelError, match=message):
        resolve(model, tmp_path / 'models')
    assert not (tmp_path / 'models').exists()


@pytest.mark.parametrize('name', ['net.onnx', 'net.tflite', 'folder/saved_model.pb'])
def test_files_without_weights_beside_them(tmp_path, name):
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b'')
    model = file.parent if file.suffix == '.pb' else file
    assert resolve(str(model), tmp_path) == model
    assert store.checksum(str(model)) == hashlib.sha256(b'').hexdigest()


def test_the_checksum_covers_the_weights_and_both_of_a_pair(tmp_path):
    (tmp_path / 'net.xml').write_bytes(b'<net/>')
    (tmp_path / 'net.onnx').write_bytes(b'onnx')
    sums = set()
    for weights in (b'0', b'1'):
        (tmp_path / 'net.bin').write_bytes(weights)
        sums.add(store.checksum(str(tmp_path / 'net.xml')))
        assert hashlib.sha256(b'<net/>' + weights).hexdigest() in sums
        pair = f'{tmp_path / "net.xml"} + {tmp_path / "net.onnx"}'
        assert store.checksum(pair) == hashlib.sha256(b'<net/>' + weights + b'onnx').hexdigest()
    assert len(sums) == 2
    assert store.checksum('test_card') == ''
