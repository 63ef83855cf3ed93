"""Misspelt names, and numbers with their nouns."""

import pytest

from pose3d_ros.wording import counted, did_you_mean

KNOWN = ('rate', 'source', 'frame_id')


@pytest.mark.parametrize(
    ('names', 'suggestion'),
    [
        (['ratte'], '; did you mean rate?'),
        (['ratte', 'xyz', 'sorce'], '; did you mean rate, source?'),
        (['xyz'], ''),
        ([], ''),
    ],
)
def test_the_nearest_known_names_are_suggested(names, suggestion):
    assert did_you_mean(KNOWN, *names) == suggestion
    assert did_you_mean(iter(KNOWN), *names) == suggestion


def test_one_has_a_noun_of_its_own():
    assert [counted(n, 'image') for n in (0, 1, 2)] == ['0 images', '1 image', '2 images']
    assert [counted(n, 'person', 'people') for n in (1, 3)] == ['1 person', '3 people']
