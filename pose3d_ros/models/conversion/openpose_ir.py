"""Name the outputs of Intel's human-pose-estimation-0001, which is published as IR.

Heatmaps and part affinity fields are in OpenPose's order of COCO, as in
`detection/openpose/channels.py`, and the input is BGR 0..255 (docs/decisions/0004-converter.md
names the sources).
"""

from __future__ import annotations

import openvino as ov

from pose3d_ros.detection.openpose.channels import HEATMAP_CHANNELS, PAF_CHANNELS
from pose3d_ros.models import ModelError

# Meaning of an output by its number of channels: names differ between versions of the converter.
NAMES = {len(HEATMAP_CHANNELS) + 1: 'heatmaps', 2 * len(PAF_CHANNELS): 'pafs'}


def convert(xml: bytes, weights: bytes) -> ov.Model:
    """Name the outputs of an IR.

    Parameters
    ----------
    xml, weights
        Bytes of its .xml and of its .bin.

    Returns
    -------
    The network with the outputs ``heatmaps`` (1, 19, h, w) and ``pafs`` (1, 38, h, w).

    Raises
    ------
    ModelError
        If it is not an IR, its input is not an image, or its outputs are not these two.
    """
    try:
        model = ov.Core().read_model(xml, weights)
        image, *more = ([int(n) for n in port.shape] for port in model.inputs)
        maps = [[int(n) for n in port.shape] for port in model.outputs]
    except RuntimeError as error:
        raise ModelError(
            'not an .xml of OpenVINO with its .bin, of one size: '
            + str(error).strip().splitlines()[-1].strip()
        ) from error
    if more or image[1:2] != [3] or sorted(m[1:2] for m in maps) != [[n] for n in sorted(NAMES)]:
        raise ModelError(
            'not human-pose-estimation-0001: expected one image of 3 channels and maps of '
            f'{sorted(NAMES)}, found {[image, *more]} and {maps}'
        )
    for port, (_, channels, *_) in zip(model.outputs, maps, strict=True):
        port.get_tensor().set_names({NAMES[channels]})
    return model
