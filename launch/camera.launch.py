"""Estimate 3D poses from a video, a stream, a GIF, a folder of images or a webcam.

`ros2 launch -s pose3d_ros camera.launch.py` lists the arguments.
"""

from pathlib import Path

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from pose3d_ros.ros.camera_parameters import PARAMETERS
from pose3d_ros.ros.launch_arguments import check_arguments
from pose3d_ros.ros.parameter_docs import yaml_value

# Arguments of pose3d.launch.py that are parameters of camera_node, too.
SHARED = ('frame_id', 'focal_length')
DEFAULTS = {'source': '0', 'wait_for_subscribers': '1'}
KINDS = {name: type(parameter.default) for name, parameter in PARAMETERS.items()}


def arguments() -> list[DeclareLaunchArgument]:
    return [
        DeclareLaunchArgument(
            name,
            default_value=DEFAULTS.get(name, yaml_value(parameter.default).strip("'")),
            description=parameter.text,
        )
        for name, parameter in PARAMETERS.items()
        if name not in SHARED
    ]


def check(context) -> None:
    """Raise before pose_node is started, so that a failed launch leaves no process."""
    check_arguments(context.launch_configurations, KINDS)


def camera_node(context) -> list[Node]:
    args = context.launch_configurations
    profile = args['fastdds_profile']
    node = Node(
        package='pose3d_ros',
        executable='camera_node',
        name='camera_node',
        namespace=args['namespace'],
        parameters=[
            {
                name: ParameterValue(LaunchConfiguration(name), value_type=kind)
                for name, kind in KINDS.items()
                if args[name]
            }
        ],
        remappings=[
            ('image_raw', args['image_topic']),
            ('camera_info', args['camera_info_topic']),
        ],
        ros_arguments=['--log-level', args['log_level']],
        additional_env={args['fastdds_variable']: profile} if profile else {},
        respawn=LaunchConfiguration('respawn'),
        respawn_delay=2.0,
        output='screen',
    )
    return [node]


def generate_launch_description() -> LaunchDescription:
    pose3d = PythonLaunchDescriptionSource(str(Path(__file__).with_name('pose3d.launch.py')))
    return LaunchDescription(
        [
            *arguments(),
            OpaqueFunction(function=check),
            # Before camera_node, which shares some of its arguments.
            IncludeLaunchDescription(pose3d),
            OpaqueFunction(function=camera_node),
        ]
    )
