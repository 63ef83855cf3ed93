"""Truth: the colours that people are drawn with here, and who is who."""

from functools import cache

import cv2
import numpy as np
import pytest
from support.people import LEFT, LEGS, RIGHT, K, scene, without

from pose3d_ros.people import TrackState
from pose3d_ros.skeleton import PANOPTIC19
from pose3d_ros.tracking import appearance, memory
from pose3d_ros.tracking.tracker import MAX_TRACKS, Tracker

SIZE_WH = (1280, 720)
# Colours (B, G, R) of shirt and trousers.
RED_BLUE = ((40, 40, 200), (160, 60, 30))
GREEN_GREY = ((60, 160, 50), (110, 110, 110))
YELLOW_BLACK = ((40, 200, 220), (30, 30, 30))
WHITE_RED = ((230, 230, 230), (50, 40, 170))
CLOTHES = (RED_BLUE, GREEN_GREY, YELLOW_BLACK, WHITE_RED)
TROUSERS = ('knee', 'ankle')
RATE_HZ = 10
NO_PEOPLE = np.zeros((0, 3))


@cache
def noise(sigma, seed):
    shape = (SIZE_WH[1], SIZE_WH[0], 3)
    return np.random.default_rng(seed).normal(128, sigma, shape).astype(np.uint8)


def draw(people, clothes, light=1.0, seed=0):
    """An image of a grey room with people in these clothes."""
    bgr = noise(12, 100 + seed).copy()
    for xy, (shirt, trousers) in zip(people.people_2d.xy_px, clothes, strict=True):
        for a, b in PANOPTIC19.limbs:
            start, end = xy[PANOPTIC19.index(a)], xy[PANOPTIC19.index(b)]
            if np.isfinite(start + end).all():
                colour = trousers if b.split('_')[-1] in TROUSERS else shirt
                ends = (tuple(np.rint(p).astype(int).tolist()) for p in (start, end))
                cv2.line(bgr, *ends, colour, 34)
    bgr = cv2.addWeighted(bgr, 1.0, noise(6, seed), 1.0, -128)
    scale = np.broadcast_to(light, 3).tolist()
    return bgr if light == 1.0 else cv2.multiply(bgr, (*scale, 1.0))


def colours(people, clothes, **how):
    return appearance.describe(draw(people, clothes, **how), people.people_2d)


class Room:
    """A tracker that is shown people in clothes, image after image."""

    def __init__(self, **options):
        self.tracker, self.stamp_s = Tracker(**options), 0.0
        self.rng = np.random.default_rng(1)

    def show(self, places_m, clothes, seconds=1.0, light=1.0):
        """The ids of the people in the last of the images."""
        for _ in range(round(seconds * RATE_HZ)):
            people = scene(places_m, rng=self.rng)
            seen = colours(people, clothes, light=light)
            tracked = self.tracker.update(people, self.stamp_s, seen)
            self.stamp_s += 1 / RATE_HZ
        return tracked.track_id.tolist()

    def wait(self, seconds):
        self.stamp_s += seconds
        self.tracker.update(scene(NO_PEOPLE), self.stamp_s)


def test_histograms_have_unit_length_and_parts_that_are_not_seen_are_nan():
    people = scene([LEFT, RIGHT], without([], LEGS))
    seen = colours(people, (RED_BLUE, GREEN_GREY))
    assert seen.shape == (2, appearance.PARTS, appearance.BINS)
    np.testing.assert_allclose((seen[0] ** 2).sum(axis=-1), 1)
    assert np.isnan(seen[1, 3:]).all()
    assert np.isfinite(seen[1, 1:3]).all()
    assert appearance.describe(draw(people, CLOTHES[:2]), scene(NO_PEOPLE).people_2d).size == 0


def test_people_outside_of_the_image_are_not_described():
    people = scene([(-9.0, 0, 4)])
    assert np.isnan(
        appearance.describe(np.zeros((720, 1280, 3), np.uint8), people.people_2d)
    ).all()


def test_the_same_clothes_are_near_and_others_far():
    places_m = [(x, 0, 5) for x in (-2.4, -0.8, 0.8, 2.4)]
    one = colours(scene(places_m), CLOTHES)
    other = colours(scene(np.add(places_m, (0.2, 0, 0.7))), CLOTHES, seed=1)
    distance, parts = appearance.distances(one, other)
    assert (parts == appearance.PARTS).all()
    same = np.eye(4, dtype=bool)
    assert distance[same].max() < 0.2 < 0.3 < distance[~same].min()


@pytest.mark.parametrize('light', [0.6, (0.75, 1.0, 1.0), (1.0, 0.9, 0.7)])
def test_exposure_and_colour_of_the_light_change_little(light):
    people = scene([LEFT, RIGHT])
    one = colours(people, CLOTHES[:2])
    other = colours(people, CLOTHES[:2], light=light)
    distance, _ = appearance.distances(one, other)
    assert max(distance[0, 0], distance[1, 1]) < 0.3
    assert max(distance[0, 0], distance[1, 1]) < distance[0, 1] - 0.2


@pytest.mark.parametrize('gap_s', [2, 8, 30])
def test_a_person_who_comes_back_gets_the_old_id(gap_s):
    room = Room()
    assert room.show([LEFT, RIGHT], CLOTHES[:2]) == [0, 1]
    room.wait(gap_s)
    assert room.show([(1.0, 0, 5), (-1.0, 0, 5)], CLOTHES[:2]) == [0, 1]


def test_age_and_state_go_on_when_a_person_comes_back():
    room = Room()
    room.show([LEFT], [RED_BLUE])
    room.wait(5)
    people = scene([LEFT])
    tracked = room.tracker.update(people, room.stamp_s, colours(people, [RED_BLUE]))
    assert tracked.first_s[0] == 0
    assert tracked.age_s[0] == pytest.approx(room.stamp_s)
    assert tracked.state[0] == TrackState.CONFIRMED


def test_another_person_at_the_same_place_gets_another_id():
    room = Room()
    assert room.show([LEFT], [RED_BLUE]) == [0]
    room.wait(3)
    assert room.show([LEFT], [GREEN_GREY]) == [1]


def test_two_who_look_alike_do_not_get_each_others_id():
    # Both left; one came back midway between the places: it could be either.
    room = Room()
    assert room.show([LEFT, RIGHT], [RED_BLUE] * 2) == [0, 1]
    room.wait(6)
    assert room.show([(0.0, 0, 4)], [RED_BLUE]) == [2]


def test_one_id_never_goes_to_two_people():
    room = Room()
    assert room.show([LEFT], [RED_BLUE]) == [0]
    room.wait(4)
    found = room.show([LEFT, RIGHT], [RED_BLUE] * 2)
    assert len(set(found)) == 2
    # Nor to a double of a person who is in view.
    room = Room()
    assert room.show([LEFT], [RED_BLUE]) == [0]
    assert room.show([LEFT, RIGHT], [RED_BLUE] * 2) == [0, 1]


def test_who_would_have_had_to_run_is_another_person():
    room = Room()
    assert room.show([(-4.0, 0, 8)], [RED_BLUE]) == [0]
    room.wait(1.2)
    assert room.show([(5.0, 0, 8)], [RED_BLUE]) == [1]


@pytest.mark.parametrize(('memory_s', 'expected'), [(60.0, [0]), (5.0, [1]), (0.0, [1])])
def test_colours_are_kept_for_their_time_and_not_at_all_if_switched_off(memory_s, expected):
    room = Room(appearance_memory_s=memory_s)
    assert room.show([LEFT], [RED_BLUE]) == [0]
    if not memory_s:
        assert np.isnan(room.tracker._tracks['colours']).all()
    room.wait(8)
    assert len(room.tracker._memory.people) == (memory_s > 8)
    assert room.show([LEFT], [RED_BLUE]) == expected


def test_a_jump_back_forgets_all_people_and_ids_are_not_given_again():
    room = Room()
    assert room.show([LEFT], [RED_BLUE]) == [0]
    room.wait(4)
    room.stamp_s = 0.0
    assert room.show([LEFT], [RED_BLUE]) == [1]


def test_forty_people_who_come_back_among_others():
    rng = np.random.default_rng(0)
    right = wrong = 0
    for _ in range(10):
        room = Room()
        places_m = np.array([(-2.4, 0, 5), (-0.8, 0, 6), (0.8, 0, 5), (2.4, 0, 6)], float)
        first = room.show(places_m, CLOTHES, 0.8)
        room.wait(rng.uniform(1.5, 40))
        order = rng.permutation(4)
        back_m = places_m[rng.permutation(4)] + rng.uniform(-0.2, 0.2, (4, 3))
        found = room.show(back_m, [CLOTHES[i] for i in order], 0.5)
        for who, track_id in zip(order.tolist(), found, strict=True):
            right += track_id == first[who]
            wrong += track_id in first and track_id != first[who]
    assert wrong == 0
    assert right >= 36


def test_tracks_and_memory_are_bounded_by_count_where_time_stands_still():
    tracker = Tracker()
    rng = np.random.default_rng(0)
    given = []
    for _ in range(60):
        places_m = np.stack([np.linspace(-40, 40, 10), np.zeros(10), rng.uniform(4, 90, 10)], 1)
        given += tracker.update(scene(places_m), 7.0).track_id.tolist()
        assert len(tracker._tracks) <= MAX_TRACKS + 10
        assert len(tracker._memory.people) <= memory.MAX_PEOPLE
    assert max(given) > MAX_TRACKS + 10  # there were more


def test_while_time_stands_still_the_people_in_view_keep_their_tracks():
    tracker = Tracker()
    rng = np.random.default_rng(0)
    for _ in range(60):
        others_m = np.stack([np.full(9, 40.0), np.zeros(9), rng.uniform(20, 90, 9)], 1)
        tracked = tracker.update(scene([LEFT, *others_m]), 7.0)
        assert tracked.track_id[0] == 0


def test_switching_the_memory_off_drops_all_colours_at_once():
    room = Room()
    room.show([LEFT, RIGHT], CLOTHES[:2])
    room.show([LEFT], CLOTHES[:1], 1.5)
    assert len(room.tracker._memory.people) == 1
    room.tracker.appearance_memory_s = 0.0
    room.show([LEFT], CLOTHES[:1], 0.1)
    assert len(room.tracker._memory.people) == 0
    assert np.isnan(room.tracker._tracks['colours']).all()


def test_unknown_colours_change_nothing():
    with_colours, without_colours = Tracker(), Tracker()
    for i in range(10):
        people = scene([LEFT, RIGHT], without(range(K), []))
        nothing = np.full((2, appearance.PARTS, appearance.BINS), np.nan)
        one = with_colours.update(people, i / 10, nothing).track_id
        np.testing.assert_array_equal(one, without_colours.update(people, i / 10).track_id)


def test_colours_are_learned_only_while_nobody_overlaps():
    people = scene([LEFT, RIGHT, np.multiply(LEFT, 1.3), (np.nan, np.nan, np.nan)])
    known = appearance.learnable(np.ones((4, appearance.PARTS, appearance.BINS)), people.people_2d)
    np.testing.assert_array_equal(np.isfinite(known[:, 0, 0]), [False, True, False, True])
    nobody = scene(NO_PEOPLE).people_2d
    assert appearance.learnable(np.zeros((0, appearance.PARTS, 3)), nobody).shape[0] == 0


def test_a_person_in_front_does_not_change_the_colours_of_another():
    """Someone stands before a person for a second; the person is still known afterwards."""
    room = Room()
    assert room.show([(0.0, 0, 6)], [RED_BLUE]) == [0]
    before = room.tracker._tracks['colours'].copy()
    room.show([(0.0, 0, 6), (0.15, 0, 4)], [RED_BLUE, GREEN_GREY])
    kept = room.tracker._tracks['colours'][room.tracker._tracks['track_id'] == 0]
    np.testing.assert_array_equal(kept, before)
