"""Share of people found by distance: real people scaled into one camera.

People of known distance in images of known focal length are scaled to the size that they have at
another distance in a camera of 640 x 480 px with a horizontal field of view of 60 degrees.
Enlarged people are as blurred as their image, so distances below their own are pessimistic.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import Intrinsics, IntrinsicsSource
from pose3d_ros.detection.detector import Detector
from pose3d_ros.evaluation.annotations import LabelledImage, read_bgr
from pose3d_ros.evaluation.oks import COCO, FOUND_OKS, Labels, bounding_boxes, oks
from pose3d_ros.evaluation.pose_errors import ROOT
from pose3d_ros.images import CameraImage

Array = NDArray[np.float64]

SIZE_HW = (480, 640)
FIELD_OF_VIEW_RAD = np.radians(60)
FOCAL_PX = SIZE_HW[1] / 2 / np.tan(FIELD_OF_VIEW_RAD / 2)
CAMERA = Intrinsics.centred(FOCAL_PX, *SIZE_HW[::-1], IntrinsicsSource.PARAMETER)
DISTANCES_M = (1, 2, 3, 4, 6, 8, 10, 12)
# People with fewer visible keypoints in their own image are not used.
MIN_VISIBLE = 12
# People with fewer keypoints inside the scaled image do not count at that distance.
MIN_INSIDE = 5
# A network reaches as far as this share of the people is found.
REACH_SHARE = 0.7
# The reach begins here, m: closer people are only partly inside the image.
NEAREST_M = 2


class AtDistance(NamedTuple):
    """Result at one distance.

    Parameters
    ----------
    people, found
        Number of people, and of those found (OKS of 0.5 or more).
    error_cm
        Mean distance of the keypoints of the people found, in the image plane, at the person.
    """

    people: int
    found: int
    error_cm: float

    @property
    def share(self) -> float:
        """Share of the people found."""
        return self.found / max(self.people, 1)


def by_distance(detector: Detector, images: Sequence[LabelledImage]) -> dict[int, AtDistance]:
    """Measure the share found at each distance, m."""
    people = list(_known_people(images))
    return {distance_m: _at(detector, people, distance_m) for distance_m in DISTANCES_M}


def reach_m(found: dict[int, AtDistance]) -> int:
    """Return the distance up to which at least REACH_SHARE of the people are found, m."""
    reach = 0
    for distance_m, result in found.items():
        if distance_m >= NEAREST_M:
            if result.share < REACH_SHARE:
                break
            reach = distance_m
    return reach


def place(bgr: NDArray[np.uint8], xy_px: Array, scale: float) -> tuple[NDArray[np.uint8], Array]:
    """Scale an image and cut out SIZE_HW around a person.

    Parameters
    ----------
    bgr
        ``(H, W, 3)``.
    xy_px
        ``(K, 2)``, keypoints of the person. NaN: unknown.
    scale
        Enlargement.

    Returns
    -------
    bgr, xy_px
        What the image does not cover has its mean colour. Keypoints outside are NaN.
    """
    height, width = (max(1, round(scale * size)) for size in bgr.shape[:2])
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scaled = cv2.resize(bgr, (width, height), interpolation=interpolation)
    exact = np.array([width / bgr.shape[1], height / bgr.shape[0]])
    xy = (xy_px + 0.5) * exact - 0.5
    centre = (np.nanmin(xy, axis=0) + np.nanmax(xy, axis=0)) / 2
    left, top = np.round(centre - np.array(SIZE_HW[::-1]) / 2).astype(int).tolist()
    canvas = np.empty((*SIZE_HW, 3), np.uint8)
    canvas[:] = bgr.mean(axis=(0, 1)).astype(np.uint8)
    rows = slice(max(top, 0), min(top + SIZE_HW[0], height))
    columns = slice(max(left, 0), min(left + SIZE_HW[1], width))
    target = (
        slice(rows.start - top, rows.stop - top),
        slice(columns.start - left, columns.stop - left),
    )
    canvas[target] = scaled[rows, columns]
    xy = xy - (left, top)
    inside = ((xy >= -0.5) & (xy < np.array(SIZE_HW[::-1]) - 0.5)).all(axis=-1)
    return canvas, np.where(inside[:, np.newaxis], xy, np.nan)


class _Person(NamedTuple):
    image: LabelledImage
    bgr: NDArray[np.uint8]
    xy_px: Array
    scale_m: float  # enlargement at a distance of 1 m


def _known_people(images: Sequence[LabelledImage]) -> Iterator[_Person]:
    for image in images:
        if image.intrinsics is None:
            continue
        focal_px = (image.intrinsics.fx + image.intrinsics.fy) / 2
        visible = image.visible & np.isfinite(image.xy_px[..., 0])
        for i, z_m in enumerate(image.xyz_m[:, ROOT, 2].tolist()):
            if np.isfinite(z_m) and visible[i, COCO].sum() >= MIN_VISIBLE:
                xy_px = np.where(visible[i, :, np.newaxis], image.xy_px[i], np.nan)
                yield _Person(image, read_bgr(image.path), xy_px, FOCAL_PX * z_m / focal_px)


def _at(detector: Detector, people: Sequence[_Person], distance_m: float) -> AtDistance:
    number = found = 0
    errors_cm: list[float] = []
    for person in people:
        bgr, xy_px = place(person.bgr, person.xy_px, person.scale_m / distance_m)
        if np.isfinite(xy_px[COCO, 0]).sum() < MIN_INSIDE:
            continue
        number += 1
        (detections,) = detector.detect([CameraImage(bgr, CAMERA)])
        detected_px = detections.people.xy_px
        labels = Labels(xy_px[np.newaxis], bounding_boxes([xy_px]), np.zeros((0, 4)))
        similarity = oks(labels, detected_px)[0]
        if len(similarity) and similarity.max() >= FOUND_OKS:
            found += 1
            error_px = np.linalg.norm(detected_px[similarity.argmax()] - xy_px, axis=-1)
            errors_cm.append(float(100 * np.nanmean(error_px[list(COCO)]) * distance_m / FOCAL_PX))
    return AtDistance(number, found, float(np.mean(errors_cm)) if errors_cm else float('nan'))


def print_table(found: dict[int, AtDistance]) -> None:
    """Print the share found at each distance."""
    print(f'| distance, m | {" | ".join(map(str, found))} |\n|---|{"---|" * len(found)}')
    print(f'| people | {" | ".join(str(r.people) for r in found.values())} |')
    print(f'| share found | {" | ".join(f"{r.share:.2f}" for r in found.values())} |')
    print(f'| error, cm | {" | ".join(f"{r.error_cm:.1f}" for r in found.values())} |')
