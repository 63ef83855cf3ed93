"""People in 3D from a video, a stream, a GIF, a folder of images or a webcam.

`ros2 launch -s pose3d_ros camera.launch.py` lists the arguments.
"""

from pathlib import Path

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

# Parameters of camera_node; pose3d.launch.py has two more as its arguments.
PARAMETERS = {
    'source': (str, '0',
               'video file, animated GIF, image, folder of images, URL of a video or stream '
               '(http, rtsp), or webcam (0, /dev/video0)'),
    'rate': (float, '0', "images per second; 0: the source's own"),
    'loop': (bool, 'false', 'begin again at the end of the source'),
    'mirror': (bool, 'false', 'swap left and right'),
    'skip': (int, '0', 'leave out so many images at the beginning'),
    'calibration_file': (str, '',
                         'YAML file that camera_calibration wrote; wins over focal_length'),
    'wait_for_subscribers': (int, '1',
                             'begin when so many subscribe to the images: pose_node has to load, '
                             'and does once somebody listens to it; after 10 s at the latest'),
}  # fmt: skip
SHARED = {'frame_id': str, 'focal_length': float}


def camera_node(context) -> list[Node]:
    args = context.launch_configurations
    kinds = {name: kind for name, (kind, _, _) in PARAMETERS.items()} | SHARED
    profile = args['fastdds_profile']
    node = Node(
        package='pose3d_ros',
        executable='camera_node',
        name='camera_node',
        namespace=args['namespace'],
        parameters=[
            {
                name: ParameterValue(LaunchConfiguration(name), value_type=kind)
                for name, kind in kinds.items()
                if args[name]
            }
        ],
        remappings=[
            ('image_raw', args['image_topic']),
            ('camera_info', args['camera_info_topic']),
        ],
        ros_arguments=['--log-level', args['log_level']],
        additional_env={args['fastdds_variable']: profile} if profile else {},
        output='screen',  # and no respawn: the end of the source ends the node
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
            # First, for its arguments: camera_node has some of them too.
            IncludeLaunchDescription(pose3d),
            OpaqueFunction(function=camera_node),
        ]
    )
