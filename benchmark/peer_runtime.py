"""One network in ONNX Runtime or OpenVINO, for `peer_worker`: the network alone, without people.

Options: ``file``, an .onnx or .xml; ``precision``, of OpenVINO, '' for its choice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def open_peer(options: dict[str, Any]) -> Callable[..., list[dict[str, Any]]]:
    """Return a function that runs the network on an image and finds nobody."""
    opener = _open_onnxruntime if options['file'].endswith('.onnx') else _open_openvino
    shape, run = opener(options['file'], options.get('precision', ''))

    def find_people(bgr: Any, request: dict[str, Any]) -> list[dict[str, Any]]:
        run(_input(bgr, shape))
        return []

    return find_people


def _input(bgr: Any, shape: list[int]) -> Any:
    """Return an image as the input of a network, by the shape of that."""
    import cv2
    import numpy as np

    if shape[3] == 3:
        return cv2.resize(bgr, (shape[2], shape[1])).astype(np.int32)[np.newaxis]
    resized = cv2.resize(bgr, (shape[3], shape[2])).astype(np.float32)
    return np.ascontiguousarray(resized.transpose(2, 0, 1)[np.newaxis])


def _open_onnxruntime(file: str, precision: str) -> tuple[list[int], Callable[[Any], Any]]:
    import onnxruntime

    session = onnxruntime.InferenceSession(file, providers=['CPUExecutionProvider'])
    image = session.get_inputs()[0]
    return image.shape, lambda x: session.run(None, {image.name: x})


def _open_openvino(file: str, precision: str) -> tuple[list[int], Callable[[Any], Any]]:
    import openvino

    properties = {'PERFORMANCE_HINT': 'LATENCY'}
    if precision:
        properties['INFERENCE_PRECISION_HINT'] = precision
    core = openvino.Core()
    model = core.read_model(file)
    request = core.compile_model(model, 'CPU', properties).create_infer_request()
    shape = list(model.inputs[0].get_shape())
    return shape, lambda x: request.infer({0: x}, share_inputs=True)
