"""Which views are of the same person."""

import numpy as np
import pytest
from support import room

from pose3d_ros.fusion.association import costs, groups
from pose3d_ros.fusion.views import in_camera_frame, views

PLACES = [(0.0, 0.0), (0.9, 0.4), (-1.2, 0.8), (0.3, -1.3)]
CAMERAS = [room.camera('a', 0, 0.1), room.camera('b', 80, -0.1), room.camera('c', 200, 0.08)]


def ids_of_groups(results):
    """Return the sets of true people of each group; ids of cameras are the true ones."""
    seen = views(results, 0.0)
    return sorted(tuple(seen.keys[i][1] for i in rows) for rows in groups(seen, costs(seen)))


@pytest.mark.parametrize('seed', range(5))
def test_views_of_the_same_person_are_put_together(seed):
    rng = np.random.default_rng(seed)
    people_m = room.standing(*PLACES)
    results = [room.seen(one, people_m, rng=rng) for one in CAMERAS]
    assert ids_of_groups(results) == [(i,) * 3 for i in range(4)]


def test_people_whom_only_one_camera_sees_stay_alone():
    people_m = room.standing(*PLACES)
    results = [
        room.seen(CAMERAS[0], people_m[:3], ids=[0, 1, 2]),
        room.seen(CAMERAS[1], people_m[1:], ids=[1, 2, 3]),
    ]
    assert ids_of_groups(results) == [(0,), (1, 1), (2, 2), (3,)]


def test_rays_that_cross_by_chance_are_no_person():
    # Both cameras are at the same height: the rays of two people cross in a third place.
    people_m = room.standing((0.0, 1.0), (0.0, -1.0))
    results = [
        room.seen(CAMERAS[0], people_m[:1], ids=[0]),
        room.seen(room.camera('d', 90), people_m[1:], ids=[1]),
    ]
    assert ids_of_groups(results) == [(0,), (1,)]


def test_two_people_of_one_camera_are_never_the_same():
    people_m = room.standing((0, 0), (0.05, 0))
    assert ids_of_groups([room.seen(CAMERAS[0], people_m)]) == [(0,), (1,)]


def test_no_people_are_no_groups():
    nobody = room.standing()
    assert ids_of_groups([room.seen(one, nobody) for one in CAMERAS]) == []


def test_positions_in_another_frame_are_recognised():
    result = room.seen(CAMERAS[0], room.standing(*PLACES))
    assert in_camera_frame(result)
    people = result.tracked.people
    moved = people.xyz_m @ result.rotation.T + result.origin_m
    object.__setattr__(people, 'xyz_m', moved)
    assert not in_camera_frame(result)
    assert in_camera_frame(room.seen(CAMERAS[0], room.standing()))
