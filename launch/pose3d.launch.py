"""Estimate 3D poses from the images of a camera that is already running.

`ros2 launch -s pose3d_ros pose3d.launch.py` lists the arguments. The other launch files include
this one.
"""

import os
from pathlib import Path

from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    OpaqueFunction,
    SetLaunchConfiguration,
)
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import ExecutableInPackage

from pose3d_ros.ros.fusion_parameters import FUSION_PARAMETERS
from pose3d_ros.ros.launch_arguments import (
    LaunchArgumentError,
    check_arguments,
    check_executable,
    check_module,
    is_true,
    read_names,
)
from pose3d_ros.ros.middleware import FASTDDS, FASTRTPS, fastdds_variable
from pose3d_ros.ros.parameters import FIELDS
from pose3d_ros.ros.topic_names import topic_beside

CONFIG = Path(__file__).absolute().parents[1] / 'config'

# Parameters of pose_node that are launch arguments, too; config/pose3d.yaml has all of them.
PARAMETERS = (
    'model', 'device', 'precision', 'image_transport', 'rectified', 'focal_length',
    'image_rotation', 'target_frame', 'depth', 'assumed_person_height', 'keypoint_threshold',
    'smoothing',
)  # fmt: skip
KINDS = {name: type(FIELDS[name].default) for name in PARAMETERS}
SWITCHES = {'respawn': bool, 'rviz': bool, 'publish_tf': bool, 'viewer': bool, 'fuse': bool}


def arguments() -> list[DeclareLaunchArgument]:
    preset = [os.environ[name] for name in (FASTDDS, FASTRTPS) if name in os.environ]
    profile = preset[0] if preset else str(CONFIG / 'fastdds_shm.xml')
    table = [
        ('namespace', '', 'namespace of nodes and topics; every camera needs its own'),
        ('image_topic', 'image_raw',
         'images, raw or compressed; in the namespace unless it begins with /'),
        ('camera_info_topic', '',
         'their sensor_msgs/CameraInfo, likewise. Empty: camera_info beside image_topic'),
        ('depth_topic', 'depth_registered/image_rect', 'with depth: the depth images, likewise'),
        ('depth_info_topic', '',
         'their sensor_msgs/CameraInfo, likewise. Empty: camera_info beside depth_topic'),
        ('params_file', str(CONFIG / 'pose3d.yaml'), 'parameters of pose_node'),
        *((name, '', f'{FIELDS[name].metadata["text"]} Empty: the value of params_file')
          for name in PARAMETERS),
        ('fastdds_profile', profile,
         'Fast DDS profile of the nodes started here, for large images: without it most of them '
         'are lost. A camera driver that is started elsewhere needs it even more. '
         f'The environment variable {FASTDDS} sets the default. Empty: none'),
        ('log_level', 'info', 'debug, info, warn, error or fatal'),
        ('respawn', 'false', 'start a node again when it exits'),
        ('rviz', 'false', 'open RViz'),
        ('rviz_config', str(CONFIG / 'pose3d.rviz'), 'configuration of RViz'),
        ('viewer', 'false',
         'serve a page for the browser with the people of the namespace in 3D; its address is '
         'printed'),
        ('viewer_port', '8080', 'port of the page, on this machine only; the next free one'),
        ('frame_id', 'camera_optical_frame', 'frame_id of the images; the fixed frame of RViz'),
        ('publish_tf', 'false',
         'publish a static transform from link_frame to frame_id. RViz can then have link_frame '
         'as its fixed frame, with the saved views of rviz_config. Not for a camera that is in '
         'TF already'),
        ('fuse', 'false',
         'start fusion_node, too, which puts the people of several cameras together on '
         'fused/poses; needs fused_frame, and TF between the cameras'),
        ('fuse_cameras', '',
         'with fuse: names of the cameras, such as [front, rear], or [/robot1, /robot2] for '
         'pose nodes in these namespaces. Empty: the parameter cameras of params_file'),
        ('fused_frame', '',
         f'with fuse: {FUSION_PARAMETERS["fused_frame"].text}. Empty: the value of params_file'),
        ('link_frame', 'camera_link', 'frame of the camera with x forward, y left, z up'),
    ]  # fmt: skip
    return [DeclareLaunchArgument(n, default_value=d, description=text) for n, d, text in table]


def check(context) -> None:
    """Raise before anything is started, so that a failed launch leaves no process."""
    args = context.launch_configurations
    check_arguments(args, {**KINDS, **SWITCHES, 'viewer_port': int})
    if not Path(args['params_file']).is_file():
        raise LaunchArgumentError(
            f'launch argument params_file must be a file, found {args["params_file"]!r}'
        )
    if args['fuse_cameras']:
        read_names(args['fuse_cameras'], 'fuse_cameras')
    if is_true(args['rviz']):
        check_executable('rviz2', 'rviz2', 'rviz')
    if is_true(args['publish_tf']):
        check_executable('tf2_ros', 'static_transform_publisher', 'publish_tf')
    if is_true(args['viewer']):
        check_module('viser', 'viewer', 'viser>=1.1,<2')


def default_topics(context) -> list[SetLaunchConfiguration]:
    """Set the CameraInfo topics that are not given."""
    args = context.launch_configurations
    return [
        SetLaunchConfiguration(info, topic_beside(args[images], 'camera_info'))
        for info, images in (
            ('camera_info_topic', 'image_topic'), ('depth_info_topic', 'depth_topic')
        )
        if not args[info]
    ]  # fmt: skip


def pose_node(context) -> list[Node]:
    args = context.launch_configurations
    overrides = {
        name: ParameterValue(LaunchConfiguration(name), value_type=kind)
        for name, kind in KINDS.items()
        if args[name]
    }
    profile = args['fastdds_profile']
    node = Node(
        package='pose3d_ros',
        executable='pose_node',
        name='pose_node',
        namespace=args['namespace'],
        parameters=[args['params_file'], *([overrides] if overrides else [])],
        remappings=[
            ('image_raw', args['image_topic']),
            ('camera_info', args['camera_info_topic']),
            ('depth_registered/image_rect', args['depth_topic']),
            ('depth_registered/camera_info', args['depth_info_topic']),
        ],
        ros_arguments=['--log-level', args['log_level']],
        additional_env={args['fastdds_variable']: profile} if profile else {},
        respawn=LaunchConfiguration('respawn'),
        respawn_delay=2.0,
        output='screen',
    )
    return [node]


def fusion_node(context) -> list[Node]:
    args = context.launch_configurations
    if not is_true(args['fuse']):
        return []
    overrides = {}
    if args['fuse_cameras']:
        overrides['cameras'] = read_names(args['fuse_cameras'], 'fuse_cameras')
    if args['fused_frame']:
        overrides['fused_frame'] = ParameterValue(
            LaunchConfiguration('fused_frame'), value_type=str
        )
    profile = args['fastdds_profile']
    node = Node(
        package='pose3d_ros',
        executable='fusion_node',
        name='fusion_node',
        namespace=args['namespace'],
        # The parameters that both nodes have mean the same.
        parameters=[args['params_file'], *([overrides] if overrides else [])],
        ros_arguments=['--log-level', args['log_level']],
        additional_env={args['fastdds_variable']: profile} if profile else {},
        respawn=LaunchConfiguration('respawn'),
        respawn_delay=2.0,
        output='screen',
    )
    return [node]


def rviz() -> Node:
    return Node(
        package='rviz2',
        executable='rviz2',
        name='rviz2',
        namespace=LaunchConfiguration('namespace'),
        arguments=[
            *('-d', LaunchConfiguration('rviz_config')),
            *('-f', LaunchConfiguration('frame_id')),
        ],
        # RViz needs absolute names in its file.
        remappings=[
            ('/image_raw', LaunchConfiguration('image_topic')),
            ('/markers', 'markers'),
            ('/overlay', 'overlay'),
        ],
        condition=IfCondition(LaunchConfiguration('rviz')),
    )


def viewer(context) -> list[ExecuteProcess]:
    args = context.launch_configurations
    if not is_true(args['viewer']):
        return []
    profile = args['fastdds_profile']
    # Not a launch_ros Node: the command takes no ROS arguments.
    page = ExecuteProcess(
        cmd=[
            ExecutableInPackage(executable='pose3d', package='pose3d_ros'),
            *('view', '--namespace', f'/{args["namespace"].strip("/")}'),
            *('--port', args['viewer_port']),
        ],
        name='viewer',
        additional_env={args['fastdds_variable']: profile} if profile else {},
        output='screen',
    )
    return [page]


def transform() -> Node:
    return Node(
        package='tf2_ros',
        executable='static_transform_publisher',
        name='camera_tf',
        namespace=LaunchConfiguration('namespace'),
        arguments=[
            *('--frame-id', LaunchConfiguration('link_frame')),
            *('--child-frame-id', LaunchConfiguration('frame_id')),
            # REP 103: from x forward, y left, z up to x right, y down, z forward.
            *('--qx', '-0.5', '--qy', '0.5', '--qz', '-0.5', '--qw', '0.5'),
        ],
        condition=IfCondition(LaunchConfiguration('publish_tf')),
    )


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription(
        [
            *arguments(),
            OpaqueFunction(function=check),
            OpaqueFunction(function=default_topics),
            SetLaunchConfiguration(
                'fastdds_variable', fastdds_variable()
            ),  # for the camera's node too
            OpaqueFunction(function=pose_node),
            OpaqueFunction(function=fusion_node),
            rviz(),
            OpaqueFunction(function=viewer),
            transform(),
        ]
    )
