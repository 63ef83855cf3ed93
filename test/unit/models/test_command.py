"""The command `pose3d model` with its arguments."""

import argparse
import dataclasses
import hashlib

import cv2
import numpy as np
import pytest
from support import checkpoint_files as files
from support import graphs
from support.archive_server import serve

from pose3d_ros.models import catalogue, command, store
from pose3d_ros.models.catalogue import DEFAULT_MODEL, PublishedFile
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


def test_a_network_is_installed_listed_described_and_removed(
    tensors, tmp_path, monkeypatch, capsys
):
    archive = files.archive({'net.pth': files.legacy(tensors)})
    monkeypatch.setenv('POSE3D_MODELS', str(tmp_path))
    with serve(archive) as server:
        args = ('--from-url', server.address, '--sha384', sha384(archive))
        assert run('install', NAME, *args) == 0
    assert run('list') == 0
    assert run('info') == 0
    printed = capsys.readouterr().out
    assert 'checked against: stated' in printed
    own = (str(tmp_path), DEMO_ONLY, 'normalised inside: yes', f'{NAME}.spec.json')
    for text in (*own, DEFAULT_MODEL, 'Apache-2.0', '100.45 mm', 'no published checksum'):
        assert text in printed
    assert run('remove', NAME) == 0
    assert run('remove', NAME) == 1
    assert run('info') == 1
    assert f'pose3d model install {DEFAULT_MODEL}' in capsys.readouterr().err


def test_an_unverified_file_is_marked(tensors, tmp_path, capsys):
    (tmp_path / 'net.pth').write_bytes(files.zipped(tensors))
    file, folder = str(tmp_path / 'net.pth'), str(tmp_path / 'models')
    args = ('install', NAME, '--from-file', file, '--dir', folder)
    assert run(*args) == 1
    assert 'not the file expected' in capsys.readouterr().err
    assert run(*args, '--unverified') == 0
    assert 'UNVERIFIED' in capsys.readouterr().out
    run('list', '--dir', folder)
    assert 'checked against: nothing' in capsys.readouterr().out


def test_an_unknown_network_is_answered_with_the_known_ones(tmp_path, capsys):
    for name in ('typo', 'typo + rtmpose-s', 'yolox-tiny + typo'):
        assert run('install', name, '--dir', str(tmp_path)) == 1
        assert DEFAULT_MODEL in capsys.readouterr().err


def test_an_unknown_network_is_answered_with_the_nearest_name(tmp_path, capsys):
    assert run('install', 'movnet-multipose', '--dir', str(tmp_path)) == 1
    assert 'did you mean movenet-multipose?' in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_answered_with_the_variable(tensors, tmp_path, capsys):
    """A file is in the way, which stops the superuser, too."""
    (tmp_path / 'file').write_text('')
    (tmp_path / 'net.pth').write_bytes(files.zipped(tensors))
    args = ('install', NAME, '--from-file', str(tmp_path / 'net.pth'), '--unverified')
    assert run(*args, '--dir', str(tmp_path / 'file' / 'models')) == 1
    assert 'POSE3D_MODELS' in capsys.readouterr().err


def published(name, content, server):
    """Return the catalogue's entry with a file at the test's server, for which no checksum is."""
    server.others[f'/{name}.onnx'] = content
    address = server.address.replace('net.tar.gz', f'{name}.onnx')
    return dataclasses.replace(catalogue.find(name), files={'f32': (PublishedFile((address,)),)})


def test_a_pair_is_installed_by_one_name(tmp_path, monkeypatch, capsys):
    boxes = {'dets': np.zeros((1, 9, 5)), 'labels': np.zeros((1, 9))}
    simcc = {'simcc_x': np.zeros((1, 17, 384)), 'simcc_y': np.zeros((1, 17, 512))}
    with serve(b'') as server:
        entries = [
            published('yolox-tiny', graphs.onnx(('input', (1, 3, 416, 416)), boxes), server),
            published('rtmpose-s', graphs.onnx(('input', ('N', 3, 256, 192)), simcc), server),
        ]
        known = {entry.name: entry for entry in entries}
        monkeypatch.setattr(command, 'find', known.__getitem__)
        pair = 'yolox-tiny + rtmpose-s'
        assert run('install', pair, '--dir', str(tmp_path)) == 0
    assert capsys.readouterr().out.count('the one found is recorded') == 2
    detector, network = store.resolve(pair, tmp_path)
    assert (detector.stem, network.stem) == ('yolox-tiny', 'rtmpose-s')
    assert run('info', pair, '--dir', str(tmp_path)) == 0
    printed = capsys.readouterr().out
    assert 'simcc_x [1,17,384]' in printed
    assert 'dets [1,9,5]' in printed


def test_what_is_installed_is_not_downloaded_again_unless_it_is_damaged(
    tmp_path, monkeypatch, capsys
):
    boxes = {'dets': np.zeros((1, 9, 5)), 'labels': np.zeros((1, 9))}
    with serve(b'') as server:
        content = graphs.onnx(('input', (1, 3, 416, 416)), boxes)
        entry = published('yolox-tiny', content, server)
        monkeypatch.setattr(command, 'find', {'yolox-tiny': entry}.__getitem__)
        install = ('install', 'yolox-tiny', '--dir', str(tmp_path))
        for downloads in (1, 1):
            assert run(*install) == 0
            assert len(server.asked) == downloads
        assert 'pose3d model remove yolox-tiny' in capsys.readouterr().out
        # Where its origin is stated, it is fetched in any case.
        (address,) = entry.files['f32'][0].addresses
        assert run(*install, '--from-url', address) == 0
        assert len(server.asked) == 2
        (tmp_path / 'yolox-tiny' / 'yolox-tiny.xml').write_text('<net/>')
        assert run(*install) == 0
        assert len(server.asked) == 3
    assert store.resolve('yolox-tiny', tmp_path)


def test_files_of_a_pair_are_stated_one_by_one(tmp_path, capsys):
    args = ('install', 'yolox-tiny + rtmpose-s', '--from-file', 'x.onnx')
    assert run(*args, '--dir', str(tmp_path)) == 1
    assert 'one by one' in capsys.readouterr().err


def test_images_are_tried(two_people_xml, tmp_path, capsys):
    image = tmp_path / 'grey.png'
    cv2.imwrite(str(image), np.full((256, 448, 3), 128, np.uint8))
    args = ('try', str(two_people_xml), str(image), '--output', str(tmp_path / 'out'))
    assert run(*args, '--device', 'CPU', '--input-size', '256', '448') == 0
    assert 'people: 2' in capsys.readouterr().out
    assert (tmp_path / 'out' / 'grey.png').is_file()
    assert run('try', 'none.xml', str(image)) == 1
    assert 'none.xml does not exist' in capsys.readouterr().err


def test_without_a_home_networks_are_listed_and_a_folder_is_asked_for(monkeypatch, capsys):
    monkeypatch.setattr(command, 'default_folder', lambda: None)
    assert run('list') == 0
    assert 'HOME' in capsys.readouterr().out
    assert run('install') == 1
    assert 'POSE3D_MODELS' in capsys.readouterr().err


def test_stand_ins_install(shared, tmp_path):
    for name in ('human-pose-estimation-3d.tar.gz', 'checkpoint_zip.pth'):
        file = shared / 'data' / 'checkpoint' / name
        args = ('install', NAME, '--from-file', str(file), '--dir', str(tmp_path / name))
        assert run(*args, '--sha384', sha384(file.read_bytes())) == 0
        assert list(store.installed(tmp_path / name)) == [NAME]
