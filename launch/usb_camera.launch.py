"""Estimate 3D poses from a USB camera with a camera driver of ROS: usb_cam or v4l2_camera.

Install one of them: `apt install ros-$ROS_DISTRO-usb-cam` or
`apt install ros-$ROS_DISTRO-v4l2-camera`.
`ros2 launch -s pose3d_ros usb_camera.launch.py` lists the arguments.
"""

from pathlib import Path

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from pose3d_ros.ros.launch_arguments import check_arguments, check_executable

ARGUMENTS = {
    'video_device': ('/dev/video0', 'device of the camera'),
    'image_width': ('640', 'px'),
    'image_height': ('480', 'px'),
    'framerate': ('30', 'images per second'),
    'pixel_format': ('', 'usb_cam: yuyv2rgb, mjpeg2rgb, ...; v4l2_camera: YUYV, UYVY, ... '
                     "Empty: the driver's default"),
    'camera_info_url': ('', 'calibration, e.g. file:///home/me/camera.yaml. Empty: uncalibrated'),
}  # fmt: skip


def usb_cam(args: dict[str, str]) -> dict[str, object]:
    """Return the parameters of usb_cam."""
    return {
        'video_device': args['video_device'],
        'image_width': int(args['image_width']),
        'image_height': int(args['image_height']),
        'framerate': float(args['framerate']),
        'frame_id': args['frame_id'],
    }


def v4l2_camera(args: dict[str, str]) -> dict[str, object]:
    """Return the parameters of v4l2_camera."""
    return {
        'video_device': args['video_device'],
        'image_size': [int(args['image_width']), int(args['image_height'])],
        'time_per_frame': [1, round(float(args['framerate']))],  # s, as a fraction
        'camera_frame_id': args['frame_id'],
    }


# Package -> executable, parameters.
DRIVERS = {
    'usb_cam': ('usb_cam_node_exe', usb_cam),
    'v4l2_camera': ('v4l2_camera_node', v4l2_camera),
}


KINDS = {'image_width': int, 'image_height': int, 'framerate': float}


def check(context) -> None:
    """Raise before pose_node is started, so that a failed launch leaves no process."""
    args = context.launch_configurations
    check_arguments(args, KINDS)
    check_executable(args['driver'], DRIVERS[args['driver']][0], 'driver')


def driver(context) -> list[Node]:
    args = context.launch_configurations
    package = args['driver']
    executable, parameters = DRIVERS[package]
    common = {name: args[name] for name in ('pixel_format', 'camera_info_url') if args[name]}
    profile = args['fastdds_profile']
    node = Node(
        package=package,
        executable=executable,
        name='camera',
        namespace=args['namespace'],
        parameters=[parameters(args) | common],
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
    choice = DeclareLaunchArgument(
        'driver',
        default_value='usb_cam',
        choices=list(DRIVERS),
        description='package of the camera driver',
    )
    others = [
        DeclareLaunchArgument(name, default_value=default, description=text)
        for name, (default, text) in ARGUMENTS.items()
    ]
    return LaunchDescription(
        [
            choice,
            *others,
            OpaqueFunction(function=check),
            # Before the driver, which shares some of its arguments.
            IncludeLaunchDescription(pose3d),
            OpaqueFunction(function=driver),
        ]
    )
