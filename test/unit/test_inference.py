import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from support import checkpoint_files

from pose3d_ros import CameraImage, Intrinsics, PoseEstimator
from pose3d_ros.detection.open_detector import open_detector
from pose3d_ros.detection.openpose.outputs import Outputs
from pose3d_ros.inference import InferenceError, InferenceOptions, RequestPool
from pose3d_ros.models import ModelError
from pose3d_ros.models.conversion import graph_mobilenet
from synthetic.fixed_network import bare, write_network
from synthetic.scene import CAMERA, outputs, people_m

SCENE = outputs(people_m((0.4, 0.1, 3.0)), CAMERA)
SCENE_2D = replace(SCENE, features=None)
GREY = np.full((256, 448, 3), 128, np.uint8)


def open_cpu(model, device='CPU', *, precision='auto', cache_dir=None, **options):
    return open_detector(model, InferenceOptions(device, precision, cache_dir), **options)


def infer(detector, bgr):
    return Outputs(**detector.network.for_image(bgr.shape[:2]).infer(bgr))


@pytest.fixture(scope='module')
def one_person_xml(tmp_path_factory):
    return write_network(tmp_path_factory.mktemp('network') / 'one.xml', SCENE)


def test_outputs_are_taken_by_name(one_person_xml):
    network = open_cpu(one_person_xml, 'CPU', precision='f32')
    assert (network.input_hw, network.stride, network.device) == ((256, 448), 8, 'CPU')
    found = infer(network, GREY)
    np.testing.assert_allclose(found.heatmaps, SCENE.heatmaps, atol=1e-6)
    np.testing.assert_allclose(found.pafs, SCENE.pafs, atol=1e-6)
    np.testing.assert_allclose(found.features, SCENE.features, atol=1e-6)


@pytest.fixture(scope='module')
def without_location_maps_xml(tmp_path_factory):
    return write_network(tmp_path_factory.mktemp('network') / '2d.xml', SCENE_2D)


def test_location_maps_are_optional(without_location_maps_xml):
    found = infer(open_cpu(without_location_maps_xml, 'CPU', precision='f32'), GREY)
    np.testing.assert_allclose(found.heatmaps, SCENE.heatmaps, atol=1e-6)
    np.testing.assert_allclose(found.pafs, SCENE.pafs, atol=1e-6)
    assert found.features is None


def test_outputs_of_other_names_are_recognised_by_their_channels(tmp_path):
    names = {'heatmaps': 'Mconv7_stage2_L2', 'pafs': 'Mconv7_stage2_L1', 'features': 'maps'}
    path = write_network(tmp_path / 'published.xml', SCENE, names=names)
    found = infer(open_cpu(path, 'CPU', precision='f32'), GREY)
    np.testing.assert_allclose(found.heatmaps, SCENE.heatmaps, atol=1e-6)
    np.testing.assert_allclose(found.pafs, SCENE.pafs, atol=1e-6)
    np.testing.assert_allclose(found.features, SCENE.features, atol=1e-6)


def test_a_network_without_heatmaps_is_refused(tmp_path):
    odd = SimpleNamespace(heatmaps=SCENE.heatmaps[:18], pafs=SCENE.pafs, features=None)
    path = write_network(tmp_path / 'odd.xml', odd, names={'heatmaps': 'heat'})
    message = r'no known family\. Found.*heat \(1, 18, 32, 56\) f32.*Expected openpose: heatmaps'
    with pytest.raises(ModelError, match=message):
        open_cpu(path, 'CPU')


def test_location_maps_of_another_shape_are_refused(tmp_path):
    odd = SimpleNamespace(heatmaps=SCENE.heatmaps, pafs=SCENE.pafs, features=SCENE.features[:56])
    path = write_network(tmp_path / 'odd.xml', odd)
    with pytest.raises(ModelError, match=r"'features': \(1, 57, 32, 56\).*found.*56, 32, 56"):
        open_cpu(path, 'CPU')


def test_lifting_by_missing_location_maps_is_refused(without_location_maps_xml):
    message = r'needs a network that has location maps.*features.*2d\.xml has none.*to network'
    with pytest.raises(ModelError, match=message):
        PoseEstimator(without_location_maps_xml, 'CPU', lifting='location_maps')


def test_outputs_are_not_changed_by_the_next_call(one_person_xml):
    network = open_cpu(one_person_xml, 'CPU', precision='f32')
    found = infer(network, GREY)
    infer(network, np.zeros_like(GREY))
    np.testing.assert_allclose(found.heatmaps, SCENE.heatmaps, atol=1e-6)


def test_image_to_people(one_person_xml):
    estimator = PoseEstimator(one_person_xml, 'CPU', precision='f32', lifting='location_maps')
    found = estimator.estimate(GREY, CAMERA)
    np.testing.assert_allclose(found.xyz_m, people_m((0.4, 0.1, 3.0)), atol=0.01)
    assert len(estimator.estimate(np.zeros_like(GREY), CAMERA)) == 0


def test_image_of_another_size(one_person_xml):
    """An image of twice the resolution, of the same scene."""
    camera = Intrinsics(720, 720, 447.5, 255.5)
    found = PoseEstimator(
        one_person_xml, 'CPU', precision='f32', lifting='location_maps'
    ).estimate(np.full((512, 896, 3), 128, np.uint8), camera)
    np.testing.assert_allclose(found.xyz_m, people_m((0.4, 0.1, 3.0)), atol=0.01)


def test_normalisation_is_applied_where_the_file_has_none(one_person_xml):
    """The test network scales its outputs with the mean of its input, from 0 to 1."""
    network = open_cpu(one_person_xml, 'CPU', precision='f32', normalisation=(128, 2))
    assert infer(network, GREY).heatmaps[:18].max() == 0
    half = infer(network, GREY + np.uint8(1)).heatmaps[:18].max()
    assert half == pytest.approx(SCENE.heatmaps[:18].max() / 2, abs=1e-6)


def test_outputs_are_the_same_with_a_cache(one_person_xml, tmp_path):
    first = infer(open_cpu(one_person_xml, 'CPU', precision='f32', cache_dir=tmp_path), GREY)
    assert list(tmp_path.iterdir())
    again = infer(open_cpu(one_person_xml, 'CPU', precision='f32', cache_dir=tmp_path), GREY)
    np.testing.assert_array_equal(first.heatmaps, again.heatmaps)


def test_files_may_change_under_a_running_network(two_people_xml, tmp_path):
    """Reading a page of a mapped file that was truncated would end the process."""
    for file in (two_people_xml, two_people_xml.with_suffix('.bin')):
        shutil.copy(file, tmp_path / 'net').rename(tmp_path / f'net{file.suffix}')
    networks = [open_cpu(tmp_path / 'net.xml', 'CPU', cache_dir=tmp_path) for _ in range(2)]
    assert len(list(tmp_path.iterdir())) > 2  # the second one comes from the cache
    assert str(tmp_path) not in Path('/proc/self/maps').read_text()
    first = infer(networks[1], GREY).heatmaps
    for file in tmp_path.rglob('*'):
        if file.is_file():
            file.write_bytes(b'')
    np.testing.assert_array_equal(infer(networks[1], GREY).heatmaps, first)


def test_a_missing_output_is_named(tmp_path):
    odd = SimpleNamespace(heatmaps=SCENE.heatmaps, pafs=SCENE.pafs[:36], features=None)
    path = write_network(tmp_path / 'odd.xml', odd)
    message = r"must have the outputs.*'pafs': \(1, 38.*found.*'pafs': \(1, 36"
    with pytest.raises(ModelError, match=message):
        open_cpu(path, 'CPU')


def test_a_real_tflite_file_is_read_and_its_outputs_are_named(shared, tmp_path):
    """Its heatmaps and fields are one output, channels last, which no family has."""
    path = shared / 'data/models/original/mobilenet_v2_pose_dm14_368_432_weight_quant.tflite'
    with pytest.raises(ModelError, match=r'Found.*image \(1, 368, 432, 3\).*\(1, 46, 54, 57\)'):
        open_cpu(path, 'CPU')
    content = path.read_bytes()
    (tmp_path / 'half.tflite').write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError, match=r'half\.tflite cannot be read.*corrupted'):
        open_cpu(tmp_path / 'half.tflite', 'CPU')


class BrokenNetwork:
    """A network on a device that fails while it runs."""

    def create_infer_request(self):
        return self

    def infer(self, inputs, share_inputs, share_outputs):
        raise RuntimeError('src/plugin.cpp:12:\nDevice lost')


def test_a_device_that_fails_while_it_runs_is_named(one_person_xml):
    estimator = PoseEstimator(one_person_xml, 'CPU')
    estimator.detector.network.for_image((256, 448))._requests = RequestPool(BrokenNetwork(), 1)
    for _ in range(2):  # the request comes back into the pool
        with pytest.raises(InferenceError, match=r'one\.xml on CPU failed: Device lost$'):
            estimator.estimate(GREY, CAMERA)


def test_errors_of_decoding_are_not_taken_for_those_of_the_device(one_person_xml, monkeypatch):
    def decode(*_):
        raise RuntimeError('wrong shape')

    monkeypatch.setattr('pose3d_ros.detection.openpose.detector.decode', decode)
    with pytest.raises(RuntimeError, match='wrong shape') as error:
        PoseEstimator(one_person_xml, 'CPU').estimate(GREY, CAMERA)
    assert not isinstance(error.value, InferenceError)


@pytest.mark.parametrize('throughput', [False, True])
def test_several_threads_may_share_an_estimator(two_people_xml, throughput):
    one = PoseEstimator(two_people_xml, 'CPU', precision='f32')
    wanted = one.estimate(GREY, CAMERA).xyz_m
    estimator = PoseEstimator(two_people_xml, 'CPU', precision='f32', throughput=throughput)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: estimator.estimate(GREY, CAMERA).xyz_m, range(40)))
    for xyz_m in found:
        np.testing.assert_array_equal(xyz_m, wanted)


@pytest.mark.parametrize(
    ('device', 'missing'), [('TPU', 'TPU'), ('AUTO:NOT_THERE', 'NOT_THERE'), ('NOT.1', 'NOT.1')]
)
def test_a_device_that_is_not_there_is_named_in_a_line(one_person_xml, device, missing):
    with pytest.raises(
        ModelError, match=rf"device '{device}'.*: {missing} is not there.*CPU"
    ) as e:
        open_cpu(one_person_xml, device)
    assert len(str(e.value).splitlines()) == 1


def test_an_unknown_precision_is_named(one_person_xml):
    with pytest.raises(ModelError, match=r"f32.*found 'f8'"):
        open_cpu(one_person_xml, 'CPU', precision='f8')


def test_a_size_that_does_not_fit_is_named(one_person_xml):
    with pytest.raises(ModelError, match=r'\(250, 440|250'):
        open_cpu(one_person_xml, 'CPU', input_hw=(250, 440))


def test_the_width_of_the_input_follows_the_images(shared):
    path = shared / 'data/models/human-pose-estimation-0001-int8/human-pose-estimation-0001.xml'
    detector = open_cpu(path, 'CPU')
    for image_hw, input_hw in (
        ((480, 640), (320, 424)),
        ((1080, 1920), (320, 568)),
        ((1920, 1080), (456, 256)),
        ((3000, 300), (1024, 256)),
        ((300, 3000), (320, 1280)),
    ):
        camera = Intrinsics.guess(*image_hw[::-1])
        detector.detect([CameraImage(np.zeros((*image_hw, 3), np.uint8), camera)])
        assert detector.input_hw == input_hw


def test_real_network_takes_other_sizes(shared):
    path = shared / 'data/models/real2d_large_256x448.xml'
    network = open_cpu(path, 'CPU', input_hw=(320, 320), precision='f32')
    assert infer(network, np.zeros((320, 320, 3), np.uint8)).heatmaps.shape == (19, 40, 40)


@pytest.fixture(scope='module')
def official():
    """Return human-pose-estimation-3d-0001 with random weights."""
    return graph_mobilenet.build(checkpoint_files.random_tensors())


def test_the_official_network_is_normalised_once_by_any_conversion(official):
    image = np.random.default_rng(0).integers(0, 256, (256, 448, 3), np.uint8)
    ours, theirs = (
        infer(open_cpu(model, 'CPU', precision='f32', input_hw=(256, 448)), image)
        for model in (official, bare(official))
    )
    largest = np.abs(ours.heatmaps).max()
    np.testing.assert_allclose(theirs.heatmaps, ours.heatmaps, atol=1e-4 * largest)


def test_normalising_twice_is_refused(official):
    with pytest.raises(ModelError, match=r'normalises its input itself.*found 128'):
        open_cpu(official, 'CPU', normalisation=(128, 255))
