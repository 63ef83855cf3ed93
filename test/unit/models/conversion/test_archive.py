"""Archives are read in memory, with bounds; nothing else is followed."""

import gzip
import io
import stat
import tarfile
import zipfile

import pytest

from pose3d_ros.models import ModelError
from pose3d_ros.models.conversion import archive
from pose3d_ros.models.conversion.archive import unpack

FILES = {'folder/end2end.onnx': b'network', 'folder/pipeline.json': b'{}'}


def zipped(files, compression=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w', compression) as out:
        for name, content in files.items():
            out.writestr(name, content)
    return file.getvalue()


def tarred(files, mode='w:gz'):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as out:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            out.addfile(info, io.BytesIO(content))
    return file.getvalue()


@pytest.mark.parametrize('data', [zipped(FILES), tarred(FILES), tarred(FILES, 'w')])
def test_all_files_are_returned_by_their_path(data):
    assert unpack(data, 'x') == FILES


def test_another_file_is_returned_under_its_name():
    assert unpack(b'TFL3', 'net.tflite') == {'net.tflite': b'TFL3'}
    assert unpack(gzip.compress(b'graph'), 'net.onnx.gz') == {'net.onnx': b'graph'}
    assert unpack(b'', 'empty.onnx') == {'empty.onnx': b''}


@pytest.mark.parametrize('pack', [zipped, tarred])
@pytest.mark.parametrize('name', ['../evil', '/etc/evil', 'a/../../evil', 'a\\..\\evil'])
def test_paths_that_lead_out_of_the_folder_are_refused(pack, name):
    with pytest.raises(ModelError, match='leads out of its folder'):
        unpack(pack({'net.onnx': b'x', name: b'x'}), 'x')


def test_links_are_refused():
    info = tarfile.TarInfo('net.onnx')
    info.type, info.linkname = tarfile.SYMTYPE, '/etc/passwd'
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode='w:gz') as out:
        out.addfile(info)
    entry = zipfile.ZipInfo('net.onnx')
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    other = io.BytesIO()
    with zipfile.ZipFile(other, 'w') as out:
        out.writestr(entry, '/etc/passwd')
    for data in (file.getvalue(), other.getvalue()):
        with pytest.raises(ModelError, match='neither a file nor a folder'):
            unpack(data, 'x')


@pytest.mark.parametrize('pack', [zipped, tarred])
def test_archives_that_unpack_to_too_many_bytes_are_refused(pack, monkeypatch):
    monkeypatch.setattr(archive, 'LARGEST_BYTES', 10**6)
    bomb = pack({'a.onnx': bytes(600_000), 'b.onnx': bytes(600_000)})
    assert len(bomb) < 10_000
    with pytest.raises(ModelError, match='unpacks to more than 1000000 bytes'):
        unpack(bomb, 'x')


def test_a_zip_that_declares_less_than_it_holds_is_refused():
    data = bytearray(zipped({'a.onnx': bytes(100_000)}))
    header = data.index(b'PK\x01\x02')
    data[header + 24 : header + 28] = (10).to_bytes(4, 'little')  # uncompressed size
    with pytest.raises(ModelError, match='damaged'):
        unpack(bytes(data), 'x')


def test_archives_with_too_many_files_are_refused(monkeypatch):
    monkeypatch.setattr(archive, 'MAX_MEMBERS', 5)
    for pack in (zipped, tarred):
        with pytest.raises(ModelError, match='6 files, more than 5'):
            unpack(pack({str(i): b'' for i in range(6)}), 'x')


@pytest.mark.parametrize('data', [zipped(FILES), tarred(FILES)])
def test_an_archive_that_is_cut_short_is_refused(data):
    for size in range(2, len(data) - 1, 11):
        with pytest.raises(ModelError):
            unpack(data[:size], 'x')


@pytest.mark.parametrize('data', [zipped(FILES), tarred(FILES)])
def test_any_changed_byte_is_refused_or_harmless(data):
    for i in range(len(data)):
        changed = bytes(data[:i] + bytes([data[i] ^ 0x55]) + data[i + 1 :])
        try:
            unpack(changed, 'x')
        except ModelError:
            continue
