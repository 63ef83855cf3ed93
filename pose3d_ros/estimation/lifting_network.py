"""People as pixels -> people in metres by a network that was trained on sampled bodies.

It needs no images and no location maps: keypoints of any 2D network do (docs/models/lifting.md).
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import CameraPose, Intrinsics
from pose3d_ros.estimation.lifting import LEAST_SD_M, place
from pose3d_ros.estimation.network import VectorNetwork
from pose3d_ros.estimation.person_camera import FEATURES, UNIT_HEIGHT_M, look_at_people
from pose3d_ros.people import K, People2D, People3D, Source
from pose3d_ros.skeleton import PANOPTIC19

BUNDLED = Path(__file__).resolve().parents[1] / 'models' / 'weights' / 'lifting.xml'
# Width of each output.
OUTPUTS = {'xyz': 3 * K, 'log_scale': K, 'person': 2}
# Fewer keypoints than this say nothing of a pose.
MIN_KEYPOINTS = 3
# What a detector with a score of 1 is off by across the line of sight, m of somebody of 1.70 m; at
# lower scores it is off by more in proportion. Keypoints are drawn to their rays as far as the
# network is less sure than that.
DETECTOR_SD_M = 0.02

# Share of the variance of keypoints relative to the root that is the root's own, so that its
# ellipsoids hold what they should (`python -m training.lifting.evaluate`).
SHARED = 0.5

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
        Any OpenVINO device; the network is too small to be worth another than the CPU.

    Raises
    ------
    NetworkError
        If the file or the device cannot be used.
    """

    def __init__(self, model: str | os.PathLike[str] = BUNDLED, device: str = 'CPU') -> None:
        self.network = VectorNetwork(model, device, FEATURES, OUTPUTS)

    def lift(
        self,
        people: People2D,
        intrinsics: Intrinsics,
        assumed_person_height_m: float,
        view: CameraPose | None = None,
    ) -> People3D:
        """Give people their 3D positions.

        Parameters
        ----------
        people
            As pixels, of any 2D network. A pelvis is not used: no network sees it.
        intrinsics
            Of the camera, for the source image.
        assumed_person_height_m
            Of adults, m: the scale of everything, unless the view is known. What the network makes
            of children's proportions is relative to it.
        view
            What is up and how high the camera is, where that is known.

        Returns
        -------
        People3D
            Keypoints that are not seen are INFERRED, and uncertain: see `sd_m`. Somebody with
            fewer than three, or who cannot be placed, has NaN positions.
        """
        if not len(people):
            shapes = (0, K, 3), (0, K), (0, 3, 3), (0, K)
            xyz_m, source, covariance, sd_m = (np.zeros(shape) for shape in shapes)
            return People3D(people, xyz_m, source.astype(np.uint8), covariance, sd_m)
        scale = assumed_person_height_m / UNIT_HEIGHT_M
        rays = intrinsics.rays(people.xy_px)
        scores = np.where(np.isfinite(rays[..., 0]), people.scores, 0)
        relative_m, sd_m, along, along_sd = self._poses(rays, scores, scale, view)
        few = (scores > 0).sum(1) < MIN_KEYPOINTS
        relative_m[few], sd_m[few] = np.nan, np.nan
        with np.errstate(divide='ignore'):
            noise_m = DETECTOR_SD_M * scale / scores
        weights = np.where(scores > 0, 1 / (noise_m**2 + sd_m**2), 0) * DETECTOR_SD_M**2
        # How far somebody is the network knows best: least squares would bring near whose limbs it
        # is not sure of, which it then has shorter than they are.
        translation_m, agreement = place(relative_m, rays, weights, along)
        xyz_m = relative_m + translation_m[:, np.newaxis]
        gain = agreement * sd_m**2 / (sd_m**2 + noise_m**2)
        xyz_m = _drawn_to_rays(xyz_m, rays, gain)
        xyz_m[:, _PELVIS] = xyz_m[:, _HIPS].mean(1)
        source = np.where(scores > 0, Source.OBSERVED, Source.INFERRED)
        source[np.isnan(xyz_m[..., 2])] = Source.NONE
        counted = weights * agreement
        covariance = _root_covariance_m2(translation_m, along_sd, sd_m, counted)
        return People3D(people, xyz_m, source.astype(np.uint8), covariance, sd_m)

    def _poses(
        self, rays: Array, scores: Array, scale: float, view: CameraPose | None
    ) -> tuple[Array, Array, tuple[Array, Array], Array]:
        """Root-relative poses ``(N, K, 3)`` m and their sd ``(N, K)`` m.

        And along which directions ``(N, 3)`` roots are how far, ``(N,)`` m, and the sd of that as
        a share of it, ``(N,)``. In the camera optical frame.
        """
        n = len(rays)
        up = np.full((n, 3), np.nan if view is None else view.up)
        height = np.full(n, np.nan if view is None else view.height_m / scale)
        person_view = look_at_people(rays, scores, up, height)
        out = self.network.infer(person_view.features)
        relative_m = out['xyz'].reshape(n, K, 3).astype(np.float64) @ person_view.axes
        # Of a Laplace distribution in three dimensions with that scale, per axis.
        sd_m = 2 * np.exp(out['log_scale'].astype(np.float64))
        size, log_scale = out['person'].astype(np.float64).T
        distance_m: Array = scale * np.exp(size) / person_view.spread
        along = person_view.axes[:, 2].astype(np.float64), distance_m
        return scale * relative_m, scale * sd_m, along, np.sqrt(2) * np.exp(log_scale)


def _root_covariance_m2(
    translation_m: Array, along_sd: Array, sd_m: Array, weights: Array
) -> Array:
    """Tell how sure it is where people are: ``(N, 3, 3)`` m2.

    By the distance, and by what all keypoints of a pose err by together.
    """
    with np.errstate(invalid='ignore'):
        mean_m2 = np.nansum(weights * sd_m**2, axis=1) / weights.sum(1)
    along = along_sd[:, np.newaxis] * translation_m
    covariance: Array = along[:, :, np.newaxis] * along[:, np.newaxis]
    covariance += (LEAST_SD_M**2 + SHARED * mean_m2)[:, np.newaxis, np.newaxis] * np.eye(3)
    return covariance


def _drawn_to_rays(xyz_m: Array, rays: Array, gain: Array) -> Array:
    """Positions moved towards the points of their rays at the same depth, all the way for 1."""
    on_ray = np.where(np.isfinite(rays), rays, 0) * xyz_m[..., 2:]
    moved: Array = xyz_m.copy()
    moved[..., :2] += np.where(np.isfinite(gain), gain, 0)[..., np.newaxis] * (
        on_ray - xyz_m[..., :2]
    )
    return moved
