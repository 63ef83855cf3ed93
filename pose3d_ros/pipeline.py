"""From observations of one camera to people with ids: everything that has state, without ROS."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import CameraPose, CameraPoseSource, Intrinsics, IntrinsicsSource
from pose3d_ros.camera_pose.estimator import CameraPoseEstimator
from pose3d_ros.depth.measurement import measure
from pose3d_ros.detections import Detections
from pose3d_ros.estimator import PoseEstimator
from pose3d_ros.images import Observation
from pose3d_ros.people import People3D, TrackedPeople
from pose3d_ros.rotation import AUTO, Rotation
from pose3d_ros.tracking import appearance
from pose3d_ros.tracking.smoothing import Smoother
from pose3d_ros.tracking.tracker import Tracker


@dataclass(frozen=True)
class Timings:
    """Wall time of each stage of one observation, s.

    Parameters
    ----------
    inference_s
        The network, with fitting the image into its input.
    decoding_s
        From its outputs to 2D poses.
    lifting_s, depth_s
        From 2D to 3D poses, and their correction by a depth image.
    tracking_s
        Ids and smoothing.
    """

    inference_s: float
    decoding_s: float
    lifting_s: float
    depth_s: float
    tracking_s: float

    @property
    def total_s(self) -> float:
        """All stages together, s."""
        return self.inference_s + self.after_inference_s

    @property
    def after_inference_s(self) -> float:
        """All stages but the network, s."""
        return self.decoding_s + self.lifting_s + self.depth_s + self.tracking_s


@dataclass(frozen=True)
class Found2D:
    """The people in an image, in 2D.

    Parameters
    ----------
    detections
        In pixels of the upright image.
    rotation
        Which turned the image upright.
    intrinsics
        Of the camera, for the upright image.
    wall_s
        How long it took to find them, s.
    """

    detections: Detections
    rotation: Rotation
    intrinsics: Intrinsics
    wall_s: float


class Pipeline:
    """Processes the images of one camera; holds all state between them.

    Parameters
    ----------
    estimator
        Shared with the pipelines of other cameras.

    Attributes
    ----------
    tracker
        Gives people their ids.
    smoother
        Smooths 3D positions. May be set to None, which switches smoothing off.
    pose_from_people
        Estimates the pose of the camera where it is not given. May be set to None, which switches
        that off.
    camera_pose, camera_pose_source
        The pose that was used for the last image (None: unknown), and where it came from.
    image_rotation
        Clockwise rotation that turns the images upright: 0, 90, 180 or 270 degrees, or ``AUTO``,
        by the pose of the camera where it is given. Results are those of the image as it was
        received.
    degrees
        The rotation of the last image.
    people_cut
        People left out because they were more than `max_people`, in the last image that was
        searched as a whole, or later.
    timings
        Of the last observation. None: there was none.
    """

    def __init__(self, estimator: PoseEstimator) -> None:
        self.estimator = estimator
        self.tracker = Tracker()
        self.smoother: Smoother | None = Smoother()
        self.pose_from_people: CameraPoseEstimator | None = CameraPoseEstimator()
        self.camera_pose: CameraPose | None = None
        self.camera_pose_source = CameraPoseSource.NONE
        self.image_rotation = AUTO
        self.degrees = 0
        self.people_cut = 0
        self.timings: Timings | None = None
        self._images_since_detector = 0

    def process(self, observation: Observation) -> TrackedPeople:
        """Find the people in an image, in 3D, and give them their ids.

        Sets `timings`.

        Parameters
        ----------
        observation
            Stamps may stand still. If one jumps back, tracking starts anew.

        Returns
        -------
        TrackedPeople
            In metres in the camera optical frame.
        """
        return self.follow(observation, self.estimate(observation))

    def estimate(self, observation: Observation) -> People3D:
        """Find the people in an image, in 3D: everything of `process` before tracking."""
        boxes_px = self._expected_boxes(observation.stamp_s)
        return self.lift(observation, self.detect(observation, boxes_px))

    def detect(
        self, observation: Observation, boxes_px: NDArray[np.float64] | None = None
    ) -> Found2D:
        """Find the people in an image, in 2D: the part of `estimate` that needs no other image.

        Several threads may call it at a time, if the estimator is for throughput.

        Parameters
        ----------
        observation
            The image.
        boxes_px
            Where people are expected, ``(B, 4)`` px. None: look in the whole image.
        """
        start_s = time.perf_counter()
        rotation = Rotation.of(observation.image, observation.camera_pose, self.image_rotation)
        upright, _ = rotation.turn(observation.image, None)
        turned_px = None if boxes_px is None else rotation.turn_boxes(boxes_px)
        (detections,) = self.estimator.detect([upright], [turned_px])
        wall_s = time.perf_counter() - start_s
        return Found2D(detections, rotation, upright.intrinsics, wall_s)

    def lift(self, observation: Observation, found: Found2D) -> People3D:
        """Estimate the 3D poses of the people that `detect` found: the rest of `estimate`."""
        start_s = time.perf_counter()
        rotation, detections = found.rotation, found.detections
        self.degrees = rotation.degrees
        # Where only the expected people are looked for, none are cut.
        if detections.people_cut or not self._images_since_detector:
            self.people_cut = detections.people_cut
        self._choose_camera_pose(observation)
        camera_pose = rotation.turn_pose(self.camera_pose)
        people = self.estimator.lift(detections, found.intrinsics, camera_pose)
        people = rotation.turn_back(people)
        lifted_s = time.perf_counter()
        if observation.depth is not None:
            height_m = self.estimator.lifter.assumed_person_height_m
            people = measure(people, observation.depth, observation.image.intrinsics, height_m)
        self.timings = Timings(
            inference_s=detections.inference_s,
            decoding_s=found.wall_s - detections.inference_s,
            lifting_s=lifted_s - start_s,
            depth_s=time.perf_counter() - lifted_s,
            tracking_s=0.0,
        )
        return people

    def follow(self, observation: Observation, people: People3D) -> TrackedPeople:
        """Give the people of an image their ids: everything of `process` from tracking on.

        People who were estimated before, in another run, may be passed instead of those that
        `estimate` returns.
        """
        start_s = time.perf_counter()
        self._choose_camera_pose(observation)
        colours = None
        if self.tracker.appearance_memory_s:
            colours = appearance.describe(observation.image.bgr, people.people_2d)
        up = None if self.camera_pose is None else self.camera_pose.up
        tracked = self.tracker.update(people, observation.stamp_s, colours, up)
        tracked = self._learn_camera_pose(observation, tracked)
        if self.smoother is not None:
            tracked = self.smoother.smooth(tracked, self.tracker.stamp_s)
        if self.timings is not None:
            self.timings = replace(self.timings, tracking_s=time.perf_counter() - start_s)
        return tracked

    def _choose_camera_pose(self, observation: Observation) -> None:
        """Set the pose that is used for an image: as given, else as estimated until now."""
        given = observation.camera_pose
        self.camera_pose = given
        self.camera_pose_source = (
            CameraPoseSource.NONE if given is None else CameraPoseSource.GIVEN
        )
        # With a guessed focal length the floor that people stand on is wrong, too.
        guessed = observation.image.intrinsics.source == IntrinsicsSource.GUESSED
        if self.pose_from_people is None or guessed:
            return
        if given is None or np.isnan(given.height_m):
            estimate = self.pose_from_people.estimate()
            if estimate is not None:
                self.camera_pose = estimate.pose
                self.camera_pose_source = CameraPoseSource.ESTIMATED

    def _learn_camera_pose(
        self, observation: Observation, tracked: TrackedPeople
    ) -> TrackedPeople:
        """Update the estimate of the camera's pose, and return the people with their heights.

        Only their 2D poses count, so that the estimate does not confirm itself.
        """
        intrinsics = observation.image.intrinsics
        if self.pose_from_people is None or intrinsics.source == IntrinsicsSource.GUESSED:
            return tracked
        self.pose_from_people.update(
            observation.stamp_s, tracked, intrinsics, observation.camera_pose
        )
        height_m, height_sd_m = self.pose_from_people.heights.get(tracked.track_id)
        return replace(tracked, height_m=height_m, height_sd_m=height_sd_m)

    def _expected_boxes(self, stamp_s: float) -> NDArray[np.float64] | None:
        """Return where people are expected, ``(B, 4)`` px; None: look in the whole image."""
        self._images_since_detector += 1
        if self._images_since_detector < self.estimator.detector.detector_interval:
            boxes_px = self.tracker.predict_boxes(stamp_s)
            if boxes_px is not None:
                return boxes_px
        self._images_since_detector = 0
        return None
