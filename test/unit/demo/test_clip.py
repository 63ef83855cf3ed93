"""The bundled clip: pixels, people and metres must agree."""

import numpy as np
import pytest

from pose3d_ros.demo import clip
from pose3d_ros.skeleton import PANOPTIC19
from pose3d_ros.sources.open_source import open_source
from pose3d_ros.sources.playback import frames

EVERY = 10


@pytest.fixture(scope='module')
def truth():
    return clip.truth()


@pytest.fixture(scope='module')
def images():
    return np.array([frame.bgr for frame in frames(open_source(str(clip.PATH)))])


def test_video_and_truth_have_the_same_images(truth, images):
    opened = open_source(str(clip.PATH))
    assert len(images) == len(truth.stamps_s) == len(truth.xyz_m)
    assert opened.rate_hz == pytest.approx(1 / np.diff(truth.stamps_s).mean())
    assert images.shape[1:3] == truth.depth_m.shape[1:]
    assert len(truth.depth_m) == -(-len(images) // truth.depth_every)
    assert 8 <= len(images) / opened.rate_hz <= 12


def test_it_is_small():
    files = [clip.PATH, clip.PATH.with_suffix('.npz')]
    assert sum(file.stat().st_size for file in files) <= 2e6


def test_keypoints_in_metres_project_to_their_pixels(truth):
    front = truth.xyz_m[..., 2] > 0.1
    assert front.mean() > 0.95
    projected = truth.intrinsics.project(truth.xyz_m[front])
    np.testing.assert_allclose(projected, truth.xy_px[front], atol=0.02)
    h, w = truth.depth_m.shape[1:]
    inside = ((truth.xy_px >= -0.5) & (truth.xy_px < [w - 0.5, h - 0.5])).all(-1)
    assert (truth.seen[~inside] == clip.OUTSIDE).all()
    assert (truth.seen[inside & front] != clip.OUTSIDE).all()


def test_depth_is_that_of_visible_keypoints(truth):
    for d, depth_m in enumerate(truth.depth_m):
        t = d * truth.depth_every
        for seen in (clip.VISIBLE, clip.COVERED):
            people, keypoints = np.nonzero(truth.seen[t] == seen)
            x, y = np.round(truth.xy_px[t, people, keypoints]).astype(int).T
            around = np.stack([_at(depth_m, y + i, x + j) for i in (-1, 0, 1) for j in (-1, 0, 1)])
            behind = truth.xyz_m[t, people, keypoints, 2] - around
            # Keypoints lie inside bodies; a few lie beside the narrowest ones.
            if seen == clip.VISIBLE:
                assert (behind.min(0) < 0.35).all()
                assert (behind.max(0) > -0.05).mean() > 0.9
            else:
                assert (behind[4] > -0.03).all()


def _at(image, y, x):
    return image[np.clip(y, 0, image.shape[0] - 1), np.clip(x, 0, image.shape[1] - 1)]


def test_pixels_change_where_people_are(truth, images):
    empty = np.median(images[::4], axis=0)
    apart = np.abs(images[::EVERY] - empty).max(-1)
    t, person, keypoint = np.nonzero(truth.seen[::EVERY] == clip.VISIBLE)
    x, y = np.round(truth.xy_px[::EVERY][t, person, keypoint]).astype(int).T
    pelvis = truth.xyz_m[:, :, PANOPTIC19.index('pelvis')]
    speed_m_s = np.linalg.norm(np.gradient(pelvis, truth.stamps_s, axis=0), axis=-1)
    moving = speed_m_s[::EVERY][t, person] > 0.7
    there = apart[t, y, x][moving]
    mirrored = apart[t, y, images.shape[2] - 1 - x][moving]
    assert (there > 25).mean() > 0.8
    assert (mirrored > 25).mean() < 0.5


def test_people_walk_cross_and_raise_their_arms(truth):
    pelvis, nose = (truth.xyz_m[:, :, PANOPTIC19.index(name)] for name in ('pelvis', 'nose'))
    order = np.argsort(pelvis[..., 0], axis=1)
    assert len(np.unique(order, axis=0)) >= 3
    wrists = truth.xyz_m[:, :, PANOPTIC19.indices(('left_wrist', 'right_wrist'))]
    assert (wrists[..., 1] < nose[:, :, None, 1]).all(-1).any()
    # On one floor: no pelvis rises or falls more than walking makes it.
    assert (np.ptp(truth.xyz_m[..., 1].max(-1), axis=0) < 0.6).all()


def test_motion_is_smooth(truth):
    step = np.diff(truth.xyz_m, axis=0)
    rate_hz = 1 / np.diff(truth.stamps_s).mean()
    assert np.linalg.norm(step, axis=-1).max() * rate_hz < 7  # m/s, a hand that waves
    assert np.abs(np.diff(step, axis=0)).max() * rate_hz**2 < 60  # m/s2


def test_bodies_keep_their_size(truth):
    limb = PANOPTIC19.limb_indices()
    fixed = [
        i for i, ends in enumerate(PANOPTIC19.limbs) if 'elbow' in ends[1] or 'knee' in ends[1]
    ]
    a, b = limb[fixed].T
    length = np.linalg.norm(truth.xyz_m[:, :, a] - truth.xyz_m[:, :, b], axis=-1)
    assert (np.ptp(length, axis=0) < 0.02).all()


def test_left_is_left(truth):
    left, right = (
        truth.xyz_m[..., PANOPTIC19.index(f'{s}_shoulder'), :] for s in ('left', 'right')
    )
    nose = truth.xyz_m[..., PANOPTIC19.index('nose'), :]
    neck = truth.xyz_m[..., PANOPTIC19.index('neck'), :]
    faces_us = (nose - neck)[..., 2] < -0.06
    assert faces_us.any()
    assert (left - right)[faces_us][:, 0].min() > 0


def test_the_truth_scores_without_errors():
    true = clip.truth()
    score = clip.Score(true)
    score.add(0, true.xy_px[0].astype(float)[::-1], true.xyz_m[0].astype(float)[::-1])
    assert (score.found, score.false) == (score.people, 0)
    assert score.people > 0
    np.testing.assert_allclose([score.errors_px, score.errors_m, score.distances], 0, atol=1e-6)


def test_a_person_elsewhere_is_false_and_a_person_not_found_is_missed():
    true = clip.truth()
    score = clip.Score(true)
    no_people = np.zeros((0, *true.xy_px.shape[2:])), np.zeros((0, *true.xyz_m.shape[2:]))
    score.add(0, *no_people)
    assert (score.found, score.false) == (0, 0)
    assert score.people > 0
    score.add(0, true.xy_px[0].astype(float) + 1000, true.xyz_m[0].astype(float))
    assert (score.found, score.false) == (0, len(true.ids))
