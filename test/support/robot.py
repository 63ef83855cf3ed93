"""A pose node in this process with fake cameras and subscribers, over real DDS."""

import itertools
import time

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from pose3d_ros.msg import PoseArray3D
from pose3d_ros.ros.messages.camera_info import camera_info_msg
from pose3d_ros.ros.pose_node import SUCCESS, PoseNode
from pose3d_ros.ros.topic_names import topic_beside
from synthetic.scene import CAMERA, people_m

# The people that the network of fixture two_people_xml detects in GREY and not in BLACK.
TRUTH = people_m((-0.5, 0.1, 3.0), (0.6, 0, 3.5))
GREY = np.full((256, 448, 3), 128, np.uint8)
BLACK = np.zeros_like(GREY)
PATIENCE_S = 10
NUMBERS = itertools.count()
OUTPUTS = {
    PoseArray3D: 'poses',
    MarkerArray: 'markers',
    Image: 'overlay',
    PointCloud2: 'people_cloud',
}


class Robot:
    """A pose node with fake cameras and subscribers to its outputs.

    `camera` is the node's CameraStream of the first camera; `images`, `infos` and `received` are
    publishers of the first fake camera and the messages received for it.
    """

    def __init__(
        self,
        model,
        outputs=(PoseArray3D,),
        namespace='',
        image='',
        remap=(),
        await_camera=True,
        activate=True,
        **parameters,
    ):
        # The networks of the tests have exact location maps, and their people are no bodies.
        parameters = {
            'model': str(model),
            'device': 'CPU',
            'precision': 'f32',
            'lifting': 'location_maps',
            'camera_pose_memory': False,
            **parameters,
        }
        overrides = [Parameter(name, value=value) for name, value in parameters.items()]
        # A namespace of its own, because other robots have topics of the same names.
        namespace = namespace or f'/robot{next(NUMBERS)}'
        rules = [*remap, *([f'image_raw:={image}'] if image else [])]
        cli_args = ['--ros-args', *(word for rule in rules for word in ('-r', rule))]
        self.pose_node = PoseNode(
            parameter_overrides=overrides, namespace=namespace, cli_args=cli_args
        )
        self.node = rclpy.create_node('robot', namespace=namespace)
        compressed = parameters.get('image_transport') == 'compressed'
        self.cameras = [
            FakeCamera(self.node, f'{name}/' if name else '', image or 'image_raw', compressed)
            for name in parameters.get('cameras', [''])
        ]
        self.images, self.infos, self.received = (
            self.cameras[0].images,
            self.cameras[0].infos,
            self.cameras[0].received,
        )
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.pose_node)
        self.executor.add_node(self.node)
        for camera in self.cameras:
            camera.subscribe(outputs)
        if activate:
            assert self.pose_node.trigger_configure() == SUCCESS
            assert self.pose_node.trigger_activate() == SUCCESS
            cameras = bool(outputs) or not parameters.get('lazy', True)
            self.spin_until(lambda: self.connected(outputs, cameras, cameras and await_camera))

    @property
    def camera(self):
        return self.pose_node.cameras[0]

    def connected(self, outputs, infos, images):
        """Return whether all publishers have a subscriber."""
        publishers = [
            getattr(camera.publishers, OUTPUTS[kind])
            for camera in self.pose_node.cameras
            for kind in outputs
        ]
        for camera in self.cameras:
            publishers += [camera.infos] * infos + [camera.images] * images
        return all(publisher.get_subscription_count() for publisher in publishers)

    def spin_until(self, condition):
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, 'timed out'
            self.executor.spin_once(timeout_sec=0.02)

    def calibrate(self, info):
        self.infos.publish(info)
        self.spin_until(lambda: self.camera.calibration.info == info)

    def send(self, image):
        """Publish an image and wait until the node has counted it."""
        before = self.camera.statistics.images
        self.images.publish(image)
        self.spin_until(lambda: self.camera.statistics.images > before)

    def poses_of(self, image, camera=0):
        received = self.cameras[camera].received[PoseArray3D]
        number = len(received)
        self.cameras[camera].images.publish(image)
        self.spin_until(lambda: len(received) > number)
        return received[-1]

    def now_s(self):
        return time.monotonic()

    def close(self):
        self.executor.shutdown()
        self.pose_node.destroy_node()
        self.node.destroy_node()


class FakeCamera:
    """Publishers of a camera, and the node's outputs received for it."""

    def __init__(self, node, prefix, image, compressed):
        self.node, self.prefix = node, prefix
        kind = CompressedImage if compressed else Image
        topic = f'{prefix}{image}{"/compressed" if compressed else ""}'
        self.images = node.create_publisher(kind, topic, qos_profile_sensor_data)
        self.infos = node.create_publisher(
            CameraInfo, topic_beside(f'{prefix}{image}', 'camera_info'), qos_profile_sensor_data
        )
        self.received = {kind: [] for kind in OUTPUTS}
        self.subscriptions = []

    def subscribe(self, outputs, depth=10):
        for kind in outputs:
            self.subscriptions.append(
                self.node.create_subscription(
                    kind, f'{self.prefix}{OUTPUTS[kind]}', self.received[kind].append, depth
                )
            )

    def unsubscribe(self):
        while self.subscriptions:
            self.node.destroy_subscription(self.subscriptions.pop())


def header(second=0, nanosec=0, frame='camera_optical_frame'):
    made = Header(frame_id=frame)
    made.stamp.sec, made.stamp.nanosec = second, nanosec
    return made


def camera_info():
    return camera_info_msg(CAMERA, 448, 256, header())


def depth_msg(depth_m, encoding='16UC1', big=False, padding=0, **fields):
    """A depth image (H, W) m as a message; `fields` change it afterwards."""
    kind = 'f4' if encoding == '32FC1' else 'u2'
    values = depth_m if kind == 'f4' else np.round(np.nan_to_num(depth_m) * 1000)
    samples = values.astype(np.dtype(kind).newbyteorder('>' if big else '<'))
    rows = np.ascontiguousarray(samples).view(np.uint8).reshape(len(depth_m), -1)
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=99)
    image = Image(encoding=encoding, height=depth_m.shape[0], width=depth_m.shape[1])
    image.is_bigendian, image.step, image.data = int(big), padded.shape[1], padded.tobytes()
    for name, value in fields.items():
        setattr(image, name, value)
    return image


def metres(message):
    """(N, 19, 3), the people from left to right."""
    xyz = [
        [(k.position.x, k.position.y, k.position.z) for k in pose.keypoints]
        for pose in message.poses
    ]
    return np.array(sorted(xyz))
