"""viewer_node: the people of every pose node in a page of a browser; its live parameters, too."""

from __future__ import annotations

import os
import queue
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import viser
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node, NodeNameNonExistentError
from rclpy.parameter import Parameter
from rclpy.parameter_client import AsyncParameterClient
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from rclpy.topic_endpoint_info import TopicEndpointInfo
from sensor_msgs.msg import CameraInfo, Image
from std_srvs.srv import SetBool

from pose3d_ros.camera import CameraPose, Intrinsics
from pose3d_ros.msg import PoseArray3D
from pose3d_ros.ros.messages.camera_info import Calibration
from pose3d_ros.ros.messages.images import ImageError, bgr_array, seconds
from pose3d_ros.ros.messages.people import camera_pose, tracked_people
from pose3d_ros.ros.parameters import FIELDS
from pose3d_ros.visualisation.viser_scene import CameraScene

POSES_TYPE = 'pose3d_ros/msg/PoseArray3D'
PAUSE_TYPE = 'std_srvs/srv/SetBool'
# The people of several cameras, or with a target_frame, are in a frame with z up (REP 103), whose
# origin is assumed to be on the floor.
Z_UP = CameraPose(np.array([0.0, 0.0, 1.0]), 0.0)
# Period of looking for nodes, and time without poses after which a camera is said to be silent, s.
DISCOVERY_S, SILENT_S = 1.0, 2.0
# Least times, s, between two images that are sent to the page, each of which costs a JPEG, and two
# tables, which the browser lays out anew.
IMAGE_S, TABLE_S = 1 / 15, 1 / 5
STATE_S = 0.5
# Parameters of the pose node that the page can change.
SLIDERS = ('keypoint_threshold', 'limb_threshold', 'person_threshold', 'min_keypoints')


class CameraView:
    """One camera of a pose node: its subscriptions and its place in the page."""

    def __init__(self, node: ViewerNode, topic: str) -> None:
        self.node = node
        base = topic.rpartition('/')[0]
        self.scene = CameraScene(node.server, base, len(node.views))
        self.calibration = Calibration()
        self.topic = topic
        self.last_s = self.image_s = self.table_s = -np.inf
        self.image_frame = self.people_frame = ''
        self.arrivals_s: deque[float] = deque(maxlen=60)
        self.latencies_s: deque[float] = deque(maxlen=60)
        node.create_subscription(PoseArray3D, topic, self.on_poses, QoSProfile(depth=1))
        self.overlay: Any = None
        self.overlay_topic = f'{base}/overlay'
        node.create_subscription(
            CameraInfo, f'{base}/camera_info', self.calibration.update, qos_profile_sensor_data
        )

    def on_poses(self, poses: PoseArray3D, info: dict[str, Any]) -> None:
        """Show people; a message of another publisher with impossible numbers is left out."""
        try:
            self._show(poses, info)
        except ValueError as error:
            self.node.get_logger().warning(
                f'a message on {self.topic} is not shown: {error}', throttle_duration_sec=5.0
            )

    def _show(self, poses: PoseArray3D, info: dict[str, Any]) -> None:
        self.last_s = time.monotonic()
        self.arrivals_s.append(self.last_s)
        stamp_s = seconds(poses.header.stamp)
        self.latencies_s.append(1e-9 * info['received_timestamp'] - stamp_s)
        self.people_frame = poses.header.frame_id
        several = np.isnan(poses.intrinsics).all()
        upright = Z_UP if several or not self.in_camera_frame() else camera_pose(poses)
        self.scene.show_camera_pose(upright)
        tracked = tracked_people(poses)
        self.scene.show_people(tracked)
        if self.last_s - self.table_s >= TABLE_S:
            self.table_s = self.last_s
            self.scene.show_table(tracked)

    def in_camera_frame(self) -> bool:
        """Return whether people are where the camera sees them, not in a `target_frame`."""
        return '' in (self.image_frame, self.people_frame) or self.image_frame == self.people_frame

    def on_overlay(self, image: Image) -> None:
        """Show an image, unless the last one was shown just now."""
        now_s = time.monotonic()
        if now_s - self.image_s < IMAGE_S:
            return
        self.image_s = now_s
        try:
            bgr = bgr_array(image)
        except ImageError as error:
            self.node.get_logger().warning(str(error), throttle_duration_sec=5.0)
            return
        self.image_frame = image.header.frame_id
        intrinsics: Intrinsics | None = None
        if self.in_camera_frame():
            intrinsics, _ = self.calibration.intrinsics(image.width, image.height)
        else:
            self.scene.hide_image()
        self.scene.show_image(np.ascontiguousarray(bgr[..., ::-1]), intrinsics)

    def update_subscription(self) -> None:
        """Subscribe to the overlay, which costs the pose node time, while the page is open."""
        if not self.node.server.get_clients():
            if self.overlay is not None:
                self.node.destroy_subscription(self.overlay)
            self.overlay = None
        elif self.overlay is None:
            self.overlay = self.node.create_subscription(
                Image, self.overlay_topic, self.on_overlay, QoSProfile(depth=1)
            )

    def show_state(self) -> None:
        """Show rate and latency, or for how long there were no poses."""
        silent_s = time.monotonic() - self.last_s
        if not np.isfinite(silent_s):
            self.scene.state.content = f'no poses yet on `{self.topic}`'
        elif silent_s > SILENT_S:
            self.scene.clear()
            self.scene.state.content = f'**no poses for {silent_s:.0f} s** on `{self.topic}`'
        elif len(self.arrivals_s) > 1:
            span_s = self.arrivals_s[-1] - self.arrivals_s[0]
            rate_hz = (len(self.arrivals_s) - 1) / max(span_s, 1e-6)
            latency_ms = 1e3 * float(np.median(self.latencies_s))
            self.scene.state.content = f'{rate_hz:.1f} Hz, {latency_ms:.0f} ms after the stamp'


class NodeControls:
    """The live parameters of one pose node, and its pause."""

    def __init__(self, node: ViewerNode, name: str) -> None:
        self.node, self.name = node, name
        self.client = AsyncParameterClient(node, name)
        self.pause = node.create_client(SetBool, f'{name}/pause')
        self.handles: dict[str, Any] = {}
        self.read = False
        gui = node.server.gui
        with gui.add_folder(name):
            self.network = gui.add_markdown('')
            paused = gui.add_checkbox('pause', initial_value=False)
            paused.on_update(lambda _: node.later(lambda: self._set_paused(paused.value)))
            for parameter in SLIDERS:
                self._add_slider(parameter)

    def read_parameters(self) -> None:
        """Ask the node for the values, once it answers."""
        if self.read or not self.client.services_are_ready():
            return
        self.read = True
        self.client.get_parameters(list(SLIDERS), self._on_values)

    def _add_slider(self, name: str) -> None:
        field = FIELDS[name]
        low, high = field.metadata['low'], field.metadata['high']
        step = 1 if isinstance(field.default, int) else 0.01
        handle = self.node.server.gui.add_slider(
            name, low, high, step, field.default, hint=field.metadata['text']
        )

        def changed(event: viser.GuiEvent[Any]) -> None:
            # Without a client it was this node that set the handle.
            if event.client is not None:
                self.node.later(lambda: self._set(name, handle.value))

        handle.on_update(changed)
        self.handles[name] = handle

    def _set(self, name: str, value: float) -> None:
        kind: Callable[[float], Any] = int if isinstance(FIELDS[name].default, int) else float
        self.client.set_parameters([Parameter(name, value=kind(value))])

    def _set_paused(self, paused: bool) -> None:
        if self.pause.service_is_ready():
            self.pause.call_async(SetBool.Request(data=paused))

    def _on_values(self, future: Any) -> None:
        for name, value in zip(SLIDERS, future.result().values, strict=True):
            integer = isinstance(FIELDS[name].default, int)
            self.handles[name].value = value.integer_value if integer else value.double_value


class ViewerNode(Node):
    """Finds every pose node and shows its cameras.

    Parameters
    ----------
    server
        The page.
    below
        Namespace of the nodes to show. '/': all.
    options
        Of rclpy's Node.
    """

    def __init__(
        self,
        server: viser.ViserServer,
        below: str = '/',
        **options: Any,
    ) -> None:
        super().__init__('viewer_node', **options)
        self.server = server
        self.below = f'{below.rstrip("/")}/'
        self.views: dict[str, CameraView] = {}
        self.controls: dict[str, NodeControls] = {}
        # The page calls back in threads of its own: nodes are for one.
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.message = server.gui.add_markdown('looking for pose nodes')
        self.create_subscription(DiagnosticArray, '/diagnostics', self._on_diagnostics, 10)
        self.create_timer(DISCOVERY_S, self.discover)
        self.create_timer(STATE_S, self._show_state)
        self.create_timer(0.05, self._run_calls)

    def later(self, call: Callable[[], None]) -> None:
        """Run a call in the thread of the node."""
        self._calls.put(call)

    def discover(self) -> None:
        """Subscribe to pose nodes that were not known, and say what is missing."""
        for topic, types in self.get_topic_names_and_types():
            shown = POSES_TYPE in types and topic.startswith(self.below)
            publishers = self.get_publishers_info_by_topic(topic) if shown else []
            if publishers and topic not in self.views:
                self.views[topic] = CameraView(self, topic)
                if len(self.views) > 1:
                    for view in self.views.values():
                        view.scene.leave_room()
            for publisher in publishers:
                name = f'{publisher.node_namespace.rstrip("/")}/{publisher.node_name}'
                if name not in self.controls and self._is_pose_node(publisher, name):
                    self.controls[name] = NodeControls(self, name)
        for name, controls in self.controls.items():
            running = any(self._names(topic, name) for topic in self.views)
            controls.read = controls.read and running  # a restarted one is asked again
            controls.read_parameters()
        domain = os.environ.get('ROS_DOMAIN_ID', '0')
        missing = (
            f'no node publishes `{POSES_TYPE}` in domain {domain}: start `pose3d node`, or '
            '`pose3d view --input SOURCE`'
        )
        self.message.content = '' if self.views else missing

    def _is_pose_node(self, publisher: TopicEndpointInfo, name: str) -> bool:
        """Return whether a publisher's node can be paused: fusion nodes and recordings cannot."""
        try:
            services = self.get_service_names_and_types_by_node(
                publisher.node_name, publisher.node_namespace
            )
        except NodeNameNonExistentError:  # not known yet, or gone
            return False
        return PAUSE_TYPE in dict(services).get(f'{name}/pause', ())

    def _names(self, topic: str, name: str) -> bool:
        """Return whether a node of that name publishes on a topic."""
        publishers = self.get_publishers_info_by_topic(topic)
        return any(f'{p.node_namespace.rstrip("/")}/{p.node_name}' == name for p in publishers)

    def _on_diagnostics(self, array: DiagnosticArray) -> None:
        for status in array.status:
            node, _, part = status.name.partition(': ')
            controls = self.controls.get(f'/{node}')
            if controls is not None and part == 'network':
                values = {pair.key: pair.value for pair in status.values}
                model = Path(values.get('model', '')).name
                controls.network.content = f'{model} on {values.get("device", "?")}'

    def _show_state(self) -> None:
        for view in self.views.values():
            view.update_subscription()
            view.show_state()

    def _run_calls(self) -> None:
        while not self._calls.empty():
            self._calls.get()()
