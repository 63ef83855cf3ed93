"""The people in one image as frozen arrays of N people and K keypoints.

An image without people has N = 0. A missing keypoint is NaN with score 0; its row stays. The
keypoints are those of ``skeleton.PANOPTIC19``, in its order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.skeleton import PANOPTIC19

K = len(PANOPTIC19)
# Columns of records that are numbers: x right, y down, z forward in the camera optical frame.
NUMBERS = ('x_m', 'y_m', 'z_m', 'position_stddev_m', 'u_px', 'v_px', 'keypoint_score')


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

    def to_dict(self) -> dict[str, Any]:
        """Return the people as JSON has them: m and px, None where unknown.

        Returns
        -------
        dict
            ``skeleton``, the name of the set of keypoints, whose order the arrays have, and
            ``people``, a dict for each person with ``score``, ``xyz_m``, ``position_stddev_m``,
            ``xy_px``, ``scores``, ``source`` and ``root_covariance_m2``.
        """
        people_2d, sd_m = self.people_2d, self.sd_m
        return {
            'skeleton': PANOPTIC19.name,
            'people': [
                {
                    'score': float(people_2d.score[i]),
                    'xyz_m': _plain(self.xyz_m[i]),
                    'position_stddev_m': None if sd_m is None else _plain(sd_m[i]),
                    'xy_px': _plain(people_2d.xy_px[i]),
                    'scores': _plain(people_2d.scores[i]),
                    'source': [Source(s).name for s in self.source[i]],
                    'root_covariance_m2': _plain(self.root_covariance_m2[i]),
                }
                for i in range(len(self))
            ],
        }

    def to_records(self) -> list[dict[str, Any]]:
        """Return a dict for each keypoint of each person, as rows of a table have them.

        Returns
        -------
        list of dict
            ``person`` (index in the image), ``person_score``, ``keypoint`` (name), ``x_m``,
            ``y_m``, ``z_m``, ``position_stddev_m``, ``u_px``, ``v_px``, ``keypoint_score`` and
            ``source``; None where unknown. `pandas.DataFrame` takes the list as it is.
        """
        sd_m = np.full(self.source.shape, np.nan) if self.sd_m is None else self.sd_m
        people_2d = self.people_2d
        records = []
        for i in range(len(self)):
            columns = [self.xyz_m[i], sd_m[i], people_2d.xy_px[i], people_2d.scores[i]]
            for k, values in enumerate(_plain(np.column_stack(columns))):
                records.append(
                    {
                        'person': i,
                        'person_score': float(people_2d.score[i]),
                        'keypoint': PANOPTIC19.keypoints[k],
                        **dict(zip(NUMBERS, values, strict=True)),
                        'source': Source(self.source[i, k]).name,
                    }
                )
        return records


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

    def to_dict(self) -> dict[str, Any]:
        """Return the same as `People3D.to_dict`, with ``track_id``, ``state`` and ``age_s``."""
        found = self.people.to_dict()
        found['people'] = [
            {
                'track_id': int(self.track_id[i]),
                'state': TrackState(self.state[i]).name,
                'age_s': float(self.age_s[i]),
                **person,
            }
            for i, person in enumerate(found['people'])
        ]
        return found

    def to_records(self) -> list[dict[str, Any]]:
        """Return the same as `People3D.to_records`, with ``track_id`` and ``track_state``."""
        return [
            {
                'track_id': int(self.track_id[record['person']]),
                'track_state': TrackState(self.state[record['person']]).name,
                **record,
            }
            for record in self.people.to_records()
        ]


def _plain(array: NDArray[np.float64]) -> list[Any]:
    """Return an array as lists with None for what is not finite."""
    plain = array.astype(object)
    plain[~np.isfinite(array)] = None
    return list(plain.tolist())


def _check(name: str, array: NDArray[np.generic], shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise ValueError(f'{name} must have shape {shape}, found {array.shape}')
