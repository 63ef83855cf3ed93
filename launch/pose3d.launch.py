"""People in 3D from the images of a camera that is already there.

`ros2 launch -s pose3d_ros pose3d.launch.py` lists the arguments. The other launch files include
this one.
"""

import os
from pathlib import Path

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetLaunchConfiguration
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from pose3d_ros.ros.middleware import FASTDDS, FASTRTPS, fastdds_variable

CONFIG = Path(__file__).absolute().parents[1] / 'config'

# Parameters of pose_node that are launch arguments too; config/pose3d.yaml has them all.
PARAMETERS = {
    'model': (str, 'network: an .xml or .onnx file, or a name that `pose3d model list` shows'),
    'device': (str, 'OpenVINO device: CPU, GPU, NPU, AUTO, or a list such as AUTO:GPU,CPU'),
    'precision': (str, 'arithmetic of the network: auto, f32, bf16 or f16'),
    'image_transport': (str, 'raw or compressed: the latter is image_topic/compressed'),
    'rectified': (bool, 'the images are rectified: true for image_rect'),
    'focal_length': (float, 'px, for a camera whose CameraInfo is uncalibrated; 0: guess it'),
    'target_frame': (str, 'TF frame of poses and markers; that of the images if unset'),
    'depth': (bool, 'measure people by depth_topic, registered to the camera'),
    'assumed_person_height': (float, 'm, how tall everybody is taken to be'),
    'keypoint_threshold': (float, 'score from which a keypoint counts as seen'),
    'smoothing': (bool, 'smooth the keypoints over time'),
}


def arguments() -> list[DeclareLaunchArgument]:
    preset = [os.environ[name] for name in (FASTDDS, FASTRTPS) if name in os.environ]
    profile = preset[0] if preset else str(CONFIG / 'fastdds_shm.xml')
    table = [
        ('namespace', '', 'namespace of nodes and topics; every camera needs its own'),
        ('image_topic', 'image_raw',
         'images, raw or compressed; in the namespace unless it begins with /'),
        ('camera_info_topic', 'camera_info', 'their sensor_msgs/CameraInfo, likewise'),
        ('depth_topic', 'depth_registered/image_rect', 'with depth: the depth images, likewise'),
        ('depth_info_topic', 'depth_registered/camera_info',
         'their sensor_msgs/CameraInfo, likewise'),
        ('params_file', str(CONFIG / 'pose3d.yaml'), 'parameters of pose_node'),
        *((name, '', f'{text}. Empty: as params_file says')
          for name, (_, text) in PARAMETERS.items()),
        ('fastdds_profile', profile,
         'Fast DDS profile of the nodes started here, for large images: without it most of them '
         'are lost. A camera driver that is started elsewhere needs it even more. '
         f'{FASTDDS} presets it. Empty: none'),
        ('log_level', 'info', 'debug, info, warn, error or fatal'),
        ('respawn', 'false', 'start a node again that died'),
        ('rviz', 'false', 'open RViz'),
        ('rviz_config', str(CONFIG / 'pose3d.rviz'), 'what RViz shows'),
        ('frame_id', 'camera_optical_frame', 'frame_id of the images; RViz looks from there'),
        ('publish_tf', 'false',
         'publish a static transform from link_frame to frame_id. RViz can then have link_frame '
         'as its fixed frame, with the saved views of rviz_config. Not for a camera in tf'),
        ('link_frame', 'camera_link', "the camera's frame with x forward, y left, z up"),
    ]  # fmt: skip
    return [DeclareLaunchArgument(n, default_value=d, description=text) for n, d, text in table]


def pose_node(context) -> list[Node]:
    args = context.launch_configurations
    overrides = {
        name: ParameterValue(LaunchConfiguration(name), value_type=kind)
        for name, (kind, _) in PARAMETERS.items()
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
            SetLaunchConfiguration(
                'fastdds_variable', fastdds_variable()
            ),  # for the camera's node too
            OpaqueFunction(function=pose_node),
            rviz(),
            transform(),
        ]
    )
