"""MediaPipe Pose, the graph of its wheel, for `peer_worker`: one person in an image.

The option ``video`` follows the person from image to image instead of searching each image.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# Our names of those of its 33 landmarks that COCO has.
LANDMARKS = {
    'nose': 'NOSE', 'left_eye': 'LEFT_EYE', 'right_eye': 'RIGHT_EYE', 'left_ear': 'LEFT_EAR',
    'right_ear': 'RIGHT_EAR', 'left_shoulder': 'LEFT_SHOULDER',
    'right_shoulder': 'RIGHT_SHOULDER', 'left_elbow': 'LEFT_ELBOW', 'right_elbow': 'RIGHT_ELBOW',
    'left_wrist': 'LEFT_WRIST', 'right_wrist': 'RIGHT_WRIST', 'left_hip': 'LEFT_HIP',
    'right_hip': 'RIGHT_HIP', 'left_knee': 'LEFT_KNEE', 'right_knee': 'RIGHT_KNEE',
    'left_ankle': 'LEFT_ANKLE', 'right_ankle': 'RIGHT_ANKLE',
}  # fmt: skip
# It states a position for every landmark, also for those that it believes hidden: all of them
# count as detected.
MIN_SCORE = 1e-3


def open_peer(options: dict[str, Any]) -> Callable[..., list[dict[str, Any]]]:
    """Return a function that finds the people in an image."""
    import cv2
    from mediapipe.python.solutions.pose import Pose, PoseLandmark

    pose = Pose(static_image_mode=not options.get('video', False), model_complexity=1)
    indices = [PoseLandmark[name].value for name in LANDMARKS.values()]

    def find_people(bgr: Any, request: dict[str, Any]) -> list[dict[str, Any]]:
        result = pose.process(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))
        if not result.pose_landmarks:
            return []
        height, width = bgr.shape[:2]
        image = [result.pose_landmarks.landmark[i] for i in indices]
        world = [result.pose_world_landmarks.landmark[i] for i in indices]
        scores = [min(max(p.visibility, MIN_SCORE), 1.0) for p in image]
        return [
            {
                'keypoint_set': 'coco17',
                # Shares of the image, whose 0 is the edge of the first pixel.
                'xy': [[p.x * width - 0.5, p.y * height - 0.5] for p in image],
                'xyz': [[p.x, p.y, p.z] for p in world],
                'scores': scores,
                'score': sum(scores) / len(scores),
            }
        ]

    return find_people
