"""Times of images from stamps of different quality."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from pose3d_ros.ros.image_clock import RESTART_IMAGES, ImageClock

SECOND = 10**9


def run(*images):
    """Return the time of each image, s, and None for late ones."""
    clock = ImageClock()
    times = [clock.at(*image) for image in images]
    return [None if time is None else round(time.time_s, 6) for time in times]


def test_stamps_that_advance_are_used():
    clock = ImageClock()
    for i in range(5):
        time = clock.at(100 * SECOND + i * 33_000_000, 7.0 + i)
        assert time.time_s == 1e-9 * (100 * SECOND + i * 33_000_000)
        assert time.stamp_advances


def test_arrival_times_replace_stamps_of_zero():
    assert run((0, 5.0), (0, 5.1), (0, 5.3)) == [0, 0.1, 0.3]
    assert not ImageClock().at(0, 5.0).stamp_advances


def test_a_single_image_without_a_stamp_is_not_late():
    images = [(9 * SECOND, 0.0), (0, 0.1), (9 * SECOND + SECOND // 5, 0.2)]
    assert run(*images) == [9, 9.1, 9.2]


def test_arrival_times_replace_a_stamp_that_stands_still():
    clock = ImageClock()
    assert clock.at(9 * SECOND, 1.0).stamp_advances
    again = clock.at(9 * SECOND, 1.25)
    assert (again.time_s, again.stamp_advances) == (9.25, False)


def test_doubled_images_do_not_speed_time_up():
    """Each image is sent twice with the same stamp."""
    images = [(SECOND * i // 10, 0.1 * i + 0.02 * j) for i in range(1, 20) for j in range(2)]
    times = run(*images)
    assert times[::2] == [i / 10 for i in range(1, 20)]
    assert all(a < b for a, b in itertools.pairwise(times))


def test_stamps_that_start_to_advance_after_standing_still():
    times = run((0, 0.0), (0, 10.0), (SECOND // 10, 10.1), (SECOND // 5, 10.2), (30 * SECOND, 11))
    assert times == [0, 10, 10.1, 10.2, 30]


def test_swapped_neighbours_are_late():
    assert run((1 * SECOND, 0.0), (3 * SECOND, 0.1), (2 * SECOND, 0.2), (4 * SECOND, 0.3)) == [
        1, 3, None, 4,
    ]  # fmt: skip


def test_a_recording_that_starts_again():
    images = [(100 * SECOND, 0.0), *((i * SECOND // 10, 0.1 * i) for i in range(1, 6))]
    assert run(*images) == [100, None, None, 0.3, 0.4, 0.5]
    assert RESTART_IMAGES == 3


def test_a_slow_recording_that_starts_again():
    assert run((100 * SECOND, 0.0), (SECOND, 2.0), (3 * SECOND, 4.0)) == [100, None, 3]


def test_late_images_that_are_not_in_order_are_no_restart():
    late = [(s * SECOND, 0.1 * i) for i, s in enumerate((90, 80, 70, 60, 50))]
    assert run((100 * SECOND, 0.0), *late) == [100, *[None] * 5]


def test_two_publishers_are_no_restart():
    """A faster publisher with older stamps stays late while the other one is sending."""
    images = []
    for i in range(1, 10):
        images.append((100 * SECOND + i * SECOND // 5, i / 5, b'live'))
        images += [(i * SECOND + j, i / 5 + j / 100, b'bag') for j in range(6)]
    times = run(*images)
    assert times[::7] == [100 + i / 5 for i in range(1, 10)]
    assert set(times) - set(times[::7]) == {None}


def test_another_publisher_replaces_a_silent_one():
    images = [(100 * SECOND, 0.0, b'a'), *((i * SECOND, 1.0 + i / 10, b'b') for i in range(1, 5))]
    assert run(*images) == [100, None, None, 3, 4]


def test_one_stamp_in_the_far_future_is_recovered_from():
    images = [(SECOND, 0.0), (2**61, 0.1), *((SECOND * i, 0.1 * i) for i in range(2, 7))]
    assert run(*images)[2:] == [None, None, 4, 5, 6]


@given(
    st.lists(
        st.tuples(
            st.one_of(st.sampled_from([0, 1, SECOND]), st.integers(-(2**62), 2**62)),
            st.floats(0, 10),
            st.sampled_from([b'', b'a', b'b']),
        ),
        max_size=50,
    )
)
def test_time_runs_back_only_after_a_restart(images):
    """With any stamps; and a stream that starts afterwards is followed."""
    clock, arrival_s, times = ImageClock(), 0.0, []
    for stamp_ns, wait_s, publisher in images:
        arrival_s += wait_s
        time = clock.at(stamp_ns, arrival_s, publisher)
        times.append(time and time.time_s)
    for before, after in itertools.pairwise(times):
        assert before is None or after is None or after >= before
    arrival_s += 2.0  # the last publisher is silent
    assert any(clock.at(i, arrival_s + i / 10, b'c') for i in range(RESTART_IMAGES))
