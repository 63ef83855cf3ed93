"""Checkpoints as PyTorch writes them, encoded without PyTorch."""

import gzip
import io
import struct
import tarfile
import zipfile
from dataclasses import dataclass

import numpy as np

from synthetic.random_network import random_tensors as random_tensors


@dataclass(frozen=True)
class Name:
    """A pickled reference to an importable object."""

    module: str
    name: str


@dataclass(frozen=True)
class Call:
    """A pickled call, or (opcode b) attributes for an object, or (Q, on None) a persistent id."""

    function: object
    arguments: object
    opcode: bytes = b'R'


ORDERED_DICT = Call(Name('collections', 'OrderedDict'), ())


def pickled(value):
    return b'\x80\x02' + _opcodes(value) + b'.'


def _opcodes(value):
    if value is None:
        return b'N'
    if isinstance(value, bool):
        return b'\x88' if value else b'\x89'
    if isinstance(value, int):
        if abs(value) < 2**31:
            return b'J' + struct.pack('<i', value)
        number = value.to_bytes(value.bit_length() // 8 + 1, 'little', signed=True)
        return b'\x8a' + bytes([len(number)]) + number
    if isinstance(value, float):
        return b'G' + struct.pack('>d', value)
    if isinstance(value, str):
        return b'X' + struct.pack('<I', len(value.encode())) + value.encode()
    if isinstance(value, tuple):
        return b'(' + b''.join(map(_opcodes, value)) + b't'
    if isinstance(value, list):
        return b'](' + b''.join(map(_opcodes, value)) + b'e'
    if isinstance(value, dict):
        return b'}(' + b''.join(_opcodes(x) for item in value.items() for x in item) + b'u'
    if isinstance(value, Name):
        return f'c{value.module}\n{value.name}\n'.encode()
    if value.opcode == b'Q':
        return _opcodes(value.arguments) + b'Q'
    return _opcodes(value.function) + _opcodes(value.arguments) + value.opcode


def tensor(key, array, *, shape=None, stride=None, offset=0, extra=()):
    """Return the pickled form of a tensor whose numbers are stored under a key."""
    kind = {'f': 'FloatStorage', 'd': 'DoubleStorage', 'l': 'LongStorage'}[array.dtype.char]
    storage = Call(
        None, ('storage', Name('torch', kind), key, 'cpu', array.size, *extra), opcode=b'Q'
    )
    shape = array.shape if shape is None else shape
    if stride is None:
        stride = tuple(int(np.prod(shape[i + 1 :])) for i in range(len(shape)))
    return Call(
        Name('torch._utils', '_rebuild_tensor_v2'),
        (storage, offset, tuple(shape), stride, False, ORDERED_DICT),
    )


def legacy(arrays, content=None):
    """Return the serialisation used before 2020, by default of a bare state_dict."""
    keys = {name: str(1000 + i) for i, name in enumerate(arrays)}
    if content is None:
        content = {n: tensor(keys[n], array, extra=(None,)) for n, array in arrays.items()}
        # A state_dict has an attribute, which is pickled too.
        content = Call(content, {'_metadata': {'': {'version': 1}}}, opcode=b'b')
    parts = [0x1950A86A20F9469CFC6C, 1001, {'protocol_version': 1001, 'little_endian': True}]
    parts += [content, list(keys.values())]
    numbers = (struct.pack('<q', array.size) + array.tobytes() for array in arrays.values())
    return b''.join(map(pickled, parts)) + b''.join(numbers)


def zipped(arrays, content=None, prefix='module.'):
    """Return today's serialisation, by default of {'state_dict': ...} with prefixed names."""
    keys = {name: str(i) for i, name in enumerate(arrays)}
    if content is None:
        state = {prefix + name: tensor(keys[name], array) for name, array in arrays.items()}
        content = {'state_dict': state, 'iter': 7, 'optimizer': {'param_groups': [{'lr': 0.1}]}}
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w') as archive:
        archive.writestr('net/data.pkl', pickled(content))
        archive.writestr('net/byteorder', 'little')
        for name, array in arrays.items():
            archive.writestr(f'net/data/{keys[name]}', array.tobytes())
        archive.writestr('net/version', '3\n')
    return file.getvalue()


def archive(members):
    """Return a tar.gz of files by name; a value that is a TarInfo is added as it is."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode='w') as tar:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return gzip.compress(file.getvalue(), compresslevel=1)
