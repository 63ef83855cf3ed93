import numpy as np
import pytest

from pose3d_ros.detection.nms import MAX_DETECTIONS, box_nms, keypoint_nms
from pose3d_ros.skeleton import PANOPTIC19
from synthetic.scene import CAMERA, people_m


def test_of_overlapping_boxes_the_best_is_kept():
    boxes = np.array([[0, 0, 10, 10], [0, 1, 10, 11], [20, 0, 30, 10], [0, 0, 10, 5.0]])
    scores = np.array([0.5, 0.9, 0.3, 0.8])
    # The intersection over union of the first two is 9/11, of the first and the last 1/2.
    assert list(box_nms(boxes, scores, 0.65)) == [1, 3, 2]
    assert list(box_nms(boxes, scores, 0.3)) == [1, 2]
    assert list(box_nms(boxes, scores, 0.9)) == [1, 3, 0, 2]


def test_empty_boxes_do_not_overlap():
    boxes = np.array([[5, 5, 5, 5], [5, 5, 5, 5.0]])
    assert list(box_nms(boxes, np.array([0.5, 0.6]), 0.5)) == [1, 0]


@pytest.mark.parametrize('number', [0, 1])
def test_few_detections_are_kept(number):
    assert len(box_nms(np.ones((number, 4)), np.ones(number), 0.5)) == number
    people = np.ones((number, 19, 2)), np.ones((number, 19)), np.ones(number)
    assert len(keypoint_nms(*people, 0.7)) == number


def drawn(*positions_m):
    return CAMERA.project(people_m(*positions_m))


def test_of_one_person_found_twice_the_best_is_kept():
    xy = drawn((0, 0, 3), (0, 0, 3), (0.2, 0, 3))
    xy[1] += 1.5
    score = np.array([0.6, 0.8, 0.7])
    assert list(keypoint_nms(xy, np.ones((3, 19)), score, 0.7)) == [1, 2]


def test_a_part_of_a_person_who_is_found_whole_is_suppressed():
    xy = drawn((0, 0, 3), (0, 0, 3))
    scores = np.ones((2, 19))
    scores[1, PANOPTIC19.indices(('nose', 'left_knee', 'right_knee', 'left_ankle'))] = 0
    assert list(keypoint_nms(xy, scores, np.array([0.9, 0.5]), 0.7)) == [0]


def test_people_with_few_common_keypoints_are_kept():
    xy = drawn((0, 0, 3), (0, 0, 3))
    scores = np.zeros((2, 19))
    scores[0, :10], scores[1, 9:] = 1, 1
    xy[scores == 0] = np.nan
    assert len(keypoint_nms(xy, scores, np.array([0.9, 0.5]), 0.7)) == 2


def test_the_number_of_detections_is_bounded():
    boxes = np.arange(4 * (MAX_DETECTIONS + 50), dtype=float).reshape(-1, 4)
    scores = np.linspace(0, 1, len(boxes))
    kept = box_nms(boxes, scores, 0.5)
    assert len(kept) == MAX_DETECTIONS
    assert kept[0] == len(boxes) - 1
