"""What the documents tell users to write works."""

import json
import re
from pathlib import Path

import numpy as np
from support import graphs

from pose3d_ros.camera import Intrinsics
from pose3d_ros.detection.open_detector import open_detector
from pose3d_ros.images import CameraImage
from pose3d_ros.inference import InferenceOptions
from pose3d_ros.network_spec import NetworkSpec, spec_path
from pose3d_ros.skeleton import PANOPTIC19

DOCUMENTS = Path(__file__).parents[3] / 'docs' / 'models'
# The heatmaps' cell of each keypoint, row and column, of a person who stands in the crop.
ROW, COLUMN = np.linspace(10, 80, 17).astype(int), np.linspace(20, 50, 17).astype(int)


def omnipose_spec():
    page = (DOCUMENTS / 'omnipose.md').read_text()
    return json.loads(re.search(r'```json\n(.*?)```', page, re.DOTALL)[1])


def test_the_contract_of_omnipose_is_complete():
    spec = NetworkSpec.from_dict(omnipose_spec())
    assert (spec.family, spec.keypoint_set, spec.input_hw) == ('top_down', 'coco17', (384, 288))


def test_a_network_like_omnipose_works_with_the_documented_contract(tmp_path):
    """Heatmaps are known: a person detector with one box, and peaks at known cells."""
    maps = np.zeros((1, 17, 96, 72), np.float32)
    for k in range(17):
        rows, columns = np.mgrid[:96, :72]
        maps[0, k] = np.exp(-((rows - ROW[k]) ** 2 + (columns - COLUMN[k]) ** 2) / 8)
    pose = tmp_path / 'omnipose.onnx'
    pose.write_bytes(graphs.onnx(('input', (1, 3, 384, 288)), {'heatmaps': maps}))
    spec_path(pose).write_text(json.dumps(omnipose_spec()))
    detector = tmp_path / 'detector.onnx'
    # A box of 3:4, which fills the middle of the image with its margin of 1.25.
    boxes = np.array([[[208.0, 112.0, 432.0, 368.0 + 42.67, 0.9]]], np.float32)
    detector.write_bytes(graphs.onnx(('input', (1, 3, 480, 640)), {'dets': boxes}))
    found = open_detector((detector, pose), InferenceOptions('CPU', 'f32'))
    image = CameraImage(np.full((480, 640, 3), 128, np.uint8), Intrinsics.guess(640, 480))
    (detections,) = found.detect([image])
    assert len(detections.people) == 1
    xy = detections.people.xy_px[0]
    # The nose is the first of the network's keypoints, the right ankle its last.
    nose, ankle = (xy[PANOPTIC19.index(name)] for name in ('nose', 'right_ankle'))
    scale = np.linalg.norm(ankle - nose) / np.hypot(ROW[16] - ROW[0], COLUMN[16] - COLUMN[0])
    direction = (ankle - nose) / scale
    np.testing.assert_allclose(direction, (COLUMN[16] - COLUMN[0], ROW[16] - ROW[0]), atol=0.2)
    assert np.isfinite(xy).all()
