"""The catalogue's entries agree with what installs and runs them."""

import dataclasses
from importlib import import_module
from pathlib import PurePosixPath

import numpy as np
import pytest
from support import graphs

from pose3d_ros.detection import person_boxes, pose_network
from pose3d_ros.detection.one_stage import detector as one_stage
from pose3d_ros.models import ModelError
from pose3d_ros.models.catalogue import CATALOGUE, DEFAULT_MODEL, find
from pose3d_ros.models.contracts import output_shapes
from pose3d_ros.models.conversion.published_graph import fit_spec
from pose3d_ros.models.store import PRECISIONS
from pose3d_ros.network_graph import Graph

NAMES = [entry.name for entry in CATALOGUE]
FREE_LICENCES = {'Apache-2.0', 'MIT', 'BSD-3-Clause'}


def test_names_are_unique_and_the_default_is_first():
    assert len(set(NAMES)) == len(NAMES)
    assert NAMES[0] == DEFAULT_MODEL
    assert find(DEFAULT_MODEL).precision == 'int8'
    assert find(DEFAULT_MODEL).size == 426156 + 4170034
    with pytest.raises(ModelError, match=DEFAULT_MODEL):
        find('typo')


@pytest.mark.parametrize('name', NAMES)
def test_an_entry_is_well_formed(name):
    entry = find(name)
    assert not set(entry.files) - set(PRECISIONS)
    assert entry.licence in FREE_LICENCES
    assert entry.accuracy
    assert ' + ' not in name
    if entry.converter:
        converter = import_module(f'pose3d_ros.models.conversion.{entry.converter}')
        assert callable(converter.convert)
    for files in entry.files.values():
        suffixes = {PurePosixPath(file.addresses[0]).suffix for file in files}
        assert len(suffixes) == len(files)
        for file in files:
            assert all(address.startswith('https://') for address in file.addresses)
            assert (file.sha384 is None) == (file.size is None)
            if file.sha384 is not None:
                assert len(file.sha384) == 96
                assert int(file.sha384, 16)


@pytest.mark.parametrize('name', NAMES)
def test_a_contract_has_a_licence_and_a_shape_for_each_output(name):
    entry = find(name)
    for spec in entry.specs:
        assert spec.licence == entry.licence
        if not entry.converter:
            assert set(spec.outputs) <= set(output_shapes(spec))


def published(name):
    """Return a network with the inputs and outputs that a published one has."""
    nchw, nhwc = (1, 3, 416, 416), (1, 256, 256, 3)
    rtmo = {'dets': (1, 9, 5), 'keypoints': (1, 9, 17, 3)}
    image, shapes, element_type = {
        'movenet-multipose': ((1, -1, -1, 3), {'output_0': (1, 6, 56)}, np.int32),
        'rtmo-t': (nchw, rtmo, np.float32),
        'rtmo-s': ((1, 3, 640, 640), rtmo, np.float32),
        'movenet-thunder': (nhwc, {'output_0': (1, 1, 17, 3)}, np.int32),
        'rtmpose-s': (
            (-1, 3, 256, 192), {'simcc_x': (1, 17, 384), 'simcc_y': (1, 17, 512)}, np.float32,
        ),
        'rtmpose-s-halpe26': (
            (-1, 3, 256, 192), {'simcc_x': (1, 26, 384), 'simcc_y': (1, 26, 512)}, np.float32,
        ),
        'yolox-tiny': (nchw, {'dets': (1, 9, 5), 'labels': (1, 9)}, np.float32),
        'rtmdet-nano': (
            (1, 3, 320, 320), {str(n): (1, n, n, 5) for n in (40, 20, 10)}, np.float32,
        ),
    }[name]  # fmt: skip
    outputs = {output: np.zeros(shape) for output, shape in shapes.items()}
    return graphs.constant_network(('input', image), outputs, element_type)


@pytest.mark.parametrize(
    'name',
    [
        'movenet-multipose', 'rtmo-t', 'rtmo-s', 'movenet-thunder', 'rtmpose-s',
        'rtmpose-s-halpe26', 'yolox-tiny', 'rtmdet-nano',
    ],
)  # fmt: skip
def test_a_contract_agrees_with_the_one_that_the_family_infers(name):
    """Fields that the graph does not tell are left out: sizes, NMS inside, licence, source."""
    model = published(name)
    stated = fit_spec(model, find(name).specs)
    graph = Graph(model)
    if stated.family == one_stage.FAMILY:
        inferred = one_stage.infer_spec(graph.signature)
    else:
        family = {f.FAMILY: f for f in (person_boxes, pose_network)}[stated.family]
        inferred = family.infer_spec(graph.inputs, graph.outputs)
    unknown = ('input_hw', 'resizable', 'nms_iou', 'licence', 'source')
    ignored = {field: getattr(stated, field) for field in unknown}
    assert dataclasses.replace(inferred, **ignored) == stated


@pytest.mark.parametrize('name', NAMES)
def test_a_contract_names_a_decoder_of_its_family(name):
    for spec in find(name).specs:
        if spec.family in (person_boxes.FAMILY, pose_network.FAMILY):
            family = {f.FAMILY: f for f in (person_boxes, pose_network)}[spec.family]
            assert spec.decoder in family.DECODERS
