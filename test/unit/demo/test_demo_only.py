"""The bundled network on the bundled clip: the numbers of its card, with a margin."""

import numpy as np
import pytest

from pose3d_ros.camera import Intrinsics
from pose3d_ros.demo import clip
from pose3d_ros.detection.detector import Thresholds
from pose3d_ros.estimator import PoseEstimator
from pose3d_ros.evaluation.counts import Counts, count
from pose3d_ros.models.store import DEMO_ONLY, resolve
from pose3d_ros.sources.open_source import open_source
from pose3d_ros.sources.playback import frames

EVERY = 4
THRESHOLDS = Thresholds(keypoint=0.2, person=0.3, min_keypoints=6)


@pytest.fixture(scope='module')
def estimator():
    return PoseEstimator(resolve(DEMO_ONLY), 'CPU', precision='f32', thresholds=THRESHOLDS)


def test_it_finds_the_people_of_the_clip(estimator):
    truth, total = clip.truth(), Counts()
    for t, frame in enumerate(frames(open_source(str(clip.PATH)))):
        if t % EVERY == 0:
            labels, rows = truth.labels(t)
            people = estimator.estimate(frame.bgr, truth.intrinsics)
            total += count(labels, truth.xyz_m[t, rows], people)
    assert total.people > 100
    assert total.found / total.people > 0.9
    assert total.found / (total.found + total.false) > 0.88
    assert total.correct / total.keypoints > 0.9
    assert np.nanmean([e.root_relative for e in total.errors]) < 0.075
    assert np.nanmedian([e.root_distance_share for e in total.errors]) < 0.1


def test_an_empty_picture_has_no_people(estimator):
    grey = np.full((256, 448, 3), 128, np.uint8)
    assert len(estimator.estimate(grey, Intrinsics.guess(448, 256))) == 0


def test_it_is_small_and_found_by_its_name(tmp_path):
    path = resolve(DEMO_ONLY, tmp_path)
    assert path.stat().st_size + path.with_suffix('.bin').stat().st_size <= 4e6
