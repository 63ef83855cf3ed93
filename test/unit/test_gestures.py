"""Gestures of people whose arms are put where the test states."""

import numpy as np
import pytest
from support.people import scene

from pose3d_ros.gestures import arm_up, pointing
from pose3d_ros.skeleton import PANOPTIC19

UP = np.array([0.0, -1.0, 0.0])
SIDES = ('left', 'right')


def joint(name):
    return PANOPTIC19.index(name)


def with_arm(side, elevation_deg, bend_deg=0.0):
    """A person 4 m away whose arm is stretched to the camera, bent at the elbow."""
    people = scene([(0, 0, 4)])
    xyz_m = people.xyz_m[0]
    place = xyz_m[joint(f'{side}_shoulder')]
    for name, length_m, angle_deg in (
        ('elbow', 0.3, elevation_deg), ('wrist', 0.25, elevation_deg + bend_deg)
    ):  # fmt: skip
        angle = np.deg2rad(angle_deg)
        place = place + length_m * np.array([0, -np.sin(angle), -np.cos(angle)])
        xyz_m[joint(f'{side}_{name}')] = place
    return people


@pytest.mark.parametrize('side', SIDES)
@pytest.mark.parametrize(
    ('elevation_deg', 'bend_deg', 'expected'),
    [(0, 0, True), (-30, 0, True), (45, 0, True), (0, 25, True),
     (-80, 0, False), (-60, 0, False), (80, 0, False), (0, 70, False)],
)  # fmt: skip
def test_a_straight_arm_that_neither_hangs_nor_is_up_points(
    side, elevation_deg, bend_deg, expected
):
    found = pointing(with_arm(side, elevation_deg, bend_deg), UP)
    assert found.tolist() == [[expected and side == one for one in SIDES]]


def test_hanging_arms_and_unknown_ones_do_not_point():
    assert not pointing(scene([(0, 0, 4), (1, 0, 5)]), UP).any()
    people = with_arm('left', 0)
    people.xyz_m[0, joint('left_wrist')] = np.nan
    assert not pointing(people, UP).any()
    people = with_arm('left', 0)
    people.people_2d.scores[0, joint('left_elbow')] = 0
    assert not pointing(people, UP).any()
    assert pointing(scene(np.zeros((0, 3))), UP).shape == (0, 2)


def test_up_is_that_of_the_room():
    people = with_arm('left', 0)
    assert not pointing(people, np.array([0, 0, -1.0]))[0, 0]
    assert pointing(people, np.array([0, -np.cos(0.3), -np.sin(0.3)]))[0, 0]


def test_an_arm_up():
    assert arm_up(with_arm('right', 85), UP).tolist() == [True]
    assert arm_up(with_arm('right', 0), UP).tolist() == [False]
