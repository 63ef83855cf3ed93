"""Compare the converted network with the outputs of PyTorch, and with numpy."""

import subprocess
import sys

import numpy as np
import openvino as ov
import pytest
from support import checkpoint_files as files

from pose3d_ros.models import ModelError
from pose3d_ros.models.conversion import graph_mobilenet as graph
from pose3d_ros.models.conversion.checkpoint import read_checkpoint

STAND_INS = ('human-pose-estimation-3d.tar.gz', 'checkpoint_zip.pth')
F32 = {'INFERENCE_PRECISION_HINT': 'f32'}


@pytest.fixture(scope='module')
def tensors():
    return files.random_tensors()


@pytest.fixture(scope='module')
def model(tensors):
    return graph.build(tensors)


def run(model, x, core=None):
    compiled = (core or ov.Core()).compile_model(model, 'CPU', F32)
    result = compiled(x)
    return {name: result[name] for name in ('features', 'heatmaps', 'pafs')}


@pytest.mark.parametrize('name', STAND_INS)
def test_a_stand_in_has_the_outputs_of_pytorch(shared, name):
    folder = shared / 'data' / 'checkpoint'
    expected = np.load(folder / 'expected.npz')
    model = graph.build(read_checkpoint((folder / name).read_bytes()))
    x = expected['image_bgr'].transpose(2, 0, 1)[None].astype(np.float32)
    for output, found in run(model, x).items():
        limit = 1e-4 * np.abs(expected[output]).max()
        np.testing.assert_allclose(found[0], expected[output], rtol=0, atol=limit)


# What the graph that agrees with PyTorch on the stand-ins makes of `tensors` and a ramp of
# greys: mean, mean magnitude and largest value of each output.
RECORDED = {
    'features': (0.332541, 2.31132, 8.23955),
    'heatmaps': (-0.255609, 1.53107, 3.57642),
    'pafs': (0.226578, 2.03714, 7.66537),
}


def test_the_structure_is_unchanged_since_it_agreed_with_pytorch(tensors):
    model = graph.build(tensors)
    model.reshape({'data': [1, 3, 64, 96]})
    ramp = np.arange(3 * 64 * 96, dtype=np.float32).reshape(1, 3, 64, 96) % 251
    for name, y in run(model, ramp).items():
        found = (y.mean(), np.abs(y).mean(), y.max())
        np.testing.assert_allclose(found, RECORDED[name], rtol=1e-3)


def test_inputs_and_outputs(model):
    assert [(i.get_names(), list(i.shape)) for i in model.inputs] == [({'data'}, [1, 3, 256, 448])]
    assert [(o.get_names(), list(o.shape)) for o in model.outputs] == [
        ({'features'}, [1, 57, 32, 56]),
        ({'heatmaps'}, [1, 19, 32, 56]),
        ({'pafs'}, [1, 38, 32, 56]),
    ]


def test_the_graph_has_the_published_number_of_parameters(model):
    """5.074 M: kernels, biases with folded batch norms, and the convolutions of zeros."""
    constants = [
        op.get_data().size
        for op in model.get_ops()
        if op.get_type_name() == 'Constant' and op.get_element_type() == ov.Type.f32
    ]
    assert round((sum(constants) + 19**2 + 38**2) / 1e6, 3) == 5.074


def multiplications(op):
    kernel, output = op.input(1).get_shape(), op.output(0).get_shape()
    # A kernel's output channels are those of the output, also if they are in groups.
    return np.prod(kernel) / output[1] * np.prod(output)


def test_the_graph_has_the_published_number_of_operations(model):
    """18.998 GFLOPs, nearly all of convolutions: two for each weight and cell."""
    convolutions = [op for op in model.get_ops() if 'Convolution' in op.get_type_name()]
    assert 2 * sum(map(multiplications, convolutions)) / 1e9 == pytest.approx(18.998, rel=0.03)


def test_grey_of_128_is_zero_inside(tensors):
    """With biases and shifts of 0 the outputs depend on the input alone."""
    silent = {
        name: np.zeros_like(t) if name.endswith(('bias', 'running_mean')) else t
        for name, t in tensors.items()
    }
    model = graph.build(silent)
    for output in run(model, np.full((1, 3, 256, 448), 128, np.float32)).values():
        assert not output.any()
    assert run(model, np.full((1, 3, 256, 448), 129, np.float32))['pafs'].any()


def test_batch_norm_is_folded_exactly():
    """A convolution of one number: ((2 * 3 + 1) - 4) / sqrt(0.25 + 1e-5) * 5 + 6."""
    one = {
        'c.weight': 3.0, 'c.bias': 1.0,
        'n.weight': 5.0, 'n.bias': 6.0, 'n.running_mean': 4.0, 'n.running_var': 0.25,
    }  # fmt: skip
    one = {name: np.full(1, value, np.float32) for name, value in one.items()}
    one['c.weight'] = one['c.weight'].reshape(1, 1, 1, 1)
    x = graph.ops.parameter([1, 1, 1, 1], np.float32)
    y = graph._conv(one, 'c', x, 'n')
    found = ov.Core().compile_model(ov.Model([y], [x]), 'CPU', F32)(
        np.full((1, 1, 1, 1), 2, np.float32)
    )
    assert found[0].item() == pytest.approx(
        (2 * 3 + 1 - 4) / np.sqrt(0.25 + 1e-5) * 5 + 6, rel=1e-6
    )


def test_the_network_takes_any_multiple_of_the_stride(tensors):
    model = graph.build(tensors)
    rng = np.random.default_rng(1)
    small = rng.integers(0, 256, (1, 3, 64, 128)).astype(np.float32)
    for shape in ([1, 3, 64, 128], [1, 3, 72, 136]):
        model.reshape({'data': shape})
        x = np.zeros(shape, np.float32)
        x[:, :, :64, :128] = small
        for output in run(model, x).values():
            assert list(output.shape[2:]) == [shape[2] // 8, shape[3] // 8]
            assert np.isfinite(output).all()


def test_added_convolutions_of_zeros_have_no_effect_and_others_are_computed(tensors):
    core, x = ov.Core(), np.random.default_rng(2).uniform(0, 255, (1, 3, 64, 64))
    fakes = {
        'fake_conv_heatmaps.weight': np.zeros((19, 19, 1, 1), np.float32),
        'fake_conv_pafs.weight': 2 * np.eye(38, dtype=np.float32).reshape(38, 38, 1, 1),
    }

    def outputs(weights):
        model = graph.build(weights)
        model.reshape({'data': [1, 3, 64, 64]})
        return run(model, x.astype(np.float32), core)

    plain, faked = outputs(tensors), outputs(tensors | fakes)
    np.testing.assert_array_equal(faked['heatmaps'], plain['heatmaps'])
    np.testing.assert_allclose(faked['pafs'], 3 * plain['pafs'], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(faked['features'], plain['features'], rtol=1e-4, atol=1e-4)


NAME = 'cpm.align.0.weight'


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({NAME: None}, f'{NAME} is missing'),
        ({NAME: np.zeros((128, 511, 1, 1), np.float32)}, f'{NAME} must have shape .*511'),
        ({NAME: np.full((128, 512, 1, 1), np.nan, np.float32)}, f'{NAME} must be finite'),
        ({NAME: np.zeros((128, 512, 1, 1), np.int64)}, f'{NAME} must be finite floats'),
        (
            {'refinement_stages.1.x.weight': np.zeros(1, np.float32)},
            r'stages\.1.* is not a tensor',
        ),
        ({'fake_conv_pafs.weight': np.zeros((1, 1, 1, 1), np.float32)}, 'fake_conv_pafs.* shape'),
    ],
)
def test_tensors_of_another_network_are_refused_by_name(tensors, change, message):
    changed = {n: t for n, t in (tensors | change).items() if t is not None}
    with pytest.raises(ModelError, match=message):
        graph.build(changed)


def test_another_checkpoint_is_refused_in_one_short_message():
    with pytest.raises(ModelError, match=r'and \d+ more') as error:
        graph.build({'fc.weight': np.zeros(3, np.float32)})
    assert len(str(error.value)) < 500


def test_conversion_needs_neither_torch_nor_a_gigabyte(tensors, tmp_path):
    checkpoint = tmp_path / 'net.pth'
    checkpoint.write_bytes(files.legacy(tensors))
    code = f"""
import re, sys
from pathlib import Path
import openvino as ov
from pose3d_ros.models.conversion.checkpoint import read_checkpoint
from pose3d_ros.models.conversion.graph_mobilenet import build
model = build(read_checkpoint(Path({str(checkpoint)!r}).read_bytes()))
ov.save_model(model, {str(tmp_path / 'net.xml')!r}, compress_to_fp16=False)
assert 'torch' not in sys.modules
# Its own peak: ru_maxrss would count that of the process that started it.
print(re.search(r'VmHWM:\\s*([0-9]+) kB', Path('/proc/self/status').read_text())[1])
"""
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, timeout=120, check=True
    )
    assert int(done.stdout.split()[-1]) < 2**20  # KiB


@pytest.mark.parametrize('write', [files.legacy, files.zipped])
def test_both_serialisations_give_the_same_network(tensors, write):
    read = read_checkpoint(write(tensors))
    assert set(read) == set(tensors)
    assert all(np.array_equal(read[name], tensors[name]) for name in tensors)
