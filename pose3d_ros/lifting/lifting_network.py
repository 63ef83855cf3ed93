"""3D poses from 2D poses, by a network that was trained on sampled bodies.

It takes the keypoints of any 2D network, and neither images nor location maps
(docs/models/lifting.md).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import CameraPose, Intrinsics
from pose3d_ros.detections import Detections
from pose3d_ros.geometry.placement import MIN_ROOT_SD_M, solve_translation
from pose3d_ros.inference import VectorNetwork
from pose3d_ros.lifting.person_view import FEATURES, UNIT_HEIGHT_M, person_views
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
# Share of the keypoints' variance, relative to the root, that is the root's own. Chosen so that
# its ellipsoids contain what they claim (`python -m training.lifting.evaluate`).
SHARED_VARIANCE = 0.5

Array = NDArray[np.float64]

_PELVIS = PANOPTIC19.index('pelvis')
_HIPS = PANOPTIC19.indices(('left_hip', 'right_hip'))


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
        assumed_person_height_m: float,
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
            Height of adults, m: the scale of everything, unless the height of the camera is
            known. The network recognises children by their proportions, relative to it.
        camera_pose
            Attitude and height of the camera. None: unknown.

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
        scale = assumed_person_height_m / UNIT_HEIGHT_M
        rays = intrinsics.unproject(people.xy_px)
        scores = np.where(np.isfinite(rays[..., 0]), people.scores, 0)
        relative_m, sd_m, along, along_sd = self._poses(rays, scores, scale, camera_pose)
        few = (scores > 0).sum(1) < MIN_KEYPOINTS
        relative_m[few], sd_m[few] = np.nan, np.nan
        with np.errstate(divide='ignore'):
            noise_m = DETECTOR_SD_M * scale / scores
        weights = np.where(scores > 0, 1 / (noise_m**2 + sd_m**2), 0) * DETECTOR_SD_M**2
        # The distance is the network's: it shortens limbs that it is uncertain of, and least
        # squares would put such people too near.
        translation_m, agreement = solve_translation(relative_m, rays, weights, along)
        xyz_m = relative_m + translation_m[:, np.newaxis]
        gain = agreement * sd_m**2 / (sd_m**2 + noise_m**2)
        xyz_m = _move_towards_rays(xyz_m, rays, gain)
        xyz_m[:, _PELVIS] = xyz_m[:, _HIPS].mean(1)
        source = np.where(scores > 0, Source.OBSERVED, Source.INFERRED)
        source[np.isnan(xyz_m[..., 2])] = Source.NONE
        counted = weights * agreement
        covariance = _root_covariance_m2(translation_m, along_sd, sd_m, counted)
        return People3D(people, xyz_m, source.astype(np.uint8), covariance, sd_m)

    def _poses(
        self, rays: Array, scores: Array, scale: float, camera_pose: CameraPose | None
    ) -> tuple[Array, Array, tuple[Array, Array], Array]:
        """Return root-relative poses ``(N, K, 3)`` m and their standard deviation ``(N, K)`` m.

        Then the distance of each root: unit vectors ``(N, 3)`` and ``(N,)`` m along them, and its
        standard deviation as a share of it, ``(N,)``. In the camera optical frame.
        """
        n = len(rays)
        up = np.full((n, 3), np.nan if camera_pose is None else camera_pose.up)
        height = np.full(n, np.nan if camera_pose is None else camera_pose.height_m / scale)
        views = person_views(rays, scores, up, height)
        out = self.network.infer(views.features)
        relative_m = out['xyz'].reshape(n, K, 3).astype(np.float64) @ views.axes
        # Per axis, of a Laplace distribution in three dimensions with that scale.
        sd_m = 2 * np.exp(out['log_scale'].astype(np.float64))
        size, log_scale = out['person'].astype(np.float64).T
        distance_m: Array = scale * np.exp(size) / views.spread
        along = views.axes[:, 2].astype(np.float64), distance_m
        return scale * relative_m, scale * sd_m, along, np.sqrt(2) * np.exp(log_scale)


def _root_covariance_m2(
    translation_m: Array, along_sd: Array, sd_m: Array, weights: Array
) -> Array:
    """Estimate the covariance of the roots, ``(N, 3, 3)`` m2.

    The sum of the variance of the distance and of the part of the keypoints' variance that all
    keypoints of a pose share.
    """
    with np.errstate(invalid='ignore'):
        mean_m2 = np.nansum(weights * sd_m**2, axis=1) / weights.sum(1)
    along = along_sd[:, np.newaxis] * translation_m
    covariance: Array = along[:, :, np.newaxis] * along[:, np.newaxis]
    covariance += (MIN_ROOT_SD_M**2 + SHARED_VARIANCE * mean_m2)[
        :, np.newaxis, np.newaxis
    ] * np.eye(3)
    return covariance


def _move_towards_rays(xyz_m: Array, rays: Array, gain: Array) -> Array:
    """Move positions towards the points of their rays at the same depth; all the way for 1."""
    on_ray = np.where(np.isfinite(rays), rays, 0) * xyz_m[..., 2:]
    moved: Array = xyz_m.copy()
    moved[..., :2] += np.where(np.isfinite(gain), gain, 0)[..., np.newaxis] * (
        on_ray - xyz_m[..., :2]
    )
    return moved
