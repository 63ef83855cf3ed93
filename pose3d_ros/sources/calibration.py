"""Calibration files of cameras, in the formats of ROS's camera_calibration_parsers.

Read as they are there: YAML and INI, with the addresses that camera_info_manager resolves.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from pose3d_ros.camera import Intrinsics
from pose3d_ros.lens_coefficients import read_distortion

# Positions among OpenCV's k1 k2 p1 p2 k3 k4 k5 k6 s1 s2 s3 s4 tx ty of the coefficients that
# change sign in a mirror: p2, s1, s2 and ty.
ODD_IN_X = (3, 8, 9, 13)


class CalibrationError(Exception):
    """A calibration that cannot be used; the text, one line, names the file and the cause."""


class CalibrationFile(NamedTuple):
    """What a calibration file holds."""

    intrinsics: Intrinsics
    width: int  # px, of the images that it is for
    height: int
    note: str = ''  # what was assumed to read it, or ''


def read_calibration(address: str, camera_name: str = '') -> CalibrationFile:
    """Read intrinsics and image size of a calibration file.

    Rectification and projection are not read: the images are not those of a stereo camera.

    Parameters
    ----------
    address
        A path, file:///PATH, package://PACKAGE/PATH, or one with ${ROS_HOME} and ${NAME}.
    camera_name
        For ${NAME}.

    Raises
    ------
    CalibrationError
        If the file is missing or holds no usable calibration.
    """
    try:
        path = resolve(address, camera_name)
        text = path.read_text(encoding='utf-8-sig')
        content = _read_ini(text) if _is_ini(text) else _read_yaml(text)
        return _intrinsics(content)
    except KeyError as error:
        raise CalibrationError(f'calibration_file {address} has no {error}') from error
    except OSError as error:
        raise CalibrationError(
            f'calibration_file {address} cannot be read: {error.strerror} ({error.filename})'
        ) from error
    except (TypeError, ValueError, IndexError, yaml.YAMLError) as error:
        raise CalibrationError(
            f'calibration_file {address} is not as camera_calibration writes it: '
            f'{" ".join(str(error).split())}'
        ) from error


def resolve(address: str, camera_name: str = '') -> Path:
    """Return the path of an address as camera_info_manager resolves it.

    Raises
    ------
    ValueError
        If it names a package that is not installed, or a scheme other than file and package.
    """
    home = os.environ.get('ROS_HOME') or '~/.ros'
    address = address.replace('${ROS_HOME}', home).replace('${NAME}', camera_name)
    scheme, separator, rest = address.partition('://')
    if not separator or scheme == 'file':
        return Path(rest if separator else address).expanduser()
    if scheme != 'package':
        raise ValueError(f'the address must be file:// or package://, found {scheme}://')
    package, _, name = rest.partition('/')
    prefixes = [*os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep), sys.prefix]
    for prefix in filter(None, prefixes):
        share = Path(prefix) / 'share' / package
        if share.is_dir():
            return share / name
    raise ValueError(f'there is no package {package!r} in AMENT_PREFIX_PATH')


def mirrored(intrinsics: Intrinsics, width: int) -> Intrinsics:
    """Return the intrinsics of images with left and right swapped."""
    odd = () if intrinsics.model == 'equidistant' else ODD_IN_X
    distortion = tuple(-v if i in odd else v for i, v in enumerate(intrinsics.distortion))
    return replace(intrinsics, cx=width - 1 - intrinsics.cx, distortion=distortion)


def _intrinsics(content: dict[str, Any]) -> CalibrationFile:
    k = [float(value) for value in content['camera_matrix']['data']]
    if len(k) != 9:
        raise ValueError(f'camera_matrix must have 9 numbers, found {len(k)}')
    numbers = tuple(float(value) for value in content['distortion_coefficients']['data'])
    # Files of camera_calibration before 2020 do not name the model.
    model = str(content.get('distortion_model') or '')
    model, distortion, note = read_distortion(model, numbers)
    intrinsics = Intrinsics(k[0], k[4], k[2], k[5], distortion, model)
    width, height = int(content['image_width']), int(content['image_height'])
    if width <= 0 or height <= 0:
        raise ValueError(f'image_width and image_height must be positive, found {width}x{height}')
    return CalibrationFile(intrinsics, width, height, note)


def _read_yaml(text: str) -> dict[str, Any]:
    """Read YAML, also with the directive and the tags of OpenCV's FileStorage."""
    text = re.sub(r'\A%YAML:[\d.]+', '', text).replace('!!opencv-matrix', '')
    content = yaml.safe_load(text)
    if not isinstance(content, dict):
        raise ValueError('found no names with values')
    return content


def _is_ini(text: str) -> bool:
    return any(line.strip() == '[image]' for line in text.splitlines())


def _read_ini(text: str) -> dict[str, Any]:
    """Read the INI format of camera_calibration: names and values on lines of their own."""
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith(('#', '['))]
    names = {
        'width': 1, 'height': 1, 'camera matrix': 3, 'distortion': 1, 'rectification': 3,
        'projection': 3,
    }  # fmt: skip
    found: dict[str, list[str]] = {}
    for i, line in enumerate(lines):
        if line in names:
            found[line] = ' '.join(lines[i + 1 : i + 1 + names[line]]).split()
    return {
        'image_width': found['width'][0],
        'image_height': found['height'][0],
        'camera_matrix': {'data': found['camera matrix']},
        'distortion_coefficients': {'data': found['distortion']},
    }
