"""Install a network from a file and from a server on loopback, with every kind of error."""

import dataclasses
import hashlib

import numpy as np
import openvino as ov
import pytest
from support import checkpoint_files as files
from support.archive_server import serve

from pose3d_ros.models import ModelError, catalogue, download, store
from pose3d_ros.models.catalogue import PublishedFile
from pose3d_ros.models.fetch import FileSource
from pose3d_ros.models.install import already_installed, install
from pose3d_ros.models.normalisation import normalisation_inside

# Of a network that is published as a checkpoint in an archive.
NAME = 'human-pose-estimation-3d-0001'


@pytest.fixture(scope='module')
def tensors():
    return files.random_tensors()


@pytest.fixture(scope='module')
def archive(tensors):
    """Return an archive with members named as in the published one."""
    return files.archive({f'{NAME}.pth': files.legacy(tensors), 'model/__init__.py': b'1/0'})


def sha384(data):
    return hashlib.sha384(data).hexdigest()


@pytest.fixture
def server(archive):
    with serve(archive) as state:
        yield state


@pytest.fixture
def entry(archive, server, monkeypatch):
    """Return the catalogue's entry with an archive at the test's server as the published file."""
    monkeypatch.setattr(download, 'PAUSE_S', 0.0)
    published = PublishedFile((server.address,), len(archive), sha384(archive))
    return dataclasses.replace(catalogue.find(NAME), files={'f32': (published,)})


def everything_in(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob('*') if p.is_file())


INSTALLED = [
    f'{NAME}/{NAME}.bin',
    f'{NAME}/{NAME}.spec.json',
    f'{NAME}/{NAME}.xml',
    f'{NAME}/record.json',
]


def test_a_download_is_installed_and_recorded(entry, server, tmp_path):
    reported = []
    path = install(
        entry, FileSource(), tmp_path, progress=lambda have, total: reported.append((have, total))
    )
    assert everything_in(tmp_path) == INSTALLED
    model = ov.Core().read_model(path)
    assert normalisation_inside(model) is True
    assert {name for o in model.outputs for name in o.get_names()} == {
        'features',
        'heatmaps',
        'pafs',
    }
    record = store.record_of(path)
    assert record.source == server.address
    assert record.sha384 == sha384(server.content)
    assert (record.checked_against, record.licence) == ('catalogue', 'Apache-2.0')
    size = len(server.content)
    assert reported[0] == (0, size)
    assert reported[-1] == (size, size)


def test_an_interrupted_download_is_resumed(entry, server, tmp_path):
    server.cut_at = [1_000_000, 2_000_000]
    install(entry, FileSource(), tmp_path)
    assert server.asked == [None, 'bytes=1000000-', 'bytes=3000000-']
    assert everything_in(tmp_path) == INSTALLED


def test_a_later_command_resumes_an_interrupted_download(entry, server, tmp_path):
    server.cut_at = [100_000] * download.ATTEMPTS
    with pytest.raises(ModelError, match='run the command again'):
        install(entry, FileSource(), tmp_path)
    assert store.installed(tmp_path) == {}
    install(entry, FileSource(), tmp_path)
    assert server.asked[-1] == f'bytes={100_000 * download.ATTEMPTS}-'
    assert everything_in(tmp_path) == INSTALLED


def test_a_server_without_ranges_sends_the_whole_file_again(entry, server, tmp_path):
    server.ranges, server.cut_at = False, [1_000_000]
    install(entry, FileSource(), tmp_path)
    assert everything_in(tmp_path) == INSTALLED


def test_the_next_address_is_tried_after_one_that_fails(entry, server, tmp_path):
    ((published,),) = entry.files.values()
    dead = ('http://127.0.0.1:9/x', server.address)
    published = dataclasses.replace(published, addresses=dead)
    entry = dataclasses.replace(entry, files={'f32': (published,)})
    assert store.record_of(install(entry, FileSource(), tmp_path)).source == server.address


def test_a_wrong_byte_is_refused_and_leaves_no_files(entry, server, tmp_path):
    changed = bytearray(server.content)
    changed[len(changed) // 2] ^= 1
    server.content = bytes(changed)
    with pytest.raises(ModelError, match='SHA-384'):
        install(entry, FileSource(), tmp_path)
    assert everything_in(tmp_path) == []


def test_a_wrong_byte_in_an_interrupted_download_is_refused_and_fetched_again(
    entry, server, tmp_path
):
    (published,) = entry.files['f32']
    part = tmp_path / '.downloads' / f'{published.sha384}.part'
    part.parent.mkdir()
    part.write_bytes(bytes(1000))
    with pytest.raises(ModelError, match='SHA-384'):
        install(entry, FileSource(), tmp_path)
    assert everything_in(tmp_path) == []
    install(entry, FileSource(), tmp_path)
    assert everything_in(tmp_path) == INSTALLED


@pytest.mark.parametrize('change', [b'', b'more'])
def test_another_size_is_refused_before_it_is_fetched(entry, server, tmp_path, change):
    server.content = server.content + change if change else server.content[:-1]
    with pytest.raises(ModelError, match=f'expected {entry.size}'):
        install(entry, FileSource(), tmp_path)
    assert everything_in(tmp_path) == []


@pytest.mark.parametrize(('status', 'times'), [(404, 1), (503, download.ATTEMPTS)])
def test_a_server_without_the_file_is_named(entry, server, tmp_path, status, times):
    server.status = status
    with pytest.raises(ModelError, match=rf'{server.address}.*{status}.*--from-file'):
        install(entry, FileSource(), tmp_path)
    assert len(server.asked) == times


@pytest.mark.parametrize('address', ['file:///etc/passwd', 'ftp://x/y', '/etc/passwd'])
def test_only_web_addresses_are_downloaded(entry, tmp_path, address):
    with pytest.raises(ModelError, match='http'):
        install(entry, FileSource(address=address, unverified=True), tmp_path)


@pytest.mark.parametrize('kind', ['archive', 'legacy', 'zip'])
def test_a_file_with_a_stated_checksum_or_unverified(entry, tensors, archive, tmp_path, kind):
    data = {'archive': archive, 'legacy': files.legacy(tensors), 'zip': files.zipped(tensors)}[
        kind
    ]
    file = tmp_path / 'file'
    file.write_bytes(data)
    folder = tmp_path / 'models'
    unverified = store.record_of(install(entry, FileSource(file, unverified=True), folder))
    stated = store.record_of(install(entry, FileSource(file, sha384=sha384(data).upper()), folder))
    published = kind == 'archive'  # it agrees with the published checksum in any case
    assert unverified.checked_against == ('catalogue' if published else 'nothing')
    assert unverified.licence == ('Apache-2.0' if published else 'unknown')
    assert stated.checked_against == 'stated'
    assert stated.sha384 == unverified.sha384 == sha384(data)
    with pytest.raises(ModelError, match='SHA-384'):
        install(entry, FileSource(file, sha384='0' * 96), folder)
    if not published:
        with pytest.raises(ModelError, match='--unverified'):
            install(entry, FileSource(file), folder)
    assert everything_in(folder) == INSTALLED


def test_only_the_published_network_as_it_was_written_counts_as_installed(
    entry, server, tmp_path, monkeypatch
):
    assert already_installed(entry, tmp_path, None) is None
    path = install(entry, FileSource(), tmp_path)
    assert already_installed(entry, tmp_path, None) == path
    assert already_installed(entry, tmp_path, 'f16') is None
    (published,) = entry.files['f32']
    other = dataclasses.replace(published, sha384='0' * 96)
    newer = dataclasses.replace(entry, files={'f32': (other,)})
    assert already_installed(newer, tmp_path, None) is None
    with monkeypatch.context() as patch:
        patch.setattr(ov, 'get_version', lambda: 'another')
        assert already_installed(entry, tmp_path, None) is None
    path.with_suffix('.bin').write_bytes(b'')
    assert already_installed(entry, tmp_path, None) is None


def test_contradictory_sources_are_refused(tmp_path):
    for kwargs in (
        {'file': tmp_path, 'address': 'http://x'},
        {'sha384': 'ab'},
        {'sha384': 'x' * 96},
        {'sha384': '0' * 96, 'unverified': True},
    ):
        with pytest.raises(ModelError):
            FileSource(**kwargs)


def refusals(tensors):
    """Return files that must never be installed, by the text that the message contains."""
    name = 'cpm.align.0.weight'
    less = {n: t for n, t in tensors.items() if n != name}
    legacy = files.legacy({'w': np.ones(1, np.float32)})
    evil = files.Call(files.Name('posix', 'system'), ('touch evil',))
    return {
        'posix.system': files.zipped({}, {'state_dict': evil}),
        '../evil': files.archive({'../evil': b'', 'net.pth': legacy}),
        'cut short': files.archive({'net.pth': legacy})[:-20],
        f'{name} is missing': files.legacy(less),
        f'{name} must have shape': files.legacy(less | {name: np.ones((3, 3), np.float32)}),
        'must be finite': files.zipped(tensors | {name: tensors[name] * np.float32(np.inf)}),
    }


def test_bad_checkpoints_are_refused_and_keep_the_installed_network(
    entry, tensors, archive, tmp_path
):
    good, folder = tmp_path / 'good', tmp_path / 'models'
    good.write_bytes(archive)
    for before in ([], INSTALLED):
        for message, data in refusals(tensors).items():
            bad = tmp_path / 'bad'
            bad.write_bytes(data)
            with pytest.raises(ModelError) as error:
                install(entry, FileSource(bad, unverified=True), folder)
            assert message in str(error.value)
            assert everything_in(folder) == before
        install(entry, FileSource(good), folder)


def test_f16_is_half_the_size_and_nearly_the_same(entry, archive, tmp_path):
    (tmp_path / 'file').write_bytes(archive)
    paths = [
        install(entry, FileSource(tmp_path / 'file'), tmp_path / 'models', precision=precision)
        for precision in ('f32', 'f16')
    ]
    assert paths[1].stem == f'{NAME}-f16'
    sizes = [path.with_suffix('.bin').stat().st_size for path in paths]
    assert sizes[1] == pytest.approx(sizes[0] / 2, rel=0.01)
    x = np.random.default_rng(0).integers(0, 256, (1, 3, 256, 448)).astype(np.float32)
    config = {'INFERENCE_PRECISION_HINT': 'f32'}
    f32, f16 = (ov.Core().compile_model(path, 'CPU', config)(x)['heatmaps'] for path in paths)
    np.testing.assert_allclose(f16, f32, rtol=0, atol=0.01 * np.abs(f32).max())
