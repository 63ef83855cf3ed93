"""Parameters of the fusion node: declared once, with type, default, range and description."""

from __future__ import annotations

from pose3d_ros.ros.camera_parameters import NodeParameter

# Those that the pose node has, too, mean the same: one file of parameters serves both.
FUSION_PARAMETERS = {
    'cameras': NodeParameter(
        ('',),
        'Names of two or more cameras: [front, rear] subscribes to front/poses and rear/poses. A '
        'name may have a namespace, or begin with /, for pose nodes elsewhere',
    ),
    'fused_frame': NodeParameter(
        '',
        'TF frame of the fused people, with z up (REP 105): map, odom, base_link. TF must have '
        'the frame of every camera in it at the stamps of the images',
    ),
    'lazy': NodeParameter(True, 'Subscribe to the cameras only while there is a subscriber'),
    'max_age': NodeParameter(
        0.2,
        'Largest difference, s, between stamps of cameras that are fused: the period of the '
        'slowest one, and more. People are moved by their velocities in between. A camera that '
        'sends nothing for this long is no longer waited for',
        10.0,
    ),
    'smoothing': NodeParameter(True, 'Smooth positions over time (one-euro filter)'),
    'track_memory': NodeParameter(
        1.0,
        'How long a person whom no camera sees keeps the id, s. One whom a camera recognises by '
        'the clothes gets the old id back later, too',
        10.0,
    ),
    'diagnostics_period': NodeParameter(1.0, 'Period of the messages on /diagnostics, s', 60.0),
    'stale_after': NodeParameter(
        2.0, 'Diagnostics report ERROR when a camera has sent no poses for this long, s', 600.0
    ),
}
