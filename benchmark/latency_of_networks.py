"""Latency of 2D networks on images with one and with five people.

The networks alternate, so that other load on the machine affects all of them alike: compare the
ratios.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import Intrinsics
from pose3d_ros.detection.detector import Detector
from pose3d_ros.evaluation.annotations import LabelledImage, read_bgr
from pose3d_ros.evaluation.oks import COCO
from pose3d_ros.images import CameraImage

SIZE_HW = (480, 640)
# Numbers of people in the images.
PEOPLE = (1, 5)
WARM_UP = 3
# Height of the people in the images as a share of the image's.
PERSON_SHARE = 0.8

Times = dict[tuple[str, int], NDArray[np.float64]]


def measure(
    detectors: Mapping[str, Detector], images: Sequence[LabelledImage], rounds: int
) -> Times:
    """Measure each detector in each round, s, by its name and the number of people."""
    intrinsics = Intrinsics.guess(SIZE_HW[1], SIZE_HW[0])
    pictures = {number: CameraImage(side_by_side(images, number), intrinsics) for number in PEOPLE}
    times: dict[tuple[str, int], list[float]] = {}
    for turn in range(WARM_UP + rounds):
        for name, detector in detectors.items():
            for number, picture in pictures.items():
                start_s = time.perf_counter()
                detector.detect([picture])
                if turn >= WARM_UP:
                    times.setdefault((name, number), []).append(time.perf_counter() - start_s)
    return {key: np.array(seconds) for key, seconds in times.items()}


def side_by_side(images: Sequence[LabelledImage], number: int) -> NDArray[np.uint8]:
    """Make an image of `number` copies of the most completely visible person."""
    counts = [
        (int((image.visible[i] & np.isfinite(image.xy_px[i, :, 0]))[list(COCO)].sum()), k, i)
        for k, image in enumerate(images)
        for i in range(len(image.xy_px))
    ]
    _, k, i = max(counts, key=lambda count: count[0])
    bgr = read_bgr(images[k].path)
    x, y, width, height = images[k].boxes[i]
    margin = 0.1 * height
    top, bottom = max(0, int(y - margin)), int(y + height + margin)
    left, right = max(0, int(x - margin)), int(x + width + margin)
    person = bgr[top:bottom, left:right]
    scale = PERSON_SHARE * SIZE_HW[0] / person.shape[0]
    scale = min(scale, SIZE_HW[1] / (number * person.shape[1]))
    size = (int(scale * person.shape[1]), int(scale * person.shape[0]))
    person = np.asarray(cv2.resize(person, size, interpolation=cv2.INTER_AREA), np.uint8)
    canvas = np.full((*SIZE_HW, 3), 128, np.uint8)
    for column in range(number):
        offset = column * SIZE_HW[1] // number
        canvas[: person.shape[0], offset : offset + person.shape[1]] = person
    return canvas


def print_table(times: Times) -> None:
    """Print medians in ms, and their ratios to the first network of the same round."""
    names = list(dict.fromkeys(name for name, _ in times))
    print(f'| network | {" | ".join(f"{n} people, ms (ratio)" for n in PEOPLE)} |')
    print('|---|---|---|')
    for name in names:
        cells = [cell(times, name, number, names[0]) for number in PEOPLE]
        print(f'| {name} | {" | ".join(cells)} |')


def cell(times: Times, name: str, number: int, reference: str) -> str:
    """Return the median of one network, ms, and its ratio to the reference with one person."""
    seconds = times[name, number]
    ratio = np.median(seconds / times[reference, PEOPLE[0]])
    return f'{1e3 * np.median(seconds):.0f} ({ratio:.2f})'
