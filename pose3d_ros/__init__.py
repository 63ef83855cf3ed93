"""3D human pose for robots: people in a camera image as keypoints in metres."""

from importlib import import_module
from pkgutil import extend_path
from typing import TYPE_CHECKING, Any

__path__ = extend_path(__path__, __name__)  # from a checkout, find the installed messages too

if TYPE_CHECKING:
    from pose3d_ros.camera import CameraImage, DepthImage, Intrinsics
    from pose3d_ros.estimation.bottom_up import PoseEstimator
    from pose3d_ros.people import People2D, People3D, TrackedPeople
    from pose3d_ros.tracking.tracker import Tracker

__all__ = [
    'CameraImage',
    'DepthImage',
    'Intrinsics',
    'People2D',
    'People3D',
    'PoseEstimator',
    'TrackedPeople',
    'Tracker',
]

_HOMES = {
    'CameraImage': 'camera',
    'DepthImage': 'camera',
    'Intrinsics': 'camera',
    'People2D': 'people',
    'People3D': 'people',
    'PoseEstimator': 'estimation.bottom_up',
    'TrackedPeople': 'people',
    'Tracker': 'tracking.tracker',
}


def __getattr__(name: str) -> Any:
    """Import on first use: a camera node need not load OpenVINO, nor `pose3d --help` ROS."""
    if name in _HOMES:
        return getattr(import_module(f'{__name__}.{_HOMES[name]}'), name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
