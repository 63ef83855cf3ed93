"""Tensors are read from a checkpoint, and nothing else."""

import gzip
import io
import os
import pickle
import tarfile
import zipfile

import numpy as np
import pytest
from support import checkpoint_files as files

from pose3d_ros.models import ModelError
from pose3d_ros.models.conversion.checkpoint import read_checkpoint

ARRAYS = {
    'a.weight': np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    'a.bias': np.array([1.5, -2.0], np.float32),
    'a.num_batches_tracked': np.array(7, np.int64),
    'b': np.array([[0.1]], np.float64),
}


@pytest.mark.parametrize(
    'data',
    [
        files.legacy(ARRAYS),
        files.zipped(ARRAYS),
        files.zipped(ARRAYS, prefix=''),
        files.archive({'net.pth': files.legacy(ARRAYS), 'model/__init__.py': b'raise'}),
        files.archive({'./net.pth': files.zipped(ARRAYS)}),
    ],
    ids=['legacy', 'zip', 'zip without prefix', 'archive of legacy', 'archive of zip'],
)
def test_both_serialisations_give_the_tensors(data):
    tensors = read_checkpoint(data)
    assert list(tensors) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert tensors[name].dtype == array.dtype
        np.testing.assert_array_equal(tensors[name], array)


def test_a_view_of_a_storage_is_read_as_such():
    # Columns 1 and 2 of a 3 x 4 matrix, transposed.
    matrix = np.arange(12, dtype=np.float32).reshape(3, 4)
    view = files.tensor('0', matrix, shape=(2, 3), stride=(1, 4), offset=1)
    tensors = read_checkpoint(files.zipped({'m': matrix}, content={'v': view}))
    np.testing.assert_array_equal(tensors['v'], matrix[:, 1:3].T)


def test_the_state_of_an_optimizer_is_ignored_in_both_serialisations():
    arrays = {'w': np.ones(3, np.float32), 'momentum': np.zeros(3, np.float32)}
    for write, keys in ((files.legacy, ('1000', '1001')), (files.zipped, ('0', '1'))):
        w, momentum = (files.tensor(k, a) for k, a in zip(keys, arrays.values(), strict=True))
        content = {'state_dict': {'w': w}, 'optimizer': {'state': {0: {'momentum': momentum}}}}
        assert list(read_checkpoint(write(arrays, content))) == ['w']


class Malice:
    """Creates a folder when it is unpickled by Python's own unpickler."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def calls(name):
    module, _, function = name.rpartition('.')
    return files.Call(files.Name(module, function), ('echo',))


@pytest.mark.parametrize('write', [files.legacy, files.zipped])
@pytest.mark.parametrize(
    ('name'),
    [
        'os.system',
        'builtins.eval',
        'torch.load',
        'torch._utils._rebuild_sparse_tensor',
        'numpy.load',
    ],
)
def test_a_call_of_anything_else_is_refused_by_name(write, name):
    content = {'state_dict': {}, 'optimizer': calls(name)}
    with pytest.raises(ModelError, match=name):
        read_checkpoint(write(ARRAYS, content))


def test_a_name_that_is_not_called_is_refused():
    content = {'state_dict': {}, 'other': files.Name('os', 'system')}
    with pytest.raises(ModelError, match=r'os\.system'):
        read_checkpoint(files.zipped(ARRAYS, content))


@pytest.mark.parametrize('protocol', range(6))
def test_a_malicious_pickle_does_not_run(tmp_path, protocol):
    target = tmp_path / 'made'
    evil = pickle.dumps({'state_dict': Malice(target)}, protocol)
    prefix = b''.join(map(files.pickled, (0x1950A86A20F9469CFC6C, 1001, {'little_endian': True})))
    with pytest.raises(ModelError, match=r'mkdir|pickle instruction'):
        read_checkpoint(prefix + evil)
    assert not target.exists()
    pickle.loads(evil)  # it would have
    assert target.exists()


@pytest.mark.parametrize(
    'content',
    [
        files.Call(files.Name('collections', 'OrderedDict'), ([('a', 1)],)),
        files.Call(files.Name('torch', 'FloatStorage'), (3,)),
        files.Call(files.Name('torch._utils', '_rebuild_tensor_v2'), {'__code__': 1}, opcode=b'b'),
        {'w': 'text'},
        {'w': files.tensor('0', ARRAYS['b'], extra=(('view', 0, 1),))},
        {'state_dict': {}},
        {(1, 2): None},
        [],
    ],
)
def test_unexpected_contents_are_refused(content):
    with pytest.raises(ModelError):
        read_checkpoint(files.zipped({'w': ARRAYS['b']}, content))


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        ({'shape': (5,)}, 'beyond'),
        ({'offset': 1}, 'beyond'),
        ({'shape': (2, 2), 'stride': (3, 1)}, 'beyond'),
        ({'shape': (10**12,), 'stride': (0,)}, 'more numbers'),
        ({'shape': (4, 1), 'stride': (1,)}, 'beyond'),
        ({'shape': (-4,)}, 'count'),
        ({'shape': (1,), 'stride': (10**30,)}, 'cannot be'),
        ({'shape': (1,) * 70}, 'cannot be'),
    ],
)
def test_a_tensor_outside_of_its_numbers_is_refused(kwargs, message):
    array = np.ones(4, np.float32)
    with pytest.raises(ModelError, match=message):
        read_checkpoint(files.zipped({'w': array}, {'w': files.tensor('0', array, **kwargs)}))


@pytest.mark.parametrize('name', ['legacy', 'zip', 'archive'])
def test_a_file_that_is_cut_short_is_refused(name):
    legacy = files.legacy(ARRAYS)
    data = {
        'legacy': legacy,
        'zip': files.zipped(ARRAYS),
        'archive': files.archive({'net.pth': legacy}),
    }[name]
    # The last bytes of a tar are padding; a cut of the gzip trailer is found all the same.
    for size in [*range(0, len(data), 7), len(data) - 1]:
        with pytest.raises(ModelError):
            read_checkpoint(data[:size])


def test_any_changed_byte_of_a_zip_is_refused_or_harmless():
    data = bytearray(files.zipped(ARRAYS))
    for i in range(len(data)):
        changed = bytes(data[:i] + bytes([data[i] ^ 0x55]) + data[i + 1 :])
        try:
            read_checkpoint(changed)
        except ModelError:
            continue


@pytest.mark.parametrize('seed', range(20))
def test_random_damage_to_a_pickle_is_refused_or_harmless(seed):
    rng = np.random.default_rng(seed)
    data = np.frombuffer(files.legacy(ARRAYS), np.uint8)
    for _ in range(100):
        changed = data.copy()
        changed[rng.integers(20, len(data), 3)] = rng.integers(0, 256, 3)
        try:
            read_checkpoint(changed.tobytes())
        except ModelError:
            continue


def link(name, target):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    return info


@pytest.mark.parametrize(
    ('members', 'message'),
    [
        ({'../../evil.py': b'', 'net.pth': files.legacy(ARRAYS)}, r'\.\./\.\./evil\.py'),
        ({'/etc/passwd': b'', 'net.pth': files.legacy(ARRAYS)}, '/etc/passwd'),
        ({'net.pth': link('net.pth', '/etc/passwd')}, 'neither a file'),
        ({'a.pth': b'', 'b.pth': b''}, 'one .pth'),
        ({'readme': b''}, 'one .pth'),
    ],
)
def test_an_archive_with_other_members_is_refused(members, message):
    with pytest.raises(ModelError, match=message):
        read_checkpoint(files.archive(members))


def test_an_archive_that_unpacks_to_too_many_bytes_is_refused():
    with pytest.raises(ModelError, match='unpacks to more'):
        read_checkpoint(gzip.compress(bytes(257 * 2**20), 1))


def test_compressed_and_misplaced_pickles_are_refused():
    for compression, folder in ((zipfile.ZIP_DEFLATED, 'net/'), (zipfile.ZIP_STORED, 'other')):
        file = io.BytesIO()
        with zipfile.ZipFile(file, 'w', compression) as archive:
            archive.writestr(f'{folder}data.pkl', files.pickled({}))
        with pytest.raises(ModelError, match=r'compressed|one data\.pkl'):
            read_checkpoint(file.getvalue())


@pytest.mark.parametrize('data', [b'', b'<html>', b'\x93NUMPY', bytes(100)])
def test_other_files_are_refused(data):
    with pytest.raises(ModelError, match='expected a PyTorch checkpoint'):
        read_checkpoint(data)
