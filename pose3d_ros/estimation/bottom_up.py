"""The straight line: image -> network -> people as pixels -> people in metres."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import CameraPose, Intrinsics, check_bgr
from pose3d_ros.estimation.grouping import Thresholds, group, only_people
from pose3d_ros.estimation.joining import join
from pose3d_ros.estimation.letterbox import Letterbox
from pose3d_ros.estimation.lifting import lift
from pose3d_ros.estimation.lifting_network import LiftingNetwork
from pose3d_ros.estimation.network import (
    LOCATION_MAPS,
    ModelSource,
    Network,
    NetworkError,
    Outputs,
)
from pose3d_ros.people import People3D

# How people become metres, and how tall each takes adults to be if not told, m: the mean of those
# that the lifting network was trained with, and the unit of the published location maps.
ADULT_HEIGHT_M = {'network': 1.7, 'location_maps': 1.8}


class PoseEstimator:
    """People in images, with one compiled network.

    Parameters
    ----------
    model, device, input_hw, precision, input_mean, input_scale, cache_dir
        See ``network.Network``.
    lifting
        How people become metres: by the lifting 'network', which takes keypoints alone, or by the
        'location_maps' that human-pose-estimation-3d-0001 has beside them.
    assumed_person_height_m
        Everybody's height, m; None: see ``ADULT_HEIGHT_M``.
    thresholds
        When evidence is enough.

    Raises
    ------
    NetworkError
        If model or device cannot be used, or if people are to be lifted by location maps that the
        model does not have.
    """

    def __init__(
        self,
        model: ModelSource,
        device: str = 'AUTO',
        *,
        input_hw: tuple[int, int] | None = None,
        precision: str = 'auto',
        input_mean: float = 0.0,
        input_scale: float = 1.0,
        cache_dir: str | os.PathLike[str] | None = None,
        lifting: str = 'network',
        assumed_person_height_m: float | None = None,
        thresholds: Thresholds | None = None,
    ) -> None:
        self.network = Network(
            model, device, input_hw, precision, input_mean, input_scale, cache_dir
        )
        if lifting == 'location_maps' and LOCATION_MAPS not in self.network.outputs:
            raise NetworkError(
                f'lifting location_maps needs a model with the output {LOCATION_MAPS!r}, but '
                f'{self.network.name} has {list(self.network.outputs)} alone; lifting network '
                'takes these'
            )
        self.lifter = LiftingNetwork() if lifting == 'network' else None
        self.assumed_person_height_m = assumed_person_height_m or ADULT_HEIGHT_M[lifting]
        self.thresholds = thresholds or Thresholds()

    def estimate(
        self, bgr: NDArray[np.uint8], intrinsics: Intrinsics, view: CameraPose | None = None
    ) -> People3D:
        """Find the people in an image.

        Parameters
        ----------
        bgr
            ``(H, W, 3)`` uint8.
        intrinsics
            Of the camera, for this size of image; ``Intrinsics.guess(W, H)`` where they are not
            known.
        view
            How the camera stands, where that is known; only the lifting network makes use of it.

        Returns
        -------
        People3D
            In metres in the camera optical frame.

        Raises
        ------
        ValueError
            If the image is not of that shape and type.
        """
        return self.parse(*self.infer(bgr), intrinsics, view)

    def infer(self, bgr: NDArray[np.uint8]) -> tuple[Outputs, Letterbox]:
        """Run the network; everything of `estimate` but `parse`. ValueError likewise."""
        check_bgr(bgr)
        network = self.network
        letterbox = Letterbox.fit((bgr.shape[0], bgr.shape[1]), network.input_hw, network.stride)
        return network.infer(letterbox.apply(bgr, network.input_hw)), letterbox

    def parse(
        self,
        outputs: Outputs,
        letterbox: Letterbox,
        intrinsics: Intrinsics,
        view: CameraPose | None = None,
    ) -> People3D:
        """Turn the network's outputs into people; everything of `estimate` but the network."""
        return parse(
            outputs,
            letterbox,
            intrinsics,
            self.thresholds,
            self.assumed_person_height_m,
            self.lifter,
            view,
        )


def parse(
    outputs: Outputs,
    letterbox: Letterbox,
    intrinsics: Intrinsics,
    thresholds: Thresholds,
    assumed_person_height_m: float,
    lifter: LiftingNetwork | None = None,
    view: CameraPose | None = None,
) -> People3D:
    """Turn a network's outputs into people; without a lifting network, by location maps.

    ValueError where there are none of either.
    """
    features = outputs.features
    camera = (letterbox, intrinsics, assumed_person_height_m)
    groups = group(outputs.heatmaps, outputs.pafs, features, letterbox, thresholds)
    if features is not None:
        groups = join(groups, features, *camera)
    people = only_people(groups, thresholds)
    if lifter:
        return lifter.lift(people, intrinsics, assumed_person_height_m, view)
    if features is None:
        raise ValueError('outputs without location maps need a lifting network')
    return lift(people, features, *camera)
