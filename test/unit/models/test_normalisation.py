"""Find whether small graphs and the official network normalise their input themselves."""

import numpy as np
import openvino as ov
import pytest
from openvino.preprocess import PrePostProcessor
from support import checkpoint_files as files

from pose3d_ros.models.conversion import graph_mobilenet
from pose3d_ros.models.conversion.graph_mobilenet import ops
from pose3d_ros.models.normalisation import is_official, mark_inside, normalisation_inside
from synthetic.fixed_network import bare


def small(before=lambda x: x):
    """Return a network with one padded convolution after the operations of `before`."""
    x = ops.parameter([1, 3, 16, 16], np.float32, 'data')
    kernel = np.ones((4, 3, 3, 3), np.float32)
    y = ops.relu(ops.convolution(before(x), kernel, [1, 1], [1, 1], [1, 1], [1, 1]))
    return ov.Model([y], [x])


def number(*values):
    return np.array(values, np.float32).reshape(1, -1, 1, 1)


def half(*values):
    """Return a constant as files with float16 weights have it."""
    return ops.convert(ops.constant(number(*values).astype(np.float16)), 'f32')


@pytest.mark.parametrize(
    'before',
    [
        lambda x: ops.divide(ops.subtract(x, number(128)), number(255)),
        lambda x: ops.multiply(ops.add(x, number(-128)), number(1 / 255)),
        lambda x: ops.add(ops.multiply(x, number(1 / 255)), number(-128 / 255)),
        lambda x: ops.subtract(x, number(104, 117, 123)),
        lambda x: ops.subtract(ops.add(number(0), x), half(128)),
        lambda x: ops.subtract(x, half(128, 128, 128)),
    ],
)
def test_constants_at_the_input_are_a_normalisation(before):
    assert normalisation_inside(small(before)) is True


@pytest.mark.parametrize(
    'before',
    [
        lambda x: x,
        ops.relu,
        lambda x: ops.subtract(x, number(0)),
        lambda x: ops.subtract(number(255), x),
        lambda x: ops.subtract(x, ops.reduce_mean(x, np.array([2, 3]), True)),
    ],
)
def test_other_networks_without_constants_are_unknown(before):
    assert normalisation_inside(small(before)) is None


def test_conversions_of_layout_and_type_do_not_hide_it():
    steps = PrePostProcessor(small())
    steps.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout('NHWC'))
    steps.input().model().set_layout(ov.Layout('NCHW'))
    steps.input().preprocess().convert_element_type(ov.Type.f32).mean(128).scale(255)
    assert normalisation_inside(steps.build()) is True


def test_a_statement_in_the_file_holds(tmp_path):
    model = small()
    mark_inside(model)
    ov.save_model(model, tmp_path / 'net.xml')
    assert normalisation_inside(ov.Core().read_model(tmp_path / 'net.xml')) is True


@pytest.fixture(scope='module')
def official():
    return graph_mobilenet.build(files.random_tensors())


def normalised(model, mean, scale):
    """Return the network with a mean and a scale added, as by a converter."""
    steps = PrePostProcessor(model)
    steps.input().model().set_layout(ov.Layout('NCHW'))
    if mean is not None:
        steps.input().preprocess().mean(mean)
    if scale is not None:
        steps.input().preprocess().scale(scale)
    return steps.build()


@pytest.mark.parametrize('compress', [False, True])
def test_the_official_network_of_any_converter(official, tmp_path, compress):
    cases = {
        True: [official, normalised(bare(official), 128.0, 255.0)],
        False: [bare(official)],
        # No published network has these: the user must state it.
        None: [normalised(bare(official), [104.0, 117.0, 123.0], 255.0)],
    }
    for expected, models in cases.items():
        for i, model in enumerate(models):
            path = tmp_path / f'{expected}{i}.xml'
            ov.save_model(model, path, compress_to_fp16=compress)
            read = ov.Core().read_model(path)
            assert is_official(read)
            assert normalisation_inside(read) is expected


def test_other_networks_are_not_recognised_as_the_official_one(official):
    assert not is_official(small())
    fakes = {'fake_conv_pafs.weight': np.ones((38, 38, 1, 1), np.float32)}
    assert is_official(graph_mobilenet.build(files.random_tensors() | fakes))


def test_real_networks_of_other_authors_are_unknown(shared):
    for path in (shared / 'data' / 'models').glob('*.xml'):
        model = ov.Core().read_model(path)
        assert not is_official(model)
        assert normalisation_inside(model) is None
