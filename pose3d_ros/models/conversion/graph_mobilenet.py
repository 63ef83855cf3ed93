"""The network human-pose-estimation-3d-0001 as an OpenVINO graph, from its tensors.

Structure: Lightweight OpenPose (https://arxiv.org/abs/1811.12004) with a head for location maps
after https://arxiv.org/abs/1712.03453; published as models/with_mobilenet.py and modules/conv.py
of Daniil-Osokin/lightweight-human-pose-estimation-3d-demo.pytorch. `layout` states the
tensors with their shapes; `build` connects them, and takes the numbers of channels from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import openvino as ov
import openvino.opset13 as ops
from numpy.typing import NDArray

from pose3d_ros.models import ModelError
from pose3d_ros.models.conversion.checkpoint import read_checkpoint
from pose3d_ros.models.normalisation import OFFICIAL_MEAN, OFFICIAL_SCALE

INPUT_SHAPE = (1, 3, 256, 448)

_EPSILON = 1e-5  # of every batch norm
_FEATURES, _HEATMAPS, _PAFS = 57, 19, 38
_TRUNK = 128  # channels after the backbone
# The backbone's separable convolutions: channels in and out, stride, dilation.
_SEPARABLE = (
    (32, 64, 1, 1), (64, 128, 2, 1), (128, 128, 1, 1), (128, 256, 2, 1), (256, 256, 1, 1),
    (256, 512, 1, 1),
    (512, 512, 1, 2), (512, 512, 1, 1), (512, 512, 1, 1), (512, 512, 1, 1), (512, 512, 1, 1),
)  # fmt: skip
_REFINEMENT = 'refinement_stages.0'
_FAKE = {'heatmaps': 'fake_conv_heatmaps.weight', 'pafs': 'fake_conv_pafs.weight'}

Shapes = dict[str, tuple[int, ...]]
Weights = Mapping[str, NDArray[Any]]


def layout() -> Shapes:
    """Return the shape of every tensor of the network by its name."""
    shapes = _convolution('model.0', 32, 3, 3, bias=False, norm=True)
    for i, (into, out, _, _) in enumerate(_SEPARABLE, 1):
        shapes |= {f'model.{i}.0.weight': (into, 1, 3, 3), **_norm(f'model.{i}.1', into)}
        shapes |= {f'model.{i}.3.weight': (out, into, 1, 1), **_norm(f'model.{i}.4', out)}
    shapes |= _convolution('cpm.align', _TRUNK, 512) | _convolution('cpm.conv', _TRUNK, _TRUNK, 3)
    for i in range(3):
        shapes[f'cpm.trunk.{i}.0.weight'] = (_TRUNK, 1, 3, 3)
        shapes[f'cpm.trunk.{i}.2.weight'] = (_TRUNK, _TRUNK, 1, 1)
        shapes |= _convolution(f'initial_stage.trunk.{i}', _TRUNK, _TRUNK, 3)
    maps = _HEATMAPS + _PAFS
    for stage, middle in (('initial_stage', 512), (_REFINEMENT, _TRUNK)):
        shapes |= _output(f'{stage}.heatmaps', middle, _HEATMAPS)
        shapes |= _output(f'{stage}.pafs', middle, _PAFS)
    shapes |= _refinement_blocks(f'{_REFINEMENT}.trunk', 5, _TRUNK + maps)
    shapes |= _convolution('Pose3D.stem.0.align', _TRUNK, _TRUNK + maps, norm=True)
    for i in range(5):
        into = _TRUNK if i else _TRUNK + maps
        name = f'Pose3D.stem.{i}.bottleneck'
        shapes |= _convolution(f'{name}.0', into // 2, into, norm=True)
        shapes |= _convolution(f'{name}.1', into // 2, into // 2, 3, norm=True)
        shapes |= _convolution(f'{name}.2', _TRUNK, into // 2, norm=True)
    shapes |= _refinement_blocks('Pose3D.prediction.trunk', 2, _TRUNK)
    return shapes | _output('Pose3D.prediction.feature_maps', _TRUNK, _FEATURES)


def _convolution(
    name: str, out: int, into: int, kernel: int = 1, *, bias: bool = True, norm: bool = False
) -> Shapes:
    shapes: Shapes = {f'{name}.0.weight': (out, into, kernel, kernel)}
    if bias:
        shapes[f'{name}.0.bias'] = (out,)
    return shapes | (_norm(f'{name}.1', out) if norm else {})


def _norm(name: str, channels: int) -> Shapes:
    parts = ('weight', 'bias', 'running_mean', 'running_var')
    return {f'{name}.{part}': (channels,) for part in parts}


def _output(name: str, middle: int, out: int) -> Shapes:
    return _convolution(f'{name}.0', middle, _TRUNK) | _convolution(f'{name}.1', out, middle)


def _refinement_blocks(name: str, blocks: int, into: int) -> Shapes:
    shapes: Shapes = {}
    for i in range(blocks):
        shapes |= _convolution(f'{name}.{i}.initial', _TRUNK, _TRUNK if i else into)
        for j in range(2):
            shapes |= _convolution(f'{name}.{i}.trunk.{j}', _TRUNK, _TRUNK, 3, norm=True)
    return shapes


def check(tensors: Weights) -> None:
    """Raise ModelError unless all tensors are there, known, finite and of the right shape."""
    expected = layout()
    fake = {_FAKE['heatmaps']: (_HEATMAPS,) * 2 + (1, 1), _FAKE['pafs']: (_PAFS,) * 2 + (1, 1)}
    faults = [f'{name} is missing' for name in expected if name not in tensors]
    for name, tensor in tensors.items():
        shape = expected.get(name) or fake.get(name)
        if name.endswith('.num_batches_tracked'):  # counts training steps
            continue
        if shape is None:
            faults.append(f'{name} is not a tensor of it')
        elif tensor.shape != shape:
            faults.append(f'{name} must have shape {shape}, found {tensor.shape}')
        elif tensor.dtype.kind != 'f' or not np.isfinite(tensor).all():
            faults.append(f'{name} must be finite floats, found {tensor.dtype}')
    if faults:
        more = f' and {len(faults) - 5} more' if len(faults) > 5 else ''
        raise ModelError(
            f'not a checkpoint of human-pose-estimation-3d-0001: {"; ".join(faults[:5])}{more}'
        )


def convert(checkpoint: bytes) -> ov.Model:
    """Build the network from its checkpoint: see `checkpoint.read_checkpoint` and `build`."""
    return build(read_checkpoint(checkpoint))


def build(tensors: Weights) -> ov.Model:
    """Build the network.

    Parameters
    ----------
    tensors
        Those of `layout`, by name.

    Returns
    -------
    Network with the input ``data`` (1, 3, 256, 448) float32, BGR 0..255, which it normalises, and
    which ``reshape`` changes to any multiple of 8; outputs ``features`` (1, 57, h, w),
    ``heatmaps`` (1, 19, h, w) and ``pafs`` (1, 38, h, w) with stride 8.

    Raises
    ------
    ModelError
        If the tensors are not those of `layout`.
    """
    check(tensors)
    data = ops.parameter(INPUT_SHAPE, np.float32, 'data')
    data.set_layout(ov.Layout('NCHW'))
    data.output(0).get_tensor().set_names({'data'})
    x = ops.divide(ops.subtract(data, np.float32(OFFICIAL_MEAN)), np.float32(OFFICIAL_SCALE))
    shared = _cpm(tensors, _backbone(tensors, x))
    x = shared
    for i in range(3):
        x = ops.relu(_conv(tensors, f'initial_stage.trunk.{i}.0', x))
    first = [_head(tensors, f'initial_stage.{name}', x) for name in ('heatmaps', 'pafs')]
    x = _refine(tensors, f'{_REFINEMENT}.trunk', 5, ops.concat([shared, *first], 1))
    maps = {name: _head(tensors, f'{_REFINEMENT}.{name}', x) for name in ('heatmaps', 'pafs')}
    x = _stem(tensors, ops.concat([shared, *maps.values()], 1))
    x = _refine(tensors, 'Pose3D.prediction.trunk', 2, x)
    outputs = {'features': _head(tensors, 'Pose3D.prediction.feature_maps', x)}
    outputs |= {name: _fake(tensors, name, output) for name, output in maps.items()}
    for name, node in outputs.items():
        node.output(0).get_tensor().set_names({name})
        node.set_friendly_name(name)
    results = [ops.result(node) for node in outputs.values()]
    return ov.Model(results, [data], 'human-pose-estimation-3d-0001')


def _conv(
    tensors: Weights, name: str, x: Any, norm: str | None = None, *,
    stride: int = 1, dilation: int = 1,
) -> Any:  # fmt: skip
    """Convolution that keeps the size (but for the stride), its batch norm folded into it."""
    kernel = tensors[f'{name}.weight'].astype(np.float64)
    bias = tensors.get(f'{name}.bias')
    if norm is not None:
        scale, mean, shift = (
            tensors[f'{norm}.{part}'].astype(np.float64)
            for part in ('weight', 'running_mean', 'bias')
        )
        scale = scale / np.sqrt(tensors[f'{norm}.running_var'].astype(np.float64) + _EPSILON)
        kernel = kernel * scale[:, None, None, None]
        bias = ((0.0 if bias is None else bias) - mean) * scale + shift
    padding = [dilation * (kernel.shape[2] // 2)] * 2
    shape = ([stride] * 2, padding, padding, [dilation] * 2)
    if kernel.shape[1] == 1:  # depthwise: as many groups as channels
        x = ops.group_convolution(x, kernel[:, None].astype(np.float32), *shape)
    else:
        x = ops.convolution(x, kernel.astype(np.float32), *shape)
    x.set_friendly_name(name)
    if bias is None:
        return x
    return ops.add(x, bias.astype(np.float32).reshape(1, -1, 1, 1))


def _backbone(tensors: Weights, x: Any) -> Any:
    """Compute the backbone: MobileNet, with dilation instead of its last stride."""
    x = ops.relu(_conv(tensors, 'model.0.0', x, 'model.0.1', stride=2))
    for i, (_, _, stride, dilation) in enumerate(_SEPARABLE, 1):
        name = f'model.{i}'
        x = _conv(tensors, f'{name}.0', x, f'{name}.1', stride=stride, dilation=dilation)
        x = ops.relu(_conv(tensors, f'{name}.3', ops.relu(x), f'{name}.4'))
    return x


def _cpm(tensors: Weights, x: Any) -> Any:
    """Narrow to 128 channels."""
    aligned = x = ops.relu(_conv(tensors, 'cpm.align.0', x))
    for i in range(3):
        x = ops.elu(_conv(tensors, f'cpm.trunk.{i}.0', x), 1.0)
        x = ops.elu(_conv(tensors, f'cpm.trunk.{i}.2', x), 1.0)
    return ops.relu(_conv(tensors, 'cpm.conv.0', ops.add(aligned, x)))


def _head(tensors: Weights, name: str, x: Any) -> Any:
    return _conv(tensors, f'{name}.1.0', ops.relu(_conv(tensors, f'{name}.0.0', x)))


def _refine(tensors: Weights, name: str, blocks: int, x: Any) -> Any:
    for i in range(blocks):
        block = f'{name}.{i}'
        start = x = ops.relu(_conv(tensors, f'{block}.initial.0', x))
        x = ops.relu(_conv(tensors, f'{block}.trunk.0.0', x, f'{block}.trunk.0.1'))
        x = _conv(tensors, f'{block}.trunk.1.0', x, f'{block}.trunk.1.1', dilation=2)
        x = ops.add(start, ops.relu(x))
    return x


def _stem(tensors: Weights, x: Any) -> Any:
    """Compute the five residual blocks before the location maps."""
    for i in range(5):
        start, name = x, f'Pose3D.stem.{i}'
        for j in range(3):
            unit = f'{name}.bottleneck.{j}'
            x = ops.relu(_conv(tensors, f'{unit}.0', x, f'{unit}.1'))
        if i == 0:
            start = ops.relu(_conv(tensors, f'{name}.align.0', start, f'{name}.align.1'))
        x = ops.add(start, x)
    return x


def _fake(tensors: Weights, name: str, x: Any) -> Any:
    """Add the convolution by which the authors kept a converter from removing an output.

    Its kernel is zero in the published file.
    """
    weight = tensors.get(_FAKE[name])
    if weight is None or not weight.any():
        return x
    ones, none = [1, 1], [0, 0]
    return ops.add(x, ops.convolution(x, weight.astype(np.float32), ones, none, none, ones))
