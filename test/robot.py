"""A camera, one pose node and somebody who listens to it, with real messages over real DDS."""

import itertools
import time

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from scene import CAMERA, people_m
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from pose3d_ros.msg import PoseArray3D
from pose3d_ros.ros.conversions import camera_info_msg
from pose3d_ros.ros.pose_node import PoseNode

# What the fixture two_people_xml sees in GREY, and not in BLACK.
TRUTH = people_m((-0.5, 0.1, 3.0), (0.6, 0, 3.5))
GREY = np.full((256, 448, 3), 128, np.uint8)
BLACK = np.zeros_like(GREY)
PATIENCE_S = 10
NUMBERS = itertools.count()


class Robot:
    """A camera that publishes to one pose node, and somebody who listens to it."""

    def __init__(
        self,
        model,
        outputs_wanted=(PoseArray3D,),
        namespace='',
        image='',
        await_camera=True,
        **parameters,
    ):
        parameters = {'model': str(model), 'device': 'CPU', 'precision': 'f32', **parameters}
        overrides = [Parameter(name, value=value) for name, value in parameters.items()]
        # A namespace of its own: other robots have topics of the same names.
        namespace = namespace or f'/robot{next(NUMBERS)}'
        remap = ['--ros-args', '-r', f'image_raw:={image}'] if image else []
        self.pose_node = PoseNode(
            parameter_overrides=overrides, namespace=namespace, cli_args=remap
        )
        self.node = rclpy.create_node('robot', namespace=namespace)
        kind, topic = Image, image or 'image_raw'
        if parameters.get('image_transport') == 'compressed':
            kind, topic = CompressedImage, f'{topic}/compressed'
        self.images = self.node.create_publisher(kind, topic, qos_profile_sensor_data)
        self.infos = self.node.create_publisher(CameraInfo, 'camera_info', qos_profile_sensor_data)
        self.got = {PoseArray3D: [], MarkerArray: [], Image: []}
        topics = {PoseArray3D: 'poses', MarkerArray: 'markers', Image: 'overlay'}
        for kind in outputs_wanted:
            self.node.create_subscription(kind, topics[kind], self.got[kind].append, 10)
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.pose_node)
        self.executor.add_node(self.node)
        heard = [getattr(self.pose_node, topics[kind]) for kind in outputs_wanted]
        heard += [self.infos, *([self.images] if await_camera else [])]
        self.spin_until(lambda: all(p.get_subscription_count() for p in heard))

    def spin_until(self, condition):
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, 'nothing came'
            self.executor.spin_once(timeout_sec=0.02)

    def calibrate(self, info):
        self.infos.publish(info)
        self.spin_until(lambda: self.pose_node.calibration.info == info)

    def see(self, image):
        """Publish an image, wait for what the node makes of it."""
        seen = self.pose_node.images
        self.images.publish(image)
        self.spin_until(lambda: self.pose_node.images > seen)

    def poses_of(self, image):
        number = len(self.got[PoseArray3D])
        self.see(image)
        self.spin_until(lambda: len(self.got[PoseArray3D]) > number)
        return self.got[PoseArray3D][-1]

    def close(self):
        self.executor.shutdown()
        self.pose_node.destroy_node()
        self.node.destroy_node()


def header(second=0, nanosec=0, frame='camera_optical_frame'):
    made = Header(frame_id=frame)
    made.stamp.sec, made.stamp.nanosec = second, nanosec
    return made


def camera_info():
    return camera_info_msg(CAMERA, 448, 256, header())


def metres(message):
    """(N, 19, 3), the people from left to right."""
    xyz = [
        [(k.position.x, k.position.y, k.position.z) for k in pose.keypoints]
        for pose in message.poses
    ]
    return np.array(sorted(xyz))
