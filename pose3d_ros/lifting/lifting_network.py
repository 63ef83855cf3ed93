"""3D poses from 2D poses, by a network that was trained on sampled bodies.

It takes the keypoints of any 2D network, and neither images nor location maps
(docs/models/lifting.md).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import CameraPose, Intrinsics
from pose3d_ros.detections import Detections
from pose3d_ros.geometry.placement import MIN_ROOT_SD_M, place_at_depth
from pose3d_ros.inference import VectorNetwork
from pose3d_ros.lifting.person_view import (
    FEATURES,
    UNIT_HEIGHT_M,
    CameraPoses,
    PersonViews,
    person_views,
)
from pose3d_ros.people import K, People2D, People3D, Source
from pose3d_ros.skeleton import PANOPTIC19

BUNDLED = Path(__file__).resolve().parents[1] / 'models' / 'weights' / 'lifting.xml'
# Width of each output.
OUTPUTS = {'xyz': 3 * K, 'log_scale': K, 'person': 2}
# Fewer detected keypoints than this do not determine a pose.
MIN_KEYPOINTS = 3
# Standard deviation of a keypoint detected with a score of 1 across the line of sight, m, for a
# person of 1.70 m; it grows with one over the score. Keypoints are moved towards their rays as far
# as the network's own standard deviation is larger.
DETECTOR_SD_M = 0.02
# Share of the keypoints' variance, relative to the root, that is the root's own, where neither,
# one or both hips are detected; and standard deviation of the distance, in scales of its Laplace
# distribution. Chosen so that on sampled people the root's ellipsoids contain what they claim
# (`python -m training.lifting.evaluate`).
SHARED_VARIANCE = np.array([0.7, 0.5, 0.3])
DISTANCE_SD = 1.25
# Scores below this count as this, so that the noise stays finite.
MIN_SCORE = 1e-3

Array = NDArray[np.float64]

_PELVIS = PANOPTIC19.index('pelvis')
_LEFT_HIP, _RIGHT_HIP = _HIPS = PANOPTIC19.indices(('left_hip', 'right_hip'))
# numpy converts members of an enum slowly.
_NONE, _OBSERVED, _INFERRED = np.array([Source.NONE, Source.OBSERVED, Source.INFERRED], np.uint8)


class LiftingNetwork:
    """The lifting network, compiled.

    Parameters
    ----------
    model
        Path of an OpenVINO IR (.xml) with the inputs and outputs of the bundled one.
    device
        Any OpenVINO device; the network is too small to gain from another than the CPU.
    assumed_person_height_m
        Height of adults, m, for `lift`. The default is the mean of the bodies that the network
        was trained on.

    Raises
    ------
    ModelError
        If the file or the device cannot be used.
    """

    DEFAULT_HEIGHT_M: ClassVar[float] = UNIT_HEIGHT_M

    def __init__(
        self,
        model: str | os.PathLike[str] = BUNDLED,
        device: str = 'CPU',
        assumed_person_height_m: float = DEFAULT_HEIGHT_M,
    ) -> None:
        self.network = VectorNetwork(model, device, FEATURES, OUTPUTS)
        self.assumed_person_height_m = assumed_person_height_m

    def lift(
        self, detections: Detections, intrinsics: Intrinsics, camera_pose: CameraPose | None = None
    ) -> People3D:
        """Estimate the 3D poses of the people of one image, see `lift_people`."""
        height_m = self.assumed_person_height_m
        return self.lift_people(detections.people, intrinsics, height_m, camera_pose)

    def lift_people(
        self,
        people: People2D,
        intrinsics: Intrinsics,
        assumed_person_height_m: float | Array,
        camera_pose: CameraPose | None = None,
    ) -> People3D:
        """Estimate 3D poses.

        Parameters
        ----------
        people
            2D poses of any network. The pelvis is not used.
        intrinsics
            Of the camera, for the source image.
        assumed_person_height_m
            Height of adults, m, or ``(N,)``, one for each person: the scale of everything, unless
            the height of the camera is known. The network recognises children by their
            proportions, relative to it.
        camera_pose
            Attitude and height of the camera with their uncertainty. None: unknown.

        Returns
        -------
        People3D
            Keypoints that are not detected are INFERRED and uncertain, see `sd_m`. A person with
            fewer than three keypoints, or who cannot be placed, has NaN positions.
        """
        if not len(people):
            shapes = (0, K, 3), (0, K), (0, 3, 3), (0, K)
            xyz_m, source, covariance, sd_m = (np.zeros(shape) for shape in shapes)
            return People3D(people, xyz_m, source.astype(np.uint8), covariance, sd_m)
        scale = np.full(len(people), np.asarray(assumed_person_height_m) / UNIT_HEIGHT_M)
        rays = intrinsics.unproject(people.xy_px)
        views = person_views(rays, people.scores, _camera_poses(camera_pose, scale))
        poses = self._infer(views, scale)
        positions_m, weights = _place(poses, views, scale)
        xyz_m = positions_m @ views.axes
        source = np.where(views.scores > 0, _OBSERVED, _INFERRED)
        source[np.isnan(xyz_m[..., 2])] = _NONE
        hips = (views.scores[:, _HIPS] > 0).sum(1)
        covariance = _root_covariance_m2(xyz_m[:, _PELVIS], poses, weights, hips)
        return People3D(people, xyz_m, source, covariance, poses.sd_m)

    def _infer(self, views: PersonViews, scale: Array) -> _Poses:
        """Run the network. People with fewer than ``MIN_KEYPOINTS`` keypoints get NaN."""
        out = self.network.infer(views.features)
        xyz = out['xyz'].reshape(-1, K, 3).astype(np.float64)
        relative_m = scale[:, np.newaxis, np.newaxis] * xyz
        # Per axis, of a Laplace distribution in three dimensions with that scale.
        sd_m = 2 * scale[:, np.newaxis] * np.exp(out['log_scale'].astype(np.float64))
        few = (views.scores > 0).sum(1) < MIN_KEYPOINTS
        relative_m[few], sd_m[few] = np.nan, np.nan
        size, log_scale = out['person'].astype(np.float64).T
        distance_m = scale * np.exp(size) / views.spread
        return _Poses(relative_m, sd_m, distance_m, DISTANCE_SD * np.exp(log_scale))


class _Poses(NamedTuple):
    """Output of the network for N people, in the frames of their virtual cameras.

    Parameters
    ----------
    relative_m, sd_m
        ``(N, K, 3)`` m relative to the root, and their standard deviation per axis ``(N, K)`` m.
    distance_m, distance_sd
        ``(N,)`` m, of the root along the view, and its standard deviation as a share of it.
    """

    relative_m: Array
    sd_m: Array
    distance_m: Array
    distance_sd: Array


def _camera_poses(camera_pose: CameraPose | None, scale: Array) -> CameraPoses:
    """Repeat the pose of one camera for each person, with the height in the network's unit."""
    n = len(scale)
    if camera_pose is None:
        nan = np.full(n, np.nan)
        return CameraPoses(np.full((n, 3), np.nan), nan, np.zeros(n), np.zeros(n))
    sds = np.full(n, camera_pose.up_sd_rad), np.full(n, camera_pose.height_sd)
    return CameraPoses(np.full((n, 3), camera_pose.up), camera_pose.height_m / scale, *sds)


def _place(poses: _Poses, views: PersonViews, scale: Array) -> tuple[Array, Array]:
    """Place poses at their distance, and move detected keypoints towards their rays.

    The distance is the network's: it shortens limbs that it is uncertain of, and least squares
    would put such people too near.

    Returns
    -------
    positions_m
        ``(N, K, 3)`` m in the frames of the virtual cameras. NaN: unknown.
    weights
        ``(N, K)``, weight of each keypoint in the position. 0: not detected.
    """
    variance_m2 = poses.sd_m**2
    noise_m = DETECTOR_SD_M * scale[:, np.newaxis] / np.maximum(views.scores, MIN_SCORE)
    weights = (views.scores > 0) / (noise_m**2 + variance_m2)
    tangents = np.asarray(views.tangents, np.float64)
    positions_m, agreement = place_at_depth(poses.relative_m, tangents, weights, poses.distance_m)
    weights = weights * agreement
    # 1 puts a keypoint on its ray.
    gain = (weights * variance_m2)[..., np.newaxis]
    on_ray_m = tangents * positions_m[..., 2:]
    positions_m[..., :2] += gain * (on_ray_m - positions_m[..., :2])
    positions_m[:, _PELVIS] = (positions_m[:, _LEFT_HIP] + positions_m[:, _RIGHT_HIP]) / 2
    return positions_m, weights


def _root_covariance_m2(
    root_m: Array, poses: _Poses, weights: Array, hips: NDArray[np.intp]
) -> Array:
    """Estimate the covariance of the roots, ``(N, 3, 3)`` m2.

    The sum of the variance of the distance and of the part of the keypoints' variance that all
    keypoints of a pose share, which is larger where fewer of the `hips` ``(N,)`` are detected.
    """
    with np.errstate(invalid='ignore'):
        mean_m2 = (weights * poses.sd_m**2).sum(1) / weights.sum(1)
    along = poses.distance_sd[:, np.newaxis] * root_m
    shared_m2 = MIN_ROOT_SD_M**2 + SHARED_VARIANCE[hips] * mean_m2
    covariance: Array = along[:, :, np.newaxis] * along[:, np.newaxis]
    covariance += shared_m2[:, np.newaxis, np.newaxis] * np.eye(3)
    return covariance
