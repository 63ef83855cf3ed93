"""Side by side with other software: people found, 3D error, time, CPU, memory, start.

    python -m benchmark.peers --environments FOLDER [--data FOLDER] [--golden FOLDER]
                              [--rounds N] [--starts N] [--clip-images N]

Each peer runs as a process of its own in a virtual environment of its own in FOLDER, which is made
with packages from PyPI unless it is there. All of them get the same images and the same two CPUs,
one image after the other, in turns, so that other load on the machine affects all of them alike:
compare the ratios. docs/peers.md explains the tables.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmark import golden, peer_environments, peer_tables
from benchmark.accuracy import DEFAULT_NETWORK
from benchmark.peer_process import CHECKOUT, Peer
from benchmark.peer_runs import clip_requests, requests_of, run_in_turns, start_times
from benchmark.peer_score import score
from pose3d_ros.evaluation.annotations import LabelledImage, read_bgr, read_images

DETECTOR = 'models/rtmdet-nano-person/rtmdet-nano-person.xml'
THUNDER = 'models/movenet-thunder/movenet-singlepose-thunder.xml'
LIGHTNING = 'models/movenet-lightning/movenet-singlepose-lightning.xml'

NETWORKS = {
    'human-pose-estimation-0001 INT8': [DEFAULT_NETWORK],
    'RTMDet-nano + Thunder': [DETECTOR, THUNDER],
    'RTMDet-nano + Lightning': [DETECTOR, LIGHTNING],
}
RUNTIME_NETWORKS = {
    'RTMDet-nano': DETECTOR,
    'MoveNet Thunder': THUNDER,
    'human-pose-estimation-0001 INT8': DEFAULT_NETWORK,
}
ENVIRONMENTS = ('mediapipe', 'rtmlib')
# Images and starts of each network in each runtime.
RUNTIME_IMAGES, RUNTIME_STARTS = 30, 2
# Threads that every peer has: it is bound to as many CPUs.
CPUS = 2
CLIP = 'video/one-by-one-person-detection.mp4'


def our_peers(data: Path, cache: Path, video: bool = False) -> list[Peer]:
    """Return this package with each choice of networks.

    Parameters
    ----------
    data
        Folder with the networks.
    cache
        Folder for the networks that this package has compiled; they must be absolute paths.
    video
        Whether the images follow each other in time.
    """
    return [
        Peer(
            f'ours, {name}',
            Path(sys.executable),
            'peer_ours',
            {'model': [str(data / f) for f in files], 'cache': str(cache), 'video': video},
        )
        for name, files in NETWORKS.items()
    ]


def rtmlib_peer(python: Path, data: Path, folder: Path) -> Peer:
    """Return rtmlib with the networks of our pair, written into a folder as it takes them."""
    detector, pose = folder / 'detector.onnx', folder / 'pose.onnx'
    export(python, data / DETECTOR, detector, 'rtmdet')
    export(python, data / THUNDER, pose, 'rtmpose')
    files = {'detector': str(detector), 'pose': str(pose), 'input': [320, 256]}
    return Peer('rtmlib, RTMDet-nano + Thunder', python, 'peer_rtmlib', files)


def runtime_peers(python: Path, data: Path, folder: Path) -> list[list[Peer]]:
    """Return, for each network, OpenVINO as we use it, OpenVINO in f32, and ONNX Runtime."""
    groups = []
    for name, file in RUNTIME_NETWORKS.items():
        onnx = folder / f'{Path(file).stem}.onnx'
        export(python, data / file, onnx)
        options = {
            'OpenVINO': {'file': str(data / file)},
            'OpenVINO, f32': {'file': str(data / file), 'precision': 'f32'},
            'ONNX Runtime': {'file': str(onnx)},
        }
        groups.append(
            [Peer(f'{name}, {by}', python, 'peer_runtime', o) for by, o in options.items()]
        )
    return groups


def export(python: Path, source: Path, target: Path, purpose: str | None = None) -> None:
    """Write a network as ONNX, in the environment of the peer."""
    command = [str(python), '-m', 'benchmark.peer_export', str(source), str(target)]
    more = ['--for', purpose] if purpose else []
    subprocess.run([*command, *more], check=True, cwd=CHECKOUT)


def main(argv: list[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add: Callable[..., Any] = parser.add_argument
    add('--environments', type=Path, required=True, help='folder of the environments of peers')
    add('--data', type=Path, default=Path('../shared/data'), help='(default: %(default)s)')
    add('--golden', type=Path, metavar='FOLDER', help='recorded outputs, as of benchmark.golden')
    add('--rounds', type=int, default=3, help='over all images (default: %(default)s)')
    add('--starts', type=int, default=5, help='of each peer (default: %(default)s)')
    add('--clip-images', type=int, default=200, help='of the clip (default: %(default)s)')
    args = parser.parse_args(argv)
    data, environments = args.data.resolve(), args.environments.resolve()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CPUS])  # also of all peers
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        mediapipe, rtmlib = (peer_environments.python_of(environments, e) for e in ENVIRONMENTS)
        others = [
            Peer('MediaPipe Pose', mediapipe, 'peer_mediapipe'),
            rtmlib_peer(rtmlib, data, folder),
        ]
        images = sorted(read_images(data / 'real'), key=lambda i: read_bgr(i.path).shape)
        compare_on_images([*our_peers(data, folder), *others], images, args.rounds, args.starts)
        requests = clip_requests(data / CLIP, args.clip_images, folder)
        followed = Peer('MediaPipe Pose', mediapipe, 'peer_mediapipe', {'video': True})
        compare_on_clip([*our_peers(data, folder, video=True), followed], requests)
        compare_runtimes(runtime_peers(rtmlib, data, folder), requests[:RUNTIME_IMAGES])
    if args.golden:
        print('\nThe published parser on recorded outputs:\n')
        for line in peer_tables.parsers(*golden.compare(args.golden)):
            print(line)


def compare_on_images(
    peers: Sequence[Peer], images: Sequence[LabelledImage], rounds: int, starts: int
) -> None:
    """Print the table of labelled images."""
    requests = requests_of(images)
    starts_s = start_times(peers, requests[0], starts)
    found, spent = run_in_turns(peers, requests, rounds)
    scores = [score(images, people) for people in found]
    for line in peer_tables.images([peer.name for peer in peers], scores, spent, starts_s):
        print(line)


def compare_on_clip(peers: Sequence[Peer], requests: Sequence[dict[str, Any]]) -> None:
    """Print the table of a clip."""
    found, spent = run_in_turns(peers, requests, rounds=1)
    print(f'\n{len(requests)} images of {Path(CLIP).name}, in their order:\n')
    for line in peer_tables.clip([peer.name for peer in peers], found, spent):
        print(line)


def compare_runtimes(groups: Sequence[Sequence[Peer]], requests: Sequence[dict[str, Any]]) -> None:
    """Print the table of runtimes, each network for itself."""
    print('\nThe same network in two runtimes:\n')
    print(peer_tables.RUNTIMES)
    for peers in groups:
        _, spent = run_in_turns(peers, requests, rounds=1)
        starts_s = start_times(peers, requests[0], RUNTIME_STARTS)
        for line in peer_tables.runtimes([peer.name for peer in peers], spent, starts_s):
            print(line)


if __name__ == '__main__':
    main()
