import numpy as np
import pytest

from pose3d_ros.detection.keypoint_sets import KEYPOINT_SETS, to_panoptic19, with_midpoints
from pose3d_ros.people import People2D
from pose3d_ros.skeleton import PANOPTIC19

index = PANOPTIC19.index
# A position for every name: which keypoint is which can be told from where it is.
PLACE = {name: (10.0 * i, 500 - 7.0 * i) for i, name in enumerate(PANOPTIC19.keypoints)}


def person(keypoint_set):
    """One person of a set, each keypoint at its place; those that are dropped far away."""
    names = KEYPOINT_SETS[keypoint_set]
    xy = np.array([[PLACE.get(name, (-1e6, -1e6)) for name in names]])
    return xy, np.linspace(0.3, 0.9, len(names))[np.newaxis]


@pytest.mark.parametrize('keypoint_set', KEYPOINT_SETS)
def test_keypoints_are_mapped_by_name(keypoint_set):
    xy, scores = person(keypoint_set)
    mapped, mapped_scores = to_panoptic19(keypoint_set, xy, scores)
    names = KEYPOINT_SETS[keypoint_set]
    for name in set(names) & set(PANOPTIC19.keypoints):
        np.testing.assert_array_equal(mapped[0, index(name)], PLACE[name])
        assert mapped_scores[0, index(name)] == scores[0, names.index(name)]
    assert mapped_scores.min() > 0
    assert np.abs(mapped).max() < 1e6


def test_midpoints_have_the_smaller_score():
    xy, scores = person('coco17')
    mapped, mapped_scores = to_panoptic19('coco17', xy, scores)
    for name, ends in {'neck': 'shoulder', 'pelvis': 'hip'}.items():
        pair = [index(f'{side}_{ends}') for side in ('left', 'right')]
        np.testing.assert_allclose(mapped[0, index(name)], mapped[0, pair].mean(0))
        assert mapped_scores[0, index(name)] == mapped_scores[0, pair].min()


def test_a_set_with_a_neck_and_a_pelvis_keeps_its_own():
    xy, scores = person('halpe26')
    mapped, _ = to_panoptic19('halpe26', xy, scores)
    np.testing.assert_array_equal(mapped[0, index('neck')], PLACE['neck'])
    np.testing.assert_array_equal(mapped[0, index('pelvis')], PLACE['pelvis'])


@pytest.mark.parametrize('keypoint_set', ['coco17', 'openpose18'])
def test_a_midpoint_of_a_missing_keypoint_is_missing(keypoint_set):
    xy, scores = person(keypoint_set)
    scores[0, KEYPOINT_SETS[keypoint_set].index('left_hip')] = 0
    mapped, mapped_scores = to_panoptic19(keypoint_set, xy, scores)
    for name in ('left_hip', 'pelvis'):
        assert mapped_scores[0, index(name)] == 0
        assert np.isnan(mapped[0, index(name)]).all()
    assert mapped_scores[0, index('neck')] > 0


def test_no_people():
    mapped, scores = to_panoptic19('coco17', np.zeros((0, 17, 2)), np.zeros((0, 17)))
    assert (mapped.shape, scores.shape) == ((0, 19, 2), (0, 19))


def test_another_number_of_keypoints_is_refused():
    with pytest.raises(ValueError, match=r'coco17 must have shapes \(N, 17, 2\).*\(1, 18, 2\)'):
        to_panoptic19('coco17', np.zeros((1, 18, 2)), np.zeros((1, 18)))


def test_midpoints_are_added_to_people_without_changing_them():
    xy = np.array([[PLACE[name] for name in PANOPTIC19.keypoints]])
    scores = np.full((1, 19), 0.5)
    xy[0, index('pelvis')], scores[0, index('pelvis')] = np.nan, 0
    people = People2D(xy, scores, np.ones(1), 'openpose18')
    added = with_midpoints(people)
    hips = [index('left_hip'), index('right_hip')]
    np.testing.assert_allclose(added.xy_px[0, index('pelvis')], xy[0, hips].mean(0))
    assert added.keypoint_set == added.take(np.array([0])).keypoint_set == 'openpose18'
    assert people.scores[0, index('pelvis')] == 0
