"""The people found so far in a recording, so that an interrupted run need not find them again."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import numpy as np

from pose3d_ros.people import K, People2D, People3D

# Columns of a person: xy, scores, score, xyz, source, covariance, standard deviations.
_SPLITS = np.cumsum([2 * K, K, 1, 3 * K, K, 9, K])[:-1]
_COLUMNS = int(_SPLITS[-1]) + K


class Journal:
    """Two arrays for each image in one file: the set of keypoints, and the people before tracking.

    They are float64, which holds every number exactly.

    Reads what is there, then writes behind it. A last array that was cut off is written over.

    Parameters
    ----------
    folder
        Of the recording.
    """

    NAME = 'found.npy'

    def __init__(self, folder: Path) -> None:
        path = folder / self.NAME
        path.touch()
        self.file = path.open('r+b')
        self.reading = True

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.file.close()

    def read(self) -> People3D | None:
        """Return the people of the next image, or None from the first on that is not there."""
        if not self.reading:
            return None
        start = self.file.tell()
        try:
            keypoint_set = str(np.load(self.file, allow_pickle=False))
            table = np.load(self.file, allow_pickle=False)
        except (EOFError, ValueError, OSError):
            self.reading = False
            self.file.seek(start)
            self.file.truncate()
            return None
        return _people(table, keypoint_set)

    def write(self, people: People3D) -> None:
        """Append the people of an image."""
        np.save(self.file, np.array(people.people_2d.keypoint_set))
        np.save(self.file, _table(people))
        self.file.flush()


def _table(people: People3D) -> np.ndarray:
    """Return people as an array ``(N, columns)``; one column less where deviations are unknown."""
    n, people_2d = len(people), people.people_2d
    parts: list[np.ndarray] = [
        people_2d.xy_px, people_2d.scores, people_2d.score, people.xyz_m, people.source,
        people.root_covariance_m2, *([] if people.sd_m is None else [people.sd_m]),
    ]  # fmt: skip
    widths = [int(np.prod(part.shape[1:])) for part in parts]  # -1 is undefined for no people
    shaped = [part.reshape(n, width) for part, width in zip(parts, widths, strict=True)]
    return np.concatenate([part.astype(np.float64) for part in shaped], axis=1)


def _people(table: np.ndarray, keypoint_set: str) -> People3D:
    n = len(table)
    known = table.shape[1] == _COLUMNS
    xy, scores, score, xyz, source, covariance, sd = np.split(table, _SPLITS, axis=1)
    return People3D(
        People2D(xy.reshape(n, K, 2), scores, score[:, 0], keypoint_set),
        xyz.reshape(n, K, 3),
        source.astype(np.uint8),
        covariance.reshape(n, 3, 3),
        sd if known else None,
    )
