"""Log of one camera: each problem once, or at most every few seconds."""

from __future__ import annotations

from typing import Any

from builtin_interfaces.msg import Time

from pose3d_ros.camera import Intrinsics, IntrinsicsSource
from pose3d_ros.ros.camera_topics import CameraTopics
from pose3d_ros.ros.depth_stream import DepthStream
from pose3d_ros.ros.image_statistics import ImageStatistics, Outcome
from pose3d_ros.ros.messages.images import seconds

# Least time between two warnings of the same kind, s.
WARN_EVERY_S = 5.0


class CameraLog:
    """Warns of the problems of one camera.

    Parameters
    ----------
    logger
        Logger of the camera; throttling is per logger.
    topics
        Topics of the camera.
    statistics
        Counts of its images, which the texts name.
    """

    def __init__(self, logger: Any, topics: CameraTopics, statistics: ImageStatistics) -> None:
        self._logger, self._topics, self._statistics = logger, topics, statistics
        self._last_remark = ''

    def dropped(self, outcome: Outcome, what: str, reason: str) -> None:
        """Count and report what is dropped of the last image."""
        self._statistics.record(outcome)
        number = self._statistics.outcomes[outcome]
        self._logger.warning(
            f'{what} dropped ({number} of {self._statistics.images}): {reason}',
            throttle_duration_sec=WARN_EVERY_S,
        )

    def late(self, stamp: Time) -> None:
        """Count and report an image that arrived after a newer one."""
        publishers = self._topics.publisher_names()
        by = f'; {publishers} publish {self._topics.image_topic}' if publishers else ''
        self.dropped(
            Outcome.LATE,
            'late image',
            f'its stamp {seconds(stamp):.3f} is before that of the newest one{by}',
        )

    def stamp_stands_still(self, stamp: Time) -> None:
        """Count an image whose stamp does not advance; report it once."""
        self._statistics.record_unstamped()
        self._logger.warning(
            f'the stamps of {self._topics.image_topic} do not advance (found '
            f'{seconds(stamp):.3f}): arrival times are used for tracking',
            once=True,
        )

    def silence(self, silence_s: float) -> None:
        """Report that no images arrive, and why."""
        self._logger.warning(
            f'no image for {silence_s:.0f} s: {self._topics.explain_silence()}',
            throttle_duration_sec=2 * WARN_EVERY_S,
        )

    def intrinsics(self, intrinsics: Intrinsics, remark: str) -> None:
        """Report guessed intrinsics, and a new remark about the CameraInfo."""
        if remark and remark != self._last_remark:
            self._logger.warning(remark, throttle_duration_sec=WARN_EVERY_S)
            self._last_remark = remark
        if intrinsics.source == IntrinsicsSource.GUESSED:
            self._logger.warning(
                f'focal length guessed as {intrinsics.fx:.0f} px: no calibrated camera_info was '
                f'received on {self._topics.info_topic} and focal_length is 0; distances are '
                'inaccurate',
                once=True,
            )

    def mounting(self, degrees: int | None) -> None:
        """Report once that people appear upright with another rotation; None: they are upright."""
        if degrees is not None:
            self._logger.warning(
                'people do not appear upright in the images. If the camera is mounted turned, set '
                f'the parameter image_rotation to {degrees}',
                once=True,
            )

    def camera_pose(self, error: str) -> None:
        """Report why the pose of the camera is unknown, unless `error` is empty."""
        if error:
            self._logger.warning(error, throttle_duration_sec=WARN_EVERY_S)

    def memory(self, error: str) -> None:
        """Report once why the pose of the camera is not kept, unless `error` is empty."""
        if error:
            self._logger.warning(error, once=True)

    def depth(self, depth: DepthStream) -> None:
        """Report why the last image has no depth, if it has none."""
        if depth.last_error:
            self._logger.warning(
                f'image without depth ({depth.missing} of {self._statistics.images}): '
                f'{depth.last_error}',
                throttle_duration_sec=WARN_EVERY_S,
            )
