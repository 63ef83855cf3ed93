"""What this package uses of tf2_ros, for where that is not installed: PyPI does not have it.

After its documentation; test/ros/test_frames.py holds the package against the real one.
"""

from types import ModuleType

from geometry_msgs.msg import TransformStamped
from rclpy.time import Time


class TransformException(Exception):
    pass


class Buffer:
    """Transforms at single stamps; `told` is filled by tests."""

    def __init__(self):
        self.told = {}

    def get_latest_common_time(self, target, source):
        stamps = [ns for (*frames, ns) in self.told if frames == [target, source]]
        if not stamps:
            raise TransformException(f'{source} or {target} does not exist')
        return Time(nanoseconds=max(stamps))

    def lookup_transform(self, target, source, time, timeout):
        key = (target, source, time.nanoseconds)
        if key not in self.told:
            raise TransformException('extrapolation')
        return TransformStamped(transform=self.told[key])

    def clear(self):
        self.told.clear()


class TransformListener:
    def __init__(self, buffer, node):
        pass

    def unregister(self):
        pass


def module():
    made = ModuleType('tf2_ros')
    made.Buffer, made.TransformListener = Buffer, TransformListener
    made.TransformException = TransformException
    return made
