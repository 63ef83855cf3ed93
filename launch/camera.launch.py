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

from pose3d_ros.ros.launch_arguments import check_arguments

# Parameters of camera_node. Two more, SHARED, are arguments of pose3d.launch.py.
PARAMETERS = {
    'source': (str, '0',
               'video file, animated GIF, image, folder of images, URL of a video or stream '
               '(http, rtsp), or webcam (0, /dev/video0)'),
    'rate': (float, '0', "images per second; 0: the source's own"),
    'loop': (bool, 'false', 'start again at the end of the source'),
    'mirror': (bool, 'false', 'swap left and right'),
    'skip': (int, '0', 'number of images to skip at the beginning'),
    'calibration_file': (str, '',
                         'YAML file of camera_calibration; overrides focal_length'),
    'wait_for_subscribers': (int, '1',
                             'number of subscribers of the images to wait for, at most 10 s. '
                             'pose_node subscribes when it is loaded and has a subscriber'),
}  # fmt: skip
SHARED = {'frame_id': str, 'focal_length': float}
KINDS = {name: kind for name, (kind, _, _) in PARAMETERS.items()} | SHARED


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
            *(
                DeclareLaunchArgument(name, default_value=default, description=text)
                for name, (_, default, text) in PARAMETERS.items()
            ),
            OpaqueFunction(function=check),
            # Before camera_node, which shares some of its arguments.
            IncludeLaunchDescription(pose3d),
            OpaqueFunction(function=camera_node),
        ]
    )
