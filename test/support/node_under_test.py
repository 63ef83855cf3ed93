"""A pose node in a process of its own, and what can be known of it from outside.

That is what it publishes, what its services say, and its log.
"""

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

# Images that a recovered node may be sent until one is answered, every 0.1 s: a second. On a
# machine so busy that a healthy node takes longer for one, as often as it answers.
AT_ONCE = 10
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
# Of hypothesis: the same messages every time. What fails is printed as it is, since to make it
# smaller would start hundreds of nodes.
PROFILE = settings(
    derandomize=True, database=None, deadline=None, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
COUNTS = ('images', 'dropped images', 'bad images')


class NodeUnderTest:
    """A pose node as a process, its camera, and somebody who listens."""

    def __init__(self, model, folder, rules=(), queue=0, **parameters):
        self.namespace = f'/outside{os.getpid()}_{next(NUMBERS)}'
        self.folder, self.rules, self.processes = folder, rules, []
        self.parameters = {
            'model': model, 'device': 'CPU', 'precision': 'f32', 'diagnostics_period': 0.1,
            'lifting': 'location_maps', **parameters,
        }  # fmt: skip
        self.node = rclpy.create_node('outside', namespace=self.namespace)
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        compressed = parameters.get('image_transport') == 'compressed'
        self.eyes = [
            FakeCamera(self.node, f'{name}/' if name else '', 'image_raw', compressed)
            for name in parameters.get('cameras', [''])
        ]
        for eye in self.eyes:
            # Answers come while this process is busy sending: none may be overwritten.
            eye.listen([PoseArray3D], depth=1000)
        self.eye = self.eyes[0]
        self.good = self.png if compressed else self.stamped
        self.camera = self.eye.prefix.rstrip('/') or 'camera'
        self.received = self.eye.received[PoseArray3D]
        if queue:
            self._have_images_queue(queue)
        self.period_s = PERIOD_S
        # Stamps, ns, of all that was sent.
        self.sent = []
        self.arrays = []
        self.node.create_subscription(DiagnosticArray, '/diagnostics', self._hear, 10)
        self.clients = {
            kind: self.node.create_client(kind, f'pose_node/{name}')
            for kind, name in ((ChangeState, 'change_state'), (GetState, 'get_state'))
        }
        self.parameter_client = AsyncParameterClient(self.node, 'pose_node')
        self.start()

    def _have_images_queue(self, depth):
        """Nothing makes way and nothing is lost: every image that is sent is worked on."""
        topic, qos = self.eye.images.topic_name, QoSProfile(depth=depth)
        kind = self.eye.images.msg_type
        self.node.destroy_publisher(self.eye.images)
        self.eye.images = self.node.create_publisher(kind, topic, qos)
        for policy, value in (('reliability', 'reliable'), ('depth', depth)):
            self.parameters[f'qos_overrides.{topic}.subscription.{policy}'] = value
        self.parameters[f'qos_overrides.{self.namespace}/poses.publisher.depth'] = depth

    def _hear(self, array):
        if array.status[0].name.startswith(f'{self.namespace[1:]}/'):
            self.arrays.append({s.name.rpartition(': ')[2]: s for s in array.status})

    def run(self, command, rules=(), **parameters):
        """Start another node of the package in the same namespace."""
        log = self.folder / f'{len(self.processes)}.log'
        self.processes.append(Process(command, log, self.namespace, rules, **parameters))
        return self.processes[-1]

    def start(self):
        """Start the pose node."""
        self.process = self.run('node', self.rules, **self.parameters)

    def spin_until(self, condition):
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert not self.process.ended(), f'the node ended:\n{self.process.log.read_text()}'
            assert time.monotonic() < deadline, f'nothing came:\n{self.process.log.read_text()}'
            self.executor.spin_once(timeout_sec=0.02)

    def spin(self, duration_s):
        end_s = time.monotonic() + duration_s
        self.spin_until(lambda: time.monotonic() >= end_s)

    def heard(self):
        return self.eye.images.get_subscription_count()

    def answered(self):
        """Stamps, ns, of all the answers."""
        return [nanoseconds(message.header.stamp) for message in self.received]

    def stamped(self, bgr=GREY):
        """Make an image of now."""
        stamp = self.node.get_clock().now().to_msg()
        return image_msg(bgr, Header(frame_id='camera_optical_frame', stamp=stamp))

    def png(self):
        """Make a compressed image of now."""
        data = cv2.imencode('.png', GREY)[1].tobytes()
        return CompressedImage(header=self.stamped().header, format='png', data=data)

    def send(self, image):
        self.sent.append(nanoseconds(image.header.stamp))
        self.eye.images.publish(image)

    def answers(self, image=None, at_most=AT_ONCE, period_s=0.0, then=None):
        """Check that good images are answered again at once; the first answer.

        `image` makes one; `then` is done with it when it has been sent.
        """
        self.spin_until(self.heard)
        stamps = set()
        for _ in range(at_most):
            good = (image or self.good)()
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
        raise AssertionError(
            f'none of {at_most} good images was answered:\n{self.process.log.read_text()}'
        )

    def ready(self):
        """Wait for the node to have started. Images count from the first answer on."""
        self.answers(at_most=int(PATIENCE_S / PERIOD_S))
        del self.sent[: self.sent.index(self.answered()[0])]
        for _ in range(3):
            start_s = time.monotonic()
            self.settle()
            self.period_s = max(self.period_s, time.monotonic() - start_s)

    def settle(self):
        """Wait for all that was sent to be answered, or to have made way."""
        self.answers(period_s=PATIENCE_S / AT_ONCE)

    def statuses(self):
        """What the node says on /diagnostics of everything that has happened until now."""
        # The first may have been under way.
        number = len(self.arrays) + 2
        self.spin_until(lambda: len(self.arrays) >= number)
        return self.arrays[-1]

    def counts(self):
        values = {pair.key: pair.value for pair in self.statuses()[self.camera].values}
        return {name: int(values[name]) for name in COUNTS}

    def until_status(self, level, text):
        def said():
            found = [array[self.camera] for array in self.arrays]
            return any(s.level == level and text in s.message for s in found)

        del self.arrays[:]
        self.spin_until(said)

    def check_counts(self):
        """Check that every image sent was answered once, bad, or dropped; the counts."""
        # What is dropped behind the last that arrives nobody can know.
        self.settle()
        found, answered = self.counts(), self.answered()
        assert len(set(answered)) == len(answered)
        assert set(answered) <= set(self.sent)
        assert found['images'] == len(answered) + found['bad images']
        assert len(self.sent) == found['images'] + found['dropped images']
        return found

    def call(self, client, request):
        self.spin_until(client.service_is_ready)
        return self.wait_for(client.call_async(request))

    def wait_for(self, future):
        self.spin_until(future.done)
        return future.result()

    def change(self, transition):
        """Have the node change its state as a lifecycle manager does."""
        request = ChangeState.Request(transition=Transition(id=transition))
        return self.call(self.clients[ChangeState], request).success

    def state(self):
        return self.call(self.clients[GetState], GetState.Request()).current_state.id

    def calibrate(self):
        """Send a CameraInfo until it is used."""

        def used():
            self.eye.infos.publish(camera_info())
            return self.answers().intrinsics_source == PoseArray3D.CAMERA_INFO

        self.spin_until(used)

    def close(self):
        """End all that was started; whatever it went through, it ends well."""
        statuses = [p.end(signal.SIGTERM) for p in self.processes if not p.ended()]
        self.executor.shutdown()
        self.node.destroy_node()
        assert not any(statuses)


def nanoseconds(stamp):
    return stamp.sec * 10**9 + stamp.nanosec
