"""The people in one image as frozen arrays of N people and K keypoints.

An image without people has N = 0. A missing keypoint is NaN with score 0; its row stays. The
keypoints are those of ``skeleton.PANOPTIC19``, in its order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.skeleton import PANOPTIC19

K = len(PANOPTIC19)


class Source(IntEnum):
    """Source of a keypoint's 3D position; the values of ``Keypoint3D.source``."""

    NONE = 0
    OBSERVED = 1
    INFERRED = 2
    DEPTH = 3
    FUSED = 4


class TrackState(IntEnum):
    """How certain a track is; the values of ``Pose3D.state``."""

    TENTATIVE = 0
    CONFIRMED = 1


@dataclass(frozen=True)
class People2D:
    """2D poses, px.

    Parameters
    ----------
    xy_px
        ``(N, K, 2)`` px of the source image; 0 is the centre of the first pixel. NaN: not
        detected.
    scores
        ``(N, K)`` in [0, 1], the network's score of each keypoint. 0: not detected.
    score
        ``(N,)`` in [0, 1], its score of each person.
    keypoint_set
        Which keypoints the network itself has: a key of
        ``detection.keypoint_sets.KEYPOINT_SETS``. The others are midpoints or missing.
    """

    xy_px: NDArray[np.float64]
    scores: NDArray[np.float64]
    score: NDArray[np.float64]
    keypoint_set: str = PANOPTIC19.name

    def __post_init__(self) -> None:
        n = len(self.xy_px)
        _check('xy_px', self.xy_px, (n, K, 2))
        _check('scores', self.scores, (n, K))
        _check('score', self.score, (n,))

    def __len__(self) -> int:
        return len(self.xy_px)

    @property
    def detected(self) -> NDArray[np.bool_]:
        """``(N, K)``, which keypoints are detected in the image."""
        return self.scores > 0

    def take(self, rows: NDArray[np.intp]) -> People2D:
        """Return some of the people, in the order given."""
        return replace(
            self, xy_px=self.xy_px[rows], scores=self.scores[rows], score=self.score[rows]
        )


@dataclass(frozen=True)
class People3D:
    """3D poses, m.

    Parameters
    ----------
    people_2d
        The same people in 2D.
    xyz_m
        ``(N, K, 3)`` m in the camera optical frame (x right, y down, z forward), unless they were
        transformed into another frame. NaN: unknown.
    source
        ``(N, K)`` uint8, a ``Source`` each.
    root_covariance_m2
        ``(N, 3, 3)`` m2, covariance of the position of each person's root. NaN: the position is
        unknown.
    sd_m
        ``(N, K)`` m, standard deviation per axis of each keypoint relative to the root. None:
        unknown.
    """

    people_2d: People2D
    xyz_m: NDArray[np.float64]
    source: NDArray[np.uint8]
    root_covariance_m2: NDArray[np.float64]
    sd_m: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        n = len(self.people_2d)
        if self.sd_m is not None:
            _check('sd_m', self.sd_m, (n, K))
        _check('root_covariance_m2', self.root_covariance_m2, (n, 3, 3))
        _check('xyz_m', self.xyz_m, (n, K, 3))
        _check('source', self.source, (n, K))

    def __len__(self) -> int:
        return len(self.people_2d)


@dataclass(frozen=True)
class TrackedPeople:
    """People with ids that hold from image to image.

    Parameters
    ----------
    people
        The people of this image.
    track_id
        ``(N,)`` int, >= 0, never given to another person.
    state
        ``(N,)`` uint8, a ``TrackState`` each.
    age_s
        ``(N,)`` s since the first image of each person.
    velocity_m_s
        ``(N, 3)`` m/s of each person's root, in the frame of the positions. NaN: unknown.
    velocity_covariance
        ``(N, 3, 3)`` (m/s)2.
    heading
        ``(N, 3)`` horizontal unit vectors, the direction that the body faces, in the frame of the
        positions. NaN: unknown.
    heading_sd_rad
        ``(N,)`` rad, standard deviation of its angle.
    first_s
        ``(N,)`` s, stamp of the first image of each person.
    height_m, height_sd_m
        ``(N,)`` m, height when standing, and its standard deviation. NaN: unknown.
    """

    people: People3D
    track_id: NDArray[np.int64]
    state: NDArray[np.uint8]
    age_s: NDArray[np.float64]
    velocity_m_s: NDArray[np.float64] | None = None
    velocity_covariance: NDArray[np.float64] | None = None
    heading: NDArray[np.float64] | None = None
    heading_sd_rad: NDArray[np.float64] | None = None
    first_s: NDArray[np.float64] | None = None
    height_m: NDArray[np.float64] | None = None
    height_sd_m: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        n = len(self.people)
        _check('track_id', self.track_id, (n,))
        _check('state', self.state, (n,))
        _check('age_s', self.age_s, (n,))
        shapes = {
            'velocity_m_s': (n, 3),
            'velocity_covariance': (n, 3, 3),
            'heading': (n, 3),
            'heading_sd_rad': (n,),
            'first_s': (n,),
            'height_m': (n,),
            'height_sd_m': (n,),
        }
        for name, shape in shapes.items():
            if getattr(self, name) is not None:
                _check(name, getattr(self, name), shape)

    def __len__(self) -> int:
        return len(self.people)


def _check(name: str, array: NDArray[np.generic], shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise ValueError(f'{name} must have shape {shape}, found {array.shape}')
