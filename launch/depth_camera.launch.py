"""Estimate 3D poses from a depth camera, together with its driver: RealSense, Orbbec, OAK or ZED.

`ros2 launch -s pose3d_ros depth_camera.launch.py` lists the arguments. The driver's own launch
file is included; its package must be installed. Names of files, arguments and topics are those of
realsense-ros 4.58, OrbbecSDK_ROS2 2.6, depthai-ros 2.10 and zed-ros2-wrapper 5.4.
"""

from pathlib import Path
from typing import NamedTuple

from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    GroupAction,
    IncludeLaunchDescription,
    OpaqueFunction,
    SetEnvironmentVariable,
    SetLaunchConfiguration,
)
from launch.launch_description_sources import AnyLaunchDescriptionSource

from pose3d_ros.ros.launch_arguments import (
    LaunchArgumentError,
    is_true,
    launch_file,
    read_pairs,
)


class Camera(NamedTuple):
    """A driver, and what it publishes. {name} stands for camera_name.

    `driver`: package and launch file. `arguments`: of that file, so that depth is registered to
    the images. `topics`: images and depth images, each with its camera_info beside it.
    """

    driver: tuple[str, str]
    name: str
    arguments: dict[str, str]
    topics: tuple[str, str]
    frame_id: str
    rectified: bool = False


CAMERAS = {
    'realsense': Camera(
        ('realsense2_camera', 'rs_launch.py'),
        'camera',
        {'camera_name': '{name}', 'camera_namespace': '{name}',
         'align_depth.enable': 'true', 'enable_sync': 'true'},
        ('/{name}/{name}/color/image_raw', '/{name}/{name}/aligned_depth_to_color/image_raw'),
        '{name}_color_optical_frame',
    ),
    'orbbec': Camera(
        ('orbbec_camera', 'gemini_330_series.launch.py'),
        'camera',
        {'camera_name': '{name}', 'depth_registration': 'true', 'enable_frame_sync': 'true'},
        ('/{name}/color/image_raw', '/{name}/depth/image_raw'),
        '{name}_color_optical_frame',
    ),
    # The driver aligns depth to the colour camera unless its parameters say otherwise.
    'oak': Camera(
        ('depthai_ros_driver', 'camera.launch.py'),
        'oak',
        {'name': '{name}', 'rectify_rgb': 'false'},
        ('/{name}/rgb/image_raw', '/{name}/stereo/image_raw'),
        '{name}_rgb_camera_optical_frame',
    ),
    # As a camera only: the odometry of the robot is not that of the ZED.
    'zed': Camera(
        ('zed_wrapper', 'zed_camera.launch.py'),
        'zed',
        {'camera_name': '{name}', 'camera_model': 'zed2i', 'publish_tf': 'false'},
        ('/{name}/zed_node/rgb/color/rect/image', '/{name}/zed_node/depth/depth_registered'),
        '{name}_left_camera_frame_optical',
        rectified=True,
    ),
}  # fmt: skip

ARGUMENTS = {
    'camera_name': ('', "name of the camera in the driver's topics and frames. Empty: the "
                    "driver's default. Several cameras need different ones"),
    'driver_package': ('', "package of the driver. Empty: that of the camera"),
    'driver_launch': ('', 'its launch file, which depends on the model for some cameras, such as '
                      'femto_bolt.launch.py for orbbec. Empty: a common one'),
    'driver_arguments': ('', 'more arguments of that launch file: "serial_no:=_1234 NAME:=VALUE"'),
}  # fmt: skip


def settings(context) -> tuple[Camera, str]:
    args = context.launch_configurations
    camera = CAMERAS[args['camera']]
    return camera, args['camera_name'] or camera.name


def driver_file(context) -> str:
    """Return the path of the driver's launch file; LaunchArgumentError if there is none."""
    args = context.launch_configurations
    package, file = settings(context)[0].driver
    return launch_file(args['driver_package'] or package, args['driver_launch'] or file, 'camera')


def check(context) -> None:
    """Raise before pose_node is started, so that a failed launch leaves no process."""
    driver_file(context)
    read_pairs(context.launch_configurations['driver_arguments'], 'driver_arguments')


def topics(context) -> list[SetLaunchConfiguration]:
    """Set the arguments of pose3d.launch.py that were not given."""
    camera, name = settings(context)
    images, depth_images = (topic.format(name=name) for topic in camera.topics)
    values = {
        'image_topic': images,
        'depth_topic': depth_images,
        'depth': 'true',
        'rectified': str(camera.rectified).lower(),
        'frame_id': camera.frame_id.format(name=name),
    }
    args = context.launch_configurations
    if is_true(args.get('publish_tf', 'false')):
        raise LaunchArgumentError(
            'launch argument publish_tf must be false: the driver publishes these frames'
        )
    return [SetLaunchConfiguration(n, value) for n, value in values.items() if n not in args]


def driver(context) -> list[GroupAction]:
    args = context.launch_configurations
    camera, name = settings(context)
    given = {key: value.format(name=name) for key, value in camera.arguments.items()}
    given |= read_pairs(args['driver_arguments'], 'driver_arguments')
    profile = args['fastdds_profile']
    environment = [SetEnvironmentVariable(args['fastdds_variable'], profile)] if profile else []
    file = AnyLaunchDescriptionSource(driver_file(context))
    # Not forwarded: the driver has arguments of the same names, such as params_file.
    return [
        GroupAction(
            [
                *environment,
                IncludeLaunchDescription(file, launch_arguments=given.items()),
            ],
            forwarding=False,
        )
    ]


def generate_launch_description() -> LaunchDescription:
    pose3d = AnyLaunchDescriptionSource(str(Path(__file__).with_name('pose3d.launch.py')))
    choice = DeclareLaunchArgument(
        'camera',
        default_value='realsense',
        choices=list(CAMERAS),
        description='which driver is started',
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
            OpaqueFunction(function=topics),
            # Before the driver, which uses the Fast DDS profile that is set there.
            IncludeLaunchDescription(pose3d),
            OpaqueFunction(function=driver),
        ]
    )
