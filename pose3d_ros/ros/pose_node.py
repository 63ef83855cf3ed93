"""pose_node: images in, people in metres out."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.clock import Clock, ClockType
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from std_srvs.srv import SetBool

from pose3d_ros.estimation.bottom_up import ADULT_HEIGHT_M, PoseEstimator
from pose3d_ros.estimation.grouping import Thresholds
from pose3d_ros.estimation.network import NetworkError
from pose3d_ros.models import ModelError, test_card
from pose3d_ros.models.store import cache_folder, checksum, resolve
from pose3d_ros.ros import parameters
from pose3d_ros.ros.camera_stream import CameraStream, results
from pose3d_ros.ros.diagnostics import camera_status, network_status
from pose3d_ros.ros.frames import FrameError, Transforms
from pose3d_ros.ros.hri import Bodies, HriError
from pose3d_ros.ros.parameters import ParameterError, PoseParameters
from pose3d_ros.ros.process import STOP_WITHIN_S, Stop, run
from pose3d_ros.test_card import NAME as TEST_CARD

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE
# What a wrong configuration raises; anything else is a bug.
CONFIGURATION_ERRORS = (ModelError, NetworkError, ParameterError, FrameError, HriError)


class PoseNode(LifecycleNode):
    """A managed node: one network, and a stream for every camera.

    Unconfigured it has parameters and nothing else; configured, a network and publishers; active,
    it answers images. A configuration that fails says why in a line, and can be tried again.

    Parameters
    ----------
    options
        Of rclpy's Node.

    Raises
    ------
    rclpy.exceptions.ParameterException
        If a parameter has a wrong type, or is out of its range.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__('pose_node', **options)
        self.estimator: PoseEstimator | None = None
        self.cameras: list[CameraStream] = []
        self.diagnostics: Any = None
        self.diagnostics_timer: Any = None
        self.transforms: Transforms | None = None
        self.bodies: Bodies | None = None
        self.active = self.paused = False
        self.add_on_set_parameters_callback(self._may_set)
        parameters.declare(self)
        self.add_post_set_parameters_callback(self._have_set)
        self.create_service(SetBool, '~/pause', self._pause)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Load and compile the network, and offer the results."""
        return self._attempt(self._configure)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Hear the cameras."""
        return self._attempt(lambda: self._attend(active=True))

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Hear the cameras no more."""
        return self._attempt(lambda: self._attend(active=False))

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give everything back but the parameters."""
        return self._attempt(self._free)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Likewise, from whatever state."""
        return self._attempt(self._free)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Likewise, after a bug: the node is unconfigured, and can be configured again."""
        return self._attempt(self._free)

    def destroy_node(self) -> None:
        """Give everything back, and the node itself."""
        self._free()
        super().destroy_node()

    def _attempt(self, work: Callable[[], None]) -> TransitionCallbackReturn:
        """Do the work of a transition; rclpy would swallow what it raises."""
        try:
            work()
        except CONFIGURATION_ERRORS as error:
            self.get_logger().error(str(error))
            self._free()
            return FAILURE
        except Exception:
            self.get_logger().fatal(traceback.format_exc())
            return TransitionCallbackReturn.ERROR
        return SUCCESS

    def _configure(self) -> None:
        p = parameters.read(self)
        parameters.check_together(p)
        self.estimator = load(p)
        self.sha256 = checksum(self.estimator.network.name)
        self._tune(p)
        self.transforms = Transforms(self) if p.target_frame or p.gravity_frame else None
        if p.publish_body_tf or p.hri:
            self.bodies = Bodies(self, p.publish_body_tf, p.hri)
        network = self.estimator.network
        height, width = network.input_hw
        for name in p.cameras:
            camera = CameraStream(self, name, self.estimator, p, self.transforms, self.bodies)
            self.cameras.append(camera)
            camera.offer()
            self.get_logger().info(
                f'{camera.image_topic} -> {camera.poses.topic_name} with {network.name} '
                f'({width}x{height}) on {network.device}'
            )
        self.diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', results())
        # Of the machine's time: a simulated clock may stand still.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.diagnostics_timer = self.create_timer(
            p.diagnostics_period, self._diagnose, clock=steady
        )

    def _diagnose(self) -> None:
        assert self.estimator
        p, node = parameters.read(self), self.get_fully_qualified_name().lstrip('/')
        idle = 'inactive' if not self.active else 'paused' if self.paused else ''
        array = DiagnosticArray()
        array.header.stamp = self.get_clock().now().to_msg()
        array.status = [
            network_status(f'{node}: network', self.estimator.network, self.sha256),
            *(camera_status(f'{node}: {c.name or "camera"}', c, idle, p) for c in self.cameras),
        ]
        self.diagnostics.publish(array)

    def _free(self) -> None:
        self.active = False
        if self.diagnostics_timer:
            self.destroy_timer(self.diagnostics_timer)
        if self.diagnostics:
            self.destroy_publisher(self.diagnostics)
        self.diagnostics = self.diagnostics_timer = None
        while self.cameras:
            self.cameras.pop().destroy()
        for helper in (self.transforms, self.bodies):
            if helper:
                helper.destroy()
        self.estimator = self.transforms = self.bodies = None

    def _attend(self, active: bool) -> None:
        self.active = active
        for camera in self.cameras:
            camera.want(self.active and not self.paused)

    def _pause(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        self.paused = request.data
        self._attend(self.active)
        response.success, response.message = True, 'paused' if self.paused else 'not paused'
        return response

    def _may_set(self, changes: list[Parameter[Any]]) -> SetParametersResult:
        configured = parameters.read(self) if self.estimator else None
        reason = parameters.refusal(changes, configured)
        return SetParametersResult(successful=not reason, reason=reason)

    def _have_set(self, changes: list[Parameter[Any]]) -> None:
        if self.estimator is not None and any(c.name in parameters.FIELDS for c in changes):
            p = parameters.read(self)
            self._tune(p)
            for camera in self.cameras:
                camera.tune(p)

    def _tune(self, p: PoseParameters) -> None:
        """Set what may change while the network runs."""
        assert self.estimator
        height_m = p.assumed_person_height or ADULT_HEIGHT_M[p.lifting]
        self.estimator.assumed_person_height_m = height_m
        self.estimator.thresholds = Thresholds(
            p.keypoint_threshold, p.limb_threshold, p.min_keypoints, p.person_threshold
        )


def load(p: PoseParameters) -> PoseEstimator:
    """Load and compile what the parameters ask for; ModelError or NetworkError."""
    made = PoseEstimator(
        test_card.network() if p.model == TEST_CARD else resolve(p.model),
        p.device,
        input_hw=(p.input_height, p.input_width) if p.input_height else None,
        precision=p.precision,
        input_mean=p.input_mean,
        input_scale=p.input_scale,
        cache_dir=cache_folder() / 'compiled',
        lifting=p.lifting,
    )
    if p.stride and p.stride != made.network.stride:
        raise NetworkError(
            f'parameter stride is {p.stride}, but {made.network.name} has a stride of '
            f'{made.network.stride}; 0 takes what the model has'
        )
    return made


def main(args: list[str] | None = None) -> int:
    """Run the node until a signal comes: 0; 1 where it does not start."""

    def work(stop: Stop) -> int:
        node = PoseNode()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        if node.get_parameter('autostart').value and not (
            node.trigger_configure() == SUCCESS == node.trigger_activate()
        ):
            return 1
        stop.heeded = True
        while not stop.is_set():
            executor.spin_once(timeout_sec=STOP_WITHIN_S)
        figures = [camera.figures for camera in node.cameras]
        images, bad = sum(f.images for f in figures), sum(f.bad_images for f in figures)
        node.get_logger().info(f'stopped: {images} images, {bad} of them bad')
        executor.shutdown()
        node.destroy_node()
        return 0

    return run('pose_node', work, args, ())
