"""Errors of fused people against the truth, for ``benchmark.fusion``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.evaluation.oks import greedy_pairs
from pose3d_ros.people import Source
from pose3d_ros.skeleton import PANOPTIC19

Array = NDArray[np.float64]
ROOT = PANOPTIC19.index(PANOPTIC19.root)

# A person is found within this distance, m: the mean of all keypoints.
FOUND_M = 1.0
HEAD = (
    '| people by | people | missed | keypoints, mm | triangulated, mm | share | root, cm |\n'
    '|---|---|---|---|---|---|---|'
)


class Errors:
    """Errors of people against the truth, added up over images."""

    def __init__(self) -> None:
        self.keypoints_m: list[Array] = []
        self.fused: list[NDArray[np.bool_]] = []
        # Error of the root by person and time: a vector.
        self.root_m: dict[tuple[int, float], Array] = {}
        self.missed = 0

    def add(
        self, xyz_m: Array, source: NDArray[np.uint8], truth_m: dict[int, Array], time_s: float
    ) -> None:
        """Compare people ``(N, K, 3)`` with the true ones, by id."""
        true = np.array(list(truth_m.values())).reshape(-1, 1, len(PANOPTIC19), 3)
        with np.errstate(invalid='ignore'):
            apart_m = np.nanmean(np.linalg.norm(true - xyz_m, axis=-1), axis=-1)
        pairs = greedy_pairs(FOUND_M - apart_m)
        self.missed += len(truth_m) - len(pairs)
        for i, j in pairs:
            wanted, found = true[i, 0], xyz_m[j]
            error_m = np.linalg.norm(found - found[ROOT] - (wanted - wanted[ROOT]), axis=-1)
            error_m[ROOT] = np.nan
            self.keypoints_m.append(error_m)
            self.fused.append(source[j] == Source.FUSED)
            self.root_m[list(truth_m)[i], time_s] = found[ROOT] - wanted[ROOT]

    def row(self, title: str) -> str:
        """Return a row of the table."""
        keypoints_mm, fused = 1e3 * np.array(self.keypoints_m), np.array(self.fused)
        known = np.isfinite(keypoints_mm)
        root_cm = 100 * np.linalg.norm(np.array(list(self.root_m.values())), axis=-1)
        triangulated = keypoints_mm[known & fused]
        share = f'{fused[known].mean():.2f}' if fused.any() else '-'
        cells = [
            title, str(len(keypoints_mm)), str(self.missed), _mean_median(keypoints_mm[known]),
            _mean_median(triangulated), share, _mean_median(root_cm[np.isfinite(root_cm)], 1),
        ]  # fmt: skip
        return f'| {" | ".join(cells)} |'

    def apart_m(self, other: Errors, time_s: float) -> list[float]:
        """Return how far the root of each person is from where another result has it."""
        return [
            float(np.linalg.norm(error_m - other.root_m[person, at_s]))
            for (person, at_s), error_m in self.root_m.items()
            if at_s == round(time_s, 4) and (person, at_s) in other.root_m
        ]


def _mean_median(values: Array, digits: int = 0) -> str:
    return f'{values.mean():.{digits}f} / {np.median(values):.{digits}f}' if len(values) else '-'
