"""Poses of cameras kept from one run to the next."""

import json

import numpy as np
import pytest

from pose3d_ros.camera import Intrinsics
from pose3d_ros.camera_pose.estimate import CameraPoseEstimate
from pose3d_ros.camera_pose.store import CameraPoseStore

CAMERA = Intrinsics(900.2, 899.9, 639.5, 359.5, (0.1, -0.05, 0, 0, 0))
ESTIMATE = CameraPoseEstimate(
    np.array([0.0, -0.96, -0.28]), 2.4, np.diag([1e-3, 2e-3, 0.01]), 42.0, 5
)


def test_what_is_saved_is_loaded(tmp_path):
    store = CameraPoseStore(tmp_path / 'new' / 'folder')
    assert store.load('camera', CAMERA) is None
    assert store.save('camera', CAMERA, ESTIMATE)
    found = CameraPoseStore(store.folder).load('camera', CAMERA)
    np.testing.assert_allclose(found.up, ESTIMATE.up)
    np.testing.assert_allclose(found.covariance, ESTIMATE.covariance)
    assert (found.height_m, found.seconds, found.people) == (2.4, 42.0, 5)
    assert store.last_error == ''
    assert [p.suffix for p in store.folder.iterdir()] == ['.json']


def test_another_camera_has_a_file_of_its_own(tmp_path):
    store = CameraPoseStore(tmp_path)
    store.save('camera', CAMERA, ESTIMATE)
    assert store.load('other', CAMERA) is None
    assert store.load('camera', Intrinsics(950, 950, 639.5, 359.5)) is None
    assert store.last_error == ''


def test_a_focal_length_that_is_off_by_less_than_half_a_pixel_is_the_same_camera(tmp_path):
    store = CameraPoseStore(tmp_path)
    store.save('camera', CAMERA, ESTIMATE)
    close = Intrinsics(900.1, 899.8, 639.6, 359.6, CAMERA.distortion)
    assert store.load('camera', close) is not None


@pytest.mark.parametrize('text', ['', '{', '[]', '{"version": 1}', '{"version": 99}', '\x00'])
def test_a_damaged_file_is_ignored_with_a_reason(tmp_path, text):
    store = CameraPoseStore(tmp_path)
    store.path('camera', CAMERA).write_text(text)
    assert store.load('camera', CAMERA) is None
    assert store.path('camera', CAMERA).name in store.last_error


@pytest.mark.parametrize(
    ('key', 'value'),
    [('up', [0, 0, 0]), ('up', 'level'), ('height_m', -1), ('height_m', float('nan')),
     ('covariance', [[1, 2], [3, 4]]), ('covariance', (-np.eye(3)).tolist()),
     ('camera', {}), ('people', 'many')],
)  # fmt: skip
def test_values_that_cannot_be_are_ignored_with_a_reason(tmp_path, key, value):
    store = CameraPoseStore(tmp_path)
    store.save('camera', CAMERA, ESTIMATE)
    path = store.path('camera', CAMERA)
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    assert store.load('camera', CAMERA) is None
    assert store.last_error


def test_a_folder_that_cannot_be_written_is_survived(tmp_path):
    (tmp_path / 'file').write_text('')
    store = CameraPoseStore(tmp_path / 'file' / 'below')
    assert not store.save('camera', CAMERA, ESTIMATE)
    assert 'not written' in store.last_error
    assert store.load('camera', CAMERA) is None


def test_a_failed_write_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    store = CameraPoseStore(tmp_path)
    store.save('camera', CAMERA, ESTIMATE)

    def refuse(*_):
        raise OSError('no space left')

    monkeypatch.setattr('os.replace', refuse)
    changed = CameraPoseEstimate(ESTIMATE.up, 9.0, ESTIMATE.covariance, 1.0, 1)
    assert not store.save('camera', CAMERA, changed)
    assert store.load('camera', CAMERA).height_m == 2.4
    assert len(list(tmp_path.iterdir())) == 1
