"""Score what peers found in labelled images: people, and the 3D error of the same people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmark import accuracy_2d
from benchmark.accuracy import MIN_VISIBLE
from benchmark.lifting import MIN_KEYPOINTS, mean_mm
from pose3d_ros.evaluation.annotations import LabelledImage
from pose3d_ros.evaluation.oks import match
from pose3d_ros.evaluation.pose_errors import PoseErrors, pose_errors
from pose3d_ros.people import People3D

# A person by the number of the image and the row in its labels.
PersonKey = tuple[int, int]


@dataclass(frozen=True)
class Score:
    """What one peer found.

    Parameters
    ----------
    people, found, false
        People with 5 or more visible keypoints, those found, and detections that are no person.
    alone, found_alone
        Numbers of the images with one such person, and how many of these people were found.
    errors
        3D errors of the people found who have 12 visible keypoints and whose true pose is known.
    """

    people: int
    found: int
    false: int
    alone: Sequence[int]
    found_alone: int
    errors: Mapping[PersonKey, PoseErrors] = field(default_factory=dict)

    def mean_mm(self, name: str, people: Sequence[PersonKey] | None = None) -> float:
        """Return the mean of a field of `PoseErrors`, mm, of all or of some of the people."""
        keys = self.errors if people is None else people
        return mean_mm([getattr(self.errors[key], name) for key in keys])


def score(images: Sequence[LabelledImage], found: Sequence[People3D]) -> Score:
    """Compare the people that a peer found in each image with the labels."""
    visible = [image.visible_labels(MIN_VISIBLE) for image in images]
    people_2d = [people.people_2d for people in found]
    alone = [i for i, labels in enumerate(visible) if len(labels.xy_px) == 1]
    counts = accuracy_2d.count(visible, people_2d)
    single = accuracy_2d.count([visible[i] for i in alone], [people_2d[i] for i in alone])
    errors = {
        (number, row): error
        for number, (image, people) in enumerate(zip(images, found, strict=True))
        for row, error in errors_3d(image, people).items()
    }
    return Score(counts.people, counts.found, counts.false, alone, single.found, errors)


def errors_3d(image: LabelledImage, people: People3D) -> dict[int, PoseErrors]:
    """Compute the 3D errors of the people found in an image, by their rows in the labels.

    People count if 12 of their keypoints are visible by the labels and 12 were detected.
    """
    seen = (image.visible & np.isfinite(image.xy_px[..., 0])).sum(axis=1)
    detected = people.people_2d.detected.sum(axis=1)
    errors = {
        i: pose_errors(image.xyz_m[i], people.xyz_m[j])
        for i, j in match(image, people.people_2d.xy_px).found
        if seen[i] >= MIN_KEYPOINTS and detected[j] >= MIN_KEYPOINTS
    }
    return {i: error for i, error in errors.items() if np.isfinite(error.root_relative)}


def in_common(scores: Sequence[Score]) -> list[PersonKey]:
    """Return the people with 3D errors in all of the scores that have any."""
    people = [set(one.errors) for one in scores if one.errors]
    return sorted(set.intersection(*people)) if people else []
