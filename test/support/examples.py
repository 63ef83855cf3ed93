"""The example nodes as modules, and messages for them."""

import importlib.util
import math
from pathlib import Path

from geometry_msgs.msg import Point

from pose3d_ros.msg import Keypoint3D

FOLDER = Path(__file__).parents[2] / 'examples'
NAN = math.nan


def load(name):
    """Import an example."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def keypoint(place_m=(NAN, NAN, NAN), stddev_m=0.0, score=1.0):
    """A Keypoint3D at a place."""
    position = Point(**dict(zip('xyz', map(float, place_m), strict=True)))
    return Keypoint3D(position=position, position_stddev=float(stddev_m), score=float(score))
