"""rtmlib with a person detector and a pose network on crops, for `peer_worker`.

Options: ``detector``, ``pose``: ONNX files, as `peer_export` writes them; ``input``: side of each
of their inputs, px.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def open_peer(options: dict[str, Any]) -> Callable[..., list[dict[str, Any]]]:
    """Return a function that finds the people in an image."""
    from rtmlib import RTMDet, RTMPose

    # All other options as rtmlib has them. The exported pose network takes pixels as they are.
    detector_side, pose_side = options['input']
    detect = RTMDet(options['detector'], (detector_side, detector_side))
    estimate = RTMPose(options['pose'], (pose_side, pose_side), mean=None)

    def find_people(bgr: Any, request: dict[str, Any]) -> list[dict[str, Any]]:
        boxes = detect(bgr)
        if not len(boxes):
            return []  # given no boxes, rtmlib takes the whole image for a person
        keypoints, scores = estimate(bgr, boxes)
        return [
            {
                'keypoint_set': 'coco17',
                'xy': xy.tolist(),
                'xyz': None,
                'scores': score.tolist(),
                'score': float(score.mean()),
            }
            for xy, score in zip(keypoints, scores, strict=True)
        ]

    return find_people
