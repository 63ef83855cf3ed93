"""Side by side with other software: people found, 3D error, time, CPU, memory, start.

    python -m benchmark.peers --environments FOLDER [--data FOLDER] [--rounds N] [--starts N]

Each peer runs as a process of its own in a virtual environment of its own in FOLDER, which is made
with packages from PyPI unless it is there. All of them get the same images and the same two CPUs,
one image after the other, in turns, so that other load on the machine affects all of them alike:
compare the ratios. docs/peers.md explains the tables.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmark import peer_environments, peer_tables
from benchmark.accuracy import DEFAULT_NETWORK
from benchmark.peer_process import Peer
from benchmark.peer_runs import clip_requests, requests_of, run_in_turns, start_times
from benchmark.peer_score import score
from pose3d_ros.evaluation.annotations import read_bgr, read_images

DETECTOR = 'models/rtmdet-nano-person/rtmdet-nano-person.xml'
THUNDER = 'models/movenet-thunder/movenet-singlepose-thunder.xml'
LIGHTNING = 'models/movenet-lightning/movenet-singlepose-lightning.xml'

NETWORKS = {
    'human-pose-estimation-0001 INT8': [DEFAULT_NETWORK],
    'RTMDet-nano + Thunder': [DETECTOR, THUNDER],
    'RTMDet-nano + Lightning': [DETECTOR, LIGHTNING],
}
# Threads that every peer has: it is bound to as many CPUs.
CPUS = 2
CLIP = 'video/one-by-one-person-detection.mp4'


def all_peers(data: Path, environments: Path, cache: Path, video: bool = False) -> list[Peer]:
    """Return this package with its choices of networks, first, and its peers.

    Parameters
    ----------
    data
        Folder with the networks.
    environments
        Folder of the peers' environments, which are made unless they are there.
    cache
        Folder for the networks that this package has compiled.
    video
        Whether the images follow each other in time.
    """
    python = peer_environments.python_of(environments, 'mediapipe')
    ours = [
        Peer(
            f'ours, {name}',
            Path(sys.executable),
            'peer_ours.py',
            {'model': [str(data / f) for f in files], 'cache': str(cache), 'video': video},
        )
        for name, files in NETWORKS.items()
    ]
    return [*ours, Peer('MediaPipe Pose', python, 'peer_mediapipe.py', {'video': video})]


def main(argv: list[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add: Callable[..., Any] = parser.add_argument
    add('--environments', type=Path, required=True, help='folder of the environments of peers')
    add('--data', type=Path, default=Path('../shared/data'), help='(default: %(default)s)')
    add('--rounds', type=int, default=3, help='over all images (default: %(default)s)')
    add('--starts', type=int, default=5, help='of each peer (default: %(default)s)')
    add('--clip-images', type=int, default=200, help='of the clip (default: %(default)s)')
    args = parser.parse_args(argv)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CPUS])  # also of all peers
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / 'cache'
        peers = all_peers(args.data, args.environments, cache)
        images = sorted(read_images(args.data / 'real'), key=lambda i: read_bgr(i.path).shape)
        requests = requests_of(images)
        starts = start_times(peers, requests[0], args.starts)
        found, spent = run_in_turns(peers, requests, args.rounds)
        scores = [score(images, people) for people in found]
        names = [peer.name for peer in peers]
        print('\n'.join(peer_tables.images(names, scores, spent, starts)))
        peers = all_peers(args.data, args.environments, cache, video=True)
        requests = clip_requests(args.data / CLIP, args.clip_images, Path(folder))
        found, spent = run_in_turns(peers, requests, 1)
        print('\n' + '\n'.join(peer_tables.clip(names, found, spent)))


if __name__ == '__main__':
    main()
