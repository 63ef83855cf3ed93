"""Read images with labelled people: 2D and 3D keypoints, visibility, ids, intrinsics.

The file is annotations.json beside the images: ``{'images': [...]}``, with the fields that
`read_images` reads. Keypoints have short names (``l_sho``, ``neck``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import Intrinsics
from pose3d_ros.evaluation.oks import Labels, bounding_box, select_labels
from pose3d_ros.people import K
from pose3d_ros.skeleton import PANOPTIC19

if TYPE_CHECKING:
    from pose3d_ros.estimator import PoseEstimator
    from pose3d_ros.people import People3D

Array = NDArray[np.float64]

ABBREVIATED = {'sho': 'shoulder', 'elb': 'elbow', 'wri': 'wrist', 'ank': 'ankle'}
SIDES = {'l': 'left', 'r': 'right'}


@dataclass(frozen=True)
class LabelledImage(Labels):
    """Labels of one image and its N people. NaN: not labelled.

    Parameters
    ----------
    path
        The image file.
    group
        Name of the data set or recording that it comes from.
    xyz_m
        ``(N, K, 3)``, camera optical frame.
    visible
        ``(N, K)``, keypoints that can be seen; others are labelled where they must be.
    intrinsics
        Of the camera; None: unknown.
    ids, sequence, time_s
        Ids of the people in all images of one sequence; `sequence` None: a single image.
    """

    path: Path
    group: str
    xyz_m: Array
    visible: NDArray[np.bool_]
    intrinsics: Intrinsics | None
    ids: list[int]
    sequence: str | None
    time_s: float

    def visible_labels(self, min_visible: int) -> Labels:
        """Return labels restricted to visible keypoints.

        People with fewer than `min_visible` of COCO's become ignored regions. Boxes stay those of
        the whole person, so that the tolerance in pixels does not depend on what is hidden.
        """
        known = self.visible & np.isfinite(self.xy_px[..., 0])
        labels, _ = select_labels(self.xy_px, known, min_visible, self.boxes)
        ignore = np.concatenate([self.ignore, labels.ignore])
        return Labels(labels.xy_px, labels.boxes, ignore)


def read_images(folder: Path) -> Iterator[LabelledImage]:
    """Read the labels in `folder`/annotations.json.

    Where not all people of an image are labelled, the whole image is an ignored region.
    """
    for image in json.loads((folder / 'annotations.json').read_text())['images']:
        people = image['people']
        labels = np.array([keypoints_by_name(p['keypoints_2d'], 3) for p in people])
        labels = labels.reshape(-1, K, 3)
        xyz_cm = np.array([keypoints_by_name(p.get('keypoints_3d_cm'), 3) for p in people])
        pairs = zip(people, labels[..., :2], strict=True)
        boxes = [p.get('bbox') or bounding_box(xy) for p, xy in pairs]
        ignore = list(image['ignore_boxes'])
        if not image['all_people_labelled']:
            ignore.append([0, 0, image['width'], image['height']])
        yield LabelledImage(
            path=folder / image['file'],
            group=image['group'],
            xy_px=labels[..., :2],
            xyz_m=xyz_cm.reshape(-1, K, 3) / 100,
            visible=labels[..., 2] == 1,
            boxes=np.array(boxes, float).reshape(-1, 4),
            ignore=np.array(ignore, float).reshape(-1, 4),
            intrinsics=intrinsics_from_matrix(image['K']) if image['K'] else None,
            ids=[p.get('id', i) for i, p in enumerate(people)],
            sequence=image.get('sequence'),
            time_s=image.get('time_s', 0.0),
        )


def read_bgr(path: Path) -> NDArray[np.uint8]:
    """Read an image as ``(H, W, 3)`` BGR.

    Raises
    ------
    ValueError
        If OpenCV cannot read the file.
    """
    bgr: Any = cv2.imread(str(path))
    if bgr is None:
        raise ValueError(f'{path}: expected an image that OpenCV can read')
    return np.asarray(bgr)


def estimate_people(image: LabelledImage, estimator: PoseEstimator) -> People3D:
    """Estimate the people in a labelled image, with guessed intrinsics where they are unknown."""
    bgr = read_bgr(image.path)
    guess = Intrinsics.guess(bgr.shape[1], bgr.shape[0])
    return estimator.estimate(bgr, image.intrinsics or guess)


def intrinsics_from_matrix(k: list[list[float]]) -> Intrinsics:
    """Make intrinsics of a 3 x 3 camera matrix K."""
    return Intrinsics(k[0][0], k[1][1], k[0][2], k[1][2])


def keypoints_by_name(named: dict[str, list[float]] | None, size: int) -> Array:
    """Return ``(K, size)`` values of keypoints with short names. NaN: not named."""
    values_of = np.full((K, size), np.nan)
    for short, values in (named or {}).items():
        side, _, part = short.rpartition('_')
        part = ABBREVIATED.get(part, part)
        values_of[PANOPTIC19.index(f'{SIDES[side]}_{part}' if side else part)] = values[:size]
    return values_of
