"""A pose node in a process of its own, observed through its topics, services and log."""

import itertools
import os
import signal
import time

import cv2
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from hypothesis import HealthCheck, Phase, settings
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter_client import AsyncParameterClient
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from pose3d_ros.msg import PoseArray3D
from pose3d_ros.ros.messages.images import image_msg
from support.node_process import PATIENCE_S, Process
from support.robot import GREY, FakeCamera, camera_info

# Number of images within which a recovered node must publish poses, and their period, s. On a busy
# machine the period is the time that a healthy node takes for an image.
RECOVERY_IMAGES = 10
PERIOD_S = 0.1
NUMBERS = itertools.count()
CONFIGURE, ACTIVATE = Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE
DEACTIVATE, CLEANUP = Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP
STATES = {
    CONFIGURE: State.PRIMARY_STATE_INACTIVE,
    ACTIVATE: State.PRIMARY_STATE_ACTIVE,
    DEACTIVATE: State.PRIMARY_STATE_INACTIVE,
    CLEANUP: State.PRIMARY_STATE_UNCONFIGURED,
}
# Settings of hypothesis: the same messages in every run, and no shrinking, which would start
# hundreds of nodes.
PROFILE = settings(
    derandomize=True, database=None, deadline=None, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
COUNTS = ('images', 'dropped images', 'bad images', 'late images')


class NodeUnderTest:
    """A pose node as a process, with fake cameras and subscribers to its outputs."""

    def __init__(self, model, folder, rules=(), queue=0, command='node', **parameters):
        self.namespace = f'/under_test{os.getpid()}_{next(NUMBERS)}'
        self.folder, self.rules, self.command, self.processes = folder, rules, command, []
        self.parameters = {
            'model': model, 'device': 'CPU', 'precision': 'f32', 'diagnostics_period': 0.1,
            'lifting': 'location_maps', 'camera_pose_memory': False, **parameters,
        }  # fmt: skip
        self.peer = rclpy.create_node('peer', namespace=self.namespace)
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.peer)
        compressed = parameters.get('image_transport') == 'compressed'
        self.cameras = [
            FakeCamera(self.peer, f'{name}/' if name else '', 'image_raw', compressed)
            for name in parameters.get('cameras', [''])
        ]
        for camera in self.cameras:
            # Poses arrive while this process is busy sending: none may be overwritten.
            camera.subscribe([PoseArray3D], depth=1000)
        self.camera = self.cameras[0]
        self.good_image = self.png if compressed else self.image_now
        self.status_name = self.camera.prefix.rstrip('/') or 'camera'
        self.received = self.camera.received[PoseArray3D]
        if queue:
            self._queue_images(queue)
        self.period_s = PERIOD_S
        # Stamps, ns, of all images that were sent.
        self.sent = []
        self.arrays = []
        self.peer.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 10)
        self.clients = {
            kind: self.peer.create_client(kind, f'pose_node/{name}')
            for kind, name in ((ChangeState, 'change_state'), (GetState, 'get_state'))
        }
        self.parameter_client = AsyncParameterClient(self.peer, 'pose_node')
        self.start()

    def _queue_images(self, depth):
        """Make images reliable and queued, so that every image that is sent is processed."""
        topic, qos = self.camera.images.topic_name, QoSProfile(depth=depth)
        kind = self.camera.images.msg_type
        self.peer.destroy_publisher(self.camera.images)
        self.camera.images = self.peer.create_publisher(kind, topic, qos)
        for policy, value in (('reliability', 'reliable'), ('depth', depth)):
            self.parameters[f'qos_overrides.{topic}.subscription.{policy}'] = value
        self.parameters[f'qos_overrides.{self.namespace}/poses.publisher.depth'] = depth

    def _on_diagnostics(self, array):
        if array.status[0].name.startswith(f'{self.namespace[1:]}/'):
            self.arrays.append({s.name.rpartition(': ')[2]: s for s in array.status})

    def run(self, command, rules=(), **parameters):
        """Start another node of the package in the same namespace."""
        log = self.folder / f'{len(self.processes)}.log'
        self.processes.append(Process(command, log, self.namespace, rules, **parameters))
        return self.processes[-1]

    def start(self):
        """Start the pose node."""
        self.process = self.run(self.command, self.rules, **self.parameters)

    def spin_until(self, condition):
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert not self.process.ended(), f'the node ended:\n{self.process.log.read_text()}'
            assert time.monotonic() < deadline, f'timed out:\n{self.process.log.read_text()}'
            self.executor.spin_once(timeout_sec=0.02)

    def spin(self, duration_s):
        end_s = time.monotonic() + duration_s
        self.spin_until(lambda: time.monotonic() >= end_s)

    def subscribed(self):
        return self.camera.images.get_subscription_count()

    def processed_stamps(self):
        """Return the stamps, ns, of all published poses."""
        return [nanoseconds(message.header.stamp) for message in self.received]

    def image_now(self, bgr=GREY):
        """Return an image with the present time as its stamp."""
        stamp = self.peer.get_clock().now().to_msg()
        return image_msg(bgr, Header(frame_id='camera_optical_frame', stamp=stamp))

    def png(self):
        """Return a compressed image with the present time as its stamp."""
        data = cv2.imencode('.png', GREY)[1].tobytes()
        return CompressedImage(header=self.image_now().header, format='png', data=data)

    def send(self, image):
        self.sent.append(nanoseconds(image.header.stamp))
        self.camera.images.publish(image)

    def await_poses(self, image=None, at_most=RECOVERY_IMAGES, period_s=0.0, then=None):
        """Send good images until poses of one are published, and return them.

        `image` makes an image; `then` is called with it after it was sent.
        """
        self.spin_until(self.subscribed)
        stamps = set()
        for _ in range(at_most):
            good = (image or self.good_image)()
            stamps.add(nanoseconds(good.header.stamp))
            self.send(good)
            if then:
                then(good)
            end_s = time.monotonic() + (period_s or self.period_s)
            while (left_s := end_s - time.monotonic()) > 0:
                self.executor.spin_once(timeout_sec=left_s)
                for message in reversed(self.received):
                    if nanoseconds(message.header.stamp) in stamps:
                        return message
        raise AssertionError(f'no poses of {at_most} good images:\n{self.process.log.read_text()}')

    def ready(self):
        """Wait until the node has started. Images count from the first poses on."""
        self.await_poses(at_most=int(PATIENCE_S / PERIOD_S))
        del self.sent[: self.sent.index(self.processed_stamps()[0])]
        for _ in range(3):
            start_s = time.monotonic()
            self.settle()
            self.period_s = max(self.period_s, time.monotonic() - start_s)

    def settle(self):
        """Wait until all sent images are processed or dropped."""
        self.await_poses(period_s=PATIENCE_S / RECOVERY_IMAGES)

    def statuses(self):
        """Return the diagnostics of everything that has happened until now."""
        # The next message may have been composed before.
        number = len(self.arrays) + 2
        self.spin_until(lambda: len(self.arrays) >= number)
        return self.arrays[-1]

    def counts(self):
        values = {pair.key: pair.value for pair in self.statuses()[self.status_name].values}
        return {name: int(values[name]) for name in COUNTS}

    def until_status(self, level, text):
        def reported():
            found = [array[self.status_name] for array in self.arrays]
            return any(s.level == level and text in s.message for s in found)

        del self.arrays[:]
        self.spin_until(reported)

    def check_counts(self):
        """Check that every sent image was processed once, bad or dropped; return the counts."""
        # The last image must arrive: losses after it cannot be counted.
        self.settle()
        found, processed = self.counts(), self.processed_stamps()
        assert len(set(processed)) == len(processed)
        assert set(processed) <= set(self.sent)
        assert found['images'] == len(processed) + found['bad images'] + found['late images']
        assert len(self.sent) == found['images'] + found['dropped images']
        return found

    def call(self, client, request):
        self.spin_until(client.service_is_ready)
        return self.wait_for(client.call_async(request))

    def wait_for(self, future):
        self.spin_until(future.done)
        return future.result()

    def change(self, transition):
        """Trigger a transition as a lifecycle manager does."""
        request = ChangeState.Request(transition=Transition(id=transition))
        return self.call(self.clients[ChangeState], request).success

    def state(self):
        return self.call(self.clients[GetState], GetState.Request()).current_state.id

    def calibrate(self):
        """Send a CameraInfo until it is used."""

        def used():
            self.camera.infos.publish(camera_info())
            return self.await_poses().intrinsics_source == PoseArray3D.CAMERA_INFO

        self.spin_until(used)

    def close(self):
        """End all processes, which must exit with status 0."""
        statuses = [p.end(signal.SIGTERM) for p in self.processes if not p.ended()]
        self.executor.shutdown()
        self.peer.destroy_node()
        assert not any(statuses)


def nanoseconds(stamp):
    return stamp.sec * 10**9 + stamp.nanosec
