"""Keep the pose of a camera at rest from one run to the next, in a JSON file."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from pose3d_ros.camera import CameraPose, Intrinsics
from pose3d_ros.camera_pose.estimate import CameraPoseEstimate

VERSION = 1


class CameraPoseStore:
    """Files with the poses of cameras, one each.

    Parameters
    ----------
    folder
        Where the files are; it is made when it is needed.

    Attributes
    ----------
    last_error
        Why the last call did nothing; '' where it succeeded or there was no file.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self.last_error = ''

    def path(self, frame_id: str, intrinsics: Intrinsics) -> Path:
        """Return the path of a camera's file, by its frame and its intrinsics in whole pixels."""
        key = json.dumps(_camera(frame_id, intrinsics), sort_keys=True)
        digest = hashlib.sha256(key.encode()).hexdigest()[:16]
        return self.folder / f'camera_pose_{digest}.json'

    def load(self, frame_id: str, intrinsics: Intrinsics) -> CameraPoseEstimate | None:
        """Return what was saved of a camera, or None."""
        self.last_error = ''
        path = self.path(frame_id, intrinsics)
        try:
            return _parsed(json.loads(path.read_text()), _camera(frame_id, intrinsics))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            self.last_error = f'camera pose in {path} ignored: {error!r}'
            return None

    def save(self, frame_id: str, intrinsics: Intrinsics, estimate: CameraPoseEstimate) -> bool:
        """Write what is known of a camera, and tell whether that succeeded.

        The file is replaced at once, so that no reader sees half of it.
        """
        self.last_error = ''
        content = {
            'version': VERSION,
            'camera': _camera(frame_id, intrinsics),
            'up': estimate.up.tolist(),
            'height_m': estimate.height_m,
            'covariance': estimate.covariance.tolist(),
            'seconds': estimate.seconds,
            'people': estimate.people,
        }
        path = self.path(frame_id, intrinsics)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _replace(path, json.dumps(content, indent=1))
        except OSError as error:
            self.last_error = f'camera pose not written to {path}: {error}'
        return not self.last_error


def _replace(path: Path, text: str) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix='.tmp')
    try:
        with os.fdopen(descriptor, 'w') as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _camera(frame_id: str, intrinsics: Intrinsics) -> dict[str, Any]:
    lens = [round(c, 3) for c in intrinsics.distortion]
    sizes = (intrinsics.fx, intrinsics.fy, intrinsics.cx, intrinsics.cy)
    return {'frame_id': frame_id, 'fx_fy_cx_cy_px': [round(v) for v in sizes],
            'model': intrinsics.model, 'distortion': lens}  # fmt: skip


def _parsed(content: Any, camera: dict[str, Any]) -> CameraPoseEstimate:
    """Check what a file says. ValueError, TypeError or KeyError where it is not as written."""
    if not isinstance(content, dict) or content.get('version') != VERSION:
        raise ValueError(f'expected an object of version {VERSION}')
    if content['camera'] != camera:
        raise ValueError(f'it is of another camera, {content["camera"]}')
    pose = CameraPose(np.array(content['up'], float), float(content['height_m']))
    covariance = np.array(content['covariance'], float)
    if covariance.shape != (3, 3) or not np.isfinite(covariance).all() or (
        np.linalg.eigvalsh(covariance)[0] <= 0
    ):  # fmt: skip
        raise ValueError('covariance must be a positive definite (3, 3) matrix')
    if not pose.height_m > 0:
        raise ValueError(f'height_m must be positive, found {pose.height_m}')
    return CameraPoseEstimate(
        pose.up, pose.height_m, covariance, float(content['seconds']), int(content['people'])
    )
