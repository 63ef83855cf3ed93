"""Open the network of a file with the detector of its family."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from pose3d_ros.detection import person_boxes, pose_network
from pose3d_ros.detection.detector import Detector, Thresholds
from pose3d_ros.detection.keypoint_sets import KEYPOINT_SETS
from pose3d_ros.detection.one_stage import detector as one_stage
from pose3d_ros.detection.openpose import detector as openpose
from pose3d_ros.detection.top_down import TopDownOptions, open_top_down
from pose3d_ros.inference import InferenceOptions
from pose3d_ros.models import ModelError
from pose3d_ros.models.normalisation import OFFICIAL_MEAN, OFFICIAL_SCALE
from pose3d_ros.network_graph import Graph, ModelSource
from pose3d_ros.network_signature import Signature
from pose3d_ros.network_spec import InputSize, NetworkSpec, read_spec, spec_path

SpecSource: TypeAlias = NetworkSpec | str | os.PathLike[str]


@dataclass(frozen=True)
class Family:
    """A kind of networks.

    Parameters
    ----------
    detector
        Makes the detector of a network.
    infer_spec
        Returns the contract of a network of the family; None for another.
    expected
        What inputs and outputs the family is recognised by, in words.
    """

    detector: Callable[
        [Graph, NetworkSpec, InputSize, InferenceOptions, Thresholds | None], Detector
    ]
    infer_spec: Callable[[Signature], NetworkSpec | None]
    expected: str


FAMILIES: dict[str, Family] = {
    openpose.FAMILY: Family(openpose.OpenPoseDetector, openpose.infer_spec, openpose.EXPECTED),
    one_stage.FAMILY: Family(one_stage.OneStageDetector, one_stage.infer_spec, one_stage.EXPECTED),
}
# The two networks of a pair.
PAIR = (person_boxes, pose_network)


def open_detector(  # noqa: PLR0913 - each is a keyword of PoseEstimator
    model: ModelSource | tuple[ModelSource, ModelSource],
    options: InferenceOptions,
    *,
    input_hw: InputSize = None,
    normalisation: tuple[float, float] = (0.0, 1.0),
    thresholds: Thresholds | None = None,
    spec: SpecSource | None = None,
    top_down: TopDownOptions | None = None,
) -> Detector:
    """Read a network, find its contract and compile it.

    Parameters
    ----------
    model
        Path of an OpenVINO IR (.xml), ONNX or TensorFlow Lite file or of a SavedModel, or a model
        in memory. Two of these: a person detector and a pose network on crops, whose contracts
        are never stated here.
    options
        Where and how it runs.
    input_hw
        Height and width of the input, px. A width of None follows from the aspect of the images.
        None: what the contract states, see ``resizing.input_sizing``.
    normalisation
        Mean and scale that the file leaves to the caller. (0, 1): what contract and graph tell.
    thresholds
        How much evidence is needed. None: the defaults.
    spec
        The contract, or the path of its JSON file. None: that of NAME.spec.json beside the model,
        or that in the graph, or else inferred from the inputs and outputs.
    top_down
        How much a pair does for an image. None: the defaults.

    Raises
    ------
    ModelError
        If the file, its contract, its inputs or outputs, the size, the device or the precision
        cannot be used, or if the input would be normalised twice.
    """
    if isinstance(model, tuple):
        if (input_hw, normalisation, spec) != (None, (0.0, 1.0), None):
            raise ModelError(
                'input size, normalisation and spec are of one network: of a pair, they are '
                'stated by NAME.spec.json beside each file'
            )
        detector, pose = ((graph, stated_spec(graph)) for graph in map(Graph, model))
        return open_top_down(detector, pose, options, top_down, thresholds)
    graph = Graph(model)
    found = _check(find_spec(graph, spec), graph)
    found = _with_normalisation(graph, found, normalisation)
    return FAMILIES[found.family].detector(graph, found, input_hw, options, thresholds)


def find_spec(graph: Graph, spec: SpecSource | None = None) -> NetworkSpec:
    """Return the contract of a network.

    Parameters
    ----------
    graph
        As read from its file.
    spec
        As of `open_detector`.

    Raises
    ------
    ModelError
        If a file that states it cannot be used, or if no family recognises the network.
    """
    stated = stated_spec(graph, spec)
    if stated is not None:
        return stated
    signature = graph.signature
    inferred = [s for f in FAMILIES.values() if (s := f.infer_spec(signature)) is not None]
    if len(inferred) == 1:
        return inferred[0]
    for half in PAIR:
        if half.infer_spec(graph.inputs, graph.outputs) is not None:
            raise _one_of_pair(graph)
    expected = '; '.join(f'{name}: {family.expected}' for name, family in FAMILIES.items())
    raise ModelError(
        f'model {graph.name} is of no known family. Found {signature}. Expected {expected}; or a '
        'spec that states its contract: NAME.spec.json beside the file, or the parameter spec'
    )


def _one_of_pair(graph: Graph) -> ModelError:
    return ModelError(
        f'model {graph.name} is one of a pair: set model to "DETECTOR + NETWORK", a '
        'person detector and a pose network on crops'
    )


def stated_spec(graph: Graph, spec: SpecSource | None = None) -> NetworkSpec | None:
    """Return the contract that is given, beside the file or in the graph; None: there is none."""
    if isinstance(spec, NetworkSpec):
        return spec
    if spec is not None:
        return read_spec(spec)
    if graph.path is not None and spec_path(graph.path).is_file():
        return read_spec(spec_path(graph.path))
    return graph.stated_spec()


def _check(spec: NetworkSpec, graph: Graph) -> NetworkSpec:
    """Return a contract whose names are known and in the graph; ModelError for another."""
    where = f'spec of model {graph.name}'
    if spec.family in (half.FAMILY for half in PAIR):
        raise _one_of_pair(graph)
    if spec.family not in FAMILIES:
        raise ModelError(
            f'{where}: family must be one of {", ".join(FAMILIES)}, found {spec.family!r}'
        )
    if spec.keypoint_set and spec.keypoint_set not in KEYPOINT_SETS:
        raise ModelError(
            f'{where}: keypoint_set must be one of {", ".join(KEYPOINT_SETS)}, '
            f'found {spec.keypoint_set!r}'
        )
    missing = [name for name in spec.outputs.values() if name not in graph.outputs]
    if missing:
        raise ModelError(
            f'{where}: the network has no output {", ".join(missing)}; found {graph.signature}'
        )
    return spec


def _with_normalisation(
    graph: Graph, spec: NetworkSpec, stated: tuple[float, float]
) -> NetworkSpec:
    """Return the contract with the mean and scale that are left to do.

    What the user states comes first, then the contract, then what the graph tells.
    """
    inside = graph.normalises_input()
    mean, scale = stated
    if stated != (0.0, 1.0):
        spec = replace(spec, mean=(mean,) * 3, scale=(scale,) * 3)
    outside = any(spec.mean) or spec.scale != (1.0, 1.0, 1.0)
    if inside is False and not outside:
        return replace(spec, mean=(OFFICIAL_MEAN,) * 3, scale=(OFFICIAL_SCALE,) * 3)
    if inside and outside:
        raise ModelError(
            f'model {graph.name} normalises its input itself: input_mean and input_scale must be '
            f'0 and 1, found {_per_channel(spec.mean)} and {_per_channel(spec.scale)}'
        )
    return spec


def _per_channel(values: tuple[float, float, float]) -> str:
    return f'{values[0]:g}' if len(set(values)) == 1 else f'{list(values)}'
