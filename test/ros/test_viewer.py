"""`pose3d view` in headless Chromium, beside a pose node of the bundled network and clip."""

import math
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import rclpy
from geometry_msgs.msg import Point
from rclpy.parameter_client import AsyncParameterClient
from std_srvs.srv import SetBool

pytest.importorskip('viser')

from support.browser import CHROMIUM, Page
from support.robot import header

from pose3d_ros.demo import clip
from pose3d_ros.demo.child import Child
from pose3d_ros.geometry.rigid import rotation_matrix
from pose3d_ros.models.store import DEMO_ONLY
from pose3d_ros.msg import CameraPose, Keypoint3D, Pose3D, PoseArray3D
from pose3d_ros.ros.viewer_node import CameraView, ViewerNode
from pose3d_ros.visualisation.viser_page import open_page

NAMESPACE = f'/viewer_{os.getpid()}'
PATIENCE_S = 90


def wait_until(condition, what):
    deadline_s = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < deadline_s, f'not within {PATIENCE_S} s: {what}'
        time.sleep(0.2)
    return found


@pytest.fixture(autouse=True)
def domain(monkeypatch):
    """Use a domain of its own: the page shows every pose node of the domain."""
    monkeypatch.setenv('ROS_DOMAIN_ID', str(100 + os.getpid() % 100))


@pytest.fixture
def viewer(domain):
    """Return the process of `pose3d view`, and its address."""
    process = subprocess.Popen(
        [sys.executable, '-m', 'pose3d_ros.cli', 'view', '--port', '8400'],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    for line in process.stdout:
        if match := re.match(r'(http://127\.0\.0\.1:\d+) shows people', line):
            break
    yield process, match[1]
    process.kill()
    process.wait()


@pytest.fixture
def start():
    """Return a function that starts a node of the namespace; all are ended."""
    children = []

    def start_node(command):
        parameters = {
            'node': {'model': DEMO_ONLY, 'device': 'CPU', 'keypoint_threshold': 0.2},
            'camera': {'source': str(clip.PATH), 'loop': True, 'focal_length': 520.0, 'rate': 5.0},
        }[command]
        children.append(Child(command, NAMESPACE, parameters))
        return children[-1]

    yield start_node
    for child in children:
        child.end()


@pytest.fixture
def view():
    """Return a camera in a page without a browser."""
    rclpy.init()
    server = open_page(port=8500)
    node = ViewerNode(server)
    yield CameraView(node, '/front/poses')
    node.destroy_node()
    server.stop()
    rclpy.shutdown()


def test_people_with_a_target_frame_stand_upright(view):
    view.image_frame = 'front_optical'
    for frame, up in (('front_optical', (0, -1, 0)), ('base_footprint', (0, 0, 1))):
        message = PoseArray3D(header=header(1, frame=frame), intrinsics=[500.0, 500, 320, 240])
        view.on_poses(message, {'received_timestamp': 0})
        w, x, y, z = view.scene.frame.wxyz
        shown = rotation_matrix(np.array([x, y, z, w])) @ up
        np.testing.assert_allclose(shown, (0, -1, 0), atol=1e-9)


def test_a_message_with_impossible_numbers_does_not_end_the_page(view):
    nowhere = CameraPose(source=CameraPose.GIVEN, up=[math.nan] * 3)
    keypoint = Keypoint3D(position=Point(z=3.0), score=1.0, source=Keypoint3D.OBSERVED)
    person = {'keypoints': [keypoint] * 19}
    for message in (
        PoseArray3D(camera_pose=nowhere),
        PoseArray3D(poses=[Pose3D(track_id=2, state=9, **person)]),
        PoseArray3D(poses=[Pose3D(track_id=3, **person)]),
    ):
        view.on_poses(message, {'received_timestamp': 0})
    assert set(view.scene.people) == {3}


def test_only_pose_nodes_have_controls(view):
    """Whatever the topics are called: a fusion node is shown, but has no such parameters."""
    pose, fusion = (rclpy.create_node(name, namespace='/room') for name in ('pose', 'fusion'))
    for node, topic in ((pose, 'fused/poses'), (fusion, 'people')):
        node.create_publisher(PoseArray3D, topic, 1)
    pose.create_service(SetBool, '~/pause', lambda request, response: response)

    def all_are_shown():
        view.node.discover()
        return len(view.node.views) == 2 and view.node.controls

    wait_until(all_are_shown, 'both topics, and controls')
    assert set(view.node.controls) == {'/room/pose'}
    pose.destroy_node()
    fusion.destroy_node()


@pytest.mark.skipif(CHROMIUM is None, reason='needs Chromium')
def test_people_are_seen_live_in_a_browser(viewer, start, tmp_path):
    process, address = viewer
    with Page(address, tmp_path) as page:
        wait_until(lambda: 'no node publishes' in page.text(), 'what is missing is said')
        pose, _ = start('node'), start('camera')

        def ids():
            return re.findall(r'^(\d+)\t[\d.]+ ', page.text(), re.MULTILINE)

        def skeletons():
            nodes = 'Object.keys((window.__viserSceneTree?.getState() ?? {})).join("\\n")'
            return re.findall(r'/person_(\d+)/limbs$', page.evaluate(nodes), re.MULTILINE)

        wait_until(lambda: len(ids()) >= 2, 'ids in the table')
        wait_until(lambda: set(ids()) == set(skeletons()), 'a skeleton in the scene for each id')
        wait_until(lambda: 'demo_only' in page.text(), 'the network')
        source = "[...document.querySelectorAll('img')].map(image => image.src).join()"
        first = wait_until(lambda: page.evaluate(source), 'an image')
        wait_until(lambda: page.evaluate(source) != first, 'the overlay advances')
        change_a_slider(page)
        pose.process.kill()
        wait_until(lambda: 'no poses for' in page.text(), 'the silence is said')
        assert not ids()
        assert not skeletons()
        start('node')
        wait_until(lambda: len(ids()) >= 2, 'people of the restarted node')
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0


def change_a_slider(page):
    """Press a key on the slider of a threshold: the node's parameter follows."""
    rclpy.init()
    node = rclpy.create_node('slider_test')
    try:
        client = AsyncParameterClient(node, f'{NAMESPACE}/pose_node')
        assert client.wait_for_services(PATIENCE_S)

        def value():
            future = client.get_parameters(['keypoint_threshold'])
            rclpy.spin_until_future_complete(node, future, timeout_sec=10)
            return future.result().values[0].double_value

        before = value()
        slider = "document.querySelectorAll('[role=slider]')[0]"
        wait_until(lambda: page.evaluate(f'{slider}.getAttribute("aria-valuenow")') == '0.2', 'it')
        page.evaluate(f'{slider}.focus()')
        for kind in ('keyDown', 'keyUp'):
            page.call(
                'Input.dispatchKeyEvent', type=kind, key='ArrowRight', code='ArrowRight',
                windowsVirtualKeyCode=39,
            )  # fmt: skip
        wait_until(lambda: value() > before, 'the parameter of the node')
    finally:
        node.destroy_node()
        rclpy.shutdown()
