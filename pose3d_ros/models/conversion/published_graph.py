"""Graphs that are published as OpenVINO reads them: IR, ONNX, TensorFlow Lite and SavedModel."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

import openvino as ov

from pose3d_ros.models import ModelError
from pose3d_ros.models.contracts import output_shapes
from pose3d_ros.network_spec import NetworkSpec

Files = dict[str, bytes]
# A network is the one file of such a name, with those that belong to it.
_GRAPHS = ('.onnx', '.tflite', '.xml', 'saved_model.pb')


def select(files: Mapping[str, bytes], member: str = '') -> Files:
    """Return the files of the only network among files.

    Parameters
    ----------
    files
        Contents by path.
    member
        End of the path of the network, if there are several. It is ignored for a single one.

    Returns
    -------
    The network as ``network.onnx``, ``network.tflite``, ``network.xml`` with ``network.bin``, or
    ``saved_model.pb`` with ``variables/...``.

    Raises
    ------
    ModelError
        If there is not exactly one network.
    """
    graphs = [name for name in files if name.endswith(_GRAPHS)]
    if len(graphs) > 1 and member:
        graphs = [name for name in graphs if name.endswith(member)]
    if len(graphs) != 1:
        raise ModelError(f'expected one network ({", ".join(_GRAPHS)}), found {_shortened(files)}')
    graph = PurePosixPath(graphs[0])
    if graph.name == 'saved_model.pb':
        return {graph.name: files[graphs[0]], **_variables(files, graph.parent)}
    selected = {f'network{graph.suffix}': files[graphs[0]]}
    if graph.suffix == '.xml':
        weights = str(graph.with_suffix('.bin'))
        if weights not in files:
            raise ModelError(f'{graph} needs its weights {weights} beside it')
        selected['network.bin'] = files[weights]
    return selected


def _variables(files: Mapping[str, bytes], folder: PurePosixPath) -> Files:
    """Return the files with the weights of a SavedModel."""
    return {
        f'variables/{path.name}': content
        for path, content in ((PurePosixPath(name), content) for name, content in files.items())
        if path.parent == folder / 'variables'
    }


def read_graph(network: Files, scratch: Path) -> ov.Model:
    """Read a network as `select` returns it.

    Parameters
    ----------
    network
        Contents by name.
    scratch
        Folder for temporary files: OpenVINO reads some kinds from the disk alone.

    Raises
    ------
    ModelError
        If OpenVINO cannot read it.
    """
    core = ov.Core()
    core.set_property({'ENABLE_MMAP': False})  # the files are deleted before the graph is used
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix='.read-', dir=scratch) as name:
        folder = Path(name)
        for file, content in network.items():
            (folder / file).parent.mkdir(exist_ok=True)
            (folder / file).write_bytes(content)
        path = folder if 'saved_model.pb' in network else folder / next(iter(network))
        try:
            return core.read_model(path)
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1].strip().replace(f'{folder}/', '')
            raise ModelError(f'OpenVINO cannot read {", ".join(network)}: {reason}') from error


def fit_spec(model: ov.Model, specs: Sequence[NetworkSpec]) -> NetworkSpec:
    """Return the first contract that a graph keeps, with the names of its outputs.

    The output of a graph with only one gets the name that the contract has for it, because its
    name differs between converters.

    Raises
    ------
    ModelError
        If it keeps none: names what was expected and what was found.
    """
    for spec in specs:
        outputs = _outputs_of(model, spec)
        if outputs is not None and _takes_images(model, spec):
            return replace(spec, outputs=outputs)
    found = [_described(ports) for ports in (model.inputs, model.outputs)]
    expected = ' or '.join(
        f'an image {spec.layout} and the outputs {_expected(spec)}' for spec in specs
    )
    raise ModelError(f'not this network: expected {expected}; found {found[0]} and {found[1]}')


def _takes_images(model: ov.Model, spec: NetworkSpec) -> bool:
    shapes = [port.partial_shape for port in model.inputs]
    channels = spec.layout.index('C')
    return len(shapes) == 1 and shapes[0].rank == 4 and _agrees(shapes[0][channels], 3)


def _outputs_of(model: ov.Model, spec: NetworkSpec) -> dict[str, str] | None:
    """Return the name of the output for each meaning; None if names or shapes do not agree."""
    shapes = output_shapes(spec)
    if len(model.outputs) != len(spec.outputs):
        return None
    named = {name: port for port in model.outputs for name in port.get_names()}
    if all(name in named for name in spec.outputs.values()):
        ports = [named[name] for name in spec.outputs.values()]
    elif len(model.outputs) == 1 or not any(spec.outputs.values()):
        ports = list(model.outputs)
    else:
        return None
    outputs = {}
    for port, (meaning, name) in zip(ports, spec.outputs.items(), strict=True):
        found, expected = port.partial_shape, shapes[meaning]
        if found.rank != len(expected):
            return None
        if not all(_agrees(a, b) for a, b in zip(found, expected, strict=True)):
            return None
        outputs[meaning] = name or meaning
    for port, name in zip(ports, outputs.values(), strict=True):
        port.get_tensor().set_names({name})
    return outputs


def _agrees(found: ov.Dimension, expected: int | None) -> bool:
    return expected is None or found.is_dynamic or found.get_length() == expected


def _described(ports: Iterable[ov.Output]) -> str:
    return ', '.join(f'{"/".join(sorted(p.get_names()))} {p.partial_shape}' for p in ports)


def _expected(spec: NetworkSpec) -> str:
    return ', '.join(
        f'{meaning} [{",".join("?" if n is None else str(n) for n in shape)}]'
        for meaning, shape in output_shapes(spec).items()
        if meaning in spec.outputs
    )


def _shortened(files: Mapping[str, bytes]) -> str:
    names = sorted(files)
    return ', '.join(names[:8]) + (f' and {len(names) - 8} more' if len(names) > 8 else '')
