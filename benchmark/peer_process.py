"""A peer as a process: started, asked about images, and its answers read."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.detection.keypoint_sets import KEYPOINT_SETS, to_panoptic19
from pose3d_ros.people import K, People2D, People3D

# Where the modules of the benchmark are found in every environment.
CHECKOUT = Path(__file__).parents[1]
WORKER = 'benchmark.peer_worker'

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Peer:
    """How a peer is started.

    Parameters
    ----------
    name
        In the table.
    python
        Interpreter of its environment.
    module
        Of this folder, which `peer_worker` runs.
    options
        That it is given.
    """

    name: str
    python: Path
    module: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What a peer found in one image, and what it took.

    Parameters
    ----------
    people
        With NaN as positions where the peer has no 3D poses. Those of peers that place the root
        at the origin are relative to it.
    seconds, cpu_seconds
        Wall time, and time of all cores.
    peak_mb
        Largest resident memory of the process so far, MB.
    """

    people: People3D
    seconds: float
    cpu_seconds: float
    peak_mb: float


class PeerProcess:
    """A running peer; a context manager that ends it.

    Parameters
    ----------
    peer
        How it is started.
    """

    def __init__(self, peer: Peer) -> None:
        self.name = peer.name
        self._start_s = time.perf_counter()
        self._log = tempfile.TemporaryFile('w+')  # noqa: SIM115 - closed by __exit__
        self._process = subprocess.Popen(
            [str(peer.python), '-m', WORKER, peer.module, json.dumps(dict(peer.options))],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def __enter__(self) -> PeerProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()
        self._log.close()

    def ask(self, request: Mapping[str, Any]) -> Answer:
        """Return the answer to a request.

        Raises
        ------
        SystemExit
            If the peer has ended instead.
        """
        assert self._process.stdin
        assert self._process.stdout
        try:
            self._process.stdin.write(json.dumps(dict(request)) + '\n')
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended: the reason follows
        line = self._process.stdout.readline()
        if not line:
            self._log.seek(0)
            raise SystemExit(f'{self.name} has ended: {self._log.read()[-2000:]}')
        return read_answer(line)

    def seconds_since_start(self) -> float:
        """Return how long ago the process was started, s."""
        return time.perf_counter() - self._start_s


def read_answer(line: str) -> Answer:
    """Read a line that `peer_worker` has written."""
    reply = json.loads(line)
    return Answer(
        read_people(reply['people']), reply['seconds'], reply['cpu_seconds'], reply['peak_mb']
    )


def read_people(people: Sequence[Mapping[str, Any]]) -> People3D:
    """Read people, each with keypoints in the order of its set.

    Parameters
    ----------
    people
        Each with `keypoint_set`, a key of ``KEYPOINT_SETS``; `xy`, k positions in image px, 0 at
        the centre of the first pixel; `scores`, k numbers in [0, 1], 0: not detected; `score` in
        [0, 1]; and `xyz`, k positions in m, or None.

    Returns
    -------
    People3D
        A neck or pelvis that a set lacks is the midpoint of shoulders or hips, in 2D and in 3D.
    """
    n = len(people)
    xy_px, scores, xyz_m = np.full((n, K, 2), np.nan), np.zeros((n, K)), np.full((n, K, 3), np.nan)
    for i, person in enumerate(people):
        name, score = person['keypoint_set'], np.array([person['scores']], float)
        (xy_px[i],), (scores[i],) = to_panoptic19(name, np.array([person['xy']], float), score)
        if person['xyz'] is not None:
            xyz_m[i] = _positions(name, np.array(person['xyz'], float))
    people_2d = People2D(xy_px, scores, np.array([p['score'] for p in people], float))
    return People3D(people_2d, xyz_m, np.zeros((n, K), np.uint8), np.full((n, 3, 3), np.nan))


def _positions(keypoint_set: str, xyz: Array) -> Array:
    """Reorder ``(k, 3)`` positions to ``(K, 3)``, with midpoints; NaN: not in the set."""
    columns = []
    known = np.ones((1, len(KEYPOINT_SETS[keypoint_set])))
    for axis in range(3):
        pair = np.repeat(xyz[np.newaxis, :, axis : axis + 1], 2, axis=2)
        columns.append(to_panoptic19(keypoint_set, pair, known)[0][0, :, 0])
    return np.stack(columns, axis=-1)
