"""Marker trajectories (TRC) as OpenSim reads them: metres, y up, a file for each person.

Source of the format: OpenSim documentation, "Marker (.trc) Files".
"""

from __future__ import annotations

from array import array
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import CameraPose
from pose3d_ros.offline.recording import Processed
from pose3d_ros.people import TrackState
from pose3d_ros.skeleton import PANOPTIC19
from pose3d_ros.visualisation.perspective import level_axes

# Characters of the number of frames in the header, which is known at the end only.
COUNT_WIDTH = 9


class _Span(NamedTuple):
    """First and last image in which a person was seen."""

    first: int
    last: int


class TrcWriter:
    """Writes person_ID.trc for every confirmed person, from the first image to the last.

    Axes: x to the right of the camera, y up, z towards the camera; origin at the camera, or, where
    its height is known, on the floor below it. Unknown is NaN, also in images without the
    person: OpenSim refuses rows that end with empty cells, and readers that split at white space
    would take the next cell for an empty one.

    Parameters
    ----------
    folder
        An existing folder.
    rate_hz
        Declared in the header; rows have times of their own.
    """

    def __init__(self, folder: Path, rate_hz: float = 30.0) -> None:
        self.folder, self.rate_hz = folder, rate_hz
        self.times_s = array('d')
        self.spans: dict[int, _Span] = {}

    def write(self, processed: Processed) -> None:
        """Append a row to the file of each person."""
        observation, tracked = processed.taken.observation, processed.tracked
        self.times_s.append(observation.stamp_s)
        now = len(self.times_s) - 1
        for i in np.flatnonzero(tracked.state == TrackState.CONFIRMED).tolist():
            track_id = int(tracked.track_id[i])
            span = self.spans.get(track_id, _Span(now, now - 1))
            self.spans[track_id] = _Span(span.first, now)
            xyz_m = y_up(tracked.people.xyz_m[i], observation.camera_pose)
            unseen = np.full_like(xyz_m, np.nan)
            lines = [self._row(span.first, gap, unseen) for gap in range(span.last + 1, now)]
            lines.append(self._row(span.first, now, xyz_m))
            path = self.path(track_id)
            if span.last < span.first:
                path.write_text(self._header(path.name, 0))
            # Opened for each row: there may be more people than a process may open files.
            with path.open('a') as file:
                file.writelines(lines)

    def close(self) -> None:
        """Write the numbers of rows into the headers."""
        for track_id, span in self.spans.items():
            path = self.path(track_id)
            with path.open('r+') as file:
                file.write(self._header(path.name, span.last - span.first + 1))

    def path(self, track_id: int) -> Path:
        """Return the file of a person."""
        return self.folder / f'person_{track_id}.trc'

    def _header(self, name: str, count: int) -> str:
        names, rate = PANOPTIC19.keypoints, f'{self.rate_hz:.2f}'
        number = f'{count:<{COUNT_WIDTH}}'
        columns = '\t'.join(f'X{i}\tY{i}\tZ{i}' for i in range(1, len(names) + 1))
        return (
            f'PathFileType\t4\t(X/Y/Z)\t{name}\n'
            'DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame'
            '\tOrigNumFrames\n'
            f'{rate}\t{rate}\t{number}\t{len(names)}\tm\t{rate}\t1\t{number}\n'
            'Frame#\tTime\t' + '\t\t\t'.join(names) + '\t\t\n'
            f'\t\t{columns}\n\n'
        )

    def _row(self, first: int, image: int, xyz_m: NDArray[np.float64]) -> str:
        cells = '\t'.join(
            'NaN' if value != value else f'{value:.6f}' for value in xyz_m.ravel().tolist()
        )
        return f'{image - first + 1}\t{self.times_s[image]:.6f}\t{cells}\n'


def y_up(xyz_m: NDArray[np.float64], pose: CameraPose | None) -> NDArray[np.float64]:
    """Return points ``(K, 3)`` of the camera optical frame in axes x right, y up, z backward."""
    level_m = xyz_m @ level_axes(pose.up).T if pose is not None else xyz_m
    height_m = pose.height_m if pose is not None and np.isfinite(pose.height_m) else 0.0
    return level_m * (1, -1, -1) + (0, height_m, 0)
