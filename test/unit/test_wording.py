"""Misspelt names."""

import pytest

from pose3d_ros.wording import did_you_mean

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
