"""What `benchmark.robots` counts, on people whose motion and ids are known by construction."""

import numpy as np
import pytest
from support.people import LEFT, RIGHT, scene
from support.walking_people import tracked as tracked_people

from benchmark import robots_ids, robots_motion
from benchmark.accuracy_ids import TrackedImage
from pose3d_ros.tracking import appearance


def people_with(velocity, heading_rad, age_s=2.0):
    made = tracked_people(np.zeros((1, 19, 2)), np.zeros((1, 19, 3)))
    heading = np.array([[np.cos(heading_rad), 0, np.sin(heading_rad)]])
    return type(made)(
        made.people, made.track_id, made.state, np.array([age_s]), np.array([velocity]),
        0.01 * np.eye(3)[None], heading, np.array([0.2]), np.zeros(1),
    )  # fmt: skip


def test_errors_of_motion_and_whether_they_are_covered():
    errors = robots_motion.Errors()
    truth = np.array([1.0, 0, 0]), np.array([1.0, 0, 0])
    errors.add(people_with((1.1, 0, 0), 0.1), 0, *truth)
    errors.add(people_with((1.0, 0, 0.5), 0.8), 0, *truth)
    errors.add(people_with((9.0, 0, 0), 3.0, age_s=0.2), 0, *truth)  # not settled
    assert errors.velocity_m_s == pytest.approx([0.1, 0.5])
    assert errors.heading_rad == pytest.approx([0.1, 0.8])
    assert errors.inside == errors.heading_inside == [True, False]


def test_true_velocity_and_heading():
    stamps_s = np.arange(20) / 15
    places_m = np.stack([1.2 * stamps_s, 0 * stamps_s, 5 - 0.5 * stamps_s], axis=1)
    velocity = robots_motion.difference(places_m, stamps_s, 8)
    np.testing.assert_allclose(velocity, (1.2, 0, -0.5))
    assert np.isnan(robots_motion.difference(places_m, stamps_s, 1)).all()
    facing = robots_motion.facing(scene([LEFT]).xyz_m[0], np.array([0.0, -1, 0]))
    np.testing.assert_allclose(facing, (0, 0, -1), atol=1e-9)


def test_drawn_walkers_face_where_they_go():
    pose = robots_motion.clip.camera_pose()
    for _, xyz_m, velocity in list(robots_motion.walk(np.random.default_rng(0), pose))[::10]:
        assert np.abs(velocity @ pose.up).max() < 1e-9
        for person, moves in zip(xyz_m, velocity, strict=True):
            facing = robots_motion.facing(person, pose.up)
            assert facing @ moves > 0.7 * np.linalg.norm(moves)


@pytest.mark.parametrize(
    ('colours_after', 'expected'), [((0, 1), 'old'), ((2, 1), 'new'), ((None, 1), 'new')]
)
def test_ids_of_a_person_who_is_hidden(colours_after, expected):
    """Two people in a labelled video; the second image row says what they wear afterwards."""
    images = []
    for i in range(120):
        people = scene([LEFT, RIGHT])
        wear = (0, 1) if i < 60 else colours_after
        colours = np.full((2, appearance.PARTS, appearance.BINS), np.nan)
        for row, number in enumerate(wear):
            if number is not None:
                colours[row] = 0.0
                colours[row, :, number] = 1.0
        distance = np.where(np.eye(2, dtype=bool), 0.0, np.nan)
        images.append(TrackedImage(i / 10, [5, 6], people, distance, np.ones(2, bool), colours))
    assert robots_ids._hide(images, 5, 5.0, 8.0) == expected
