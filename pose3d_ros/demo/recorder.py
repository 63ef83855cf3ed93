"""What the demo writes: a video and a picture of people in 2D beside a 3D view."""

from __future__ import annotations

import queue
import threading
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pose3d_ros.msg import Pose3D, PoseArray3D
from pose3d_ros.ros.messages.images import seconds
from pose3d_ros.skeleton import PANOPTIC19
from pose3d_ros.visualisation.perspective import draw_view

HEIGHT_PX, VIEW_WIDTH_PX = 480, 640
# The 3D view reaches as far as the people stood so far, within these bounds.
NEAREST_REACH_M, FARTHEST_REACH_M = 4.0, 15.0
# Images from which the video's rate is taken; they are written once it is known.
RATE_IMAGES = 10
# Images that may wait to be drawn.
QUEUED = 50


class Recorder:
    """Writes DIR/demo.mp4 and DIR/demo.png, in a thread of its own: who listens must not wait.

    Parameters
    ----------
    folder
        Where to; it exists.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.reach_m = NEAREST_REACH_M
        self.first: list[tuple[float, NDArray[np.uint8]]] = []
        self.writer: cv2.VideoWriter | None = None
        self.best: tuple[tuple[int, float], NDArray[np.uint8]] | None = None
        self.skipped = 0
        self.queue: queue.Queue[tuple[NDArray[np.uint8], PoseArray3D, int] | None]
        self.queue = queue.Queue(QUEUED)
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.thread.start()

    def add(self, overlay: NDArray[np.uint8], poses: PoseArray3D, clear: int = 0) -> None:
        """Have an image with skeletons, ``(H, W, 3)`` BGR, written beside its people.

        The picture is of the image that is most clear; of such, of that with the highest scores.
        """
        try:
            self.queue.put_nowait((overlay, poses, clear))
        except queue.Full:
            self.skipped += 1

    def _work(self) -> None:
        while (item := self.queue.get()) is not None:
            self._draw(*item)

    def _draw(self, overlay: NDArray[np.uint8], poses: PoseArray3D, clear: int) -> None:
        xyz_m = xyz_of(poses)
        sure = np.array([pose.state == Pose3D.CONFIRMED for pose in poses.poses], bool)
        depth_m = xyz_m[sure, :, 2][np.isfinite(xyz_m[sure, :, 2])]
        if depth_m.size:
            reach_m = 1.2 * float(np.percentile(depth_m, 90))
            self.reach_m = min(max(self.reach_m, reach_m), FARTHEST_REACH_M)
        ids = np.array([pose.track_id for pose in poses.poses], np.int64)
        width = 2 * round(HEIGHT_PX * overlay.shape[1] / overlay.shape[0] / 2)
        shrinks = overlay.shape[0] > HEIGHT_PX
        interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
        both = np.hstack(
            [
                cv2.resize(overlay, (width, HEIGHT_PX), interpolation=interpolation),
                draw_view(xyz_m, ids, (HEIGHT_PX, VIEW_WIDTH_PX), self.reach_m),
            ]
        ).astype(np.uint8)
        scores = np.array([[k.score for k in pose.keypoints] for pose in poses.poses])
        # Most of people, least of what is perhaps nobody.
        seen = float(scores[sure].sum() - scores[~sure].sum()) if len(scores) else 0.0
        if self.best is None or (clear, seen) > self.best[0]:
            self.best = (clear, seen), both
        self._write(seconds(poses.header.stamp), both)

    def close(self) -> list[Path]:
        """Finish the files, and name them."""
        self.queue.put(None)
        self.thread.join()
        if self.writer is None and self.first:
            self._open()
        files = []
        if self.writer is not None:
            self.writer.release()
            files.append(self.folder / 'demo.mp4')
        if self.best is not None:
            files.append(self.folder / 'demo.png')
            cv2.imwrite(str(files[-1]), self.best[1])
        return files

    def _write(self, stamp_s: float, both: NDArray[np.uint8]) -> None:
        if self.writer is None:
            self.first.append((stamp_s, both))
            if len(self.first) == RATE_IMAGES:
                self._open()
        elif both.shape == self.first[0][1].shape:  # a video has one size
            self.writer.write(both)

    def _open(self) -> None:
        steps_s = np.diff([stamp_s for stamp_s, _ in self.first])
        rate_hz = 1 / float(np.median(steps_s)) if len(steps_s) and np.median(steps_s) > 0 else 10
        size = self.first[0][1].shape[1::-1]
        code = cv2.VideoWriter.fourcc(*'mp4v')
        self.writer = cv2.VideoWriter(str(self.folder / 'demo.mp4'), code, rate_hz, size)
        first, self.first = self.first, self.first[:1]
        for stamp_s, both in first:
            self._write(stamp_s, both)


def xy_of(poses: PoseArray3D) -> NDArray[np.float64]:
    """Pixels ``(N, K, 2)`` of a message. NaN: not seen."""
    xy = [[(k.u, k.v) for k in pose.keypoints] for pose in poses.poses]
    return np.array(xy, np.float64).reshape(len(xy), len(PANOPTIC19), 2)


def xyz_of(poses: PoseArray3D) -> NDArray[np.float64]:
    """Positions ``(N, K, 3)``, m, of a message. NaN: unknown."""
    xyz = [
        [(k.position.x, k.position.y, k.position.z) for k in pose.keypoints]
        for pose in poses.poses
    ]
    return np.array(xyz, np.float64).reshape(len(xyz), len(PANOPTIC19), 3)
