"""Top-down networks of every contract against people whose positions are known."""

from dataclasses import replace

import numpy as np
import pytest

from pose3d_ros.camera import Intrinsics
from pose3d_ros.detection import person_boxes, pose_network, top_down
from pose3d_ros.detection.detector import Thresholds
from pose3d_ros.detection.keypoint_sets import KEYPOINT_SETS, to_panoptic19
from pose3d_ros.detection.top_down import TopDownOptions, open_top_down
from pose3d_ros.images import CameraImage, Observation
from pose3d_ros.inference import InferenceOptions
from pose3d_ros.lifting.lifting_network import LiftingNetwork
from pose3d_ros.models import ModelError
from pose3d_ros.network_graph import Graph
from pose3d_ros.pipeline import Pipeline
from synthetic import contract_networks_top_down as networks

SIZE_WH = (640, 480)
CPU_F32 = InferenceOptions('CPU', 'f32')
MAX_ERROR_PX = 0.6  # of the network's input
DETECTORS = {
    'grids': networks.grid_network,
    'rows': networks.row_network,
    'rows without suppression': lambda t: networks.row_network(t, suppressed=False),
}
# Network, number of its keypoints, height and width of its input.
POSES = {
    'direct': (networks.direct_network, 17, (192, 192)),
    'simcc 17': (networks.simcc_network, 17, (256, 192)),
    'simcc 26': (networks.simcc_network, 26, (256, 192)),
    'heatmaps': (networks.heatmap_network, 17, (256, 192)),
    'heatmaps 384': (lambda t: networks.heatmap_network(t, (384, 288)), 17, (384, 288)),
}


def image(bgr=None):
    bgr = networks.coordinate_image(SIZE_WH) if bgr is None else bgr
    return CameraImage(bgr, Intrinsics.guess(*SIZE_WH))


def black():
    return image(np.zeros((SIZE_WH[1], SIZE_WH[0], 3), np.uint8))


def people_of(number, keypoints=17, seed=0):
    return networks.sample_people(number, keypoints, SIZE_WH, np.random.default_rng(seed))


def open_pair(truth, detector='rows', pose='simcc 17', **options):
    detector_graph = Graph(DETECTORS[detector](truth))
    pose_graph = Graph(POSES[pose][0](truth))
    limits = TopDownOptions(**options)
    return open_top_down((detector_graph, None), (pose_graph, None), CPU_F32, limits)


def errors_px(truth, people, input_hw):
    """Largest error of each true person's keypoints in px of the network's input, by row."""
    set_name = {17: 'coco17', 26: 'halpe26'}[truth.xy_px.shape[1]]
    true_xy, _ = to_panoptic19(set_name, truth.xy_px, np.ones(truth.xy_px.shape[:2]))
    size_wh = truth.boxes_px[:, 2:] - truth.boxes_px[:, :2]
    window_px = (1.25 * size_wh / input_hw[::-1]).max(axis=1)  # image px per px of the input
    apart = np.linalg.norm(people.xy_px - true_xy[:, np.newaxis], axis=-1).max(-1)
    assert people.detected.all()
    return apart.min(axis=1) / window_px


@pytest.mark.parametrize('number', [1, 7])
@pytest.mark.parametrize('pose', POSES)
def test_every_pose_contract_returns_the_true_keypoints(pose, number):
    _, keypoints, input_hw = POSES[pose]
    truth = people_of(number, keypoints)
    detector = open_pair(truth, pose=pose)
    (found,) = detector.detect([image()])
    assert len(found.people) == number
    assert errors_px(truth, found.people, input_hw).max() < MAX_ERROR_PX
    assert detector.detect([black()])[0].people.xy_px.shape == (0, 19, 2)


@pytest.mark.parametrize('detector', DETECTORS)
@pytest.mark.parametrize('number', [1, 7])
def test_every_detector_contract_returns_each_person_once(detector, number):
    truth = people_of(number)
    graph = Graph(DETECTORS[detector](truth))
    spec = person_boxes.infer_spec(graph.inputs, graph.outputs)
    boxes = person_boxes.BoxDetector(graph, spec, None, CPU_F32)
    found = boxes.detect(image().bgr, 0.3)
    order = np.argsort(found.xyxy_px[:, 0])
    np.testing.assert_allclose(found.xyxy_px[order], truth.boxes_px, atol=1.0)
    assert len(boxes.detect(black().bgr, 0.3)) == 0


@pytest.mark.parametrize('pose', ['simcc 17', 'heatmaps'])
def test_people_are_batched_where_the_graph_takes_it_and_not_else(pose):
    truth = people_of(3)
    assert open_pair(truth, pose=pose).pose_network.batched
    one_by_one = open_pair(truth, pose='direct')
    assert not one_by_one.pose_network.batched
    assert len(one_by_one.detect([image()])[0].people) == 3


@pytest.mark.parametrize('colour', ['bgr', 'rgb'])
def test_the_channel_order_of_the_contract_is_followed(colour):
    # The network wants RGB: told that it wants BGR, it cannot be right.
    truth = people_of(2)
    graph = Graph(networks.simcc_network(truth))
    spec = pose_network.infer_spec(graph.inputs, graph.outputs)
    network = pose_network.CropNetwork(graph, replace(spec, colour=colour), CPU_F32)
    windows = network.windows(truth.boxes_px)
    xy_px, scores = network.decode(network.infer(image().bgr, windows), windows)
    right = np.abs(xy_px - truth.xy_px).max() < 2 and scores.min() > 0.5
    assert right == (colour == 'rgb')


def test_networks_trained_with_udp_are_read_on_their_own_grid():
    truth = people_of(1)
    graph = Graph(networks.heatmap_network(truth, udp=True))
    spec = pose_network.infer_spec(graph.inputs, graph.outputs)
    worst = {}
    for decoder in ('heatmaps', 'heatmaps_udp'):
        network = pose_network.CropNetwork(
            Graph(networks.heatmap_network(truth, udp=True)),
            replace(spec, decoder=decoder),
            CPU_F32,
        )
        windows = network.windows(truth.boxes_px)
        xy_px, _ = network.decode(network.infer(image().bgr, windows), windows)
        size = windows[:, 3] - windows[:, 1]
        worst[decoder] = np.abs(xy_px - truth.xy_px).max() * 256 / size[0]
    assert worst['heatmaps_udp'] < 0.3 < worst['heatmaps']


def test_the_largest_people_come_first_and_the_others_are_counted():
    truth = people_of(7)
    (found,) = open_pair(truth, max_people=3).detect([image()])
    assert (len(found.people), found.people_cut) == (3, 4)
    area = (truth.boxes_px[:, 2:] - truth.boxes_px[:, :2]).prod(axis=1)
    largest = np.sort(truth.xy_px[np.argsort(-area)[:3], 0, 0])
    np.testing.assert_allclose(np.sort(found.people.xy_px[:, 1, 0]), largest, atol=2)


def test_score_is_the_detectors_times_the_mean_of_the_best_keypoints():
    truth = people_of(1)
    (found,) = open_pair(truth).detect([image()])
    assert found.people.score[0] == pytest.approx(networks.SCORE**2, abs=0.02)


def test_given_boxes_replace_the_person_detector():
    truth = people_of(3)
    detector = open_pair(truth)
    asked = []
    detector.person_detector.detect = lambda *_: asked.append(1)
    (found,) = detector.detect([image()], [truth.boxes_px])
    assert len(found.people) == 3
    assert not asked
    (found,) = detector.detect([image()], [np.zeros((0, 4))])
    assert len(found.people) == 0
    assert not asked


def test_a_given_box_without_a_person_runs_the_person_detector_at_once():
    truth = people_of(3)
    detector = open_pair(truth)
    one_person_twice = truth.boxes_px[[0, 0]] + [[0.0], [3.0]]
    (found,) = detector.detect([image()], [one_person_twice])
    assert len(found.people) == 3
    assert errors_px(truth, found.people, (256, 192)).max() < MAX_ERROR_PX


def test_two_boxes_on_one_person_are_one_person():
    truth = people_of(2)
    detector = open_pair(truth)
    boxes = np.concatenate([truth.boxes_px, truth.boxes_px + 4])
    (found,) = detector.detect([image()], [boxes])
    assert len(found.people) == 2


def test_keypoints_outside_of_the_image_are_not_detected():
    xy_px = np.full((1, 17, 2), 50.0)
    xy_px[0, 0] = -3, 50
    xy_px[0, 16] = 50, 481
    people = top_down.to_people(
        'coco17', xy_px, np.ones((1, 17)), np.ones(1), ((480, 640), Thresholds())
    )
    nose_and_ankle = [1, 14]
    assert np.isnan(people.xy_px[0, nose_and_ankle]).all()
    assert people.detected.sum() == 17


@pytest.mark.parametrize(('threshold', 'number'), [(None, 1), (0.3, 0), (0.0, 2)])
def test_pairs_have_a_person_threshold_of_their_own(threshold, number):
    """People with a score of 0.27 count, as they do not for other families; 0 takes all."""
    xy_px = np.linspace((40, 40), (200, 200), 17) + np.array([0, 300])[:, np.newaxis, np.newaxis]
    people = top_down.to_people(
        'coco17', xy_px, np.ones((2, 17)), np.array([0.27, 0.2]),
        ((640, 640), Thresholds(person=threshold)),
    )  # fmt: skip
    assert len(people) == number


def test_a_detector_without_its_head_is_refused_with_what_was_expected_and_found():
    truth = people_of(1)
    boxes, pose = (Graph(build(truth)) for build in (networks.row_network, networks.simcc_network))
    with pytest.raises(ModelError, match=r'no pose network .* expected .* found .*dets'):
        open_top_down((boxes, None), (boxes, None), CPU_F32)
    with pytest.raises(ModelError, match=r'no person detector: expected .* found .*simcc_x'):
        open_top_down((pose, None), (pose, None), CPU_F32)
    with pytest.raises(ModelError, match=r'are swapped: .* is a person detector'):
        open_top_down((pose, None), (boxes, None), CPU_F32)
    with pytest.raises(ModelError, match='max_people must be at least 1, found 0'):
        TopDownOptions(max_people=0)


def test_every_keypoint_set_of_the_heads_is_known():
    for network, keypoints, _ in POSES.values():
        graph = Graph(network(people_of(1, keypoints)))
        spec = pose_network.infer_spec(graph.inputs, graph.outputs)
        assert len(KEYPOINT_SETS[spec.keypoint_set]) == keypoints


class Estimator:
    """A top-down detector whose person detector sees the first `visible` people only."""

    def __init__(self, truth, detector_interval):
        self.detector = open_pair(truth, detector_interval=detector_interval)
        self.lifter = LiftingNetwork()
        self.visible, self.searches, self.truth = 1, 0, truth
        self.detector.person_detector.detect = self.search

    def search(self, bgr, min_score):
        self.searches += 1
        boxes_px = self.truth.boxes_px[: self.visible]
        return person_boxes.Boxes(boxes_px, np.full(len(boxes_px), networks.SCORE))

    def detect(self, images, boxes=None):
        return self.detector.detect(images, boxes)

    def lift(self, detections, intrinsics, camera_pose=None):
        return self.lifter.lift(detections, intrinsics, camera_pose)


@pytest.mark.parametrize('interval', [1, 3, 5])
def test_new_people_are_found_within_the_interval_and_keep_their_ids(interval):
    estimator = Estimator(people_of(3), interval)
    pipeline = Pipeline(estimator)
    numbers, ids = [], set()
    for i in range(4 * interval):
        if i == interval + 1:
            estimator.visible = 3
        tracked = pipeline.process(Observation(image(), i / 30))
        numbers.append(len(tracked))
        ids |= set(tracked.track_id.tolist())
    assert numbers == [1] * 2 * interval + [3] * 2 * interval
    assert estimator.searches == 4
    assert len(ids) == 3


def test_the_person_detector_runs_at_once_when_a_tracked_person_is_lost():
    estimator = Estimator(people_of(2), 5)
    estimator.visible = 2
    pipeline = Pipeline(estimator)
    for i in range(2):
        pipeline.process(Observation(image(), i / 30))
    assert estimator.searches == 1
    assert len(pipeline.process(Observation(black(), 2 / 30))) == 0
    assert estimator.searches == 2
