"""What a network takes and what it gives: its contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

PerChannel = tuple[float, float, float]


@dataclass(frozen=True)
class NetworkSpec:
    """The contract of a network that takes images.

    Parameters
    ----------
    family
        Which detector decodes the outputs: a key of ``detection.open_detector.FAMILIES``.
    keypoint_set
        Which keypoints the network has, in which order: a key of
        ``detection.keypoint_sets.KEYPOINT_SETS``. '': it has none (a person detector).
    outputs
        Name of the output tensor for each meaning that the family knows.
    decoder
        Which layout of outputs it has, where the family knows several.
    layout, colour
        Of the input: order of the axes and of the channels.
    mean, scale
        The network takes ``(x - mean) / scale`` of values 0 to 255, for each channel in the order
        of `colour`. 0 and 1: the values as they are, because the graph normalises its input itself
        or was trained without.
    input_hw
        Height and width of the input unless the user sets another, px. None: those of the file.
    resizable
        Whether the graph takes inputs of other sizes.
    size_multiple
        Height and width of the input must be multiples of this, px.
    fit
        How an image is fitted into the input: scaled and centred, scaled and put top left, or
        stretched to its size.
    padding
        Value of the pixels that the image does not cover, 0 to 255.
    coordinates
        Unit of the positions in the outputs: px of the input, or shares of its width and height.
    order
        Order of the coordinates of a position.
    nms_iou
        Two boxes with a larger overlap (intersection over union) are one person. None: the graph
        suppresses duplicates itself.
    crop_margin
        A network on crops sees each person's box enlarged by this factor.
    licence, source
        SPDX name of the licence, and where the network comes from. '': unknown.
    """

    family: str
    keypoint_set: str
    outputs: Mapping[str, str]
    decoder: str = ''
    layout: Literal['NCHW', 'NHWC'] = 'NCHW'
    colour: Literal['bgr', 'rgb'] = 'bgr'
    mean: PerChannel = (0.0, 0.0, 0.0)
    scale: PerChannel = (1.0, 1.0, 1.0)
    input_hw: tuple[int, int] | None = None
    resizable: bool = True
    size_multiple: int = 8
    fit: Literal['centred', 'top_left', 'stretched'] = 'centred'
    padding: int = 128
    coordinates: Literal['px', 'share'] = 'px'
    order: Literal['xy', 'yx'] = 'xy'
    nms_iou: float | None = None
    crop_margin: float = 1.25
    licence: str = ''
    source: str = ''
