"""Conversion of TrackedPeople to MarkerArray: skeletons for RViz."""

from __future__ import annotations

import numpy as np
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Point, Vector3
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from pose3d_ros.people import TrackedPeople
from pose3d_ros.ros.messages.transforms import PeopleInFrame
from pose3d_ros.skeleton import PANOPTIC19
from pose3d_ros.visualisation.style import LIMBS, SOURCE_ALPHA, keypoint_rgb

LIMB_WIDTH_M = 0.025
KEYPOINT_DIAMETER_M = 0.05
TEXT_HEIGHT_M = 0.15
TEXT_ABOVE_M = 0.25
# RViz removes the markers of a node that has died after this time.
LIFETIME = Duration(sec=1)

_NOSE, _NECK = PANOPTIC19.index('nose'), PANOPTIC19.index('neck')


def marker_array(people: PeopleInFrame) -> MarkerArray:
    """Return limbs, keypoints and ids of all people; the markers of the last image are deleted.

    Unknown keypoints are left out, because RViz drops a marker with a single NaN.
    """
    tracked, header = people.tracked, people.header
    # An empty namespace deletes the markers of all namespaces.
    markers = [Marker(header=header, action=Marker.DELETEALL)]
    known = np.asarray(np.isfinite(tracked.people.xyz_m).all(axis=2))
    if known.any():
        # Shared by all markers, because creating the objects dominates the time.
        points = _points(tracked.people.xyz_m)
        markers.append(_limbs(tracked, known, points, header))
        markers.append(_keypoints(tracked, known, points, header))
        markers += _ids(tracked, known, header, TEXT_ABOVE_M * people.up)
    return MarkerArray(markers=markers)


def _limbs(
    tracked: TrackedPeople, known: np.ndarray, points: list[Point], header: Header
) -> Marker:
    marker = _marker('limbs', 0, Marker.LINE_LIST, header)
    marker.scale.x = LIMB_WIDTH_M
    person, limb = np.nonzero(known[:, LIMBS].all(axis=2))
    ends = person[:, np.newaxis], LIMBS[limb]
    marker.points = [points[i] for i in np.ravel_multi_index(ends, known.shape).flat]
    alpha = SOURCE_ALPHA[tracked.people.source[ends]].min(axis=1)
    # Both ends have the colour of the outer keypoint.
    marker.colors = _colours(np.repeat(LIMBS[limb, 1], 2), np.repeat(alpha, 2))
    return marker


def _keypoints(
    tracked: TrackedPeople, known: np.ndarray, points: list[Point], header: Header
) -> Marker:
    marker = _marker('keypoints', 0, Marker.SPHERE_LIST, header)
    marker.scale = Vector3(x=KEYPOINT_DIAMETER_M, y=KEYPOINT_DIAMETER_M, z=KEYPOINT_DIAMETER_M)
    marker.points = [points[i] for i in np.flatnonzero(known)]
    marker.colors = _colours(np.nonzero(known)[1], SOURCE_ALPHA[tracked.people.source[known]])
    return marker


def _ids(
    tracked: TrackedPeople, known: np.ndarray, header: Header, above_m: np.ndarray
) -> list[Marker]:
    markers = []
    for i in np.flatnonzero(known.any(axis=1)).tolist():
        xyz = tracked.people.xyz_m[i]
        head = next((xyz[k] for k in (_NOSE, _NECK) if known[i, k]), np.nanmean(xyz, axis=0))
        marker = _marker('ids', int(tracked.track_id[i]), Marker.TEXT_VIEW_FACING, header)
        (marker.pose.position,) = _points(head + above_m)
        marker.scale.z = TEXT_HEIGHT_M
        marker.color = ColorRGBA(r=1.0, g=1.0, b=1.0, a=1.0)
        marker.text = str(tracked.track_id[i])
        markers.append(marker)
    return markers


def _marker(namespace: str, number: int, kind: int, header: Header) -> Marker:
    marker = Marker(header=header, ns=namespace, id=number, type=kind, action=Marker.ADD)
    marker.pose.orientation.w = 1.0
    marker.lifetime = LIFETIME
    return marker


def _points(xyz: np.ndarray) -> list[Point]:
    """Return a Point for each row of ``(..., 3)``."""
    return [Point(x=x, y=y, z=z) for x, y, z in xyz.reshape(-1, 3).tolist()]


def _colours(keypoints: np.ndarray, alphas: np.ndarray) -> list[ColorRGBA]:
    """Return a colour for each keypoint; equal colours share one object."""
    palette: dict[tuple[int, float], ColorRGBA] = {}
    pairs = list(zip(keypoints.tolist(), alphas.tolist(), strict=True))
    for k, alpha in set(pairs):
        r, g, b = keypoint_rgb(k)
        palette[k, alpha] = ColorRGBA(r=r, g=g, b=b, a=alpha)
    return [palette[pair] for pair in pairs]
