"""Stand-in for the parts of tf2_ros that this package uses, which PyPI does not have.

It follows the documentation of tf2_ros; test/ros/test_frames.py tests with the real one.
"""

from types import ModuleType

from geometry_msgs.msg import TransformStamped
from rclpy.time import Time


class TransformException(Exception):
    pass


class Buffer:
    """Transforms at single stamps; tests fill `transforms`."""

    def __init__(self):
        self.transforms = {}

    def get_latest_common_time(self, target, source):
        stamps = [ns for (*frames, ns) in self.transforms if frames == [target, source]]
        if not stamps:
            raise TransformException(f'{source} or {target} does not exist')
        return Time(nanoseconds=max(stamps))

    def lookup_transform(self, target, source, time, timeout):
        key = (target, source, time.nanoseconds)
        if key not in self.transforms:
            raise TransformException('extrapolation')
        return TransformStamped(transform=self.transforms[key])

    def clear(self):
        self.transforms.clear()


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
