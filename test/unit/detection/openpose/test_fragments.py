"""Merging of fragments of people, which hidden keypoints separate."""

from dataclasses import replace

import numpy as np
import pytest

from pose3d_ros.detection.detector import Thresholds
from pose3d_ros.detection.letterbox import Letterbox
from pose3d_ros.detection.openpose.channels import HEATMAP_CHANNELS, PAF_CHANNELS
from pose3d_ros.detection.openpose.fragments import merge_fragments
from pose3d_ros.detection.openpose.grouping import MAX_CANDIDATES, connect, group
from pose3d_ros.detection.openpose.location_maps import LocationMaps
from pose3d_ros.detection.openpose.outputs import Outputs
from pose3d_ros.detection.openpose.peaks import MAX_PEAKS, find_peaks
from pose3d_ros.lifting.lifting_network import LiftingNetwork
from pose3d_ros.people import Source
from pose3d_ros.skeleton import PANOPTIC19
from synthetic.recorded import people_from_outputs
from synthetic.scene import CAMERA, outputs, people_m

index = PANOPTIC19.index
CHAINS = [
    ['left_hip', 'left_knee', 'left_ankle'],
    ['right_hip', 'right_knee', 'right_ankle'],
    ['left_shoulder', 'left_elbow', 'left_wrist'],
]


def estimate(out):
    return people_from_outputs(out, Letterbox(1.0), CAMERA)


def groups_of(out):
    return group(out, Letterbox(1.0), Thresholds())


@pytest.mark.parametrize('chain', CHAINS)
def test_a_limb_that_a_hidden_keypoint_separates_is_merged(chain):
    truth = people_m((0.2, 0.1, 3.0), turn_rad=0.4)
    # A limb from the shoulder to the ear exists, too.
    out = outputs(truth, CAMERA, hidden=[(0, chain[0])])
    assert len(groups_of(out)) == 2
    found = estimate(out)
    assert len(found) == 1
    for name in chain[1:]:
        assert found.source[0, index(name)] == Source.OBSERVED
    assert found.source[0, index(chain[0])] == Source.INFERRED
    np.testing.assert_allclose(found.xyz_m, truth, atol=0.03)


def test_a_single_keypoint_is_merged():
    truth = people_m((0.2, 0.1, 3.0))
    found = estimate(outputs(truth, CAMERA, hidden=[(0, 'left_elbow')]))
    assert found.source[0, index('left_wrist')] == Source.OBSERVED


def test_each_person_gets_the_own_leg():
    truth = people_m((-0.3, 0, 3.0), (0.3, 0, 3.1))
    out = outputs(truth, CAMERA, hidden=[(0, 'left_hip'), (1, 'right_hip')])
    found = estimate(out)
    assert len(found) == 2
    order = np.argsort(found.xyz_m[:, index('neck'), 0])
    wanted = CAMERA.project(truth)
    for name in ('left_knee', 'left_ankle', 'right_knee', 'right_ankle'):
        xy_px = found.people_2d.xy_px[order, index(name)]
        np.testing.assert_allclose(xy_px, wanted[:, index(name)], atol=0.5)


def test_a_leg_of_another_person_is_not_merged():
    # Of the second, who is further away and off to the side, only a leg is detected.
    truth = people_m((-0.4, 0, 3.0), (0.5, 0.1, 4.5))
    leg = ('left_knee', 'left_ankle')
    hidden = [(1, name) for name in HEATMAP_CHANNELS if name not in leg]
    hidden += [(0, 'left_hip'), *((0, name) for name in leg)]
    found = estimate(outputs(truth, CAMERA, hidden=hidden))
    assert len(found) == 1
    for name in leg:
        assert found.source[0, index(name)] == Source.INFERRED


def test_merging_loses_no_keypoint():
    truth = people_m((-0.3, 0, 3.0), (0.3, 0, 3.1))
    out = outputs(truth, CAMERA, hidden=[(0, 'left_hip'), (1, 'neck')])
    groups = groups_of(out)
    maps = LocationMaps(out.features, Letterbox(1.0))
    joined = merge_fragments(groups, maps, CAMERA)
    assert len(joined) < len(groups)
    assert joined.detected.sum() == groups.detected.sum()
    assert ((joined.score > 0) & (joined.score <= 1)).all()


def test_limbs_whose_ends_disagree_score_less():
    truth = people_m((0, 0, 3.0))
    out = outputs(truth, CAMERA)
    peaks = find_peaks(out.heatmaps[:18], 0.1)
    agreed = connect(peaks, out.pafs, out.features, 0.05)
    features = out.features.copy()
    knee = HEATMAP_CHANNELS.index('left_knee')
    x, y = np.floor(peaks.xy[peaks.channel == knee][0]).astype(int)
    features[:, y, x] += 0.5
    doubted = connect(peaks, out.pafs, features, 0.05)
    assert len(agreed.score) == len(PAF_CHANNELS) == len(doubted.score)
    at_knee = (peaks.channel[agreed.first] == knee) | (peaks.channel[agreed.second] == knee)
    assert (doubted.score[at_knee] < agreed.score[at_knee] - 0.2).all()
    np.testing.assert_array_equal(doubted.score[~at_knee], agreed.score[~at_knee])


def test_without_location_maps_only_the_fields_score_limbs():
    out = outputs(people_m((0, 0, 3.0)), CAMERA)
    peaks = find_peaks(out.heatmaps[:18], 0.1)
    agreed, alone = (connect(peaks, out.pafs, maps, 0.05) for maps in (out.features, None))
    np.testing.assert_array_equal(alone.first, agreed.first)
    np.testing.assert_allclose(alone.score, agreed.score, atol=1e-6)


def test_without_location_maps_nothing_is_merged():
    out = outputs(people_m((0, 0, 3.0)), CAMERA, hidden=[(0, 'left_hip')])
    without = replace(out, features=None)
    assert len(groups_of(out)) == len(groups_of(without)) == 2
    assert estimate(out).people_2d.detected.sum() == 17
    found = people_from_outputs(without, Letterbox(1.0), CAMERA, LiftingNetwork())
    assert found.people_2d.detected.sum() == 15  # the leg has too few keypoints for a person
    with pytest.raises(ValueError, match='needs a network that has them'):
        estimate(without)


def test_computing_time_on_noise_is_bounded():
    rng = np.random.default_rng(0)
    out = Outputs(
        rng.random((19, 32, 56), np.float32),
        rng.uniform(-1, 1, (38, 32, 56)).astype(np.float32),
        rng.uniform(-0.5, 0.5, (57, 32, 56)).astype(np.float32),
    )
    peaks = find_peaks(out.heatmaps[:18], 0.1)
    assert len(peaks.score) == 18 * MAX_PEAKS
    connections = connect(peaks, out.pafs, out.features, 0.05)
    assert len(connections.score) <= len(PAF_CHANNELS) * MAX_PEAKS * MAX_CANDIDATES
    groups = groups_of(out)
    assert groups.detected.sum() == 18 * MAX_PEAKS
    found = estimate(out)
    # A person has one of each keypoint: there are no more people than peaks of one keypoint.
    assert found.people_2d.detected.sum(0).max() <= MAX_PEAKS
