"""3D human pose for robots: people in a camera image as keypoints in metres."""

from importlib import import_module
from pkgutil import extend_path
from typing import TYPE_CHECKING, Any

from pose3d_ros._no_telemetry import disable_telemetry

__path__ = extend_path(__path__, __name__)  # from a checkout, find the installed messages too
disable_telemetry()  # before any module of the package imports OpenVINO

if TYPE_CHECKING:
    from pose3d_ros.camera import CameraPose, Intrinsics
    from pose3d_ros.detection.detector import Thresholds
    from pose3d_ros.estimator import PoseEstimator
    from pose3d_ros.images import CameraImage, DepthImage, Observation
    from pose3d_ros.people import People2D, People3D, TrackedPeople
    from pose3d_ros.pipeline import Pipeline
    from pose3d_ros.sources.open_source import open_source
    from pose3d_ros.tracking.tracker import Tracker
    from pose3d_ros.visualisation.overlay import draw_people
    from pose3d_ros.visualisation.perspective import Reach, draw_view
    from pose3d_ros.visualisation.video_writer import VideoWriter

__all__ = [
    'CameraImage',
    'CameraPose',
    'DepthImage',
    'Intrinsics',
    'Observation',
    'People2D',
    'People3D',
    'Pipeline',
    'PoseEstimator',
    'Reach',
    'Thresholds',
    'TrackedPeople',
    'Tracker',
    'VideoWriter',
    'draw_people',
    'draw_view',
    'open_source',
]

_MODULES = {
    'CameraImage': 'images',
    'CameraPose': 'camera',
    'DepthImage': 'images',
    'Intrinsics': 'camera',
    'Observation': 'images',
    'People2D': 'people',
    'People3D': 'people',
    'Pipeline': 'pipeline',
    'PoseEstimator': 'estimator',
    'Reach': 'visualisation.perspective',
    'Thresholds': 'detection.detector',
    'TrackedPeople': 'people',
    'Tracker': 'tracking.tracker',
    'VideoWriter': 'visualisation.video_writer',
    'draw_people': 'visualisation.overlay',
    'draw_view': 'visualisation.perspective',
    'open_source': 'sources.open_source',
}


def __getattr__(name: str) -> Any:
    """Import on first use: a camera node need not load OpenVINO, nor `pose3d --help` ROS."""
    if name in _MODULES:
        return getattr(import_module(f'{__name__}.{_MODULES[name]}'), name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
