"""The node pose_node: subscribes to images, publishes 3D poses."""

from __future__ import annotations

import gc
import sys
import traceback
from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from std_srvs.srv import SetBool

from pose3d_ros.detection.detector import Thresholds
from pose3d_ros.detection.top_down import TopDownOptions
from pose3d_ros.estimator import LIFTERS, PoseEstimator
from pose3d_ros.models import ModelError
from pose3d_ros.models.folders import compiled_folder
from pose3d_ros.models.store import checksum, resolve
from pose3d_ros.ros import node_parameters
from pose3d_ros.ros.arguments import ArgumentError, check
from pose3d_ros.ros.camera_stream import CameraStream
from pose3d_ros.ros.diagnostics import camera_status, network_status
from pose3d_ros.ros.doubles import as_doubles
from pose3d_ros.ros.follow import Follower
from pose3d_ros.ros.hri import Bodies
from pose3d_ros.ros.image_statistics import Outcome
from pose3d_ros.ros.optional_messages import MissingPackageError
from pose3d_ros.ros.parameters import FIELDS, ParameterError, PoseParameters, check_together
from pose3d_ros.ros.process import STOP_WITHIN_S, Stop, executor_of, run
from pose3d_ros.ros.qos import result_qos
from pose3d_ros.ros.shared_network import SharedNetwork
from pose3d_ros.ros.transforms import FrameError, Transforms
from pose3d_ros.wording import counted

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE
# Raised by a wrong configuration; any other exception is a bug.
CONFIGURATION_ERRORS = (ModelError, ParameterError, FrameError, MissingPackageError)
# Period of looking at the ROS graph, s.
GRAPH_PERIOD_S = 1.0


class PoseNode(LifecycleNode):
    """Managed node with one network and one stream per camera.

    Unconfigured, it has only parameters; inactive, also a network and publishers; active, it
    processes images. A failed configuration is logged in one line and can be repeated.

    Parameters
    ----------
    options
        Keyword arguments of rclpy's Node.

    Raises
    ------
    rclpy.exceptions.ParameterException
        If a parameter has a wrong type, or is out of its range.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(
            'pose_node', automatically_declare_parameters_from_overrides=True, **options
        )
        self.network: SharedNetwork | None = None
        self.cameras: list[CameraStream] = []
        self.diagnostics: Any = None
        self.periodic: list[Any] = []
        self.transforms: Transforms | None = None
        self.bodies: Bodies | None = None
        self.follower: Follower | None = None
        self.active = self.paused = False
        self.add_pre_set_parameters_callback(lambda p: as_doubles(p, node_parameters.DOUBLES))
        self.add_on_set_parameters_callback(self._check_parameters)
        node_parameters.declare(self)
        self.add_post_set_parameters_callback(self._on_parameters_set)
        self.create_service(SetBool, '~/pause', self._pause)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load and compile the network, and create the publishers."""
        return self._transition(self._configure)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe to the cameras."""
        return self._transition(lambda: self._set_active(active=True))

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribe from the cameras."""
        return self._transition(lambda: self._set_active(active=False))

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything except the parameters."""
        return self._transition(self._release)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything except the parameters, from any state."""
        return self._transition(self._release)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything after an unexpected exception; it can be configured again."""
        return self._transition(self._release)

    def destroy_node(self) -> None:
        """Release everything, then destroy the node."""
        self._release()
        super().destroy_node()

    def _transition(self, work: Callable[[], None]) -> TransitionCallbackReturn:
        """Run the work of a transition and log its errors, which rclpy would discard."""
        try:
            work()
        except CONFIGURATION_ERRORS as error:
            self.get_logger().error(str(error))
            self._release()
            return FAILURE
        except Exception:
            self.get_logger().fatal(traceback.format_exc())
            return TransitionCallbackReturn.ERROR
        return SUCCESS

    def _configure(self) -> None:
        p = node_parameters.read(self)
        check_together(p)
        self.network = SharedNetwork(self, self._load, p.device)
        detector = self.network.estimator.detector
        self.sha256 = checksum(detector.name)
        needs_tf = p.target_frame or p.gravity_frame or p.imu
        self.transforms = Transforms(self) if needs_tf else None
        if p.publish_body_tf or p.hri:
            self.bodies = Bodies(self, p.publish_body_tf, p.hri)
        self.follower = Follower(self, p.cameras, self._on_followers, p.publish_target_tf)
        height, width = detector.input_hw
        for name in p.cameras:
            camera = CameraStream(self, name, self.network, p, self.transforms, self.bodies)
            camera.follower = self.follower
            self.cameras.append(camera)
            camera.publishers.create()
            poses_topic = camera.publishers.poses.topic_name
            self.get_logger().info(
                f'{camera.topics.image_topic} -> {poses_topic} with {detector.name} '
                f'({width}x{height}) on {detector.device}'
            )
        self.diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', result_qos())
        # By the steady clock: a simulated clock may stand still.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        for period_s, work in (
            (p.diagnostics_period, self._diagnose),
            (GRAPH_PERIOD_S, self._check_graph),
        ):
            self.periodic.append(self.create_timer(period_s, work, clock=steady))

    def _on_followers(self) -> None:
        for camera in self.cameras:
            camera.update_subscriptions()

    def _check_graph(self) -> None:
        for camera in self.cameras:
            camera.check_graph()

    def _diagnose(self) -> None:
        assert self.network
        p, node = node_parameters.read(self), self.get_fully_qualified_name().lstrip('/')
        idle = 'inactive' if not self.active else 'paused' if self.paused else ''
        array = DiagnosticArray()
        array.header.stamp = self.get_clock().now().to_msg()
        array.status = [
            network_status(f'{node}: network', self.network, self.sha256),
            *(camera_status(f'{node}: {c.name or "camera"}', c, idle, p) for c in self.cameras),
        ]
        self.diagnostics.publish(array)

    def _release(self) -> None:
        self.active = False
        while self.periodic:
            self.destroy_timer(self.periodic.pop())
        if self.diagnostics:
            self.destroy_publisher(self.diagnostics)
        self.diagnostics = None
        while self.cameras:
            self.cameras.pop().destroy()
        for helper in (self.transforms, self.bodies, self.follower, self.network):
            if helper:
                helper.destroy()
        self.network = self.transforms = self.bodies = self.follower = None
        # Streams and their callbacks refer to each other, and to a large network: free them now.
        gc.collect()

    def _set_active(self, active: bool) -> None:
        self.active = active
        for camera in self.cameras:
            camera.set_enabled(self.active and not self.paused)

    def _pause(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self.paused = request.data
        self._set_active(self.active)
        response.success, response.message = True, 'paused' if self.paused else 'not paused'
        return response

    def _check_parameters(self, changes: list[Parameter[Any]]) -> SetParametersResult:
        configured = node_parameters.read(self) if self.network else None
        reason = node_parameters.refusal(changes, configured)
        return SetParametersResult(successful=not reason, reason=reason)

    def _on_parameters_set(self, changes: list[Parameter[Any]]) -> None:
        if self.network is not None and any(c.name in FIELDS for c in changes):
            p = node_parameters.read(self)
            apply_live(p, self.network.estimator)
            for camera in self.cameras:
                camera.update_parameters(p)

    def _load(self, device: str) -> PoseEstimator:
        p = node_parameters.read(self)
        estimator = load(p, device)
        apply_live(p, estimator)
        return estimator


def apply_live(p: PoseParameters, estimator: PoseEstimator) -> None:
    """Apply the live parameters of detection and lifting."""
    height_m = p.assumed_person_height or LIFTERS[p.lifting].DEFAULT_HEIGHT_M
    estimator.lifter.assumed_person_height_m = height_m
    estimator.detector.thresholds = Thresholds(
        p.keypoint_threshold, p.limb_threshold, p.min_keypoints, p.person_threshold or None
    )


def load(p: PoseParameters, device: str) -> PoseEstimator:
    """Load and compile the network of the parameters for a device.

    Raises
    ------
    ModelError
        If that fails.
    """
    made = PoseEstimator(
        resolve(p.model),
        device,
        input_hw=(p.input_height, p.input_width or None) if p.input_height else None,
        precision=p.precision,
        input_mean=p.input_mean,
        input_scale=p.input_scale,
        cache_dir=compiled_folder(),
        lifting=p.lifting,
        top_down=TopDownOptions(max_people=p.max_people, detector_interval=p.detector_interval),
        spec=p.spec or None,
    )
    if p.stride and p.stride != made.detector.stride:
        raise ModelError(
            f'parameter stride is {p.stride}, but {made.detector.name} has a stride of '
            f'{made.detector.stride}; 0 accepts any'
        )
    return made


def main(args: list[str] | None = None) -> int:
    """Run the node until a signal ends it; return 0, or 1 if it does not start.

    The first of the arguments is the name of the program, as in ``sys.argv``.
    """

    def work(stop: Stop) -> int:
        check((args or sys.argv)[1:], 'pose_node', FIELDS)
        node = PoseNode()
        with executor_of(node) as executor:
            if node.get_parameter('autostart').value and not (
                node.trigger_configure() == SUCCESS == node.trigger_activate()
            ):
                return 1
            stop.polled = True
            while not stop.is_set():
                executor.spin_once(timeout_sec=STOP_WITHIN_S)
            statistics = [camera.statistics for camera in node.cameras]
            images = sum(s.images for s in statistics)
            bad = sum(s.outcomes[Outcome.BAD] for s in statistics)
            node.get_logger().info(
                f'stopped after {counted(images, "image")}, {bad} of them unreadable'
            )
        return 0

    return run('pose_node', work, args, (ArgumentError,))
