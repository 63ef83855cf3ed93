"""The people that a network detects in one image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pose3d_ros.people import People2D

if TYPE_CHECKING:
    from pose3d_ros.detection.openpose.location_maps import LocationMaps


@dataclass(frozen=True)
class Detections:
    """What a detector returns for one image.

    Parameters
    ----------
    people
        2D poses, px of the source image, highest score first.
    inference_s
        Wall time of the network, with fitting the image into its input, s.
    location_maps
        Readings of 3D by the network itself. None: it has none.
    people_cut
        Number of people who were found and left out, because there were more than `max_people`.
    """

    people: People2D
    inference_s: float = 0.0
    location_maps: LocationMaps | None = None
    people_cut: int = 0
