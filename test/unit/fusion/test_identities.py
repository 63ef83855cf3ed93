"""Ids of fused people, by the tracks of the tracker and those of the cameras."""

from dataclasses import replace

import numpy as np
from support import room

from pose3d_ros.fusion.identities import MAX_KEYS, Identities

CAMERA = room.camera('a', 10, 0.0)


def play(identities, stamp_s, **people):
    """Return the ids of people, each given as tracker_id=track of the camera, as t0=7."""
    tracked = room.seen(CAMERA, room.standing(*[(i, 0.0) for i in range(len(people))])).tracked
    ids = np.array([int(name[1:]) for name in people], np.int64)
    tracked = replace(tracked, track_id=ids, first_s=np.full(len(ids), stamp_s))
    keys = [frozenset([('a', track, 0)]) for track in people.values()]
    return identities.apply(keys, tracked, stamp_s).track_id.tolist()


def test_a_person_whom_a_camera_recognises_gets_the_id_back():
    identities = Identities()
    assert play(identities, 0.0, t0=7, t1=8) == [0, 1]
    assert play(identities, 0.1, t1=8) == [1]
    assert play(identities, 9.0, t1=8, t2=7) == [1, 0]
    assert play(identities, 9.1, t2=9, t3=10) == [0, 2]


def test_no_two_people_have_the_same_id():
    """The tracker mistakes somebody for the person who has just been recognised elsewhere."""
    identities = Identities()
    assert play(identities, 0.0, t0=7) == [0]
    assert play(identities, 0.1, t1=7) == [0]
    assert play(identities, 0.2, t1=7, t0=8) == [0, 1]
    assert play(identities, 0.3, t0=8, t1=7) == [1, 0]


def test_little_is_remembered():
    identities = Identities()
    for i in range(2 * MAX_KEYS):
        play(identities, 0.1 * i, **{f't{i}': i})
    remembered = identities._id_of, identities._alias, identities._first_s
    assert max(map(len, remembered)) <= MAX_KEYS
