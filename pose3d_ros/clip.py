"""The bundled clip: people and a hall that were drawn, so that everything about them is known.

Three people walk, cross and raise their arms before a robot's camera. Unlike on the test card they
look like people, and only a network that knows people finds them. Made by
`python -m training.render.clip`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.camera import Intrinsics

PATH = Path(__file__).parent / 'data' / 'clip.webm'
# Values of `Truth.seen`.
OUTSIDE, COVERED, TURNED_AWAY, VISIBLE = range(4)


@dataclass(frozen=True)
class Truth:
    """What is true of a clip: T images, N people, the same ones in all of them.

    Parameters
    ----------
    stamps_s
        ``(T,)``, from the first image on.
    intrinsics
        Of the camera.
    ids
        ``(N,)``, who is who.
    xyz_m
        ``(T, N, K, 3)``, camera optical frame; outside the image too.
    xy_px
        ``(T, N, K, 2)``.
    seen
        ``(T, N, K)`` uint8: OUTSIDE the image, COVERED by something or somebody else, TURNED_AWAY
        (behind the person's own body), or VISIBLE.
    depth_m
        ``(D, H, W)`` float32 along the optical axis, of every `depth_every`-th image.
    depth_every
        See there.
    """

    stamps_s: NDArray[np.float64]
    intrinsics: Intrinsics
    ids: NDArray[np.int64]
    xyz_m: NDArray[np.float32]
    xy_px: NDArray[np.float32]
    seen: NDArray[np.uint8]
    depth_m: NDArray[np.float32]
    depth_every: int


def truth(path: Path = PATH) -> Truth:
    """Read what is true of a clip, from the file beside it."""
    with np.load(path.with_suffix('.npz')) as arrays:
        # Stored as differences from image to image, mm modulo 2**16.
        depth_mm = np.cumsum(arrays['depth_mm'], axis=0, dtype=np.uint16)
        return Truth(
            stamps_s=arrays['stamps_s'],
            intrinsics=Intrinsics(*arrays['intrinsics'].tolist()),
            ids=arrays['ids'],
            xyz_m=arrays['xyz_m'],
            xy_px=arrays['xy_px'],
            seen=arrays['seen'],
            depth_m=np.asarray(depth_mm / 1000, np.float32),
            depth_every=int(arrays['depth_every']),
        )
