"""Publish people as REP 155 (ROS4HRI) defines: frames body_<id> and topics in /humans/bodies."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
from geometry_msgs.msg import Transform, TransformStamped, Vector3
from numpy.typing import NDArray
from rclpy.node import Node
from std_msgs.msg import Header

from pose3d_ros.people import People2D, TrackedPeople, TrackState
from pose3d_ros.ros.messages.transforms import PeopleInFrame, quaternion_msg
from pose3d_ros.ros.optional_messages import import_messages
from pose3d_ros.skeleton import PANOPTIC19

# Pairs of keypoints, from the person's right to the left.
RIGHT_LEFT_PAIRS = (('right_hip', 'left_hip'), ('right_shoulder', 'left_shoulder'))
# Least length and width of a trunk, m; the axes of a smaller one are noise.
MIN_TRUNK_M = 0.05
# How long the topics of a lost person and the last ids of a silent camera are kept, s.
KEEP_S = 2.0


class SeenIn(NamedTuple):
    """Header, size, px, and time, s, of the image in which people were detected."""

    header: Header
    width: int
    height: int
    time_s: float


def body_frame(xyz_m: NDArray[np.float64]) -> Transform | None:
    """Compute the frame of a body as REP 155 defines it, from keypoints ``(K, 3)``, m.

    Its origin is between the hips, z points along the trunk to the head, x forward, out of the
    body. None: pelvis or neck, or both pairs of hips and shoulders, are unknown.
    """
    pelvis, neck = xyz_m[PANOPTIC19.indices(('pelvis', 'neck'))]
    pairs = np.stack([xyz_m[PANOPTIC19.indices(pair)] for pair in RIGHT_LEFT_PAIRS])
    across = pairs[:, 1] - pairs[:, 0]
    left = across[np.isfinite(across).all(axis=1)].sum(axis=0)
    up = neck - pelvis
    forward = np.cross(left, up)
    if not (
        np.linalg.norm(up) > MIN_TRUNK_M and np.linalg.norm(forward) > MIN_TRUNK_M**2
    ):  # or NaN
        return None
    z, x = up / np.linalg.norm(up), forward / np.linalg.norm(forward)
    origin = Vector3(**dict(zip('xyz', pelvis.tolist(), strict=True)))
    turn = np.stack([x, np.cross(z, x), z], axis=1)
    return Transform(translation=origin, rotation=quaternion_msg(turn))


def skeleton_msg(hri: Any, people_2d: People2D, i: int, image: SeenIn) -> Any:
    """Return the detected keypoints of a person as Skeleton2D; `hri` is hri_msgs.msg."""
    message = hri.Skeleton2D(header=image.header)
    xy, scores = normalised(people_2d, i, image)
    for k, name in enumerate(PANOPTIC19.keypoints):
        number = getattr(message, name.upper(), None)
        if number is not None:  # Skeleton2D has no pelvis
            (x, y), c = xy[k].tolist(), float(scores[k])
            message.skeleton[number] = hri.NormalizedPointOfInterest2D(x=x, y=y, c=c)
    return message


def roi_msg(hri: Any, people_2d: People2D, i: int, image: SeenIn) -> Any:
    """Return the bounding box of a person's detected keypoints; `hri` is hri_msgs.msg."""
    xy, scores = normalised(people_2d, i, image)
    (xmin, ymin), (xmax, ymax) = (f(xy[scores > 0], axis=0).tolist() for f in (np.min, np.max))
    message = hri.NormalizedRegionOfInterest2D(xmin=xmin, ymin=ymin, xmax=xmax, ymax=ymax)
    message.header, message.c = image.header, float(people_2d.score[i])
    return message


def normalised(
    people_2d: People2D, i: int, image: SeenIn
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return keypoints ``(K, 2)`` as fractions of the image, [0, 1], and their scores ``(K,)``.

    0 is the left or upper edge of the first pixel, 1 the opposite edge of the last. A keypoint
    that is not detected is 0 with score 0, because hri_msgs does not define NaN.
    """
    xy = (people_2d.xy_px[i] + 0.5) / (image.width, image.height)
    detected = people_2d.detected[i]
    return np.where(detected[:, None], xy, 0.0).clip(0, 1), np.where(
        detected, people_2d.scores[i], 0.0
    )


class Bodies:
    """Publishes the confirmed people of a node's cameras as bodies.

    Parameters
    ----------
    node
        Publishes. The ids begin with its name, so that they differ between nodes.
    frames
        Broadcast body_<id> on /tf.
    topics
        Publish /humans/bodies/tracked, and roi and skeleton2d of each body.

    Raises
    ------
    MissingPackageError
        If tf2_msgs or hri_msgs is needed and not installed.
    """

    def __init__(self, node: Node, frames: bool, topics: bool) -> None:
        self._node = node
        self._tf = self._tracked = None
        # Camera -> stamp, s, and ids of its last image. Body -> last stamp, s, and publishers.
        self._seen: dict[str, tuple[float, list[str]]] = {}
        self._topics: dict[str, tuple[float, Any, Any]] = {}
        if frames:
            self._tf_message = import_messages('tf2_msgs', 'publish_body_tf').TFMessage
            self._tf = node.create_publisher(self._tf_message, '/tf', 100)
        if topics:
            self._hri = import_messages('hri_msgs', 'hri')
            self._tracked = node.create_publisher(self._hri.IdsList, '/humans/bodies/tracked', 1)

    def publish(self, camera: str, placed: PeopleInFrame, image: SeenIn) -> None:
        """Publish the people of an image; `camera`: its name, or '' where there is only one."""
        tracked, header = placed.tracked, placed.header
        ids = self._ids(camera, tracked)
        if self._tf is not None:
            self._tf.publish(self._tf_message(transforms=_transforms(tracked, ids, header)))
        if self._tracked is not None:
            stamp_s = image.time_s
            for i, name in ids.items():
                self._publish_2d(name, stamp_s, tracked.people.people_2d, i, image)
            self._seen[camera] = stamp_s, list(ids.values())
            self._forget(stamp_s)
            all_ids = [name for _, names in self._seen.values() for name in names]
            self._tracked.publish(self._hri.IdsList(header=header, ids=all_ids))

    def _ids(self, camera: str, tracked: TrackedPeople) -> dict[int, str]:
        """Return the id of each confirmed person's row; ids are valid tokens of topic names."""
        name = '/'.join(filter(None, (self._node.get_fully_qualified_name()[1:], camera)))
        rows = np.flatnonzero(tracked.state == TrackState.CONFIRMED).tolist()
        return {i: re.sub(r'\W', '_', f'{name}_{tracked.track_id[i]}') for i in rows}

    def _publish_2d(
        self, name: str, stamp_s: float, people_2d: People2D, i: int, image: SeenIn
    ) -> None:
        below = f'/humans/bodies/{name}'
        _, roi, skeleton = self._topics.get(name) or (
            stamp_s,
            self._node.create_publisher(self._hri.NormalizedRegionOfInterest2D, f'{below}/roi', 1),
            self._node.create_publisher(self._hri.Skeleton2D, f'{below}/skeleton2d', 1),
        )
        self._topics[name] = stamp_s, roi, skeleton
        if roi.get_subscription_count():
            roi.publish(roi_msg(self._hri, people_2d, i, image))
        if skeleton.get_subscription_count():
            skeleton.publish(skeleton_msg(self._hri, people_2d, i, image))

    def _forget(self, stamp_s: float) -> None:
        """Destroy the topics of lost people, also after stamps have jumped back."""
        self._seen = {c: s for c, s in self._seen.items() if abs(stamp_s - s[0]) <= KEEP_S}
        for name, (last_s, *publishers) in list(self._topics.items()):
            if abs(stamp_s - last_s) > KEEP_S:
                del self._topics[name]
                for publisher in publishers:
                    self._node.destroy_publisher(publisher)

    def destroy(self) -> None:
        """Destroy all publishers."""
        publishers = [p for _, *both in self._topics.values() for p in both]
        for publisher in (self._tf, self._tracked, *publishers):
            if publisher is not None:
                self._node.destroy_publisher(publisher)


def _transforms(
    tracked: TrackedPeople, ids: dict[int, str], header: Header
) -> list[TransformStamped]:
    """Return the frames of the people whose orientation is known."""
    found = {name: body_frame(tracked.people.xyz_m[i]) for i, name in ids.items()}
    return [
        TransformStamped(header=header, child_frame_id=f'body_{name}', transform=transform)
        for name, transform in found.items()
        if transform is not None
    ]
