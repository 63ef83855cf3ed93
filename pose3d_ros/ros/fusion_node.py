"""fusion_node: the people of several cameras, from `poses` of any pose nodes, as one set."""

from __future__ import annotations

import sys
import time
from functools import partial
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.event_handler import PublisherEventCallbacks
from rclpy.exceptions import InvalidTopicNameException
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.validate_topic_name import validate_topic_name
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from pose3d_ros.camera import IntrinsicsSource
from pose3d_ros.fusion.fusion import UP, Fusion
from pose3d_ros.fusion.newest import Newest
from pose3d_ros.fusion.views import CameraPeople, in_camera_frame
from pose3d_ros.msg import PoseArray3D
from pose3d_ros.ros import camera_parameters
from pose3d_ros.ros.arguments import ArgumentError, check
from pose3d_ros.ros.fusion_input import Input
from pose3d_ros.ros.fusion_parameters import FUSION_PARAMETERS
from pose3d_ros.ros.messages.images import seconds
from pose3d_ros.ros.messages.markers import marker_array
from pose3d_ros.ros.messages.people import intrinsics, tracked_people
from pose3d_ros.ros.messages.pose_array import pose_array_cdr
from pose3d_ros.ros.messages.status import ERROR, OK, WARN, status_msg
from pose3d_ros.ros.messages.transforms import PeopleInFrame, rotation, translation
from pose3d_ros.ros.parameters import ParameterError
from pose3d_ros.ros.process import STOP_WITHIN_S, Stop, executor_of, run
from pose3d_ros.ros.qos import qos_overrides, result_qos
from pose3d_ros.ros.transforms import WAIT_S, FrameError, LateTransform, Transforms

# Least value of the parameters that are times, s.
LEAST_S = 0.01
# Period of looking for a transform that is on its way, s, and most messages of a camera that wait.
RETRY_S, MAX_WAITING = 0.01, 20


class FusionNode(Node):
    """Subscribes to the people of several cameras and to TF, publishes one set of people.

    Parameters
    ----------
    options
        Keyword arguments of rclpy's Node.

    Raises
    ------
    ParameterError
        If parameters cannot be used.
    FrameError
        If tf2_ros is not installed.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__('fusion_node', **options)
        self.transforms: Transforms | None = None
        camera_parameters.declare(self, FUSION_PARAMETERS)
        self.p = {name: self.get_parameter(name).value for name in FUSION_PARAMETERS}
        check_together(self.p)
        logger = self.get_logger()
        self.inputs = {name: Input(name, logger.get_child(name)) for name in self.p['cameras']}
        self.newest = Newest(self.inputs, self.p['max_age'])
        self.fusion = Fusion(self.p['track_memory'], self.p['smoothing'])
        # The cameras, and the numbers of people, of the last set.
        self.fused: list[str] = []
        self.people = 0
        self.transforms = Transforms(self)
        self.poses = self._publisher(PoseArray3D, 'fused/poses')
        self.markers = self._publisher(MarkerArray, 'fused/markers')
        self.diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', result_qos())
        # By the steady clock: a simulated clock may stand still.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(self.p['diagnostics_period'], self._diagnose, clock=steady)
        self.retry = self.create_timer(RETRY_S, self._retry, clock=steady)
        self.retry.cancel()  # until a message waits
        self.update_subscriptions()

    def update_subscriptions(self) -> None:
        """Subscribe to the cameras while the results have subscribers."""
        needed = not self.p['lazy'] or any(
            publisher.get_subscription_count() for publisher in (self.poses, self.markers)
        )
        for one in self.inputs.values():
            if needed and one.subscription is None:
                one.start()
                # The newest people only: nothing queues while others are fused.
                one.subscription = self.create_subscription(
                    PoseArray3D,
                    f'{one.name}/poses',
                    partial(self.on_poses, one),
                    QoSProfile(depth=1),
                )
            elif not needed and one.subscription is not None:
                self.destroy_subscription(one.subscription)
                one.subscription = None

    def on_poses(self, camera: Input, poses: PoseArray3D) -> None:
        """Take the people of one image, and publish what is due.

        A message whose transform is on its way waits, and other cameras do not wait for it.
        """
        camera.start()
        camera.received += 1
        camera.waiting.append((poses, time.monotonic() + WAIT_S))
        self._fuse_waiting(camera)

    def _retry(self) -> None:
        for one in self.inputs.values():
            self._fuse_waiting(one)
        if not any(one.waiting for one in self.inputs.values()):
            self.retry.cancel()

    def _fuse_waiting(self, camera: Input) -> None:
        """Fuse the messages that wait, oldest first, up to one whose transform is on its way.

        One is dropped if its transform does not come in time.
        """
        while camera.waiting:
            poses, until_s = camera.waiting[0]
            try:
                result = self._result(camera, poses)
            except (FrameError, ValueError) as error:
                in_time = time.monotonic() < until_s and len(camera.waiting) <= MAX_WAITING
                if isinstance(error, LateTransform) and in_time:
                    self.retry.reset()
                    return
                camera.drop(str(error))
            else:
                camera.error = ''
                for results in self.newest.add(result):
                    self._publish(results)
            camera.waiting.popleft()

    def _result(self, camera: Input, poses: PoseArray3D) -> CameraPeople:
        """Return the people with the place of the camera.

        Raises
        ------
        FrameError
            If TF does not have it (LateTransform: not yet), or positions are in another frame than
            the camera's.
        ValueError
            If the intrinsics or the transform are impossible.
        """
        assert self.transforms
        stamp, frame = poses.header.stamp, poses.header.frame_id
        transform = self.transforms.find(self.p['fused_frame'], frame, stamp, wait_s=0.0)
        result = CameraPeople(
            camera.name,
            tracked_people(poses),
            seconds(stamp),
            rotation(transform.rotation),
            translation(transform),
            intrinsics(poses),
        )
        if not in_camera_frame(result):
            raise FrameError(
                f'positions in {frame!r} are not where the pixels are: leave target_frame of the '
                'pose node empty, so that they are in the frame of the camera'
            )
        camera.stamp_s = result.stamp_s
        camera.intrinsics_source = IntrinsicsSource(poses.intrinsics_source)
        assumed = poses.scale_source == PoseArray3D.ASSUMED_HEIGHT
        camera.assumes_height = assumed and bool(poses.poses)
        return result

    def _publish(self, results: list[CameraPeople]) -> None:
        tracked = self.fusion.process(results)
        self.fused, self.people = [one.camera for one in results], len(tracked)
        newest_s = max(one.stamp_s for one in results)
        header = Header(stamp=_stamp(newest_s), frame_id=self.p['fused_frame'])
        inputs = [self.inputs[name] for name in self.fused]
        source = max(one.intrinsics_source for one in inputs)
        assumed = any(one.assumes_height for one in inputs)
        scale = PoseArray3D.ASSUMED_HEIGHT if assumed else PoseArray3D.CAMERA_HEIGHT
        self.poses.publish(pose_array_cdr(tracked, header, source, scale_source=scale))
        if self.markers.get_subscription_count():
            self.markers.publish(marker_array(PeopleInFrame(tracked, header, UP)))

    def _diagnose(self) -> None:
        name = self.get_fully_qualified_name().lstrip('/')
        array = DiagnosticArray()
        array.header.stamp = self.get_clock().now().to_msg()
        # A camera that is gone may have had a clock that was ahead.
        heard = [i for i in self.inputs.values() if i.silence_s() <= self.p['stale_after']]
        newest_s = max((one.stamp_s for one in heard), default=-np.inf)
        working = 0
        for one in self.inputs.values():
            idle = '' if one.subscription else 'no subscribers'
            error = '' if idle else one.complaint(newest_s, self.p)
            working += not idle and not error
            values = {'received': one.received, 'not fused': one.dropped}
            level = ERROR if error else OK
            text = error or idle or 'running'
            array.status.append(status_msg(f'{name}: {one.name}', level, text, values))
        level, text = OK, f'fusing {working} of {len(self.inputs)} cameras'
        if not any(one.subscription for one in self.inputs.values()):
            text = 'no subscribers'
        elif working < 2:
            rest = 'people are those of one camera' if working else 'nothing is fused'
            level, text = ERROR, f'{text}: {rest}'
        elif working < len(self.inputs):
            level = WARN
        state = {
            'people': self.people,
            'people seen by two or more': self.fusion.shared,
            'cameras of the last people': ', '.join(self.fused),
        }
        array.status.insert(0, status_msg(f'{name}: fusion', level, text, state))
        self.diagnostics.publish(array)

    def _publisher(self, kind: Any, topic: str) -> Any:
        return self.create_publisher(
            kind,
            topic,
            result_qos(),
            event_callbacks=PublisherEventCallbacks(matched=lambda _: self.update_subscriptions()),
            qos_overriding_options=qos_overrides(),
        )

    def destroy_node(self) -> None:
        """Stop receiving transforms, then destroy the node."""
        if self.transforms:
            self.transforms.destroy()
        super().destroy_node()


def check_together(p: dict[str, Any]) -> None:
    """Raise ParameterError if the parameters cannot be used."""
    cameras = list(p['cameras'])
    if len(set(cameras)) < 2 or len(set(cameras)) < len(cameras) or '' in cameras:
        raise ParameterError(f'cameras must be two or more different names, found {cameras}')
    for camera in cameras:
        try:
            validate_topic_name(camera)
        except InvalidTopicNameException as error:
            raise ParameterError(f'cameras must be valid topic names, found {camera!r}') from error
    if not p['fused_frame']:
        raise ParameterError(
            'fused_frame must be a TF frame with z up that all cameras are in, such as map, odom '
            "or base_link; found ''"
        )
    for name in ('max_age', 'track_memory', 'diagnostics_period', 'stale_after'):
        if not p[name] >= LEAST_S:
            raise ParameterError(f'{name} must be {LEAST_S} s or more, found {p[name]}')


def _stamp(stamp_s: float) -> Time:
    sec = int(stamp_s // 1)
    nanosec = round((stamp_s - sec) * 1e9)
    return Time(sec=sec + nanosec // 10**9, nanosec=nanosec % 10**9)


def main(args: list[str] | None = None) -> int:
    """Run the node until a signal ends it; return 0, or 1 if it does not start.

    The first of the arguments is the name of the program, as in ``sys.argv``.
    """

    def work(stop: Stop) -> int:
        check((args or sys.argv)[1:], 'fusion_node', FUSION_PARAMETERS)
        with executor_of(FusionNode()) as executor:
            stop.polled = True
            while not stop.is_set():
                executor.spin_once(timeout_sec=STOP_WITHIN_S)
        return 0

    return run('fusion_node', work, args, (ArgumentError, ParameterError, FrameError))
