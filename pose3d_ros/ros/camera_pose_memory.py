"""Keep the estimated pose of a camera over restarts of the node."""

from __future__ import annotations

import math
import time

from pose3d_ros.camera import Intrinsics, IntrinsicsSource
from pose3d_ros.camera_pose.estimate import CameraPoseEstimate
from pose3d_ros.camera_pose.estimator import CameraPoseEstimator
from pose3d_ros.camera_pose.store import CameraPoseStore
from pose3d_ros.models.folders import cache_folder
from pose3d_ros.pipeline import Pipeline

# Period of saving, s.
SAVE_EVERY_S = 60.0
# An estimate is saved if up is more certain than this, rad, and it is of a longer time, s.
MAX_UP_SD_RAD = math.radians(4)
MIN_SECONDS = 10.0


class CameraPoseMemory:
    """Restore the estimated pose of one camera at its first image, and save it.

    Parameters
    ----------
    pipeline
        The pipeline of the camera, whose estimator is replaced by one that starts with what was
        saved.
    enabled
        False: nothing is read or written.

    Attributes
    ----------
    last_error
        Why the pose was not read or written the last time, or ''.
    """

    def __init__(self, pipeline: Pipeline, enabled: bool) -> None:
        folder = cache_folder() if enabled else None
        self._store = None if folder is None else CameraPoseStore(folder / 'camera_poses')
        self._pipeline = pipeline
        self._camera: tuple[str, Intrinsics] | None = None
        self._restored: CameraPoseEstimate | None = None
        self._saved_s = time.monotonic()
        self.last_error = ''

    def on_image(self, frame_id: str, intrinsics: Intrinsics, given: bool) -> None:
        """Restore the pose of a new camera before its image is processed; save it now and then.

        Parameters
        ----------
        frame_id, intrinsics
            Of the image. With guessed intrinsics no pose is estimated.
        given
            The pose of the camera is known otherwise.
        """
        if self._store is None or given or intrinsics.source == IntrinsicsSource.GUESSED:
            self._camera = None
            return
        if self._camera != (frame_id, intrinsics):
            self._camera = frame_id, intrinsics
            self._restored = self._store.load(frame_id, intrinsics)
            self.last_error = self._store.last_error
            if self._pipeline.pose_from_people is not None:
                self._pipeline.pose_from_people = CameraPoseEstimator(restored=self._restored)
        elif time.monotonic() - self._saved_s >= SAVE_EVERY_S:
            self.save()

    def save(self) -> None:
        """Save the estimate if it is certain enough, and not just the one that was restored."""
        self._saved_s = time.monotonic()
        estimator = self._pipeline.pose_from_people
        if self._store is None or self._camera is None or estimator is None:
            return
        estimate = estimator.estimate()
        if estimate is None or estimate is self._restored:
            return
        if estimate.up_sd_rad < MAX_UP_SD_RAD and estimate.seconds > MIN_SECONDS:
            self._store.save(*self._camera, estimate)
            self.last_error = self._store.last_error
