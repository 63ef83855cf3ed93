"""Files of results: each writer gets every image, in order."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from pose3d_ros.offline.recording import Processed
from pose3d_ros.offline.trc import TrcWriter
from pose3d_ros.visualisation.overlay import draw_people
from pose3d_ros.visualisation.video_writer import VideoWriter

# Columns of poses.csv: one row for each keypoint of each person of each image, in the camera
# optical frame (x right, y down, z forward). Empty: unknown.
CSV_COLUMNS = (
    'image', 'stamp_s', 'track_id', 'track_state', 'person_score', 'keypoint',
    'x_m', 'y_m', 'z_m', 'position_stddev_m', 'u_px', 'v_px', 'keypoint_score', 'source',
)  # fmt: skip


class Writer(Protocol):
    """Writes what becomes of a recording."""

    def write(self, processed: Processed) -> None:
        """Write an image without or with people."""

    def close(self) -> None:
        """Finish the files."""


class JsonlWriter:
    """Writes poses.jsonl: one object for each image, also for those without people."""

    def __init__(self, folder: Path) -> None:
        self.file = (folder / 'poses.jsonl').open('w', encoding='utf-8')

    def write(self, processed: Processed) -> None:
        """Write a line."""
        self.file.write(json.dumps(record(processed), allow_nan=False) + '\n')

    def close(self) -> None:
        """Close the file."""
        self.file.close()


class CsvWriter:
    """Writes poses.csv; see ``CSV_COLUMNS``."""

    def __init__(self, folder: Path) -> None:
        self.file = (folder / 'poses.csv').open('w', encoding='utf-8', newline='')
        self.rows = csv.writer(self.file, lineterminator='\n')
        self.rows.writerow(CSV_COLUMNS)

    def write(self, processed: Processed) -> None:
        """Write a row for each keypoint of each person."""
        self.rows.writerows(rows(processed))

    def close(self) -> None:
        """Close the file."""
        self.file.close()


class OverlayWriter:
    """Writes overlay.mp4 or overlay.webm: the images with skeletons, ids and distances."""

    def __init__(self, folder: Path) -> None:
        self.video = VideoWriter(folder / 'overlay')
        self.first_s: float | None = None

    def write(self, processed: Processed) -> None:
        """Write an image at its time."""
        observation = processed.taken.observation
        bgr = observation.image.bgr.copy()
        draw_people(bgr, processed.tracked, observation.image.intrinsics)
        self.first_s = observation.stamp_s if self.first_s is None else self.first_s
        self.video.write(bgr, observation.stamp_s - self.first_s)

    def close(self) -> None:
        """Finish the file."""
        self.video.close()


WRITERS: dict[str, Callable[[Path], Writer]] = {
    'jsonl': JsonlWriter,
    'csv': CsvWriter,
    'trc': TrcWriter,
    'video': OverlayWriter,
}


def record(processed: Processed) -> dict[str, Any]:
    """Return an image and its people as JSON has them: SI units and px, null where unknown.

    The keypoints of every array are those of ``skeleton``, in its order.
    """
    observation, tracked = processed.taken.observation, processed.tracked
    intrinsics = observation.image.intrinsics
    height, width = observation.image.bgr.shape[:2]
    return {
        'image': processed.number,
        'stamp_s': observation.stamp_s,
        'width_px': width,
        'height_px': height,
        'intrinsics': {
            'fx_px': intrinsics.fx,
            'fy_px': intrinsics.fy,
            'cx_px': intrinsics.cx,
            'cy_px': intrinsics.cy,
            'source': intrinsics.source.name,
        },
        'camera_pose': _camera_pose(processed),
        **tracked.to_dict(),
    }


def _camera_pose(processed: Processed) -> dict[str, Any] | None:
    pose = processed.camera_pose
    if pose is None:
        return None
    return {
        'up': pose.up.tolist(),
        'height_m': None if math.isnan(pose.height_m) else pose.height_m,
        'source': processed.camera_pose_source.name,
    }


def rows(processed: Processed) -> Iterator[tuple[object, ...]]:
    """Return the rows of poses.csv for an image."""
    for record in processed.tracked.to_records():
        of_image = {'image': processed.number, 'stamp_s': processed.taken.observation.stamp_s}
        row = {**of_image, **record}
        yield tuple('' if row[column] is None else row[column] for column in CSV_COLUMNS)
