"""The pose node keeps the estimated pose of a camera at rest from one start to the next."""

from dataclasses import replace

import numpy as np
import pytest
from support.robot import GREY, camera_info, header

from pose3d_ros.camera import CameraPoseSource
from pose3d_ros.camera_pose.estimate import CameraPoseEstimate
from pose3d_ros.camera_pose.estimator import CameraPoseEstimator
from pose3d_ros.camera_pose.store import CameraPoseStore
from pose3d_ros.ros import camera_pose_memory
from pose3d_ros.ros.messages.images import image_msg
from synthetic.scene import CAMERA

FRAME = 'camera_optical_frame'
PITCH_RAD = 0.2
CERTAIN = CameraPoseEstimate(
    np.array([0, -np.cos(PITCH_RAD), -np.sin(PITCH_RAD)]),
    1.3,
    np.diag([4e-4, 4e-4, 1e-2]),
    42.0,
    5,
)
UNCERTAIN = replace(CERTAIN, covariance=np.diag([4e-3, 4e-3, 1e-2]))


class Estimator(CameraPoseEstimator):
    """Has found what it is given."""

    def __init__(self, found):
        super().__init__()
        self.found = found

    def estimate(self):
        return self.found


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    return tmp_path / 'cache' / 'pose3d_ros' / 'camera_poses'


@pytest.fixture
def stored(folder):
    return lambda: CameraPoseStore(folder).load(FRAME, CAMERA)


@pytest.fixture
def start(robot):
    """Start a node that has processed one image of a calibrated camera."""

    def start_node(second=1, **parameters):
        r = robot(**{'camera_pose_memory': True, **parameters})
        r.calibrate(camera_info())
        r.poses_of(image_msg(GREY, header(second)))
        return r

    return start_node


def find(r, estimate):
    """Let the estimator find a pose, and process an image with it."""
    r.camera.pipeline.pose_from_people = Estimator(estimate)
    r.poses_of(image_msg(GREY, header(2)))


@pytest.mark.parametrize('end', ['trigger_deactivate', 'trigger_shutdown'])
def test_the_next_start_has_the_pose_at_the_first_image(start, stored, end):
    first = start()
    assert first.camera.pipeline.camera_pose is None
    find(first, CERTAIN)
    assert stored() is None
    getattr(first.pose_node, end)()
    assert stored() is not None
    pipeline = start().camera.pipeline
    assert pipeline.camera_pose_source == CameraPoseSource.ESTIMATED
    np.testing.assert_allclose(pipeline.camera_pose.up, CERTAIN.up)
    assert pipeline.camera_pose.height_m == CERTAIN.height_m


@pytest.mark.parametrize('estimate', [None, UNCERTAIN, replace(CERTAIN, seconds=9.0)])
def test_an_estimate_that_is_not_certain_is_not_saved(start, stored, estimate):
    r = start()
    find(r, estimate)
    r.pose_node.trigger_deactivate()
    assert stored() is None


def test_the_pose_is_saved_periodically(start, stored, monkeypatch):
    monkeypatch.setattr(camera_pose_memory, 'SAVE_EVERY_S', 0.0)
    find(start(), CERTAIN)
    assert stored() is not None


@pytest.mark.parametrize(
    'parameters',
    [
        {'camera_pose_memory': False},
        {'camera_up': [0.0, -1.0, 0.0], 'camera_height': 1.0},
        {'camera_pose_from_people': False},
    ],
)
def test_nothing_is_restored_where_it_is_switched_off_or_the_pose_is_given(
    start, folder, parameters
):
    CameraPoseStore(folder).save(FRAME, CAMERA, CERTAIN)
    pipeline = start(**parameters).camera.pipeline
    assert pipeline.camera_pose_source != CameraPoseSource.ESTIMATED


def test_what_is_restored_is_not_saved_again_as_if_it_was_seen(start, folder):
    store = CameraPoseStore(folder)
    store.save(FRAME, CAMERA, CERTAIN)
    path = store.path(FRAME, CAMERA)
    before = path.stat().st_ino
    start().pose_node.trigger_deactivate()
    assert path.stat().st_ino == before


def test_a_folder_that_cannot_be_used_is_said_once(start, folder, monkeypatch, capfd):
    monkeypatch.setattr(camera_pose_memory, 'SAVE_EVERY_S', 0.0)
    folder.parent.parent.mkdir(exist_ok=True)
    folder.parent.mkdir(exist_ok=True)
    folder.write_text('')
    r = start()
    for _ in range(3):
        find(r, CERTAIN)
    r.pose_node.trigger_deactivate()
    assert ''.join(capfd.readouterr()).count('camera pose ') == 1
