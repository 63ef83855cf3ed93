"""Open the network of a file with the detector of its family."""

from __future__ import annotations

from dataclasses import replace

from pose3d_ros.detection.detector import Detector, Thresholds
from pose3d_ros.detection.openpose import detector as openpose
from pose3d_ros.inference import Graph, InferenceOptions, ModelSource
from pose3d_ros.models import ModelError
from pose3d_ros.models.normalisation import OFFICIAL_MEAN, OFFICIAL_SCALE
from pose3d_ros.network_spec import NetworkSpec

# Decoder of each family.
FAMILIES = {openpose.FAMILY: openpose.OpenPoseDetector}


def open_detector(
    model: ModelSource,
    options: InferenceOptions,
    *,
    input_hw: tuple[int, int] | None = None,
    normalisation: tuple[float, float] = (0.0, 1.0),
    thresholds: Thresholds | None = None,
) -> Detector:
    """Read a network, find its contract and compile it.

    Parameters
    ----------
    model
        Path of an OpenVINO IR (.xml) or ONNX file, or a model in memory. It takes BGR values.
    options
        Where and how it runs.
    input_hw
        Height and width of the input, px. None: the size of the file.
    normalisation
        Mean and scale that the file leaves to the caller. (0, 1): what the graph tells.
    thresholds
        How much evidence is needed. None: the defaults.

    Raises
    ------
    ModelError
        If the file, its inputs or outputs, the size, the device or the precision cannot be used,
        or if the input would be normalised twice.
    """
    graph = Graph(model)
    spec = _spec(graph)
    mean, scale = _normalisation(graph, normalisation)
    spec = replace(spec, mean=(mean,) * 3, scale=(scale,) * 3)
    return FAMILIES[spec.family](graph, spec, input_hw, options, thresholds)


def _spec(graph: Graph) -> NetworkSpec:
    spec = openpose.infer_spec(graph.outputs)
    if spec is None:
        raise ModelError(
            f'model {graph.name} must have the outputs heatmaps (1, 19, h, w) and pafs '
            f'(1, 38, h, w), found {graph.outputs or "none with a name"}'
        )
    return spec


def _normalisation(graph: Graph, stated: tuple[float, float]) -> tuple[float, float]:
    """Return mean and scale that are left to do, by the graph where it tells, else as stated."""
    inside = graph.normalises_input()
    if inside is False and stated == (0.0, 1.0):
        return OFFICIAL_MEAN, OFFICIAL_SCALE
    if inside and stated != (0.0, 1.0):
        mean, scale = stated
        raise ModelError(
            f'model {graph.name} normalises its input itself: input_mean and input_scale must be '
            f'0 and 1, found {mean} and {scale}'
        )
    return stated
