"""What a network takes and what it gives: its contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class NetworkSpec:
    """The contract of a network that takes images.

    Parameters
    ----------
    family
        Which detector decodes the outputs: a key of ``detection.open_detector.FAMILIES``.
    keypoint_set
        Which keypoints the network has, in which order: a key of
        ``detection.keypoint_sets.KEYPOINT_SETS``.
    outputs
        Name of the output tensor for each meaning that the family knows.
    mean, scale
        The network takes ``(x - mean) / scale`` of BGR values 0 to 255. 0 and 1: the values as
        they are, because the graph normalises its input itself or was trained without.
    size_multiple
        Height and width of the input must be multiples of this, px.
    """

    family: str
    keypoint_set: str
    outputs: Mapping[str, str]
    mean: float = 0.0
    scale: float = 1.0
    size_multiple: int = 8
