"""Describe a network: origin, inputs, outputs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import openvino as ov

from pose3d_ros.models import ModelError
from pose3d_ros.models.normalisation import is_official, normalisation_inside
from pose3d_ros.models.store import record_of
from pose3d_ros.network_spec import spec_path


def describe(path: Path) -> Iterator[str]:
    """Return lines on the origin, inputs and outputs of a network.

    Raises
    ------
    ModelError
        If OpenVINO cannot read it.
    """
    try:
        model = ov.Core().read_model(path)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise ModelError(f'{path} is not a network that OpenVINO reads: {reason}') from error
    yield str(path)
    if record := record_of(path):
        for key, value in vars(record).items():
            yield f'  {key}: {value}'
    for kind, ports in (('input', model.inputs), ('output', model.outputs)):
        for port in ports:
            yield f'  {kind}: {", ".join(sorted(port.get_names()))} {port.get_partial_shape()}'
    if is_official(model):
        yield '  convolutions of human-pose-estimation-3d-0001: yes'
    inside = {True: 'yes', False: 'no', None: 'unknown from the graph'}
    yield f'  input normalised inside: {inside[normalisation_inside(model)]}'
    if spec_path(path).is_file():
        yield f'  contract: {spec_path(path)}'
