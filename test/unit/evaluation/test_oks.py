"""Matching by OKS of figures whose similarity is known."""

import numpy as np
import pytest
from support.figure import BOX, at_similarity, figure_px

from pose3d_ros.evaluation import oks
from pose3d_ros.evaluation.oks import Labels, match, select_labels
from pose3d_ros.people import K
from pose3d_ros.skeleton import PANOPTIC19

NO_PEOPLE = np.zeros((0, K, 2))
# Standard deviations of COCO, from its own evaluation code, in the order of its keypoints.
COCO_NAMES = (
    'nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear', 'left_shoulder', 'right_shoulder',
    'left_elbow', 'right_elbow', 'left_wrist', 'right_wrist', 'left_hip', 'right_hip',
    'left_knee', 'right_knee', 'left_ankle', 'right_ankle',
)  # fmt: skip


def labels_of(*people_px, ignore=()):
    """Label people of equal size; NaN: not labelled."""
    xy_px = np.array(people_px).reshape(-1, K, 2)
    boxes = np.tile(BOX, (len(xy_px), 1))
    return Labels(xy_px, boxes, np.array(ignore, float).reshape(-1, 4))


def test_keypoints_and_sigmas_are_those_of_coco():
    evaluation = pytest.importorskip('pycocotools.cocoeval')
    assert [PANOPTIC19.keypoints[k] for k in oks.COCO] == list(COCO_NAMES)
    theirs = evaluation.Params(iouType='keypoints').kpt_oks_sigmas
    np.testing.assert_allclose(oks.SIGMAS, theirs)


def test_oks_matches_a_hand_calculation_and_missing_keypoints_count_as_wrong():
    figure = figure_px()
    half = figure.copy()
    half[oks.COCO[:8]] = np.nan
    people = np.array([figure, at_similarity(0.6, figure), half, np.full((K, 2), np.nan)])
    expected = [1, 0.6, 9 / 17, 0]
    np.testing.assert_allclose(oks.oks(labels_of(figure), people)[0], expected)
    # Of a label with nine keypoints, those nine count.
    np.testing.assert_allclose(oks.oks(labels_of(half), people)[0], [1, 0.6, 1, 0])
    assert oks.oks(labels_of(figure), NO_PEOPLE).shape == (1, 0)


def test_each_label_matches_its_most_similar_detection_and_others_are_false():
    a, b = figure_px(), figure_px((300, 0))
    people = np.array([b, at_similarity(0.7, a), at_similarity(0.9, a), figure_px((600, 0))])
    matched = match(labels_of(a, b), people)
    assert matched.found == [(1, 0), (0, 2)]
    assert matched.false.tolist() == [1, 3]
    assert match(labels_of(), people).false.tolist() == [0, 1, 2, 3]
    unmatched = match(labels_of(a, b), NO_PEOPLE)
    assert (unmatched.pairs, unmatched.found, len(unmatched.false)) == ([], [], 0)


@pytest.mark.parametrize(('similarity', 'found'), [(0.51, 1), (0.49, 0)])
def test_a_person_is_found_from_an_oks_of_one_half(similarity, found):
    figure = figure_px()
    matched = match(labels_of(figure), at_similarity(similarity, figure)[np.newaxis])
    assert matched.pairs == [(0, 0)]
    assert (len(matched.found), len(matched.false)) == (found, 1 - found)


def test_detections_in_ignored_regions_are_not_false_and_still_match_labels():
    figure = figure_px()
    regions = [[100, 50, 80, 200], [700, 40, 90, 220]]
    matched = match(
        labels_of(figure, ignore=regions),
        np.array([figure, figure_px((600, 0)), figure_px((900, 0))]),
    )
    assert matched.found == [(0, 0)]
    assert matched.false.tolist() == [2]


def test_people_need_six_labelled_keypoints_of_coco():
    figures = np.array([figure_px(), figure_px((300, 0)), figure_px((600, 0))], np.float32)
    known = np.zeros((3, K), bool)
    known[0, oks.COCO[:6]] = True
    known[1, oks.COCO[:5]] = True
    known[1, PANOPTIC19.indices(('neck', 'pelvis'))] = True
    figures[2] = np.nan  # behind the camera
    labels, rows = select_labels(figures, known)
    assert rows.tolist() == [0]
    assert np.flatnonzero(np.isfinite(labels.xy_px[0, :, 0])).tolist() == sorted(oks.COCO[:6])
    np.testing.assert_allclose(labels.boxes, [oks.bounding_box(figures[0, oks.COCO[:6]])])
    # A detection of the rest of a person who does not count lies in that person's box.
    np.testing.assert_allclose(labels.ignore, [oks.bounding_box(figures[1])])
    matched = match(labels, figures[1:2])
    assert (len(matched.found), len(matched.false)) == (0, 0)
