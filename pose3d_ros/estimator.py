"""From an image to 3D poses: a detector and a lifter. Stateless; cameras share it."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import CameraPose, Intrinsics
from pose3d_ros.detection.detector import Detector, Thresholds
from pose3d_ros.detection.open_detector import SpecSource, open_detector
from pose3d_ros.detection.openpose.location_map_lifter import LocationMapLifter
from pose3d_ros.detection.top_down import TopDownOptions
from pose3d_ros.detections import Detections
from pose3d_ros.images import CameraImage, check_bgr
from pose3d_ros.inference import InferenceOptions
from pose3d_ros.lifting.lifter import Lifter
from pose3d_ros.lifting.lifting_network import LiftingNetwork
from pose3d_ros.models import ModelError
from pose3d_ros.models.store import resolve
from pose3d_ros.network_graph import ModelSource
from pose3d_ros.network_spec import InputSize
from pose3d_ros.people import People3D
from pose3d_ros.rotation import Rotation

# Ways of lifting by the name that users give.
LIFTERS: dict[str, type[LiftingNetwork] | type[LocationMapLifter]] = {
    'network': LiftingNetwork,
    'location_maps': LocationMapLifter,
}


class PoseEstimator:
    """3D poses of the people in images.

    Parameters
    ----------
    model
        Path of an OpenVINO IR (.xml), ONNX or TensorFlow Lite file or of a SavedModel, or a model
        in memory.
    device
        Any OpenVINO device: CPU, GPU, NPU, AUTO, AUTO:GPU,CPU, ...
    input_hw
        Height and width of the network's input, px. A width of None follows from the aspect of
        the images. None: what the network's contract states, or the size of the file where it
        takes no other, or 320 lines, and at least 256 columns, in the aspect of the images.
    precision
        What the device computes in: a key of ``inference.PRECISIONS``.
    input_mean, input_scale
        The network is given ``(x - input_mean) / input_scale``. 0 and 1: what its contract and
        its graph tell.
    cache_dir
        Folder for compiled networks, which makes later starts faster. None: no cache.
    lifting
        'network': by the lifting network, which takes the keypoints alone; 'location_maps': by the
        maps that human-pose-estimation-3d-0001 has beside them.
    assumed_person_height_m
        Height of adults, m. None: 1.7 for the lifting network, 1.8 for location maps.
    thresholds
        How much evidence is needed. None: the defaults.
    spec
        The contract of the network, or the path of its JSON file. None: that of NAME.spec.json
        beside the model, or that in the graph, or else inferred from its inputs and outputs.
    top_down
        How much a person detector and a pose network on crops do for an image. None: the defaults.
    throughput
        Whether `detect` may be called from several threads at a time: more images per second, each
        of which takes longer.

    Raises
    ------
    ModelError
        If model or device cannot be used, or if people are to be lifted by location maps that the
        model does not have.
    """

    def __init__(
        self,
        model: ModelSource | tuple[ModelSource, ModelSource],
        device: str = 'AUTO',
        *,
        input_hw: InputSize = None,
        precision: str = 'auto',
        input_mean: float = 0.0,
        input_scale: float = 1.0,
        cache_dir: str | os.PathLike[str] | None = None,
        lifting: str = 'network',
        assumed_person_height_m: float | None = None,
        thresholds: Thresholds | None = None,
        spec: SpecSource | None = None,
        top_down: TopDownOptions | None = None,
        throughput: bool = False,
    ) -> None:
        self.throughput = throughput
        if lifting not in LIFTERS:
            raise ModelError(f'lifting must be one of {list(LIFTERS)}, found {lifting!r}')
        self.detector: Detector = open_detector(
            resolve(model) if isinstance(model, str) else model,
            InferenceOptions(device, precision, cache_dir, throughput),
            input_hw=input_hw,
            normalisation=(input_mean, input_scale),
            thresholds=thresholds,
            spec=spec,
            top_down=top_down,
        )
        if lifting == 'location_maps' and not self.detector.has_location_maps:
            raise ModelError(
                'lifting by location_maps needs a network that has location maps, the output '
                f'features, but {self.detector.name} has none; set lifting to network'
            )
        self.lifter: Lifter = LIFTERS[lifting]()
        if assumed_person_height_m:
            self.lifter.assumed_person_height_m = assumed_person_height_m

    def estimate(
        self,
        bgr: NDArray[np.uint8],
        intrinsics: Intrinsics | None = None,
        camera_pose: CameraPose | None = None,
    ) -> People3D:
        """Estimate the 3D poses of the people in an image.

        Parameters
        ----------
        bgr
            ``(H, W, 3)`` uint8.
        intrinsics
            Of the camera, for this size of image. None: ``Intrinsics.guess(W, H)``, with which
            distances may be wrong by tens of per cent.
        camera_pose
            Attitude and height of the camera. None: unknown. The image of a camera on its side or
            upside down is turned for the networks; the lifting network uses the rest.

        Returns
        -------
        People3D
            In metres in the camera optical frame.

        Raises
        ------
        ValueError
            If the image is not of that shape and type.
        """
        check_bgr(bgr)
        height, width = bgr.shape[:2]
        image = CameraImage(bgr, intrinsics or Intrinsics.guess(width, height))
        rotation = Rotation.of(image, camera_pose)
        upright, pose = rotation.turn(image, camera_pose)
        (detections,) = self.detect([upright])
        return rotation.turn_back(self.lift(detections, upright.intrinsics, pose))

    def detect(
        self,
        images: Sequence[CameraImage],
        boxes: Sequence[NDArray[np.float64] | None] | None = None,
    ) -> list[Detections]:
        """Find the people in each image, in 2D; see `Detector.detect` for the boxes.

        Raises
        ------
        InferenceError
            If the device fails.
        """
        return self.detector.detect(images, boxes)

    def lift(
        self, detections: Detections, intrinsics: Intrinsics, camera_pose: CameraPose | None = None
    ) -> People3D:
        """Estimate the 3D poses of the people found in one image.

        Raises
        ------
        InferenceError
            If the device fails.
        """
        return self.lifter.lift(detections, intrinsics, camera_pose)
