"""The pipeline of one camera: order of the stages, timings, smoothing after tracking."""

from types import SimpleNamespace

import numpy as np
import pytest
from support.people import LEFT, LEGS, RIGHT, scene, without

from pose3d_ros.camera import CameraPose, CameraPoseSource, Intrinsics
from pose3d_ros.camera_pose.person_height import PersonHeights
from pose3d_ros.detections import Detections
from pose3d_ros.images import CameraImage, DepthImage, Observation
from pose3d_ros.people import Source
from pose3d_ros.pipeline import Pipeline
from synthetic import depth_scene

GREY = np.full((48, 64, 3), 128, np.uint8)
CAMERA = Intrinsics(60, 60, 31.5, 23.5)
LEVEL = CameraPose(np.array([0.0, -1.0, 0.0]), 1.2)


class KnownPeople:
    """An estimator that finds the same people in every image, and notes what it was asked."""

    def __init__(self, people, detector_interval=1):
        self.people, self.lifter, self.asked = people, self, []
        self.assumed_person_height_m = 1.8
        self.detector, self.detector_interval = self, detector_interval
        self.boxes, self.people_cut = [], 0

    def detect(self, images, boxes=None):
        self.boxes += boxes
        cut = self.people_cut if boxes[0] is None else 0
        people = self.people.people_2d
        return [Detections(people, inference_s=0.25, people_cut=cut) for _ in images]

    def lift(self, detections, intrinsics, camera_pose=None):
        assert detections.people is self.people.people_2d
        self.asked.append((intrinsics, camera_pose))
        return self.people


def observation(stamp_s, camera=CAMERA, **more):
    return Observation(CameraImage(GREY, camera), stamp_s, **more)


def test_intrinsics_and_camera_pose_reach_the_lifter():
    estimator = KnownPeople(scene([LEFT]))
    Pipeline(estimator).process(observation(1.0, camera_pose=LEVEL))
    assert estimator.asked == [(CAMERA, LEVEL)]


def detector_runs(pipeline, stamps_s):
    """For each image, whether it was searched as a whole: no boxes were given."""
    before = len(pipeline.estimator.boxes)
    for stamp_s in stamps_s:
        pipeline.process(observation(stamp_s))
    return [boxes is None for boxes in pipeline.estimator.boxes[before:]]


def test_the_person_detector_runs_on_every_nth_image_and_boxes_are_predicted_in_between():
    people = scene([LEFT, RIGHT])
    pipeline = Pipeline(KnownPeople(people, detector_interval=3))
    assert detector_runs(pipeline, np.arange(7) / 30) == [True, False, False] * 2 + [True]
    boxes_px = pipeline.estimator.boxes[5]
    for box, xy_px in zip(boxes_px, people.people_2d.xy_px, strict=True):
        longer = np.ptp(xy_px, axis=0).max()
        np.testing.assert_allclose(box[:2], xy_px.min(axis=0) - 0.1 * longer, atol=1e-6)
        np.testing.assert_allclose(box[2:], xy_px.max(axis=0) + 0.1 * longer, atol=1e-6)


def test_the_person_detector_runs_at_once_after_a_jump_of_stamps():
    pipeline = Pipeline(KnownPeople(scene([LEFT]), detector_interval=5))
    assert detector_runs(pipeline, [10.0, 10.1]) == [True, False]
    assert detector_runs(pipeline, [5.0, 5.1]) == [True, False]  # back: a recording starts anew
    assert detector_runs(pipeline, [7.0, 7.1]) == [True, False]  # too far ahead to predict
    assert detector_runs(pipeline, [7.1, 7.05]) == [False, False]  # a clock that is being set


def test_people_who_are_cut_count_until_the_next_search_of_a_whole_image():
    pipeline = Pipeline(KnownPeople(scene([LEFT, RIGHT]), detector_interval=2))
    pipeline.estimator.people_cut = 4
    for stamp_s in (0.0, 0.1):
        pipeline.process(observation(stamp_s))
        assert pipeline.people_cut == 4
    pipeline.estimator.people_cut = 0
    pipeline.process(observation(0.2))
    assert pipeline.people_cut == 0


def test_without_an_interval_every_image_is_searched():
    pipeline = Pipeline(KnownPeople(scene([LEFT])))
    assert detector_runs(pipeline, np.arange(4) / 30) == [True] * 4


def test_no_boxes_are_expected_after_an_image_without_people():
    pipeline = Pipeline(KnownPeople(scene(np.zeros((0, 3))), detector_interval=2))
    assert detector_runs(pipeline, [0.0, 0.1, 0.2]) == [True, False, True]
    assert pipeline.estimator.boxes[1].shape == (0, 4)


def test_each_stage_is_timed_and_the_inference_is_the_detectors():
    pipeline = Pipeline(KnownPeople(scene([LEFT, RIGHT])))
    assert pipeline.timings is None
    pipeline.process(observation(1.0))
    t = pipeline.timings
    assert t.inference_s == 0.25
    assert min(t.lifting_s, t.tracking_s) > 0
    assert t.depth_s >= 0
    rest_s = t.decoding_s + t.lifting_s + t.depth_s + t.tracking_s
    assert t.after_inference_s == pytest.approx(rest_s)
    assert t.total_s == pytest.approx(0.25 + rest_s)


def test_a_depth_image_measures_people():
    truth = depth_scene.person_m(depth_scene.figure_m(), 1.8, (0.0, 0.0, 3.0))[np.newaxis]
    rng = np.random.default_rng(0)
    estimated = depth_scene.estimated_without_depth(0.9 * truth, [1.8], rng)
    image = CameraImage(np.zeros((*depth_scene.IMAGE_HW, 3), np.uint8), depth_scene.CAMERA)
    depth = depth_scene.depth_image(truth, [1.8])
    assert isinstance(depth, DepthImage)
    people = {}
    for given in (None, depth):
        pipeline = Pipeline(KnownPeople(estimated))
        people[given is depth] = pipeline.process(Observation(image, 0.0, None, given)).people
    assert not (people[False].source == Source.DEPTH).any()
    assert (people[True].source == Source.DEPTH).sum() > 10


def test_no_people_are_tracked_as_no_people():
    tracked = Pipeline(KnownPeople(scene(np.zeros((0, 3))))).process(observation(1.0))
    assert len(tracked) == 0
    assert tracked.people.xyz_m.shape == (0, 19, 3)


def test_without_a_smoother_the_people_are_returned_unchanged():
    rng = np.random.default_rng(0)
    pipeline = Pipeline(KnownPeople(scene([LEFT])))
    pipeline.smoother = None
    for i in range(5):
        people = scene([LEFT, RIGHT], rng=rng)
        assert pipeline.follow(observation(i / 30), people).people is people


def test_smoothing_changes_3d_only_and_only_what_is_known():
    rng = np.random.default_rng(0)
    pipeline = Pipeline(KnownPeople(scene([LEFT])))
    for i in range(5):
        people = scene([LEFT, RIGHT], without(LEGS, []), rng)
        people.xyz_m[1, LEGS] = np.nan
        kept = [people.xyz_m.copy(), people.source.copy(), people.people_2d.xy_px.copy()]
        tracked = pipeline.follow(observation(i / 30), people).people
        assert tracked.people_2d is people.people_2d
        np.testing.assert_array_equal(tracked.source, people.source)
        np.testing.assert_array_equal(np.isnan(tracked.xyz_m), np.isnan(people.xyz_m))
        for before, now in zip(
            kept, (people.xyz_m, people.source, people.people_2d.xy_px), strict=True
        ):
            np.testing.assert_array_equal(before, now)
    assert not np.array_equal(tracked.xyz_m, people.xyz_m, equal_nan=True)


def test_smoothing_follows_the_person_and_not_the_row():
    pipeline = Pipeline(KnownPeople(scene([LEFT])))
    for i in range(20):
        order = [0, 1] if i % 2 else [1, 0]
        people = scene(np.array([LEFT, RIGHT])[order])
        tracked = pipeline.follow(observation(i / 30), people)
        np.testing.assert_allclose(tracked.people.xyz_m, people.xyz_m, atol=1e-9)


def test_a_stamp_that_stands_still_moves_nothing():
    pipeline = Pipeline(KnownPeople(scene([LEFT])))
    (still,) = scene([LEFT]).xyz_m
    for i in range(10):
        pipeline.follow(observation(5 + i / 30), scene([LEFT]))
    for shift_m in (0.0, 0.05, 0.0):
        tracked = pipeline.follow(observation(5 + 9 / 30), scene([np.add(LEFT, (shift_m, 0, 0))]))
        np.testing.assert_allclose(tracked.people.xyz_m[0], still, atol=1e-9)
    tracked = pipeline.follow(observation(5 + 10 / 30), scene([LEFT]))
    np.testing.assert_allclose(tracked.people.xyz_m[0], still, atol=0.05)


def test_after_a_jump_back_people_are_where_they_are_measured():
    pipeline = Pipeline(KnownPeople(scene([LEFT])))
    for i in range(10):
        pipeline.follow(observation(100 + i / 30), scene([LEFT]))
    moved = scene([np.add(LEFT, (0.4, 0, 0))])
    np.testing.assert_allclose(pipeline.follow(observation(50.0), moved).people.xyz_m, moved.xyz_m)


class KnownPose:
    """An estimator of the camera's pose that notes what it was told."""

    def __init__(self, pose):
        self.found, self.told, self.heights = pose, [], PersonHeights(1.7)

    def estimate(self):
        return self.found and SimpleNamespace(pose=self.found)

    def update(self, stamp_s, tracked, intrinsics, known=None):
        self.told.append((stamp_s, len(tracked), intrinsics, known))


def posed_pipeline(pose):
    pipeline = Pipeline(KnownPeople(scene([LEFT])))
    pipeline.pose_from_people = KnownPose(pose)
    return pipeline


def test_a_pose_that_people_tell_is_used_from_the_next_image_on():
    pipeline = posed_pipeline(None)
    pipeline.process(observation(1.0))
    assert pipeline.camera_pose_source == CameraPoseSource.NONE
    assert pipeline.pose_from_people.told == [(1.0, 1, CAMERA, None)]
    pipeline.pose_from_people.found = LEVEL
    pipeline.process(observation(1.1))
    assert pipeline.estimator.asked == [(CAMERA, None), (CAMERA, LEVEL)]
    assert (pipeline.camera_pose, pipeline.camera_pose_source) == (
        LEVEL,
        CameraPoseSource.ESTIMATED,
    )


def test_a_given_pose_comes_before_that_of_people():
    pipeline = posed_pipeline(CameraPose(np.array([0.0, -1.0, 0.0]), 3.0))
    pipeline.process(observation(1.0, camera_pose=LEVEL))
    assert pipeline.estimator.asked == [(CAMERA, LEVEL)]
    assert pipeline.camera_pose_source == CameraPoseSource.GIVEN
    assert pipeline.pose_from_people.told == [(1.0, 1, CAMERA, LEVEL)]


def test_where_gravity_alone_is_given_people_tell_the_height():
    gravity = CameraPose(np.array([0.0, -1.0, 0.0]))
    pipeline = posed_pipeline(LEVEL)
    pipeline.process(observation(1.0, camera_pose=gravity))
    assert pipeline.estimator.asked == [(CAMERA, LEVEL)]
    pipeline = posed_pipeline(None)
    pipeline.process(observation(1.0, camera_pose=gravity))
    assert pipeline.estimator.asked == [(CAMERA, gravity)]


def test_with_a_guessed_focal_length_people_tell_nothing():
    pipeline = posed_pipeline(LEVEL)
    pipeline.process(observation(1.0, camera=Intrinsics.guess(64, 48)))
    assert pipeline.camera_pose_source == CameraPoseSource.NONE
    assert not pipeline.pose_from_people.told


def test_the_pose_from_people_can_be_switched_off():
    pipeline = posed_pipeline(LEVEL)
    pipeline.pose_from_people = None
    pipeline.process(observation(1.0))
    assert pipeline.camera_pose is None
