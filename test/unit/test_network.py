import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import checkpoint_files
import numpy as np
import pytest
from network import bare, write_network
from scene import CAMERA, outputs, people_m

from pose3d_ros import Intrinsics, PoseEstimator
from pose3d_ros.estimation.network import Network, NetworkError
from pose3d_ros.models import graph_mobilenet

SCENE = outputs(people_m((0.4, 0.1, 3.0)), CAMERA)
SCENE_2D = replace(SCENE, features=None)
GREY = np.full((256, 448, 3), 128, np.uint8)


@pytest.fixture(scope='module')
def one_person_xml(tmp_path_factory):
    return write_network(tmp_path_factory.mktemp('network') / 'one.xml', SCENE)


def test_outputs_are_taken_by_name(one_person_xml):
    network = Network(one_person_xml, 'CPU', precision='f32')
    assert (network.input_hw, network.stride, network.device) == ((256, 448), 8, 'CPU')
    found = network.infer(GREY)
    np.testing.assert_allclose(found.heatmaps, SCENE.heatmaps, atol=1e-6)
    np.testing.assert_allclose(found.pafs, SCENE.pafs, atol=1e-6)
    np.testing.assert_allclose(found.features, SCENE.features, atol=1e-6)


@pytest.fixture(scope='module')
def without_location_maps_xml(tmp_path_factory):
    return write_network(tmp_path_factory.mktemp('network') / '2d.xml', SCENE_2D)


def test_location_maps_may_be_missing(without_location_maps_xml):
    found = Network(without_location_maps_xml, 'CPU', precision='f32').infer(GREY)
    np.testing.assert_allclose(found.heatmaps, SCENE.heatmaps, atol=1e-6)
    np.testing.assert_allclose(found.pafs, SCENE.pafs, atol=1e-6)
    assert found.features is None


def test_heatmaps_may_not_be_missing(tmp_path):
    path = write_network(tmp_path / 'odd.xml', SCENE_2D, names={'heatmaps': 'heat'})
    with pytest.raises(NetworkError, match=r"must have the outputs.*'heatmaps'.*found.*'heat'"):
        Network(path, 'CPU')


def test_location_maps_of_another_shape_are_refused(tmp_path):
    odd = SimpleNamespace(heatmaps=SCENE.heatmaps, pafs=SCENE.pafs, features=SCENE.features[:56])
    path = write_network(tmp_path / 'odd.xml', odd)
    with pytest.raises(NetworkError, match=r"'features': \[1, 57, 32, 56\].*found.*56, 32, 56"):
        Network(path, 'CPU')


def test_lifting_by_location_maps_that_are_missing_is_refused(without_location_maps_xml):
    message = r"needs.*'features'.*2d\.xml has \['heatmaps', 'pafs'\] alone; lifting network"
    with pytest.raises(NetworkError, match=message):
        PoseEstimator(without_location_maps_xml, 'CPU', lifting='location_maps')


def test_an_answer_outlives_the_next_question(one_person_xml):
    network = Network(one_person_xml, 'CPU', precision='f32')
    found = network.infer(GREY)
    network.infer(np.zeros_like(GREY))
    np.testing.assert_allclose(found.heatmaps, SCENE.heatmaps, atol=1e-6)


def test_image_to_people(one_person_xml):
    estimator = PoseEstimator(one_person_xml, 'CPU', precision='f32', lifting='location_maps')
    found = estimator.estimate(GREY, CAMERA)
    np.testing.assert_allclose(found.xyz_m, people_m((0.4, 0.1, 3.0)), atol=0.01)
    assert len(estimator.estimate(np.zeros_like(GREY), CAMERA)) == 0


def test_image_of_another_size(one_person_xml):
    """Twice the pixels, the same view."""
    camera = Intrinsics(720, 720, 447.5, 255.5)
    found = PoseEstimator(
        one_person_xml, 'CPU', precision='f32', lifting='location_maps'
    ).estimate(np.full((512, 896, 3), 128, np.uint8), camera)
    np.testing.assert_allclose(found.xyz_m, people_m((0.4, 0.1, 3.0)), atol=0.01)


def test_normalisation_is_applied_where_the_file_has_none(one_person_xml):
    """The test network takes images with a mean of 1 or more for bright, of 0 or less for dark."""
    network = Network(one_person_xml, 'CPU', precision='f32', input_mean=128, input_scale=2)
    assert network.infer(GREY).heatmaps[:18].max() == 0
    half = network.infer(GREY + np.uint8(1)).heatmaps[:18].max()
    assert half == pytest.approx(SCENE.heatmaps[:18].max() / 2, abs=1e-6)


def test_a_written_answer_is_the_same_with_a_cache(one_person_xml, tmp_path):
    first = Network(one_person_xml, 'CPU', precision='f32', cache_dir=tmp_path).infer(GREY)
    assert list(tmp_path.iterdir())
    again = Network(one_person_xml, 'CPU', precision='f32', cache_dir=tmp_path).infer(GREY)
    np.testing.assert_array_equal(first.heatmaps, again.heatmaps)


def test_files_may_change_under_a_running_network(two_people_xml, tmp_path):
    """To read a page of a mapped file that was cut short would end the process."""
    for file in (two_people_xml, two_people_xml.with_suffix('.bin')):
        shutil.copy(file, tmp_path / 'net').rename(tmp_path / f'net{file.suffix}')
    networks = [Network(tmp_path / 'net.xml', 'CPU', cache_dir=tmp_path) for _ in range(2)]
    assert len(list(tmp_path.iterdir())) > 2  # what the second came from
    assert str(tmp_path) not in Path('/proc/self/maps').read_text()
    first = networks[1].infer(GREY).heatmaps
    for file in tmp_path.iterdir():
        file.write_bytes(b'')
    np.testing.assert_array_equal(networks[1].infer(GREY).heatmaps, first)


def test_a_missing_output_is_named(tmp_path):
    path = write_network(tmp_path / 'odd.xml', SCENE, names={'pafs': 'fields'})
    with pytest.raises(NetworkError, match=r"must have the outputs.*'pafs'.*found.*'fields'"):
        Network(path, 'CPU')


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(NetworkError, match=r'nowhere\.xml does not exist'):
        Network(tmp_path / 'nowhere.xml', 'CPU')


@pytest.mark.parametrize('name', ['model.xml', 'model.onnx'])
def test_a_corrupt_file_is_named(tmp_path, name):
    path = tmp_path / name
    path.write_text('this is no network')
    with pytest.raises(NetworkError, match=f'{name} cannot be read'):
        Network(path, 'CPU')


def test_a_corrupt_weights_file_is_named(tmp_path):
    path = write_network(tmp_path / 'model.xml', SCENE)
    path.with_suffix('.bin').write_bytes(b'short')
    with pytest.raises(NetworkError, match=r'model\.xml cannot be read'):
        Network(path, 'CPU')


def test_another_kind_of_file_is_refused(tmp_path):
    path = tmp_path / 'model.pth'
    path.write_text('')
    with pytest.raises(NetworkError, match=r'model\.pth is neither an OpenVINO'):
        Network(path, 'CPU')


def test_an_unknown_device_is_named(one_person_xml):
    with pytest.raises(NetworkError, match=r"device 'TPU'.*'CPU'"):
        Network(one_person_xml, 'TPU')


def test_an_unknown_precision_is_named(one_person_xml):
    with pytest.raises(NetworkError, match=r"f32.*found 'f8'"):
        Network(one_person_xml, 'CPU', precision='f8')


def test_a_size_that_does_not_fit_is_named(one_person_xml):
    with pytest.raises(NetworkError, match=r'\(250, 440|250'):
        Network(one_person_xml, 'CPU', input_hw=(250, 440))


def test_real_network_takes_other_sizes(shared):
    path = shared / 'data/models/real2d_large_256x448.xml'
    network = Network(path, 'CPU', input_hw=(320, 320), precision='f32')
    assert network.infer(np.zeros((320, 320, 3), np.uint8)).heatmaps.shape == (19, 40, 40)


@pytest.fixture(scope='module')
def official():
    """The official network, with random weights."""
    return graph_mobilenet.build(checkpoint_files.random_tensors())


def test_the_official_network_is_normalised_once_whoever_converted_it(official):
    image = np.random.default_rng(0).integers(0, 256, (256, 448, 3), np.uint8)
    ours = Network(official, 'CPU', precision='f32').infer(image)
    theirs = Network(bare(official), 'CPU', precision='f32').infer(image)
    largest = np.abs(ours.heatmaps).max()
    np.testing.assert_allclose(theirs.heatmaps, ours.heatmaps, atol=1e-4 * largest)


def test_normalising_twice_is_refused(official):
    with pytest.raises(NetworkError, match=r'normalises its input itself.*found 128'):
        Network(official, 'CPU', input_mean=128, input_scale=255)
