"""Cost of fitting images into the network's input, beside plain linear interpolation.

    python -m benchmark.letterbox

Both alternate in one process, with one thread. Prints CPU time, ms, for the input that follows
from the size of each image; the ratio is that of the same round.
"""

import time
from collections.abc import Callable
from functools import partial

import cv2
import numpy as np

from pose3d_ros.detection.letterbox import Letterbox
from pose3d_ros.detection.resizing import DEFAULT_LINES, DEFAULT_MIN_COLUMNS, InputSizing

SIZES_HW = (
    (480, 640),
    (479, 641),
    (600, 800),
    (720, 1280),
    (719, 1281),
    (1080, 1920),
    (2160, 3840),
)
ROUNDS = 60


def main() -> None:
    """Print the table."""
    cv2.setNumThreads(1)
    sizing = InputSizing(DEFAULT_LINES, None, 8, DEFAULT_MIN_COLUMNS)
    print('| image | input | linear ms | letterbox ms (ratio) |\n|---|---|---|---|')
    for image_hw in SIZES_HW:
        image = np.random.default_rng(0).integers(0, 256, (*image_hw, 3), np.uint8)
        input_hw = sizing.size(image_hw)
        letterbox = Letterbox.fit(image_hw, input_hw)
        rows = []
        for _ in range(ROUNDS):
            linear_ms = cpu_ms(partial(cv2.resize, image, input_hw[::-1]))
            rows.append((linear_ms, cpu_ms(partial(letterbox.apply, image, input_hw))))
        linear, fitted = np.median(rows, axis=0)
        ratio = np.median([b / a for a, b in rows])
        sizes = (f'{width}x{height}' for height, width in (image_hw, input_hw))
        print(f'| {" | ".join(sizes)} | {linear:.2f} | {fitted:.2f} ({ratio:.1f}) |', flush=True)


def cpu_ms(work: Callable[[], object]) -> float:
    """Return the CPU time of a call in this thread, ms."""
    start_s = time.thread_time()
    work()
    return 1e3 * (time.thread_time() - start_s)


if __name__ == '__main__':
    main()
