"""Compile networks for a device and run them."""

from __future__ import annotations

import os
import queue
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from pose3d_ros.models import ModelError
from pose3d_ros.models.compiled_cache import cache_key, discard, verified_cache
from pose3d_ros.models.store import checksum
from pose3d_ros.network_graph import Graph, last_line, set_size_input, take_uint8_images
from pose3d_ros.network_spec import NetworkSpec

# OpenVINO's names of the types that it may compute in; '' lets it choose (bf16 where the CPU is
# fast at it).
PRECISIONS = {'auto': '', 'f32': 'f32', 'f16': 'f16', 'bf16': 'bf16'}
# Devices of OpenVINO that stand for others.
VIRTUAL_DEVICES = {'AUTO', 'MULTI', 'HETERO', 'BATCH'}


class InferenceError(RuntimeError):
    """A device that fails while it runs a network, such as one that was unplugged."""


@dataclass(frozen=True)
class InferenceOptions:
    """Where and how a network runs.

    Parameters
    ----------
    device
        Any OpenVINO device: CPU, GPU, NPU, AUTO, AUTO:GPU,CPU, ...
    precision
        One of ``PRECISIONS``.
    cache_dir
        Folder for compiled networks, which makes later starts faster. None: no cache.
    throughput
        Whether several images may be in flight, called from several threads: more images per
        second, each of which takes longer.
    """

    device: str = 'AUTO'
    precision: str = 'auto'
    cache_dir: str | os.PathLike[str] | None = None
    throughput: bool = False

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ModelError(
                f'precision must be one of {list(PRECISIONS)}, found {self.precision!r}'
            )

    def properties(self) -> dict[str, str]:
        """Return the properties for OpenVINO's ``compile_model``."""
        properties = {'PERFORMANCE_HINT': 'THROUGHPUT' if self.throughput else 'LATENCY'}
        if PRECISIONS[self.precision]:
            properties['INFERENCE_PRECISION_HINT'] = PRECISIONS[self.precision]
        return properties


class Network:
    """A network that takes images, compiled for one input size.

    One instance may be called from several threads; calls take turns, but for those that
    `InferenceOptions.throughput` lets run at a time.

    Parameters
    ----------
    graph
        With a fixed input size. It is changed: it takes uint8 images afterwards.
    spec
        The contract of the network.
    options
        Where and how it runs.

    Raises
    ------
    ModelError
        If the device cannot be used.
    """

    def __init__(self, graph: Graph, spec: NetworkSpec, options: InferenceOptions) -> None:
        self.name = graph.name
        self._outputs = dict(spec.outputs)
        self.input_hw = graph.input_size(spec.layout)
        if spec.size_input:
            set_size_input(graph, spec.size_input, self.input_hw)
        take_uint8_images(graph.model, spec)
        compiled = _compile_cached(graph, spec, options)
        self.device = ','.join(compiled.get_property('EXECUTION_DEVICES'))
        number = 1
        if options.throughput:
            number = compiled.get_property('OPTIMAL_NUMBER_OF_INFER_REQUESTS')
        self._requests = RequestPool(compiled, number)

    def infer(self, bgr: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Run the network on one image.

        Parameters
        ----------
        bgr
            ``(*input_hw, 3)`` uint8.

        Returns
        -------
        dict
            Each output by its meaning, without the axis of the batch. The arrays are copies: the
            next call does not change them.

        Raises
        ------
        InferenceError
            If the device fails.
        """
        return {name: array[0] for name, array in self.infer_batch(bgr[np.newaxis]).items()}

    def infer_batch(self, bgr: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Run the network on ``(N, *input_hw, 3)`` images; like `infer`, with the batch axis."""
        return self._requests.run(bgr, self._outputs, f'{self.name} on {self.device}')


class VectorNetwork:
    """A network from rows of numbers to rows of numbers, compiled for any number of rows.

    One instance may be called from several threads; calls take turns.

    Parameters
    ----------
    model
        Path of an OpenVINO IR (.xml) with one input ``features`` ``(n, inputs)``.
    device
        Any OpenVINO device.
    inputs
        Width of the input.
    outputs
        Name and width of each output.

    Raises
    ------
    ModelError
        If the file, its input or outputs, or the device cannot be used.
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        device: str,
        inputs: int,
        outputs: Mapping[str, int],
    ) -> None:
        graph = Graph(model)
        shapes = graph.outputs | graph.inputs
        expected = {'features': (-1, inputs)} | {name: (-1, w) for name, w in outputs.items()}
        if len(graph.inputs) != 1 or any(shapes.get(n) != s for n, s in expected.items()):
            raise ModelError(
                f'model {model} must have one input `features` and the outputs {list(outputs)}, '
                f'with the shapes {expected}, found {shapes or "none with a name"}'
            )
        self.name, self._outputs = graph.name, {name: name for name in outputs}
        # The network is too small for more than one thread; its outputs are positions, for which
        # bf16 is too coarse. The calling thread runs it: bound to one core, as by default, it
        # waits for whatever else runs there (docs/performance.md).
        properties = {
            'INFERENCE_NUM_THREADS': '1',
            'INFERENCE_PRECISION_HINT': 'f32',
            'ENABLE_CPU_PINNING': 'NO',
        }
        compiled = _compile(graph.core, graph.model, device, properties, graph.name)
        self._requests = RequestPool(compiled, 1)

    def infer(self, rows: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Run the network on ``(n, inputs)``; return a copy of each output, ``(n, width)``."""
        return self._requests.run(rows, self._outputs, self.name)


class RequestPool:
    """Requests of a compiled network, each of which one thread uses at a time.

    Parameters
    ----------
    compiled
        The network.
    number
        Of requests: of calls that run at the same time. Further ones wait.
    """

    def __init__(self, compiled: ov.CompiledModel, number: int) -> None:
        self._free: queue.SimpleQueue[ov.InferRequest] = queue.SimpleQueue()
        for _ in range(number):
            self._free.put(compiled.create_infer_request())

    def run(
        self, array: NDArray[np.generic], outputs: Mapping[str, str], network: str
    ) -> dict[str, NDArray[np.float32]]:
        """Run the network; return a copy of each output by its meaning.

        Raises
        ------
        InferenceError
            If the device fails.
        """
        request = self._free.get()
        try:
            request.infer({0: array}, share_inputs=True, share_outputs=True)
            return {m: request.get_tensor(name).data.copy() for m, name in outputs.items()}
        except RuntimeError as error:
            raise InferenceError(f'{network} failed: {last_line(error)}') from error
        finally:
            self._free.put(request)


def _compile(
    core: ov.Core, model: ov.Model, device: str, properties: dict[str, str], name: str
) -> ov.CompiledModel:
    try:
        return core.compile_model(model, device, properties)
    except RuntimeError as error:
        available = core.available_devices
        missing = _missing_devices(device, available)
        reason = (
            f'{", ".join(missing)} is not there, or its driver is not installed'
            if missing
            else last_line(error)
        )
        raise ModelError(
            f'device {device!r} cannot run {name}: {reason}; OpenVINO finds '
            f'{", ".join(available)} here, and AUTO chooses by itself'
        ) from error


def _missing_devices(device: str, available: list[str]) -> list[str]:
    """Return the devices that `device` names, alone or as AUTO:GPU,CPU, and that are not there."""
    named = [name.strip() for name in (device.partition(':')[2] or device).split(',')]
    kinds = {name.partition('.')[0] for name in available} | VIRTUAL_DEVICES
    return [
        name
        for name in named
        if not name.startswith('-') and re.split(r'[.(]', name)[0] not in kinds
    ]


def _compile_cached(
    graph: Graph, spec: NetworkSpec, options: InferenceOptions
) -> ov.CompiledModel:
    """Compile a network, or read it from the cache; a model in memory is never cached."""
    properties = options.properties()
    arguments = (graph.core, graph.model, options.device)
    digest = checksum(graph.name)
    key = cache_key(digest, graph.inputs, spec, options.device, properties, ov.get_version())
    with verified_cache(options.cache_dir if digest else None, key) as folder:
        if folder is not None:
            try:
                return _compile(*arguments, properties | {'CACHE_DIR': str(folder)}, graph.name)
            except ModelError:
                discard(folder)  # the cache may be at fault: see what happens without it
        return _compile(*arguments, properties, graph.name)
