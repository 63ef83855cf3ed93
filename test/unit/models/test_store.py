"""Where installed networks are, and how one is found."""

import dataclasses
import hashlib
from importlib import import_module
from pathlib import PurePosixPath

import pytest

from pose3d_ros.models import ModelError, store
from pose3d_ros.models.catalogue import CATALOGUE, DEFAULT_MODEL, find
from pose3d_ros.models.store import Record, default_folder, installed, put, remove, resolve

RECORD = Record(
    name=DEFAULT_MODEL, version='1', licence='Apache-2.0', precision='f32', source='here',
    sha384='ab', checked_against='nothing', converter='test',
    installed='2026-01-01T00:00:00+00:00',
)  # fmt: skip


def write(xml):
    xml.write_text('<net/>')
    xml.with_suffix('.bin').write_bytes(b'')


def precision(name):
    return dataclasses.replace(RECORD, precision=name)


def test_the_cache_folder(monkeypatch, tmp_path):
    monkeypatch.delenv('POSE3D_MODELS', raising=False)
    monkeypatch.setenv('HOME', str(tmp_path))
    for cache in ('', 'relative'):
        monkeypatch.setenv('XDG_CACHE_HOME', cache)
        assert default_folder() == tmp_path / '.cache' / 'pose3d_ros' / 'models'
    monkeypatch.setenv('XDG_CACHE_HOME', '/var/cache')
    assert str(default_folder()) == '/var/cache/pose3d_ros/models'
    monkeypatch.setenv('POSE3D_MODELS', '~/nets')
    assert default_folder() == tmp_path / 'nets'


def test_what_is_put_is_found_with_its_record_and_removed(tmp_path):
    folder = tmp_path / 'not' / 'there' / 'yet'
    path = put(folder, RECORD, write)
    assert installed(folder) == {DEFAULT_MODEL: path}
    assert store.record_of(path) == RECORD
    assert resolve(DEFAULT_MODEL, folder) == resolve('auto', folder) == resolve(str(path)) == path
    remove(folder, DEFAULT_MODEL)
    assert not list(folder.iterdir())


def test_auto_prefers_the_most_precise(tmp_path):
    for name in ('int8', 'f16', 'f32'):
        put(tmp_path, precision(name), write)
        assert resolve('auto', tmp_path).stem == store.installed_name(DEFAULT_MODEL, name)
    assert resolve(f'{DEFAULT_MODEL}-int8', tmp_path).stem == f'{DEFAULT_MODEL}-int8'


def test_auto_takes_whatever_of_the_catalogue_is_installed_the_first_before_others(tmp_path):
    for entry in reversed(CATALOGUE):
        put(tmp_path, dataclasses.replace(RECORD, name=entry.name), write)
        assert resolve('auto', tmp_path).stem == entry.name


def test_auto_never_takes_another_network(tmp_path):
    put(tmp_path, dataclasses.replace(RECORD, name='another'), write)
    with pytest.raises(ModelError, match=rf'pose3d model install {DEFAULT_MODEL}$'):
        resolve('auto', tmp_path)
    assert resolve('another', tmp_path).stem == 'another'


def test_a_failing_write_leaves_what_was_there(tmp_path):
    path = put(tmp_path, RECORD, write)

    def broken(xml):
        xml.write_text('half')
        raise OSError('disk full')

    with pytest.raises(OSError, match='disk full'):
        put(tmp_path, dataclasses.replace(RECORD, version='2'), broken)
    assert path.read_text() == '<net/>'
    assert store.record_of(path) == RECORD
    assert [p.name for p in tmp_path.iterdir()] == [DEFAULT_MODEL]


def test_putting_again_replaces(tmp_path):
    put(tmp_path, RECORD, write)
    newer = dataclasses.replace(RECORD, version='2')
    path = put(tmp_path, newer, write)
    assert store.record_of(path) == newer
    assert [p.name for p in tmp_path.iterdir()] == [DEFAULT_MODEL]


def test_half_of_a_network_is_not_installed(tmp_path):
    put(tmp_path, RECORD, lambda xml: xml.write_text('<net/>'))
    assert installed(tmp_path) == {}
    assert installed(tmp_path / 'no') == {}


@pytest.mark.parametrize('name', ['..', '/', '.', '', 'nothing', '../x'])
def test_only_what_is_installed_is_removed(tmp_path, name):
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
        ('human-pose-estimation-0001', 'pose3d model install human-pose-estimation-0001'),
        ('', 'model must be auto'),
        ('other-network', 'model must be auto'),
        ('net.bin', 'model must be auto'),
        ('none.xml', 'no file'),
        ('lonely.xml', r'lonely\.bin beside it'),
    ],
)
def test_a_model_that_is_not_there_is_named_with_what_to_do(tmp_path, monkeypatch, model, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'lonely.xml').write_text('<net/>')
    with pytest.raises(ModelError, match=message):
        resolve(model, tmp_path / 'models')
    assert not (tmp_path / 'models').exists()


def test_an_onnx_needs_no_weights_beside_it(tmp_path):
    (tmp_path / 'net.onnx').write_bytes(b'')
    assert resolve(str(tmp_path / 'net.onnx'), tmp_path) == tmp_path / 'net.onnx'


def test_the_checksum_is_of_the_weights_too(tmp_path):
    (tmp_path / 'net.xml').write_bytes(b'<net/>')
    sums = set()
    for weights in (b'0', b'1'):
        (tmp_path / 'net.bin').write_bytes(weights)
        sums.add(store.checksum(str(tmp_path / 'net.xml')))
        assert hashlib.sha256(b'<net/>' + weights).hexdigest() in sums
    assert len(sums) == 2
    assert store.checksum('test_card') == ''


def test_the_catalogue_is_well_formed():
    assert len({entry.name for entry in CATALOGUE}) == len(CATALOGUE)
    for entry in CATALOGUE:
        assert find(entry.name) is entry
        assert callable(import_module(f'pose3d_ros.models.conversion.{entry.converter}').convert)
        suffixes = {PurePosixPath(file.addresses[0]).suffix for file in entry.files}
        assert len(suffixes) == len(entry.files)
        for file in entry.files:
            assert len(file.sha384) == 96
            assert int(file.sha384, 16)
            assert all(address.startswith('https://') for address in file.addresses)
    with pytest.raises(ModelError, match=DEFAULT_MODEL):
        find('typo')
