"""Install and run a network with the names and sizes of Intel's 2D network."""

import dataclasses
import hashlib
import re

import numpy as np
import openvino as ov
import pytest
from support.archive_server import serve

from pose3d_ros import Intrinsics, PoseEstimator
from pose3d_ros.detection.letterbox import Letterbox
from pose3d_ros.models import ModelError, catalogue, download, store
from pose3d_ros.models.conversion.openpose_ir import convert
from pose3d_ros.models.fetch import FileSource
from pose3d_ros.models.install import install
from pose3d_ros.models.normalisation import normalisation_inside
from pose3d_ros.skeleton import PANOPTIC19
from synthetic.fixed_network import write_network
from synthetic.scene import outputs, people_m

NAME = 'human-pose-estimation-0001'
INPUT_HW, GRID_HW = (256, 456), (32, 57)
PUBLISHED_NAMES = {'heatmaps': 'Mconv7_stage2_L2', 'pafs': 'Mconv7_stage2_L1'}
IMAGE_HW = (480, 640)
CAMERA = Intrinsics(600, 600, 319.5, 239.5)
TRUTH_M = people_m((-0.7, 0.1, 3.5), (0.7, 0.0, 4.0))
INSTALLED = [f'{NAME}/{NAME}{end}' for end in ('.bin', '.spec.json', '.xml')]
INSTALLED.append(f'{NAME}/record.json')


@pytest.fixture(scope='module')
def scene():
    letterbox = Letterbox.fit(IMAGE_HW, INPUT_HW, 8)
    return outputs(TRUTH_M, CAMERA, letterbox, grid_hw=GRID_HW)


@pytest.fixture(scope='module')
def stand_in(scene, tmp_path_factory):
    """Return the bytes of its .xml and of its .bin."""
    path = tmp_path_factory.mktemp('intel') / 'net.xml'
    scene = dataclasses.replace(scene, features=None)
    write_network(path, scene, INPUT_HW, names=PUBLISHED_NAMES)
    return path.read_bytes(), path.with_suffix('.bin').read_bytes()


@pytest.fixture
def server(stand_in):
    xml, weights = stand_in
    with serve(xml) as state:
        state.address = state.address.replace('net.tar.gz', 'net.xml')
        state.others['/net.bin'] = weights
        yield state


@pytest.fixture
def entry(stand_in, server, monkeypatch):
    """Return the catalogue's entry with the stand-in at the test's server as published files."""
    monkeypatch.setattr(download, 'PAUSE_S', 0.0)
    addresses = (server.address, server.address.replace('.xml', '.bin'))
    files = tuple(
        catalogue.PublishedFile((address,), len(data), hashlib.sha384(data).hexdigest())
        for address, data in zip(addresses, stand_in, strict=True)
    )
    return dataclasses.replace(catalogue.find(NAME), files={'f32': files})


def everything_in(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob('*') if p.is_file())


def test_both_files_are_downloaded_and_recorded(entry, tmp_path):
    path = install(entry, FileSource(), tmp_path)
    assert everything_in(tmp_path) == INSTALLED
    assert store.resolve(NAME, tmp_path) == path
    model = ov.Core().read_model(path)
    assert normalisation_inside(model) is True
    assert {n for o in model.outputs for n in o.get_names()} == {'heatmaps', 'pafs'}
    record = store.record_of(path)
    assert record.source == ', '.join(file.addresses[0] for file in entry.files['f32'])
    assert record.sha384 == ', '.join(file.sha384 for file in entry.files['f32'])
    assert (record.checked_against, record.licence) == ('catalogue', 'Apache-2.0')


def test_the_installed_network_estimates_people_in_metres(entry, scene, tmp_path):
    estimator = PoseEstimator(
        install(entry, FileSource(), tmp_path), 'CPU', precision='f32', assumed_person_height_m=1.8
    )
    assert (estimator.detector.input_hw, estimator.detector.stride) == (INPUT_HW, 8)
    grey = np.full((*IMAGE_HW, 3), 128, np.uint8)
    found = estimator.estimate(grey, CAMERA)
    assert len(found) == 2
    order = np.argsort(found.xyz_m[:, PANOPTIC19.index('neck'), 0])
    seen = found.people_2d.detected
    assert seen.sum(1).tolist() == [19, 19]  # the pelvis is the midpoint of the hips
    off_px = np.linalg.norm(found.people_2d.xy_px[order] - CAMERA.project(TRUTH_M), axis=-1)
    assert np.nanmax(off_px) < 0.1
    np.testing.assert_array_equal(found.sd_m.shape, (2, 19))
    away = np.linalg.norm(found.xyz_m[order, 0], axis=-1) / np.linalg.norm(TRUTH_M[:, 0], axis=-1)
    np.testing.assert_allclose(
        away, 1, atol=0.25
    )  # the figure is unlike the bodies of the training data


def test_a_wrong_byte_in_the_weights_is_refused_and_the_right_file_is_kept(
    entry, server, stand_in, tmp_path
):
    wrong = bytearray(stand_in[1])
    wrong[len(wrong) // 2] ^= 1
    server.others['/net.bin'] = bytes(wrong)
    with pytest.raises(ModelError, match=r'net\.bin is not the file expected'):
        install(entry, FileSource(), tmp_path)
    assert store.installed(tmp_path) == {}
    server.others['/net.bin'] = stand_in[1]
    install(entry, FileSource(), tmp_path)
    assert len(server.asked) == 3  # the .xml once
    assert everything_in(tmp_path) == INSTALLED


def test_the_weights_are_expected_beside_a_local_file(entry, stand_in, tmp_path):
    file = tmp_path / 'intel.xml'
    file.write_bytes(stand_in[0])
    with pytest.raises(ModelError, match=r'intel\.bin cannot be read'):
        install(entry, FileSource(file), tmp_path / 'models')
    file.with_suffix('.bin').write_bytes(stand_in[1])
    for either in (file, file.with_suffix('.bin')):
        record = store.record_of(install(entry, FileSource(either), tmp_path / 'models'))
        assert record.source == f'{file}, {file.with_suffix(".bin")}'
        assert record.checked_against == 'catalogue'


def test_another_address_holds_for_both_files(entry, server, tmp_path):
    files = tuple(
        dataclasses.replace(file, addresses=(f'http://127.0.0.1:9/net{suffix}',))
        for file, suffix in zip(entry.files['f32'], ('.xml', '.bin'), strict=True)
    )
    elsewhere = dataclasses.replace(entry, files={'f32': files})
    record = store.record_of(install(elsewhere, FileSource(address=server.address), tmp_path))
    assert record.source == ', '.join(file.addresses[0] for file in entry.files['f32'])


def test_two_files_of_which_one_agrees_with_its_checksum_are_unverified(entry, stand_in, tmp_path):
    file = tmp_path / 'intel.xml'
    file.write_bytes(stand_in[0] + b'\n')
    file.with_suffix('.bin').write_bytes(stand_in[1])
    with pytest.raises(ModelError, match='--unverified'):
        install(entry, FileSource(file), tmp_path / 'models')
    with pytest.raises(ModelError, match='2 files, for which one checksum cannot be stated'):
        install(entry, FileSource(file, sha384='0' * 96), tmp_path / 'models')
    record = store.record_of(
        install(entry, FileSource(file, unverified=True), tmp_path / 'models')
    )
    assert (record.checked_against, record.licence) == ('nothing', 'unknown')
    assert everything_in(tmp_path / 'models') == INSTALLED


def test_outputs_are_recognised_by_their_channels(stand_in):
    """An IR of version 10 has no names of tensors, but those of operations."""
    xml, weights = stand_in
    old = re.sub(rb' names="[^"]*"', b'', xml.replace(b'version="11"', b'version="10"', 1))
    old = old.replace(b'Mconv7_stage2_', b'add_')
    assert old != xml
    shapes = {next(iter(o.get_names())): list(o.shape) for o in convert(old, weights).outputs}
    assert shapes == {'heatmaps': [1, 19, 32, 57], 'pafs': [1, 38, 32, 57]}


def test_other_networks_are_refused(scene, stand_in, tmp_path):
    xml, weights = stand_in
    for wrong in ((b'no network', weights), (xml, weights[:100]), (b'', b'')):
        with pytest.raises(ModelError, match=r'not an \.xml of OpenVINO'):
            convert(*wrong)
    path = write_network(tmp_path / 'three.xml', scene, INPUT_HW)
    with pytest.raises(ModelError, match=r'\[19, 38\], found.*57'):
        convert(path.read_bytes(), path.with_suffix('.bin').read_bytes())
