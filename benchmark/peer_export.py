"""Write a network as ONNX, for `benchmark.peers`; see `peer_onnx`.

    python -m benchmark.peer_export NETWORK.xml NETWORK.onnx [--for {rtmdet,rtmpose}]

--for adds what rtmlib expects: of RTMDet's three grids, boxes without duplicates; of MoveNet's
keypoints, a peak along each axis. Runs in the environment of the peer, with onnx and openvino.
"""

from __future__ import annotations

import argparse

import numpy as np
import onnx
import openvino as ov
from onnx import TensorProto, helper
from openvino.passes import ConstantFolding, Manager

from benchmark.peer_onnx import OPSET, Writer

# As this package: person_boxes.NMS_IOU, top_down.TopDownOptions.max_people.
NMS_IOU, MAX_PEOPLE = 0.65, 20
# rtmlib's own threshold comes after this one.
MIN_SCORE = 0.05
# Positions along an axis for each input pixel, as rtmlib assumes.
PER_PIXEL = 2


def rtmdet_boxes(w: Writer) -> str:
    """Add the decoding of RTMDet's grids; return rows x0, y0, x1, y1, score, ``(1, n, 5)``."""
    side = w.model.inputs[0].get_shape()[2]
    parts, centres = [], []
    for i, output in enumerate(w.model.outputs):
        cells = output.get_shape()[1]
        parts.append(w.add('Reshape', [w.output(i), w.constant(np.array([1, -1, 5]))]))
        y, x = np.indices((cells, cells)).reshape(2, -1) * (side / cells)
        centres.append(np.stack([x, y, x, y], axis=-1))
    rows = w.add('Concat', parts, axis=1)
    logit, distances = w.new(), w.new()
    sizes = w.constant(np.array([1, 4]))
    w.nodes.append(helper.make_node('Split', [rows, sizes], [logit, distances], axis=2))
    signs = w.constant(np.array([-1, -1, 1, 1], np.float32))
    centre = w.constant(np.concatenate(centres)[np.newaxis].astype(np.float32))
    boxes = w.add('Add', [centre, w.add('Mul', [distances, signs])])
    scores = w.add('Sigmoid', [logit])
    limits = [
        w.constant(np.array([value], kind))
        for value, kind in ((MAX_PEOPLE, np.int64), (NMS_IOU, np.float32), (MIN_SCORE, np.float32))
    ]
    by_class = w.add('Transpose', [scores], perm=[0, 2, 1])
    kept = w.add('NonMaxSuppression', [boxes, by_class, *limits])
    row = w.add('Gather', [kept, w.constant(np.int64(2))], axis=1)
    all_rows = w.add('Concat', [boxes, scores], axis=2)
    return w.add('Gather', [all_rows, row], axis=1)


def as_peaks(w: Writer) -> list[str]:
    """Add two tensors ``(1, 17, PER_PIXEL * side)`` with each keypoint's score at its place."""
    keypoints = w.add('Squeeze', [w.output(0), w.constant(np.array([1]))])
    y, x, score = (w.new() for _ in range(3))
    w.nodes.append(helper.make_node('Split', [keypoints], [y, x, score], axis=2))
    places = PER_PIXEL * w.model.inputs[0].get_shape()[1]
    steps = w.constant(np.arange(places, dtype=np.float32).reshape(1, 1, -1))
    peaks = []
    for share in (x, y):
        place = w.add('Floor', [w.add('Mul', [share, w.constant(np.float32(places))])])
        limits = [w.constant(np.float32(0)), w.constant(np.float32(places - 1))]
        here = w.add('Equal', [w.add('Clip', [place, *limits]), steps])
        peaks.append(w.add('Mul', [w.add('Cast', [here], to=TensorProto.FLOAT), score]))
    return peaks


def export(source: str, target: str, purpose: str | None) -> None:
    """Write a network as ONNX."""
    model = ov.Core().read_model(source)
    # The shapes that are known become constants; int8 weights stay as they are.
    if not any(node.get_type_name() == 'FakeQuantize' for node in model.get_ops()):
        passes = Manager()
        passes.register_pass(ConstantFolding())
        passes.run_passes(model)
    w = Writer(model)
    port = model.inputs[0]
    name, shape, kind = port.get_any_name(), list(port.get_shape()), TensorProto.FLOAT
    if port.get_element_type() == ov.Type.i32 and purpose is None:
        kind = TensorProto.INT32
    entry = helper.make_tensor_value_info(name, kind, shape)
    if purpose == 'rtmpose':  # it passes BGR as (1, 3, H, W) float
        entry = helper.make_tensor_value_info('bgr', kind, [1, 3, *shape[1:3]])
        pixels = w.add('Transpose', ['bgr'], perm=[0, 2, 3, 1])
        rgb = w.add('Gather', [pixels, w.constant(np.array([2, 1, 0]))], axis=3)
        w.names[port.get_node().get_friendly_name(), 0] = w.add(
            'Cast', [rgb], to=TensorProto.INT32
        )
    w.convert()
    if purpose == 'rtmdet':
        outputs, shapes = [rtmdet_boxes(w)], [[1, 'people', 5]]
    elif purpose == 'rtmpose':
        outputs = as_peaks(w)
        shapes = [[1, 17, PER_PIXEL * side] for side in shape[2:0:-1]]
    else:
        outputs = [w.output(i) for i in range(len(model.outputs))]
        shapes = [list(output.get_shape()) for output in model.outputs]
    results = [
        helper.make_tensor_value_info(output, TensorProto.FLOAT, sizes)
        for output, sizes in zip(outputs, shapes, strict=True)
    ]
    constants = list(w.constants.values())
    graph = helper.make_graph(w.nodes, 'network', [entry], results, constants)
    written = helper.make_model(
        graph, opset_imports=[helper.make_opsetid('', OPSET)], ir_version=8
    )
    onnx.checker.check_model(written)
    onnx.save(written, target)


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('source')
    parser.add_argument('target')
    parser.add_argument('--for', dest='purpose', choices=['rtmdet', 'rtmpose'])
    args = parser.parse_args()
    export(args.source, args.target, args.purpose)


if __name__ == '__main__':
    main()
