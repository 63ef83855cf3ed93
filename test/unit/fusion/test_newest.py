"""When results of cameras that are not synchronised are fused."""

from types import SimpleNamespace

import pytest

from pose3d_ros.fusion.newest import Newest


def play(newest, *events):
    """Return the stamps by camera of each set that is fused; events are (camera, stamp)."""
    sets = []
    for camera, stamp_s in events:
        result = SimpleNamespace(camera=camera, stamp_s=stamp_s)
        sets += [{one.camera: one.stamp_s for one in due} for due in newest.add(result)]
    return sets


def test_synchronised_cameras_are_fused_when_all_have_come():
    events = [(c, s) for s in (0.0, 0.1, 0.2) for c in 'ab']
    assert play(Newest('ab'), *events) == [{'a': s, 'b': s} for s in (0.0, 0.1, 0.2)]


def test_half_a_frame_apart_there_is_one_set_for_each_image_of_a_camera():
    events = [('a', 0.0), ('b', 0.05), ('a', 0.1), ('b', 0.15), ('a', 0.2), ('b', 0.25)]
    sets = play(Newest('ab'), *events)
    assert sets == [{'a': s, 'b': pytest.approx(s + 0.05)} for s in (0.0, 0.1, 0.2)]


def test_a_lost_camera_is_no_longer_waited_for():
    events = [('a', 0.0), ('b', 0.0), ('a', 0.1), ('a', 0.2), ('a', 0.3), ('a', 0.4), ('a', 0.5)]
    sets = play(Newest('ab', max_age_s=0.15), *events)
    assert sets[0] == {'a': 0.0, 'b': 0.0}
    assert sets[1] == {'a': 0.1, 'b': 0.0}  # as long as it is not too old
    assert sets[2:] == [{'a': s} for s in (0.2, 0.3, 0.4, 0.5)]


def test_a_camera_that_comes_back_is_fused_again():
    events = [('a', 0.0), ('b', 0.0), ('a', 1.0), ('a', 1.1), ('b', 1.1), ('a', 1.2), ('b', 1.2)]
    assert play(Newest('ab'), *events)[-1] == {'a': 1.2, 'b': 1.2}


def test_a_slow_camera_is_used_until_it_is_too_old():
    events = [('slow', 0.0), *(('fast', 0.03 * i) for i in range(1, 10))]
    sets = play(Newest(('slow', 'fast'), max_age_s=0.1), *events)
    assert [len(one) for one in sets] == [2, 2, 2, 1, 1, 1, 1, 1, 1]


def test_late_and_repeated_results_are_left_out_and_time_never_goes_back():
    events = [('a', 1.0), ('b', 1.0), ('a', 1.0), ('a', 0.9), ('b', 1.1), ('a', 1.1)]
    assert play(Newest('ab'), *events) == [{'a': 1.0, 'b': 1.0}, {'a': 1.1, 'b': 1.1}]


def test_a_lost_camera_whose_clock_was_ahead_does_not_keep_the_others_from_being_fused():
    events = [('a', 0.1 * i) for i in range(60)]
    sets = play(Newest('ab'), ('a', 0.0), ('b', 3600.0), *events[1:])
    assert sets[0] == {'b': 3600.0}
    assert [one['a'] for one in sets[1:]] == [
        pytest.approx(s) for _, s in events[-len(sets) + 1 :]
    ]
    assert len(sets) > 30


def test_a_camera_whose_clock_is_ahead_is_fused_while_it_sends():
    """The people of one camera alone, not by turns those of each."""
    events = [(c, s + 0.1 * i) for i in range(60) for c, s in (('a', 0.0), ('b', 3600.0))]
    assert all(set(one) == {'b'} for one in play(Newest('ab'), *events)[1:])


def test_a_recording_that_starts_again_is_fused_from_its_beginning():
    events = [('a', 9.0), ('b', 9.0), ('a', 0.0), ('b', 0.0), ('a', 0.1), ('b', 0.1)]
    sets = play(Newest('ab'), *events)
    assert sets[0] == {'a': 9.0, 'b': 9.0}
    assert sets[-1] == {'a': 0.1, 'b': 0.1}
