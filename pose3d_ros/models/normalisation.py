"""Whether the graph of a network already contains the normalisation of its input.

The same weights circulate as networks that take BGR 0..255, with mean and scale added by the
converter, and as bare networks to which the caller must pass (x - 128) / 255. With the wrong one
of the two, the network detects nothing and reports no error.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

# Where the conversions of this package state it in the graph, with the value 'inside'.
RT_INFO = ['pose3d_ros', 'normalisation']
# Input contract of human-pose-estimation-3d-0001: (x - mean) / scale of BGR 0..255.
OFFICIAL_MEAN, OFFICIAL_SCALE = 128.0, 255.0
# `fingerprint` of the shapes of its kernels.
OFFICIAL_KERNELS = 'e1231ff06ec5d787b239470de969ed6ba42ade6f7f2bb33cd98e777777eee7a6'
# Kernels of zeros that older exports add to it.
_EXPORTED_ZEROS = ((19, 19, 1, 1), (38, 38, 1, 1))

# Operations between the input and its normalisation that change type and layout only.
_PASSING = ('Convert', 'Transpose', 'Reshape', 'Squeeze', 'Unsqueeze', 'FakeQuantize')
_ARITHMETIC = ('Add', 'Subtract', 'Multiply', 'Divide')
_CONVOLUTIONS = ('Convolution', 'GroupConvolution')
_MAX_OPERATIONS = 16  # after the input, that are examined


def normalisation_inside(model: ov.Model) -> bool | None:
    """Return whether a network normalises its input itself.

    Parameters
    ----------
    model
        As read from its file, before anything is added to it.

    Returns
    -------
    True
        The caller passes plain values: the network was converted by this package, or constants are
        added to or multiplied with its input (of the official network: 128 is subtracted).
    False
        The official network, known by the shapes of its convolutions, and nothing is subtracted
        from the input: the caller must pass (x - 128) / 255. A mean cannot hide in the first
        convolution, which pads with zeros.
    None
        Unknown, as of another network without arithmetic at its input: the user must state it.

    Notes
    -----
    A scale cannot be found: converters multiply the first kernel with it. A network whose input
    has a mean subtracted is assumed to be scaled, and one without a mean not to be.
    """
    if model.has_rt_info(RT_INFO):
        stated = model.get_rt_info(RT_INFO).astype(str)
        return {'inside': True, 'outside': False}.get(stated)
    parameters = model.get_parameters()
    affine = _affine(parameters[0]) if len(parameters) == 1 else None
    if affine is None:
        return None
    scale, shift = affine
    identity = np.all(scale == 1) and np.all(shift == 0)
    if not is_official(model):
        return None if identity else True
    if np.all(shift == 0):
        # No published network has a scale alone.
        return False if identity else None
    with np.errstate(divide='ignore'):
        mean = -shift / scale
    # float16 constants keep three digits.
    return True if np.allclose(mean, OFFICIAL_MEAN, rtol=0.01) else None


def mark_inside(model: ov.Model) -> None:
    """Write into the graph that it normalises its input itself."""
    model.set_rt_info('inside', RT_INFO)


def is_official(model: ov.Model) -> bool:
    """Return whether a network has the convolutions of the official one, in any conversion."""
    kernels = Counter(_kernel_shapes(model)) - Counter(_EXPORTED_ZEROS)
    return fingerprint(kernels.elements()) == OFFICIAL_KERNELS


def fingerprint(shapes: Iterable[tuple[int, ...]]) -> str:
    """Return a checksum of shapes of kernels, in any order."""
    return hashlib.sha256(repr(sorted(shapes)).encode()).hexdigest()


def _kernel_shapes(model: ov.Model) -> Iterator[tuple[int, ...]]:
    for node in model.get_ops():
        kind = node.get_type_name()
        if kind not in _CONVOLUTIONS:
            continue
        kernel = node.input(1).get_partial_shape()
        if kernel.is_static:
            shape = tuple(kernel.to_shape())
            # OpenVINO's depthwise kernels are (groups, 1, 1, h, w), PyTorch's (groups, 1, h, w).
            yield shape[:1] + shape[2:] if kind == 'GroupConvolution' else shape


def _affine(parameter: Any) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Return scale and shift that constants apply to an input; None if they cannot be followed."""
    node, scale, shift = parameter, np.ones(1), np.zeros(1)
    for _ in range(_MAX_OPERATIONS):
        readers = [
            target
            for target in node.output(0).get_target_inputs()
            if target.get_node().get_type_name() != 'ShapeOf'
        ]
        if len({target.get_node().get_friendly_name() for target in readers}) != 1:
            return (scale, shift) if np.any(shift) else None  # where the network branches
        port, node = readers[0].get_index(), readers[0].get_node()
        kind = node.get_type_name()
        if kind in _ARITHMETIC:
            constant = _constant(node.input_value(1 - port).get_node())
            if constant is None or (kind in ('Subtract', 'Divide') and port == 1):
                return None
            if kind == 'Multiply':
                scale, shift = scale * constant, shift * constant
            elif kind == 'Divide':
                scale, shift = scale / constant, shift / constant
            else:
                shift = shift + (constant if kind == 'Add' else -constant)
        elif kind in _CONVOLUTIONS:
            break
        elif kind not in _PASSING:
            return None
    return scale, shift


def _constant(node: Any) -> NDArray[Any] | None:
    """Return a constant of at most four numbers, in any type; None for another operation."""
    while node.get_type_name() == 'Convert':
        node = node.input_value(0).get_node()
    if node.get_type_name() != 'Constant' or node.get_data().size > 4:
        return None
    return np.asarray(node.get_data(), np.float64).reshape(-1)
