"""Run pose3d_ros for `peer_worker`, so that it is measured in the same way as its peers.

Options: ``model``, a path or a pair of paths; ``cache``, the folder of compiled networks;
``video``: people are tracked and smoothed from image to image, and a person detector runs on every
fifth image.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

# As docs/which_network.md recommends for pairs.
DETECTOR_INTERVAL = 5


def open_peer(options: dict[str, Any]) -> Callable[..., list[dict[str, Any]]]:
    """Return a function that finds the people in an image."""
    from pose3d_ros.camera import Intrinsics
    from pose3d_ros.detection.top_down import TopDownOptions
    from pose3d_ros.estimator import PoseEstimator
    from pose3d_ros.images import CameraImage, Observation
    from pose3d_ros.pipeline import Pipeline

    video = options.get('video', False)
    files = [Path(name) for name in options['model']]
    estimator = PoseEstimator(
        (files[0], files[1]) if len(files) == 2 else files[0],
        'CPU',
        cache_dir=options['cache'],
        top_down=TopDownOptions(detector_interval=DETECTOR_INTERVAL if video else 1),
    )
    pipeline = Pipeline(estimator) if video else None

    def find_people(bgr: Any, request: dict[str, Any]) -> list[dict[str, Any]]:
        known = request.get('intrinsics')
        intrinsics = Intrinsics(*known) if known else Intrinsics.guess(bgr.shape[1], bgr.shape[0])
        if pipeline is None:
            people = estimator.estimate(bgr, intrinsics)
        else:
            observation = Observation(CameraImage(bgr, intrinsics), request['time_s'])
            people = pipeline.process(observation).people
        people_2d = people.people_2d
        return [
            {
                'keypoint_set': 'panoptic19',
                'xy': people_2d.xy_px[i].tolist(),
                'xyz': people.xyz_m[i].tolist(),
                'scores': people_2d.scores[i].tolist(),
                'score': float(people_2d.score[i]),
            }
            for i in range(len(people))
        ]

    return find_people
