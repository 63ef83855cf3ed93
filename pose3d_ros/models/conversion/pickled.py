"""Read a pickle of tensors and containers, and nothing else.

Python's own unpickler imports and calls what the data names, and with a filter on names it still
sets attributes of the objects that pass. Here `pickletools` splits the pickle into opcodes, which
executes nothing, and the few that PyTorch writes (protocol 2) are interpreted. Any other opcode or
name is refused.
"""

from __future__ import annotations

import pickletools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from pose3d_ros.models import ModelError

# torch/storage.py: the types that numpy has too, little-endian.
_STORAGE_DTYPES = {
    'torch DoubleStorage': '<f8',
    'torch FloatStorage': '<f4',
    'torch HalfStorage': '<f2',
    'torch LongStorage': '<i8',
    'torch IntStorage': '<i4',
    'torch ShortStorage': '<i2',
    'torch CharStorage': '<i1',
    'torch ByteStorage': '<u1',
    'torch BoolStorage': '|b1',
}
_DICT = 'collections OrderedDict'
_TENSOR = 'torch._utils _rebuild_tensor_v2'
_PARAMETER = 'torch._utils _rebuild_parameter'
_NAMES = {_DICT, _TENSOR, _PARAMETER, *_STORAGE_DTYPES}

_CONSTANTS = {'NONE': None, 'NEWTRUE': True, 'NEWFALSE': False}
_VALUES = {'BININT', 'BININT1', 'BININT2', 'LONG1', 'BINFLOAT', 'BINUNICODE'}
_TUPLES = {'TUPLE1': 1, 'TUPLE2': 2, 'TUPLE3': 3}


@dataclass(frozen=True)
class Storage:
    """A block of numbers elsewhere in the file, with its key."""

    key: str
    dtype: np.dtype[Any]
    count: int


@dataclass(frozen=True)
class StoredTensor:
    """A tensor as a view of a storage; ``offset`` and ``stride`` count numbers, not bytes."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


@dataclass(frozen=True)
class _Name:
    name: str


def read_pickle(file: BinaryIO) -> tuple[Any, dict[str, Storage]]:
    """Read one pickle, up to its end.

    Parameters
    ----------
    file
        Read from its position, which is after the pickle when the function returns.

    Returns
    -------
    The object, of numbers, strings, None, tuples, lists, dicts and StoredTensor; and all storages
    by their keys.

    Raises
    ------
    ModelError
        If it contains anything else, which is named, or is damaged.
    """
    machine = _Machine()
    try:
        for opcode, argument, _ in pickletools.genops(file):
            machine.step(opcode.name, argument)
        (result,) = machine.stack
    except ModelError:
        raise
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise ModelError(
            f'the checkpoint is damaged: its pickle does not parse ({error})'
        ) from error
    return result, machine.storages


class _Machine:
    """State of the pickle machine: stack, marks, memo, and the storages found so far."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.storages: dict[str, Storage] = {}

    def step(self, opcode: str, argument: Any) -> None:
        push = self.stack.append
        if opcode in _CONSTANTS:
            push(_CONSTANTS[opcode])
        elif opcode in _VALUES:
            push(argument)
        elif opcode in ('BINPUT', 'LONG_BINPUT'):
            self.memo[argument] = self.stack[-1]
        elif opcode in ('BINGET', 'LONG_BINGET'):
            push(self.memo[argument])
        elif opcode == 'GLOBAL':
            push(_name(argument))
        elif opcode == 'BINPERSID':
            storage = _storage(self.stack.pop())
            push(self.storages.setdefault(storage.key, storage))
        elif opcode in ('REDUCE', 'BUILD'):
            self._apply(opcode)
        elif opcode not in ('PROTO', 'STOP'):
            self._contain(opcode)

    def _contain(self, opcode: str) -> None:
        """Create and fill tuples, lists and dicts."""
        if opcode == 'MARK':
            self.marks.append(self.stack)
            self.stack = []
        elif opcode == 'EMPTY_DICT':
            self.stack.append({})
        elif opcode == 'EMPTY_LIST':
            self.stack.append([])
        elif opcode == 'EMPTY_TUPLE':
            self.stack.append(())
        elif opcode == 'TUPLE':
            values = tuple(self._since_mark())  # first: it changes the stack
            self.stack.append(values)
        elif opcode in _TUPLES:
            count = _TUPLES[opcode]
            if len(self.stack) < count:
                raise ValueError('a tuple of more items than the stack has')
            self.stack[-count:] = [tuple(self.stack[-count:])]
        elif opcode in ('APPEND', 'APPENDS'):
            items = self._since_mark() if opcode == 'APPENDS' else [self.stack.pop()]
            _instance(self.stack[-1], list).extend(items)
        elif opcode in ('SETITEM', 'SETITEMS'):
            items = self._since_mark() if opcode == 'SETITEMS' else [*self._pop_two()]
            _fill(_instance(self.stack[-1], dict), items)
        else:
            raise ModelError(
                f'the checkpoint holds the pickle instruction {opcode}: only tensors and '
                'containers '
                'as PyTorch writes them are read'
            )

    def _apply(self, opcode: str) -> None:
        """Apply a function to its arguments, or attributes to an object, both on the stack."""
        target, argument = self._pop_two()
        if opcode == 'BUILD':  # the attribute _metadata of a state_dict, which is of no use here
            _instance(argument, dict)
            self.stack.append(_instance(target, dict))
        else:
            self.stack.append(_call(_instance(target, _Name).name, _instance(argument, tuple)))

    def _since_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.marks.pop()
        return items

    def _pop_two(self) -> tuple[Any, Any]:
        second = self.stack.pop()
        return self.stack.pop(), second


def _name(name: str) -> _Name:
    if name not in _NAMES:
        raise ModelError(
            f'the checkpoint names {name.replace(" ", ".")}: only tensors and containers are '
            'read; nothing was imported or executed'
        )
    return _Name(name)


def _call(name: str, arguments: tuple[Any, ...]) -> Any:
    if name == _DICT and not arguments:
        return {}
    if name == _PARAMETER:
        return _instance(arguments[0], StoredTensor)
    if name == _TENSOR:
        storage, offset, shape, stride = arguments[:4]
        return StoredTensor(
            _instance(storage, Storage), _count(offset), _counts(shape), _counts(stride)
        )
    raise ModelError(f'the checkpoint calls {name.replace(" ", ".")} in a way that is not known')


def _storage(identity: Any) -> Storage:
    kind, name, key, _, count, *view = _instance(identity, tuple)
    if kind != 'storage' or view not in ([], [None]):
        raise ValueError(f'a reference to {kind!r} with {view}')
    name = _instance(name, _Name).name
    if name not in _STORAGE_DTYPES:
        raise ValueError(f'a storage of {name}')
    return Storage(_instance(key, str), np.dtype(_STORAGE_DTYPES[name]), _count(count))


def _fill(target: dict[Any, Any], items: Iterable[Any]) -> None:
    pairs = iter(items)
    for key, value in zip(pairs, pairs, strict=True):
        if not isinstance(key, (str, int)):  # hashing nested tuples can exhaust the stack
            raise ValueError(f'a dict with a key of type {type(key).__name__}')
        target[key] = value


def _counts(numbers: Any) -> tuple[int, ...]:
    return tuple(_count(number) for number in _instance(numbers, tuple))


def _count(number: Any) -> int:
    if not isinstance(number, int) or number < 0:
        raise ValueError(f'{number!r} where a count must be')
    return number


def _instance(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f'{type(value).__name__} where {kind.__name__} must be')
    return value
