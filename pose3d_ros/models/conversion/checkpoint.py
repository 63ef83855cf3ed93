"""Read the tensors of a PyTorch checkpoint without PyTorch.

Both serialisations of `torch.save` are read: the zip file of today, and the one of before 2020,
which is five pickles (magic number, protocol, system, object, keys of the storages) and then the
storages, each as an int64 count and its numbers. Either may be in a tar.gz. Nothing is unpacked to
the disk, and nothing in the file is executed.
"""

from __future__ import annotations

import io
import math
import zipfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.models import ModelError
from pose3d_ros.models.conversion.archive import decompress, unpack_tar
from pose3d_ros.models.conversion.pickled import Storage, StoredTensor, read_pickle

Tensors = dict[str, NDArray[Any]]

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C  # torch/serialization.py, MAGIC_NUMBER


def read_checkpoint(data: bytes) -> Tensors:
    """Read the tensors of a checkpoint by name.

    Parameters
    ----------
    data
        The bytes of a .pth file in either serialisation, or of a tar.gz that holds one: a
        state_dict, or a dict with the entry ``state_dict``.

    Returns
    -------
    Every tensor by its name, without the prefix ``module.`` of networks trained on several
    devices. The arrays are views of the data and cannot be written.

    Raises
    ------
    ModelError
        If the file is none of these, is damaged, or contains anything but tensors and containers.
    """
    if data.startswith(b'\x1f\x8b'):
        data = _checkpoint_of_archive(data)
    if data.startswith(b'PK'):
        content, storages = _read_zip(data)
    elif data.startswith(
        b'\x80\x02\x8a\x0a'
    ):  # protocol 2, an integer of 10 bytes: the magic number
        content, storages = _read_legacy(data)
    else:
        raise ModelError(
            'expected a PyTorch checkpoint (.pth) or a tar.gz of one, found a file that begins '
            f'{data[:8]!r}'
        )
    return {name: _view(name, tensor, storages) for name, tensor in _state_dict(content).items()}


def _checkpoint_of_archive(data: bytes) -> bytes:
    """Return the bytes of the only .pth in a tar.gz."""
    files = unpack_tar(decompress(data))
    found = [content for name, content in files.items() if name.endswith('.pth')]
    if len(found) != 1:
        raise ModelError(f'expected one .pth file in the archive, found {list(files)}')
    return found[0]


def _read_zip(data: bytes) -> tuple[Any, dict[str, bytes]]:
    """Return object and storages of today's serialisation: NAME/data.pkl and NAME/data/KEY."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = {entry.filename: entry for entry in archive.infolist()}
            # PyTorch never compresses; entries that overlap add up to more than the file.
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries.values()):
                raise ModelError(
                    'the checkpoint has compressed entries, which PyTorch never writes'
                )
            if sum(entry.file_size for entry in entries.values()) > len(data):
                raise ModelError("the checkpoint's entries are larger than the file itself")
            pickles = [name for name in entries if name.endswith('/data.pkl')]
            if len(pickles) != 1:
                raise ModelError(f'expected one data.pkl in the checkpoint, found {pickles}')
            root = pickles[0].removesuffix('data.pkl')
            if root + 'byteorder' in entries and archive.read(root + 'byteorder') != b'little':
                raise ModelError('the checkpoint was written on a big-endian machine')
            content, _ = read_pickle(io.BytesIO(archive.read(pickles[0])))
            folder = root + 'data/'
            storages = {
                name.removeprefix(folder): archive.read(name)
                for name in entries
                if name.startswith(folder)
            }
    except ModelError:
        raise
    except (
        zipfile.BadZipFile, ValueError, OSError, EOFError, RuntimeError, NotImplementedError,
    ) as error:  # fmt: skip
        raise ModelError(f'the checkpoint is damaged or cut short: {error}') from error
    return content, storages


def _read_legacy(data: bytes) -> tuple[Any, dict[str, bytes]]:
    """Return object and storages of the serialisation used before 2020."""
    file = io.BytesIO(data)
    magic, protocol, system = (read_pickle(file)[0] for _ in range(3))
    if magic != _LEGACY_MAGIC or protocol != 1001 or not isinstance(system, dict):
        raise ModelError(f'expected protocol 1001 of PyTorch, found {protocol!r} after {magic!r}')
    if system.get('little_endian') is not True:
        raise ModelError('the checkpoint was written on a big-endian machine')
    content, known = read_pickle(file)
    keys, _ = read_pickle(file)
    storages = {}
    for key in keys if isinstance(keys, list) else ():
        if key not in known:
            raise ModelError(
                f'the checkpoint has numbers under the key {key!r}, which no tensor names'
            )
        storages[key] = _legacy_storage(file, known[key])
    return content, storages


def _legacy_storage(file: io.BytesIO, storage: Storage) -> bytes:
    count = int.from_bytes(file.read(8), 'little')
    size = storage.count * storage.dtype.itemsize
    numbers = file.read(size)
    if count != storage.count or len(numbers) != size:
        raise ModelError(
            f'the checkpoint is damaged or cut short: expected {storage.count} numbers under the '
            'key '
            f'{storage.key!r}, found {min(count, len(numbers) // storage.dtype.itemsize)}'
        )
    return numbers


def _state_dict(content: Any) -> dict[str, StoredTensor]:
    if isinstance(content, dict):
        content = content.get('state_dict', content)
    if not isinstance(content, dict) or not content:
        raise ModelError('expected a state_dict with tensors in the checkpoint, found none')
    for name, tensor in content.items():
        if not isinstance(name, str) or not isinstance(tensor, StoredTensor):
            raise ModelError(
                f'expected tensors by name in the state_dict, found {name!r}: '
                f'{type(tensor).__name__}'
            )
    prefix = 'module.' if all(name.startswith('module.') for name in content) else ''
    return {name.removeprefix(prefix): tensor for name, tensor in content.items()}


def _view(name: str, tensor: StoredTensor, storages: dict[str, bytes]) -> NDArray[Any]:
    """Return a view of a tensor in its storage, after checking that it is within its bounds."""
    storage = tensor.storage
    data = storages.get(storage.key)
    if data is None or len(data) != storage.count * storage.dtype.itemsize:
        found = 'nothing' if data is None else f'{len(data)} bytes'
        raise ModelError(
            f'the checkpoint is damaged or cut short: expected {storage.count} numbers '
            f'{storage.dtype} '
            f'for {name}, found {found}'
        )
    size = math.prod(tensor.shape)
    last = tensor.offset + sum(
        (n - 1) * step for n, step in zip(tensor.shape, tensor.stride, strict=False)
    )
    if len(tensor.shape) != len(tensor.stride) or (size and last >= storage.count):
        raise ModelError(f'the tensor {name} reaches beyond the numbers stored for it')
    if size > storage.count:  # a stride of 0 can make a petabyte of one number
        raise ModelError(f'the tensor {name} has more numbers than are stored for it')
    numbers = np.frombuffer(data, storage.dtype)[tensor.offset :]
    stride = [step * storage.dtype.itemsize for step in tensor.stride]
    try:
        return np.lib.stride_tricks.as_strided(numbers, tensor.shape, stride, writeable=False)
    except (ValueError, OverflowError) as error:
        raise ModelError(
            f'the tensor {name} has a shape that cannot be: {tensor.shape}'
        ) from error
