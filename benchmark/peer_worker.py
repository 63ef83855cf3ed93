"""Runs a peer on images as a process of its own, in the environment of the peer.

    python -m benchmark.peer_worker MODULE OPTIONS

MODULE of this folder defines ``open_peer(options)``, which returns a function from an image
``(H, W, 3)`` uint8 BGR and what is known about it to a list of people. OPTIONS is a JSON object.
Each line of standard input is a request, ``{"image": PATH, ...}``; the answer is a line of JSON on
standard output. The image is read before the clock starts. Needs nothing but OpenCV.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

# The people found in an image, each with `keypoint_set`, `xy`, `scores`, `score`, and `xyz` or
# None: see `peer_process.read_people`.
FindPeople = Callable[[Any, dict[str, Any]], list[dict[str, Any]]]


def answer(find_people: FindPeople, bgr: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Find the people in an image; return them with the time that it took, s, and memory, MB."""
    start_s, start_cpu_s = time.perf_counter(), time.process_time()
    people = find_people(bgr, request)
    return {
        'seconds': time.perf_counter() - start_s,
        'cpu_seconds': time.process_time() - start_cpu_s,
        'peak_mb': peak_memory_mb(),
        'people': people,
    }


def peak_memory_mb() -> float:
    """Return the largest resident memory of this process so far, MB.

    ``getrusage`` is not used: a child starts with the peak of its parent there.
    """
    with open('/proc/self/status') as file:
        kilobytes = next(line.split()[1] for line in file if line.startswith('VmHWM'))
    return int(kilobytes) / 1000


def main() -> None:
    """Answer requests until standard input ends."""
    # What a peer prints must not come between the answers.
    answers = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)
    module = import_module(f'benchmark.{sys.argv[1]}')
    find_people = module.open_peer(json.loads(sys.argv[2]))
    import cv2

    for line in sys.stdin:
        request = json.loads(line)
        reply = answer(find_people, cv2.imread(request['image']), request)
        print(json.dumps(reply), file=answers, flush=True)


if __name__ == '__main__':
    main()
