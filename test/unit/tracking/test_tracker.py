"""Truth: who is who in scenes made here; for the last test, in reference scenes with truth."""

import numpy as np
import pytest
from support.people import (
    LEFT,
    LEGS,
    RIGHT,
    UPPER,
    K,
    scene,
    without,
)

from pose3d_ros.detection.openpose.channels import LOCATION_MAP_CHANNELS
from pose3d_ros.people import People2D, People3D, Source, TrackState
from pose3d_ros.skeleton import PANOPTIC19
from pose3d_ros.tracking.tracker import Tracker


def rows(people, which):
    """The same people in another order."""
    flat = people.people_2d
    flat = People2D(flat.xy_px[which], flat.scores[which], flat.score[which])
    covariance = people.root_covariance_m2[which]
    return People3D(flat, people.xyz_m[which], people.source[which], covariance)


def ids(tracker, people, stamp_s):
    return tracker.update(people, stamp_s).track_id.tolist()


NO_PEOPLE = np.zeros((0, 3))


def test_output_has_the_rows_of_the_input_in_its_order():
    tracker = Tracker()
    places_m = np.array([(-1.5, 0, 4), (0, 0, 5), (1.5, 0, 4)])
    first = ids(tracker, scene(places_m), 0.0)
    assert sorted(first) == [0, 1, 2]
    order = [2, 0, 1]
    people = scene(places_m[order])
    tracked = tracker.update(people, 0.1)
    assert tracked.track_id.tolist() == [first[i] for i in order]
    np.testing.assert_allclose(tracked.people.xyz_m, people.xyz_m, atol=0.01)


def test_an_image_without_people_returns_no_people_and_keeps_the_tracks():
    tracker = Tracker()
    tracked = tracker.update(scene(NO_PEOPLE), 0.0)
    assert len(tracked) == 0
    assert tracked.people.xyz_m.shape == (0, K, 3)
    assert (tracked.track_id.dtype, tracked.state.dtype) == (np.int64, np.uint8)
    assert ids(tracker, scene([LEFT]), 0.1) == [0]
    assert ids(tracker, scene(NO_PEOPLE), 0.2) == []
    assert ids(tracker, scene([LEFT]), 0.3) == [0]


@pytest.mark.parametrize('images_between', [0, 1, 50])
@pytest.mark.parametrize(('gap_s', 'remembered'), [(0.3, True), (0.9, True), (1.2, False)])
def test_memory_is_a_time_not_a_number_of_images(images_between, gap_s, remembered):
    tracker = Tracker(max_age_s=1.0)
    for i in range(10):
        ids(tracker, scene([LEFT, RIGHT]), i / 30)
    last_s = 9 / 30
    for i in range(images_between):
        assert ids(tracker, scene([RIGHT]), last_s + gap_s * (i + 1) / (images_between + 1)) == [1]
    back = ids(tracker, scene([LEFT, RIGHT]), last_s + gap_s)
    assert (back[0] == 0) == remembered
    assert (back[1] == 1) == (remembered or images_between > 0)


@pytest.mark.parametrize('speed_m_s', [0.0, 0.3])
@pytest.mark.parametrize('interval_s', [1.2, 2.0, 4.0])
def test_ids_last_at_low_rates_until_two_images_came_without_the_person(interval_s, speed_m_s):
    tracker = Tracker(max_age_s=1.0)
    places_m = np.array([LEFT, RIGHT])
    for i in range(8):
        there_m = places_m + np.array([speed_m_s * i, 0, 0])
        missed = i == 5
        found = ids(tracker, scene(there_m[:1] if missed else there_m), interval_s * i)
        assert found == ([0] if missed else [0, 1]), f'image {i}'
    for i in range(8, 11):
        assert len(tracker._tracks) == 2
        ids(tracker, scene(NO_PEOPLE), interval_s * i)
    assert len(tracker._tracks) == 0


@pytest.mark.parametrize('rate_hz', [5, 30])
def test_a_pause_of_a_fast_camera_is_no_low_rate(rate_hz):
    tracker = Tracker(max_age_s=1.0)
    stamp_s = 0.0
    for pause in range(3):
        for _ in range(10):
            assert ids(tracker, scene([LEFT]), stamp_s) == [pause]
            stamp_s += 1 / rate_hz
        stamp_s += 1.5


def test_tracks_stay_bounded_at_low_rates():
    tracker = Tracker(max_age_s=1.0)
    for i in range(40):  # another place in each image
        ids(tracker, scene([(3.0 * (i % 7) - 9, 0, 12)]), 2.0 * i)
        assert len(tracker._tracks) <= 4


def test_people_far_apart_who_miss_the_same_limbs_never_share_an_id():
    # Missing keypoints compared as if they were points make these two alike.
    tracker = Tracker()
    legless = without(LEGS)
    assert ids(tracker, scene([LEFT], legless), 0.0) == [0]
    assert ids(tracker, scene([RIGHT], legless), 0.1) == [1]
    assert ids(tracker, scene([RIGHT, LEFT], without(LEGS, LEGS)), 0.2) == [1, 0]
    only_nose = without(*[np.arange(2, K)] * 2)
    assert ids(tracker, scene([LEFT, RIGHT], only_nose), 0.3) == [0, 1]


@pytest.mark.parametrize('speed_m_s', [0.6, 1.2, 2.4])
@pytest.mark.parametrize('rate_hz', [10, 30])
@pytest.mark.parametrize('seed', range(5))
def test_people_who_cross_keep_their_ids(speed_m_s, rate_hz, seed):
    # The person behind is not detected while the one in front covers that person.
    rng = np.random.default_rng(seed)
    tracker = Tracker()
    for i in range(int(3 / speed_m_s * rate_hz)):
        x_m = -1.5 + speed_m_s * i / rate_hz
        places_m = np.array([(x_m, 0, 3.8), (-x_m, 0, 4.7)])
        covered = abs(x_m / 3.8 + x_m / 4.7) < 0.25 / 4.7
        who = np.array([0]) if covered else rng.permutation(2)
        if i == 0:
            who = np.array([0, 1])
        found = ids(tracker, scene(places_m[who], rng=rng), i / rate_hz)
        assert found == who.tolist(), f'image {i}'


def test_person_who_loses_legs_behind_a_table_keeps_the_id_and_the_place():
    tracker = Tracker()
    for i in range(60):
        hidden = without(LEGS if i >= 20 else [])
        tracked = tracker.update(scene([(-1 + i / 30, 0, 4)], hidden), i / 30)
        assert tracked.track_id.tolist() == [0]
    assert np.isfinite(tracked.people.people_2d.xy_px[0, UPPER]).all()
    assert np.isnan(tracked.people.people_2d.xy_px[0, LEGS]).all()


def test_person_with_other_visible_keypoints_than_before_keeps_the_id():
    tracker = Tracker()
    for i in range(10):
        upper, legs = without(LEGS, LEGS), without(UPPER, UPPER)
        assert ids(tracker, scene([LEFT, RIGHT], legs if i % 2 else upper), i / 10) == [0, 1]


@pytest.mark.parametrize('rate_hz', [5, 30])
@pytest.mark.parametrize('fragment_has_3d', [True, False])
@pytest.mark.parametrize('whole_first', [True, False])
def test_a_few_keypoints_that_fit_do_not_take_the_id_of_a_whole_person(
    rate_hz, fragment_has_3d, whole_first
):
    # Four keypoints are split off a person, who is given four of the person behind instead.
    limb = PANOPTIC19.indices(('left_shoulder', 'left_elbow', 'left_wrist', 'left_hip'))
    tracker = Tracker()
    for i in range(10):
        place_m, behind_m = (0.1 * i / rate_hz, 0, 3), (0.6, 0, 4)
        tracked = ids(tracker, scene([place_m, behind_m]), i / rate_hz)
    assert tracked == [0, 1]
    others = np.setdiff1d(np.arange(K), limb)
    for i in range(10, 13):
        place_m = (0.1 * i / rate_hz, 0, 3)
        people = scene([place_m, behind_m, place_m], without([], limb, others))
        people.people_2d.xy_px[0, limb] = scene([behind_m]).people_2d.xy_px[0, limb]
        if not fragment_has_3d:
            people.xyz_m[2] = np.nan
        order = [0, 1, 2] if whole_first else [2, 1, 0]
        found = ids(tracker, rows(people, order), i / rate_hz)
        assert dict(zip(order, found, strict=True)) | {2: None} == {0: 0, 1: 1, 2: None}


def test_few_keypoints_keep_the_id_where_no_other_person_is_near():
    tracker = Tracker()
    few = np.setdiff1d(np.arange(K), PANOPTIC19.indices(('nose', 'left_eye', 'neck', 'left_ear')))
    for i in range(20):
        hidden = without(few if i >= 10 else [], [])
        assert ids(tracker, scene([LEFT, RIGHT], hidden), i / 30) == [0, 1]


def test_person_who_leaves_and_comes_back_gets_the_id_back_where_the_motion_fits():
    tracker = Tracker()
    for i in range(30):
        ids(tracker, scene([(1.0 + 1.0 * i / 30, 0, 4)]), i / 30)
    for i in range(30, 48):
        ids(tracker, scene(NO_PEOPLE), i / 30)
    assert ids(tracker, scene([(2.4, 0, 4.1), (-1.5, 0, 4)]), 48 / 30) == [0, 1]


def test_another_person_elsewhere_does_not_get_the_id_of_a_person_who_left():
    tracker = Tracker()
    for i in range(10):
        ids(tracker, scene([RIGHT]), i / 30)
    assert ids(tracker, scene([(-1.0, 0, 4)]), 1.0) == [1]


def test_same_stamp_again_is_no_time_passed():
    tracker = Tracker()
    for i in range(10):
        tracker.update(scene([LEFT]), 5 + i / 30)
    for shift_m in (0.0, 0.05, 0.0):
        tracked = tracker.update(scene([np.add(LEFT, (shift_m, 0, 0))]), 5 + 9 / 30)
        assert tracked.track_id.tolist() == [0]
        assert tracker.stamp_s == 5 + 9 / 30
    tracked = tracker.update(scene([LEFT]), 5 + 10 / 30)
    assert tracked.track_id.tolist() == [0]


def test_stamps_that_jump_back_start_anew_without_reusing_ids():
    tracker = Tracker()
    assert ids(tracker, scene([LEFT, RIGHT]), 100.0) == [0, 1]
    assert ids(tracker, scene([LEFT, RIGHT]), 99.99) == [0, 1]  # a clock that is being set
    tracked = tracker.update(scene([LEFT, RIGHT]), 98.5)
    assert tracked.track_id.tolist() == [2, 3]
    np.testing.assert_array_equal(tracked.age_s, 0)
    assert ids(tracker, scene([LEFT, RIGHT]), 98.6) == [2, 3]
    tracker.reset()
    assert ids(tracker, scene([LEFT, RIGHT]), 98.7) == [4, 5]


@pytest.mark.parametrize('rate_hz', [30, 15, 9, 5])
def test_images_in_the_wrong_order_keep_the_ids(rate_hz):
    tracker, rng = Tracker(), np.random.default_rng(0)
    order = np.arange(20 * rate_hz)
    for i in rng.choice(len(order) // 2 - 1, len(order) // 20, replace=False):
        order[2 * i : 2 * i + 2] = order[2 * i : 2 * i + 2][::-1]
    for i in order:
        assert ids(tracker, scene([LEFT, RIGHT]), 100 + i / rate_hz) == [0, 1]


def test_several_earlier_stamps_in_order_start_anew():
    tracker = Tracker()
    for stamp_s, expected in ((100, [0, 1]), (99.5, [0, 1]), (99.6, [0, 1]), (99.7, [2, 3])):
        assert ids(tracker, scene([LEFT, RIGHT]), stamp_s) == expected


def test_stamp_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match='stamp_s must be finite, found nan'):
        Tracker().update(scene([LEFT]), float('nan'))


def test_state_and_age():
    tracker = Tracker(confirm_s=0.2)
    tracked = [tracker.update(scene([LEFT]), 3 + i / 10) for i in range(4)]
    np.testing.assert_allclose([t.age_s[0] for t in tracked], [0, 0.1, 0.2, 0.3], atol=1e-9)
    states = [t.state[0] for t in tracked]
    assert states[:2] == [TrackState.TENTATIVE] * 2
    assert states[3] == TrackState.CONFIRMED
    seen_twice = [tracker.update(scene([LEFT, RIGHT]), s).state[1] for s in (3.4, 4.2)]
    assert seen_twice == [TrackState.TENTATIVE] * 2


def test_the_people_are_returned_unchanged():
    rng = np.random.default_rng(0)
    tracker = Tracker()
    for i in range(5):
        people = scene([LEFT, RIGHT], rng=rng)
        assert tracker.update(people, i / 30).people is people


def test_two_trackers_share_nothing():
    one, other = Tracker(), Tracker()
    assert ids(one, scene([LEFT, RIGHT]), 0.0) == [0, 1]
    assert ids(other, scene([RIGHT]), 0.0) == [0]
    assert ids(one, scene([RIGHT]), 0.1) == [1]


@pytest.mark.parametrize('unknown', ['pelvis', 'all 3D', 'all but the neck', 'all 2D'])
def test_people_with_few_known_positions_keep_their_ids(unknown):
    tracker = Tracker()
    for i in range(10):
        people = scene([LEFT, RIGHT])
        xyz_m, xy_px, scores = people.xyz_m, people.people_2d.xy_px, people.people_2d.scores
        if unknown == 'pelvis':
            xyz_m[:, PANOPTIC19.index('pelvis')] = np.nan
        elif unknown == 'all 3D':
            xyz_m[:] = np.nan
        elif unknown == 'all but the neck':
            for array in (xyz_m, xy_px, scores):
                array[:, 1:] = np.nan if array is not scores else 0
        else:
            xy_px[:], scores[:] = np.nan, 0
        tracked = tracker.update(people, i / 30)
        assert tracked.track_id.tolist() == [0, 1]
        np.testing.assert_array_equal(np.isnan(tracked.people.xyz_m), np.isnan(people.xyz_m))


def test_person_without_any_known_position_is_a_row_like_any_other():
    tracker = Tracker()
    for i in range(3):
        people = scene([LEFT, RIGHT])
        people.xyz_m[0], people.people_2d.xy_px[0] = np.nan, np.nan
        tracked = tracker.update(people, i / 30)
        assert len(set(tracked.track_id.tolist())) == 2
        assert tracked.track_id[1] == 1
        assert np.isnan(tracked.people.xyz_m[0]).all()


def test_twenty_people_with_missed_people_and_hidden_keypoints_keep_their_ids():
    rng = np.random.default_rng(0)
    x_m, z_m = np.meshgrid(np.linspace(-3, 3, 5), (4, 6, 8, 10))
    places_m = np.stack([x_m.ravel(), np.zeros(20), z_m.ravel()], axis=-1)
    places_m[:, 0] *= places_m[:, 2] / 5
    tracker = Tracker()
    assert ids(tracker, scene(places_m), 0.0) == list(range(20))
    for i in range(1, 60):
        who = rng.permutation(np.flatnonzero(rng.random(20) > 0.2))
        moved_m = places_m[who] + (0.3 * np.sin(i / 10), 0, 0)
        hidden = rng.random((len(who), K)) < 0.4
        assert ids(tracker, scene(moved_m, hidden, rng), i / 30) == who.tolist()


@pytest.mark.parametrize(('name', 'value'), [('max_age_s', 0.0), ('confirm_s', float('nan'))])
def test_bad_parameters_are_refused(name, value):
    with pytest.raises(ValueError, match=rf'{name} must be at least .* found {value}'):
        Tracker(**{name: value})


def test_a_longer_memory_keeps_the_tracks():
    tracker = Tracker()
    before = ids(tracker, scene([LEFT, RIGHT]), 0.0)
    tracker.max_age_s = 5.0
    assert ids(tracker, scene([LEFT, RIGHT]), 4.0) == before
    with pytest.raises(ValueError, match='max_age_s'):
        tracker.max_age_s = -1.0
    assert ids(tracker, scene([LEFT, RIGHT]), 8.0) == before


def golden_detections(sequence, key):
    """People3D of the published decoder, their published ids, and who they are (-1: no person)."""
    rows, truth = sequence['ref_key'] == key, sequence['gt_key'] == key
    order = [LOCATION_MAP_CHANNELS.index(name) for name in PANOPTIC19.keypoints]
    xyz_m = sequence['ref_poses_3d_unfiltered'][rows][:, order, :3] / 100.0
    poses_2d = sequence['ref_poses_2d'][rows].astype(float)
    scores = np.clip(poses_2d[..., 2], 0, 1)
    xy_px = np.where(scores[..., None] > 0, poses_2d[..., :2], np.nan)
    source = np.where(scores > 0, Source.OBSERVED, Source.INFERRED).astype(np.uint8)
    n = len(xy_px)
    flat, covariance = People2D(xy_px, scores, np.ones(n)), np.full((n, 3, 3), np.nan)
    people = People3D(flat, xyz_m.astype(float), source, covariance)
    true_px = np.where(sequence['gt_vis'][truth][..., None], sequence['gt_2d'][truth], np.nan)
    apart_px = np.linalg.norm(xy_px[:, None, :15] - true_px[:, order][None, :, :15], axis=-1)
    height_px = sequence['frame_size'][0, 1]
    who = np.full(len(people), -1)
    unlike = 1 - np.isfinite(apart_px).mean(axis=-1)
    cost = np.nan_to_num(np.nanmean(apart_px, axis=-1) / height_px + 0.06 * unlike, nan=np.inf)
    for flat in np.argsort(cost, axis=None):
        row, column = np.unravel_index(flat, cost.shape)
        true_id = sequence['gt_ids'][truth][column]
        if who[row] < 0 and true_id not in who and cost[row, column] < 0.1:
            who[row] = true_id
    return people, sequence['ref_ids'][rows], who


def switches(images):
    """How often a person has another id than before, over images of (ids, true ids)."""
    last, count = {}, 0
    for found, who in images:
        for track_id, person in zip(found, who, strict=True):
            if person >= 0:
                count += last.get(person, track_id) != track_id
                last[person] = track_id
    return count


@pytest.mark.filterwarnings('ignore:Mean of empty slice')
def test_same_detections_have_less_than_a_quarter_of_the_published_switches(shared):
    ours = published = 0
    for path in sorted((shared / 'golden').glob('sequence_*.npz')):
        with np.load(path) as file:
            sequence = {name: file[name] for name in file.files}
        tracker, our_images, published_images = Tracker(), [], []
        for i, key in enumerate(sequence['key']):
            people, published_ids, who = golden_detections(sequence, key)
            our_images.append((ids(tracker, people, i / 30), who.tolist()))
            published_images.append((published_ids.tolist(), who.tolist()))
        ours += switches(our_images)
        published += switches(published_images)
    assert published > 0
    assert ours < published / 4
