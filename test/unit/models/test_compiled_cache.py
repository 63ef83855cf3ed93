"""Compiled networks are used only as they were written, and never needed."""

import fcntl
import os
from pathlib import Path

import numpy as np
import pytest

from pose3d_ros.detection.open_detector import open_detector
from pose3d_ros.inference import InferenceOptions
from pose3d_ros.models import compiled_cache
from pose3d_ros.models.compiled_cache import MAX_FOLDERS, cache_key, discard, verified_cache

KEY = cache_key('network', 'CPU')
GREY = np.full((256, 448, 3), 128, np.uint8)


@pytest.fixture(autouse=True)
def warnings_anew():
    compiled_cache.warn_once.cache_clear()
    compiled_cache._seal_later.cache_clear()


def compile_in(root, content=b'compiled', key=KEY):
    """What a start does: compile unless there is a file; the file's content before."""
    with verified_cache(root, key) as folder:
        if folder is None:
            return None
        blob = folder / 'x.blob'
        before = blob.read_bytes() if blob.exists() else b''
        blob.write_bytes(before or content)
        return before


def test_a_second_start_finds_what_the_first_wrote(tmp_path):
    assert compile_in(tmp_path / 'new' / 'folder') == b''
    assert compile_in(tmp_path / 'new' / 'folder') == b'compiled'


def spoil(change):
    def spoilt(folder):
        blob = folder / 'x.blob'
        blob.write_bytes(change(blob.read_bytes()))

    return spoilt


@pytest.mark.parametrize(
    'harm',
    [
        spoil(lambda b: b[:-1]),
        spoil(lambda b: b''),
        spoil(lambda b: bytes([b[0] ^ 1]) + b[1:]),
        lambda folder: (folder / 'x.blob').unlink(),
        lambda folder: (folder / 'more.blob').write_bytes(b'of an interrupted start'),
        lambda folder: (folder / 'digests.json').unlink(),
        lambda folder: (folder / 'digests.json').write_text('no json'),
        lambda folder: (folder / 'digests.json').write_text('[]'),
        lambda folder: (folder / 'more').mkdir(),
    ],
)
def test_what_is_not_as_it_was_written_is_compiled_again(tmp_path, harm):
    compile_in(tmp_path)
    harm(tmp_path / KEY)
    assert compile_in(tmp_path) == b''
    assert compile_in(tmp_path) == b'compiled'
    assert sorted(p.name for p in (tmp_path / KEY).iterdir()) == ['digests.json', 'x.blob']


def test_a_start_that_fails_leaves_nothing_that_is_trusted(tmp_path):
    def fail():
        with verified_cache(tmp_path, KEY) as folder:
            (folder / 'x.blob').write_bytes(b'half')
            raise RuntimeError('compilation failed')

    with pytest.raises(RuntimeError):
        fail()
    assert compile_in(tmp_path) == b''


def test_other_networks_have_other_folders(tmp_path):
    assert compile_in(tmp_path) == b''
    for parts in (('network', 'GPU'), ('networkCPU',), ('network', 'CPU', '')):
        assert compile_in(tmp_path, key=cache_key(*parts)) == b''


def test_without_a_folder_there_is_no_cache(caplog):
    assert compile_in(None) is None
    assert not caplog.records


@pytest.mark.parametrize('name', ['file', 'file/below', '/proc/nothing/here'])
def test_a_folder_that_cannot_be_made_is_told_once(tmp_path, caplog, name):
    (tmp_path / 'file').write_text('x')
    for _ in range(3):
        assert compile_in(tmp_path / name) is None
    (record,) = caplog.records
    assert 'compiled networks are not cached' in record.message


def test_a_full_disk_keeps_nothing(tmp_path, monkeypatch, caplog):
    def full(self, *_):
        self.touch()
        raise OSError(28, 'No space left on device')

    with monkeypatch.context() as patch:
        patch.setattr(Path, 'write_text', full)
        assert compile_in(tmp_path) is None
    assert not list((tmp_path / KEY).iterdir())
    with verified_cache(tmp_path, KEY) as folder:
        (folder / 'x.blob').write_bytes(b'cut sho')
        monkeypatch.setattr(Path, 'write_text', full)
    assert not (tmp_path / KEY / 'x.blob').exists()
    assert len(caplog.records) == 1


def test_a_network_that_another_process_compiles_is_not_waited_for(tmp_path):
    compile_in(tmp_path)
    descriptor = os.open(tmp_path / KEY, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        assert compile_in(tmp_path) is None
    finally:
        os.close(descriptor)
    assert compile_in(tmp_path) == b'compiled'


def test_a_file_that_is_written_after_the_start_is_kept(tmp_path, monkeypatch):
    at_exit = []
    monkeypatch.setattr(compiled_cache.atexit, 'register', lambda *call: at_exit.append(call))
    compile_in(tmp_path)
    (tmp_path / KEY / 'gpu.blob').write_bytes(b'compiled in the background')
    for function, *args in at_exit:
        function(*args)
    assert compile_in(tmp_path) == b'compiled'
    assert (tmp_path / KEY / 'gpu.blob').exists()


def test_the_least_recently_used_networks_are_deleted(tmp_path):
    keys = [cache_key(i) for i in range(MAX_FOLDERS + 2)]
    for i, key in enumerate(keys):
        compile_in(tmp_path, key=key)
        os.utime(tmp_path / key, (i, i))
    assert {p.name for p in tmp_path.iterdir()} == set(keys[2:])


def test_discard_deletes_all_files(tmp_path):
    compile_in(tmp_path)
    discard(tmp_path / KEY)
    assert compile_in(tmp_path) == b''


def open_cached(xml, folder):
    detector = open_detector(xml, InferenceOptions('CPU', 'f32', folder), input_hw=GREY.shape[:2])
    return detector.network.for_image(GREY.shape[:2])


def test_a_spoilt_compiled_network_is_not_used(two_people_xml, tmp_path):
    """OpenVINO's own file, with bytes changed within the weights."""
    expected = open_cached(two_people_xml, None).infer(GREY)
    open_cached(two_people_xml, tmp_path)
    (blob,) = tmp_path.rglob('*.blob')
    good = blob.read_bytes()
    for start in range(len(good) // 8, len(good), len(good) // 8):
        spoilt = bytearray(good)
        spoilt[start : start + 64] = bytes(b ^ 255 for b in spoilt[start : start + 64])
        blob.write_bytes(spoilt)
        found = open_cached(two_people_xml, tmp_path).infer(GREY)
        for name, array in expected.items():
            np.testing.assert_array_equal(found[name], array)
        assert blob.read_bytes() != spoilt


def test_sizes_and_networks_have_compiled_networks_of_their_own(two_people_xml, tmp_path):
    for _ in range(2):
        open_cached(two_people_xml, tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    changed = tmp_path / 'changed.xml'
    changed.write_bytes(two_people_xml.read_bytes() + b'\n')
    changed.with_suffix('.bin').write_bytes(two_people_xml.with_suffix('.bin').read_bytes())
    open_cached(changed, tmp_path / 'cache')
    open_cached(two_people_xml, tmp_path / 'cache')
    assert len(list((tmp_path / 'cache').iterdir())) == 2
