"""Run peers in turns on the same images, and measure what each of them takes."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmark.peer_process import Answer, Peer, PeerProcess
from pose3d_ros.evaluation.annotations import LabelledImage, read_bgr
from pose3d_ros.people import People3D

Array = NDArray[np.float64]


class Costs(NamedTuple):
    """What one peer took for images.

    Parameters
    ----------
    seconds, cpu_seconds
        ``(rounds, images)``, wall time, and time of all cores.
    peak_mb
        Largest resident memory, MB.
    """

    seconds: Array
    cpu_seconds: Array
    peak_mb: float

    def of(self, images: Sequence[int]) -> Costs:
        """Return what some of the images took."""
        columns = list(images)
        return Costs(self.seconds[:, columns], self.cpu_seconds[:, columns], self.peak_mb)


def requests_of(images: Sequence[LabelledImage]) -> list[dict[str, Any]]:
    """Return a request for each labelled image."""
    return [
        {'image': str(image.path), 'intrinsics': [k.fx, k.fy, k.cx, k.cy]}
        if (k := image.intrinsics)
        else {'image': str(image.path)}
        for image in images
    ]


def clip_requests(path: Path, number: int, folder: Path) -> list[dict[str, Any]]:
    """Write the first images of a video into a folder; return a request for each."""
    video = cv2.VideoCapture(str(path))
    rate_hz = video.get(cv2.CAP_PROP_FPS)
    requests: list[dict[str, Any]] = []
    while len(requests) < number:
        read, bgr = video.read()
        if not read:
            break
        name = str(folder / f'{len(requests):05d}.png')
        cv2.imwrite(name, bgr)
        requests.append({'image': name, 'time_s': len(requests) / rate_hz})
    return requests


def run_in_turns(
    peers: Sequence[Peer], requests: Sequence[dict[str, Any]], rounds: int
) -> tuple[list[list[People3D]], list[Costs]]:
    """Let peers, all of which keep running, find the people in images, one peer at a time.

    Returns the people that each peer found in the first round, and what it took. An image of
    another size than the one before is asked for twice, and the second answer counts: networks
    whose input follows the image are compiled for the first.
    """
    found: list[list[People3D]] = [[] for _ in peers]
    answers: list[list[Answer]] = [[] for _ in peers]
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(PeerProcess(peer)) for peer in peers]
        size: tuple[int, ...] = ()
        for turn in range(rounds):
            for number, request in enumerate(requests):
                again = (last := size) != (size := read_bgr(Path(request['image'])).shape)
                for i in rotated(len(peers), turn + number):
                    if again and (not last or 'time_s' not in request):
                        processes[i].ask(request)
                    answers[i].append(processes[i].ask(request))
                    if not turn:
                        found[i].append(answers[i][-1].people)
    return found, [costs(one, rounds) for one in answers]


def rotated(number: int, turn: int) -> list[int]:
    """Return 0 to `number` - 1 from another beginning in each turn."""
    return [(i + turn) % number for i in range(number)]


def costs(answers: Sequence[Answer], rounds: int) -> Costs:
    """Return what a peer took for some rounds of answers."""
    seconds, cpu_seconds = (
        np.array([getattr(a, name) for a in answers]).reshape(rounds, -1)
        for name in ('seconds', 'cpu_seconds')
    )
    return Costs(seconds, cpu_seconds, answers[-1].peak_mb)


def start_times(peers: Sequence[Peer], request: dict[str, Any], starts: int) -> Array:
    """Measure ``(starts, peers)`` s from the start of a process to its first answer, in turns.

    The first start of each is left out: it fills the caches of files and of compiled networks.
    """
    times = np.zeros((starts + 1, len(peers)))
    for turn in range(starts + 1):
        for i in rotated(len(peers), turn):
            with PeerProcess(peers[i]) as process:
                process.ask(request)
                times[turn, i] = process.seconds_since_start()
    return times[1:]
