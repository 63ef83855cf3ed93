import numpy as np

from pose3d_ros import PoseEstimator, Tracker
from pose3d_ros.detection.open_detector import open_detector
from pose3d_ros.inference import InferenceOptions
from synthetic import test_card
from synthetic.test_card_network import network

CAMERA = test_card.intrinsics()


def errors_m(xyz_m, truth_m):
    """Return the mean distance of each detected person from the nearest true one, and its row."""
    distance = np.linalg.norm(xyz_m[:, None] - truth_m[None], axis=-1).mean(-1)
    return distance.min(1), distance.argmin(1)


def test_the_network_detects_the_figures_in_pixels():
    """All three people to a few centimetres, 2D to half a pixel."""
    estimator = PoseEstimator(network(), 'CPU', precision='f32', lifting='location_maps')
    found = estimator.estimate(test_card.image(7.5), CAMERA)
    truth = test_card.people_m(7.5)
    error, who = errors_m(found.xyz_m, truth)
    assert sorted(who) == [0, 1, 2]
    assert error.max() < 0.05
    xy = CAMERA.project(truth)[who]
    off = np.linalg.norm(found.people_2d.xy_px - xy, axis=-1)[found.people_2d.detected]
    assert np.median(off) < 0.6
    assert off.max() < 5


def test_track_ids_persist():
    estimator = PoseEstimator(network(), 'CPU', precision='f32', lifting='location_maps')
    tracker = Tracker()
    ids = {0: [], 1: [], 2: []}
    for i, (time_s, bgr) in enumerate(test_card.clip()):
        if i % 2:
            continue
        tracked = tracker.update(estimator.estimate(bgr, CAMERA), time_s)
        xyz = tracked.people.xyz_m
        if not np.isfinite(xyz).all():
            continue
        _, who = errors_m(xyz, test_card.people_m(time_s))
        for truth, track_id in zip(who.tolist(), tracked.track_id.tolist(), strict=True):
            ids[truth].append(track_id)
    for seen in ids.values():
        most = max(set(seen), key=seen.count)
        assert seen.count(most) > 0.9 * len(seen)


def test_the_empty_background_has_no_people():
    empty = test_card.image(0.0)
    empty[..., 2] = 0
    assert (
        len(
            PoseEstimator(network(), 'CPU', precision='f32', lifting='location_maps').estimate(
                empty, CAMERA
            )
        )
        == 0
    )


def test_the_network_has_the_usual_inputs_and_outputs():
    made = open_detector(network(), InferenceOptions('CPU'))
    assert (made.name, made.input_hw, made.stride) == ('test_card', test_card.SIZE_HW, 8)
