"""Count people and keypoints found in images, with the 3D errors of the people found."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.evaluation.oks import COCO, Labels, count_correct_keypoints, match
from pose3d_ros.evaluation.pose_errors import PoseErrors, pose_errors
from pose3d_ros.people import People3D

HEADER = (
    '| images of | images | people found | false people | recall | precision '
    '| keypoint recall | keypoint precision | MPJPE mm | PA-MPJPE mm | distance |\n'
    '|---|---|---|---|---|---|---|---|---|---|---|'
)


@dataclass
class Counts:
    """Counts of people and keypoints, and 3D errors of the people found.

    Parameters
    ----------
    images, people
        Number of images and of labelled people in them.
    found, false
        Labelled people found, and detections that are no person.
    keypoints
        Labelled keypoints.
    detected
        Detected keypoints that the labels can judge.
    correct
        Those of them that are correct.
    errors
        3D errors of the people found.
    """

    images: int = 0
    people: int = 0
    found: int = 0
    false: int = 0
    keypoints: int = 0
    detected: int = 0
    correct: int = 0
    errors: list[PoseErrors] = field(default_factory=list)

    def __iadd__(self, other: Counts) -> Counts:
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))
        return self

    def row(self, title: str) -> str:
        """Return a line of the table."""
        recall, precision = (
            self.found / max(n, 1) for n in (self.people, self.found + self.false)
        )
        return (
            f'| {title} | {self.images} | {self.found}/{self.people} | {self.false} '
            f'| {recall:.3f} | {precision:.3f} '
            f'| {self.correct / max(self.keypoints, 1):.3f} '
            f'| {self.correct / max(self.detected, 1):.3f} | {self._cells_3d()} |'
        )

    def _cells_3d(self) -> str:
        if not self.errors:
            return '- | - | -'
        mpjpe, aligned, share = (
            np.array([getattr(e, name) for e in self.errors])
            for name in ('root_relative', 'procrustes', 'root_distance_share')
        )
        means = f'{1000 * np.nanmean(mpjpe):.0f} | {1000 * np.nanmean(aligned):.0f}'
        return f'{means} | {np.nanmedian(share):.3f}'


def count(labels: Labels, xyz_m: NDArray[np.floating], people: People3D) -> Counts:
    """Compare the people detected in an image with the labelled ones, ``(N, K, 3)`` m.

    People whose true positions are all NaN have no 3D errors.
    """
    detected_px = people.people_2d.xy_px
    pairs, found, false = match(labels, detected_px)
    # Detections of unlabelled keypoints are neither correct nor wrong.
    judged = people.people_2d.detected.copy()
    for i, j in pairs:
        judged[j] &= np.isfinite(labels.xy_px[i, :, 0])
    counted = [*(j for _, j in found), *false]
    with_truth = [(i, j) for i, j in found if np.isfinite(xyz_m[i]).any()]
    return Counts(
        images=1,
        people=len(labels.xy_px),
        found=len(found),
        false=len(false),
        keypoints=int(np.isfinite(labels.xy_px[:, COCO, 0]).sum()),
        detected=int(judged[np.ix_(counted, COCO)].sum()),
        correct=count_correct_keypoints(labels, pairs, detected_px),
        errors=[pose_errors(xyz_m[i], people.xyz_m[j]) for i, j in with_truth],
    )
