"""What every family of networks offers: images in, 2D poses out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.detections import Detections
from pose3d_ros.images import CameraImage

# Least score of a person, unless a family has its own.
PERSON = 0.3
# A network detects so many of the 19 keypoints at most: the pelvis is between the hips.
MOST_KEYPOINTS = 18


@dataclass(frozen=True)
class Thresholds:
    """How much evidence is needed.

    Parameters
    ----------
    keypoint
        Least score of a keypoint, [0, 1].
    limb
        Least strength of a part affinity field along a limb, [0, 1]; other families ignore it.
    min_keypoints
        Least number of keypoints of a person. Three are mostly a leg of another person.
    person
        Least score of a person, [0, 1]. None: that of the family, ``PERSON`` or 0.25 for a pair of
        networks. On real images, 0.1 gives four times the false people and finds no more.

    Raises
    ------
    ValueError
        If one is out of its range.
    """

    keypoint: float = 0.1
    limb: float = 0.05
    min_keypoints: int = 4
    person: float | None = None

    def __post_init__(self) -> None:
        """Refuse what no keypoint, limb or person can reach, or every pixel does."""
        for name in ('keypoint', 'limb', 'person'):
            score = getattr(self, name)
            if score is not None and not 0 <= score <= 1:  # also NaN
                raise ValueError(f'the threshold of a {name} must be from 0 to 1, found {score}')
        if not 1 <= self.min_keypoints <= MOST_KEYPOINTS:
            raise ValueError(
                f'the least number of keypoints of a person must be from 1 to {MOST_KEYPOINTS}, '
                f'found {self.min_keypoints}'
            )

    def least_person(self, own: float = PERSON) -> float:
        """Return the least score of a person; `own`: that of the family."""
        return own if self.person is None else self.person


class Detector(Protocol):
    """A compiled network with the decoding of its family.

    Parameters
    ----------
    name
        Name or path of the network.
    device
        The OpenVINO devices that it runs on.
    input_hw
        Height and width of its input, px. Where the width follows from the images, of the latest
        one.
    stride
        Input pixels per cell of its output; 0: it has no grid.
    has_location_maps
        Whether its detections have location maps, from which people can be lifted to 3D.
    detector_interval
        `detect` should be called without boxes on every n-th image at least. 1: always, for
        families that do not use them.
    thresholds
        May be changed between calls.
    """

    name: str
    device: str
    stride: int
    has_location_maps: bool
    detector_interval: int
    thresholds: Thresholds

    @property
    def input_hw(self) -> tuple[int, int]: ...  # noqa: D102

    def detect(
        self,
        images: Sequence[CameraImage],
        boxes: Sequence[NDArray[np.float64] | None] | None = None,
    ) -> list[Detections]:
        """Find the people in each image.

        Parameters
        ----------
        images
            With their intrinsics.
        boxes
            For each image the boxes ``(B, 4)`` x0, y0, x1, y1, px, in which people are expected.
            Top-down networks look there instead of running their person detector; other families
            ignore them. None: nothing is expected.
        """
        ...
