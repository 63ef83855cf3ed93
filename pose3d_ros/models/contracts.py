"""Contracts of the published networks: what each takes and gives.

The decoders that read them are in ``detection/``; names of outputs, colour order and
normalisation are those of the publishers' own export and example code.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

from pose3d_ros.network_spec import IMAGENET_MEAN, IMAGENET_SCALE, NetworkSpec

# Overlap from which two boxes are one person, for graphs that do not suppress duplicates.
_NMS_IOU = 0.65
_OPENMMLAB = 'https://github.com/open-mmlab/mmpose'
_GOOGLE = 'https://www.kaggle.com/models/google/movenet'
_INTEL = 'https://github.com/openvinotoolkit/open_model_zoo'

OPENPOSE = NetworkSpec(
    family='openpose',
    keypoint_set='openpose18',
    outputs={'heatmaps': 'heatmaps', 'pafs': 'pafs'},
    licence='Apache-2.0',
    source=_INTEL,
)
OPENPOSE_3D = NetworkSpec(
    family='openpose',
    keypoint_set='openpose18',
    outputs={'heatmaps': 'heatmaps', 'pafs': 'pafs', 'features': 'features'},
    licence='Apache-2.0',
    source=_INTEL,
)
MOVENET_MULTIPOSE = NetworkSpec(
    family='one_stage',
    keypoint_set='coco17',
    outputs={'rows': 'rows'},
    layout='NHWC',
    colour='rgb',
    size_multiple=32,
    padding=0,
    coordinates='share',
    order='yx',
    row=('keypoints', 'box', 'score'),
    licence='Apache-2.0',
    source=_GOOGLE,
)
YOLOX = NetworkSpec(
    family='person_boxes',
    keypoint_set='',
    outputs={'boxes': 'dets', 'labels': 'labels'},
    decoder='rows',
    input_hw=(416, 416),
    size_multiple=32,
    fit='top_left',
    padding=114,
    licence='Apache-2.0',
    source=_OPENMMLAB,
)
RTMDET_BOXES = NetworkSpec(
    family='person_boxes',
    keypoint_set='',
    outputs={'boxes': 'dets', 'labels': 'labels'},
    decoder='rows',
    mean=IMAGENET_MEAN[::-1],
    scale=IMAGENET_SCALE[::-1],
    input_hw=(320, 320),
    size_multiple=32,
    fit='top_left',
    padding=114,
    licence='Apache-2.0',
    source=_OPENMMLAB,
)
# An export that ends before the boxes are read from the grids.
RTMDET_GRIDS = replace(
    RTMDET_BOXES,
    outputs={'boxes0': '', 'boxes1': '', 'boxes2': ''},
    decoder='rtmdet_grids',
    nms_iou=_NMS_IOU,
)


def movenet_single(side: int) -> NetworkSpec:
    """Return the contract of MoveNet for one person in a square crop of that many px."""
    return NetworkSpec(
        family='top_down',
        keypoint_set='coco17',
        outputs={'keypoints': 'keypoints'},
        decoder='direct',
        layout='NHWC',
        colour='rgb',
        input_hw=(side, side),
        resizable=False,
        padding=0,
        coordinates='share',
        order='yx',
        licence='Apache-2.0',
        source=_GOOGLE,
    )


def rtmpose(keypoint_set: str) -> NetworkSpec:
    """Return the contract of RTMPose on crops of 256 x 192 px (height x width)."""
    return NetworkSpec(
        family='top_down',
        keypoint_set=keypoint_set,
        outputs={'simcc_x': 'simcc_x', 'simcc_y': 'simcc_y'},
        decoder='simcc',
        colour='rgb',
        mean=IMAGENET_MEAN,
        scale=IMAGENET_SCALE,
        input_hw=(256, 192),
        resizable=False,
        padding=0,
        licence='Apache-2.0',
        source=_OPENMMLAB,
    )


def rtmo(side: int) -> NetworkSpec:
    """Return the contract of RTMO with a square input of that many px."""
    return NetworkSpec(
        family='one_stage',
        keypoint_set='coco17',
        outputs={'keypoints': 'keypoints', 'boxes': 'dets'},
        input_hw=(side, side),
        resizable=False,
        size_multiple=32,
        padding=114,
        licence='Apache-2.0',
        source=_OPENMMLAB,
    )


# Shape of each output by decoder, '' for networks of one stage; None: any size.
_Shape: TypeAlias = tuple[int | None, ...]
_OUTPUT_SHAPES: dict[str, dict[str, _Shape]] = {
    '': {
        'rows': (None, None, 56),
        'boxes': (None, None, 5),
        'keypoints': (None, None, 17, 3),
    },
    'direct': {'keypoints': (None, 1, 17, 3)},
    'simcc': {'simcc_x': (None, None, None), 'simcc_y': (None, None, None)},
    'rows': {'boxes': (None, None, 5), 'labels': (None, None)},
    'rtmdet_grids': {f'boxes{i}': (None, None, None, 5) for i in range(3)},
}
# Of networks whose number of keypoints is a size of their outputs.
_KEYPOINTS = {'coco17': 17, 'halpe26': 26}


def output_shapes(spec: NetworkSpec) -> dict[str, _Shape]:
    """Return the shape of each output by its meaning; None: any size."""
    shapes = _OUTPUT_SHAPES[spec.decoder]
    if spec.decoder == 'simcc':
        return dict.fromkeys(shapes, (None, _KEYPOINTS[spec.keypoint_set], None))
    return shapes
