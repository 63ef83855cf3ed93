"""The files of the demo: a video and a picture of people on the image, beside a 3D view."""

from __future__ import annotations

import queue
import threading
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import CameraPose
from pose3d_ros.people import TrackedPeople, TrackState
from pose3d_ros.visualisation.perspective import Reach, draw_view
from pose3d_ros.visualisation.video_writer import VideoWriter

# Area of the image in the video, px, and bounds of its height: portrait images are made taller
# rather than narrow.
IMAGE_AREA_PX, MIN_HEIGHT_PX, MAX_HEIGHT_PX = 480 * 854, 480, 720
VIEW_WIDTH_PX = 640
# Images that may wait to be drawn.
QUEUED = 20


class Shown(NamedTuple):
    """An image to be recorded."""

    overlay: NDArray[np.uint8]  # (H, W, 3) BGR, with skeletons
    tracked: TrackedPeople  # in the camera optical frame
    stamp_s: float
    correct: int = 0  # people found, if the truth is known and none is false


class Recorder:
    """Writes DIR/demo.mp4 (or .webm) and DIR/demo.png, in a thread of its own.

    Parameters
    ----------
    folder
        An existing folder for the files. If it cannot be written, as on a full disk, the rest of
        the images is dropped, and `problem` tells why.
    camera_pose
        Attitude and height of the camera, for the floor. None: unknown.
    """

    def __init__(self, folder: Path, camera_pose: CameraPose | None = None) -> None:
        self.folder, self.camera_pose = folder, camera_pose
        self.reach = Reach()
        self.writer = VideoWriter(folder / 'demo')
        self.best: tuple[tuple[int, float], NDArray[np.uint8]] | None = None
        self.first_s: float | None = None
        self.skipped = 0
        self.problem = ''
        self.queue: queue.Queue[Shown | None] = queue.Queue(QUEUED)
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.thread.start()

    def add(self, shown: Shown, *, wait: bool = False) -> None:
        """Record an image.

        The picture is of the image with most correct people; of several, with the highest scores.

        Parameters
        ----------
        shown
            The image.
        wait
            Wait until there is room for it; otherwise it is skipped and counted if there is none.
        """
        try:
            self.queue.put(shown, block=wait)
        except queue.Full:
            self.skipped += 1

    def close(self) -> list[Path]:
        """Finish the files and return the paths of those that are whole."""
        self.queue.put(None)
        self.thread.join()
        files = []
        try:
            if video := self.writer.close():
                files.append(video)
        except OSError as error:
            self.problem = self.problem or str(error)
        if self.problem:
            files.clear()
        if self.best is not None:
            picture = self.folder / 'demo.png'
            if cv2.imwrite(str(picture), self.best[1]):
                files.append(picture)
            else:
                self.problem = self.problem or f'{picture} cannot be written'
        return files

    def _work(self) -> None:
        # Emptied to the end: whoever waits for room in the queue must get it.
        while (shown := self.queue.get()) is not None:
            if self.problem:
                continue
            try:
                self._draw(shown)
            except OSError as error:
                self.problem = str(error)

    def _draw(self, shown: Shown) -> None:
        both = side_by_side(
            shown.overlay,
            shown.tracked,
            self.reach.update(shown.tracked, shown.stamp_s),
            self.camera_pose,
        )
        scores = shown.tracked.people.people_2d.scores
        certain = shown.tracked.state == TrackState.CONFIRMED
        # Most of the people, and least of what may be none.
        clearness = shown.correct, float(scores[certain].sum() - scores[~certain].sum())
        if self.best is None or clearness > self.best[0]:
            self.best = clearness, both
        self.first_s = shown.stamp_s if self.first_s is None else self.first_s
        self.writer.write(both, shown.stamp_s - self.first_s)


def side_by_side(
    overlay: NDArray[np.uint8],
    tracked: TrackedPeople,
    reach_m: float,
    camera_pose: CameraPose | None = None,
) -> NDArray[np.uint8]:
    """Return an image with skeletons beside the 3D view of the same people."""
    height, width = overlay.shape[:2]
    tall = np.sqrt(IMAGE_AREA_PX * height / width)
    shown_height = 2 * round(float(np.clip(tall, MIN_HEIGHT_PX, MAX_HEIGHT_PX)) / 2)
    size = (2 * round(shown_height * width / height / 2), shown_height)
    interpolation = cv2.INTER_AREA if height > shown_height else cv2.INTER_CUBIC
    view = draw_view(tracked, (shown_height, VIEW_WIDTH_PX), reach_m, camera_pose)
    both = np.hstack([cv2.resize(overlay, size, interpolation=interpolation), view])
    return np.asarray(both, np.uint8)
