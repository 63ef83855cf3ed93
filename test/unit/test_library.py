"""The library: every name of docs/library.md, and its examples as they stand there."""

import json
import re
import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.people import scene, without

import pose3d_ros
from pose3d_ros.demo import clip
from pose3d_ros.images import check_bgr
from pose3d_ros.models.store import DEMO_ONLY
from pose3d_ros.people import TrackedPeople
from pose3d_ros.skeleton import PANOPTIC19
from pose3d_ros.sources.open_source import open_source
from pose3d_ros.visualisation.video_writer import FORMATS

DOCUMENT = (Path(__file__).parents[2] / 'docs' / 'library.md').read_text()
EXAMPLES = dict(re.findall(r'<!-- test: (\w+) -->\n```python\n(.*?)```', DOCUMENT, re.DOTALL))
LEFT_WRIST = PANOPTIC19.index('left_wrist')


def people():
    """Two people; of the second, one wrist is neither seen nor known."""
    found = scene([(-1, 0, 3), (1, 0, 4)], without([], [LEFT_WRIST]))
    found.xyz_m[1, LEFT_WRIST] = np.nan
    found.source[1, LEFT_WRIST] = 0
    return TrackedPeople(found, np.array([7, 9]), np.array([1, 0], np.uint8), np.array([2.0, 0.5]))


def run(example, tmp_path, monkeypatch, changes):
    """Run an example in an empty folder, with other inputs than those that it names."""
    for old, new in changes.items():
        assert old in example
        example = example.replace(old, new)
    (tmp_path / 'example.py').write_text(example)
    monkeypatch.chdir(tmp_path)
    return runpy.run_path('example.py')


@pytest.fixture
def images(tmp_path):
    """Return a folder of the first six images of the bundled clip."""
    folder = tmp_path / 'images'
    folder.mkdir()
    for number, (_, bgr) in zip(range(6), open_source(str(clip.PATH)), strict=False):
        cv2.imwrite(str(folder / f'{number}.png'), bgr)
    return folder


def test_the_webcam_loop_draws_and_saves(images, tmp_path, monkeypatch, capsys):
    changes = {"'auto'": repr(DEMO_ONLY), "'0'": repr(str(images))}
    names = run(EXAMPLES['loop'], tmp_path, monkeypatch, changes)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    assert len(names['people']) >= 2
    (written,) = tmp_path.glob('people.*')
    assert written.suffix in [one.suffix for one in FORMATS]
    shown = [bgr for _, bgr in open_source(str(written))]
    assert len(shown) == 6
    plain = [bgr for _, bgr in open_source(str(images))]
    assert np.abs(shown[-1].astype(int) - plain[-1]).max() > 100  # limbs are drawn


def test_the_example_of_one_image(images, tmp_path, monkeypatch):
    changes = {"'auto'": repr(DEMO_ONLY), "'people.jpg'": repr(str(images / '0.png'))}
    names = run(EXAMPLES['image'], tmp_path, monkeypatch, changes)
    assert names['people'].xyz_m.shape[0] >= 2


def test_the_loop_has_ten_lines():
    assert len([line for line in EXAMPLES['loop'].splitlines() if line.strip()]) <= 10


def test_every_exported_name_is_there_and_documented():
    for name in pose3d_ros.__all__:
        assert getattr(pose3d_ros, name).__doc__
        assert f'`{name}' in DOCUMENT, name


def test_people_become_json():
    found = json.loads(json.dumps(people().to_dict(), allow_nan=False))
    assert found['skeleton'] == PANOPTIC19.name
    first, second = found['people']
    assert (first['track_id'], first['state'], first['age_s']) == (7, 'CONFIRMED', 2.0)
    np.testing.assert_allclose(first['xyz_m'], people().people.xyz_m[0])
    assert second['xyz_m'][LEFT_WRIST] == [None, None, None]
    assert second['xy_px'][LEFT_WRIST] == [None, None]
    assert second['source'][LEFT_WRIST] == 'NONE'
    assert 'track_id' not in people().people.to_dict()['people'][0]


def test_people_become_rows_of_a_table():
    records = people().to_records()
    assert len(records) == 2 * len(PANOPTIC19)
    row = records[len(PANOPTIC19) + LEFT_WRIST]
    assert (row['track_id'], row['track_state'], row['person']) == (9, 'TENTATIVE', 1)
    assert (row['keypoint'], row['x_m'], row['u_px'], row['source']) == (
        'left_wrist', None, None, 'NONE',
    )  # fmt: skip
    nose = records[PANOPTIC19.index('nose')]
    np.testing.assert_allclose(
        [nose['x_m'], nose['y_m'], nose['z_m']], people().people.xyz_m[0, PANOPTIC19.index('nose')]
    )
    assert 'track_id' not in people().people.to_records()[0]


def test_no_people_are_no_rows():
    nothing = scene(np.zeros((0, 3)))
    assert nothing.to_dict()['people'] == nothing.to_records() == []


def test_an_image_that_was_not_read_is_said_to_be_none():
    with pytest.raises(ValueError, match=r'\(H, W, 3\) uint8, found NoneType; cv2.imread'):
        check_bgr(None)


def test_without_intrinsics_they_are_guessed(images):
    estimator = pose3d_ros.PoseEstimator(DEMO_ONLY, 'CPU')
    bgr = cv2.imread(str(images / '0.png'))
    guessed = pose3d_ros.Intrinsics.guess(bgr.shape[1], bgr.shape[0])
    np.testing.assert_array_equal(
        estimator.estimate(bgr).xyz_m, estimator.estimate(bgr, guessed).xyz_m
    )
    with pytest.raises(ValueError, match='found NoneType'):
        estimator.estimate(None)
