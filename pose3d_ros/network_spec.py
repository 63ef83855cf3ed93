"""What a network takes and what it gives: its contract, and the file that states it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pose3d_ros.models import ModelError
from pose3d_ros.wording import did_you_mean

PerChannel: TypeAlias = tuple[float, float, float]
# Height and width, px; a width of None follows from the shape of the images.
InputSize: TypeAlias = tuple[int, int | None] | None

SUFFIX = '.spec.json'
# Largest side of an input that a contract may state, px: it bounds the memory that a wrong file
# can ask for.
MAX_SIDE_PX = 8192
# Mean and standard deviation of ImageNet's images, RGB, 0 to 255.
IMAGENET_MEAN: PerChannel = (123.675, 116.28, 103.53)
IMAGENET_SCALE: PerChannel = (58.395, 57.12, 57.375)


@dataclass(frozen=True)
class NetworkSpec:
    """The contract of a network that takes images.

    Parameters
    ----------
    family
        Which detector decodes the outputs: a key of ``detection.open_detector.FAMILIES``.
    keypoint_set
        Which keypoints the network has, in which order: a key of
        ``detection.keypoint_sets.KEYPOINT_SETS``. '': it has none (a person detector).
    outputs
        Name of the output tensor for each meaning that the family knows.
    decoder
        Which layout of outputs it has, where the family knows several.
    layout, colour
        Of the input: order of the axes and of the channels.
    mean, scale
        The network takes ``(x - mean) / scale`` of values 0 to 255, for each channel in the order
        of `colour`. 0 and 1: the values as they are, because the graph normalises its input itself
        or was trained without.
    input_hw
        Height and width of the input unless the user sets another, px. None: that of the file, or,
        where the graph takes any size, the default number of lines in the aspect of the images.
    resizable
        Whether the graph takes inputs of other sizes.
    size_multiple
        Height and width of the input must be multiples of this, px.
    size_input
        Name of a second input that takes the width and height of the image input, px. '': the
        network has none.
    fit
        How an image is fitted into the input: scaled and centred, scaled and put top left, or
        stretched to its size.
    padding
        Value of the pixels that the image does not cover, 0 to 255.
    coordinates
        Unit of the positions in the outputs: px of the input, or shares of its width and height.
        0 is the outer edge of the first pixel.
    order
        Order of the coordinates of a position.
    row
        One stage, an output that has a row of numbers per person: the fields of the row in their
        order, of 'box' (4 numbers), 'score' (1), 'class' (1, not used) and 'keypoints' (2 or 3
        numbers each, with a score where there are 3).
    box
        What the four numbers of a box are: two corners, or the centre and the size. In the
        `order` of positions.
    nms_iou
        Two boxes with a larger overlap (intersection over union) are one person. None: the graph
        suppresses duplicates itself.
    crop_margin
        A network on crops sees each person's box enlarged by this factor.
    licence, source
        SPDX name of the licence, and where the network comes from. '': unknown.
    """

    family: str
    keypoint_set: str
    outputs: Mapping[str, str]
    decoder: str = ''
    layout: Literal['NCHW', 'NHWC'] = 'NCHW'
    colour: Literal['bgr', 'rgb'] = 'bgr'
    mean: PerChannel = (0.0, 0.0, 0.0)
    scale: PerChannel = (1.0, 1.0, 1.0)
    input_hw: tuple[int, int] | None = None
    resizable: bool = True
    size_multiple: int = 8
    size_input: str = ''
    fit: Literal['centred', 'top_left', 'stretched'] = 'centred'
    padding: int = 128
    coordinates: Literal['px', 'share'] = 'px'
    order: Literal['xy', 'yx'] = 'xy'
    row: tuple[str, ...] = ()
    box: Literal['corners', 'centre'] = 'corners'
    nms_iou: float | None = None
    crop_margin: float = 1.25
    licence: str = ''
    source: str = ''

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON has them, without those that have their default."""
        values = asdict(self)
        defaults = {f.name: f.default for f in fields(self)}
        values['outputs'] = dict(self.outputs)
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if value != defaults[name]
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], source: str = 'spec') -> NetworkSpec:
        """Make a contract of the fields that a file states.

        Parameters
        ----------
        values
            As `to_dict` returns them.
        source
            Where they come from; errors begin with it.

        Raises
        ------
        ModelError
            If a field is unknown, missing, or has a value that it cannot have.
        """
        if not isinstance(values, Mapping):
            raise ModelError(f'{source}: expected an object with the fields of a NetworkSpec, '
                             f'found {values!r}')  # fmt: skip
        known = [f.name for f in fields(cls)]
        for name in values:
            if name not in known:
                hint = did_you_mean(known, str(name)) or f'; known are {", ".join(known)}'
                raise ModelError(f'{source}: unknown field {name!r}{hint}')
        for name in ('family', 'keypoint_set', 'outputs'):
            if name not in values:
                raise ModelError(f'{source}: the field {name} is missing')
        checked: dict[str, Any] = {}
        for name, value in values.items():
            expected, check = _CHECKS[name]
            if not check(value):
                raise ModelError(f'{source}: {name} must be {expected}, found {value!r}')
            checked[name] = tuple(value) if isinstance(value, list) else value
        if checked.get('row') and 'keypoints' not in checked['row']:
            raise ModelError(f"{source}: row must contain 'keypoints', found {values['row']!r}")
        return cls(**checked)


def spec_path(model: str | os.PathLike[str]) -> Path:
    """Return where the contract of a model file is looked for: NAME.spec.json beside it."""
    return Path(model).with_suffix(SUFFIX)


def read_spec(path: str | os.PathLike[str]) -> NetworkSpec:
    """Read a contract from a JSON file.

    Raises
    ------
    ModelError
        If the file cannot be read, is no JSON, or states what a contract cannot have.
    """
    try:
        text = Path(path).read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else 'it is no text in UTF-8'
        raise ModelError(f'spec {path} cannot be read: {reason}') from error
    return parse_spec(text, f'spec {path}')


def parse_spec(text: str, source: str) -> NetworkSpec:
    """Make a contract of JSON; `source` begins the message of a ModelError."""
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise ModelError(f'{source} is no JSON: {error}') from error
    return NetworkSpec.from_dict(values, source)


def write_spec(spec: NetworkSpec, path: str | os.PathLike[str]) -> None:
    """Write a contract as JSON, one field a line."""
    Path(path).write_text(json.dumps(spec.to_dict(), indent=1) + '\n', encoding='utf-8')


def _is_number(value: object, low: float, high: float) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and low <= value <= high  # type: ignore[operator]


def _is_integer(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and _is_number(value, low, high)


def _is_list(value: object, length: int, check: Callable[[object], bool]) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == length and all(map(check, value))


def _is_outputs(value: object) -> bool:
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(text, str) and text for pair in value.items() for text in pair)
    )


def _is_row(value: object) -> bool:
    known = {'box', 'score', 'class', 'keypoints'}
    return (
        isinstance(value, (list, tuple))
        and all(isinstance(name, str) and name in known for name in value)
        and len(set(value)) == len(value)
    )


_Check: TypeAlias = tuple[str, Callable[[Any], bool]]


def _choice(*values: str) -> _Check:
    return f'one of {", ".join(values)}', lambda value: isinstance(value, str) and value in values


# Of each field: what is expected, in words, and the check.
_TEXT: _Check = ('a text', lambda value: isinstance(value, str))
_CHECKS: dict[str, _Check] = {
    'family': ('a text that is not empty', lambda value: isinstance(value, str) and value != ''),
    'keypoint_set': _TEXT,
    'outputs': ('an object of meaning: name of an output', _is_outputs),
    'decoder': _TEXT,
    'layout': _choice('NCHW', 'NHWC'),
    'colour': _choice('bgr', 'rgb'),
    'mean': (
        'three numbers from 0 to 255',
        lambda value: _is_list(value, 3, lambda x: _is_number(x, 0, 255)),
    ),
    'scale': (
        'three numbers from 0.001 to 1000',
        lambda value: _is_list(value, 3, lambda x: _is_number(x, 0.001, 1000)),
    ),
    'input_hw': (
        f'null or height and width, from 1 to {MAX_SIDE_PX} px',
        lambda v: v is None or _is_list(v, 2, lambda x: _is_integer(x, 1, MAX_SIDE_PX)),
    ),
    'resizable': ('true or false', lambda value: isinstance(value, bool)),
    'size_multiple': ('an integer from 1 to 256', lambda value: _is_integer(value, 1, 256)),
    'size_input': _TEXT,
    'fit': _choice('centred', 'top_left', 'stretched'),
    'padding': ('an integer from 0 to 255', lambda value: _is_integer(value, 0, 255)),
    'coordinates': _choice('px', 'share'),
    'order': _choice('xy', 'yx'),
    'row': ('a list of different ones of box, score, class, keypoints', _is_row),
    'box': _choice('corners', 'centre'),
    'nms_iou': (
        'null or a number from 0 to 1',
        lambda value: value is None or _is_number(value, 0, 1),
    ),
    'crop_margin': ('a number from 1 to 4', lambda value: _is_number(value, 1, 4)),
    'licence': _TEXT,
    'source': _TEXT,
}
