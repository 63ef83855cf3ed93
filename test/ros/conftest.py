import importlib.util
import sys
import time

import pytest
import rclpy
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Quaternion, Transform, TransformStamped, Vector3
from rclpy.time import Time as RclpyTime
from support import tf2_stand_in
from support.robot import Robot, header

from pose3d_ros.ros.transforms import FrameError

PATIENCE_S = 10
# REP 103: from x right, y down, z forward to x forward, y left, z up.
OPTICAL = Quaternion(x=-0.5, y=0.5, z=-0.5, w=0.5)
needs_tf2 = pytest.mark.skipif(
    importlib.util.find_spec('tf2_ros') is None, reason='tf2_ros is not installed'
)


@pytest.fixture(params=['stand-in', pytest.param('tf2_ros', marks=needs_tf2)])
def set_transform(request, monkeypatch):
    """Set the transform of a robot's camera at a second: at x, m, in base_link."""
    if request.param == 'stand-in':
        monkeypatch.setitem(sys.modules, 'tf2_ros', tf2_stand_in.module())

    def set_transform(r, second, x=0.0):
        stamp = Time(sec=second)
        transform = Transform(translation=Vector3(x=x, y=0.0, z=1.2), rotation=OPTICAL)
        transforms = r.pose_node.transforms
        if request.param == 'stand-in':
            key = ('base_link', 'camera_optical_frame', RclpyTime.from_msg(stamp).nanoseconds)
            transforms._buffer.transforms[key] = transform
            return
        import tf2_ros

        message = TransformStamped(header=header(second, frame='base_link'), transform=transform)
        message.child_frame_id = 'camera_optical_frame'
        broadcaster = tf2_ros.TransformBroadcaster(r.node)
        deadline = time.monotonic() + PATIENCE_S
        while True:
            broadcaster.sendTransform(message)
            try:
                transforms.find('base_link', 'camera_optical_frame', stamp)
                return
            except FrameError:
                assert time.monotonic() < deadline, 'the transform was not received'
                time.sleep(0.02)

    return set_transform


@pytest.fixture
def robot(two_people_xml):
    robots = []

    def make(*args, model=two_people_xml, **parameters):
        robots.append(Robot(model, *args, **parameters))
        return robots[-1]

    rclpy.init()
    yield make
    for made in robots:
        made.close()
    rclpy.shutdown()
