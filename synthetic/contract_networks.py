"""Stand-ins for published networks of one stage: their inputs and outputs, with known truth.

An image shows each keypoint as a disc whose colour says whose it is and which; the networks find
the centres of the discs. So what they return is exact, in the layout, unit and order of the
published outputs, if and only if the image is given to them as the contract says: with the
channels in another order, other values or another fit they find nothing or the wrong places.
"""

from __future__ import annotations

import numpy as np
import openvino as ov
import openvino.opset13 as ops
from numpy.typing import NDArray

from pose3d_ros.detection.keypoint_sets import KEYPOINT_SETS

KEYPOINTS = len(KEYPOINT_SETS['coco17'])
PEOPLE = 7
# Values of the channels of a disc, blue, green, red: which person, which keypoint, and that it is
# a disc. At its rim it is mixed with what is around it, so that red is below MIN_DISC.
PERSON_CODES = 30.0 * np.arange(1, PEOPLE + 1)
KEYPOINT_CODES = 12.0 * np.arange(2, KEYPOINTS + 2)
DISC, MIN_DISC = 255, 252.0
SCORE, KEYPOINT_SCORE = 0.9, 0.8


def draw(xy_px: NDArray[np.floating], image_hw: tuple[int, int], radius_px: float) -> np.ndarray:
    """Draw people ``(N, 17, 2)`` of at most PEOPLE on black, BGR. NaN: not drawn."""
    bgr = np.zeros((*image_hw, 3), np.uint8)
    y, x = np.mgrid[: image_hw[0], : image_hw[1]]
    for person, points in zip(PERSON_CODES, xy_px, strict=False):
        for keypoint, (u, v) in zip(KEYPOINT_CODES, points, strict=True):
            if np.isfinite(u):
                bgr[(x - u) ** 2 + (y - v) ** 2 <= radius_px**2] = (person, keypoint, DISC)
    return bgr


def rows_of_shares(input_hw: tuple[int, int] | None = None, colour: str = 'rgb') -> ov.Model:
    """Build a network as MoveNet MultiPose: int32 NHWC in, ``(1, 6, 56)`` y, x, score out.

    `input_hw` None: of any size.
    """
    shape = ov.PartialShape([1, *(input_hw or (-1, -1)), 3])
    parameter = ops.parameter(shape, np.int32, name='input:0')
    image = ops.transpose(ops.convert(parameter, 'f32'), np.array([0, 3, 1, 2]))
    xy, present = _find_people(image, colour)
    shares = ops.divide(_slice(xy, 0, 6), _size_wh(image))
    yx = ops.gather(shares, np.array([1, 0]), np.array(2))
    present = _slice(present, 0, 6)
    keypoints = ops.concat([yx, _constant_like(present, KEYPOINT_SCORE)], 2)
    low, high = _corners(yx, present)
    row = [_flat(keypoints, 6), low, high, _score(present)]
    return _model([('Identity:0', ops.unsqueeze(ops.concat(row, 1), np.array(0)))], [parameter])


def boxes_and_keypoints(input_hw: tuple[int, int] = (640, 640), colour: str = 'bgr') -> ov.Model:
    """Build a network as RTMO: ``dets`` (1, M, 5) and ``keypoints`` (1, M, 17, 3), M people."""
    parameter = ops.parameter([1, 3, *input_hw], np.float32, name='input')
    xy, present = _find_people(parameter, colour)
    keypoints = ops.concat([xy, _constant_like(present, KEYPOINT_SCORE)], 2)
    low, high = _corners(xy, present)
    detections = ops.concat([low, high, _score(present)], 1)
    found = ops.non_zero(ops.reduce_max(present, np.array([1, 2])), 'i64')
    rows = ops.squeeze(found, np.array(0))
    outputs = {'dets': detections, 'keypoints': keypoints}
    return _model(
        [
            (name, ops.unsqueeze(ops.gather(tensor, rows, np.array(0)), np.array(0)))
            for name, tensor in outputs.items()
        ],
        [parameter],
    )


def scores_and_keypoints(input_hw: tuple[int, int] = (640, 640), colour: str = 'rgb') -> ov.Model:
    """Build a network as DETRPose: values 0..1 and the size of the image in, px of it out."""
    parameter = ops.parameter([1, 3, *input_hw], np.float32, name='images')
    size = ops.parameter([1, 2], np.int64, name='orig_target_sizes')
    xy, present = _find_people(ops.multiply(parameter, np.float32(255)), colour)
    shares = ops.divide(xy, _size_wh(parameter))
    size_wh = ops.reshape(ops.convert(size, 'f32'), np.array([1, 1, 2]), special_zero=False)
    keypoints = ops.unsqueeze(ops.multiply(shares, size_wh), np.array(0))
    scores = ops.transpose(_score(present), np.array([1, 0]))
    labels = ops.convert(ops.multiply(scores, np.float32(0)), 'i64')
    outputs = [('scores', scores), ('labels', labels), ('keypoints', keypoints)]
    return _model(outputs, [parameter, size])


def transposed_rows(input_hw: tuple[int, int] = (640, 640), colour: str = 'rgb') -> ov.Model:
    """Build a network as YOLO-pose: values 0..1 in, ``(1, 56, N)`` out, each person twice."""
    parameter = ops.parameter([1, 3, *input_hw], np.float32, name='images')
    xy, present = _find_people(ops.multiply(parameter, np.float32(255)), colour)
    keypoints = ops.concat([xy, _constant_like(present, KEYPOINT_SCORE)], 2)
    low, high = _corners(xy, present)
    half = np.float32(0.5)
    centre, size = ops.multiply(ops.add(low, high), half), ops.subtract(high, low)
    best, again = (
        ops.concat([ops.add(centre, np.float32(off)), size, ops.multiply(_score(present),
                    np.float32(factor)), _flat(keypoints, PEOPLE)], 1)
        for off, factor in ((0, 1), (3, 0.7))
    )  # fmt: skip
    rows = ops.transpose(ops.concat([again, best], 0), np.array([1, 0]))
    return _model([('output0', ops.unsqueeze(rows, np.array(0)))], [parameter])


def _find_people(image: ov.Node, colour: str) -> tuple[ov.Node, ov.Node]:
    """Find the centres of discs in an NCHW image of 0 to 255.

    Returns ``(PEOPLE, 17, 2)`` x, y, network edge coordinates, and ``(PEOPLE, 17, 1)``, 1 where
    there is a disc.
    """
    blue, green, red = (
        ops.reshape(ops.gather(image, np.array([i]), np.array(1)), np.array([1, -1]), False)
        for i in ((0, 1, 2) if colour == 'bgr' else (2, 1, 0))
    )
    is_disc = ops.convert(ops.greater_equal(red, np.float32(MIN_DISC)), 'f32')
    people = ops.multiply(_near(blue, PERSON_CODES), is_disc)
    keypoints = _near(green, KEYPOINT_CODES)
    shape = ops.shape_of(image)
    height, width = (
        ops.convert(ops.gather(shape, np.array(i), np.array(0)), 'f32') for i in (2, 3)
    )
    index = ops.range(np.float32(0), ops.multiply(height, width), np.float32(1), 'f32')
    row = ops.floor(ops.divide(index, width))
    x = ops.add(ops.subtract(index, ops.multiply(row, width)), np.float32(0.5))
    y = ops.add(row, np.float32(0.5))
    count, sum_x, sum_y = (
        ops.unsqueeze(ops.matmul(people, values, False, True), np.array(2))
        for values in (keypoints, ops.multiply(keypoints, x), ops.multiply(keypoints, y))
    )
    present = ops.minimum(count, np.float32(1))
    centre = ops.divide(ops.concat([sum_x, sum_y], 2), ops.maximum(count, np.float32(1)))
    return centre, present


def _near(values: ov.Node, codes: NDArray[np.floating]) -> ov.Node:
    """Return ``(codes, pixels)``, 1 where a pixel ``(1, pixels)`` has the code."""
    off = ops.abs(ops.subtract(values, codes.astype(np.float32)[:, np.newaxis]))
    return ops.convert(ops.less(off, np.float32(5)), 'f32')


def _corners(positions: ov.Node, present: ov.Node) -> tuple[ov.Node, ov.Node]:
    """Return the least and the largest position of each person's discs, ``(N, 2)`` each."""
    far = ops.multiply(ops.subtract(np.float32(1), present), np.float32(1e6))
    axis = np.array([1])
    low = ops.reduce_min(ops.add(positions, far), axis)
    return low, ops.reduce_max(ops.subtract(positions, far), axis)


def _score(present: ov.Node) -> ov.Node:
    """Return the score of each person, ``(N, 1)``; 0 without discs."""
    return ops.multiply(ops.reduce_max(present, np.array([1])), np.float32(SCORE))


def _constant_like(present: ov.Node, value: float) -> ov.Node:
    return ops.multiply(present, np.float32(value))


def _flat(keypoints: ov.Node, number: int) -> ov.Node:
    return ops.reshape(keypoints, np.array([number, 3 * KEYPOINTS]), False)


def _slice(tensor: ov.Node, start: int, stop: int) -> ov.Node:
    return ops.gather(tensor, np.arange(start, stop), np.array(0))


def _size_wh(image: ov.Node) -> ov.Node:
    shape = ops.convert(ops.shape_of(image), 'f32')
    return ops.reshape(
        ops.gather(shape, np.array([3, 2]), np.array(0)), np.array([1, 1, 2]), False
    )


def _model(outputs: list[tuple[str, ov.Node]], parameters: list[ov.Node]) -> ov.Model:
    """Name inputs and outputs, which are found by their names."""
    for parameter in parameters:
        parameter.output(0).get_tensor().set_names({parameter.get_friendly_name()})
    results = []
    for name, node in outputs:
        result = ops.result(node)
        result.output(0).get_tensor().set_names({name})
        results.append(result)
    return ov.Model(results, parameters, 'contract')
