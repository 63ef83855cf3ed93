"""The graph of human-pose-estimation-3d-0001 with random weights: for latency only."""

import numpy as np
import openvino as ov

from pose3d_ros.models.conversion import graph_mobilenet


def random_tensors(seed: int = 0) -> dict[str, np.ndarray]:
    """Return random weights of the published layout that keep activations in range."""
    rng = np.random.default_rng(seed)
    tensors = {}
    for name, shape in graph_mobilenet.layout().items():
        fan_in = int(np.prod(shape[1:])) if len(shape) == 4 else 1
        tensors[name] = (rng.normal(size=shape) * np.sqrt(1.0 / fan_in)).astype(np.float32)
        if name.endswith('running_var'):
            tensors[name] = rng.uniform(0.5, 2.0, shape).astype(np.float32)
    return tensors


def random_network() -> ov.Model:
    """Build the network with random weights."""
    return graph_mobilenet.build(random_tensors())
