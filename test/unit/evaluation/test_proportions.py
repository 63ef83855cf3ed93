"""Lengths of bodies whose keypoints lie at known places."""

import numpy as np
import pytest

from pose3d_ros.evaluation.proportions import NAMES, proportions
from pose3d_ros.skeleton import PANOPTIC19

K = {name: i for i, name in enumerate(PANOPTIC19.keypoints)}


def measured(keypoints_m):
    return dict(zip(NAMES, proportions(keypoints_m[np.newaxis])[0], strict=True))


@pytest.fixture
def keypoints_m():
    """One person: trunk 0.5 m, thighs 0.4 and 0.6, shanks 0.5, everything else at the origin."""
    person_m = np.zeros((len(PANOPTIC19), 3))
    person_m[K['neck']] = (0, 0.3, 0.4)
    for side, thigh_m in (('left', 0.4), ('right', 0.6)):
        person_m[K[f'{side}_knee']] = (0, -thigh_m, 0)
        person_m[K[f'{side}_ankle']] = (0.5, -thigh_m, 0)
    return person_m


def test_lengths_are_means_of_both_sides(keypoints_m):
    lengths = measured(keypoints_m)
    assert lengths['trunk'] == pytest.approx(0.5)
    assert lengths['thigh'] == pytest.approx(0.5)
    assert lengths['shank'] == pytest.approx(0.5)
    assert lengths['trunk / leg'] == pytest.approx(0.5)
    assert lengths['forearm'] == 0


def test_a_length_with_an_unknown_end_is_unknown(keypoints_m):
    keypoints_m[K['left_ankle']] = np.nan
    lengths = measured(keypoints_m)
    assert np.isnan([lengths['shank'], lengths['trunk / leg']]).all()
    assert lengths['thigh'] == pytest.approx(0.5)
