"""The command `pose3d model`, typed."""

import argparse
import hashlib

import pytest
from support import checkpoint_files as files
from support.archive_server import serve

from pose3d_ros.models import command, store
from pose3d_ros.models.catalogue import DEFAULT_MODEL
from pose3d_ros.models.store import DEMO_ONLY

# Of a network that is published as a checkpoint in an archive.
NAME = 'human-pose-estimation-3d-0001'


@pytest.fixture(scope='module')
def tensors():
    return files.random_tensors()


def sha384(data):
    return hashlib.sha384(data).hexdigest()


def run(*args):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(args))


def test_the_command_installs_lists_tells_and_removes(tensors, tmp_path, monkeypatch, capsys):
    archive = files.archive({'net.pth': files.legacy(tensors)})
    monkeypatch.setenv('POSE3D_MODELS', str(tmp_path))
    with serve(archive) as server:
        assert run('install', NAME, '--from-url', server.address, '--sha384', sha384(archive)) == 0
    assert run('list') == 0
    assert run('info') == 0
    said = capsys.readouterr().out
    assert 'checked against: stated' in said
    own = (str(tmp_path), DEMO_ONLY, 'normalised inside: yes')
    for text in (*own, DEFAULT_MODEL, 'Apache-2.0', '100.45 mm'):
        assert text in said
    assert run('remove', NAME) == 0
    assert run('remove', NAME) == 1
    assert run('info') == 1
    assert 'pose3d model install' in capsys.readouterr().err


def test_the_command_marks_what_nothing_vouches_for(tensors, tmp_path, capsys):
    (tmp_path / 'net.pth').write_bytes(files.zipped(tensors))
    args = (
        'install',
        NAME,
        '--from-file',
        str(tmp_path / 'net.pth'),
        '--dir',
        str(tmp_path / 'models'),
    )
    assert run(*args) == 1
    assert 'not the file expected' in capsys.readouterr().err
    assert run(*args, '--unverified') == 0
    assert 'UNVERIFIED' in capsys.readouterr().out
    run('list', '--dir', str(tmp_path / 'models'))
    assert 'checked against: nothing' in capsys.readouterr().out


def test_an_unknown_network_is_answered_with_the_known_ones(capsys):
    assert run('install', 'typo') == 1
    assert DEFAULT_MODEL in capsys.readouterr().err


def test_stand_ins_install(shared, tmp_path):
    for name in ('human-pose-estimation-3d.tar.gz', 'checkpoint_zip.pth'):
        file = shared / 'data' / 'checkpoint' / name
        args = ('install', NAME, '--from-file', str(file), '--dir', str(tmp_path / name))
        assert run(*args, '--sha384', sha384(file.read_bytes())) == 0
        assert list(store.installed(tmp_path / name)) == [NAME]
