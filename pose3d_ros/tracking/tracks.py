"""The array of tracks, and what is known of people by it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pose3d_ros.people import People3D, TrackedPeople, TrackState
from pose3d_ros.tracking import appearance, motion, range_filter
from pose3d_ros.tracking.memory import PERSON

# Least number of images in which a confirmed person was detected: two may be the same error twice.
CONFIRM_IMAGES = 3
# Share of the longer side that is added to each side of a box around keypoints: those end at eyes,
# wrists and ankles, people at the top of the head, fingers and feet.
BOX_MARGIN = 0.1
# numpy converts members of an enum slowly.
_TENTATIVE, _CONFIRMED = np.array([TrackState.TENTATIVE, TrackState.CONFIRMED], np.uint8)
# State of a track.
TRACK = np.dtype(
    [
        ('track_id', 'i8'),
        ('first_s', 'f8'),
        ('last_s', 'f8'),
        ('last_image', 'i8'),
        ('images', 'i8'),
        ('motion', motion.MOTION),
        ('colours', 'f8', (appearance.PARTS, appearance.BINS)),
        ('depth', range_filter.RANGE),
        ('heading', 'f8', 3),
        ('heading_variance', 'f8'),
    ]
)


def boxes(xy_px: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the boxes ``(B, 4)`` of people with keypoints ``(N, K, 2)`` px; NaN: not known."""
    xy_px = xy_px[np.isfinite(xy_px[..., 0]).any(axis=1)]
    low, high = np.nanmin(xy_px, axis=1), np.nanmax(xy_px, axis=1)
    margin_px = BOX_MARGIN * (high - low).max(axis=1, keepdims=True)
    return np.concatenate([low - margin_px, high + margin_px], axis=1)


def remembered(tracks: NDArray[np.void]) -> NDArray[np.void]:
    """Return lost tracks as ``PERSON``, those of at least ``CONFIRM_IMAGES``."""
    tracks = tracks[tracks['images'] >= CONFIRM_IMAGES]
    people = np.zeros(len(tracks), PERSON)
    for name in ('track_id', 'first_s', 'last_s', 'images', 'colours'):
        people[name] = tracks[name]
    people['place_m'] = tracks['motion']['place_m']
    return people


def tracked(
    people: People3D, tracks: NDArray[np.void], stamp_s: float, confirm_s: float
) -> TrackedPeople:
    """Return people with the ids and states of their tracks."""
    age_s = stamp_s - tracks['first_s']
    confirmed = (age_s >= confirm_s) & (tracks['images'] >= CONFIRM_IMAGES)
    state = np.where(confirmed, _CONFIRMED, _TENTATIVE)
    velocity_m_s, covariance = motion.velocities(tracks['motion'], tracks['depth'])
    return TrackedPeople(
        people,
        tracks['track_id'].copy(),
        state,
        age_s,
        velocity_m_s,
        covariance,
        tracks['heading'].copy(),
        np.sqrt(tracks['heading_variance']),
        tracks['first_s'].copy(),
    )
