"""Networks with the inputs and outputs of published top-down ones, whose answers are exact.

They are shown a coordinate image: red grows with x, green with y, and blue marks that a pixel
belongs to the image. From a crop, or a letterboxed image, a network reads where in the image it
lies, by least squares over its pixels, and returns the true people at their place in its input.
A crop at another place, another channel order or another normalisation gives another answer. In
a black image there are no people.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import openvino as ov
import openvino.opset13 as ops
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Spread of SimCC's bins and of the heatmaps' Gaussians, bins and cells.
SIGMA = 2.0
# Score of every keypoint and of every box.
SCORE = 0.9
GRID_STRIDES = (8, 16, 32)
MEAN, SCALE = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
DETECTOR_MEAN, DETECTOR_SCALE = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)


@dataclass(frozen=True)
class Truth:
    """The people of an image.

    Parameters
    ----------
    size_wh
        Width and height of the image, px.
    xy_px
        ``(N, C, 2)`` image px, the keypoints in the order of the network's set.
    boxes_px
        ``(N, 4)`` x0, y0, x1, y1.
    """

    size_wh: tuple[int, int]
    xy_px: Array
    boxes_px: Array


def coordinate_image(size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """Draw the image that the networks read, ``(H, W, 3)`` BGR."""
    width, height = size_wh
    bgr = np.full((height, width, 3), 255, np.uint8)
    bgr[..., 2] = np.rint(np.linspace(0, 255, width))
    bgr[..., 1] = np.rint(np.linspace(0, 255, height))[:, np.newaxis]
    return bgr


def sample_people(
    number: int, keypoints: int, size_wh: tuple[int, int], rng: np.random.Generator
) -> Truth:
    """Sample people who stand side by side, the first and the last cut by the image's border."""
    width, height = size_wh
    share = width / max(number, 1)
    boxes_px = np.zeros((number, 4))
    for i in range(number):
        high = rng.uniform(0.5, 0.9) * height
        top = rng.uniform(0, height - high)
        left = share * i + rng.uniform(0.05, 0.15) * share
        boxes_px[i] = left, top, left + 0.7 * share, top + high
    if number:
        boxes_px[0, 0], boxes_px[-1, 2], boxes_px[0, 3] = -0.5, width - 0.5, height - 0.5
    low, high_xy = boxes_px[:, np.newaxis, :2], boxes_px[:, np.newaxis, 2:]
    where = rng.uniform(0.02, 0.98, (number, keypoints, 2))
    return Truth(size_wh, low + where * (high_xy - low), boxes_px)


def direct_network(truth: Truth, input_hw: tuple[int, int] = (192, 192)) -> ov.Model:
    """Build a network with the contract of MoveNet for one person: (1, 1, 17, 3) y, x, score."""
    image = _parameter('input:0', [1, *input_hw, 3], np.int32)
    # As in the published file: a graph for one crop at a time.
    single = ops.reshape(image, np.array([1, *input_hw, 3]), False)
    rgb = ops.convert(ops.transpose(single, np.array([0, 3, 1, 2])), np.float32)
    xy, seen = _person_in_crop(_Geometry(rgb, truth), truth)
    share = ops.divide(xy, np.array(input_hw[::-1], np.float32))
    rows = ops.concat([ops.gather(share, np.array([1, 0]), 2), _scores(xy, seen)], 2)
    return _model({'Identity:0': ops.unsqueeze(rows, 1)}, image)


def simcc_network(truth: Truth, input_hw: tuple[int, int] = (256, 192)) -> ov.Model:
    """Build a network with the contract of RTMPose: simcc_x and simcc_y, any number of crops."""
    image = _parameter('input', [-1, 3, *input_hw])
    xy, seen = _person_in_crop(_Geometry(_denormalised(image, MEAN, SCALE), truth), truth)
    outputs = {}
    for axis, name in enumerate(('simcc_x', 'simcc_y')):
        bins = np.arange(2 * input_hw[1 - axis], dtype=np.float32)
        centre = ops.multiply(_centres(_column(xy, axis)), np.float32(2))
        outputs[name] = _gaussian(ops.subtract(centre, bins), seen, 1)
    return _model(outputs, image)


def heatmap_network(
    truth: Truth, input_hw: tuple[int, int] = (256, 192), udp: bool = False
) -> ov.Model:
    """Build a network with the contract of HRNet, or of ViTPose, which was trained with UDP."""
    image = _parameter('input', [-1, 3, *input_hw])
    xy, seen = _person_in_crop(_Geometry(_denormalised(image, MEAN, SCALE), truth), truth)
    parts = []
    for axis in (0, 1):
        pixels, cells = input_hw[1 - axis], input_hw[1 - axis] // 4
        stride = (pixels - 1) / (cells - 1) if udp else 4.0
        centre = ops.divide(_centres(_column(xy, axis)), np.float32(stride))
        part = _gaussian(ops.subtract(centre, np.arange(cells, dtype=np.float32)), seen, 0.5)
        parts.append(ops.unsqueeze(part, 2 if axis == 0 else 3))
    return _model({'heatmaps': ops.multiply(*parts)}, image)


def row_network(
    truth: Truth, input_hw: tuple[int, int] = (416, 416), suppressed: bool = True
) -> ov.Model:
    """Build a person detector with rows x0 y0 x1 y1 score, as YOLOX is exported.

    With `suppressed` it returns as many rows as there are people; without, each box three times,
    the two others a little aside and less certain.
    """
    image = _parameter('input', [1, 3, *input_hw])
    rgb = ops.gather(image, np.array([2, 1, 0]), 1)
    geometry = _Geometry(rgb, truth)
    boxes = _boxes(geometry, truth)
    scores = ops.multiply(
        ops.broadcast(geometry.seen, np.array([1, len(truth.boxes_px), 1])), np.float32(SCORE)
    )
    rows = ops.concat([boxes, scores], 2)
    if suppressed:
        flags = ops.greater(ops.squeeze(scores, np.array([0, 2])), np.float32(0.1))
        chosen = ops.squeeze(ops.non_zero(flags, 'i64'), 0)
        rows = ops.gather(rows, chosen, 1)
    else:
        aside = [np.array([d, d, d, d, s], np.float32) for d, s in ((0, 0), (2, -0.1), (-2, -0.2))]
        rows = ops.concat([ops.add(rows, offset) for offset in aside], 1)
    return _model({'dets': rows}, image)


def grid_network(truth: Truth, input_hw: tuple[int, int] = (320, 320)) -> ov.Model:
    """Build a person detector with the three grids of RTMDet; each person is in all three."""
    image = _parameter('images', [1, 3, *input_hw])
    bgr = _denormalised(image, DETECTOR_MEAN, DETECTOR_SCALE)
    geometry = _Geometry(ops.gather(bgr, np.array([2, 1, 0]), 1), truth)
    boxes = _boxes(geometry, truth)
    outputs = {}
    for stride in GRID_STRIDES:
        h, w = input_hw[0] // stride, input_hw[1] // stride
        xy = np.stack(np.meshgrid(np.arange(w), np.arange(h)), axis=-1).reshape(1, -1, 1, 2)
        cells = (xy * stride).astype(np.float32)
        corners = ops.unsqueeze(boxes, 1)
        before = ops.subtract(cells, ops.gather(corners, np.array([0, 1]), 3))
        after = ops.subtract(ops.gather(corners, np.array([2, 3]), 3), cells)
        around = ops.concat([before, after], 3)
        # The cell belongs to the person in whose box it is deepest.
        depth = ops.reduce_min(around, np.array([3]))
        deepest = ops.topk(depth, np.int64(1), 2, 'max', 'none')
        deepest_row = deepest.output(1)
        chosen = ops.squeeze(ops.gather(around, deepest_row, 2, 2), 2)
        inside = ops.clamp(ops.multiply(deepest.output(0), np.float32(100)), 0.0, 1.0)
        seen = ops.multiply(inside, geometry.seen)
        logit = ops.subtract(ops.multiply(seen, np.float32(12)), np.float32(10))
        grid = ops.concat([logit, chosen], 2)
        outputs[f'grid_{stride}'] = ops.reshape(grid, np.array([1, h, w, 5]), False)
    return _model(outputs, image)


class _Geometry:
    """Where an input lies in the image: input = shift + stretch * image, for each crop.

    `shift` and `stretch` are ``(n, 1, 2)``, in input px with 0 at the outer edge and image px with
    0 at the centre of the first pixel; `seen` is ``(n, 1, 1)``, 0 for a black input.
    """

    def __init__(self, rgb: ov.Node, truth: Truth) -> None:
        area = np.array([2, 3])
        inside = ops.convert(
            ops.greater(ops.gather(rgb, np.array([2]), 1), np.float32(254.5)), np.float32
        )
        number = ops.reduce_sum(inside, area, keep_dims=True)
        safe = ops.maximum(number, np.float32(1))
        self.seen = ops.reshape(ops.minimum(number, np.float32(1)), np.array([0, 1, 1]), True)
        height, width = rgb.get_output_partial_shape(0)[2], rgb.get_output_partial_shape(0)[3]
        shifts, stretches = [], []
        for axis, size in enumerate((width.get_length(), height.get_length())):
            shape = (1, 1, 1, -1) if axis == 0 else (1, 1, -1, 1)
            edges = (np.arange(size, dtype=np.float32) + 0.5).reshape(shape)
            level = ops.gather(rgb, np.array([axis]), 1)
            image_px = ops.multiply(level, np.float32((truth.size_wh[axis] - 1) / 255))

            def mean(values: ov.Node) -> ov.Node:
                total = ops.reduce_sum(ops.multiply(values, inside), area, keep_dims=True)
                return ops.divide(total, safe)

            u, x = mean(ops.multiply(inside, edges)), mean(image_px)
            off_x = ops.subtract(image_px, x)
            off_u = ops.subtract(edges, u)
            above, below = mean(ops.multiply(off_x, off_u)), mean(ops.multiply(off_x, off_x))
            stretch = ops.divide(above, ops.maximum(below, np.float32(1e-6)))
            stretches.append(ops.reshape(stretch, np.array([0, 1, 1]), True))
            shift = ops.subtract(u, ops.multiply(stretch, x))
            shifts.append(ops.reshape(shift, np.array([0, 1, 1]), True))
        self.shift, self.stretch = ops.concat(shifts, 2), ops.concat(stretches, 2)
        # Of the input, px.
        self.centre = np.array([width.get_length(), height.get_length()], np.float32) / 2


def _person_in_crop(geometry: _Geometry, truth: Truth) -> tuple[ov.Node, ov.Node]:
    """Return the keypoints of the person nearest to the middle of each crop, ``(n, C, 2)``."""
    n, c, _ = truth.xy_px.shape
    middle = ((truth.boxes_px[:, :2] + truth.boxes_px[:, 2:]) / 2).astype(np.float32)
    there = ops.add(geometry.shift, ops.multiply(geometry.stretch, middle[np.newaxis]))
    apart = ops.reduce_sum(ops.power(ops.subtract(there, geometry.centre), np.float32(2)), 2)
    nearest = ops.topk(apart, np.int64(1), 1, 'min', 'none').output(1)
    keypoints = ops.constant(truth.xy_px.reshape(n, c * 2).astype(np.float32))
    chosen = ops.gather(keypoints, ops.squeeze(nearest, 1), 0)
    xy_px = ops.reshape(chosen, np.array([-1, c, 2]), False)
    xy = ops.add(geometry.shift, ops.multiply(geometry.stretch, xy_px))
    return xy, geometry.seen


def _boxes(geometry: _Geometry, truth: Truth) -> ov.Node:
    """Return all boxes in the input, ``(1, N, 4)`` px with 0 at the outer edge."""
    corners = [truth.boxes_px[np.newaxis, :, i : i + 2].astype(np.float32) for i in (0, 2)]
    there = [ops.add(geometry.shift, ops.multiply(geometry.stretch, c)) for c in corners]
    return ops.concat(there, 2)


def _scores(xy: ov.Node, seen: ov.Node) -> ov.Node:
    ones = ops.add(ops.multiply(_column(xy, 0), np.float32(0)), np.float32(SCORE))
    return ops.multiply(ones, seen)


def _gaussian(off: ov.Node, seen: ov.Node, power: float) -> ov.Node:
    """Return Gaussians of height SCORE, to a power, so that two of them may be multiplied."""
    square = ops.multiply(off, off)
    bell = ops.exp(ops.multiply(square, np.float32(-1 / (2 * SIGMA**2))))
    return ops.multiply(ops.multiply(bell, np.float32(SCORE**power)), seen)


def _column(xy: ov.Node, axis: int) -> ov.Node:
    return ops.gather(xy, np.array([axis]), 2)


def _centres(edges: ov.Node) -> ov.Node:
    """Convert positions from 0 at the outer edge of the first pixel to 0 at its centre."""
    return ops.subtract(edges, np.float32(0.5))


def _denormalised(image: ov.Node, mean: tuple[float, ...], scale: tuple[float, ...]) -> ov.Node:
    shape = (1, 3, 1, 1)
    scaled = ops.multiply(image, np.array(scale, np.float32).reshape(shape))
    return ops.add(scaled, np.array(mean, np.float32).reshape(shape))


def _parameter(name: str, shape: list[int], dtype: type = np.float32) -> ov.Node:
    image = ops.parameter(ov.PartialShape(shape), dtype, name=name)
    image.output(0).get_tensor().set_names({name})
    return image


def _model(outputs: dict[str, ov.Node], image: ov.Node) -> ov.Model:
    results = []
    for name, node in outputs.items():
        node.output(0).get_tensor().set_names({name})
        results.append(ops.result(node))
    return ov.Model(results, [image], 'contract')
