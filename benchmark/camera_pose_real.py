"""Real people before cameras whose pose is known, for benchmark.camera_pose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmark.lifting import all_people, in_detections, in_labels
from benchmark.lifting_data import CONDITIONS, Scene, read_scenes
from pose3d_ros.camera import CameraPose, Intrinsics
from pose3d_ros.camera_pose.estimate import CameraPoseEstimate
from pose3d_ros.camera_pose.estimator import CameraPoseEstimator
from pose3d_ros.camera_pose.observations import UNIT_HEIGHT_M, Observer
from pose3d_ros.estimator import PoseEstimator
from pose3d_ros.lifting.lifting_network import LiftingNetwork
from pose3d_ros.people import K, People2D, People3D, TrackedPeople, TrackState
from pose3d_ros.sources.open_source import open_source
from pose3d_ros.sources.playback import frames
from pose3d_ros.tracking.tracker import Tracker

Array = NDArray[np.float64]

# The calibration of PETS 2009, view 1, as published; its pose is fitted to the labelled places of
# people on the floor, which it leaves .4 px from where their boxes end.
VTEST_CAMERA = Intrinsics(1185, 1194.6, 324.2, 282.6, (-0.15, 0, 0, 0))
VTEST_INPUT_HW = (576, 768)
KINDS = ('Panoptic', 'Pose2Sim', 'motion capture')
# Images of the studio were taken at instants so far apart that people cannot be tracked.
INSTANT_S, FRAME_S = 10.0, 1 / 29.97


@dataclass(frozen=True)
class Clip:
    """Tracked people of a clip, the camera and its pose."""

    stamps_s: list[float]
    people: list[TrackedPeople]
    intrinsics: Intrinsics
    pose: CameraPose

    def between(self, start_s: float, end_s: float) -> Iterator[tuple[float, TrackedPeople]]:
        """Images from one time to another, the tracks as they are in the whole clip."""
        for stamp_s, people in zip(self.stamps_s, self.people, strict=True):
            if start_s - 1e-6 <= stamp_s < end_s - 1e-6:
                yield stamp_s, people


@dataclass
class DetectedImages:
    """Detections of the images and the clip of a data folder, kept in a folder if there is one."""

    data: Path
    model: str
    cache: Path | None = None
    _network: dict[tuple[int, int], PoseEstimator] = field(default_factory=dict)

    def detect(self, name: str, images: Iterator[NDArray[np.uint8]]) -> list[People2D]:
        """Find the people in images, or read what was found in them before."""
        path = self.cache / f'{name}.npz' if self.cache else None
        if path and path.exists():
            with np.load(path) as archive:
                parts = [archive[key] for key in ('xy_px', 'scores', 'score')]
                return [
                    People2D(*arrays)
                    for arrays in zip(
                        *(np.split(part, archive['ends'][:-1]) for part in parts), strict=True
                    )
                ]
        found = [self._estimate(bgr, name == 'vtest') for bgr in images]
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez_compressed(
                path,
                xy_px=np.concatenate([p.xy_px for p in found]),
                scores=np.concatenate([p.scores for p in found]),
                score=np.concatenate([p.score for p in found]),
                ends=np.cumsum([len(p) for p in found]),
            )
        return found

    def _estimate(self, bgr: NDArray[np.uint8], whole: bool) -> People2D:
        """Find people with an input of the image's own aspect."""
        height, width = bgr.shape[:2]
        shorter = 256 / min(height, width)
        sides = (max(round(shorter * side / 8), 1) * 8 for side in (height, width))
        input_hw = VTEST_INPUT_HW if whole else (next(sides), next(sides))
        if input_hw not in self._network:
            self._network[input_hw] = PoseEstimator(self.model, 'CPU', input_hw=input_hw)
        intrinsics = Intrinsics.guess(width, height)
        return self._network[input_hw].estimate(bgr, intrinsics).people_2d


def tracked(people: People2D, track_id: NDArray[np.int64] | None = None) -> TrackedPeople:
    """Make people confirmed, with ids; without 3D positions, which are not used."""
    n = len(people)
    unknown = np.full((n, K, 3), np.nan), np.zeros((n, K), np.uint8), np.full((n, 3, 3), np.nan)
    return TrackedPeople(
        People3D(people, *unknown),
        np.arange(n) if track_id is None else track_id,
        np.full(n, TrackState.CONFIRMED, np.uint8),
        np.zeros(n),
    )


def read_vtest(images: DetectedImages) -> Clip:
    """Read the clip of people who walk across a square, seen by a camera on a roof."""
    path = images.data / 'video' / 'vtest.avi'
    video = list(frames(open_source(str(path))))
    found = images.detect('vtest', (bgr for _, bgr in video))
    tracker, network = Tracker(), LiftingNetwork()
    stamps_s = [float(stamp_s) for stamp_s, _ in video]
    people = [
        tracker.update(network.lift_people(seen, VTEST_CAMERA, UNIT_HEIGHT_M), stamp_s)
        for stamp_s, seen in zip(stamps_s, found, strict=True)
    ]
    pose = _fitted_pose(path.with_name('vtest_gt_mot15.txt'))
    return Clip(stamps_s, people, VTEST_CAMERA, pose)


def _fitted_pose(labels: Path) -> CameraPose:
    """Pose of a camera from boxes and places on the floor (columns of MOT15 and x, y, m)."""
    rows = np.loadtxt(labels, delimiter=',', usecols=range(9))
    feet_px = rows[:, 2:4] + rows[:, 4:6] * (0.5, 1)
    floor_m = np.append(rows[:, 7:9], np.zeros((len(rows), 1)), axis=1)
    c = VTEST_CAMERA
    matrix = np.array([[c.fx, 0, c.cx], [0, c.fy, c.cy], [0, 0, 1]])
    _, turn, place = cv2.solvePnP(floor_m, feet_px, matrix, np.array(c.distortion))
    rotation = cv2.Rodrigues(turn)[0]
    height_m = float((-rotation.T @ place)[2, 0])
    return CameraPose(rotation[:, 2] * np.sign(height_m), abs(height_m))


def single_images(
    observer: Observer, images: DetectedImages
) -> dict[str, list[tuple[CameraPoseEstimate | None, CameraPose]]]:
    """Estimates from one image each, and the truth, by kind and by how people were found."""
    rows: dict[str, list[tuple[CameraPoseEstimate | None, CameraPose]]] = {}
    for kind, scenes, detections in _kinds(images):
        for title, people in (('labelled', [s.people for s in scenes]), ('detected', detections)):
            if people:
                rows[f'{kind}, {title}'] = [
                    (_once(observer, scene, seen), scene.camera_pose)
                    for scene, seen in zip(scenes, people, strict=True)
                    if scene.camera_pose is not None
                ]
    return rows


def _once(observer: Observer, scene: Scene, people: People2D) -> CameraPoseEstimate | None:
    estimator = CameraPoseEstimator(observer=observer)
    estimator.update(0.0, tracked(people), scene.intrinsics)
    return estimator.estimate()


def _kinds(images: DetectedImages) -> Iterator[tuple[str, list[Scene], list[People2D]]]:
    """Scenes of each kind, and detections where they have images."""
    scenes = [s for s in read_scenes(images.data / 'real') if s.camera_pose is not None]
    for kind in KINDS:
        chosen = [s for s in scenes if s.group == kind]
        paths = [str(s.image.path) for s in chosen if s.image]
        pixels: Iterator[NDArray[np.uint8]] = (
            np.asarray(cv2.imread(path), np.uint8) for path in paths
        )
        yield kind, chosen, images.detect(kind, pixels) if paths else []


class _ByClip:
    """Poses from all images of each camera so far."""

    def __init__(self, observer: Observer, network: LiftingNetwork, detected: bool) -> None:
        self.observer, self.network, self.detected = observer, network, detected
        self._cameras: dict[bytes, tuple[CameraPoseEstimator, Tracker, int]] = {}

    def pose(self, scene: Scene, people: People2D) -> CameraPose | None:
        """Estimate the pose of the scene's camera with this image and those before."""
        assert scene.camera_pose is not None
        key = scene.camera_pose.up.tobytes()
        new = CameraPoseEstimator(observer=self.observer), Tracker(), 0
        estimator, tracker, number = self._cameras.get(key, new)
        self._cameras[key] = estimator, tracker, number + 1
        apart = scene.group == 'Panoptic'
        stamp_s = number * (INSTANT_S if apart else FRAME_S)
        if scene.image is not None and not apart:
            stamp_s = scene.image.time_s
        ids = np.arange(len(people)) + (1000 * number if apart else 0)
        if self.detected and not apart:
            lifted = self.network.lift_people(people, scene.intrinsics, UNIT_HEIGHT_M)
            ids = tracker.update(lifted, stamp_s).track_id
        estimator.update(stamp_s, tracked(people, ids), scene.intrinsics)
        found = estimator.estimate()
        return found.pose if found else None


def mpjpe_gain(observer: Observer, images: DetectedImages) -> Iterator[str]:
    """Lines of what poses are worth: root-relative error, mm, and root distance, %."""
    network = LiftingNetwork()
    for kind, scenes, detections in _kinds(images):
        for title, people in (('labelled', []), ('detected', detections)):
            if title == 'detected' and not people:
                continue
            by_clip = _ByClip(observer, network, bool(people))
            poses: tuple[Callable[[Scene, People2D], CameraPose | None], ...] = (
                lambda scene, seen: None,
                lambda scene, seen: _pose(_once(observer, scene, seen)),
                by_clip.pose,
                lambda scene, seen: scene.camera_pose,
            )
            cells, errors = [], []
            for pose in poses:
                error_mm, cell = _errors(network, scenes, people, pose)
                errors.append(error_mm)
                cells.append(cell)
            gains = (
                f'{100 * (errors[0] - error_mm) / (errors[0] - errors[3]):.0f} %'
                for error_mm in errors[1:3]
            )
            yield f'| {kind}, {title} | {" | ".join([*cells, *gains])} |'


def _pose(found: CameraPoseEstimate | None) -> CameraPose | None:
    return found.pose if found else None


def _errors(
    network: LiftingNetwork,
    scenes: list[Scene],
    detections: list[People2D],
    pose: Callable[[Scene, People2D], CameraPose | None],
) -> tuple[float, str]:
    """Mean root-relative error, mm, and the cell of the table."""

    def lift(scene: Scene, people: People2D, _: CameraPose | None) -> People3D:
        return network.lift_people(people, scene.intrinsics, UNIT_HEIGHT_M, pose(scene, people))

    rows = in_detections(scenes, detections, lift) if detections else in_labels(
        scenes, CONDITIONS[0], lift)  # fmt: skip
    known = [e for e in all_people(rows).errors if np.isfinite(e.root_relative)]
    error_mm = 1e3 * float(np.mean([e.root_relative for e in known]))
    share = 100 * np.array([e.root_distance_share for e in known])
    return error_mm, f'{error_mm:.1f} mm, {np.median(share):.1f} / {share.mean():.1f} %'
