"""Compare int8 with f32: networks with a known difference, and NNCF on real ones."""

import cv2
import numpy as np
import openvino as ov
import pytest

from pose3d_ros.detection.letterbox import Letterbox
from pose3d_ros.models import ModelError
from pose3d_ros.models import quantise as q
from pose3d_ros.models.conversion.graph_mobilenet import ops


def network(peaks, offset_m=0.0, location_maps=True):
    """Return a network with peaks at (channel, row, column) for every image."""
    maps = {
        name: np.zeros((1, n, 8, 8), np.float32) for name, n in (('heatmaps', 19), ('pafs', 38))
    }
    if location_maps:
        maps['features'] = np.full((1, 57, 8, 8), offset_m / 1.8, np.float32)
    for channel, row, column in peaks:
        maps['heatmaps'][0, channel, row, column] = 0.5
    x = ops.parameter([1, 3, 64, 64], np.float32, 'data')
    nothing = ops.multiply(ops.reduce_mean(x, np.array([1, 2, 3]), True), np.float32(0))
    outputs = []
    for name, array in maps.items():
        output = ops.add(nothing, array)
        output.output(0).get_tensor().set_names({name})
        outputs.append(ops.result(output))
    return ov.Model(outputs, [x])


INPUTS = [np.zeros((1, 3, 64, 64), np.float32)]
PEAKS = [(0, 2, 2), (0, 6, 6), (3, 4, 4), (5, 1, 1)]


def test_the_same_network_has_no_difference():
    same = q.compare(network(PEAKS), network(PEAKS), INPUTS)
    assert (same.keypoints, same.lost, same.new) == (4, 0, 0)
    assert not same.moved_px.any()
    assert not same.location_mm.any()


def test_lost_new_and_moved_keypoints_are_counted():
    # The first moves by one cell of 8 px, the second is lost, two come; the background's is none.
    other = [(0, 2, 3), (3, 4, 4), (5, 1, 1), (5, 7, 7), (9, 0, 0), (18, 3, 3)]
    found = q.compare(network(PEAKS), network(other, offset_m=0.05), INPUTS)
    assert (found.lost, found.new) == (1 / 4, 2 / 4)
    assert sorted(found.moved_px) == [0, 0, 8]
    np.testing.assert_allclose(found.location_mm, 50, rtol=1e-5)
    assert '25.0% lost, 50.0% new' in str(found)


def test_a_network_without_location_maps_is_compared_by_its_keypoints():
    a, b = (network(peaks, location_maps=False) for peaks in (PEAKS, PEAKS[:3]))
    found = q.compare(a, b, INPUTS)
    assert (found.keypoints, found.lost, len(found.location_mm)) == (4, 1 / 4, 0)
    assert str(found).endswith('(0 px at 95 %)')


def test_a_network_without_keypoints_cannot_be_judged():
    nothing = q.compare(network([]), network(PEAKS), INPUTS)
    with pytest.raises(ModelError, match='cannot be judged'):
        q._judge(nothing, 0.1, str(nothing))
    q._judge(nothing, 1.0, str(nothing))


def test_more_than_the_limit_is_refused():
    found = q.compare(network(PEAKS), network(PEAKS[:3]), INPUTS)
    with pytest.raises(ModelError, match=r'25\.0% lost'):
        q._judge(found, 0.2, str(found))
    q._judge(found, 0.3, str(found))


@pytest.mark.parametrize('shape', [(720, 1280, 3), (1280, 720, 3), (64, 500, 3), (64, 64, 3)])
def test_calibration_images_are_fitted_as_at_run_time(shape):
    """The image is centred, not stretched, and padded with the same grey."""
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    x = q.letterboxed(image, (64, 128))
    at_run_time = Letterbox.fit(shape[:2], (64, 128), 8).apply(image, (64, 128))
    assert (x.shape, x.dtype) == ((1, 3, 64, 128), np.float32)
    np.testing.assert_array_equal(x[0].transpose(1, 2, 0), at_run_time)
    white = q.letterboxed(np.full(shape, 255, np.uint8), (64, 128))[0, 0] - 128
    scale = min(64 / shape[0], 128 / shape[1])
    area = shape[0] * shape[1] * scale**2
    assert white.sum() / 127 == pytest.approx(area, rel=0.1)


def images_in(folder, count):
    for i in range(count):
        cv2.imwrite(str(folder / f'{i}.png'), np.zeros((32, 32, 3), np.uint8))
    return folder


def test_missing_requirements_are_named_before_a_download(tmp_path, monkeypatch):
    with pytest.raises(ModelError, match='--calibration-images'):
        q.quantiser(None, 0.1)
    monkeypatch.setattr(q, '_nncf', lambda: None)
    with pytest.raises(ModelError, match=r'at least 10 images.*found 3'):
        q.quantiser(images_in(tmp_path, 3), 0.1)
    (tmp_path / 'a.png').write_text('no image')
    images_in(tmp_path, 10)
    with pytest.raises(ModelError, match=r'a\.png is not an image'):
        q.quantiser(tmp_path, 0.1)


def test_without_nncf_the_package_is_named(tmp_path, monkeypatch):
    def fail(name):
        raise ImportError(f'No module named {name!r}')

    monkeypatch.setattr(q, 'import_module', fail)
    with pytest.raises(ModelError, match=r'pip install .nncf>=3\.4,<4'):
        q.quantiser(images_in(tmp_path, 10), 0.1)


def test_a_real_network_keeps_its_keypoints(shared):
    """Real photographs: without the exception for concatenations nearly all are lost."""
    pytest.importorskip('nncf')
    folder = shared / 'data' / 'real' / 'images'
    model = ov.Core().read_model(shared / 'data' / 'models' / 'real2d_large_256x448.xml')
    quantised, report = q.quantiser(folder, 0.1)(model)
    assert 'held-out images' in report
    kinds = [op.get_type_name() for op in quantised.get_ops()]
    assert 'FakeQuantize' in kinds
    assert 'FakeQuantize' not in [op.get_type_name() for op in model.get_ops()]


def test_int8_is_installed_with_its_report(shared, tmp_path, capsys):
    pytest.importorskip('nncf')
    import argparse

    from pose3d_ros.models import command

    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    file = shared / 'data' / 'checkpoint' / 'checkpoint_zip.pth'
    images = shared / 'data' / 'real' / 'images'
    args = [
        'install',
        'human-pose-estimation-3d-0001',
        '--from-file',
        str(file),
        '--unverified',
        '--dir',
        str(tmp_path),
    ]
    args += ['--precision', 'int8', '--calibration-images', str(images), '--max-lost', '1']
    assert command.run(parser.parse_args(args)) == 0
    assert 'held-out images' in capsys.readouterr().out
