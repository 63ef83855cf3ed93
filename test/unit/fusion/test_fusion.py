"""People who walk through a room with several cameras, as one set."""

import numpy as np
import pytest
from support import room

from pose3d_ros.fusion.fusion import Fusion
from pose3d_ros.fusion.newest import Newest
from pose3d_ros.people import Source
from pose3d_ros.skeleton import PANOPTIC19

CAMERAS = [room.camera('a', 10, 0.12), room.camera('b', 100, -0.1), room.camera('c', 220, 0.1)]
START = np.array([(0.0, -1.0), (1.0, 0.5), (-1.2, 0.6)])
SPEED_M_S, RATE_HZ, SEED = 0.6, 10.0, 3


def truth(stamp_s):
    """True people at a time: all walk in the direction of x, and back after 2 s."""
    x = SPEED_M_S * (2 - abs(2 - stamp_s % 4))
    return room.standing(*(START + np.array([x - 0.6, 0.0])))


def velocity(stamp_s):
    return (SPEED_M_S if stamp_s % 4 < 2 else -SPEED_M_S, 0, 0)


def play(cameras, seconds, until_s=None, offsets_s=(0.0, 0.0, 0.0), rng=SEED):
    """Return (stamp, fused people) of a room; cameras are lost at `until_s`, by name."""
    rng = rng and np.random.default_rng(rng)
    events = sorted(
        (i / RATE_HZ + offset_s, one.name, one)
        for one, offset_s in zip(cameras, offsets_s, strict=False)
        for i in range(int(seconds * RATE_HZ))
    )
    newest, fusion = Newest([one.name for one in cameras]), Fusion()
    found = []
    for stamp_s, name, one in events:
        if stamp_s >= (until_s or {}).get(name, np.inf):
            continue
        result = room.seen(one, truth(stamp_s), stamp_s, rng, velocity_m_s=velocity(stamp_s))
        for due in newest.add(result):
            found.append((max(r.stamp_s for r in due), fusion.process(due)))
    return found


def test_people_are_where_they_are_with_one_id_each():
    found = play(CAMERAS, 3.0)
    errors = [room.place_errors_m(tracked, truth(stamp_s)) for stamp_s, tracked in found[5:]]
    assert np.mean(errors) < 0.04
    assert np.max(errors) < 0.15
    assert {tuple(sorted(tracked.track_id.tolist())) for _, tracked in found} == {(0, 1, 2)}
    _, last = found[-1]
    assert (last.people.source == Source.FUSED).mean() > 0.9
    assert np.isnan(last.people.people_2d.xy_px).all()
    # Each camera alone is off by its distance error.
    alone = room.seen(CAMERAS[0], truth(0.0))
    alone_m = alone.tracked.people.xyz_m @ alone.rotation.T + alone.origin_m
    assert np.linalg.norm(alone_m - truth(0.0), axis=-1).mean() > 0.3


def test_velocity_and_heading_are_those_of_the_people():
    found = play(CAMERAS, 1.9)
    _, last = found[-1]
    np.testing.assert_allclose(last.velocity_m_s[:, 0], SPEED_M_S, atol=0.2)
    np.testing.assert_allclose(last.velocity_m_s[:, 1:], 0, atol=0.2)
    # STANDING_M faces -z of an image, which is -y of the room.
    assert (last.heading @ (0, -1, 0) > np.cos(np.deg2rad(20))).all()
    assert last.age_s == pytest.approx(found[-1][0] - found[0][0])


def test_half_a_frame_apart_people_are_as_exact():
    together = play(CAMERAS[:2], 2.0)
    apart = play(CAMERAS[:2], 2.0, offsets_s=(0.0, 0.05))

    def mean_m(found):
        return np.mean([room.place_errors_m(t, truth(s)) for s, t in found[5:]])

    assert len(apart) == len(together)
    assert mean_m(apart) < mean_m(together) + 0.02
    assert {len(tracked) for _, tracked in apart} == {3}


def test_limbs_that_move_are_moved_to_the_common_time():
    wrist = PANOPTIC19.index('left_wrist')
    fusion = Fusion(smooth=False)

    def at(stamp_s):
        people_m = room.standing((0, 0))
        people_m[:, wrist, 2] += 1.5 * stamp_s
        return people_m

    for first_s in (0.0, 0.1):
        results = [
            room.seen(CAMERAS[0], at(first_s), first_s),
            room.seen(CAMERAS[1], at(first_s + 0.05), first_s + 0.05),
        ]
        tracked = fusion.process(results)
    assert tracked.people.source[0, wrist] == Source.FUSED
    error_m = np.abs(tracked.people.xyz_m[0, wrist] - at(0.15)[0, wrist]).max()
    assert error_m < 0.01  # 0.0375 without, half of what the wrist moves in between


@pytest.mark.parametrize('lost', ['a', 'b'])
def test_a_lost_camera_changes_no_id_and_people_go_back_to_the_other_without_a_jump(lost):
    found = play(CAMERAS[:2], 8.0, until_s={lost: 1.0}, rng=None)
    assert {tuple(tracked.track_id.tolist()) for _, tracked in found} == {(0, 1, 2)}
    error_m = np.array(
        [
            tracked.people.xyz_m[:, room.PELVIS] - truth(stamp_s)[:, room.PELVIS]
            for stamp_s, tracked in found
        ]
    )
    assert np.linalg.norm(np.diff(error_m, axis=0), axis=-1).max() < 0.1
    kept = CAMERAS[1 if lost == 'a' else 0]
    own_m = kept.distance_error * (truth(found[-1][0])[:, room.PELVIS] - kept.origin_m)
    assert np.linalg.norm(own_m, axis=-1).min() > 0.3
    assert np.linalg.norm(error_m[-1] - own_m, axis=-1).max() < 0.05


def test_someone_whom_a_camera_recognises_gets_the_fused_id_back():
    fusion = Fusion()
    people_m = room.standing((0, 0), (1.2, 0.5))

    def process(stamp_s, people_m, ids):
        return fusion.process(
            [room.seen(one, people_m, stamp_s, ids=ids) for one in CAMERAS[:2]]
        ).track_id.tolist()

    for i in range(5):
        assert process(0.1 * i, people_m, [0, 1]) == [0, 1]
    for i in range(5, 60):
        assert process(0.1 * i, people_m[:1], [0]) == [0]
    back_m = room.standing((0, 0), (-1.0, -1.0))
    assert process(6.0, back_m, [0, 1]) == [0, 1]
    # Another person gets an id that was never used.
    assert process(6.1, room.standing((0, 0), (-1.0, -1.0), (1.0, 1.0)), [0, 1, 2])[2] > 1


def test_a_camera_that_starts_again_with_the_first_id_names_another_person():
    fusion = Fusion()
    for i in range(5):
        fusion.process([room.seen(CAMERAS[0], room.standing((0, 0)), 0.1 * i)])
    later = room.seen(CAMERAS[0], room.standing((1.5, 1.0)), 20.0)
    later.tracked.first_s[:] = 20.0
    assert fusion.process([later]).track_id.tolist() == [1]


def test_no_people_are_no_people():
    tracked = Fusion().process([room.seen(one, room.standing()) for one in CAMERAS])
    assert len(tracked) == 0


def test_people_without_known_positions_are_left_out():
    result = room.seen(CAMERAS[0], room.standing((0, 0), (1, 1)))
    result.tracked.people.xyz_m[0] = np.nan
    assert len(Fusion().process([result])) == 1


@pytest.mark.parametrize('seed', range(8))
def test_impossible_numbers_are_no_error(seed):
    """Messages come from anywhere: whatever is in them, the node goes on."""
    rng = np.random.default_rng(seed)
    fusion = Fusion()
    for i in range(4):
        results = [room.seen(one, truth(0.1 * i), 0.1 * i, rng) for one in CAMERAS]
        for one in results:
            people = one.tracked.people
            arrays = (
                people.xyz_m, people.sd_m, people.root_covariance_m2, one.tracked.velocity_m_s,
                people.people_2d.xy_px, people.people_2d.scores,
            )  # fmt: skip
            for array in arrays:
                bad = rng.random(array.shape) < 0.1
                array[bad] = rng.choice([np.nan, np.inf, -np.inf, 0, -1, 1e30, 1e300], bad.sum())
        with np.errstate(all='ignore'):
            tracked = fusion.process(results)
        assert len(set(tracked.track_id.tolist())) == len(tracked)
    # Good results are fused as ever.
    for i in range(10, 60):
        tracked = fusion.process([room.seen(one, truth(0.1 * i), 0.1 * i) for one in CAMERAS])
    assert room.place_errors_m(tracked, truth(5.9)).max() < 0.1


def test_results_are_not_written_into():
    results = [room.seen(one, truth(0.0)) for one in CAMERAS]
    before = [one.tracked.people.xyz_m.copy() for one in results]
    Fusion().process(results)
    for one, xyz_m in zip(results, before, strict=True):
        np.testing.assert_array_equal(one.tracked.people.xyz_m, xyz_m)
