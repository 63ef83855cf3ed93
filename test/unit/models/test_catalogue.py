"""The catalogue's entries agree with what installs and runs them."""

from importlib import import_module
from pathlib import PurePosixPath

import pytest

from pose3d_ros.models import ModelError
from pose3d_ros.models.catalogue import CATALOGUE, DEFAULT_MODEL, find
from pose3d_ros.models.contracts import output_shapes
from pose3d_ros.models.store import PRECISIONS

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
